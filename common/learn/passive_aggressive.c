/*
 * Passive-aggressive learning: the least step that makes up for the loss (Crammer,
 * Dekel, Keshet, Shalev-Shwartz and Singer 2006), as River's linear_model.PARegressor
 * and PAClassifier do it.
 *
 * With p = w.x + b, loss l and norm N = |x|^2 of the features that are there:
 *     tau = l / N, min(C, l / N) or l / (N + 1 / (2 C)) for mode 0, 1, 2; 0 without N
 *     w += tau sign x; b += tau sign when the intercept is learned
 * Regressor: l = max(|p - (2 y - 1)| - eps, 0), for River's loss maps labels as if they
 * were 0 and 1; sign is that of y - p. Classifier: l = max(1 - t p, 0), sign t = 1 or -1.
 * A sample's weight does not count, as in River.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/learner_backend.h"
#include "learn/loss.h"

struct pa_params {
    double c;
    uint64_t mode;
    double eps; /* of the regressor */
    bool learn_intercept;
};

struct pa {
    struct learner base;
    const struct pa_params *params; /* the component's */
    double intercept;
    double w[]; /* n */
};

static struct learner *pa_create(const struct component *component, size_t n)
{
    struct pa *pa = mem_zalloc(1, sizeof(*pa) + n * sizeof(double));

    pa->base.ops = component->class->learner;
    pa->base.n = n;
    pa->params = component->params;
    return &pa->base;
}

static void pa_free(struct learner *lrn)
{
    free(lrn);
}

static size_t pa_bytes(const struct learner *lrn)
{
    return sizeof(struct pa) + lrn->n * sizeof(double);
}

static struct learner *pa_clone(const struct learner *lrn)
{
    return memcpy(mem_alloc(pa_bytes(lrn)), lrn, pa_bytes(lrn));
}

static double raw(const struct pa *pa, const double *x)
{
    double sum = 0;

    for (size_t j = 0; j < pa->base.n; j++)
        sum += isnan(x[j]) ? 0 : pa->w[j] * x[j];
    return sum + pa->intercept;
}

static double tau_of(const struct pa *pa, const double *x, double loss)
{
    double c = pa->params->c;
    double norm2 = 0;

    /* As numpy.linalg.norm() squared: mode 0 is so restless that its last bit matters. */
    for (size_t j = 0; j < pa->base.n; j++)
        norm2 = isnan(x[j]) ? norm2 : fma(x[j], x[j], norm2);
    norm2 = sqrt(norm2) * sqrt(norm2);
    if (pa->params->mode == 2)
        return loss / (norm2 + 0.5 / c);
    if (norm2 == 0)
        return 0;
    return pa->params->mode == 1 ? fmin(c, loss / norm2) : loss / norm2;
}

static void take_step(struct pa *pa, const double *x, double step)
{
    if (isnan(step)) /* an overflow: River's weights would all become NaN */
        return;
    for (size_t j = 0; j < pa->base.n; j++) {
        double next = pa->w[j] + step * x[j];

        pa->w[j] = isnan(next) ? pa->w[j] : next;
    }
    if (pa->params->learn_intercept)
        pa->intercept += step;
}

static void regressor_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct pa *pa = (struct pa *)lrn;
    double p = raw(pa, x);
    double loss = fmax(fabs(p - (y * 2 - 1)) - pa->params->eps, 0);

    (void)weight;
    if (y != p)
        take_step(pa, x, y > p ? tau_of(pa, x, loss) : -tau_of(pa, x, loss));
}

static double regressor_predict(const struct learner *lrn, const double *x)
{
    return raw((const struct pa *)lrn, x);
}

static void classifier_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct pa *pa = (struct pa *)lrn;
    double t = y * 2 - 1;
    double loss = fmax(1 - t * raw(pa, x), 0);

    (void)weight;
    take_step(pa, x, tau_of(pa, x, loss) * t);
}

static double classifier_predict(const struct learner *lrn, const double *x)
{
    return loss_sigmoid(raw((const struct pa *)lrn, x));
}

static void pa_save(const struct learner *lrn, struct buf *out)
{
    const struct pa *pa = (const struct pa *)lrn;

    blob_write_f64(out, pa->intercept);
    blob_write_f64s(out, pa->w, lrn->n);
}

