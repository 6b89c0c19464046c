/*
 * Scores by name: what `--metrics mae,rmse` asks for, kept together so that what
 * several of them are made of is counted once.
 *
 * Names are River's in snake_case. A prediction that is no number (a classifier's
 * before its first label, a regressor's that has diverged) is counted as unscored
 * and goes into none of them.
 */
#ifndef OXBOW_LEARN_METRIC_SET_H
#define OXBOW_LEARN_METRIC_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "learn/model.h"

#define METRIC_SET_MAX    24
#define METRIC_SET_WINDOW 1000 /* samples of roc_auc_exact and pr_auc */

struct metric_set;

struct metric_info {
    const char *name;
    const char *river; /* the class in River that it equals; "" for none */
    const char *help;  /* one sentence */
    bool is_better_above;
};

/* Lifecycle */

/* Names with commas between; NULL: the usual ones. ERR_INVALID: unknown, with the nearest known. */
struct metric_set *metric_set_new(enum model_kind kind, const char *names,
                                  struct err *err) MUST_CHECK;
void metric_set_free(struct metric_set *set); /* NULL is fine */

/* Above which probability the metrics ..._at_threshold say 1; before the first sample, 0.5 else. */
void metric_set_threshold(struct metric_set *set, double threshold);

/* How many samples roc_auc_exact and pr_auc are of; before the first, METRIC_SET_WINDOW else. */
void metric_set_ranked(struct metric_set *set, size_t size); /* size > 0 */

/* Use */

/* y is finite; of a classifier 0 or 1, and `predicted` the probability of 1. */
void metric_set_update(struct metric_set *set, double y, double predicted);

/*
 * The interval that the prediction came with, if it had one; beside the update of its sample. Of
 * all such samples metric_set_coverage() is the part whose label lay within, and _width() how wide
 * the intervals were in the mean: NaN before the first.
 */
void metric_set_update_interval(struct metric_set *set, double y, const struct issued *said);
double metric_set_coverage(const struct metric_set *set);
double metric_set_width(const struct metric_set *set);

/*
 * NaN before the first sample, and for rmsle once a label or prediction was not above -1, where
 * River raises an error.
 */
double metric_set_get(const struct metric_set *set, size_t i);

/* What models are compared with a baseline by: mae, or log_loss. Whatever was asked for. */
double metric_set_loss(const struct metric_set *set);

/* Introspection */

size_t metric_set_size(const struct metric_set *set);
const struct metric_info *metric_set_info(const struct metric_set *set, size_t i);
uint64_t metric_set_scored(const struct metric_set *set);
uint64_t metric_set_unscored(const struct metric_set *set);

/* Every metric of a kind; NULL behind the last. */
const struct metric_info *metric_known(enum model_kind kind, size_t i);

#endif
