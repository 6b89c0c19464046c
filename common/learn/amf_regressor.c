/*
 * An aggregated Mondrian forest for numbers (River's forest.AMFRegressor; Mourtada,
 * Gaïffas and Scornet 2021): the mean of what its trees expect. The trees are
 * mondrian.h's, the forest is amf.h's. A sample's weight does not count, as in River.
 */
#include <math.h>

#include "learn/amf.h"
#include "learn/classes.h"
#include "learn/component.h"

static double predict(const struct learner *lrn, const double *x)
{
    const struct amf *amf = (const struct amf *)lrn;
    uint32_t leaves[LEARN_MAX_MEMBERS];
    double sum = 0;

    if (!amf_has_learned(amf))
        return (double)NAN;
    mondrian_find(amf->trees, amf->n_trees, x, leaves);
    for (size_t i = 0; i < amf->n_trees; i++)
        sum += mondrian_predict(&amf->trees[i], &amf->rules, leaves[i]);
    return sum / (double)amf->n_trees;
}

static const struct learner_ops ops = {
    .create = amf_create,
    .free = amf_free,
    .clone = NULL,
    .learn = amf_learn,
    .predict = predict,
    .save = amf_save,
    .load = amf_load,
    .bytes = amf_bytes,
    .set_max_bytes = amf_set_max_bytes,
    .inspect = amf_inspect,
    .explain = amf_explain,
    .set_kinds = NULL,
    .set_schema = amf_set_schema,
};

static const struct learn_param params[] = {AMF_PARAMS};

const struct learn_class amf_regressor_class = {
    .name = "amf_regressor",
    .river = "forest.AMFRegressor",
    .help = "An aggregated Mondrian forest: trees that split at random, each answering with a "
            "weighted mean of its prunings; wants features of one scale (min_max_scaler).",
    .kind = LEARN_REGRESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct amf_params),
    .learner = &ops,
};
