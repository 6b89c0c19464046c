/*
 * Gives each category of a categorical feature a feature of its own: 1 where it is
 * the sample's, else 0 (missing with drop_zeros). Other features pass as they are,
 * where River's class would encode every value of theirs, too.
 *
 * A category gets its place when it is first learned; places that are not taken yet
 * are missing. Those that come when all max_categories places of their feature are
 * taken get none: the sample then has none of the feature's categories, and they
 * are not counted.
 *
 * A feature that `categories` names has those places only, from the beginning on.
 *
 * drop_first leaves out the first in the alphabet of what would come out: of the names, such as
 * weather_dry. So it needs the categories' texts: the features' categories have to be said.
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
    bool drop_first;
    uint64_t max_categories;
    struct learn_lists categories;
};

/* The places of a categorical feature. */
struct places {
    size_t feature;
    bool is_fixed;
    size_t most;
    size_t taken;
    double *category; /* `most`: which category has the place */
};

/* A place as it comes out. */
struct outcome {
    size_t at;
    size_t feature;
    double category;
    const char *name; /* while they are sorted */
};

struct one_hot {
    struct preprocessor base;
    const struct one_hot_params *params; /* the component's */
    bool *is_categorical;                /* n_in */
    struct places *places;               /* of each categorical feature, in the schema's order */
    size_t n_categorical;
    struct outcome *by_name; /* with drop_first: every place, sorted */
    size_t n_by_name;
};

static struct preprocessor *one_hot_create(const struct component *component, size_t n_in)
{
    struct one_hot *h = mem_zalloc(1, sizeof(*h));

    h->base.ops = component->class->preprocessor;
    h->base.n_in = n_in;
    h->params = component->params;
    h->places = mem_zalloc(n_in + 1, sizeof(*h->places));
    h->is_categorical = mem_zalloc(n_in + 1, sizeof(*h->is_categorical));
    return &h->base;
}

