/*
 * Leveraging bagging (Bifet, Holmes and Pfahringer 2010: "Leveraging bagging for evolving data
 * streams"; River's ensemble.LeveragingBaggingClassifier): members learn a sample more often than
 * in bagging, and the member that errs most is replaced when ADWIN finds that one errs more than it
 * did.
 *
 * How often a member learns a sample:
 *     bag     Poisson of w
 *     me      once when it errs, and else by chance of error / (1 - error), its error so far
 *     half    once by the toss of a coin
 *     wt      once, and Poisson of 1 times more
 *     subag   once, unless Poisson of 1 is 0
 * River 0.26.1 cannot run "me" and "half": they ask random.Random for what only NumPy's generator
 * has. Here they draw random() and randrange(2) in the same places.
 */
#include <math.h>

#include "learn/bagging.h"
#include "learn/classes.h"
#include "learn/model.h"

enum method { METHOD_BAG, METHOD_ME, METHOD_HALF, METHOD_WT, METHOD_SUBAG };

static const char *const methods[] = {
    [METHOD_BAG] = "bag", [METHOD_ME] = "me",       [METHOD_HALF] = "half",
    [METHOD_WT] = "wt",   [METHOD_SUBAG] = "subag", NULL,
};

struct leveraging_params {
    struct bagging_params bagging; /* first */
    double w;
    double adwin_delta;
    int method;
};

static struct learner *create(const struct component *component, size_t n)
{
    const struct leveraging_params *params = component->params;
    struct adwin_params watch = ADWIN_DEFAULTS;

    watch.delta = params->adwin_delta;
    return bagging_create(component, n, &watch);
}

/* Does the label of prediction p differ from y? One that cannot tell errs, too. */
static bool errs(double p, double y)
{
    return isnan(p) || model_label(p) != (y == 1);
}

static uint64_t draw_for_errors(struct bagging *bag, size_t i, const double *x, double y)
{
    double error = adwin_mean(&bag->watch[i]);

    if (errs(learner_predict(bag->members.at[i], x), y))
        return 1;
    return error != 1 && rng_random(&bag->rng) < error / (1 - error);
}

/* How often member i learns the sample. */
static uint64_t draw(struct bagging *bag, size_t i, const double *x, double y)
{
    const struct leveraging_params *params = (const struct leveraging_params *)bag->params;

    switch ((enum method)params->method) {
    case METHOD_BAG:
        return rng_poisson(&bag->rng, params->w);
    case METHOD_ME:
        return draw_for_errors(bag, i, x, y);
    case METHOD_HALF:
        return rng_below(&bag->rng, 2) == 0;
    case METHOD_WT:
        return 1 + rng_poisson(&bag->rng, 1);
    case METHOD_SUBAG:
        return rng_poisson(&bag->rng, 1) > 0;
    }
    return 0;
}

static void learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct bagging *bag = (struct bagging *)lrn;
    bool is_drift = false;

    for (size_t i = 0; i < bag->members.n; i++) {
        bagging_teach(bag, i, x, y, weight, draw(bag, i, x, y));
        double p = learner_predict(bag->members.at[i], x);

        if (!isnan(p))
            is_drift |= bagging_watch(bag, i, errs(p, y));
    }
    if (is_drift)
        bagging_replace(bag);
}

static const char *check(const void *values)
{
    const struct leveraging_params *params = values;

    return params->adwin_delta < 1 ? NULL : "adwin_delta: write a number above 0 and below 1";
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

#define W_MAX 700 /* exp(-w) is a number above 0 */

static const struct learn_param params[] = {
    BAGGING_PARAMS_MODEL(LEARN_CLASSIFIER, "logistic_regression", "The classifier of each member;"),
    {.name = "w",
     .type = PARAM_REAL,
     .offset = offsetof(struct leveraging_params, w),
     .fallback = 6,
     .min = 0,
     .max = W_MAX,
     .above_min = true,
     .help = "How often a member learns a sample on average, for bagging_method \"bag\"."},
    {.name = "adwin_delta",
     .type = PARAM_REAL,
     .offset = offsetof(struct leveraging_params, adwin_delta),
     .fallback = 0.002,
     .min = 0,
     .max = 1,
     .above_min = true,
     .help = "Significance of the detectors: the smaller, the rarer a member is replaced."},
    {.name = "bagging_method",
     .type = PARAM_CHOICE,
     .offset = offsetof(struct leveraging_params, method),
     .fallback = METHOD_BAG,
     .choices = methods,
     .help =
         "How often a member learns a sample: Poisson of w, by its error, at the toss of a coin, "
         "at least once, at most once. River's release cannot run me and half."},
    BAGGING_PARAM_SEED,
};

const struct learn_class leveraging_bagging_classifier_class = {
    .name = "leveraging_bagging_classifier",
    .river = "ensemble.LeveragingBaggingClassifier",
    .help = "Bagging with more samples a member; when ADWIN finds that a member errs more than it "
            "did, the one that errs most is replaced.",
    .kind = LEARN_CLASSIFIER,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct leveraging_params),
    .check = check,
    .learner = &ops,
};
