/*
 * k nearest neighbours for two classes (River's KNNClassifier with the exact engine
 * LazySearch): each of the nearest votes for its label, by 1 / distance when
 * weighted; a row that is the same as the sample decides alone, of several the
 * oldest. NaN before the first label. A sample's weight does not count, as in River.
 */
#include <math.h>

#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/knn_internal.h"

/* What each neighbour's label is multiplied by; a row at distance 0 leaves only itself in `s`. */
static void shares(const struct knn *knn, struct search *s, double *ret)
{
    double votes[2] = {0, 0};

    if (s->found[0].dist == 0) {
        s->n = 1;
        ret[0] = 1;
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        ret[i] = knn->params->weighted ? 1 / s->found[i].dist : 1;
        votes[s->found[i].y == 1] += ret[i];
    }
    for (size_t i = 0; i < s->n; i++)
        ret[i] /= votes[0] + votes[1];
}

static double classifier_predict(const struct learner *lrn, const double *x)
{
    const struct knn *knn = (const struct knn *)lrn;
    double votes[2] = {0, 0};
    struct search s;

    if (knn->count == 0)
        return (double)NAN;
    knn_search(knn, x, &s);
    if (s.found[0].dist == 0)
        return s.found[0].y == 1;
    for (size_t i = 0; i < s.n; i++)
        votes[s.found[i].y == 1] += knn->params->weighted ? 1 / s.found[i].dist : 1;
    if (votes[0] + votes[1] == 0) /* all infinitely far: River divides by zero */
        return 0.5;
    return votes[1] / (votes[0] + votes[1]);
}

static void classifier_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    const struct knn *knn = (const struct knn *)lrn;
    double share[KNN_NEIGHBORS_MAX];
    struct search s;

    ex->has_neighbours = true;
    ex->base_name = "zero";
    if (knn->count == 0) {
        ex->base = (double)NAN;
        return;
    }
    knn_search(knn, x, &s);
    shares(knn, &s, share);
    knn_explain_by(knn, &s, share, ex);
}

static const struct learner_ops ops = {
    .create = knn_create,
    .free = knn_free,
    .clone = NULL,
    .learn = knn_learn,
    .predict = classifier_predict,
    .save = knn_save,
    .load = knn_load,
    .bytes = knn_bytes,
    .set_max_bytes = knn_set_max_bytes,
    .inspect = knn_inspect,
    .explain = classifier_explain,
    .set_kinds = NULL,
};

#define PARAM(field) .name = #field, .offset = offsetof(struct knn_params, field)

static const struct learn_param params[] = {
    {PARAM(n_neighbors), .type = PARAM_COUNT, .fallback = 5, .min = 1, .max = KNN_NEIGHBORS_MAX,
     .help = "How many of the nearest samples vote."},
    {PARAM(window_size), .type = PARAM_COUNT, .fallback = 1000, .min = 1, .max = KNN_WINDOW_MAX,
     .help = "How many of the last samples are kept; fewer when max_model_bytes says so."},
    {PARAM(weighted), .type = PARAM_FLAG, .fallback = 1,
     .help = "A vote weighs 1 / distance; all weigh the same otherwise."},
};

const struct learn_class knn_classifier_class = {
    .name = "knn_classifier",
    .river = "neighbors.KNNClassifier(engine=neighbors.LazySearch(window_size))",
    .help = "The nearest among the last samples vote for their labels.",
    .kind = LEARN_CLASSIFIER,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct knn_params),
    .learner = &ops,
};
