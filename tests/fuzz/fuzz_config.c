/*
 * Any bytes as a task file: loaded or refused with one line that names the file; what was loaded
 * has an identity for each model and can be released.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "task/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void check_task(const struct task *task)
{
    char generation[TASK_GENERATION_LEN + 1];

    require(task->n_models >= 2 && schema_size(task->features) >= 1);
    require(strcmp(task->models[task->n_models - 1].name, TASK_BASELINE) == 0);
    require(task->clip_min < task->clip_max && task->label_min < task->label_max);
    require(task->sql_dir && task->store && task->redis_url && task->data_dir);
    for (size_t i = 0; i < task->n_models; i++) {
        task_generation(task, i, 0, generation);
        require(strlen(generation) == TASK_GENERATION_LEN);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64];
    static int fd = -1;
    struct err err = {0};

    if (fd < 0) {
        fd = memfd_create("task", MFD_CLOEXEC);
        require(fd >= 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    require(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);

    struct task *task = task_load(path, &err);
    if (task)
        check_task(task);
    else
        require(err.code < 0 && strncmp(err.text, path, strlen(path)) == 0 &&
                !strchr(err.text, '\n'));
    task_free(task);
    return 0;
}
