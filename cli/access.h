/*
 * What the commands need to look at a running (or stopped) task: its file, the
 * store, the bus and, read-only, the view engine's database.
 *
 * Where the server is: --redis-url, else OXBOW_REDIS_URL, else the port that
 * `oxbow up --with-redis` has left in <data_dir>/redis.port, else the task file.
 */
#ifndef OXBOW_CLI_ACCESS_H
#define OXBOW_CLI_ACCESS_H

#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"
#include "bus/bus.h"
#include "store/store.h"
#include "task/task.h"
#include "views/views.h"

struct access_options {
    const char *config;    /* NULL: access_default_config() */
    const char *data;      /* NULL: the task file's data_dir */
    const char *redis_url; /* NULL: see above */
};

/* Zero-initialise; access_release() frees whatever was opened. */
struct access {
    struct task *task;
    uint64_t sql_hash;
    struct store *store;
    struct bus *bus;
    struct views *views; /* read-only */
    char incarnation[UUID_TEXT_LEN + 1];
};

/* The options that all commands share; for the tables of options.h. */
#define ACCESS_OPTIONS(o)                                                                          \
    {"config", 0, OPTION_TEXT, "FILE", "the task file (default config/taxi.json)", &(o).config,    \
     0,        0},                                                                                 \
        {"data",                                                                                   \
         0,                                                                                        \
         OPTION_TEXT,                                                                              \
         "DIR",                                                                                    \
         "where the task's data live (default: as in the task file)",                              \
         &(o).data,                                                                                \
         0,                                                                                        \
         0},                                                                                       \
    {                                                                                              \
        "redis-url", 0, OPTION_TEXT, "URL", "the Redis server (default: see OXBOW_REDIS_URL)",     \
            &(o).redis_url, 0, 0                                                                   \
    }

/* config/taxi.json here, or the one that was installed. */
const char *access_default_config(void);

/*
 * Makes the environment say what the options say, and reads the task file: for `up`, whose children
 * inherit it. Whatever is wrong with the file, the code is ERR_INVALID.
 */
struct task *access_load_task(const struct access_options *options, struct err *err) MUST_CHECK;

/* Task, store, incarnation, bus. ERR_DISCONNECTED: the server is away; ERR_NOT_FOUND: nothing was
 * ever started there. */
int access_open(struct access *a, const struct access_options *options, struct err *err) MUST_CHECK;

/* Opens the database read-only; ERR_NOT_FOUND when there is none. */
int access_open_views(struct access *a, struct err *err) MUST_CHECK;

void access_release(struct access *a);

/* views_open()'s options for a task; *ret_names holds what they point to and is freed with free().
 */
int access_views_options(const struct task *task, const char *path, bool read_only,
                         struct views_options *ret, const char ***ret_names,
                         struct err *err) MUST_CHECK;

/* <data_dir>/<task>.db, to be freed. */
char *access_views_path(const struct task *task);

/* Logs nothing, prints the one line on standard error and gives the exit status that fits. */
int access_complain(const char *command, const struct err *err);

#endif
