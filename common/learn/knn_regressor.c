/*
 * k nearest neighbours by Euclidean distance, over a window of the last samples
 * (River's KNNRegressor with the exact engine LazySearch). A missing feature
 * counts as 0. The layout is in knn_internal.h.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/knn_internal.h"

enum aggregation { AGGREGATION_MEAN, AGGREGATION_MEDIAN, AGGREGATION_WEIGHTED_MEAN };

struct learner *knn_create(const struct component *component, size_t n)
{
    struct knn *knn = mem_zalloc(1, sizeof(*knn));

    knn->base.ops = component->class->learner;
    knn->base.n = n;
    knn->params = component->params;
    knn->window = (size_t)knn->params->window_size;
    return &knn->base;
}

void knn_free(struct learner *lrn)
{
    struct knn *knn = (struct knn *)lrn;

    free(knn->x);
    free(knn->rough);
    free(knn->y);
    free(knn);
}

/* Makes room for the row at knn->next; the ring has not wrapped while it grows. */
static void grow(struct knn *knn)
{
    size_t rows = knn->cap ? 2 * knn->cap : KNN_LANES;
    size_t n = knn->base.n;
    float *rough;

    if (rows > knn->window)
        rows = (knn->window + KNN_LANES - 1) / KNN_LANES * KNN_LANES;
    rough = aligned_alloc(KNN_ALIGN, rows * n * sizeof(float));
    if (!rough)
        abort();
    if (knn->cap)
        memcpy(rough, knn->rough, knn->cap * n * sizeof(float));
    memset(rough + knn->cap * n, 0, (rows - knn->cap) * n * sizeof(float));
    free(knn->rough);
    knn->rough = rough;
    knn->x = mem_realloc(knn->x, rows, n * sizeof(double));
    knn->y = mem_realloc(knn->y, rows, sizeof(double));
    knn->cap = rows;
}

static void push(struct knn *knn, const double *x, double y)
{
    size_t n = knn->base.n;
    size_t row = knn->next;
    double norm2 = 0;

    if (row == knn->cap)
        grow(knn);
    if (row == 0) {
        knn->norm2[1] = knn->norm2[0];
        knn->norm2[0] = 0;
    }

    float *rough = knn->rough + row / KNN_LANES * KNN_LANES * n + row % KNN_LANES;

    for (size_t j = 0; j < n; j++) {
        double v = isnan(x[j]) ? 0 : x[j];

        knn->x[row * n + j] = v;
        rough[j * KNN_LANES] = (float)v;
        norm2 += v * v;
    }
    knn->y[row] = y;
    knn->norm2[0] = fmax(knn->norm2[0], norm2);
    knn->next = row + 1 == knn->window ? 0 : row + 1;
    if (knn->count < knn->window)
        knn->count++;
}

void knn_learn(struct learner *lrn, const double *x, double y, double weight)
{
    (void)weight; /* as in River */
    push((struct knn *)lrn, x, y);
}

/* Answering */

/* Neumaier's sum: River takes the exact mean, rounded once. */
static double mean_of(const struct search *s)
{
    double sum = 0;
    double lost = 0;

    for (size_t i = 0; i < s->n; i++) {
        double y = s->found[i].y;
        double next = sum + y;

        lost += fabs(sum) >= fabs(y) ? (sum - next) + y : (y - next) + sum;
        sum = next;
    }
    /* After an overflow what was lost is not a number. */
    return (isfinite(lost) ? sum + lost : sum) / (double)s->n;
}

static int compare_y(const void *a, const void *b)
{
    double ya = ((const struct neighbor *)a)->y;
    double yb = ((const struct neighbor *)b)->y;

    return (ya > yb) - (ya < yb);
}

static double median_of(struct search *s)
{
    size_t half = s->n / 2;

    qsort(s->found, s->n, sizeof(s->found[0]), compare_y);
    if (s->n % 2)
        return s->found[half].y;
    return (s->found[half - 1].y + s->found[half].y) / 2;
}

