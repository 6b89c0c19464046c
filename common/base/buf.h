/*
 * A growable byte buffer.
 *
 * Invariants: `len` bytes are in use, buf->data[len] is always NUL once
 * anything was appended (so text can be used as a C string), and `data` moves
 * when the buffer grows: keep offsets, not pointers.
 *
 *     struct buf out = BUF_INIT;
 *     buf_text(&out, "hello");
 *     ...
 *     buf_release(&out);
 */
#ifndef OXBOW_BASE_BUF_H
#define OXBOW_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct buf {
    char *data; /* NULL until the first append */
    size_t len; /* bytes in use */
    size_t cap; /* bytes allocated; 0 or more than len */
};

#define BUF_INIT                                                                                   \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

/* Lifecycle */

void buf_release(struct buf *b); /* frees the bytes; `b` is empty and usable again */
static inline void buf_clear(struct buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}
/* The bytes, now the caller's to free(); `b` is empty. Never NULL. */
char *buf_detach(struct buf *b);

/* Appending */

/* Makes room for `more` bytes and a NUL, and returns where they go; the caller adds to b->len. */
char *buf_reserve(struct buf *b, size_t more);
void buf_append(struct buf *b, const void *data, size_t len);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

static inline void buf_byte(struct buf *b, char c)
{
    char *p = buf_reserve(b, 1);

    p[0] = c;
    p[1] = '\0';
    b->len++;
}

static inline void buf_text(struct buf *b, const char *s)
{
    buf_append(b, s, strlen(s));
}

/* The bytes as a C string; "" when nothing was ever appended. */
static inline const char *buf_str(const struct buf *b)
{
    return b->data ? b->data : "";
}

#endif
