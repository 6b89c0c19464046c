/*
 * The window of the nearest neighbours, as its files share it:
 *
 *     knn_regressor.c   the window, and a number from neighbours
 *     knn_classifier.c  a probability from neighbours
 *     knn_search.c      finding the neighbours
 *
 * Letters: n features, W the window's size, k neighbours.
 *
 * Layout: the window is a ring of rows, each row n doubles, missing ones as 0.
 * Beside it lies a copy in floats that is only there to be searched quickly: in
 * blocks of KNN_LANES rows, one feature's values of a block side by side:
 *
 *     x[row][feature]    rough[row / LANES][feature][row % LANES]    y[row]
 */
#ifndef OXBOW_LEARN_KNN_INTERNAL_H
#define OXBOW_LEARN_KNN_INTERNAL_H

#include "learn/learner_backend.h"
#include "learn/model.h"

#define KNN_LANES         64 /* rows in a block of the rough copy */
#define KNN_ALIGN         64 /* bytes, of the rough copy */
#define KNN_NEIGHBORS_MAX 1000

struct knn_params {
    uint64_t n_neighbors;
    uint64_t window_size;
    int aggregation_method; /* of the regressor: enum aggregation */
    bool weighted;          /* of the classifier */
    bool softmax;           /* of the classifier */
};

struct knn {
    struct learner base;
    const struct knn_params *params; /* the component's */
    size_t window;                   /* W, or fewer where the bound on memory says so */
    size_t count;                    /* rows in the ring */
    size_t next;                     /* row that the next sample takes; the oldest when full */
    size_t cap;                      /* rows allocated, a multiple of KNN_LANES */
    double *x;                       /* cap * n */
    float *rough;                    /* cap * n */
    double *y;                       /* cap */
    double norm2[2];                 /* largest squared norm: of this lap's rows, of the last's */
    bool learned[2];                 /* labels that the classifier has ever learned */
};

struct neighbor {
    double dist;
    double y;
    size_t age; /* 0 is the oldest */
};

/* The nearest rows, nearest first; of equally near ones the older first. */
struct search {
    size_t k; /* wanted */
    size_t n; /* found */
    struct neighbor found[KNN_NEIGHBORS_MAX];
};

/* Row i of the window, 0 the oldest, as its place in the ring. */
static inline size_t knn_row_of_age(const struct knn *knn, size_t i)
{
    size_t at = (knn->count < knn->window ? 0 : knn->next) + i;

    return at < knn->window ? at : at - knn->window;
}

static inline size_t knn_age_of_row(const struct knn *knn, size_t row)
{
    size_t oldest = knn->count < knn->window ? 0 : knn->next;

    return row >= oldest ? row - oldest : row + knn->window - oldest;
}

/* Fills `s` with the nearest rows to x; features that are missing in x count as 0. */
void knn_search(const struct knn *knn, const double *x, struct search *s);

/* knn_regressor.c: slots of both tables of functions */
struct learner *knn_create(const struct component *component, size_t n);
void knn_free(struct learner *lrn);
void knn_learn(struct learner *lrn, const double *x, double y, double weight);
void knn_save(const struct learner *lrn, struct buf *out);
void knn_load(struct learner *lrn, struct blob_reader *in);
size_t knn_bytes(const struct learner *lrn);
void knn_set_max_bytes(struct learner *lrn, size_t max);
void knn_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out);

#define KNN_WINDOW_MAX 1000000

/* The neighbours, nearest first, and for each its share of the answer times its label. */
void knn_explain_by(const struct knn *knn, const struct search *s, const double *share,
                    struct explanation *ex);

#endif
