/* Preprocessors that are rows of doubles: see preprocessor_rows.h. */
#include "learn/preprocessor_rows.h"

#include <stdlib.h>

#include "base/mem.h"

static size_t size_of(size_t rows, size_t n)
{
    return sizeof(struct preprocessor_rows) + rows * n * sizeof(double);
}

struct preprocessor *preprocessor_rows_new(const struct component *component, size_t n_in,
                                           size_t rows, const double *first)
{
    struct preprocessor_rows *p = mem_zalloc(1, size_of(rows, n_in));

    p->base.ops = component->class->preprocessor;
    p->base.n_in = n_in;
    p->base.n_out = n_in;
    p->params = component->params;
    p->rows = rows;
    for (size_t i = 0; i < rows * n_in; i++)
        p->v[i] = first[i / n_in];
    return &p->base;
}

void preprocessor_rows_free(struct preprocessor *pre)
{
    free(pre);
}

void preprocessor_rows_save(const struct preprocessor *pre, struct buf *out)
{
    const struct preprocessor_rows *p = (const struct preprocessor_rows *)pre;

    blob_write_f64s(out, p->v, p->rows * pre->n_in);
}

void preprocessor_rows_load(struct preprocessor *pre, struct blob_reader *in)
{
    struct preprocessor_rows *p = (struct preprocessor_rows *)pre;

    blob_read_f64s(in, p->v, p->rows * pre->n_in);
}

size_t preprocessor_rows_bytes(const struct preprocessor *pre)
{
    return size_of(((const struct preprocessor_rows *)pre)->rows, pre->n_in);
}
