/*
 * Naive Bayes with a normal distribution a class and feature (River's
 * naive_bayes.GaussianNB):
 *
 *     ln P(c, x) = ln P(c) + sum over features that are there of ln(1e-9 + N(x_j; m_cj, s_cj^2))
 *
 * with the population variance; a density is 0 without variance, and for a feature
 * that the class has never had. P(1 | x) is normalised over the classes seen so far;
 * NaN before the first label. A sample's weight does not count, as in River.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/learner_backend.h"
#include "learn/model.h"
#include "learn/stat.h"

#define DENSITY_LEAST 10e-10 /* added to each, so that none is 0 */
#define SQRT_TAU      2.5066282746310002

struct gaussian_nb {
    struct learner base;
    double count[2];      /* samples of label 0, of label 1 */
    bool positive_first;  /* label 1 was the first: River gives it ties */
    struct stat_var of[]; /* n of label 0, then n of label 1 */
};

static size_t nb_size(size_t n)
{
    return sizeof(struct gaussian_nb) + 2 * n * sizeof(struct stat_var);
}

static struct learner *nb_create(const struct component *component, size_t n)
{
    struct gaussian_nb *nb = mem_zalloc(1, nb_size(n));

    nb->base.ops = component->class->learner;
    nb->base.n = n;
    return &nb->base;
}

static void nb_free(struct learner *lrn)
{
    free(lrn);
}

static size_t nb_bytes(const struct learner *lrn)
{
    return nb_size(lrn->n);
}

static struct learner *nb_clone(const struct learner *lrn)
{
    return memcpy(mem_alloc(nb_size(lrn->n)), lrn, nb_size(lrn->n));
}

static void nb_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct gaussian_nb *nb = (struct gaussian_nb *)lrn;
    struct stat_var *of = nb->of + (y == 1 ? lrn->n : 0);

    (void)weight;
    if (nb->count[0] + nb->count[1] == 0)
        nb->positive_first = y == 1;
    nb->count[y == 1] += 1;
    for (size_t j = 0; j < lrn->n; j++) {
        if (!isnan(x[j]))
            stat_var_update(&of[j], x[j], 1);
    }
}

/* ln of the density of x in the feature's distribution. */
static double log_density(const struct stat_var *var, double x)
{
    double variance = var->mean.n > 0 ? var->s / var->mean.n : 0;
    double density = 0;

    if (variance > 0) {
        double sd = sqrt(variance);
        double z = (x - var->mean.mean) / sd;

        density = exp(-0.5 * z * z) / SQRT_TAU / sd;
    }
    return log(DENSITY_LEAST + density);
}

static double log_joint(const struct gaussian_nb *nb, const double *x, size_t label)
{
    const struct stat_var *of = nb->of + label * nb->base.n;
    double sum = 0;

    for (size_t j = 0; j < nb->base.n; j++)
        sum += isnan(x[j]) ? 0 : log_density(&of[j], x[j]);
    return log(nb->count[label] / (nb->count[0] + nb->count[1])) + sum;
}

static double nb_predict(const struct learner *lrn, const double *x)
{
    const struct gaussian_nb *nb = (const struct gaussian_nb *)lrn;
    double log_of[2];
    double most;

    if (nb->count[0] == 0 || nb->count[1] == 0)
        return nb->count[0] == nb->count[1] ? (double)NAN : nb->count[1] > 0;
    log_of[0] = log_joint(nb, x, 0);
    log_of[1] = log_joint(nb, x, 1);
    if (log_of[0] == log_of[1])
        return nb->positive_first ? MODEL_TIE_POSITIVE : 0.5;
    most = fmax(log_of[0], log_of[1]);
    return exp(log_of[1] - (most + log(exp(log_of[0] - most) + exp(log_of[1] - most))));
}

static void nb_save(const struct learner *lrn, struct buf *out)
{
    const struct gaussian_nb *nb = (const struct gaussian_nb *)lrn;

    blob_write_f64s(out, nb->count, 2);
    blob_write_u8(out, nb->positive_first);
    for (size_t i = 0; i < 2 * lrn->n; i++) {
        blob_write_f64(out, nb->of[i].mean.n);
        blob_write_f64(out, nb->of[i].mean.mean);
        blob_write_f64(out, nb->of[i].s);
    }
}

static void nb_load(struct learner *lrn, struct blob_reader *in)
{
    struct gaussian_nb *nb = (struct gaussian_nb *)lrn;

    blob_read_f64s(in, nb->count, 2);
    nb->positive_first = blob_read_u8(in) == 1;
    for (size_t i = 0; i < 2 * lrn->n; i++) {
        nb->of[i].mean.n = blob_read_f64(in);
        nb->of[i].mean.mean = blob_read_f64(in);
        nb->of[i].s = blob_read_f64(in);
    }
    if (!(nb->count[0] >= 0 && nb->count[1] >= 0))
        blob_fail(in, "the number of labels is not one");
}

static void nb_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out)
{
    const struct gaussian_nb *nb = (const struct gaussian_nb *)lrn;

    (void)schema;
    buf_text(out, ",\"negative\":");
    json_write_number(out, nb->count[0]);
    buf_text(out, ",\"positive\":");
    json_write_number(out, nb->count[1]);
}

/* The log-odds are a sum already: of the classes' share, and of each feature's densities. */
static void nb_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    const struct gaussian_nb *nb = (const struct gaussian_nb *)lrn;

    ex->base_name = "share of positive labels";
    if (nb->count[0] == 0 || nb->count[1] == 0) {
        ex->base = nb_predict(lrn, x);
        return;
    }
    ex->is_log_odds = true;
    ex->base = log(nb->count[1] / nb->count[0]);
    for (size_t j = 0; j < lrn->n; j++) {
        double odds = isnan(x[j])
                          ? 0
                          : log_density(&nb->of[lrn->n + j], x[j]) - log_density(&nb->of[j], x[j]);

        explanation_add_part(ex, EXPLAIN_FEATURE, j, odds);
    }
}

static const struct learner_ops ops = {
    .create = nb_create,
    .free = nb_free,
    .clone = nb_clone,
    .learn = nb_learn,
    .predict = nb_predict,
    .save = nb_save,
    .load = nb_load,
    .bytes = nb_bytes,
    .set_max_bytes = NULL,
    .inspect = nb_inspect,
    .explain = nb_explain,
    .set_kinds = NULL,
};

const struct learn_class gaussian_nb_class = {
    .name = "gaussian_nb",
    .river = "naive_bayes.GaussianNB",
    .help = "Naive Bayes with a normal distribution a class and feature.",
    .kind = LEARN_CLASSIFIER,
    .first_label_first = true,
    .fixed_size = true,
    .learner = &ops,
};