static void one_hot_free(struct preprocessor *pre)
{
    struct one_hot *h = (struct one_hot *)pre;

    for (size_t c = 0; c < h->n_categorical; c++)
        free(h->places[c].category);
    free(h->places);
    free(h->by_name);
    free(h->is_categorical);
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

static const struct learn_names *listed(const struct learn_lists *lists, const char *feature)
{
    for (size_t i = 0; i < lists->n; i++) {
        if (strcmp(lists->at[i].name, feature) == 0)
            return &lists->at[i].names;
    }
    return NULL;
}

/* Places for the categories of feature `i`, and the features that they come out as. */
static int add_places(struct one_hot *h, const struct schema *in, size_t i, struct schema *out,
                      size_t *source, struct err *err)
{
    const struct learn_names *names = listed(&h->params->categories, schema_name(in, i));
    struct places *p = &h->places[h->n_categorical++];
    char name[2 * SCHEMA_MAX_NAME + 32];
    int code = 0;

    p->feature = i;
    p->is_fixed = names != NULL;
    p->most = names ? names->n : (size_t)h->params->max_categories;
    p->category = mem_zalloc(p->most + 1, sizeof(*p->category));
    for (size_t k = 0; k < p->most && !code; k++) {
        if (names) {
            p->category[p->taken++] = schema_category(names->at[k], strlen(names->at[k]));
            snprintf(name, sizeof(name), "%s_%.*s", schema_name(in, i), SCHEMA_MAX_NAME,
                     names->at[k]);
        } else {
            snprintf(name, sizeof(name), "%s#%zu", schema_name(in, i), k + 1);
        }
        code = put_feature(&h->base, name, FEATURE_NUMERIC, i, out, source, err);
    }
    return code;
}

/* Each feature of `categories` is there, and categorical. */
static int check_categories(const struct learn_lists *lists, const struct schema *in,
                            struct err *err)
{
    for (size_t i = 0; i < lists->n; i++) {
        size_t at;

        if (schema_need(in, lists->at[i].name, &at, err))
            return ERR_INVALID;
        if (schema_kind(in, at) != FEATURE_CATEGORICAL)
            return err_set(err, ERR_INVALID, "feature \"%s\" is not categorical, and has no list",
                           lists->at[i].name);
    }
    return 0;
}

static int compare_outcomes(const void *a, const void *b)
{
    return strcmp(((const struct outcome *)a)->name, ((const struct outcome *)b)->name);
}

/* What comes out, by name. */
static int sort_places(struct one_hot *h, const struct schema *in, const struct schema *out,
                       struct err *err)
{
    size_t at = 0;
    size_t c = 0;

    h->by_name = mem_zalloc(h->base.n_out + 1, sizeof(*h->by_name));
    for (size_t i = 0; i < h->base.n_in; i++) {
        const struct places *p = &h->places[c];

        if (!h->is_categorical[i]) {
            at++;
            continue;
        }
        if (!p->is_fixed)
            return err_set(err, ERR_INVALID,
                           "drop_first needs to know the texts: name those of \"%s\" in categories",
                           schema_name(in, i));
        for (size_t k = 0; k < p->most; k++, at++)
            h->by_name[h->n_by_name++] = (struct outcome){
                .at = at,
                .feature = i,
                .category = p->category[k],
                .name = schema_name(out, at),
            };
        c++;
    }
    qsort(h->by_name, h->n_by_name, sizeof(*h->by_name), compare_outcomes);
    return 0;
}

/* The first that is there is missing instead. */
static void drop_first(const struct one_hot *h, const double *x, double *out)
{
    size_t first = 0;

    while (h->params->drop_zeros && first < h->n_by_name &&
           x[h->by_name[first].feature] != h->by_name[first].category)
        first++;
    if (first < h->n_by_name)
        out[h->by_name[first].at] = (double)NAN;
}

static int one_hot_fit(struct preprocessor *pre, const struct schema *in, struct schema *out,
                       size_t *source, struct err *err)
{
    struct one_hot *h = (struct one_hot *)pre;
    int code = check_categories(&h->params->categories, in, err);

    for (size_t i = 0; i < pre->n_in && !code; i++) {
        h->is_categorical[i] = schema_kind(in, i) == FEATURE_CATEGORICAL;
        if (h->is_categorical[i])
            code = add_places(h, in, i, out, source, err);
        else
            code = put_feature(pre, schema_name(in, i), schema_kind(in, i), i, out, source, err);
    }
    if (h->params->drop_first && !code)
        code = sort_places(h, in, out, err);
    return code;
}

static void one_hot_learn(struct preprocessor *pre, const double *x)
{
    struct one_hot *h = (struct one_hot *)pre;

    for (size_t c = 0; c < h->n_categorical; c++) {
        struct places *p = &h->places[c];
        double v = x[p->feature];
        size_t k = 0;

        while (k < p->taken && p->category[k] != v)
            k++;
        if (k == p->taken && k < p->most && !isnan(v))
            p->category[p->taken++] = v;
    }
}

static void one_hot_transform(const struct preprocessor *pre, const double *x, double *out)
{
    const struct one_hot *h = (const struct one_hot *)pre;
    double absent = h->params->drop_zeros ? (double)NAN : 0;
    size_t at = 0;
    size_t c = 0;

    for (size_t i = 0; i < pre->n_in; i++) {
        const struct places *p = &h->places[c];

        if (!h->is_categorical[i]) {
            out[at++] = x[i];
            continue;
        }
        for (size_t k = 0; k < p->most; k++)
            out[at++] = k >= p->taken ? (double)NAN : p->category[k] == x[i] ? 1 : absent;
        c++;
    }
    if (h->params->drop_first)
        drop_first(h, x, out);
}

static void one_hot_save(const struct preprocessor *pre, struct buf *out)
{
    const struct one_hot *h = (const struct one_hot *)pre;

    for (size_t c = 0; c < h->n_categorical; c++) {
        if (h->places[c].is_fixed)
            continue;
        blob_write_u64(out, h->places[c].taken);
        blob_write_f64s(out, h->places[c].category, h->places[c].taken);
    }
}

static void one_hot_load(struct preprocessor *pre, struct blob_reader *in)
{
    struct one_hot *h = (struct one_hot *)pre;

    for (size_t c = 0; c < h->n_categorical; c++) {
        struct places *p = &h->places[c];

        if (p->is_fixed)
            continue;
        p->taken = blob_read_count(in, sizeof(double), p->most);
        blob_read_f64s(in, p->category, p->taken);
    }
}

static size_t one_hot_bytes(const struct preprocessor *pre)
{
    const struct one_hot *h = (const struct one_hot *)pre;
    size_t bytes = sizeof(*h) + pre->n_in * (sizeof(bool) + sizeof(struct places)) +
                   h->n_by_name * sizeof(struct outcome);

    for (size_t c = 0; c < h->n_categorical; c++)
        bytes += h->places[c].most * sizeof(double);
    return bytes;
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
    {.name = "categories",
     .type = PARAM_LISTS,
     .offset = offsetof(struct one_hot_params, categories),
     .late = true,
     .help = "The only categories of each named feature, which others are as good as none of: "
             "{\"weather\": [\"dry\", \"wet\"]}."},
    {.name = "drop_zeros",
     .type = PARAM_FLAG,
     .offset = offsetof(struct one_hot_params, drop_zeros),
     .help = "A category that is not the sample's is missing, and not 0."},
    {.name = "drop_first",
     .type = PARAM_FLAG,
     .offset = offsetof(struct one_hot_params, drop_first),
     .late = true,
     .help = "Leaves out the first in the alphabet of what comes out; categories have to be said."},
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
