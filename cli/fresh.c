/* Beginning a new incarnation: first the database, then the store; the old one's keys go last. */
#include "fresh.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "base/buf.h"
#include "base/uuid.h"
#include "paths.h"
#include "state/state_read.h"
#include "store/store.h"
#include "views/views.h"

/* Deletes `<path><suffix>` if it is there. */
static void forget(const char *path, const char *suffix)
{
    struct buf name = BUF_INIT;

    buf_printf(&name, "%s%s", path, suffix);
    unlink(buf_str(&name));
    buf_release(&name);
}

static void forget_database(const char *path)
{
    forget(path, "");
    forget(path, "-wal");
    forget(path, "-shm");
    forget(path, "-journal");
}

/* A database at `path` that holds nothing but the incarnation. */
static int make_database(const struct task *task, const char *path, const char *id, struct err *err)
{
    struct views_options options;
    const char **names;

    forget_database(path);
    int rc = inspect_views_options(task, path, false, &options, &names, err);
    if (rc < 0)
        return rc;
    struct views *v = views_open(&options, err);
    free(names);
    if (!v)
        return err->code;
    rc = views_incarnation_set(v, id, err);
    views_close(v);
    forget(path, ".lock");
    return rc;
}

/*
 * Puts the new database into the old one's place. The old one goes first: its write-ahead log must
 * never meet the new file, and being killed in between leaves no database, which oxbow-views
 * refuses.
 */
static int swap_databases(const char *path, const char *fresh, struct err *err)
{
    struct buf old = BUF_INIT;
    int rc = 0;

    buf_printf(&old, "%s.old", path);
    if (rename(path, buf_str(&old)) != 0 && errno != ENOENT) {
        rc = err_set(err, ERR_IO, "cannot move %s away: %s", path, strerror(errno));
    } else {
        forget_database(path);
        if (rename(fresh, path) != 0)
            rc = err_set(err, ERR_IO, "cannot move %s to %s: %s", fresh, path, strerror(errno));
        forget_database(buf_str(&old));
    }
    buf_release(&old);
    return rc;
}

/* Where the bus is a server of its own, wiping the store does not touch the topics. */
static int open_own_bus(const struct task *task, struct bus **ret, struct err *err)
{
    struct bus_options options = task_bus_options(task, "");

    *ret = NULL;
    if (strcmp(task->bus, task->store) == 0)
        return 0;
    options.client = "oxbow";
    *ret = bus_open(&options, err);
    return *ret ? bus_ping(*ret, err) : err->code;
}

static int delete_topics(const struct task *task, struct bus *bus, struct err *err)
{
    char *state = state_topic(task->name);
    const char *const topics[] = {task->topics.features,     task->topics.learning_queue,
                                  task->topics.predictions,  task->topics.dead_letters,
                                  task->topics.drift_alarms, task->topics.requests,
                                  task->topics.outcomes,     state};
    int rc = 0;

    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]) && rc == 0; i++)
        rc = bus_topic_delete(bus, topics[i], err);
    free(state);
    return rc;
}

/* What Materialize has is dropped before the topics are deleted that its sources read. */
static int renew_server(const struct task *task, const char *id, struct err *err)
{
    struct views_options options;
    const char **names;

    int rc = inspect_views_options(task, "", false, &options, &names, err);
    if (rc < 0)
        return rc;
    struct views *v = views_open(&options, err);
    free(names);
    if (!v)
        return err->code;
    rc = views_wipe(v, err);
    if (rc == 0)
        rc = views_incarnation_set(v, id, err);
    views_close(v);
    return rc;
}

static int renew_file(const struct task *task, const char *path, const char *id, struct err *err)
{
    struct buf fresh = BUF_INIT;

    buf_printf(&fresh, "%s.new", path);
    int rc = make_database(task, buf_str(&fresh), id, err);
    if (rc == 0)
        rc = swap_databases(path, buf_str(&fresh), err);
    buf_release(&fresh);
    return rc;
}

static int replace_incarnation(struct store *st, const char *id, struct err *err)
{
    char old[UUID_TEXT_LEN + 1];

    int rc = store_incarnation(st, old, err);
    bool had_one = rc == 0;
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    rc = store_incarnation_replace(st, id, err);
    if (rc == 0 && had_one)
        rc = store_wipe(st, old, err);
    return rc;
}

int fresh_begin(const struct task *task, struct err *err)
{
    struct store_options options = {
        .backend = task->store, .url = task->redis_url, .task = task->name, .client = "oxbow"};
    char id[UUID_TEXT_LEN + 1];
    char *path = inspect_views_path(task);
    struct buf lock = BUF_INIT;
    struct store *st = NULL;
    struct bus *bus = NULL;
    int lock_fd = -1;

    buf_printf(&lock, "%s.lock", path);
    int rc = paths_make_dir(task->data_dir, err);
    if (rc < 0)
        goto out;
    lock_fd = paths_lock(buf_str(&lock), err);
    if (lock_fd < 0) {
        rc = lock_fd;
        if (rc == ERR_REFUSED)
            err_set(err, rc, "an oxbow-views is still running on %s; stop it first", path);
        goto out;
    }
    st = store_open(&options, err);
    rc = st ? store_ping(st, err) : err->code;
    if (rc == 0)
        rc = open_own_bus(task, &bus, err);
    if (rc < 0)
        goto out;
    uuid_new(id);
    rc = inspect_views_are_in_file(task) ? renew_file(task, path, id, err)
                                         : renew_server(task, id, err);
    if (rc == 0)
        rc = replace_incarnation(st, id, err);
    if (rc == 0 && bus)
        rc = delete_topics(task, bus, err);
out:
    bus_close(bus);
    store_close(st);
    if (lock_fd >= 0)
        close(lock_fd);
    buf_release(&lock);
    free(path);
    return rc;
}
