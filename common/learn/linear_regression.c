/* Linear regression by gradient descent: see linear.h. */
#include "learn/classes.h"
#include "learn/linear.h"

static double regression_predict(const struct learner *lrn, const double *x)
{
    return linear_raw((const struct linear *)lrn, x);
}

static const struct learner_ops ops = {
    .create = linear_create,
    .free = linear_free,
    .clone = linear_clone,
    .learn = linear_learn,
    .predict = regression_predict,
    .save = linear_save,
    .load = linear_load,
    .bytes = linear_bytes,
    .set_max_bytes = NULL,
    .inspect = linear_inspect,
    .explain = linear_explain,
};

static const char *regression_check(const void *p)
{
    const struct linear_params *params = p;

    if (loss_is_binary(params->loss) || loss_is_of_labels(params->loss))
        return "loss is one for classifiers: write squared, absolute, huber, quantile or "
               "epsilon_insensitive_hinge";
    return linear_check(params);
}

static const struct learn_param params[] = {LINEAR_PARAMS("squared")};

const struct learn_class linear_regression_class = {
    .name = "linear_regression",
    .river = "linear_model.LinearRegression",
    .help = "A weight a feature and an intercept, by gradient descent.",
    .kind = LEARN_REGRESSOR,
    .fixed_size = true,
    .is_smooth = true,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct linear_params),
    .check = regression_check,
    .learner = &ops,
};
