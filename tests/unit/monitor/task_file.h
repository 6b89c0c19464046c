/* A small task for the monitor's tests, in memory. */
#ifndef OXBOW_TESTS_MONITOR_TASK_FILE_H
#define OXBOW_TESTS_MONITOR_TASK_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "task/task.h"

/* Features a, b (boolean), c; `models`: members of that object. `more` begins with a comma. */
static inline struct task *load_task_kind(const char *kind, const char *models, const char *more)
{
    char path[] = "/tmp/oxbow-task-XXXXXX";
    struct err err = {0};
    int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

    assert_non_null(f);
    fprintf(f,
            "{\"task\":\"watched\",\"kind\":\"%s\",\"key\":\"trip_id\","
            "\"topics\":{\"requests\":\"pick-ups\",\"outcomes\":\"drop-offs\"},"
            "\"bus\":\"memory\",\"views\":\"sqlite\",\"sql\":\"%s/sql/taxi/sqlite\","
            "\"features\":[\"a\",{\"name\":\"b\",\"kind\":\"boolean\"},\"c\"],"
            "\"label\":\"duration\",\"models\":{%s}%s}\n",
            kind, OXBOW_SOURCE_DIR, models, more);
    assert_int_equal(fclose(f), 0);
    struct task *task = task_load(path, &err);
    unlink(path);
    if (!task)
        fail_msg("%s", err.text);
    return task;
}

static inline struct task *load_task_of(const char *models, const char *more)
{
    return load_task_kind("regression", models, more);
}

/* Models one (linear) and two (a tree). */
static inline struct task *load_task_file(const char *more)
{
    return load_task_of("\"one\":[\"standard_scaler\",\"linear_regression\"],"
                        "\"two\":[\"hoeffding_tree_regressor\"]",
                        more);
}

#endif
