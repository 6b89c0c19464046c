/*
 * Audits the task from time to time, in a thread and with handles of its own,
 * so that an audit never keeps a tick waiting.
 */
#ifndef OXBOW_MONITOR_AUDITOR_H
#define OXBOW_MONITOR_AUDITOR_H

#include "monitor/monitor.h"
#include "task/task.h"

#define AUDITOR_EVERY_MS 30000
#define AUDITOR_LEAST_MS 5000 /* between two, however often they are asked for */
#define AUDITOR_FIRST    6    /* so many at the beginning are that close: people look then */

struct auditor;

/* Borrows both. NULL when there is no thread to be had. */
struct auditor *auditor_start(const struct task *task, struct monitor *m,
                              struct err *err) MUST_CHECK;
void auditor_stop(struct auditor *a); /* waits for an audit that runs; NULL is fine */

/* Asks for one soon. From any thread. */
void auditor_ask(struct auditor *a);

#endif
