/*
 * k nearest neighbours by Euclidean distance, over a window of the last samples
 * (River's KNNRegressor with the exact engine LazySearch). A missing feature
 * counts as 0.
 *
 * Letters: n features, W the window's size, k neighbours.
 *
 * Layout: the window is a ring of rows, cut into blocks of LANES rows; within a
 * block one feature's values are side by side, so that the distances of LANES
 * rows are summed at once, each in the order of the features:
 *
 *     x[row / LANES][feature][row % LANES]      y[row]
 *
 * Rows are searched oldest first, and a row displaces another only when it is
 * strictly nearer: of equally near rows the older ones stay, as in River.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "learn/classes.h"
#include "learn/learner_backend.h"
#include "learn/model.h"

#define VEC           8            /* doubles in a vector */
#define VECS          4            /* vectors in a block */
#define LANES         (VEC * VECS) /* rows in a block */
#define CHUNK         2048         /* rows searched at once */
#define NEIGHBORS_MAX 1000
#define WINDOW_MAX    1000000

/*
 * The same sums on each type of CPU, only wider: no fused operations are used,
 * so that the bits do not depend on it. Not under a sanitizer, whose runtime is
 * not up when the choice is made.
 */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define WIDEST __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define WIDEST
#endif

typedef double vec __attribute__((vector_size(VEC * sizeof(double))));
typedef long long mask __attribute__((vector_size(VEC * sizeof(long long))));

enum aggregation { AGGREGATION_MEAN, AGGREGATION_MEDIAN, AGGREGATION_WEIGHTED_MEAN };

struct knn_params {
    uint64_t n_neighbors;
    uint64_t window_size;
    int aggregation_method; /* enum aggregation */
};

struct knn {
    struct learner base;
    const struct knn_params *params; /* the component's */
    size_t window;                   /* W, or fewer where the bound on memory says so */
    size_t count;                    /* rows in the ring */
    size_t next;                     /* row that the next sample takes; the oldest when full */
    size_t cap;                      /* rows allocated, a multiple of LANES */
    double *x;                       /* cap * n */
    double *y;                       /* cap */
};

struct neighbor {
    double d2;   /* squared distance */
    double dist; /* its root, by which River compares */
    double y;
};

/* The nearest rows so far, nearest first. */
struct search {
    size_t k;
    size_t n;
    struct neighbor found[NEIGHBORS_MAX];
};

/* A sample to search for: the features that are there first, then the others, as 0. */
struct query {
    const double *q;     /* n */
    const size_t *order; /* n: which feature each of q is */
};

static double *row_value(const struct knn *knn, size_t row, size_t j)
{
    return &knn->x[((row / LANES) * knn->base.n + j) * LANES + row % LANES];
}

static struct learner *knn_create(const struct component *component, size_t n)
{
    struct knn *knn = mem_zalloc(1, sizeof(*knn));

    knn->base.ops = component->class->learner;
    knn->base.n = n;
    knn->params = component->params;
    knn->window = (size_t)knn->params->window_size;
    return &knn->base;
}

static void knn_free(struct learner *lrn)
{
    struct knn *knn = (struct knn *)lrn;

    free(knn->x);
    free(knn->y);
    free(knn);
}

static void *alloc_rows(size_t rows, size_t n)
{
    size_t size = rows * n * sizeof(double);
    void *p = aligned_alloc(sizeof(vec), size ? size : sizeof(vec));

    if (!p)
        abort();
    return memset(p, 0, size);
}

/* Makes room for the row at knn->next; the ring has not wrapped while it grows. */
static void grow(struct knn *knn)
{
    size_t rows = knn->cap ? 2 * knn->cap : LANES;
    size_t n = knn->base.n;
    double *x;

    if (rows > knn->window)
        rows = (knn->window + LANES - 1) / LANES * LANES;
    x = alloc_rows(rows, n);
    if (knn->cap)
        memcpy(x, knn->x, knn->cap * n * sizeof(double));
    free(knn->x);
    knn->x = x;
    knn->y = mem_realloc(knn->y, rows, sizeof(double));
    knn->cap = rows;
}

static void push(struct knn *knn, const double *x, double y)
{
    if (knn->next == knn->cap)
        grow(knn);
    for (size_t j = 0; j < knn->base.n; j++)
        *row_value(knn, knn->next, j) = isnan(x[j]) ? 0 : x[j];
    knn->y[knn->next] = y;
    knn->next = (knn->next + 1) % knn->window;
    if (knn->count < knn->window)
        knn->count++;
}

static void knn_learn(struct learner *lrn, const double *x, double y, double weight)
{
    (void)weight; /* as in River */
    push((struct knn *)lrn, x, y);
}

/* Row i of the window, 0 the oldest. */
static size_t row_of_age(const struct knn *knn, size_t i)
{
    size_t oldest = knn->count < knn->window ? 0 : knn->next;

    return (oldest + i) % knn->window;
}

