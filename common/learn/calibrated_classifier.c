/*
 * A classifier whose probabilities are made true: a sigmoid is fitted to what it answered for the
 * last labelled samples before it learned them (Platt scaling, platt.h). River has none like it.
 *
 * Before the classifier learns a sample, its own answer goes into the window with the label, once
 * it has learned both labels: of one only, many a classifier is as certain as it will never be
 * again. The sigmoid is fitted
 *     - first when the window has `min_labels` labels of each kind: until then the classifier's own
 *       answer is given;
 *     - then after each `refit_every` labels, from where it was, as long as the window has so many
 *       of each; when it has not, as it may be of rare labels, the sigmoid stays.
 * A fit is at most PLATT_STEPS steps of Newton's method over the window. Nothing else decides: the
 * state is the window, the sigmoid, and the labels since the last fit.
 *
 * Weights of samples teach the classifier alone: the probabilities are those of the labels as they
 * come, also where a class weighs more.
 */
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/learner.h"
#include "learn/platt.h"

#define WINDOW_PART 4 /* the window takes at most this part of the bound on memory */
#define WINDOW_MAX  1000000

static const char *const methods[] = {"platt", NULL};

struct calibrated_params {
    struct component *classifier;
    int method;
    uint64_t window_size;
    uint64_t min_labels;
    uint64_t refit_every;
};

struct calibrated {
    struct learner base;
    const struct calibrated_params *params; /* the component's */
    struct learner *inner;
    struct platt_window window;
    struct platt fit;
    bool seen[2]; /* has the classifier learned a label 0, a label 1? */
    bool is_fit;
    uint64_t since; /* labels since the last fit */
};

static struct learner *calibrated_create(const struct component *component, size_t n)
{
    struct calibrated *c = mem_zalloc(1, sizeof(*c));

    c->base.ops = component->class->learner;
    c->base.n = n;
    c->params = component->params;
    c->inner = learner_new(c->params->classifier, n);
    c->window.size = (size_t)c->params->window_size;
    c->fit.slope = 1; /* the classifier's own answer */
    return &c->base;
}

static void calibrated_free(struct learner *lrn)
{
    struct calibrated *c = (struct calibrated *)lrn;

    learner_free(c->inner);
    platt_window_release(&c->window);
    free(c);
}

/* Fits the sigmoid when it is time to. */
static void refit(struct calibrated *c)
{
    uint64_t positive = c->window.n_positive;
    uint64_t negative = c->window.n - c->window.n_positive;
    uint64_t least = c->params->min_labels;

    if (positive < least || negative < least || (c->is_fit && c->since < c->params->refit_every))
        return;
    platt_fit(&c->fit, &c->window);
    c->is_fit = true;
    c->since = 0;
}

static void calibrated_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct calibrated *c = (struct calibrated *)lrn;
    double p = learner_predict(c->inner, x);

    if (c->seen[0] && c->seen[1] && !isnan(p)) {
        platt_window_push(&c->window, platt_score(p), y == 1);
        c->since++;
        refit(c);
    }
    c->seen[y == 1] = true;
    learner_learn(c->inner, x, y, weight);
}

static double calibrated_predict(const struct learner *lrn, const double *x)
{
    const struct calibrated *c = (const struct calibrated *)lrn;
    double p = learner_predict(c->inner, x);

    return c->is_fit && !isnan(p) ? platt_probability(&c->fit, platt_score(p)) : p;
}

static void calibrated_save(const struct learner *lrn, struct buf *out)
{
    const struct calibrated *c = (const struct calibrated *)lrn;

    blob_write_u8(out, c->seen[0]);
    blob_write_u8(out, c->seen[1]);
    blob_write_u8(out, c->is_fit);
    blob_write_f64(out, c->fit.slope);
    blob_write_f64(out, c->fit.intercept);
    blob_write_u64(out, c->since);
    platt_window_save(&c->window, out);
    learner_save(c->inner, out);
}

static bool load_flag(struct blob_reader *in)
{
    uint8_t flag = blob_read_u8(in);

    if (flag > 1)
        blob_fail(in, "a calibration has a flag that is neither 0 nor 1");
    return flag == 1;
}

static void calibrated_load(struct learner *lrn, struct blob_reader *in)
{
    struct calibrated *c = (struct calibrated *)lrn;

    c->seen[0] = load_flag(in);
    c->seen[1] = load_flag(in);
    c->is_fit = load_flag(in);
    c->fit.slope = blob_read_f64(in);
    c->fit.intercept = blob_read_f64(in);
    c->since = blob_read_u64(in);
    if (!isfinite(c->fit.slope) || !isfinite(c->fit.intercept))
        blob_fail(in, "a calibration is no sigmoid");
    platt_window_load(&c->window, in);
    learner_load(c->inner, in);
}

static size_t calibrated_bytes(const struct learner *lrn)
{
    const struct calibrated *c = (const struct calibrated *)lrn;

    return sizeof(*c) + platt_window_bytes(c->window.n) + learner_bytes(c->inner);
}

