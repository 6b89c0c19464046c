/*
 * Streaming random patches for regression (River's ensemble.SRPRegressor): see srp.h.
 * The answer is the members' mean, which may weigh them by how well they do, or their
 * median; 0 before the first sample.
 *
 * River's members never get the parameter drift_detection_criteria, and watch what
 * they predict, whatever it says ("error" by default). Ours do what it says, and the
 * default is what River's do.
 */
#include <math.h>

#include "learn/classes.h"
#include "learn/srp.h"
#include "learn/stat.h"

/* The metric as a weight, before it is known how it compares with the others'. */
static double metric_of(const struct srp *srp, size_t i)
{
    double v = member_metric_number(&srp->places[i].member.metric, srp->params->metric);

    return v >= 0 ? v : 0;
}

/* The largest metric, which weights are measured from when less is better; NaN when more is. */
static double worst_of(const struct srp *srp)
{
    double worst = 0;

    if (member_metric_is_better_above(srp->params->metric))
        return (double)NAN;
    for (size_t i = 0; i < srp->params->n_models; i++)
        worst = fmax(worst, metric_of(srp, i));
    return worst;
}

static double predict_mean(const struct srp *srp, const double *x)
{
    bool weighs = !srp->params->disable_weighted_vote;
    double worst = weighs ? worst_of(srp) : 0;
    double weights = 0;
    double sum = 0;

    for (size_t i = 0; i < srp->params->n_models; i++) {
        double weight = 1;

        if (weighs)
            weight = isnan(worst) ? metric_of(srp, i) : worst - metric_of(srp, i);
        weights += weight;
        sum += weight * srp_member_predict(&srp->places[i].member, x);
    }
    return weights == 0 ? 0 : sum / weights;
}

static double predict_median(const struct srp *srp, const double *x)
{
    size_t n = srp->params->n_models;
    double p[LEARN_MAX_MEMBERS];

    for (size_t i = 0; i < n; i++)
        p[i] = srp_member_predict(&srp->places[i].member, x);
    return stat_median(p, n);
}

static double predict(const struct learner *lrn, const double *x)
{
    const struct srp *srp = (const struct srp *)lrn;

    if (srp->n_learned == 0)
        return 0;
    return srp->params->aggregation_method == SRP_MEDIAN ? predict_median(srp, x)
                                                         : predict_mean(srp, x);
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

static const char *const criteria[] = {
    [SRP_PREDICTION] = "prediction",
    [SRP_ERROR] = "error",
    NULL,
};
static const char *const aggregations[] = {[SRP_MEAN] = "mean", [SRP_MEDIAN] = "median", NULL};

static const struct learn_param params[] = {
    SRP_PARAMS(LEARN_REGRESSOR, "hoeffding_tree_regressor", member_metric_numbers, false),
    {SRP_PARAM(drift_detection_criteria), .type = PARAM_CHOICE, .fallback = SRP_PREDICTION,
     .choices = criteria,
     .help = "What the detectors watch: what a member predicts, or its absolute error. River's "
             "default is called error, but its members watch what they predict whatever it says."},
    {SRP_PARAM(aggregation_method), .type = PARAM_CHOICE, .fallback = SRP_MEAN,
     .choices = aggregations, .help = "How the members' answers become one."},
};

const struct learn_class srp_regressor_class = {
    .name = "srp_regressor",
    .river = "ensemble.SRPRegressor",
    .help = "Streaming random patches: each member has some of the features and learns a sample a "
            "random number of times; those that drift are replaced.",
    .kind = LEARN_REGRESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct srp_params),
    .learner = &ops,
};
