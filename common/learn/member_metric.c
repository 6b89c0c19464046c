/* How well a member of an ensemble has done: see member_metric.h. */
#include "learn/member_metric.h"

#include <math.h>

#include "learn/model.h"

const char *const member_metric_numbers[] = {
    [MEMBER_MAE] = "mae", [MEMBER_MSE] = "mse", [MEMBER_RMSE] = "rmse", [MEMBER_R2] = "r2", NULL,
};

const char *const member_metric_labels[] = {
    [MEMBER_ACCURACY] = "accuracy",
    [MEMBER_BALANCED_ACCURACY] = "balanced_accuracy",
    [MEMBER_PRECISION] = "precision",
    [MEMBER_RECALL] = "recall",
    [MEMBER_F1] = "f1",
    [MEMBER_MCC] = "mcc",
    [MEMBER_COHEN_KAPPA] = "cohen_kappa",
    NULL,
};

void member_metric_update(struct member_metric *m, double y, double p)
{
    if (isfinite(p))
        metrics_update(&m->numbers, y, p);
}

void member_metric_update_label(struct member_metric *m, bool y, double p)
{
    if (!isnan(p))
        metrics_labels_update(&m->labels, y, model_label(p));
}

void member_metric_miss(struct member_metric *m, bool y)
{
    m->missed[y] += 1;
}

/* Labels that were missed are in the sums of rows of River's confusion matrix, and in no column. */
static double cohen_kappa(const struct member_metric *m)
{
    const struct metrics_labels *l = &m->labels;
    double n = l->tp + l->fp + l->tn + l->fn + m->missed[0] + m->missed[1];
    double same;
    double expected;

    if (n == 0)
        return 0;
    same = (l->tp + l->tn) / n;
    expected = (l->tp + l->fn + m->missed[1]) / n * ((l->tp + l->fp) / n) +
               (l->tn + l->fp + m->missed[0]) / n * ((l->tn + l->fn) / n);
    return expected != 1 ? (same - expected) / (1 - expected) : 0;
}

double member_metric_number(const struct member_metric *m, int which)
{
    switch (which) {
    case MEMBER_MSE:
        return m->numbers.mse;
    case MEMBER_RMSE:
        return metrics_rmse(&m->numbers);
    case MEMBER_R2:
        return metrics_r2(&m->numbers);
    default:
        return metrics_mae(&m->numbers);
    }
}

double member_metric_label(const struct member_metric *m, int which)
{
    struct metrics_labels labels = m->labels;

    labels.fn += m->missed[1];
    switch (which) {
    case MEMBER_PRECISION:
        return metrics_precision(&labels);
    case MEMBER_RECALL:
        return metrics_recall(&labels);
    case MEMBER_F1:
        return metrics_f1(&labels);
    case MEMBER_MCC: /* to River's binary metrics no label is a negative one */
        labels.tn += m->missed[0];
        return metrics_mcc(&labels);
    case MEMBER_COHEN_KAPPA:
        return cohen_kappa(m);
    default:
        break;
    }
    labels.fp += m->missed[0];
    return which == MEMBER_ACCURACY ? metrics_accuracy(&labels)
                                    : metrics_balanced_accuracy(&labels);
}

void member_metric_save(const struct member_metric *m, struct buf *out)
{
    blob_write_f64(out, m->numbers.n);
    blob_write_f64(out, m->numbers.mae);
    blob_write_f64(out, m->numbers.mse);
    blob_write_f64(out, m->numbers.y_mean);
    blob_write_f64(out, m->numbers.y_s);
    blob_write_f64(out, m->numbers.rss);
    blob_write_f64(out, m->labels.tp);
    blob_write_f64(out, m->labels.fp);
    blob_write_f64(out, m->labels.tn);
    blob_write_f64(out, m->labels.fn);
}

void member_metric_load(struct member_metric *m, struct blob_reader *in)
{
    m->numbers.n = blob_read_f64(in);
    m->numbers.mae = blob_read_f64(in);
    m->numbers.mse = blob_read_f64(in);
    m->numbers.y_mean = blob_read_f64(in);
    m->numbers.y_s = blob_read_f64(in);
    m->numbers.rss = blob_read_f64(in);
    m->labels.tp = blob_read_f64(in);
    m->labels.fp = blob_read_f64(in);
    m->labels.tn = blob_read_f64(in);
    m->labels.fn = blob_read_f64(in);
    if (!(m->labels.tp >= 0 && m->labels.fp >= 0 && m->labels.tn >= 0 && m->labels.fn >= 0))
        blob_fail(in, "a member's labels are not counts");
}