static double weighted_mean_of(const struct search *s)
{
    double weights = 0;
    double sum = 0;

    for (size_t i = 0; i < s->n; i++) {
        weights += 1 / s->found[i].dist;
        sum += s->found[i].y / s->found[i].dist;
    }
    return weights == 0 ? mean_of(s) : sum / weights;
}

static double knn_predict(const struct learner *lrn, const double *x)
{
    const struct knn *knn = (const struct knn *)lrn;
    struct search s;

    if (knn->count == 0)
        return 0;
    knn_search(knn, x, &s);
    if (s.found[0].dist == 0)
        return s.found[0].y;

    switch ((enum aggregation)knn->params->aggregation_method) {
    case AGGREGATION_MEDIAN:
        return median_of(&s);
    case AGGREGATION_WEIGHTED_MEAN:
        return weighted_mean_of(&s);
    case AGGREGATION_MEAN:
        break;
    }
    return mean_of(&s);
}

/* Explaining */

/* What each neighbour's label is multiplied by, as knn_predict() does; may sort `s`. */
static void shares(const struct knn *knn, struct search *s, double *ret)
{
    double weights = 0;

    if (s->found[0].dist == 0) {
        s->n = 1; /* the same sample: its label is the answer */
        ret[0] = 1;
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        ret[i] = 1 / (double)s->n;
        weights += 1 / s->found[i].dist;
    }
    if (knn->params->aggregation_method == AGGREGATION_WEIGHTED_MEAN && weights != 0) {
        for (size_t i = 0; i < s->n; i++)
            ret[i] = 1 / s->found[i].dist / weights;
    }
    if (knn->params->aggregation_method == AGGREGATION_MEDIAN) {
        qsort(s->found, s->n, sizeof(s->found[0]), compare_y);
        memset(ret, 0, s->n * sizeof(*ret));
        ret[s->n / 2] += 0.5;
        ret[(s->n - 1) / 2] += 0.5;
    }
}

/* Nearest first; of the median's neighbours, which come sorted by label, too. */
static int compare_distance(const void *a, const void *b)
{
    const struct explain_neighbour *na = a;
    const struct explain_neighbour *nb = b;

    return (na->distance > nb->distance) - (na->distance < nb->distance);
}

void knn_explain_by(const struct knn *knn, const struct search *s, const double *share,
                    struct explanation *ex)
{
    for (size_t i = 0; i < s->n; i++) {
        const double *row = knn->x + knn_row_of_age(knn, s->found[i].age) * knn->base.n;
        struct explain_neighbour *found = explanation_add_neighbour(ex, row, knn->base.n);

        found->distance = s->found[i].dist;
        found->label = s->found[i].y;
        found->weight = share[i];
    }
    qsort(ex->neighbours, ex->n_neighbours, sizeof(ex->neighbours[0]), compare_distance);
    for (size_t i = 0; i < ex->n_neighbours; i++) {
        const struct explain_neighbour *found = &ex->neighbours[i];
        struct explain_part *part =
            explanation_add_part(ex, EXPLAIN_NEIGHBOUR, i, found->weight * found->label);

        part->value = found->label;
        part->weight = found->weight;
    }
}

static void knn_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    const struct knn *knn = (const struct knn *)lrn;
    double share[KNN_NEIGHBORS_MAX];
    struct search s;

    ex->base_name = "zero";
    ex->has_neighbours = true;
    if (knn->count == 0)
        return;
    knn_search(knn, x, &s);
    shares(knn, &s, share);
    knn_explain_by(knn, &s, share, ex);
}

/* Keeping */

static size_t row_bytes(const struct knn *knn)
{
    return (knn->base.n + 1) * sizeof(double) + knn->base.n * sizeof(float);
}

size_t knn_bytes(const struct learner *lrn)
{
    const struct knn *knn = (const struct knn *)lrn;

    return sizeof(*knn) + knn->count * row_bytes(knn);
}

