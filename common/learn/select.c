/*
 * select keeps the features that it names, discard the others; those that are kept
 * keep the schema's order. For a feature that is not there: refused by name.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/learner_backend.h"

struct select_params {
    struct learn_names keys;
};

struct select {
    struct preprocessor base;
    const struct select_params *params; /* the component's */
    bool keeps;                         /* select; discard otherwise */
    size_t kept[];                      /* n_out indexes of what goes in; room for n_in */
};

static struct preprocessor *select_create(const struct component *component, size_t n_in)
{
    struct select *s = mem_zalloc(1, sizeof(*s) + n_in * sizeof(size_t));

    s->base.ops = component->class->preprocessor;
    s->base.n_in = n_in;
    s->params = component->params;
    s->keeps = component->class == &select_class;
    return &s->base;
}

static void select_free(struct preprocessor *pre)
{
    free(pre);
}

static bool is_key(const struct learn_names *keys, const char *name)
{
    for (size_t i = 0; i < keys->n; i++) {
        if (strcmp(keys->at[i], name) == 0)
            return true;
    }
    return false;
}

static int select_fit(struct preprocessor *pre, const struct schema *in, struct schema *out,
                      size_t *source, struct err *err)
{
    struct select *s = (struct select *)pre;
    const struct learn_names *keys = &s->params->keys;

    for (size_t i = 0; i < keys->n; i++) {
        size_t at;

        if (schema_need(in, keys->at[i], &at, err))
            return ERR_INVALID;
    }
    for (size_t i = 0; i < schema_size(in); i++) {
        int code;

        if (is_key(keys, schema_name(in, i)) != s->keeps)
            continue;
        code = schema_add(out, schema_name(in, i), schema_kind(in, i), err);
        if (code)
            return code;
        source[pre->n_out] = i;
        s->kept[pre->n_out++] = i;
    }
    if (pre->n_out == 0)
        return err_set(err, ERR_INVALID, "no feature is left");
    return 0;
}

static void select_learn(struct preprocessor *pre, const double *x)
{
    (void)pre;
    (void)x;
}

static void select_transform(const struct preprocessor *pre, const double *x, double *out)
{
    const struct select *s = (const struct select *)pre;

    for (size_t j = 0; j < pre->n_out; j++)
        out[j] = x[s->kept[j]];
}

static void select_save(const struct preprocessor *pre, struct buf *out)
{
    (void)pre;
    (void)out;
}

static void select_load(struct preprocessor *pre, struct blob_reader *in)
{
    (void)pre;
    (void)in;
}

static size_t select_bytes(const struct preprocessor *pre)
{
    return sizeof(struct select) + pre->n_in * sizeof(size_t);
}

static const struct preprocessor_ops ops = {
    .create = select_create,
    .free = select_free,
    .learn = select_learn,
    .transform = select_transform,
    .save = select_save,
    .load = select_load,
    .bytes = select_bytes,
    .fit = select_fit,
};

static const char *select_check(const void *p)
{
    if (((const struct select_params *)p)->keys.n == 0)
        return "keys is empty: name at least one feature";
    return NULL;
}

static const struct learn_param params[] = {
    {.name = "keys",
     .type = PARAM_NAMES,
     .offset = offsetof(struct select_params, keys),
     .help = "Names of features."},
};

const struct learn_class select_class = {
    .name = "select",
    .river = "compose.Select",
    .help = "Keeps the features that it names.",
    .kind = LEARN_PREPROCESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct select_params),
    .check = select_check,
    .preprocessor = &ops,
};

const struct learn_class discard_class = {
    .name = "discard",
    .river = "compose.Discard",
    .help = "Leaves out the features that it names.",
    .kind = LEARN_PREPROCESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct select_params),
    .check = select_check,
    .preprocessor = &ops,
};
