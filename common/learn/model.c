/* A model, a pipeline over a schema: see model.h. */
#include "learn/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/json.h"
#include "base/mem.h"
#include "learn/model_internal.h"

#define BLOB_FRAME 128 /* at least what a blob has around its text and its payload */

/* The first categorical feature, or -1. */
static int first_category(const struct schema *schema)
{
    for (size_t i = 0; i < schema_size(schema); i++) {
        if (schema_kind(schema, i) == FEATURE_CATEGORICAL)
            return (int)i;
    }
    return -1;
}

/* Categories are for classes that know of them. */
static int refuse_category(const struct schema *schema, const struct learn_class *class,
                           struct err *err)
{
    int at = first_category(schema);

    if (at < 0)
        return 0;
    return err_set(err, ERR_INVALID,
                   "feature \"%s\" is categorical, and %s does not take categories; put "
                   "one_hot_encoder before it, leave the feature out, or use a tree with nothing "
                   "before it",
                   schema_name(schema, (size_t)at), class->name);
}

static void tell_features(struct model *m)
{
    enum feature_kind kinds[SCHEMA_MAX_FEATURES];

    learner_set_schema(m->lrn, m->seen);
    if (first_category(m->seen) < 0)
        return;
    for (size_t i = 0; i < schema_size(m->seen); i++)
        kinds[i] = schema_kind(m->seen, i);
    m->lrn->ops->set_kinds(m->lrn, kinds);
}

/* Goes on with what comes out of stage `i`: m->seen and m->source. */
static int fit_stage(struct model *m, size_t i, struct err *err)
{
    struct preprocessor *pre = m->pre[i];
    struct schema *out;
    size_t source[MODEL_MAX_WIDTH];
    int code;

    if (!pre->ops->fit)
        return refuse_category(m->seen, m->spec.stages[i]->class, err);

    out = schema_new();
    code = pre->ops->fit(pre, m->seen, out, source, err);
    if (code) {
        schema_free(out);
        return err_prefix(err, "[%zu].%s", i, m->spec.stages[i]->class->name);
    }
    schema_free(m->seen);
    m->seen = out;
    for (size_t j = 0; j < pre->n_out; j++)
        source[j] = source[j] == PREPROCESSOR_NO_SOURCE ? source[j] : m->source[source[j]];
    memcpy(m->source, source, pre->n_out * sizeof(*source));
    return 0;
}

static int build_stages(struct model *m, struct err *err)
{
    const struct component *last = m->spec.stages[m->spec.n - 1];

    m->source = mem_zalloc(MODEL_MAX_WIDTH, sizeof(*m->source));
    for (size_t j = 0; j < m->n_features; j++)
        m->source[j] = j;
    m->seen = schema_clone(m->schema);
    for (size_t i = 0; i + 1 < m->spec.n; i++) {
        const struct component *c = m->spec.stages[i];
        int code;

        m->pre[i] = c->class->preprocessor->create(c, schema_size(m->seen));
        m->pre[i]->is_before_smooth = last->class->is_smooth;
        m->n_pre++;
        code = fit_stage(m, i, err);
        if (code)
            return code;
    }
    const struct learn_class *without = component_without_categories(last);
    if (without && refuse_category(m->seen, without, err))
        return ERR_INVALID;
    m->lrn = learner_new(last, schema_size(m->seen));
    m->is_classifier = last->class->kind == LEARN_CLASSIFIER;
    return 0;
}

struct model *model_new_from(const char *json, size_t len, const struct schema *schema,
                             struct err *err)
{
    struct model *m;

    if (schema_size(schema) == 0) {
        err_set(err, ERR_INVALID, "a model needs at least one feature");
        return NULL;
    }
    m = mem_zalloc(1, sizeof(*m));
    if (spec_parse(&m->spec, json, len, err)) {
        free(m);
        return NULL;
    }

    m->schema = schema_clone(schema);
    m->schema_hash = schema_hash(schema);
    m->n_features = schema_size(schema);
    spec_write(&m->spec, &m->parameters);
    m->parameters_hash = XXH64(m->parameters.data, m->parameters.len, 0);
    if (m->parameters.len > MODEL_MAX_TEXT) {
        err_set(err, ERR_INVALID, "the pipeline has %zu bytes, at most %d are allowed; name less",
                m->parameters.len, MODEL_MAX_TEXT);
        model_free(m);
        return NULL;
    }
    if (build_stages(m, err)) {
        model_free(m);
        return NULL;
    }
    tell_features(m);
    model_set_max_bytes(m, MODEL_DEFAULT_MAX_BYTES);
    return m;
}

struct model *model_new(const char *pipeline_json, const struct schema *schema, struct err *err)
{
    return model_new_from(pipeline_json, strlen(pipeline_json), schema, err);
}

static enum learn_kind learner_kind(enum model_kind kind)
{
    return kind == MODEL_CLASSIFIER ? LEARN_CLASSIFIER : LEARN_REGRESSOR;
}

struct model *model_new_of(enum model_kind kind, const char *pipeline_json,
                           const struct schema *schema, struct err *err)
{
    struct model *m = model_new(pipeline_json, schema, err);
    struct buf known = BUF_INIT;

    if (!m || model_kind(m) == kind)
        return m;
    for (size_t i = 0; i < learn_class_count(); i++) {
        const struct learn_class *class = learn_class_at(i);

        if (class->kind == learner_kind(kind))
            buf_printf(&known, "%s%s", known.len ? ", " : "", class->name);
    }
    err_set(err, ERR_INVALID, "[%zu].%s: is a %s, and the task needs a %s; write one of %s",
            m->n_pre, model_class(m), learn_kind_name(learner_kind(model_kind(m))),
            learn_kind_name(learner_kind(kind)), buf_str(&known));
    buf_release(&known);
    model_free(m);
    return NULL;
}

