/*
 * For preprocessors whose whole state is some rows of a double a feature, and that
 * give as many features as they take: everything but learning and transforming.
 */
#ifndef OXBOW_LEARN_PREPROCESSOR_ROWS_H
#define OXBOW_LEARN_PREPROCESSOR_ROWS_H

#include "learn/learner_backend.h"

struct preprocessor_rows {
    struct preprocessor base;
    const void *params; /* the component's */
    size_t rows;
    double v[]; /* rows of n_in */
};

/* Row `i` is first[i] for every feature; `rows` of them. */
struct preprocessor *preprocessor_rows_new(const struct component *component, size_t n_in,
                                           size_t rows, const double *first);

static inline const double *preprocessor_row(const struct preprocessor *pre, size_t i)
{
    return ((const struct preprocessor_rows *)pre)->v + i * pre->n_in;
}

static inline double *preprocessor_row_of(struct preprocessor *pre, size_t i)
{
    return ((struct preprocessor_rows *)pre)->v + i * pre->n_in;
}

/* Slots of the table of functions. */
void preprocessor_rows_free(struct preprocessor *pre);
void preprocessor_rows_save(const struct preprocessor *pre, struct buf *out);
void preprocessor_rows_load(struct preprocessor *pre, struct blob_reader *in);
size_t preprocessor_rows_bytes(const struct preprocessor *pre);

#define PREPROCESSOR_ROWS_OPS                                                                      \
    .free = preprocessor_rows_free, .save = preprocessor_rows_save,                                \
    .load = preprocessor_rows_load, .bytes = preprocessor_rows_bytes

#endif