static void pa_load(struct learner *lrn, struct blob_reader *in)
{
    struct pa *pa = (struct pa *)lrn;

    pa->intercept = blob_read_f64(in);
    blob_read_f64s(in, pa->w, lrn->n);
}

static void pa_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out)
{
    const struct pa *pa = (const struct pa *)lrn;

    buf_text(out, ",\"intercept\":");
    json_write_number(out, pa->intercept);
    buf_text(out, ",\"weights\":");
    for (size_t j = 0; j < lrn->n; j++) {
        buf_byte(out, j ? ',' : '{');
        json_write_name(out, schema_name(schema, j));
        json_write_number(out, pa->w[j]);
    }
    buf_byte(out, '}');
}

static void regressor_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    const struct pa *pa = (const struct pa *)lrn;

    ex->base = pa->intercept;
    ex->base_name = "intercept";
    for (size_t j = 0; j < lrn->n; j++) {
        double term = isnan(x[j]) ? 0 : pa->w[j] * x[j];

        explanation_add_part(ex, EXPLAIN_FEATURE, j, term)->weight = pa->w[j];
    }
}

static void classifier_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    regressor_explain(lrn, x, ex);
    ex->is_log_odds = true;
}

/* The slots that both classes have. */
#define PA_OPS                                                                                     \
    .create = pa_create, .free = pa_free, .clone = pa_clone, .save = pa_save, .load = pa_load,     \
    .bytes = pa_bytes, .set_max_bytes = NULL, .inspect = pa_inspect

static const struct learner_ops regressor_ops = {
    PA_OPS,
    .learn = regressor_learn,
    .predict = regressor_predict,
    .explain = regressor_explain,
};

static const struct learner_ops classifier_ops = {
    PA_OPS,
    .learn = classifier_learn,
    .predict = classifier_predict,
    .explain = classifier_explain,
};

#define PARAM(field) .offset = offsetof(struct pa_params, field)

#define PA_C                                                                                       \
    {                                                                                              \
        .name = "C", PARAM(c), .type = PARAM_REAL, .fallback = 1, .max = 1e12, .above_min = true,  \
        .help = "How aggressive: the largest step of mode 1."                                      \
    }
#define PA_MODE                                                                                    \
    {                                                                                              \
        .name = "mode", PARAM(mode), .type = PARAM_COUNT, .fallback = 1, .max = 2,                 \
        .help = "0: the whole step, 1: at most C, 2: softened by C."                               \
    }
#define PA_INTERCEPT                                                                               \
    {                                                                                              \
        .name = "learn_intercept", PARAM(learn_intercept), .type = PARAM_FLAG, .fallback = 1,      \
        .help = "Learn the intercept, too."                                                        \
    }

static const struct learn_param regressor_params[] = {
    PA_C,
    PA_MODE,
    {.name = "eps",
     PARAM(eps),
     .type = PARAM_REAL,
     .fallback = 0.1,
     .max = 1e12,
     .help = "Errors up to this teach nothing."},
    PA_INTERCEPT,
};

static const struct learn_param classifier_params[] = {PA_C, PA_MODE, PA_INTERCEPT};

const struct learn_class pa_regressor_class = {
    .name = "pa_regressor",
    .river = "linear_model.PARegressor",
    .help = "A linear model that takes the least step that makes up for its error.",
    .kind = LEARN_REGRESSOR,
    .fixed_size = true,
    .weightless = true,
    .is_smooth = true,
    .params = regressor_params,
    .n_params = sizeof(regressor_params) / sizeof(regressor_params[0]),
    .params_size = sizeof(struct pa_params),
    .learner = &regressor_ops,
};

const struct learn_class pa_classifier_class = {
    .name = "pa_classifier",
    .river = "linear_model.PAClassifier",
    .help = "A linear classifier that takes the least step that makes up for its error.",
    .kind = LEARN_CLASSIFIER,
    .fixed_size = true,
    .is_smooth = true,
    .params = classifier_params,
    .n_params = sizeof(classifier_params) / sizeof(classifier_params[0]),
    .params_size = sizeof(struct pa_params),
    .learner = &classifier_ops,
};
