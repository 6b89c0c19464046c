/*
 * The adaptive random forest for regression: River's forest.ARFRegressor (forest.h has the papers
 * and the layout). It answers the median of its trees, or their mean.
 *
 * What the detectors are shown is a tree's error, from -3 to 3 standard deviations of it scaled to
 * 0 to 1. As in River, the weighted mean is divided by the number of trees once more, and so that
 * much too small: disable_weighted_vote is true by default. River's trees split by
 * min_samples_split 5 whatever it is given; ours do as they are told.
 */
#include <math.h>

#include "learn/classes.h"
#include "learn/forest.h"
#include "learn/stat.h"

enum aggregation { ARF_MEAN, ARF_MEDIAN };

struct arf_params {
    struct tree_params tree;
    struct forest_params forest;
    int aggregation_method; /* enum aggregation */
};

/* The forest's kind */

static double answer(const struct tree *tree, const double *x)
{
    return tree_predict(&tree->base, x);
}

static void score(struct forest_member *m, double y, double answer)
{
    member_metric_update(&m->metric, y, answer);
}

static double error(struct forest_member *m, double y, double answer)
{
    double error = y - answer;
    double sd;

    stat_var_update(&m->errors, error, 1);
    sd = sqrt(stat_var_get(&m->errors));
    return sd > 0 ? (error + 3 * sd) / (6 * sd) : 0.5;
}

static const struct forest_kind kind = {.answer = answer, .score = score, .error = error};

/* Answering */

static double mean(const double *values, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return sum / (double)n;
}

/* The larger a tree's error, the less of its answer counts. One tree alone counts as it is. */
static void weigh(const struct forest *f, double *values)
{
    double weights[LEARN_MAX_MEMBERS];
    double sum = 0;
    double rest = 0;

    for (size_t i = 0; i < f->n; i++) {
        weights[i] = member_metric_number(&f->members[i].metric, f->params->metric);
        sum += weights[i];
    }
    for (size_t i = 0; i < f->n; i++)
        rest += sum - weights[i];
    for (size_t i = 0; i < f->n && rest != 0; i++)
        values[i] *= (sum - weights[i]) / rest;
}

static double predict(const struct learner *lrn, const double *x)
{
    const struct forest *f = (const struct forest *)lrn;
    const struct arf_params *params = f->component->params;
    double values[LEARN_MAX_MEMBERS];

    for (size_t i = 0; i < f->n; i++)
        values[i] = answer(f->members[i].tree, x);
    if (params->aggregation_method == ARF_MEDIAN)
        return stat_median(values, f->n);
    if (!params->forest.disable_weighted_vote)
        weigh(f, values);
    return mean(values, f->n);
}

static struct learner *create(const struct component *component, size_t n)
{
    const struct arf_params *p = component->params;

    return forest_new(component, &p->forest, &kind, n);
}

static const struct learner_ops ops = {
    .create = create,
    .free = forest_free,
    .clone = NULL,
    .learn = forest_learn,
    .predict = predict,
    .save = forest_save,
    .load = forest_load,
    .bytes = forest_bytes,
    .set_max_bytes = forest_set_max_bytes,
    .inspect = forest_inspect,
    .explain = NULL,
    .set_kinds = forest_set_kinds,
    .set_schema = forest_set_schema,
};

static const char *const aggregations[] = {[ARF_MEAN] = "mean", [ARF_MEDIAN] = "median", NULL};

static const struct learn_param params[] = {
    FOREST_PARAMS(arf_params, member_metric_numbers, MEMBER_MSE, 1),
    {.name = "aggregation_method",
     .type = PARAM_CHOICE,
     .offset = offsetof(struct arf_params, aggregation_method),
     .fallback = ARF_MEDIAN,
     .choices = aggregations,
     .help = "What the forest answers of what its trees do; the median has no weights."},
    TREE_PARAMS_WITH(50, 0.01),
};

const struct learn_class arf_regressor_class = {
    .name = "arf_regressor",
    .river = "forest.ARFRegressor",
    .help =
        "A forest of Hoeffding trees over random features, each replaced when its error drifts.",
    .kind = LEARN_REGRESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct arf_params),
    .check = tree_check_regressor,
    .learner = &ops,
};
