/* Online bagging, and what its kin share: see bagging.h. */
#include "learn/bagging.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "learn/classes.h"
#include "learn/exact_mean.h"
#include "learn/model.h"

_Static_assert(LEARN_MAX_MEMBERS <= EXACT_MEAN_MAX, "a mean of all members");

struct learner *bagging_create(const struct component *component, size_t n,
                               const struct adwin_params *watch)
{
    const struct bagging_params *params = component->params;
    struct bagging *bag = mem_zalloc(1, sizeof(*bag));
    size_t n_models = (size_t)params->n_models;

    bag->base.ops = component->class->learner;
    bag->base.n = n;
    bag->params = params;
    members_init(&bag->members, params->model, n_models, n);
    rng_seed(&bag->rng, params->seed == PARAM_NONE ? 0 : params->seed);
    if (component->class->kind == LEARN_CLASSIFIER)
        bag->seen = mem_zalloc(n_models, sizeof(*bag->seen));
    if (watch)
        bag->watch = mem_zalloc(n_models, sizeof(*bag->watch));
    for (size_t i = 0; watch && i < n_models; i++)
        adwin_init(&bag->watch[i], watch);
    return &bag->base;
}

static struct learner *plain_create(const struct component *component, size_t n)
{
    return bagging_create(component, n, NULL);
}

void bagging_free(struct learner *lrn)
{
    struct bagging *bag = (struct bagging *)lrn;

    for (size_t i = 0; bag->watch && i < bag->members.n; i++)
        adwin_release(&bag->watch[i]);
    members_release(&bag->members);
    free(bag->watch);
    free(bag->seen);
    free(bag);
}

/* Learning */

void bagging_teach(struct bagging *bag, size_t i, const double *x, double y, double weight,
                   uint64_t times)
{
    for (uint64_t k = 0; k < times; k++)
        learner_learn(bag->members.at[i], x, y, weight);
    if (!bag->seen || times == 0)
        return;
    if (y == 1 && bag->seen[i] == 0)
        bag->seen[i] = BAGGING_POSITIVE_FIRST;
    bag->seen[i] |= y == 1 ? BAGGING_SEEN_POSITIVE : BAGGING_SEEN_NEGATIVE;
}

static void plain_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct bagging *bag = (struct bagging *)lrn;

    for (size_t i = 0; i < bag->members.n; i++)
        bagging_teach(bag, i, x, y, weight, rng_poisson(&bag->rng, 1));
}

bool bagging_watch(struct bagging *bag, size_t i, double v)
{
    double before = adwin_mean(&bag->watch[i]);

    return adwin_update(&bag->watch[i], v) && adwin_mean(&bag->watch[i]) > before;
}

void bagging_replace(struct bagging *bag)
{
    size_t most = 0;

    for (size_t i = 1; i < bag->members.n; i++) {
        if (adwin_mean(&bag->watch[i]) > adwin_mean(&bag->watch[most]))
            most = i;
    }
    members_replace(&bag->members, most);
    adwin_clear(&bag->watch[most]);
    bag->seen[most] = 0;
    bag->n_replaced++;
}

/* Answering */

static double predict_mean(const struct learner *lrn, const double *x)
{
    const struct bagging *bag = (const struct bagging *)lrn;
    double of[LEARN_MAX_MEMBERS];

    for (size_t i = 0; i < bag->members.n; i++)
        of[i] = learner_predict(bag->members.at[i], x);
    return exact_mean(of, bag->members.n);
}

/*
 * Does River's dictionary of member i begin with the positive label? Where members disagree to a
 * tie, the label wins that the first of them names first: most classes name False first, and only
 * the labels that they know.
 */
static bool names_positive_first(const struct bagging *bag, size_t i, double p)
{
    unsigned seen = bag->seen[i];

    if (!(seen & BAGGING_POSITIVE_FIRST))
        return false;
    if (bag->members.component->class->first_label_first)
        return true;
    return p == 1 && !(seen & BAGGING_SEEN_NEGATIVE);
}

double bagging_predict_class(const struct learner *lrn, const double *x)
{
    const struct bagging *bag = (const struct bagging *)lrn;
    double of[2] = {0, 0};
    bool positive_first = false;
    bool found = false;

    for (size_t i = 0; i < bag->members.n; i++) {
        double p = learner_predict(bag->members.at[i], x);

        if (isnan(p))
            continue;
        if (!found)
            positive_first = names_positive_first(bag, i, p);
        found = true;
        if (p == MODEL_TIE_POSITIVE)
            p = 0.5;
        of[0] += 1 - p;
        of[1] += p;
    }
    if (!found)
        return (double)NAN;
    double negative = of[0] / (of[0] + of[1]);
    double positive = of[1] / (of[0] + of[1]);
    return negative == positive && positive_first ? MODEL_TIE_POSITIVE : positive;
}

/* Bytes */