/* Searching */

/* A distance that is not a number, after an overflow, is farther than any. */
static bool nearer(double a, double b)
{
    return a < b || (isnan(b) && !isnan(a));
}

static void offer(struct search *s, double d2, double y)
{
    double dist = sqrt(d2);
    size_t at = s->n;

    if (at == s->k) {
        if (!nearer(dist, s->found[at - 1].dist))
            return;
        at--;
    } else {
        s->n++;
    }
    while (at > 0 && nearer(dist, s->found[at - 1].dist)) {
        s->found[at] = s->found[at - 1];
        at--;
    }
    s->found[at] = (struct neighbor){.d2 = d2, .dist = dist, .y = y};
}

/* Squared distances of the rows of one stretch of the ring, `from` up to `to`. */
struct stretch {
    size_t from;
    size_t to;
    size_t start; /* `from`, down to the start of its block */
    double
        *d2; /* of the rows from `start`, whole blocks: those not in the stretch count for none */
};

/* Fills stretch->d2, and lowers `least`, LANES of the distances, each the least of its lane. */
WIDEST static void measure(const struct knn *knn, const struct query *query,
                           const struct stretch *stretch, double *restrict least)
{
    size_t n = knn->base.n;

    for (size_t row = stretch->start; row < stretch->to; row += LANES) {
        const vec *x = (const vec *)(const void *)(knn->x + row * n);
        double *restrict d2 = stretch->d2 + (row - stretch->start);
        vec sum[VECS] = {{0}};

        for (size_t j = 0; j < n; j++) {
            const vec *column = x + query->order[j] * VECS;
            double q = query->q[j];

            for (size_t v = 0; v < VECS; v++) {
                vec d = q - column[v];

                sum[v] += d * d;
            }
        }
        memcpy(d2, sum, sizeof(sum));
        if (row < stretch->from || row + LANES > stretch->to)
            continue; /* rows that are not in the stretch must not lower anything */
        for (size_t lane = 0; lane < LANES; lane++)
            least[lane] = d2[lane] < least[lane] ? d2[lane] : least[lane];
    }
}

/* One bit for each of LANES distances that is not above the bound. */
static inline uint32_t near_bits(const double *d2, double bound)
{
    static const mask bits[VECS] = {
        {0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x40, 0x80},
        {0x100, 0x200, 0x400, 0x800, 0x1000, 0x2000, 0x4000, 0x8000},
        {0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000, 0x800000},
        {0x1000000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
         0x80000000},
    };
    const vec *d = (const vec *)(const void *)d2;
    mask m = {0};

    /* Farther is where the difference has its sign bit set. */
    for (size_t v = 0; v < VECS; v++)
        m |= ~((mask)(bound - d[v]) >> 63) & bits[v];
    return (uint32_t)((m[0] | m[1]) | (m[2] | m[3]) | (m[4] | m[5]) | (m[6] | m[7]));
}

WIDEST static void collect(const struct knn *knn, const struct stretch *stretch, double bound,
                           struct search *s)
{
    for (size_t row = stretch->start; row < stretch->to; row += LANES) {
        const double *d2 = stretch->d2 + (row - stretch->start);
        uint32_t bits = bound < (double)INFINITY ? near_bits(d2, bound) : UINT32_MAX;

        for (; bits; bits &= bits - 1) {
            size_t lane = (size_t)__builtin_ctz(bits);

            if (row + lane >= stretch->from && row + lane < stretch->to)
                offer(s, d2[lane], knn->y[row + lane]);
        }
    }
}

/*
 * A squared distance that the k nearest cannot exceed: the k-th of the least in
 * each lane, which are so many rows. A little more, because River compares the
 * roots, and two squares may have the same one.
 */
static double bound_from(const double *least, size_t k)
{
    double kth[LANES];
    size_t n = 0;

    if (k > LANES)
        return (double)INFINITY;
    for (size_t lane = 0; lane < LANES; lane++) {
        size_t at = n < k ? n++ : k;

        if (at == k && !(least[lane] < kth[--at]))
            continue;
        for (; at > 0 && least[lane] < kth[at - 1]; at--)
            kth[at] = kth[at - 1];
        kth[at] = least[lane];
    }
    return kth[k - 1] * (1 + 0x1p-50);
}

/* Searches the rows of age `from` up to `to`, at most CHUNK of them. */
static void search_chunk(const struct knn *knn, const struct query *query, size_t from, size_t to,
                         struct search *s)
{
    _Alignas(vec) double d2[CHUNK + 4 * LANES];
    double least[LANES];
    double bound;
    size_t first = row_of_age(knn, from);
    size_t last = row_of_age(knn, to - 1) + 1;
    struct stretch a = {.from = first, .to = last, .d2 = d2};
    struct stretch b = {.from = 0, .to = 0};

