/*
 * The monitor's loop: connects to whatever is there and waits for nothing,
 * reads the bus, and once a second makes a tick. A new incarnation (--fresh) is
 * followed; a store that is away is said once, and the page goes on.
 */
#ifndef OXBOW_MONITOR_LOOP_H
#define OXBOW_MONITOR_LOOP_H

#include "base/err.h"
#include "runtime/runtime.h"

struct loop_options {
    const char *listen;    /* NULL: the task file's */
    const char *dashboard; /* NULL: where it is found */
};

/* Until asked to stop. 0, or what a human must see to. */
int loop_run(struct runtime *rt, const struct loop_options *options, struct err *err) MUST_CHECK;

#endif
