/*
 * Logistic regression by gradient descent: see linear.h. The raw prediction is the
 * log-odds of a positive label; before the first label it is intercept_init, and
 * the answer 0.5 as a rule, as in River.
 */
#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/linear.h"

static double logistic_predict(const struct learner *lrn, const double *x)
{
    return loss_sigmoid(linear_raw((const struct linear *)lrn, x));
}

static void logistic_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    linear_explain(lrn, x, ex);
    ex->is_log_odds = true;
}

static const struct learner_ops ops = {
    .create = linear_create,
    .free = linear_free,
    .clone = linear_clone,
    .learn = linear_learn,
    .predict = logistic_predict,
    .save = linear_save,
    .load = linear_load,
    .bytes = linear_bytes,
    .set_max_bytes = NULL,
    .inspect = linear_inspect,
    .explain = logistic_explain,
};

static const char *logistic_check(const void *p)
{
    const struct linear_params *params = p;

    if (!loss_is_binary(params->loss))
        return "loss is one for regressors: write log or hinge";
    return linear_check(params);
}

static const struct learn_param params[] = {LINEAR_PARAMS("log")};

const struct learn_class logistic_regression_class = {
    .name = "logistic_regression",
    .river = "linear_model.LogisticRegression",
    .help = "The log-odds by a weight a feature and an intercept, by gradient descent.",
    .kind = LEARN_CLASSIFIER,
    .fixed_size = true,
    .is_smooth = true,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct linear_params),
    .check = logistic_check,
    .learner = &ops,
};
