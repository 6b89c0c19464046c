/* What the linear models share: see linear.h. */
#include "learn/linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/initializer.h"
#include "learn/model.h"

/* Doubles behind the struct. */
static size_t doubles_of(const struct linear_params *params, size_t rows, size_t n)
{
    size_t begun = initializer_is_zeros(params->initializer) ? 0 : 1;

    return (params->l1 != 0 ? 2 + rows : 1 + rows) * n + begun * n;
}

static double *penalties(struct linear *lin)
{
    return lin->w + lin->base.n;
}

static double *optimizer_state(struct linear *lin)
{
    return lin->w + (lin->params->l1 != 0 ? 2 : 1) * lin->base.n;
}

static double *begun(struct linear *lin)
{
    return optimizer_state(lin) + lin->rows * lin->base.n;
}

struct learner *linear_create(const struct component *component, size_t n)
{
    const struct linear_params *params = component->params;
    size_t rows = optimizer_rows(params->optimizer);
    struct linear *lin = mem_zalloc(1, sizeof(*lin) + doubles_of(params, rows, n) * sizeof(double));

    lin->base.ops = component->class->learner;
    lin->base.n = n;
    lin->params = params;
    lin->loss = loss_of(params->loss);
    lin->optimizer = optimizer_of(params->optimizer);
    lin->rows = rows;
    lin->intercept_lr = scheduler_of(params->intercept_lr);
    lin->intercept = params->intercept_init;
    lin->is_plain = lin->optimizer.kind == OPTIMIZER_SGD &&
                    lin->optimizer.lr.kind == SCHEDULER_CONSTANT &&
                    lin->intercept_lr.kind == SCHEDULER_CONSTANT && params->l1 == 0 &&
                    initializer_is_zeros(params->initializer);
    lin->begins = !initializer_is_zeros(params->initializer);
    return &lin->base;
}

void linear_free(struct learner *lrn)
{
    free(lrn);
}

size_t linear_bytes(const struct learner *lrn)
{
    const struct linear *lin = (const struct linear *)lrn;

    return sizeof(*lin) + doubles_of(lin->params, lin->rows, lrn->n) * sizeof(double);
}

struct learner *linear_clone(const struct learner *lrn)
{
    size_t size = linear_bytes(lrn);

    return memcpy(mem_alloc(size), lrn, size);
}

/* Learning */

static void apply_l1(struct linear *lin, const double *x)
{
    const struct optimizer *o = &lin->optimizer;
    size_t n = lin->base.n;
    double *q = penalties(lin);

    lin->max_cum_l1 += lin->params->l1 * scheduler_rate(&o->lr, o->t);
    for (size_t j = 0; j < n; j++) {
        double before = lin->w[j];

        if (isnan(x[j]))
            continue;
        if (before > 0)
            lin->w[j] = fmax(0, before - (lin->max_cum_l1 + q[j]));
        else if (before < 0)
            lin->w[j] = fmin(0, before + (lin->max_cum_l1 - q[j]));
        q[j] += lin->w[j] - before;
    }
}

/* A step of sgd, in one pass. */
static inline void sgd_pass(struct linear *lin, const double *restrict x, double g, double lr)
{
    double l2 = lin->params->l2;
    double *restrict w = lin->w;

    for (size_t j = 0; j < lin->base.n; j++) {
        double step = x[j] * g;
        double next;

        /* Without l2 nothing is added, so that an infinite weight does not become NaN. */
        if (l2 != 0)
            step += l2 * w[j];
        next = w[j] - lr * step;
        w[j] = next == next ? next : w[j]; /* x[j] is missing, or an overflow */
    }
}

static void optimizer_pass(struct linear *lin, const double *x, double g)
{
    size_t n = lin->base.n;
    double l2 = lin->params->l2;
    double gradient[MODEL_MAX_WIDTH];

    for (size_t j = 0; j < n; j++) {
        gradient[j] = x[j] * g;
        if (l2 != 0)
            gradient[j] += l2 * lin->w[j];
    }
    optimizer_step(&lin->optimizer, lin->w, gradient, x, optimizer_state(lin), n);
}

static inline double clipped(const struct linear *lin, double g)
{
    double clip = lin->params->clip_gradient;

    return g > clip ? clip : g < -clip ? -clip : g;
}

static inline void move_intercept(struct linear *lin, double step)
{
    double next = lin->intercept - step;

    lin->intercept = next == next ? next : lin->intercept;
}

