/* Loss functions: see loss.h. */
#include "learn/loss.h"

#include <math.h>

#include "learn/classes.h"
#include "learn/component.h"

struct loss_params {
    double a;
    double b;
};

/* Where the exponential of log's margin is as good as 0 or infinite, for River. */
#define FAR 18.0

#define CERTAIN 1e-15 /* cross_entropy: probabilities are kept so far from 0 and 1 */

bool loss_is_binary(const struct component *component)
{
    return component->class == &log_class || component->class == &hinge_class;
}

bool loss_is_of_labels(const struct component *component)
{
    return component->class == &cross_entropy_class;
}

struct loss loss_of(const struct component *component)
{
    static const struct {
        const struct learn_class *class;
        enum loss_kind kind;
    } kinds[] = {
        {&squared_class, LOSS_SQUARED},
        {&absolute_class, LOSS_ABSOLUTE},
        {&huber_class, LOSS_HUBER},
        {&quantile_class, LOSS_QUANTILE},
        {&epsilon_insensitive_hinge_class, LOSS_EPSILON_INSENSITIVE_HINGE},
        {&log_class, LOSS_LOG},
        {&hinge_class, LOSS_HINGE},
        {&cross_entropy_class, LOSS_CROSS_ENTROPY},
    };
    const struct loss_params *params = component->params;
    struct loss loss = {.kind = LOSS_SQUARED};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].class == component->class)
            loss.kind = kinds[i].kind;
    }
    if (component->class->n_params) {
        loss.a = params->a;
        loss.b = params->b;
    }
    return loss;
}

double loss_sigmoid(double p)
{
    if (p < -30)
        return 0;
    if (p > 30)
        return 1;
    return 1 / (1 + exp(-p));
}

static double log_gradient(const struct loss *loss, double y, double p)
{
    double t = y == 0 ? -1 : 1;
    double weight = y == 0 ? loss->b : loss->a;
    double z = p * t;

    if (z > FAR)
        return weight * exp(-z) * -t;
    if (z < -FAR)
        return weight * -t;
    return weight * -t / (exp(z) + 1.0);
}

double loss_of_label(const struct loss *loss, int label, double p, bool is_true)
{
    if (p < CERTAIN)
        p = CERTAIN;
    if (p > 1 - CERTAIN)
        p = 1 - CERTAIN;
    return (label ? loss->a : loss->b) * (p - is_true);
}

static double huber_gradient(const struct loss *loss, double r)
{
    if (fabs(r) <= loss->a)
        return r;
    return r > 0 ? loss->a : -loss->a;
}

static double insensitive_gradient(const struct loss *loss, double t, double p)
{
    if (p > t + loss->a)
        return 1;
    return p + loss->a < t ? -1 : 0;
}

double loss_slope(const struct loss *loss, double y, double p)
{
    switch (loss->kind) {
    case LOSS_SQUARED:
        return 2 * (p - y);
    case LOSS_ABSOLUTE:
        return p > y ? 1 : -1;
    case LOSS_HUBER:
        return huber_gradient(loss, p - y);
    case LOSS_QUANTILE:
        return (y < p ? 1 : 0) - loss->a;
    case LOSS_EPSILON_INSENSITIVE_HINGE:
        return insensitive_gradient(loss, y * 2 - 1, p);
    case LOSS_LOG:
        return log_gradient(loss, y, p);
    case LOSS_HINGE:
    case LOSS_CROSS_ENTROPY: /* never asked for one */
        break;
    }

    double t = y * 2 - 1;

    return t * p <= loss->a ? -t : 0;
}

/* The classes */

#define A(param_name)                                                                              \
    .name = (param_name), .type = PARAM_REAL, .offset = offsetof(struct loss_params, a)
#define B(param_name)                                                                              \
    .name = (param_name), .type = PARAM_REAL, .offset = offsetof(struct loss_params, b)
#define LOSS(class_name, river_name, sentence)                                                     \
    .name = (class_name), .river = (river_name), .help = (sentence), .kind = LEARN_LOSS
#define PARAMS(list)                                                                               \
    .params = (list), .n_params = sizeof(list) / sizeof((list)[0]),                                \
    .params_size = sizeof(struct loss_params)

const struct learn_class squared_class = {
    LOSS("squared", "optim.losses.Squared", "The squared error: towards the mean."),
};

const struct learn_class absolute_class = {
    LOSS("absolute", "optim.losses.Absolute", "The absolute error: towards the median."),
};

static const struct learn_param huber_params[] = {
    {A("epsilon"), .fallback = 0.1, .max = 1e12,
     .help = "Errors up to this are squared, larger ones count by their size."},
};

const struct learn_class huber_class = {
    LOSS("huber", "optim.losses.Huber", "Squared for small errors, absolute for large ones."),
    PARAMS(huber_params),
};

static const struct learn_param quantile_params[] = {
    {A("alpha"), .fallback = 0.5, .max = 1, .help = "The quantile to predict."},
};

const struct learn_class quantile_class = {
    LOSS("quantile", "optim.losses.Quantile", "The pinball loss: towards a quantile."),
    PARAMS(quantile_params),
};

static const struct learn_param insensitive_params[] = {
    {A("eps"), .fallback = 0.1, .max = 1e12, .help = "Errors up to this cost nothing."},
};

const struct learn_class epsilon_insensitive_hinge_class = {
    LOSS("epsilon_insensitive_hinge", "optim.losses.EpsilonInsensitiveHinge",
         "Absolute beyond a margin, for labels 0 and 1, which it takes as -1 and 1."),
    PARAMS(insensitive_params),
};

static const struct learn_param log_params[] = {
    {A("weight_pos"), .fallback = 1, .max = 1e6, .help = "Weight of positive labels."},
    {B("weight_neg"), .fallback = 1, .max = 1e6, .help = "Weight of negative labels."},
};

const struct learn_class log_class = {
    LOSS("log", "optim.losses.Log", "The logarithmic loss, for classifiers."),
    PARAMS(log_params),
};

static const struct learn_param hinge_params[] = {
    {A("threshold"), .fallback = 1, .max = 1e6,
     .help = "The margin: 1 as in a support vector machine, 0 as in a perceptron."},
};

const struct learn_class hinge_class = {
    LOSS("hinge", "optim.losses.Hinge", "The hinge loss, for classifiers."),
    PARAMS(hinge_params),
};

static const struct learn_param cross_entropy_params[] = {
    {A("weight_pos"), .fallback = 1, .max = 1e6, .help = "River's class_weight of label 1."},
    {B("weight_neg"), .fallback = 1, .max = 1e6, .help = "Of label 0."},
};

const struct learn_class cross_entropy_class = {
    LOSS("cross_entropy", "optim.losses.CrossEntropy",
         "The logarithmic loss over labels that have a score each, for softmax_regression."),
    PARAMS(cross_entropy_params),
};
