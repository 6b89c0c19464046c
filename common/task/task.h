/*
 * The task file: one JSON file (comments allowed) that declares a stream, its
 * labels and its models. Every service reads the same file.
 *
 * task_load() checks everything that can be checked without a server: unknown
 * keys (with the nearest known one), types, ranges, classes and parameters. Its
 * error is one line, "<file>: <path in the file>: what is wrong; what to write",
 * and the program that gets it exits with status 2. JSON that is malformed has
 * "line N, column N" in place of the path. Comments are those of C, both kinds.
 *
 * The environment overrides addresses and engines, so that one file runs
 * everywhere: OXBOW_BUS, OXBOW_VIEWS, OXBOW_REDIS_URL, OXBOW_KAFKA_BROKERS,
 * OXBOW_KAFKA_PROPERTIES (name=value, with semicolons between), OXBOW_MATERIALIZE_URL,
 * OXBOW_MATERIALIZE_BROKERS, OXBOW_DATA_DIR, OXBOW_DURABILITY, OXBOW_LOG_LEVEL,
 * OXBOW_MONITOR_LISTEN. One that is set but empty is as if it were not; a bad value is refused with
 * the variable's name in place of the path.
 *
 * The options, with their ranges and defaults, are the table in task_options.c;
 * task_describe_options() prints it and config/taxi.json shows each of them.
 */
#ifndef OXBOW_TASK_TASK_H
#define OXBOW_TASK_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/label.h"
#include "base/log.h"
#include "bus/bus.h"
#include "learn/model.h"
#include "learn/schema.h"

enum task_start { TASK_START_OLDEST, TASK_START_NEWEST };
enum task_durability {
    TASK_DURABILITY_PROCESS, /* survives the death of any process */
    TASK_DURABILITY_MACHINE, /* survives the loss of power: everything is synced first */
};

#define TASK_BASELINE       "baseline" /* the name of the model that always runs beside the others */
#define TASK_GENERATION_LEN 16         /* hex digits */

/* What oxbow-monitor shows, and where. Members of a request's message are named by their own names.
 */
struct task_monitor {
    char *listen;          /* address:port */
    char *token_file;      /* holds what a visitor must know; NULL: none is asked */
    char *tls_certificate; /* PEM files; NULL: plain HTTP */
    char *tls_key;         /* goes with tls_certificate */
    char *hosts; /* names that a browser may call it by, with commas; NULL: this machine's */
    int64_t rows_per_second;      /* messages of each topic that are looked at */
    char *noun;                   /* what one request is called: "trip" */
    char *unit;                   /* of the label: "s"; NULL: none */
    char *request_time;           /* the member with the event's own time; NULL: it carries none */
    char *size;                   /* the feature that says how large a request is; NULL: none */
    char *map_from[2];            /* members with x and y of where a request begins; NULL: no map */
    char *map_to[2];              /* and of where it ends; NULL: it stays where it is */
    bool map_moves;               /* the label is the time in seconds that it takes to get there */
    int64_t drift_reference_rows; /* learned rows that later ones are compared with */
    int64_t drift_window_rows;    /* rows that are compared with them at a time */
    char *drift_silent; /* features that may drift without an alarm, with commas; NULL: none */
};

struct task_model {
    char *name;         /* "linear-regression" */
    char *pipeline;     /* its pipeline as JSON text, as model_new() takes it */
    char *canonical;    /* the same with every parameter, as model_parameters() gives it */
    bool has_intervals; /* its predictions come with one (model.h) */
};

/* Read-only after task_load(). All strings are owned by the struct. */
struct task {
    char *file; /* the path that was read */
    char *name; /* "task" */
    char *kind; /* "regression" or "binary_classification" */
    char *key;  /* "key": the name of the key's column in the views */

    struct {
        char *requests;
        char *outcomes;
        char *predictions;
        char *features;
        char *learning_queue;
        char *dead_letters;
        char *drift_alarms;
    } topics;

    char *bus;       /* backend of bus.h */
    char *views;     /* engine of views.h */
    char *store;     /* backend of store.h: "redis", or "memory" together with the memory bus */
    char *redis_url; /* for the bus and the store */
    char *materialize_url;
    char *materialize_brokers; /* NULL: as the bus has them */

    struct {
        char *brokers;      /* host:port,host:port */
        char *topic_prefix; /* put before the names of topics, groups and transactions */
        int64_t partitions;
        int64_t replication;
        struct bus_property *properties; /* names and values are owned */
        size_t n_properties;
    } kafka;

