/*
 * Every class that a pipeline (or "drift") may name, and every parameter it may be given.
 *
 * Names and defaults are River's, in snake_case. One table a class drives the
 * reading of a pipeline, its canonical text, its error messages and the listing
 * that users see.
 */
#ifndef OXBOW_LEARN_REGISTRY_H
#define OXBOW_LEARN_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>

struct learner_ops;
struct preprocessor_ops;
struct detector_ops;
struct statistic_ops;

enum learn_kind {
    LEARN_PREPROCESSOR,
    LEARN_REGRESSOR,  /* a learner: predicts a number */
    LEARN_CLASSIFIER, /* a learner: predicts the probability that the label is the positive one */
    LEARN_OPTIMIZER,
    LEARN_LOSS,
    LEARN_SCHEDULER,
    LEARN_SPLITTER,
    LEARN_DETECTOR,
    LEARN_STATISTIC,
    LEARN_INITIALIZER,
};

enum learn_param_type {
    PARAM_REAL,   /* double; NaN when it is optional and null */
    PARAM_COUNT,  /* uint64_t */
    PARAM_FLAG,   /* bool */
    PARAM_CHOICE, /* int, an index of `choices` */
    PARAM_AMOUNT, /* struct learn_amount: so many, such a share, or one of `choices` */
    PARAM_CLASS,  /* struct component *, of `kind` */
    PARAM_TEXT,   /* char *; UTF-8, never NULL, "" by default */
    PARAM_NAMES,  /* struct learn_names; sorted, each once */
    PARAM_LISTS,  /* struct learn_lists; sorted by name, each once, and so is each list */
    PARAM_MAP,    /* struct learn_map of LEARN_STATISTIC; a number means "constant" of that */
    PARAM_RATE,   /* the same, of LEARN_SCHEDULER; a number means "constant" of that rate */
};

#define PARAM_NONE UINT64_MAX /* the value of an optional PARAM_COUNT that is null */

struct learn_names {
    char **at;
    size_t n;
};

struct component;

struct learn_list {
    char *name;
    struct learn_names names;
};

struct learn_lists {
    struct learn_list *at;
    size_t n;
};

/* What each named thing has; sorted by name, each once. */
struct learn_map {
    char **names;
    struct component **at;
    size_t n;
};

#define AMOUNT_NUMBER (-1)

struct learn_amount {
    int choice;    /* an index of `choices`, or AMOUNT_NUMBER */
    double number; /* up to 1 a share, else a whole number */
};

/* A parameter of a default class that is not what that class has by default. */
struct learn_value {
    const char *name; /* of a REAL, COUNT, FLAG or CHOICE */
    double value;
};

struct learn_param {
    const char *name;
    enum learn_param_type type;
    size_t offset;              /* of the value in the class's struct of parameters */
    double fallback;            /* REAL, COUNT, FLAG, RATE; CHOICE: an index; AMOUNT: a number */
    double min;                 /* REAL, COUNT, RATE; AMOUNT: the least whole number, above 1 */
    double max;                 /* REAL, COUNT, RATE, AMOUNT */
    bool above_min;             /* `min` itself is not allowed */
    bool optional;              /* COUNT, REAL: null is allowed, and is the default */
    const char *const *choices; /* CHOICE, AMOUNT: ends with NULL */
    enum learn_kind kind;       /* CLASS, RATE, MAP: what it may name */
    const char *fallback_class; /* CLASS; AMOUNT: the choice, NULL for the number `fallback` */
    const struct learn_value *fallback_values; /* CLASS: ends with a name of NULL; NULL: none */
    bool may_grow;    /* CLASS: a learner that sees the features, and need not be of fixed size */
    bool multiplies;  /* COUNT: how many there are of each learner in the parameters */
    bool late;        /* came after its class: the canonical text has it only when it is not the
                         default, which is what the class did before */
    const char *help; /* one sentence */
};

struct learn_class {
    const char *name;
    const char *river; /* the class in River that it follows; NULL: there is none */
    const char *help;  /* one sentence */
    enum learn_kind kind;
    bool first_label_first; /* River's class names the label that came first before the other one */
    bool fixed_size;        /* its state never grows: it may be the model in a tree's leaf */
    bool weightless; /* River's learn_one() takes no weight: see the model in a tree's leaf */
    bool is_smooth;  /* samples that differ in the last bit get nearly the same answer */
    const struct learn_param *params;
    size_t n_params;
    size_t params_size; /* of the struct of parameters */

    /* (optional) What is wrong with parameters that are each in range, or NULL. */
    const char *(*check)(const void *params);

    const struct learner_ops *learner;           /* of a learner, else NULL */
    const struct preprocessor_ops *preprocessor; /* of a LEARN_PREPROCESSOR, else NULL */
    const struct detector_ops *detector;         /* of a LEARN_DETECTOR, else NULL */
    const struct statistic_ops *statistic;       /* of a LEARN_STATISTIC, else NULL */
};

/* All classes, in the order in which a listing shows them. */
size_t learn_class_count(void);
const struct learn_class *learn_class_at(size_t i);

/* NULL when there is none of that name and kind. */
const struct learn_class *learn_class_find(enum learn_kind kind, const char *name);

const char *learn_kind_name(enum learn_kind kind); /* "preprocessor", "regressor", ... */

/* What a pipeline may end with. */
static inline bool learn_kind_is_learner(enum learn_kind kind)
{
    return kind == LEARN_REGRESSOR || kind == LEARN_CLASSIFIER;
}

#endif
