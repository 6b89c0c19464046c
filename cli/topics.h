/* Which topics a task has; for the commands that take a topic's name. */
#ifndef OXBOW_CLI_TOPICS_H
#define OXBOW_CLI_TOPICS_H

#include <stdbool.h>

#include "base/err.h"
#include "task/task.h"

/* 0 when `topic` is one of the task's; ERR_INVALID with the nearest or all of them. */
int topics_check(const struct task *task, const char *topic, struct err *err) MUST_CHECK;

#endif
