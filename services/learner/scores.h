/*
 * What a learner counts about one model, as JSON beside each of its versions.
 *
 * Two scores. The progressive one: each row is predicted just before it is
 * learned, over all rows and over the last ones; equal to River's progressive
 * validation. The served one: the prediction that was logged with the row
 * against its label, staleness and all. A prediction that is not finite cannot
 * be scored: it is left out of both, and shows as a smaller `n`.
 *
 * Of a binary task the numbers above are those of P(positive) against 1 or 0 (`rmse`
 * squared is the Brier score), and there are besides, once progressive and once
 * served, the scores of labels and log_loss (metrics_binary.h), which is also known
 * of the last rows; predictions that do not tell anything yet are counted as `unscored`.
 *
 * Of a model that issues intervals there are besides, of all labels whose row carries one: how many
 * of them lie within theirs (`interval_coverage`, and of the newest `interval_coverage_window`) and
 * how wide those are in the mean; nothing of it before the first.
 *
 * The text carries the exact state under "state", so that a learner that
 * restarts goes on to the last bit.
 */
#ifndef OXBOW_LEARNER_SCORES_H
#define OXBOW_LEARNER_SCORES_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "learn/issued.h"
#include "learn/metrics.h"
#include "learn/metrics_binary.h"

/* Of a binary task; the labels that River's argmax takes, and those above the threshold. */
struct label_scores {
    struct metrics_labels argmax;
    struct metrics_labels threshold;
    double n;        /* scored */
    double unscored; /* predictions of NaN */
    double log_loss; /* mean */
};

/* Of intervals that went out. */
struct interval_scores {
    double n;
    double inside;                /* labels within theirs */
    double width;                 /* mean */
    struct metrics_window window; /* 1 for each label within, 0 for each outside */
};

struct scores {
    struct metrics all;
    struct metrics served;
    struct metrics_window window; /* of the progressive errors */

    bool is_binary;
    double threshold;
    struct label_scores labels;
    struct label_scores labels_served;
    struct metrics_window log_losses; /* progressive, as many as in `window` */

    struct interval_scores intervals;
};

/* Lifecycle */

void scores_init(struct scores *s, size_t window);          /* window > 0 */
void scores_set_binary(struct scores *s, double threshold); /* they are of a binary task */
void scores_release(struct scores *s);

/* Use */

/* `served` is NaN when the row has no logged prediction of this model. */
void scores_update(struct scores *s, double label, double predicted, double served);

/* Of a binary task besides; `served` is NaN as well when what was served could not tell. */
void scores_update_labels(struct scores *s, double label, double predicted, double served);

/* The interval that the row carries; one without is not counted. */
void scores_update_interval(struct scores *s, double label, const struct issued *served);

/* Which part of the labels lay within their intervals, of all or of the newest; NaN before the
 * first. */
double scores_coverage(const struct scores *s);
double scores_coverage_window(const struct scores *s);

/* Appends the members that people read, without braces: `"mae":...,"rmse":...`; null where n is 0.
 */
void scores_write_members(const struct scores *s, struct buf *out);

/* Saving */

/* Appends the whole object: those members and "state". */
void scores_write(const struct scores *s, struct buf *out);

/*
 * Reads what scores_write() wrote into scores fresh from _init; a shorter window keeps the newest
 * errors. ERR_CORRUPT.
 */
int scores_read(struct scores *s, const char *text, struct err *err) MUST_CHECK;

#endif