    if (last <= first) { /* around the end of the ring */
        a.to = knn->count;
        b.to = last;
    }
    a.start = a.from / LANES * LANES;
    b.d2 = d2 + (a.to - a.start + LANES - 1) / LANES * LANES;

    for (size_t lane = 0; lane < LANES; lane++)
        least[lane] = (double)INFINITY;
    measure(knn, query, &a, least);
    measure(knn, query, &b, least);
    bound = bound_from(least, s->k);
    if (s->n == s->k && s->found[s->k - 1].d2 < bound)
        bound = s->found[s->k - 1].d2;
    collect(knn, &a, bound, s);
    collect(knn, &b, bound, s);
}

static void search(const struct knn *knn, const double *x, struct search *s)
{
    double q[MODEL_MAX_WIDTH];
    size_t order[MODEL_MAX_WIDTH];
    struct query query = {.q = q, .order = order};
    size_t at = 0;

    /* River sums over the features of the sample, then over those that only the row has. */
    for (size_t j = 0; j < knn->base.n; j++) {
        q[at] = x[j];
        order[at] = j;
        at += isnan(x[j]) ? 0 : 1;
    }
    for (size_t j = 0; at < knn->base.n; j++) {
        q[at] = 0;
        order[at] = j;
        at += isnan(x[j]) ? 1 : 0;
    }
    s->k = (size_t)knn->params->n_neighbors;
    s->n = 0;
    for (size_t from = 0; from < knn->count; from += CHUNK)
        search_chunk(knn, &query, from, knn->count - from < CHUNK ? knn->count : from + CHUNK, s);
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
    search(knn, x, &s);
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

/* Keeping */

static size_t row_bytes(const struct knn *knn)
{
    return (knn->base.n + 1) * sizeof(double);
}

static size_t knn_bytes(const struct learner *lrn)
{
    const struct knn *knn = (const struct knn *)lrn;

    return sizeof(*knn) + knn->count * row_bytes(knn);
}

/* Gives the ring another size, keeping the newest rows. */
static void resize(struct knn *knn, size_t window)
{
    struct knn old = *knn;
    size_t keep = old.count < window ? old.count : window;
    double row[MODEL_MAX_WIDTH];

    knn->x = NULL;
    knn->y = NULL;
    knn->cap = 0;
    knn->count = 0;
    knn->next = 0;
    knn->window = window;
    for (size_t i = old.count - keep; i < old.count; i++) {
        size_t at = row_of_age(&old, i);

        for (size_t j = 0; j < old.base.n; j++)
            row[j] = *row_value(&old, at, j);
        push(knn, row, old.y[at]);
    }
    free(old.x);
    free(old.y);
}

static void knn_set_max_bytes(struct learner *lrn, size_t max)
{
    struct knn *knn = (struct knn *)lrn;
    size_t rows = max > sizeof(*knn) ? (max - sizeof(*knn)) / row_bytes(knn) : 0;
    size_t window = (size_t)knn->params->window_size;

    if (rows < window)
        window = rows ? rows : 1;
    if (window != knn->window)
        resize(knn, window);
}

static void knn_save(const struct learner *lrn, struct buf *out)
{
    const struct knn *knn = (const struct knn *)lrn;
    double row[MODEL_MAX_WIDTH + 1];

    blob_write_u64(out, knn->count);
    for (size_t i = 0; i < knn->count; i++) {
        size_t at = row_of_age(knn, i);

        for (size_t j = 0; j < lrn->n; j++)
            row[j] = *row_value(knn, at, j);
        row[lrn->n] = knn->y[at];
        blob_write_f64s(out, row, lrn->n + 1);
    }
}

static void knn_load(struct learner *lrn, struct blob_reader *in)
{
    struct knn *knn = (struct knn *)lrn;
    double row[MODEL_MAX_WIDTH + 1];
    size_t count = blob_read_count(in, row_bytes(knn), (size_t)knn->params->window_size);

    for (size_t i = 0; i < count; i++) {
        blob_read_f64s(in, row, lrn->n + 1);
        push(knn, row, row[lrn->n]);
    }
}

static void knn_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out)
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
};

static const char *const aggregations[] = {
    [AGGREGATION_MEAN] = "mean",
    [AGGREGATION_MEDIAN] = "median",
    [AGGREGATION_WEIGHTED_MEAN] = "weighted_mean",
    NULL,
};

#define PARAM(field) .name = #field, .offset = offsetof(struct knn_params, field)

static const struct learn_param params[] = {
    {PARAM(n_neighbors), .type = PARAM_COUNT, .fallback = 5, .min = 1, .max = NEIGHBORS_MAX,
     .help = "How many of the nearest samples answer."},
    {PARAM(window_size), .type = PARAM_COUNT, .fallback = 1000, .min = 1, .max = WINDOW_MAX,
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
