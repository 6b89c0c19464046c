/*
 * Streaming random patches for two classes (River's ensemble.SRPClassifier): see
 * srp.h. The answer is the share of the members' probabilities, each weighed by how
 * well the member does; NaN before the first sample, as long as no member has an answer.
 */
#include <math.h>

#include "learn/classes.h"
#include "learn/model.h"
#include "learn/srp.h"

/* As in River a metric that is not above 0 does not weigh 0, but 1. */
static double weight_of(const struct srp *srp, const struct srp_member *m)
{
    double v = member_metric_label(&m->metric, srp->params->metric);

    return !srp->params->disable_weighted_vote && v > 0 ? v : 1;
}

/* Does River's member name label 1 before 0, as ties go? Trees, which sort them, when it is alone.
 */
static bool names_positive_first(const struct srp *srp, const struct srp_member *m, double p)
{
    if (!(m->seen & SRP_POSITIVE_FIRST))
        return false;
    return srp->params->model->class->first_label_first ||
           (p == 1 && !(m->seen & SRP_SEEN_NEGATIVE));
}

static double predict(const struct learner *lrn, const double *x)
{
    const struct srp *srp = (const struct srp *)lrn;
    double sums[2] = {0, 0};
    bool answered = false;
    bool positive_first = false;

    for (size_t i = 0; i < srp->params->n_models && srp->n_learned; i++) {
        const struct srp_member *m = &srp->places[i].member;
        double p = srp_member_predict(m, x);
        double weight = weight_of(srp, m);

        if (isnan(p))
            continue;
        if (!answered)
            positive_first = names_positive_first(srp, m, p);
        answered = true;
        if (p == MODEL_TIE_POSITIVE)
            p = 0.5;
        sums[0] += (1 - p) * weight;
        sums[1] += p * weight;
    }
    if (!answered)
        return (double)NAN;
    if (positive_first && sums[0] == sums[1])
        return MODEL_TIE_POSITIVE;
    return sums[1] / (sums[0] + sums[1]);
}

static const struct learner_ops ops = {
    .create = srp_create,
    .free = srp_free,
    .clone = NULL,
    .learn = srp_learn,
    .predict = predict,
    .save = srp_save,
    .load = srp_load,
    .bytes = srp_bytes,
    .set_max_bytes = srp_set_max_bytes,
    .inspect = srp_inspect,
    .explain = NULL,
    .set_kinds = srp_set_kinds,
    .set_schema = srp_set_schema,
};

static const struct learn_param params[] = {
    SRP_PARAMS(LEARN_CLASSIFIER, "hoeffding_tree_classifier", member_metric_labels, true),
};

const struct learn_class srp_classifier_class = {
    .name = "srp_classifier",
    .river = "ensemble.SRPClassifier",
    .help = "Streaming random patches: each member has some of the features and learns a sample a "
            "random number of times; those that drift are replaced.",
    .kind = LEARN_CLASSIFIER,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct srp_params),
    .learner = &ops,
};