/* Gives the ring another size, keeping the newest rows. */
static void resize(struct knn *knn, size_t window)
{
    struct knn old = *knn;
    size_t keep = old.count < window ? old.count : window;

    *knn = (struct knn){.base = old.base, .params = old.params, .window = window};
    memcpy(knn->learned, old.learned, sizeof(knn->learned));
    for (size_t i = old.count - keep; i < old.count; i++) {
        size_t row = knn_row_of_age(&old, i);

        push(knn, old.x + row * old.base.n, old.y[row]);
    }
    free(old.x);
    free(old.rough);
    free(old.y);
}

void knn_set_max_bytes(struct learner *lrn, size_t max)
{
    struct knn *knn = (struct knn *)lrn;
    size_t rows = max > sizeof(*knn) ? (max - sizeof(*knn)) / row_bytes(knn) : 0;
    size_t window = (size_t)knn->params->window_size;

    if (rows < window)
        window = rows ? rows : 1;
    if (window != knn->window)
        resize(knn, window);
}

void knn_save(const struct learner *lrn, struct buf *out)
{
    const struct knn *knn = (const struct knn *)lrn;

    blob_write_u64(out, knn->count);
    for (size_t i = 0; i < knn->count; i++) {
        size_t row = knn_row_of_age(knn, i);

        blob_write_f64s(out, knn->x + row * lrn->n, lrn->n);
        blob_write_f64(out, knn->y[row]);
    }
}

void knn_load(struct learner *lrn, struct blob_reader *in)
{
    struct knn *knn = (struct knn *)lrn;
    size_t row_size = (lrn->n + 1) * sizeof(double);
    size_t count = blob_read_count(in, row_size, (size_t)knn->params->window_size);
    double row[MODEL_MAX_WIDTH + 1];

    for (size_t i = 0; i < count; i++) {
        blob_read_f64s(in, row, lrn->n + 1);
        push(knn, row, row[lrn->n]);
    }
}

void knn_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out)
{
    const struct knn *knn = (const struct knn *)lrn;

    (void)schema;
    buf_text(out, ",\"rows\":");
    json_write_int(out, (int64_t)knn->count);
    buf_text(out, ",\"window\":");
    json_write_int(out, (int64_t)knn->window);
}

static const struct learner_ops ops = {
    .create = knn_create,
    .free = knn_free,
    .clone = NULL,
    .learn = knn_learn,
    .predict = knn_predict,
    .save = knn_save,
    .load = knn_load,
    .bytes = knn_bytes,
    .set_max_bytes = knn_set_max_bytes,
    .inspect = knn_inspect,
    .explain = knn_explain,
};

static const char *const aggregations[] = {
    [AGGREGATION_MEAN] = "mean",
    [AGGREGATION_MEDIAN] = "median",
    [AGGREGATION_WEIGHTED_MEAN] = "weighted_mean",
    NULL,
};

#define PARAM(field) .name = #field, .offset = offsetof(struct knn_params, field)

static const struct learn_param params[] = {
    {PARAM(n_neighbors), .type = PARAM_COUNT, .fallback = 5, .min = 1, .max = KNN_NEIGHBORS_MAX,
     .help = "How many of the nearest samples answer."},
    {PARAM(window_size), .type = PARAM_COUNT, .fallback = 1000, .min = 1, .max = KNN_WINDOW_MAX,
     .help = "How many of the last samples are kept; fewer when max_model_bytes says so."},
    {PARAM(aggregation_method), .type = PARAM_CHOICE, .choices = aggregations,
     .help = "How the neighbours' labels become one answer; weighted_mean weighs by 1/distance."},
};

const struct learn_class knn_regressor_class = {
    .name = "knn_regressor",
    .river = "neighbors.KNNRegressor(engine=neighbors.LazySearch(window_size))",
    .help = "Answers with the labels of the nearest among the last samples.",
    .kind = LEARN_REGRESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct knn_params),
    .learner = &ops,
};
