/*
 * The adaptive random forest for classification: River's forest.ARFClassifier (forest.h has the
 * papers and the layout). It answers the mean of what its trees answer, each weighed by its metric.
 *
 * What the detectors are shown is whether a tree was wrong; a tree that has seen nothing always is.
 */
#include <math.h>

#include "learn/classes.h"
#include "learn/forest.h"

struct arf_params {
    struct class_params tree;
    struct forest_params forest;
};

/* The forest's kind */

/* The label, as River's predict_one(): 0, 1, or NaN when there was none yet. */
static double answer(const struct tree *tree, const double *x)
{
    double votes[2];
    int label = tree_vote(tree, x, votes);

    return label < 0 ? (double)NAN : label;
}

static void score(struct forest_member *m, double y, double answer)
{
    if (isnan(answer))
        member_metric_miss(&m->metric, y > 0.5);
    else
        metrics_labels_update(&m->metric.labels, y > 0.5, answer > 0.5);
}

static double error(struct forest_member *m, double y, double answer)
{
    (void)m;
    return answer == y ? 0 : 1;
}

static const struct forest_kind kind = {.answer = answer, .score = score, .error = error};

/* The class */

static double predict(const struct learner *lrn, const double *x)
{
    const struct forest *f = (const struct forest *)lrn;
    double sums[2] = {0, 0};
    bool any = false;

    for (size_t i = 0; i < f->n; i++) {
        double weight = member_metric_label(&f->members[i].metric, f->params->metric);
        double votes[2];

        if (f->params->disable_weighted_vote || !(weight > 0))
            weight = 1;
        any |= tree_vote(f->members[i].tree, x, votes) >= 0;
        for (int c = 0; c < 2; c++)
            sums[c] += votes[c] * weight;
    }
    if (!any)
        return (double)NAN;
    return sums[0] + sums[1] > 0 ? sums[1] / (sums[0] + sums[1]) : sums[1];
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

static const struct learn_param params[] = {
    FOREST_PARAMS(arf_params, member_metric_labels, MEMBER_ACCURACY, 0),
    CLASS_PARAMS_WITH(50, 0.01),
};

const struct learn_class arf_classifier_class = {
    .name = "arf_classifier",
    .river = "forest.ARFClassifier",
    .help =
        "A forest of Hoeffding trees over random features, each replaced when its error drifts.",
    .kind = LEARN_CLASSIFIER,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct arf_params),
    .check = tree_check_classifier,
    .learner = &ops,
};
