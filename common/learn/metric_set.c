/* Scores by name: see metric_set.h. */
#include "learn/metric_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/near.h"
#include "learn/metrics.h"
#include "learn/metrics_binary.h"

/* River's stats.Mean with weights of 1. */
struct mean {
    double n;
    double value;
};

/* What of the state is kept up: only what a metric that was asked for is made of. */
enum part {
    PART_ALWAYS = 0,
    PART_PERCENT = 1,
    PART_LOG = 2,
    PART_ROC = 4,
    PART_RANKED = 8,
    PART_ABOVE = 16
};

struct metric_set {
    enum model_kind kind;
    const struct metric *metric[METRIC_SET_MAX];
    size_t n;
    unsigned parts;
    uint64_t scored;
    uint64_t unscored;

    struct metrics numbers; /* of a regressor */
    struct mean squared_log;
    struct mean smape;
    struct mean mape;

    struct metrics_labels labels; /* of a classifier, by River's argmax */
    struct metrics_labels above;  /* the same by the threshold */
    double threshold;
    struct mean log_loss;
    struct metrics_roc roc;
    struct metrics_ranked ranked;

    struct mean covered; /* of what came with an interval: 1 for each label within, else 0 */
    struct mean width;
};

struct metric {
    struct metric_info info;
    enum part part;
    double (*get)(const struct metric_set *set);
};

static double get_mae(const struct metric_set *set)
{
    return metrics_mae(&set->numbers);
}

static double get_mse(const struct metric_set *set)
{
    return set->numbers.mse;
}

static double get_rmse(const struct metric_set *set)
{
    return metrics_rmse(&set->numbers);
}

static double get_rmsle(const struct metric_set *set)
{
    return sqrt(set->squared_log.value);
}

static double get_smape(const struct metric_set *set)
{
    return 100 * set->smape.value;
}

static double get_mape(const struct metric_set *set)
{
    return 100 * set->mape.value;
}

static double get_r2(const struct metric_set *set)
{
    return metrics_r2(&set->numbers);
}

static const struct metric regressor_metrics[] = {
    {{"mae", "MAE", "Mean absolute error.", false}, PART_ALWAYS, get_mae},
    {{"mse", "MSE", "Mean squared error.", false}, PART_ALWAYS, get_mse},
    {{"rmse", "RMSE", "Square root of the mean squared error.", false}, PART_ALWAYS, get_rmse},
    {{"rmsle", "RMSLE", "The same of the logarithms of label + 1 and prediction + 1.", false},
     PART_LOG,
     get_rmsle},
    {{"smape", "SMAPE", "Mean of 2 |error| / (|label| + |prediction|), in percent.", false},
     PART_PERCENT,
     get_smape},
    {{"mape", "MAPE", "Mean of |error| / |label|, in percent; 0 where the label is 0.", false},
     PART_PERCENT,
     get_mape},
    {{"r2", "R2", "Share of the labels' variance that is explained.", true}, PART_ALWAYS, get_r2},
};

static double get_accuracy(const struct metric_set *set)
{
    return metrics_accuracy(&set->labels);
}

static double get_balanced_accuracy(const struct metric_set *set)
{
    return metrics_balanced_accuracy(&set->labels);
}

static double get_precision(const struct metric_set *set)
{
    return metrics_precision(&set->labels);
}

static double get_recall(const struct metric_set *set)
{
    return metrics_recall(&set->labels);
}

static double get_f1(const struct metric_set *set)
{
    return metrics_f1(&set->labels);
}

static double get_log_loss(const struct metric_set *set)
{
    return set->log_loss.value;
}

static double get_roc_auc(const struct metric_set *set)
{
    return metrics_roc_auc(&set->roc);
}

static double get_roc_auc_exact(const struct metric_set *set)
{
    return metrics_ranked_roc_auc(&set->ranked);
}

static double get_pr_auc(const struct metric_set *set)
{
    return metrics_ranked_pr_auc(&set->ranked);
}

static double get_mcc(const struct metric_set *set)
{
    return metrics_mcc(&set->labels);
}

static double get_cohen_kappa(const struct metric_set *set)
{
    return metrics_cohen_kappa(&set->labels);
}

static double get_kappa_t(const struct metric_set *set)
{
    return metrics_kappa_t(&set->labels);
}

static double get_accuracy_above(const struct metric_set *set)
{
    return metrics_accuracy(&set->above);
}

static double get_precision_above(const struct metric_set *set)
{
    return metrics_precision(&set->above);
}

