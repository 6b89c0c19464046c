/*
 * What the commands need to look at a running (or stopped) task: which file, which
 * folder and which server they are told to, opened for inspect/inspect.h.
 *
 * Where the server is: --redis-url, else OXBOW_REDIS_URL, else the port that
 * `oxbow up --with-redis` has left in <data_dir>/redis.port, else the task file.
 */
#ifndef OXBOW_CLI_ACCESS_H
#define OXBOW_CLI_ACCESS_H

#include "base/err.h"
#include "inspect/inspect.h"
#include "task/task.h"

struct access_options {
    const char *config;    /* NULL: access_default_config() */
    const char *data;      /* NULL: the task file's data_dir */
    const char *redis_url; /* NULL: see above */
};

/* Zero-initialise; access_release() frees whatever was opened. */
struct access {
    struct inspect in;
    struct task *task; /* what `in` looks at */
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

/* The same without the bus, for those who only look at the store. */
int access_open_store(struct access *a, const struct access_options *options,
                      struct err *err) MUST_CHECK;

void access_release(struct access *a);

/* Logs nothing, prints the one line on standard error and gives the exit status that fits. */
int access_complain(const char *command, const struct err *err);

#endif
