/*
 * An aggregated Mondrian forest for labels (River's forest.AMFClassifier; Mourtada,
 * Gaïffas and Scornet 2021): the mean of the probabilities that its trees give. The
 * trees are mondrian.h's, the forest is amf.h's. A sample's weight does not count, as
 * in River.
 */
#include <math.h>

#include "learn/amf.h"
#include "learn/classes.h"
#include "learn/component.h"
#include "learn/model.h"

/*
 * River's answer is its argmax over sums that are 1 only but for rounding: where that and the
 * probability of label 1 alone do not agree, the probability gives way by the last bit.
 */
static double predict(const struct learner *lrn, const double *x)
{
    const struct amf *amf = (const struct amf *)lrn;
    uint32_t leaves[LEARN_MAX_MEMBERS];
    double sums[2] = {0, 0};

    if (!amf_has_learned(amf))
        return (double)NAN;
    mondrian_find(amf->trees, amf->n_trees, x, leaves);
    for (size_t i = 0; i < amf->n_trees; i++) {
        double scores[2];

        mondrian_scores(&amf->trees[i], &amf->rules, leaves[i], scores);
        sums[0] += scores[0] / (double)amf->n_trees;
        sums[1] += scores[1] / (double)amf->n_trees;
    }
    return sums[1] > sums[0] ? fmin(fmax(sums[1], MODEL_TIE_POSITIVE), 1) : fmin(sums[1], 0.5);
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

static const struct learn_param params[] = {
    AMF_PARAMS,
    {AMF_PARAM(dirichlet), .type = PARAM_REAL, .fallback = 0.5, .above_min = true, .max = 1e6,
     .help = "Added to the count of each label in a node."},
    {AMF_PARAM(split_pure), .type = PARAM_FLAG, .fallback = 0,
     .help = "Nodes that have only samples of one label are split, too."},
};

const struct learn_class amf_classifier_class = {
    .name = "amf_classifier",
    .river = "forest.AMFClassifier",
    .help = "An aggregated Mondrian forest: trees that split at random, each answering with a "
            "weighted mean of its prunings; wants features of one scale (min_max_scaler).",
    .kind = LEARN_CLASSIFIER,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct amf_params),
    .learner = &ops,
};
