/*
 * How well one member of an ensemble has done so far: what its vote weighs.
 *
 * A plain struct, which is its whole state; all zero has seen nothing. Which of the
 * metrics is asked for is a parameter of the ensemble, one of the names below;
 * each is River's metric of that name, by its formula (metrics.h, metrics_binary.h).
 */
#ifndef OXBOW_LEARN_MEMBER_METRIC_H
#define OXBOW_LEARN_MEMBER_METRIC_H

#include "base/buf.h"
#include "learn/blob.h"
#include "learn/metrics.h"
#include "learn/metrics_binary.h"

enum { MEMBER_MAE, MEMBER_MSE, MEMBER_RMSE, MEMBER_R2 };
extern const char *const member_metric_numbers[]; /* names, by the above; ends with NULL */

enum {
    MEMBER_ACCURACY,
    MEMBER_BALANCED_ACCURACY,
    MEMBER_PRECISION,
    MEMBER_RECALL,
    MEMBER_F1,
    MEMBER_MCC,
    MEMBER_COHEN_KAPPA,
};
extern const char *const member_metric_labels[];

struct member_metric {
    struct metrics numbers;       /* of a regressor */
    struct metrics_labels labels; /* of a classifier */
    double missed[2];             /* of member_metric_miss(), by label */
};

/* Of a regressor that predicted p; a p that is not finite is passed over. */
void member_metric_update(struct member_metric *m, double y, double p);

/* Of a classifier that predicted probability p of label 1; NaN, no prediction, is passed over. */
void member_metric_update_label(struct member_metric *m, bool y, double p);

/*
 * Of a classifier that predicted nothing: in River's forests that is a label that it missed. Who
 * calls this saves `missed`, too: member_metric_save() does not.
 */
void member_metric_miss(struct member_metric *m, bool y);

/* 0 before the first update. */
double member_metric_number(const struct member_metric *m, int which);
double member_metric_label(const struct member_metric *m, int which);

/* Is more better? Of a classifier's metrics it always is. */
static inline bool member_metric_is_better_above(int which)
{
    return which == MEMBER_R2;
}

void member_metric_save(const struct member_metric *m, struct buf *out);
void member_metric_load(struct member_metric *m, struct blob_reader *in);

#endif
