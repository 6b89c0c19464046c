/*
 * One model's scores over all of its answers and, where that is asked for, over
 * windows of them: the last so many, and those of the last so many seconds.
 *
 * A window is River's utils.Rolling and utils.TimeRolling, but that its metrics are
 * made anew of the samples in it whenever they are asked for: nothing is taken
 * back, so no rounding adds up. That takes time in proportion to the window, and
 * 24 to 48 bytes a sample: of a window of time as many as come within it.
 */
#ifndef OXBOW_EVALUATE_SCORES_H
#define OXBOW_EVALUATE_SCORES_H

#include <stdint.h>

#include "base/err.h"
#include "learn/metric_set.h"
#include "learn/model.h"

struct scorecard;

enum scorecard_span {
    SCORECARD_ALL,
    SCORECARD_WINDOW,      /* the last samples that were scored */
    SCORECARD_TIME_WINDOW, /* scored after `seconds` before the latest answer */
    SCORECARD_SPANS
};

struct scorecard_options {
    enum model_kind kind;
    const char *metrics;   /* as metric_set_new() takes them */
    double threshold;      /* of the metrics ..._at_threshold; 0: 0.5 */
    uint64_t window;       /* samples; 0: no such window */
    double window_seconds; /* 0: no such window */
};

/* NULL: see metric_set_new(). */
struct scorecard *scorecard_new(const struct scorecard_options *options,
                                struct err *err) MUST_CHECK;
void scorecard_free(struct scorecard *s); /* NULL is fine */

/*
 * y and `predicted` as metric_set_update() takes them; `at` is when the answer came, of which
 * `second` is one second. Every model's answers come in the order of their times; one that is
 * earlier than the one before counts as if it came with that.
 */
void scorecard_update(struct scorecard *s, double y, double predicted, double at, double second);

/* The interval that it came with, if it had one: counted over all answers, in no window. */
void scorecard_update_interval(struct scorecard *s, double y, const struct issued *said);

/*
 * NULL: there is no such window. That of a window is valid until the next call for it: kappa_t
 * knows no label before the window, and roc_auc_exact and pr_auc are of the whole window.
 */
const struct metric_set *scorecard_of(struct scorecard *s, enum scorecard_span span);

/*
 * scorecard_of() every span, and the skill in it: 1 - loss / the baseline's loss
 * (metric_set_loss()), NaN where either has none.
 */
void scorecard_compare(struct scorecard *s, struct scorecard *baseline,
                       const struct metric_set *ret_metrics[SCORECARD_SPANS],
                       double ret_skill[SCORECARD_SPANS]);

#endif
