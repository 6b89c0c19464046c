/*
 * The hashing trick (Weinberger, Dasgupta, Langford, Smola and Attenberg 2009), as River's
 * FeatureHasher has it: each feature is added to one of n_features numbers, which one says the
 * MurmurHash3 of its token, and with which sign the hash's sign. A number's token is the feature's
 * name, and what is added its value; a category's is name=category, and what is added 1. What
 * nothing was added to is missing.
 *
 * A category is known by its number here (schema_category()), and that number's decimal text is
 * what stands in its token: River is given the text itself, so a category has another place there.
 *
 * No state: the places follow from the names and the seed.
 */
#include <math.h>
#include <murmurhash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "learn/classes.h"
#include "learn/learner_backend.h"
#include "learn/model.h"
#include "learn/rng.h"

#define TOKEN_MAX (SCHEMA_MAX_NAME + 1 + NUM_TEXT_MAX)
#define SEED_MAX  4294967295.0 /* NumPy's */

struct hasher_params {
    uint64_t n_features;
    uint64_t seed; /* PARAM_NONE: 0 */
    bool alternate_sign;
};

/* Where a token's value is added, and multiplied by what. */
struct place {
    size_t at;
    double sign;
};

/* A feature that goes in. */
struct input {
    bool is_category;
    struct place place;    /* of a number */
    char token[TOKEN_MAX]; /* of a category: its text follows behind `prefix` bytes */
    size_t prefix;
};

struct hasher {
    struct preprocessor base;
    const struct hasher_params *params; /* the component's */
    uint32_t seed;
    struct input inputs[]; /* n_in */
};

/* River draws the hash's seed from NumPy's generator. */
static uint32_t drawn_seed(uint64_t seed)
{
    struct rng rng;

    rng_seed_numpy(&rng, seed == PARAM_NONE ? 0 : (uint32_t)seed);
    return (uint32_t)rng_getrandbits(&rng, 32);
}

static struct place place_of(const struct hasher *h, const char *token, size_t len)
{
    uint32_t hash;
    int64_t n = (int64_t)h->params->n_features;
    int64_t at;

    lmmh_x86_32(token, (unsigned)len, h->seed, &hash);
    at = (int64_t)(int32_t)hash % n;
    return (struct place){
        .at = (size_t)(at < 0 ? at + n : at),
        .sign = h->params->alternate_sign && (int32_t)hash < 0 ? -1 : 1,
    };
}

static struct preprocessor *hasher_create(const struct component *component, size_t n_in)
{
    struct hasher *h = mem_zalloc(1, sizeof(*h) + n_in * sizeof(h->inputs[0]));

    h->base.ops = component->class->preprocessor;
    h->base.n_in = n_in;
    h->params = component->params;
    h->seed = drawn_seed(h->params->seed);
    return &h->base;
}

static void hasher_free(struct preprocessor *pre)
{
    free(pre);
}

static int hasher_fit(struct preprocessor *pre, const struct schema *in, struct schema *out,
                      size_t *source, struct err *err)
{
    struct hasher *h = (struct hasher *)pre;
    char name[32];

    for (size_t i = 0; i < pre->n_in; i++) {
        struct input *input = &h->inputs[i];

        input->is_category = schema_kind(in, i) == FEATURE_CATEGORICAL;
        input->prefix = strlen(schema_name(in, i));
        memcpy(input->token, schema_name(in, i), input->prefix);
        if (input->is_category)
            input->token[input->prefix++] = '=';
        else
            input->place = place_of(h, input->token, input->prefix);
    }
    for (uint64_t k = 0; k < h->params->n_features; k++) {
        snprintf(name, sizeof(name), "%d", (int)k);
        source[pre->n_out++] = PREPROCESSOR_NO_SOURCE;
        if (schema_add(out, name, FEATURE_NUMERIC, err))
            return ERR_INVALID;
    }
    return 0;
}

static void hasher_learn(struct preprocessor *pre, const double *x)
{
    (void)pre;
    (void)x;
}

static struct place category_place(const struct hasher *h, const struct input *input, double v)
{
    char token[TOKEN_MAX];
    char *text = token + input->prefix;
    size_t len;

    memcpy(token, input->token, input->prefix);
    if (v == floor(v) && fabs(v) < 0x1p53)
        len = num_format_int((int64_t)v, text);
    else
        len = num_format(v, text);
    return place_of(h, token, input->prefix + len);
}

static void hasher_transform(const struct preprocessor *pre, const double *x, double *out)
{
    const struct hasher *h = (const struct hasher *)pre;

    for (size_t k = 0; k < pre->n_out; k++)
        out[k] = (double)NAN;
    for (size_t i = 0; i < pre->n_in; i++) {
        const struct input *input = &h->inputs[i];
        struct place place = input->place;
        double v = input->is_category ? 1 : x[i];

        if (isnan(x[i]))
            continue;
        if (input->is_category)
            place = category_place(h, input, x[i]);
        v *= place.sign;
        out[place.at] = isnan(out[place.at]) ? v : out[place.at] + v;
    }
}

static void hasher_save(const struct preprocessor *pre, struct buf *out)
{
    (void)pre;
    (void)out;
}

static void hasher_load(struct preprocessor *pre, struct blob_reader *in)
{
    (void)pre;
    (void)in;
}

static size_t hasher_bytes(const struct preprocessor *pre)
{
    return sizeof(struct hasher) + pre->n_in * sizeof(struct input);
}

static const struct preprocessor_ops ops = {
    .create = hasher_create,
    .free = hasher_free,
    .learn = hasher_learn,
    .transform = hasher_transform,
    .save = hasher_save,
    .load = hasher_load,
    .bytes = hasher_bytes,
    .fit = hasher_fit,
};

static const struct learn_param params[] = {
    {.name = "n_features",
     .type = PARAM_COUNT,
     .offset = offsetof(struct hasher_params, n_features),
     .fallback = 256,
     .min = 1,
     .max = MODEL_MAX_WIDTH,
     .help = "How many features come out."},
    {.name = "seed",
     .type = PARAM_COUNT,
     .offset = offsetof(struct hasher_params, seed),
     .max = SEED_MAX,
     .optional = true,
     .help = "Of the hash; null is 0: a model is made the same twice."},
    {.name = "alternate_sign",
     .type = PARAM_FLAG,
     .offset = offsetof(struct hasher_params, alternate_sign),
     .fallback = 1,
     .help = "Subtract half of the features, so that those of one place tend to cancel out."},
};

const struct learn_class feature_hasher_class = {
    .name = "feature_hasher",
    .river = "preprocessing.FeatureHasher",
    .help = "Adds up features by a hash of their names and categories, into a given number of "
            "them.",
    .kind = LEARN_PREPROCESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct hasher_params),
    .preprocessor = &ops,
};
