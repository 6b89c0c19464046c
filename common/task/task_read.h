/* Private to common/task: reading the file's options into a struct task. */
#ifndef OXBOW_TASK_TASK_READ_H
#define OXBOW_TASK_TASK_READ_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "task/task.h"

struct reader {
    struct task *task; /* being filled */
    struct err *err;
};

/* Says "<file>: <path>: <fmt>" and returns ERR_INVALID. */
int task_refuse(struct reader *r, const char *path, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ---- task_text.c ---- */

/* Reads the whole file; comments are blanked and the rest is checked to be JSON. */
int task_read_text(struct reader *r, struct buf *ret);

/* The unescaped string, to be freed; NULL when it is no string, or one with a NUL in it. */
char *task_string(const struct json_value *v);

/* True when an earlier member of `object` has the name of the member that `key` is. */
bool task_is_repeated(const struct json_value *object, const struct json_value *key);

/* What a value is, for texts: itself when it is short and simple, else "an object", "a list". */
const char *task_show(const struct json_value *v, char out[80]);

/* NULL when `s` is good, else what to write. */
const char *task_check_slug(const char *s);   /* a name of ours: a-z, 0-9 and - */
const char *task_check_column(const char *s); /* a column of SQL */

enum task_option_type {
    OPTION_TEXT,       /* char * */
    OPTION_CHOICE,     /* char *, one of `choices` */
    OPTION_ENUM,       /* an enum whose values are the indexes of `choices` */
    OPTION_COUNT,      /* int64_t from `min` to `max` */
    OPTION_BOUNDS,     /* two doubles, [low, high], null = open */
    OPTION_REAL,       /* double from `min` to `max` */
    OPTION_FLAG,       /* bool */
    OPTION_POSITIVE,   /* struct label_positive: true, a number or a text */
    OPTION_PROPERTIES, /* of Kafka: names to texts */
    OPTION_PAIR,       /* char *[2]: the names of two members of a message, or null */
    OPTION_DETECTOR,   /* char *, its canonical text, or NULL for null */
    OPTION_FEATURES,
    OPTION_MODELS,
};

struct task_option {
    const char *name; /* its path in the file: "topics.requests" */
    enum task_option_type type;
    bool required;
    const char *fallback;                /* JSON text; NULL: required, or stays as it is */
    size_t offset;                       /* of its value in struct task */
    int64_t min;                         /* COUNT, REAL */
    int64_t max;                         /* COUNT, REAL */
    const char *const *choices;          /* CHOICE, ENUM: ends with NULL */
    const char *(*check)(const char *s); /* TEXT: NULL when good, else what to write */
    bool is_secret;                      /* TEXT: not shown in errors, it may hold a password */
    const char *environment;             /* the variable that overrides it; NULL: none */
    const char *help;                    /* one sentence */
};

/* ---- task_values.c ---- */

/* Reads `v` into the option's field; `path` is where it stands. */
int task_read_value(struct reader *r, const struct task_option *o, const char *path,
                    const struct json_value *v);

/* Refuses `v`: "is <v>; write <wanted>". */
int task_wrong_type(struct reader *r, const char *path, const char *wanted,
                    const struct json_value *v);

/* Appends `"redis" or "memory"`. */
void task_list_choices(const char *const *choices, struct buf *out);

/* ---- task_options.c ---- */

/* Everything that the table of options holds, from the file's root and the environment. */
int task_read_options(struct reader *r, const struct json_value *root);

/* ---- task_models.c ---- */

int task_read_features(struct reader *r, const char *path, const struct json_value *v);
int task_read_models(struct reader *r, const char *path, const struct json_value *v);
int task_read_detector(struct reader *r, const char *path, const struct json_value *v,
                       char **field);

/* ---- task_monitor.c ---- */

/* NULL when `s` is good, else what to write. */
const char *task_check_listen(const char *s);
const char *task_check_hosts(const char *s);    /* host names with commas between them */
const char *task_check_features(const char *s); /* names with commas between them */
const char *task_check_member(const char *s);   /* the name of a member of a message */
const char *task_check_word(const char *s);     /* to be shown on a page */

int task_read_pair(struct reader *r, const char *path, const struct json_value *v, char **pair);
/* What several options of "monitor" say together. */
int task_check_monitor(struct reader *r);
void task_monitor_release(struct task_monitor *monitor);

/* ---- task_bus.c ---- */

/* An object of names and values, or their text "name=value;name=value"; later ones replace earlier
 * ones of the same name. */
int task_read_properties(struct reader *r, const char *path, const struct json_value *v);
/* Adds what other options say to the properties. */
void task_settle_kafka(struct task *task);
void task_property_release(struct bus_property *property);

#endif
