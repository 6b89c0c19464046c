/*
 * Online bagging (Oza and Russell 2001: "Online bagging and boosting"; River's
 * ensemble.Bagging*): members of one class that each learn a sample a random number
 * of times, and answer together.
 *
 *     bagging.c               once on average (Poisson of 1)
 *     adwin_bagging.c         the same, and a window of ADWIN over each member's answers:
 *                             a member is replaced when one of them changes
 *     leveraging_bagging.c    the same with more samples: six times on average
 *
 * The draws are Python's random.Random(seed), in River's order; the answers are those of River: the
 * mean of a regressor is rounded once (exact_mean.h), of a classifier the probabilities are added,
 * and divided by their sum.
 *
 * This is what those files share; users go through learner.h.
 */
#ifndef OXBOW_LEARN_BAGGING_H
#define OXBOW_LEARN_BAGGING_H

#include "learn/adwin.h"
#include "learn/members.h"
#include "learn/rng.h"

/* The struct of parameters of each of these classes begins with it. */
struct bagging_params {
    struct component *model;
    uint64_t n_models;
    uint64_t seed; /* PARAM_NONE: 0 */
};

struct bagging {
    struct learner base;
    const struct bagging_params *params;
    struct members members;
    struct rng rng;
    unsigned char *seen; /* a member: what labels it has learned; of a regressor NULL */
    struct adwin *watch; /* a member; NULL: none is watched */
    uint64_t n_replaced; /* members, ever */
};

/* What a member has learned; bits. */
#define BAGGING_SEEN_NEGATIVE  1
#define BAGGING_SEEN_POSITIVE  2
#define BAGGING_POSITIVE_FIRST 4 /* and that before any negative */

/* Slots of struct learner_ops */

void bagging_free(struct learner *lrn);
void bagging_save(const struct learner *lrn, struct buf *out);
void bagging_load(struct learner *lrn, struct blob_reader *in);
size_t bagging_bytes(const struct learner *lrn);
void bagging_set_max_bytes(struct learner *lrn, size_t max);
void bagging_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out);
void bagging_set_kinds(struct learner *lrn, const enum feature_kind *kinds);
void bagging_set_schema(struct learner *lrn, const struct schema *schema);
double bagging_predict_class(const struct learner *lrn, const double *x);

/* Use */

/* Of a component whose parameters begin with struct bagging_params; `watch` NULL: none. */
struct learner *bagging_create(const struct component *component, size_t n,
                               const struct adwin_params *watch);

/* Member i learns the sample `times` times. */
void bagging_teach(struct bagging *bag, size_t i, const double *x, double y, double weight,
                   uint64_t times);

/* Member i's detector takes v; true when it found a drift to a higher mean. */
bool bagging_watch(struct bagging *bag, size_t i, double v);

/* The member with the highest mean is replaced, and its detector with it. */
void bagging_replace(struct bagging *bag);

/* What each table of parameters begins with, and what it ends with. */
#define BAGGING_PARAMS_MODEL(model_kind, model_class, model_help)                                  \
    {.name = "model",                                                                              \
     .type = PARAM_CLASS,                                                                          \
     .offset = offsetof(struct bagging_params, model),                                             \
     .kind = (model_kind),                                                                         \
     .fallback_class = (model_class),                                                              \
     .may_grow = true,                                                                             \
     .help = model_help " River has no default."},                                                 \
    {                                                                                              \
        .name = "n_models", .type = PARAM_COUNT,                                                   \
        .offset = offsetof(struct bagging_params, n_models), .fallback = 10, .min = 2,             \
        .max = LEARN_MAX_MEMBERS, .multiplies = true, .help = "How many members there are.",       \
    }

#define BAGGING_PARAM_SEED                                                                         \
    {                                                                                              \
        .name = "seed", .type = PARAM_COUNT, .offset = offsetof(struct bagging_params, seed),      \
        .max = 9007199254740991.0, .optional = true,                                               \
        .help = "Of the random numbers, which are Python's; null is 0: a model is made the same "  \
                "twice.",                                                                          \
    }

#endif
