/*
 * Looking at a task from outside, without a hand in it: its store, its bus and,
 * read-only, its view engine. What stands beside it in this folder reads through
 * it: status.h (heartbeats) and audit.h (the ledger's equations).
 *
 *     struct inspect in = {0};
 *     rc = inspect_open_store(&in, task, "monitor", &err);
 *     rc = inspect_open_bus(&in, &err);       (optional)
 *     rc = inspect_open_views(&in, &err);     (optional)
 *     ... audit_judge(&audit, &in, false, &err) ...
 *     inspect_release(&in);
 *
 * One struct belongs to one thread. Handles find a lost server again by themselves; after another
 * incarnation has begun (`--fresh`) the struct still looks at the old one: release it and open it
 * again.
 */
#ifndef OXBOW_INSPECT_INSPECT_H
#define OXBOW_INSPECT_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"
#include "bus/bus.h"
#include "store/store.h"
#include "task/task.h"
#include "views/views.h"

/* Zero-initialise; inspect_release() frees whatever was opened. */
struct inspect {
    const struct task *task; /* the caller's */
    uint64_t sql_hash;
    const char *client; /* the caller's; by this name the servers know us */
    struct store *store;
    struct bus *bus;
    struct views *views; /* read-only */
    char incarnation[UUID_TEXT_LEN + 1];
};

/* The store and the incarnation. ERR_DISCONNECTED: the server is away; ERR_NOT_FOUND: nothing was
 * ever started there. After an error: inspect_release(). */
int inspect_open_store(struct inspect *in, const struct task *task, const char *client,
                       struct err *err) MUST_CHECK;

/* After inspect_open_store(). */
int inspect_open_bus(struct inspect *in, struct err *err) MUST_CHECK;

/* Opens the database read-only; ERR_NOT_FOUND when there is none. After inspect_open_store(). */
int inspect_open_views(struct inspect *in, struct err *err) MUST_CHECK;

/* Closes what is open, leaves the task to the caller, and zeroes the struct. */
void inspect_release(struct inspect *in);

/*
 * views_open()'s options for a task, `path` being the file of an engine that has one; *ret_names
 * holds what they point to and is freed with free().
 */
int inspect_views_options(const struct task *task, const char *path, bool read_only,
                          struct views_options *ret, const char ***ret_names,
                          struct err *err) MUST_CHECK;

/* False when the view engine is a server: then it has no file. */
bool inspect_views_are_in_file(const struct task *task);

/* <data_dir>/<task>.db, to be freed. */
char *inspect_views_path(const struct task *task);

#endif
