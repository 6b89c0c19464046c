/*
 * Online bagging with a detector of ADWIN over each member's answers (Bifet, Holmes, Pfahringer,
 * Kirkby and Gavaldà 2009: "New ensemble methods for evolving data streams"; River's
 * ensemble.ADWINBaggingClassifier).
 *
 * As in River's release, a detector is fed 1 when its member's label is right, so that a member is
 * replaced when one has become better, and it is the best one; the paper, and River's text, mean
 * the worst. leveraging_bagging_classifier feeds errors.
 */
#include <math.h>

#include "learn/bagging.h"
#include "learn/classes.h"
#include "learn/model.h"

static struct learner *create(const struct component *component, size_t n)
{
    const struct adwin_params watch = ADWIN_DEFAULTS;

    return bagging_create(component, n, &watch);
}

static void learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct bagging *bag = (struct bagging *)lrn;
    bool is_drift = false;

    for (size_t i = 0; i < bag->members.n; i++) {
        bagging_teach(bag, i, x, y, weight, rng_poisson(&bag->rng, 1));
        double p = learner_predict(bag->members.at[i], x);
        bool right = !isnan(p) && model_label(p) == (y == 1);

        is_drift |= bagging_watch(bag, i, right);
    }
    if (is_drift)
        bagging_replace(bag);
}

static const struct learner_ops ops = {
    .create = create,
    .free = bagging_free,
    .clone = NULL,
    .learn = learn,
    .predict = bagging_predict_class,
    .save = bagging_save,
    .load = bagging_load,
    .bytes = bagging_bytes,
    .set_max_bytes = bagging_set_max_bytes,
    .inspect = bagging_inspect,
    .explain = NULL,
    .set_kinds = bagging_set_kinds,
    .set_schema = bagging_set_schema,
};

static const struct learn_param params[] = {
    BAGGING_PARAMS_MODEL(LEARN_CLASSIFIER, "logistic_regression", "The classifier of each member;"),
    BAGGING_PARAM_SEED,
};

const struct learn_class adwin_bagging_classifier_class = {
    .name = "adwin_bagging_classifier",
    .river = "ensemble.ADWINBaggingClassifier",
    .help = "Bagging that replaces a member when a member's answers change; as in River's code the "
            "one that is right most often.",
    .kind = LEARN_CLASSIFIER,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct bagging_params),
    .learner = &ops,
};
