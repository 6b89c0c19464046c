/* `--fresh`: forgets all that a task has seen and learned, and begins a new incarnation. */
#ifndef OXBOW_CLI_FRESH_H
#define OXBOW_CLI_FRESH_H

#include "base/err.h"
#include "task/task.h"

/*
 * No service of the task may run: ERR_REFUSED when oxbow-views does. The store must answer. Killed
 * half-way, it leaves a task that oxbow-views refuses to start, and another --fresh mends.
 */
int fresh_begin(const struct task *task, struct err *err) MUST_CHECK;

#endif
