/* Opening a task's servers and its database for those who only look. */
#include "inspect.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

int inspect_open_store(struct inspect *in, const struct task *task, const char *client,
                       struct err *err)
{
    in->task = task;
    in->client = client;
    int rc = task_sql_hash(task, &in->sql_hash, err);
    if (rc < 0)
        return rc;

    struct store_options options = {
        .backend = task->store, .url = task->redis_url, .task = task->name, .client = client};
    in->store = store_open(&options, err);
    if (!in->store)
        return err->code;
    rc = store_incarnation(in->store, in->incarnation, err);
    if (rc == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND,
                       "%s has no task %s yet; start it with `oxbow up`, or name its folder with "
                       "--data",
                       task->redis_url, task->name);
    if (rc < 0)
        return rc;
    store_bind(in->store, in->incarnation);
    return 0;
}

int inspect_open_bus(struct inspect *in, struct err *err)
{
    struct bus_options options = task_bus_options(in->task, store_prefix(in->store));

    options.client = in->client;
    in->bus = bus_open(&options, err);
    return in->bus ? 0 : err->code;
}

char *inspect_views_path(const struct task *task)
{
    struct buf path = BUF_INIT;

    buf_printf(&path, "%s/%s.db", task->data_dir, task->name);
    return buf_detach(&path);
}

bool inspect_views_are_in_file(const struct task *task)
{
    return strcmp(task->views, "sqlite") == 0;
}

int inspect_views_options(const struct task *task, const char *path, bool read_only,
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
        .url = inspect_views_are_in_file(task) ? path : task->materialize_url,
        .name = task->name,
        .sql_dir = task->sql_dir,
        .key = task->key,
        .label = task->label,
        .features = names,
        .n_features = n,
        .topic_names = {task->topics.requests, task->topics.outcomes, task->topics.predictions},
        .label_min = task->label_min,
        .label_max = task->label_max,
        .positive = task_positive(task),
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

int inspect_open_views(struct inspect *in, struct err *err)
{
    struct views_options options;
    const char **names;
    char *path = inspect_views_path(in->task);
    int rc = 0;

    if (inspect_views_are_in_file(in->task) && access(path, F_OK) != 0) {
        rc = err_set(err, ERR_NOT_FOUND, "%s is not there; name the task's folder with --data",
                     path);
        goto out;
    }
    rc = inspect_views_options(in->task, path, true, &options, &names, err);
    if (rc < 0)
        goto out;
    in->views = views_open(&options, err);
    free(names);
    if (!in->views)
        rc = err->code;
out:
    free(path);
    return rc;
}

void inspect_release(struct inspect *in)
{
    views_close(in->views);
    bus_close(in->bus);
    store_close(in->store);
    *in = (struct inspect){0};
}
