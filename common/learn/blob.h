/*
 * Bytes that hold a model: writing them, and reading them as hostile input.
 *
 * Everything is little-endian and of fixed width, and nothing but the state
 * goes in: the same state always gives the same bytes.
 *
 * A reader never fails in the middle: the first read beyond the end, or the
 * first blob_fail(), marks it, and from then on every read answers zero. The
 * caller checks blob_failed() before it trusts what it read, and checks counts
 * with blob_count() before it allocates for them.
 */
#ifndef OXBOW_LEARN_BLOB_H
#define OXBOW_LEARN_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Writing */

void blob_write_u8(struct buf *out, uint8_t v);
void blob_write_u32(struct buf *out, uint32_t v);
void blob_write_u64(struct buf *out, uint64_t v);
void blob_write_f64(struct buf *out, double v); /* every bit of it, a NaN's too */
void blob_write_f64s(struct buf *out, const double *v, size_t n);

/* Reading */

/*
 * The format of what is written. Whoever changes the layout of any state makes it one more, says
 * at its place in this list what changed, and reads the old layout where `in->format` is less:
 *
 *     1   the first
 */
#define BLOB_FORMAT        1
#define BLOB_FORMAT_OLDEST 1 /* that is still read */

struct blob_reader {
    uint32_t format; /* BLOB_FORMAT of who wrote it */
    const unsigned char *at;
    const unsigned char *end;
    const char *failure; /* NULL, or what was wrong first: a static text */
};

/* Of BLOB_FORMAT, unless the caller sets another. */
void blob_reader_init(struct blob_reader *in, const void *data, size_t len);

uint8_t blob_read_u8(struct blob_reader *in);
uint32_t blob_read_u32(struct blob_reader *in);
uint64_t blob_read_u64(struct blob_reader *in);
double blob_read_f64(struct blob_reader *in);
void blob_read_f64s(struct blob_reader *in, double *v, size_t n); /* all zero on failure */

/* The next `len` bytes, borrowed from the blob; NULL on failure. */
const void *blob_read_bytes(struct blob_reader *in, size_t len);

/*
 * Reads a u64 count of things of which each takes at least `each` (> 0) more
 * bytes; fails, answering 0, when so many cannot follow or when it is above `max`.
 */
size_t blob_read_count(struct blob_reader *in, size_t each, size_t max);

static inline size_t blob_left(const struct blob_reader *in)
{
    return (size_t)(in->end - in->at);
}

static inline bool blob_failed(const struct blob_reader *in)
{
    return in->failure != NULL;
}

/* Marks the reader; the first failure is kept. */
void blob_fail(struct blob_reader *in, const char *failure);

#endif
