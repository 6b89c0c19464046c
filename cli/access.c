/* Opening a task's file, servers and database for the commands. */
#include "access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "options.h"
#include "own_redis.h"
#include "paths.h"

#define CONFIG "config/taxi.json"

const char *access_default_config(void)
{
    static char found[PATHS_MAX];
    /* Installed, and in a build folder of the source tree. */
    static const char *const beside[] = {"../share/oxbow/" CONFIG, "../../../" CONFIG};

    if (access(CONFIG, R_OK) == 0)
        return CONFIG;
    for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++)
        if (paths_beside_program(found, sizeof(found), beside[i]) == 0 && access(found, R_OK) == 0)
            return found;
    return CONFIG;
}

struct task *access_load_task(const struct access_options *options, struct err *err)
{
    if (options->data)
        setenv("OXBOW_DATA_DIR", options->data, 1);
    if (options->redis_url)
        setenv("OXBOW_REDIS_URL", options->redis_url, 1);
    struct task *task = task_load(options->config ? options->config : access_default_config(), err);
    if (!task)
        err->code = ERR_INVALID;
    return task;
}

/* The task, with the server that `up --with-redis` runs for it when nothing else is said. */
static struct task *load_with_own_redis(const struct access_options *options, struct err *err)
{
    static bool is_ours; /* the variable was set here: the port may be another one by now */
    struct task *task;
    int port;

    if (is_ours)
        unsetenv("OXBOW_REDIS_URL");
    is_ours = false;
    task = access_load_task(options, err);
    if (!task || getenv("OXBOW_REDIS_URL"))
        return task;
    port = own_redis_remembered_port(task->data_dir);
    if (!port)
        return task;

    char url[64];
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d/0", port);
    setenv("OXBOW_REDIS_URL", url, 1);
    is_ours = true;
    task_free(task);
    return access_load_task(options, err);
}

int access_open_store(struct access *a, const struct access_options *options, struct err *err)
{
    a->task = load_with_own_redis(options, err);
    return a->task ? inspect_open_store(&a->in, a->task, "oxbow", err) : err->code;
}

int access_open(struct access *a, const struct access_options *options, struct err *err)
{
    int rc = access_open_store(a, options, err);

    return rc < 0 ? rc : inspect_open_bus(&a->in, err);
}

void access_release(struct access *a)
{
    inspect_release(&a->in);
    task_free(a->task);
    *a = (struct access){0};
}

int access_complain(const char *command, const struct err *err)
{
    fprintf(stderr, "oxbow %s: %s\n", command, err->text);
    switch (err->code) {
    case ERR_INVALID:
    case ERR_REFUSED:
        return CLI_REFUSED;
    case ERR_DISCONNECTED:
    case ERR_TIMEOUT:
    case ERR_NOT_FOUND:
        return CLI_UNKNOWN;
    default:
        return CLI_FAILED;
    }
}
