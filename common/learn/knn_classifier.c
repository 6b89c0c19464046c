/*
 * k nearest neighbours for two classes (River's KNNClassifier with the exact engine
 * LazySearch): each of the nearest votes for its label, by 1 / distance when
 * weighted; a row that is the same as the sample decides alone, of several the
 * oldest. NaN before the first label. A sample's weight does not count, as in River.
 *
 * With softmax the sums of votes go through it rather than through a division: a label
 * that was ever learned then has a share, without a vote, too. Which were is in the state
 * only then.
 */
#include <math.h>

#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/knn_internal.h"

/* Of two sums of votes, River's utils.math.softmax() of the labels learned so far. */
static double softmax(const struct knn *knn, const double votes[2])
{
    double most = fmax(votes[0], votes[1]);
    double negative = exp(votes[0] - most);
    double positive = exp(votes[1] - most);

    if (!knn->learned[0] || !knn->learned[1])
        return knn->learned[1];
    return isnan(positive + negative) ? 0.5 : positive / (negative + positive);
}

static double of_votes(const struct knn *knn, const double votes[2])
{
    if (knn->params->softmax)
        return softmax(knn, votes);
    if (votes[0] + votes[1] == 0) /* all infinitely far: River divides by zero */
        return 0.5;
    return votes[1] / (votes[0] + votes[1]);
}

/*
 * What each neighbour's label is multiplied by; a row at distance 0 leaves only itself in `s`.
 * Returns what the answer is without any of them.
 */
static double shares(const struct knn *knn, struct search *s, double *ret)
{
    double votes[2] = {0, 0};
    double p;

    if (s->found[0].dist == 0) {
        s->n = 1;
        ret[0] = 1;
        return 0;
    }
    for (size_t i = 0; i < s->n; i++) {
        ret[i] = knn->params->weighted ? 1 / s->found[i].dist : 1;
        votes[s->found[i].y == 1] += ret[i];
    }
    if (knn->params->softmax) {
        p = softmax(knn, votes);
        for (size_t i = 0; i < s->n; i++)
            ret[i] *= s->found[i].y == 1 ? p / votes[1] : (1 - p) / votes[0];
        return votes[1] > 0 ? 0 : p;
    }
    for (size_t i = 0; i < s->n; i++)
        ret[i] /= votes[0] + votes[1];
    return 0;
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
    return of_votes(knn, votes);
}

static void classifier_learn(struct learner *lrn, const double *x, double y, double weight)
{
    knn_learn(lrn, x, y, weight);
    ((struct knn *)lrn)->learned[y == 1] = true;
}

static void classifier_save(const struct learner *lrn, struct buf *out)
{
    const struct knn *knn = (const struct knn *)lrn;

    knn_save(lrn, out);
    for (size_t label = 0; knn->params->softmax && label < 2; label++)
        blob_write_u8(out, knn->learned[label]);
}

static void classifier_load(struct learner *lrn, struct blob_reader *in)
{
    struct knn *knn = (struct knn *)lrn;

    knn_load(lrn, in);
    for (size_t label = 0; knn->params->softmax && label < 2; label++)
        knn->learned[label] = blob_read_u8(in) == 1;
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
    ex->base = shares(knn, &s, share);
    knn_explain_by(knn, &s, share, ex);
}

static const struct learner_ops ops = {
    .create = knn_create,
    .free = knn_free,
    .clone = NULL,
    .learn = classifier_learn,
    .predict = classifier_predict,
    .save = classifier_save,
    .load = classifier_load,
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
    {PARAM(softmax), .type = PARAM_FLAG, .late = true,
     .help = "Votes become probabilities by the softmax function, and not by a division."},
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