/* What the window may come to is taken off at once: the classifier never has to give back. */
static void calibrated_set_max_bytes(struct learner *lrn, size_t max)
{
    struct calibrated *c = (struct calibrated *)lrn;
    size_t size = max / WINDOW_PART / platt_window_bytes(1);
    size_t used;

    if (size > c->params->window_size)
        size = (size_t)c->params->window_size;
    platt_window_resize(&c->window, size > 0 ? size : 1);
    used = sizeof(*c) + platt_window_bytes(c->window.size);
    learner_set_max_bytes(c->inner, max > used ? max - used : 0);
}

static void calibrated_inspect(const struct learner *lrn, const struct schema *schema,
                               struct buf *out)
{
    const struct calibrated *c = (const struct calibrated *)lrn;

    buf_printf(out, ",\"classifier\":\"%s\",\"calibration\":{\"fitted\":%s,\"slope\":",
               c->params->classifier->class->name, c->is_fit ? "true" : "false");
    json_write_number(out, c->fit.slope);
    buf_text(out, ",\"intercept\":");
    json_write_number(out, c->fit.intercept);
    buf_text(out, ",\"labels\":");
    json_write_int(out, (int64_t)c->window.n);
    buf_text(out, ",\"positive\":");
    json_write_int(out, (int64_t)c->window.n_positive);
    buf_byte(out, '}');
    if (c->inner->ops->inspect)
        c->inner->ops->inspect(c->inner, schema, out);
}

/* Makes the classifier's log-odds those that the sigmoid makes of them. */
static void scale_odds(const struct calibrated *c, double score, struct explanation *ex)
{
    double odds = explanation_sum(ex);
    double by = c->fit.slope;

    if (odds != 0)
        by *= score / odds; /* a score ends at 1e-6 */
    ex->base = by * ex->base + c->fit.intercept;
    for (size_t i = 0; i < ex->n_parts; i++) {
        ex->parts[i].weight *= by;
        ex->parts[i].contribution *= by;
    }
}

static void calibrated_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    const struct calibrated *c = (const struct calibrated *)lrn;
    double p = learner_predict(c->inner, x);

    if (c->inner->ops->explain) {
        c->inner->ops->explain(c->inner, x, ex);
        if (!c->is_fit || isnan(p))
            return;
        if (ex->is_log_odds) {
            scale_odds(c, platt_score(p), ex);
            return;
        }
        explanation_clear(ex); /* parts of a probability are no parts of its odds */
    }
    ex->base = calibrated_predict(lrn, x);
    ex->base_name = "the classifier's answer";
}

static void calibrated_set_kinds(struct learner *lrn, const enum feature_kind *kinds)
{
    struct learner *inner = ((struct calibrated *)lrn)->inner;

    inner->ops->set_kinds(inner, kinds);
}

static void calibrated_set_schema(struct learner *lrn, const struct schema *schema)
{
    learner_set_schema(((struct calibrated *)lrn)->inner, schema);
}

static const char *calibrated_check(const void *values)
{
    const struct calibrated_params *params = values;

    return params->window_size >= 2 * params->min_labels
               ? NULL
               : "window_size: write at least twice min_labels, which the window must have of each";
}

static const struct learner_ops ops = {
    .create = calibrated_create,
    .free = calibrated_free,
    .clone = NULL,
    .learn = calibrated_learn,
    .predict = calibrated_predict,
    .save = calibrated_save,
    .load = calibrated_load,
    .bytes = calibrated_bytes,
    .set_max_bytes = calibrated_set_max_bytes,
    .inspect = calibrated_inspect,
    .explain = calibrated_explain,
    .set_kinds = calibrated_set_kinds,
    .set_schema = calibrated_set_schema,
};

#define PARAM(field) .name = #field, .offset = offsetof(struct calibrated_params, field)

static const struct learn_param params[] = {
    {PARAM(classifier), .type = PARAM_CLASS, .kind = LEARN_CLASSIFIER,
     .fallback_class = "gaussian_nb", .may_grow = true,
     .help = "Whose probabilities are calibrated."},
    {PARAM(method), .type = PARAM_CHOICE, .choices = methods,
     .help = "Platt scaling: a sigmoid over the log-odds."},
    {PARAM(window_size), .type = PARAM_COUNT, .fallback = 1000, .min = 2, .max = WINDOW_MAX,
     .help =
         "How many of the last labels it is fitted to; more where one label is rare, fewer when "
         "max_model_bytes says so."},
    {PARAM(min_labels), .type = PARAM_COUNT, .fallback = 10, .min = 1, .max = WINDOW_MAX / 2,
     .help = "Labels of each kind that the window must have for a fit; before the first one the "
             "classifier's own answer is given."},
    {PARAM(refit_every), .type = PARAM_COUNT, .fallback = 50, .min = 1, .max = WINDOW_MAX,
     .help = "Labels from one fit to the next."},
};

const struct learn_class calibrated_classifier_class = {
    .name = "calibrated_classifier",
    .river = NULL,
    .help =
        "A classifier whose probabilities are scaled to what its last labels were (Platt 1999); "
        "River has none like it.",
    .kind = LEARN_CLASSIFIER,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct calibrated_params),
    .check = calibrated_check,
    .learner = &ops,
};