static double get_recall_above(const struct metric_set *set)
{
    return metrics_recall(&set->above);
}

static double get_f1_above(const struct metric_set *set)
{
    return metrics_f1(&set->above);
}

static const struct metric classifier_metrics[] = {
    {{"accuracy", "Accuracy", "Share of right labels; a label is River's argmax.", true},
     PART_ALWAYS,
     get_accuracy},
    {{"balanced_accuracy", "BalancedAccuracy", "Mean recall of both labels.", true},
     PART_ALWAYS,
     get_balanced_accuracy},
    {{"precision", "Precision", "Share of the predicted positives that are positive.", true},
     PART_ALWAYS,
     get_precision},
    {{"recall", "Recall", "Share of the positives that are predicted.", true},
     PART_ALWAYS,
     get_recall},
    {{"f1", "F1", "Harmonic mean of precision and recall.", true}, PART_ALWAYS, get_f1},
    {{"log_loss", "LogLoss", "Mean of -ln P(label), P kept 1e-15 away from 0 and 1.", false},
     PART_ALWAYS,
     get_log_loss},
    {{"roc_auc", "ROCAUC",
      "Area under the ROC curve, approximated by the thresholds 0, 1/9, 2/9 ... 1.", true},
     PART_ROC,
     get_roc_auc},
    {{"roc_auc_exact", "RollingROCAUC", "The same of the last 1,000 samples, exact.", true},
     PART_RANKED,
     get_roc_auc_exact},
    {{"pr_auc", "RollingPRAUC", "Area under precision over recall, of the last 1,000 samples.",
      true},
     PART_RANKED,
     get_pr_auc},
    {{"mcc", "MCC", "Matthews' correlation coefficient.", true}, PART_ALWAYS, get_mcc},
    {{"cohen_kappa", "CohenKappa", "Accuracy beyond what guessing by frequency gives.", true},
     PART_ALWAYS,
     get_cohen_kappa},
    {{"kappa_t", "", "Accuracy beyond what repeating the label before gives.", true},
     PART_ALWAYS,
     get_kappa_t},
    {{"accuracy_at_threshold", "", "Accuracy of the labels above the threshold.", true},
     PART_ABOVE,
     get_accuracy_above},
    {{"precision_at_threshold", "", "Precision of the labels above the threshold.", true},
     PART_ABOVE,
     get_precision_above},
    {{"recall_at_threshold", "", "Recall of the labels above the threshold.", true},
     PART_ABOVE,
     get_recall_above},
    {{"f1_at_threshold", "", "F1 of the labels above the threshold.", true},
     PART_ABOVE,
     get_f1_above},
};

#define N_REGRESSOR  (sizeof(regressor_metrics) / sizeof(regressor_metrics[0]))
#define N_CLASSIFIER (sizeof(classifier_metrics) / sizeof(classifier_metrics[0]))

static const struct metric *known_at(enum model_kind kind, size_t i)
{
    if (kind == MODEL_CLASSIFIER)
        return i < N_CLASSIFIER ? &classifier_metrics[i] : NULL;
    return i < N_REGRESSOR ? &regressor_metrics[i] : NULL;
}

static int add(struct metric_set *set, const char *name, struct err *err)
{
    const struct metric *found = NULL;
    struct near near = {.wanted = name};

    for (size_t i = 0; known_at(set->kind, i); i++) {
        near_offer(&near, known_at(set->kind, i)->info.name);
        if (strcmp(known_at(set->kind, i)->info.name, name) == 0)
            found = known_at(set->kind, i);
    }
    if (!found && near.name)
        return err_set(err, ERR_INVALID, "unknown metric \"%s\"; did you mean \"%s\"?", name,
                       near.name);
    if (!found)
        return err_set(err, ERR_INVALID, "unknown metric \"%s\"; %s has %s", name,
                       set->kind == MODEL_CLASSIFIER ? "binary" : "regression",
                       set->kind == MODEL_CLASSIFIER
                           ? "accuracy, balanced_accuracy, precision, recall, f1, log_loss, "
                             "roc_auc, roc_auc_exact, pr_auc, mcc, cohen_kappa, kappa_t; "
                             "accuracy, precision, recall and f1 also with _at_threshold"
                           : "mae, mse, rmse, rmsle, smape, mape, r2");
    for (size_t i = 0; i < set->n; i++)
        if (set->metric[i] == found)
            return 0;
    set->parts |= found->part;
    set->metric[set->n++] = found;
    return 0;
}

