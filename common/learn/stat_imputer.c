/*
 * Fills in missing values by running statistics of the values that were there (River's
 * StatImputer): either of the features that `imputers` names, each by its own, or of all by the one
 * of `statistic`. A statistic that has nothing to tell yet leaves the value missing; a mean is 0
 * then, as in River, whose least and greatest value are infinite.
 *
 * A category is filled in by its mode, by one of before (shift), or by a constant one.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/learner_backend.h"
#include "learn/model.h"
#include "learn/statistic.h"

enum { STATISTIC_MEAN, STATISTIC_MIN, STATISTIC_MAX, STATISTIC_CONSTANT };

struct imputer_params {
    int statistic;
    double value;
    struct learn_map imputers;
};

/* What fills in one feature. */
struct column {
    size_t feature;
    struct statistic statistic;
    double *state; /* in the imputer's */
};

struct imputer {
    struct preprocessor base;
    const struct imputer_params *params; /* the component's */
    struct component *all;               /* the statistic without imputers */
    struct column *columns;
    size_t n; /* of them */
    double *state;
    size_t size; /* of it */
    size_t most; /* of a column's */
};

static const struct learn_class *statistic_class(const struct imputer_params *params)
{
    static const struct learn_class *const classes[] = {
        [STATISTIC_MEAN] = &mean_statistic_class,
        [STATISTIC_MIN] = &min_class,
        [STATISTIC_MAX] = &max_class,
        [STATISTIC_CONSTANT] = &constant_statistic_class,
    };

    return classes[params->statistic];
}

static struct preprocessor *imputer_create(const struct component *component, size_t n_in)
{
    struct imputer *imp = mem_zalloc(1, sizeof(*imp));

    imp->base.ops = component->class->preprocessor;
    imp->base.n_in = n_in;
    imp->params = component->params;
    imp->all = component_new(statistic_class(imp->params));
    if (imp->params->statistic == STATISTIC_CONSTANT)
        *(double *)component_value(imp->all, &imp->all->class->params[0]) = imp->params->value;
    return &imp->base;
}

static void imputer_free(struct preprocessor *pre)
{
    struct imputer *imp = (struct imputer *)pre;

    component_free(imp->all);
    free(imp->columns);
    free(imp->state);
    free(imp);
}

static int add_column(struct imputer *imp, const struct schema *in, size_t feature,
                      const struct component *component, struct err *err)
{
    struct statistic st = statistic_of(component);
    bool is_category = schema_kind(in, feature) == FEATURE_CATEGORICAL;

    if (is_category && !st.ops->of_categories)
        return err_set(err, ERR_INVALID,
                       "feature \"%s\" is categorical and has no %s; write {\"imputers\": {\"%s\": "
                       "\"mode\"}}, or {\"category\": {\"value\": \"none\"}} in place of \"mode\"",
                       schema_name(in, feature), component->class->name, schema_name(in, feature));
    if (!is_category && !st.ops->of_numbers)
        return err_set(err, ERR_INVALID,
                       "feature \"%s\" is not categorical; write a number in place of \"%s\"",
                       schema_name(in, feature), component->class->name);
    imp->columns[imp->n++] = (struct column){.feature = feature, .statistic = st};
    imp->size += st.size;
    imp->most = st.size > imp->most ? st.size : imp->most;
    return 0;
}

static int add_columns(struct imputer *imp, const struct schema *in, struct err *err)
{
    const struct learn_map *map = &imp->params->imputers;
    int code = 0;

    for (size_t i = 0; i < imp->base.n_in && map->n == 0 && !code; i++)
        code = add_column(imp, in, i, imp->all, err);
    for (size_t i = 0; i < map->n && !code; i++) {
        size_t feature;

        code = schema_need(in, map->names[i], &feature, err);
        if (!code)
            code = add_column(imp, in, feature, map->at[i], err);
    }
    return code;
}

/* What goes in comes out. */
static int imputer_fit(struct preprocessor *pre, const struct schema *in, struct schema *out,
                       size_t *source, struct err *err)
{
    struct imputer *imp = (struct imputer *)pre;
    double *at;

    imp->columns = mem_zalloc(pre->n_in + 1, sizeof(*imp->columns));
    if (add_columns(imp, in, err))
        return ERR_INVALID;
    imp->state = mem_zalloc(imp->size + 1, sizeof(*imp->state));
    at = imp->state;
    for (size_t i = 0; i < imp->n; i++) {
        imp->columns[i].state = at;
        statistic_init(&imp->columns[i].statistic, at);
        at += imp->columns[i].statistic.size;
    }
    for (size_t i = 0; i < pre->n_in; i++) {
        source[pre->n_out++] = i;
        if (schema_add(out, schema_name(in, i), schema_kind(in, i), err))
            return ERR_INVALID;
    }
    return 0;
}

