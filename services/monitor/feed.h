/*
 * Reads the task's topics for the monitor: all at once, at most so many
 * messages of each a second. What comes faster is skipped by going to the newest,
 * and counted as far as the bus can count; so the reader costs the same at any
 * load, and holds nothing back: views trims without asking it.
 *
 * New readers begin at the newest message, those of dead letters and alarms at the oldest kept.
 */
#ifndef OXBOW_MONITOR_FEED_H
#define OXBOW_MONITOR_FEED_H

#include "base/err.h"
#include "bus/bus.h"
#include "monitor/monitor.h"
#include "task/task.h"

struct feed;

/* Borrows all three. ERR_NOT_FOUND, retriable, naming it, when a topic is not there yet. */
struct feed *feed_open(struct bus *bus, const struct task *task, struct monitor *m,
                       struct err *err) MUST_CHECK;
void feed_close(struct feed *f); /* NULL is fine */

/* Waits up to `timeout_ms` for messages and hands them to the monitor: how many, or <0. */
int feed_step(struct feed *f, int timeout_ms, struct err *err) MUST_CHECK;

#endif