/* The shortest way for the most common model; it has no use for the number of steps. */
static void learn_plain(struct linear *lin, const double *x, double y, double weight)
{
    double p = linear_raw(lin, x);
    double g = loss_gradient(&lin->loss, y, p) * weight;

    if (isnan(g) || isnan(p))
        return;
    g = clipped(lin, g);
    move_intercept(lin, lin->intercept_lr.a * g);
    sgd_pass(lin, x, g, lin->optimizer.lr.a);
}

/* Weights whose features are new begin. */
static void begin(struct linear *lin, const double *x)
{
    double *has = begun(lin);
    size_t before = 0;

    for (size_t j = 0; j < lin->base.n; j++)
        before += has[j] == 1;
    for (size_t j = 0; j < lin->base.n; j++) {
        if (has[j] == 1 || isnan(x[j]))
            continue;
        has[j] = 1;
        lin->w[j] = initializer_weight(lin->params->initializer, before++);
    }
}

void linear_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct linear *lin = (struct linear *)lrn;
    struct optimizer *o = &lin->optimizer;
    double p;
    double g;

    if (lin->is_plain) {
        learn_plain(lin, x, y, weight);
        return;
    }
    if (lin->begins)
        begin(lin, x);
    optimizer_look_ahead(o, lin->w, x, optimizer_state(lin), lrn->n);
    p = linear_raw(lin, x);
    g = loss_gradient(&lin->loss, y, p) * weight;
    /* Weights that overflowed stay as they are, where River's would all become NaN. */
    if (isnan(g) || isnan(p)) {
        optimizer_look_back(o, lin->w, x, optimizer_state(lin), lrn->n);
        return;
    }

    g = clipped(lin, g);
    move_intercept(lin, scheduler_rate(&lin->intercept_lr, o->t) * g);
    if (o->kind == OPTIMIZER_SGD) {
        sgd_pass(lin, x, g, scheduler_rate(&o->lr, o->t));
        o->t += 1;
    } else {
        optimizer_pass(lin, x, g);
    }
    if (lin->params->l1 != 0)
        apply_l1(lin, x);
}

/* Keeping */

void linear_save(const struct learner *lrn, struct buf *out)
{
    const struct linear *lin = (const struct linear *)lrn;

    blob_write_f64(out, lin->intercept);
    blob_write_f64(out, lin->optimizer.t);
    if (lin->params->l1 != 0)
        blob_write_f64(out, lin->max_cum_l1);
    blob_write_f64s(out, lin->w, doubles_of(lin->params, lin->rows, lrn->n));
}

void linear_load(struct learner *lrn, struct blob_reader *in)
{
    struct linear *lin = (struct linear *)lrn;

    lin->intercept = blob_read_f64(in);
    lin->optimizer.t = blob_read_f64(in);
    if (lin->params->l1 != 0)
        lin->max_cum_l1 = blob_read_f64(in);
    blob_read_f64s(in, lin->w, doubles_of(lin->params, lin->rows, lrn->n));
    if (!(lin->optimizer.t >= 0))
        blob_fail(in, "the number of steps is not one");
}

/* Showing */

void linear_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out)
{
    const struct linear *lin = (const struct linear *)lrn;

    buf_text(out, ",\"intercept\":");
    json_write_number(out, lin->intercept);
    buf_text(out, ",\"weights\":{");
    for (size_t j = 0; j < lrn->n; j++) {
        const char *name = schema_name(schema, j);

        if (j)
            buf_byte(out, ',');
        json_write_string(out, name, strlen(name));
        buf_byte(out, ':');
        json_write_number(out, lin->w[j]);
    }
    buf_byte(out, '}');
}

void linear_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    const struct linear *lin = (const struct linear *)lrn;

    ex->base = lin->intercept;
    ex->base_name = "intercept";
    for (size_t j = 0; j < lrn->n; j++) {
        double term = isnan(x[j]) ? 0 : lin->w[j] * x[j];

        explanation_add_part(ex, EXPLAIN_FEATURE, j, term)->weight = lin->w[j];
    }
}

const char *linear_check(const struct linear_params *params)
{
    if (params->l1 != 0 && params->l2 != 0)
        return "l1 and l2 cannot be used together: set one of them to 0";
    if (params->l1 != 0 && params->optimizer->class == &ftrl_proximal_class)
        return "l1 cannot be used with ftrl_proximal, which has an l1 of its own: write that";
    return NULL;
}