size_t bagging_bytes(const struct learner *lrn)
{
    const struct bagging *bag = (const struct bagging *)lrn;
    size_t bytes = sizeof(*bag) + members_bytes(&bag->members);

    if (bag->seen)
        bytes += bag->members.n * sizeof(*bag->seen);
    for (size_t i = 0; bag->watch && i < bag->members.n; i++)
        bytes += adwin_bytes(&bag->watch[i]);
    return bytes;
}

/* The detectors' windows grow, too: room is kept for the longest. */
void bagging_set_max_bytes(struct learner *lrn, size_t max)
{
    struct bagging *bag = (struct bagging *)lrn;
    size_t fixed = sizeof(*bag);

    if (bag->seen)
        fixed += bag->members.n * sizeof(*bag->seen);
    if (bag->watch)
        fixed += bag->members.n * adwin_bytes_max(&bag->watch[0].params);
    members_set_max_bytes(&bag->members, max > fixed ? max - fixed : 0, bag->members.n);
}

void bagging_save(const struct learner *lrn, struct buf *out)
{
    const struct bagging *bag = (const struct bagging *)lrn;

    rng_save(&bag->rng, out);
    blob_write_u64(out, bag->n_replaced);
    for (size_t i = 0; i < bag->members.n; i++) {
        if (bag->seen)
            blob_write_u8(out, bag->seen[i]);
        if (bag->watch)
            adwin_save(&bag->watch[i], out);
    }
    members_save(&bag->members, out);
}

static void load_seen(struct bagging *bag, size_t i, struct blob_reader *in)
{
    uint8_t seen = blob_read_u8(in);

    if (seen > (BAGGING_SEEN_NEGATIVE | BAGGING_SEEN_POSITIVE | BAGGING_POSITIVE_FIRST))
        blob_fail(in, "a member has learned a label that there is not");
    bag->seen[i] = seen;
}

void bagging_load(struct learner *lrn, struct blob_reader *in)
{
    struct bagging *bag = (struct bagging *)lrn;

    rng_load(&bag->rng, in);
    bag->n_replaced = blob_read_u64(in);
    for (size_t i = 0; i < bag->members.n && !blob_failed(in); i++) {
        if (bag->seen)
            load_seen(bag, i, in);
        if (bag->watch)
            adwin_load(&bag->watch[i], in);
    }
    members_load(&bag->members, in);
}

void bagging_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out)
{
    const struct bagging *bag = (const struct bagging *)lrn;

    (void)schema;
    members_inspect(&bag->members, out);
    if (!bag->watch)
        return;
    buf_text(out, ",\"replaced\":");
    json_write_int(out, (int64_t)bag->n_replaced);
}

void bagging_set_kinds(struct learner *lrn, const enum feature_kind *kinds)
{
    members_set_kinds(&((struct bagging *)lrn)->members, kinds);
}

void bagging_set_schema(struct learner *lrn, const struct schema *schema)
{
    members_set_schema(&((struct bagging *)lrn)->members, schema);
}

/* The classes */

static const struct learner_ops regressor_ops = {
    .create = plain_create,
    .free = bagging_free,
    .clone = NULL,
    .learn = plain_learn,
    .predict = predict_mean,
    .save = bagging_save,
    .load = bagging_load,
    .bytes = bagging_bytes,
    .set_max_bytes = bagging_set_max_bytes,
    .inspect = bagging_inspect,
    .explain = NULL,
    .set_kinds = bagging_set_kinds,
    .set_schema = bagging_set_schema,
};

static const struct learner_ops classifier_ops = {
    .create = plain_create,
    .free = bagging_free,
    .clone = NULL,
    .learn = plain_learn,
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

static const struct learn_param regressor_params[] = {
    BAGGING_PARAMS_MODEL(LEARN_REGRESSOR, "linear_regression", "The regressor of each member;"),
    BAGGING_PARAM_SEED,
};

static const struct learn_param classifier_params[] = {
    BAGGING_PARAMS_MODEL(LEARN_CLASSIFIER, "logistic_regression", "The classifier of each member;"),
    BAGGING_PARAM_SEED,
};

const struct learn_class bagging_regressor_class = {
    .name = "bagging_regressor",
    .river = "ensemble.BaggingRegressor",
    .help = "Regressors that each learn a sample a random number of times; the mean of them.",
    .kind = LEARN_REGRESSOR,
    .params = regressor_params,
    .n_params = sizeof(regressor_params) / sizeof(regressor_params[0]),
    .params_size = sizeof(struct bagging_params),
    .learner = &regressor_ops,
};

const struct learn_class bagging_classifier_class = {
    .name = "bagging_classifier",
    .river = "ensemble.BaggingClassifier",
    .help = "Classifiers that each learn a sample a random number of times; the mean of them.",
    .kind = LEARN_CLASSIFIER,
    .params = classifier_params,
    .n_params = sizeof(classifier_params) / sizeof(classifier_params[0]),
    .params_size = sizeof(struct bagging_params),
    .learner = &classifier_ops,
};
