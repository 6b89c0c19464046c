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
    struct task *task = access_load_task(options, err);
    int port;

    if (!task || getenv("OXBOW_REDIS_URL"))
        return task;
    port = own_redis_remembered_port(task->data_dir);
    if (!port)
        return task;

    char url[64];
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d/0", port);
    setenv("OXBOW_REDIS_URL", url, 1);
    task_free(task);
    return access_load_task(options, err);
}

int access_open(struct access *a, const struct access_options *options, struct err *err)
{
    a->task = load_with_own_redis(options, err);
    if (!a->task)
        return err->code;
    int rc = task_sql_hash(a->task, &a->sql_hash, err);
    if (rc < 0)
        return rc;

    struct store_options store_options = {.backend = a->task->store,
                                          .url = a->task->redis_url,
                                          .task = a->task->name,
                                          .client = "oxbow"};
    a->store = store_open(&store_options, err);
    if (!a->store)
        return err->code;
    rc = store_incarnation(a->store, a->incarnation, err);
    if (rc == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND,
                       "%s has no task %s yet; start it with `oxbow up`, or name its folder with "
                       "--data",
                       a->task->redis_url, a->task->name);
    if (rc < 0)
        return rc;
    store_bind(a->store, a->incarnation);

    struct bus_options bus_options = task_bus_options(a->task, store_prefix(a->store));
    bus_options.client = "oxbow";
    a->bus = bus_open(&bus_options, err);
    return a->bus ? 0 : err->code;
}

char *access_views_path(const struct task *task)
{
    struct buf path = BUF_INIT;

    buf_printf(&path, "%s/%s.db", task->data_dir, task->name);
    return buf_detach(&path);
}

int access_views_options(const struct task *task, const char *path, bool read_only,
                         struct views_options *ret, const char ***ret_names, struct err *err)
{
    size_t n = schema_size(task->features);
    if (!n)
        return err_set(err, ERR_INVALID, "%s: features: the list is empty", task->file);

    const char **names = mem_zalloc(n, sizeof(*names));
    for (size_t i = 0; i < n; i++)
        names[i] = schema_name(task->features, i);
    *ret = (struct views_options){
        .engine = task->views,
        .url = path,
        .sql_dir = task->sql_dir,
        .key = task->key,
        .label = task->label,
        .features = names,
        .n_features = n,
        .topic_names = {task->topics.requests, task->topics.outcomes, task->topics.predictions},
        .label_min = task->label_min,
        .label_max = task->label_max,
        .max_event_bytes = task->max_event_bytes,
        .retention_seconds = task->retention_seconds,
        .retention_rows = task->retention_rows,
        .reconcile_ms = task->reconcile_seconds * 1000,
        .sync = task->durability == TASK_DURABILITY_MACHINE,
        .read_only = read_only,
    };
    *ret_names = names;
    return 0;
}

int access_open_views(struct access *a, struct err *err)
{
    struct views_options options;
    const char **names;
    char *path = access_views_path(a->task);
    int rc = 0;

    if (access(path, F_OK) != 0) {
        rc = err_set(err, ERR_NOT_FOUND, "%s is not there; name the task's folder with --data",
                     path);
        goto out;
    }
    rc = access_views_options(a->task, path, true, &options, &names, err);
    if (rc < 0)
        goto out;
    a->views = views_open(&options, err);
    free(names);
    if (!a->views)
        rc = err->code;
out:
    free(path);
    return rc;
}

void access_release(struct access *a)
{
    views_close(a->views);
    bus_close(a->bus);
    store_close(a->store);
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