static void mean_update(struct mean *mean, double v)
{
    mean->n += 1;
    mean->value += 1 / mean->n * (v - mean->value);
}

static void update_numbers(struct metric_set *set, double y, double p)
{
    metrics_update(&set->numbers, y, p);
    if (set->parts & PART_LOG) {
        double error = y > -1 && p > -1 ? log(y + 1) - log(p + 1) : (double)NAN;

        mean_update(&set->squared_log, error * error);
    }
    if (set->parts & PART_PERCENT) {
        double both = fabs(y) + fabs(p);

        mean_update(&set->smape, both == 0 ? 0 : 2 * fabs(y - p) / both);
        mean_update(&set->mape, y == 0 ? 0 : fabs(y - p) / fabs(y));
    }
}

static void update_labels(struct metric_set *set, bool y, double p)
{
    metrics_labels_update(&set->labels, y, model_label(p));
    if (set->parts & PART_ABOVE)
        metrics_labels_update(&set->above, y, p > set->threshold);
    mean_update(&set->log_loss, metrics_log_loss_of(y, p));
    if (set->parts & PART_ROC)
        metrics_roc_update(&set->roc, y, p);
    if (set->parts & PART_RANKED)
        metrics_ranked_update(&set->ranked, y, p);
}

/* Public functions */

struct metric_set *metric_set_new(enum model_kind kind, const char *names, struct err *err)
{
    struct metric_set *set = mem_zalloc(1, sizeof(*set));
    int rc = 0;

    set->kind = kind;
    set->threshold = 0.5;
    if (!names)
        names = kind == MODEL_CLASSIFIER ? "accuracy,f1,log_loss,roc_auc" : "mae,rmse,r2";
    while (rc == 0 && names) {
        const char *comma = strchr(names, ',');
        char *name = mem_strndup(names, comma ? (size_t)(comma - names) : strlen(names));

        rc = add(set, name, err);
        free(name);
        names = comma ? comma + 1 : NULL;
    }
    if (rc < 0) {
        metric_set_free(set);
        return NULL;
    }
    if (set->parts & PART_RANKED)
        metrics_ranked_init(&set->ranked, METRIC_SET_WINDOW);
    return set;
}

void metric_set_free(struct metric_set *set)
{
    if (!set)
        return;
    metrics_ranked_release(&set->ranked);
    free(set);
}

void metric_set_threshold(struct metric_set *set, double threshold)
{
    set->threshold = threshold;
}

void metric_set_ranked(struct metric_set *set, size_t size)
{
    if (!(set->parts & PART_RANKED))
        return;
    metrics_ranked_release(&set->ranked);
    metrics_ranked_init(&set->ranked, size);
}

void metric_set_update(struct metric_set *set, double y, double predicted)
{
    if (!isfinite(predicted)) {
        set->unscored++;
        return;
    }
    set->scored++;
    if (set->kind == MODEL_CLASSIFIER)
        update_labels(set, y == 1, predicted);
    else
        update_numbers(set, y, predicted);
}

double metric_set_get(const struct metric_set *set, size_t i)
{
    return set->scored ? set->metric[i]->get(set) : (double)NAN;
}

void metric_set_update_interval(struct metric_set *set, double y, const struct issued *said)
{
    if (!issued_has_interval(said))
        return;
    mean_update(&set->covered, said->low <= y && y <= said->high);
    mean_update(&set->width, said->high - said->low);
}

double metric_set_coverage(const struct metric_set *set)
{
    return set->covered.n > 0 ? set->covered.value : (double)NAN;
}

double metric_set_width(const struct metric_set *set)
{
    return set->width.n > 0 ? set->width.value : (double)NAN;
}

double metric_set_loss(const struct metric_set *set)
{
    if (!set->scored)
        return (double)NAN;
    return set->kind == MODEL_CLASSIFIER ? get_log_loss(set) : get_mae(set);
}

size_t metric_set_size(const struct metric_set *set)
{
    return set->n;
}

const struct metric_info *metric_set_info(const struct metric_set *set, size_t i)
{
    return &set->metric[i]->info;
}

uint64_t metric_set_scored(const struct metric_set *set)
{
    return set->scored;
}

uint64_t metric_set_unscored(const struct metric_set *set)
{
    return set->unscored;
}

const struct metric_info *metric_known(enum model_kind kind, size_t i)
{
    const struct metric *metric = known_at(kind, i);

    return metric ? &metric->info : NULL;
}