static void imputer_learn(struct preprocessor *pre, const double *x)
{
    struct imputer *imp = (struct imputer *)pre;

    for (size_t i = 0; i < imp->n; i++) {
        struct column *column = &imp->columns[i];

        if (!isnan(x[column->feature]))
            statistic_update(&column->statistic, column->state, x[column->feature]);
    }
}

static void imputer_transform(const struct preprocessor *pre, const double *x, double *out)
{
    const struct imputer *imp = (const struct imputer *)pre;

    for (size_t i = 0; i < pre->n_in; i++)
        out[i] = x[i];
    for (size_t i = 0; i < imp->n; i++) {
        const struct column *column = &imp->columns[i];

        if (isnan(x[column->feature]))
            out[column->feature] = statistic_get(&column->statistic, column->state);
    }
}

/* The first double of each column, then the second of each that has one, and so on. */
static void imputer_save(const struct preprocessor *pre, struct buf *out)
{
    const struct imputer *imp = (const struct imputer *)pre;

    for (size_t k = 0; k < imp->most; k++) {
        for (size_t i = 0; i < imp->n; i++) {
            if (k < imp->columns[i].statistic.size)
                blob_write_f64(out, imp->columns[i].state[k]);
        }
    }
}

static void imputer_load(struct preprocessor *pre, struct blob_reader *in)
{
    struct imputer *imp = (struct imputer *)pre;

    for (size_t k = 0; k < imp->most; k++) {
        for (size_t i = 0; i < imp->n; i++) {
            if (k < imp->columns[i].statistic.size)
                imp->columns[i].state[k] = blob_read_f64(in);
        }
    }
    for (size_t i = 0; i < imp->n; i++) {
        if (!statistic_is_sound(&imp->columns[i].statistic, imp->columns[i].state))
            blob_fail(in, "an imputer's statistic cannot be so");
    }
}

static size_t imputer_bytes(const struct preprocessor *pre)
{
    const struct imputer *imp = (const struct imputer *)pre;

    return sizeof(*imp) + pre->n_in * sizeof(struct column) + imp->size * sizeof(double);
}

static const struct preprocessor_ops ops = {
    .create = imputer_create,
    .free = imputer_free,
    .learn = imputer_learn,
    .transform = imputer_transform,
    .save = imputer_save,
    .load = imputer_load,
    .bytes = imputer_bytes,
    .fit = imputer_fit,
};

static const char *imputer_check(const void *p)
{
    const struct imputer_params *params = p;

    if (params->imputers.n > 0 && (params->statistic != STATISTIC_MEAN || params->value != 0))
        return "write either imputers, or statistic and value: without imputers they are of all "
               "features";
    return NULL;
}

static const char *const statistics[] = {
    [STATISTIC_MEAN] = "mean",
    [STATISTIC_MIN] = "min",
    [STATISTIC_MAX] = "max",
    [STATISTIC_CONSTANT] = "constant",
    NULL,
};

static const struct learn_param params[] = {
    {.name = "imputers",
     .type = PARAM_MAP,
     .offset = offsetof(struct imputer_params, imputers),
     .kind = LEARN_STATISTIC,
     .late = true,
     .help = "What a missing value of each named feature is replaced with, other features staying "
             "as they are: {\"temperature\": \"mean\", \"weather\": \"mode\", \"rain\": 0}."},
    {.name = "statistic",
     .type = PARAM_CHOICE,
     .offset = offsetof(struct imputer_params, statistic),
     .choices = statistics,
     .help = "Without imputers: what replaces a missing value of any feature; constant takes "
             "`value`."},
    {.name = "value",
     .type = PARAM_REAL,
     .offset = offsetof(struct imputer_params, value),
     .min = -1e300,
     .max = 1e300,
     .help = "The constant."},
};

const struct learn_class stat_imputer_class = {
    .name = "stat_imputer",
    .river = "preprocessing.StatImputer",
    .help = "Fills in missing values by running statistics: one for each feature, or for all.",
    .kind = LEARN_PREPROCESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct imputer_params),
    .check = imputer_check,
    .preprocessor = &ops,
};
