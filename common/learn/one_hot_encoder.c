/*
 * Gives each category of a categorical feature a feature of its own: 1 where it is
 * the sample's, else 0 (missing with drop_zeros). Other features pass as they are,
 * where River's class would encode every value of theirs, too.
 *
 * A category gets its place when it is first learned; places that are not taken yet
 * are missing. Those that come when all max_categories places of their feature are
 * taken get none: the sample then has none of the feature's categories, and they
 * are not counted.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/learner_backend.h"
#include "learn/model.h"

struct one_hot_params {
    bool drop_zeros;
    uint64_t max_categories;
};

struct one_hot {
    struct preprocessor base;
    const struct one_hot_params *params; /* the component's */
    size_t max;                          /* places a categorical feature */
    size_t n_categorical;
    bool *is_categorical; /* n_in */
    size_t *taken;        /* n_categorical: places */
    double *category;     /* n_categorical rows of max: which category has the place */
};

static struct preprocessor *one_hot_create(const struct component *component, size_t n_in)
{
    struct one_hot *h = mem_zalloc(1, sizeof(*h));

    h->base.ops = component->class->preprocessor;
    h->base.n_in = n_in;
    h->params = component->params;
    h->max = (size_t)h->params->max_categories;
    h->is_categorical = mem_zalloc(n_in + 1, sizeof(*h->is_categorical));
    return &h->base;
}

static void one_hot_free(struct preprocessor *pre)
{
    struct one_hot *h = (struct one_hot *)pre;

    free(h->is_categorical);
    free(h->taken);
    free(h->category);
    free(h);
}

/* Adds one feature that comes out, made of feature `i`. */
static int put_feature(struct preprocessor *pre, const char *name, enum feature_kind kind, size_t i,
                       struct schema *out, size_t *source, struct err *err)
{
    if (pre->n_out == MODEL_MAX_WIDTH)
        return err_set(err, ERR_INVALID,
                       "gives more than %d features; write a lower max_categories",
                       MODEL_MAX_WIDTH);
    source[pre->n_out++] = i;
    return schema_add(out, name, kind, err);
}

static int one_hot_fit(struct preprocessor *pre, const struct schema *in, struct schema *out,
                       size_t *source, struct err *err)
{
    struct one_hot *h = (struct one_hot *)pre;
    char name[SCHEMA_MAX_NAME + 32];
    int code = 0;

    for (size_t i = 0; i < pre->n_in && !code; i++) {
        h->is_categorical[i] = schema_kind(in, i) == FEATURE_CATEGORICAL;
        if (!h->is_categorical[i]) {
            code = put_feature(pre, schema_name(in, i), schema_kind(in, i), i, out, source, err);
            continue;
        }
        h->n_categorical++;
        for (size_t k = 1; k <= h->max && !code; k++) {
            snprintf(name, sizeof(name), "%s#%zu", schema_name(in, i), k);
            code = put_feature(pre, name, FEATURE_NUMERIC, i, out, source, err);
        }
    }
    h->taken = mem_zalloc(h->n_categorical + 1, sizeof(*h->taken));
    h->category = mem_zalloc(h->n_categorical * h->max + 1, sizeof(*h->category));
    return code;
}

static void one_hot_learn(struct preprocessor *pre, const double *x)
{
    struct one_hot *h = (struct one_hot *)pre;
    size_t c = 0;

    for (size_t i = 0; i < pre->n_in; i++) {
        double *category = h->category + c * h->max;
        size_t k = 0;

        if (!h->is_categorical[i])
            continue;
        while (k < h->taken[c] && category[k] != x[i])
            k++;
        if (k == h->taken[c] && k < h->max && !isnan(x[i]))
            category[h->taken[c]++] = x[i];
        c++;
    }
}

static void one_hot_transform(const struct preprocessor *pre, const double *x, double *out)
{
    const struct one_hot *h = (const struct one_hot *)pre;
    double absent = h->params->drop_zeros ? (double)NAN : 0;
    size_t at = 0;
    size_t c = 0;

    for (size_t i = 0; i < pre->n_in; i++) {
        if (!h->is_categorical[i]) {
            out[at++] = x[i];
            continue;
        }
        for (size_t k = 0; k < h->max; k++) {
            bool is_it = h->category[c * h->max + k] == x[i];

            out[at++] = k >= h->taken[c] ? (double)NAN : is_it ? 1 : absent;
        }
        c++;
    }
}

static void one_hot_save(const struct preprocessor *pre, struct buf *out)
{
    const struct one_hot *h = (const struct one_hot *)pre;

    for (size_t c = 0; c < h->n_categorical; c++) {
        blob_write_u64(out, h->taken[c]);
        blob_write_f64s(out, h->category + c * h->max, h->taken[c]);
    }
}

static void one_hot_load(struct preprocessor *pre, struct blob_reader *in)
{
    struct one_hot *h = (struct one_hot *)pre;

    for (size_t c = 0; c < h->n_categorical; c++) {
        h->taken[c] = blob_read_count(in, sizeof(double), h->max);
        blob_read_f64s(in, h->category + c * h->max, h->taken[c]);
    }
}

static size_t one_hot_bytes(const struct preprocessor *pre)
{
    const struct one_hot *h = (const struct one_hot *)pre;

    return sizeof(*h) + pre->n_in * sizeof(bool) + h->n_categorical * sizeof(size_t) +
           h->n_categorical * h->max * sizeof(double);
}

static const struct preprocessor_ops ops = {
    .create = one_hot_create,
    .free = one_hot_free,
    .learn = one_hot_learn,
    .transform = one_hot_transform,
    .save = one_hot_save,
    .load = one_hot_load,
    .bytes = one_hot_bytes,
    .fit = one_hot_fit,
};

static const struct learn_param params[] = {
    {.name = "drop_zeros",
     .type = PARAM_FLAG,
     .offset = offsetof(struct one_hot_params, drop_zeros),
     .help = "A category that is not the sample's is missing, and not 0."},
    {.name = "max_categories",
     .type = PARAM_COUNT,
     .offset = offsetof(struct one_hot_params, max_categories),
     .fallback = 50,
     .min = 1,
     .max = MODEL_MAX_WIDTH,
     .help = "Of a feature; further ones get no place. River has no limit."},
};

const struct learn_class one_hot_encoder_class = {
    .name = "one_hot_encoder",
    .river = "preprocessing.OneHotEncoder",
    .help = "A feature for each category of a categorical feature: 1 where it is the sample's.",
    .kind = LEARN_PREPROCESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct one_hot_params),
    .preprocessor = &ops,
};