void model_free(struct model *m)
{
    if (!m)
        return;

    learner_free(m->lrn);
    for (size_t i = 0; i < m->n_pre; i++)
        m->pre[i]->ops->free(m->pre[i]);
    buf_release(&m->parameters);
    spec_release(&m->spec);
    schema_free(m->schema);
    schema_free(m->seen);
    free(m->source);
    free(m);
}

size_t model_overhead(const struct model *m)
{
    size_t bytes = sizeof(*m) + BLOB_FRAME + m->parameters.len;

    for (size_t i = 0; i < m->n_pre; i++)
        bytes += m->pre[i]->ops->bytes(m->pre[i]);
    return bytes;
}

void model_set_max_bytes(struct model *m, size_t max_bytes)
{
    size_t overhead = model_overhead(m);

    if (max_bytes < MODEL_MIN_BYTES)
        max_bytes = MODEL_MIN_BYTES;
    learner_set_max_bytes(m->lrn, max_bytes > overhead ? max_bytes - overhead : 0);
}

const double *model_transform(const struct model *m, const double *x,
                              double buffers[2][MODEL_MAX_WIDTH])
{
    for (size_t i = 0; i < m->n_pre; i++) {
        m->pre[i]->ops->transform(m->pre[i], x, buffers[i & 1]);
        x = buffers[i & 1];
    }
    return x;
}

double model_predict_one(const struct model *m, const double *x)
{
    double buffers[2][MODEL_MAX_WIDTH];

    return learner_predict(m->lrn, model_transform(m, x, buffers));
}

void model_predict_many(const struct model *m, const double *x, size_t n, double *out)
{
    double buffers[2][MODEL_MAX_WIDTH];

    for (size_t i = 0; i < n; i++)
        out[i] = learner_predict(m->lrn, model_transform(m, x + i * m->n_features, buffers));
}

static bool can_learn(const struct model *m, const double *x, double y, double weight)
{
    bool infinite = false;

    for (size_t i = 0; i < m->n_features; i++)
        infinite |= fabs(x[i]) == (double)INFINITY;
    if (m->is_classifier && y != 0 && y != 1)
        return false;
    return !infinite && isfinite(y) && isfinite(weight) && weight > 0;
}

/* `issued` may be NULL: nothing is known of it. */
static void learn(struct model *m, const double *x, double y, double weight,
                  const struct issued *issued)
{
    double buffers[2][MODEL_MAX_WIDTH];

    if (!can_learn(m, x, y, weight)) {
        m->skipped++;
        return;
    }

    for (size_t i = 0; i < m->n_pre; i++) {
        struct preprocessor *pre = m->pre[i];

        pre->ops->learn(pre, x);
        pre->ops->transform(pre, x, buffers[i & 1]);
        x = buffers[i & 1];
    }
    if (issued)
        learner_learn_issued(m->lrn, x, y, weight, issued);
    else
        learner_learn(m->lrn, x, y, weight);
    m->learned++;
}

void model_learn_one(struct model *m, const double *x, double y, double weight)
{
    struct issued now;

    if (model_has_intervals(m)) {
        model_answer(m, x, &now);
        learn(m, x, y, weight, &now);
    } else {
        learn(m, x, y, weight, NULL);
    }
}

bool model_has_intervals(const struct model *m)
{
    return learner_has_intervals(m->lrn);
}

void model_answer(const struct model *m, const double *x, struct issued *ret)
{
    *ret = issued_alone(model_predict_one(m, x));
    model_interval_one(m, ret);
}

bool model_interval_one(const struct model *m, struct issued *ret)
{
    return model_has_intervals(m) && isfinite(ret->value) && m->lrn->ops->interval(m->lrn, ret);
}

void model_learn_issued(struct model *m, const double *x, double y, double weight,
                        const struct issued *issued)
{
    struct issued known = *issued;

    if (!isfinite(known.value))
        known.value = (double)NAN;
    if (isnan(known.value) || !isfinite(known.low) || !isfinite(known.high) ||
        known.low > known.value || known.high < known.value)
        known.low = known.high = (double)NAN;
    if (!(known.alpha >= 0 && known.alpha <= 1))
        known.alpha = (double)NAN;
    if (!(known.age > 0) || !isfinite(known.age))
        known.age = 0;
    learn(m, x, y, weight, &known);
}

const char *model_class(const struct model *m)
{
    return m->spec.stages[m->spec.n - 1]->class->name;
}

enum model_kind model_kind(const struct model *m)
{
    return m->is_classifier ? MODEL_CLASSIFIER : MODEL_REGRESSOR;
}

const char *model_parameters(const struct model *m)
{
    return m->parameters.data;
}

uint64_t model_parameters_hash(const struct model *m)
{
    return m->parameters_hash;
}

size_t model_bytes(const struct model *m)
{
    return model_overhead(m) + learner_bytes(m->lrn);
}

uint64_t model_learned(const struct model *m)
{
    return m->learned;
}

uint64_t model_skipped(const struct model *m)
{
    return m->skipped;
}

void model_inspect(const struct model *m, struct buf *out)
{
    buf_printf(out, "{\"class\":\"%s\",\"learned\":", model_class(m));
    json_write_int(out, (int64_t)m->learned);
    buf_text(out, ",\"skipped\":");
    json_write_int(out, (int64_t)m->skipped);
    buf_text(out, ",\"bytes\":");
    json_write_int(out, (int64_t)model_bytes(m));
    if (m->lrn->ops->inspect)
        m->lrn->ops->inspect(m->lrn, m->seen, out);
    buf_byte(out, '}');
}
