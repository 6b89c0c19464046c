/*
 * Running scores of a binary classifier, by River's formulas.
 *
 * Plain structs whose fields are their whole state; all zero is the empty score.
 * Where River's division by zero gives 0.0, so does ours. A prediction that is
 * NaN (before the first label) is not to be given to any of them: River's
 * progressive validation leaves it out too.
 */
#ifndef OXBOW_LEARN_METRICS_BINARY_H
#define OXBOW_LEARN_METRICS_BINARY_H

#include <stdbool.h>
#include <stddef.h>

/* River's metrics.ConfusionMatrix of two labels, and what kappa_t needs. */
struct metrics_labels {
    double tp, fp, tn, fn;
    double repeated; /* labels that were equal to the one before */
    bool last;       /* the label before; nothing before the first */
};

void metrics_labels_update(struct metrics_labels *m, bool y_true, bool y_pred);
double metrics_accuracy(const struct metrics_labels *m);
/* The mean recall of the labels that were there. */
double metrics_balanced_accuracy(const struct metrics_labels *m);
double metrics_precision(const struct metrics_labels *m);
double metrics_recall(const struct metrics_labels *m);
double metrics_f1(const struct metrics_labels *m);
double metrics_mcc(const struct metrics_labels *m); /* Matthews' correlation */
double metrics_cohen_kappa(const struct metrics_labels *m);
/*
 * Not in River: (accuracy - p) / (1 - p), where p is the accuracy of answering with the label
 * before (Žliobaitė, Bifet, Read, Pfahringer and Holmes 2015). The first label counts as missed by
 * that.
 */
double metrics_kappa_t(const struct metrics_labels *m);

/* River's LogLoss of one sample: the probability is kept 1e-15 away from 0 and 1. */
double metrics_log_loss_of(bool y_true, double p);

/* River's metrics.ROCAUC: thresholds at i / 9, the outermost two moved outwards by 1e-7. */
#define METRICS_ROC_THRESHOLDS 10

struct metrics_roc {
    double positives; /* samples */
    double negatives;
    double tp[METRICS_ROC_THRESHOLDS]; /* positives above each threshold */
    double fp[METRICS_ROC_THRESHOLDS];
};

double metrics_roc_threshold(size_t i);
void metrics_roc_update(struct metrics_roc *m, bool y_true, double p);
double metrics_roc_auc(const struct metrics_roc *m);

/* The last samples, ranked. */
struct metrics_ranked {
    double *p; /* a ring of probabilities */
    bool *y;   /* and of labels */
    size_t size;
    size_t count;
    size_t next;
};

void metrics_ranked_init(struct metrics_ranked *m, size_t size); /* size > 0 */
void metrics_ranked_release(struct metrics_ranked *m);
void metrics_ranked_update(struct metrics_ranked *m, bool y_true, double p);

/*
 * The probability that a positive sample of the window ranks above a negative one, ties counting
 * half; 0 while one of the two labels is missing. Without ties it is River's RollingROCAUC; how
 * that one counts ties depends on their order. O(n log n).
 */
double metrics_ranked_roc_auc(const struct metrics_ranked *m);

/*
 * River's RollingPRAUC: the area under precision over recall, from (0, 1) on, where a precision is
 * the best at that recall or above; 0 while one of the two labels is missing. O(n log n).
 */
double metrics_ranked_pr_auc(const struct metrics_ranked *m);

#endif