    bool exactly_once; /* inference publishes predictions and positions in one transaction */
    char *data_dir;    /* where SQLite's file lives; made when missing */
    char *sql_dir; /* the task's SQL for this engine: option "sql" (from the file's folder on), or
                      ../sql/<task>/<views> beside the file's folder */

    struct schema *features; /* in the file's order */
    char *label;             /* the label's column in view learning_queue */
    double label_min;        /* -INFINITY: open */
    double label_max;        /* INFINITY: open */
    double clip_min;         /* -INFINITY: open */
    double clip_max;         /* INFINITY: open */

    bool is_binary; /* kind: labels are 1 (positive) and 0, predictions are P(positive) */
    struct label_positive positive; /* use task_positive() */
    double threshold;
    double class_weight[2]; /* of label 0 and 1 */

    int64_t refresh_seconds; /* between two publications of a model, and two looks for one */
    int64_t refresh_rows;    /* or after so many learned rows, if that is sooner */
    enum task_start start;   /* where a new generation begins */
    enum task_durability durability;
    int64_t max_backlog;     /* rows a stage may wait for the next before producers wait */
    int64_t max_event_bytes; /* larger values are dead letters */
    int64_t
        retention_seconds;    /* rows of the view engine older than this are forgotten (bus time) */
    int64_t retention_rows;   /* and those beyond so many requests */
    int64_t stream_keep_rows; /* messages kept on a topic after every required reader has passed */
    int64_t rebuild_rows; /* the same for learning-queue: how far back a version can be rebuilt */
    int64_t reconcile_seconds; /* how long published rows are kept to be published again */
    int64_t dedupe_seconds;    /* Materialize: how long a published key is remembered, */
    int64_t dedupe_keys;       /* and how many of them a topic */
    int64_t versions_kept;     /* newest versions of a model that are kept, see store_prune() */
    int64_t max_model_bytes;   /* of one model, in memory and in the store */
    int64_t max_categories;    /* a feature */
    int64_t score_window;      /* rows of the windowed scores */
    enum log_level log_level;  /* for log_set_level() */

    struct task_monitor monitor;

    /* What watches each model's errors: its canonical text, as detector_new() takes it; NULL: none
     */
    char *drift;

    struct task_model *models; /* in the file's order; the baseline is the last */
    size_t n_models;
};

/*
 * NULL and the error's text on failure: ERR_NOT_FOUND or ERR_IO when the file cannot be read,
 * ERR_TOO_LARGE over 1 MiB, else ERR_INVALID.
 */
struct task *task_load(const char *path, struct err *err) MUST_CHECK;
void task_free(struct task *task); /* NULL is fine */

/*
 * How the task's bus is opened: backend, address, prefix, properties and the task's name are filled
 * in; they live as long as the task and `store_prefix`, which stands before the names of topics
 * where the store and the bus share a server. The caller adds the rest.
 */
struct bus_options task_bus_options(const struct task *task, const char *store_prefix);

/*
 * Makes the task's topics where they are missing; the learning queue has one partition. ERR_REFUSED
 * when it has more.
 */
int task_ensure_topics(const struct task *task, struct bus *bus, struct err *err) MUST_CHECK;

/* `v` within the task's clip; NaN stays NaN. */
double task_clip(const struct task *task, double v);

/*
 * What goes out of a model that has just said `v`: that, clipped, and the interval around it, its
 * ends clipped likewise; NaN where it has none.
 */
struct issued task_answer(const struct task *task, const struct model *m, double v);

/* Which labels are positive, for those who read them; NULL for a regression, whose labels are
 * numbers. */
const struct label_positive *task_positive(const struct task *task);

/* How much a row of that label weighs when it is learned. */
double task_weight(const struct task *task, double label);

/* True when a label can be learned: finite and within label_range. */
bool task_label_ok(const struct task *task, double label);

/*
 * The identity of a model's lineage: a hash (XXH64, as 16 hex digits) of everything that decides
 * what its bytes will be: canonical pipeline with all parameters, features, label, label_range,
 * clip, of a binary task positive and class_weight, max_model_bytes, with categorical features
 * max_categories, and `sql_hash`, which is the hash of the task's SQL (task_sql_hash). `model` is
 * an index of task->models.
 */
void task_generation(const struct task *task, size_t model, uint64_t sql_hash,
                     char ret[TASK_GENERATION_LEN + 1]);

/*
 * XXH64 over the names and bytes of sql_dir's *.sql files in the order of their names. ERR_IO;
 * ERR_NOT_FOUND when there are none.
 */
int task_sql_hash(const struct task *task, uint64_t *ret, struct err *err) MUST_CHECK;

/* For `--help`: every option with its default and a sentence, as text. */
struct buf;
void task_describe_options(struct buf *out);

#endif
