/* Running scores of a binary classifier: see metrics_binary.h. */
#include "learn/metrics_binary.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define LOG_LOSS_EPSILON 1e-15

static double ratio(double a, double b)
{
    return b != 0 ? a / b : 0;
}

/* Labels */

static double total(const struct metrics_labels *m)
{
    return m->tp + m->fp + m->tn + m->fn;
}

void metrics_labels_update(struct metrics_labels *m, bool y_true, bool y_pred)
{
    m->repeated += total(m) > 0 && m->last == y_true;
    m->last = y_true;
    if (y_true && y_pred)
        m->tp += 1;
    else if (y_true)
        m->fn += 1;
    else if (y_pred)
        m->fp += 1;
    else
        m->tn += 1;
}

double metrics_accuracy(const struct metrics_labels *m)
{
    return ratio(m->tp + m->tn, total(m));
}

double metrics_balanced_accuracy(const struct metrics_labels *m)
{
    double sum = 0;
    double n = 0;

    if (m->tn + m->fp > 0) {
        sum += m->tn / (m->tn + m->fp);
        n += 1;
    }
    if (m->tp + m->fn > 0) {
        sum += m->tp / (m->tp + m->fn);
        n += 1;
    }
    return ratio(sum, n);
}

double metrics_precision(const struct metrics_labels *m)
{
    return ratio(m->tp, m->tp + m->fp);
}

double metrics_recall(const struct metrics_labels *m)
{
    return ratio(m->tp, m->tp + m->fn);
}

double metrics_f1(const struct metrics_labels *m)
{
    double p = metrics_precision(m);
    double r = metrics_recall(m);

    return ratio(2 * p * r, p + r);
}

double metrics_mcc(const struct metrics_labels *m)
{
    double n = total(m) > 0 ? total(m) : 1;
    double s = (m->tp + m->fn) / n;
    double p = (m->tp + m->fp) / n;

    return ratio(m->tp / n - s * p, sqrt(p * s * (1 - s) * (1 - p)));
}

double metrics_cohen_kappa(const struct metrics_labels *m)
{
    double n = total(m);
    double expected = 0;

    if (n > 0)
        expected = (m->tp + m->fn) / n * ((m->tp + m->fp) / n) +
                   (m->tn + m->fp) / n * ((m->tn + m->fn) / n);
    return ratio(metrics_accuracy(m) - expected, 1 - expected);
}

double metrics_kappa_t(const struct metrics_labels *m)
{
    double persistent = ratio(m->repeated, total(m));

    return ratio(metrics_accuracy(m) - persistent, 1 - persistent);
}

double metrics_log_loss_of(bool y_true, double p)
{
    p = p > 1 - LOG_LOSS_EPSILON ? 1 - LOG_LOSS_EPSILON : p;
    p = p < LOG_LOSS_EPSILON ? LOG_LOSS_EPSILON : p;
    return y_true ? -log(p) : -log(1 - p);
}

/* ROC over thresholds */

double metrics_roc_threshold(size_t i)
{
    double t = (double)i / (METRICS_ROC_THRESHOLDS - 1);

    if (i == 0)
        return t - 1e-7;
    return i == METRICS_ROC_THRESHOLDS - 1 ? t + 1e-7 : t;
}

void metrics_roc_update(struct metrics_roc *m, bool y_true, double p)
{
    double *above = y_true ? m->tp : m->fp;

    m->positives += y_true;
    m->negatives += !y_true;
    for (size_t i = 0; i < METRICS_ROC_THRESHOLDS; i++)
        above[i] += p > metrics_roc_threshold(i);
}

double metrics_roc_auc(const struct metrics_roc *m)
{
    double area = 0;

    for (size_t i = 1; i < METRICS_ROC_THRESHOLDS; i++) {
        double width = ratio(m->fp[i], m->negatives) - ratio(m->fp[i - 1], m->negatives);
        double height = ratio(m->tp[i], m->positives) + ratio(m->tp[i - 1], m->positives);

        area += width * height / 2;
    }
    return 0 - area; /* not -area: an empty score is 0, not -0 */
}

/* The last samples, ranked */

void metrics_ranked_init(struct metrics_ranked *m, size_t size)
{
    m->p = mem_zalloc(size, sizeof(*m->p));
    m->y = mem_zalloc(size, sizeof(*m->y));
    m->size = size;
    m->count = 0;
    m->next = 0;
}

void metrics_ranked_release(struct metrics_ranked *m)
{
    free(m->p);
    free(m->y);
    m->p = NULL;
    m->y = NULL;
    m->count = 0;
}

void metrics_ranked_update(struct metrics_ranked *m, bool y_true, double p)
{
    m->p[m->next] = p;
    m->y[m->next] = y_true;
    m->next = (m->next + 1) % m->size;
    if (m->count < m->size)
        m->count++;
}

/* Samples of one probability. */
struct rank {
    double p;
    double positives;
    double negatives;
};

static int by_probability(const void *a, const void *b)
{
    const struct rank *x = a;
    const struct rank *y = b;

    return (x->p < y->p) - (x->p > y->p);
}

/* The window by descending probability, equal ones as one; NULL while a label is missing. */
static struct rank *rank(const struct metrics_ranked *m, size_t *ret_n, struct rank *ret_all)
{
    struct rank *ranks = mem_zalloc(m->count + 1, sizeof(*ranks));
    size_t n = 0;

    *ret_all = (struct rank){0};
    for (size_t i = 0; i < m->count; i++) {
        ranks[i] = (struct rank){m->p[i], m->y[i], !m->y[i]};
        ret_all->positives += m->y[i];
        ret_all->negatives += !m->y[i];
    }
    if (ret_all->positives == 0 || ret_all->negatives == 0) {
        free(ranks);
        return NULL;
    }
    qsort(ranks, m->count, sizeof(*ranks), by_probability);
    for (size_t i = 1; i < m->count; i++) {
        if (ranks[i].p == ranks[n].p) {
            ranks[n].positives += ranks[i].positives;
            ranks[n].negatives += ranks[i].negatives;
        } else {
            ranks[++n] = ranks[i];
        }
    }
    *ret_n = n + 1;
    return ranks;
}

double metrics_ranked_roc_auc(const struct metrics_ranked *m)
{
    struct rank all;
    size_t n;
    struct rank *ranks = rank(m, &n, &all);
    double pairs = 0; /* of a positive and a negative below it */
    double above = 0; /* positives */

    if (!ranks)
        return 0;
    for (size_t i = 0; i < n; i++) {
        pairs += ranks[i].negatives * (above + ranks[i].positives / 2);
        above += ranks[i].positives;
    }
    free(ranks);
    return pairs / (all.positives * all.negatives);
}

double metrics_ranked_pr_auc(const struct metrics_ranked *m)
{
    struct rank all;
    size_t n;
    struct rank *ranks = rank(m, &n, &all);
    double area = 0;
    double tp = all.positives;
    double seen = all.positives + all.negatives; /* at or above the rank at hand */
    double best = tp / seen;                     /* precision at its recall or above */

    if (!ranks)
        return 0;
    for (size_t i = n; i-- > 0;) {
        double width = ranks[i].positives / all.positives;
        double after = best;

        tp -= ranks[i].positives;
        seen -= ranks[i].positives + ranks[i].negatives;
        if (i == 0)
            best = 1;
        else if (tp / seen > best)
            best = tp / seen;
        area += width * (after + best) / 2;
    }
    free(ranks);
    return area;
}
