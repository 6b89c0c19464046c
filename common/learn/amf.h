/*
 * What amf_regressor and amf_classifier share: a forest of Mondrian trees that each
 * learn every sample, from seeds drawn from the forest's (River's AMFLearner).
 *
 * The bound of max_bytes is shared out equally: it comes to a number of nodes a
 * tree, above which a tree is not split any more, as above River's max_nodes.
 * `inspect` says how many trees are there, and how many samples they learned so.
 */
#ifndef OXBOW_LEARN_AMF_H
#define OXBOW_LEARN_AMF_H

#include "learn/learner_backend.h"
#include "learn/mondrian.h"
#include "learn/registry.h"

struct amf_params {
    uint64_t n_estimators;
    double step;
    bool use_aggregation;
    double dirichlet; /* of the classifier alone, and split_pure, too */
    bool split_pure;
    uint64_t max_nodes; /* or PARAM_NONE */
    uint64_t seed;      /* or PARAM_NONE */
};

struct amf {
    struct learner base;
    const struct amf_params *params;
    struct mondrian_rules rules;
    size_t *by_name;
    size_t n_trees;
    struct mondrian trees[];
};

/* Before that River says nothing. */
static inline bool amf_has_learned(const struct amf *amf)
{
    return amf->trees[0].nodes[0].n > 0;
}

/* For the slots of struct learner_ops. */
struct learner *amf_create(const struct component *component, size_t n);
void amf_free(struct learner *lrn);
void amf_learn(struct learner *lrn, const double *x, double y, double weight);
void amf_save(const struct learner *lrn, struct buf *out);
void amf_load(struct learner *lrn, struct blob_reader *in);
size_t amf_bytes(const struct learner *lrn);
void amf_set_max_bytes(struct learner *lrn, size_t max);
void amf_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out);
void amf_explain(const struct learner *lrn, const double *x, struct explanation *ex);
void amf_set_schema(struct learner *lrn, const struct schema *schema);

#define AMF_PARAM(field) .name = #field, .offset = offsetof(struct amf_params, field)
#define AMF_STEP_MAX     1e6
#define AMF_PARAMS                                                                                 \
    {AMF_PARAM(n_estimators),                                                                      \
     .type = PARAM_COUNT,                                                                          \
     .fallback = 10,                                                                               \
     .min = 1,                                                                                     \
     .max = LEARN_MAX_MEMBERS,                                                                     \
     .multiplies = true,                                                                           \
     .help = "How many trees there are."},                                                         \
        {AMF_PARAM(step), .type = PARAM_REAL, .fallback = 1, .max = AMF_STEP_MAX,                  \
         .help = "How fast the weights of the nodes follow their losses."},                        \
        {AMF_PARAM(use_aggregation), .type = PARAM_FLAG, .fallback = 1,                            \
         .help = "A tree answers with a weighted mean over all nodes on the way, not with its "    \
                 "leaf alone."},                                                                   \
        {AMF_PARAM(max_nodes),                                                                     \
         .type = PARAM_COUNT,                                                                      \
         .optional = true,                                                                         \
         .min = 1,                                                                                 \
         .max = 1e9,                                                                               \
         .help = "A tree with so many nodes is not split any more; max_model_bytes may say so "    \
                 "earlier."},                                                                      \
    {                                                                                              \
        AMF_PARAM(seed),                                                                           \
            .type = PARAM_COUNT, .optional = true, .max = 9007199254740992.0,                      \
            .help =                                                                                \
                "Of the random numbers, which are Python's; null is 0: a model is made the same "  \
                "twice."                                                                           \
    }

#endif
