#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void buf_release(struct buf *b)
{
    free(b->data);
    *b = (struct buf)BUF_INIT;
}

char *buf_detach(struct buf *b)
{
    char *data = b->data ? b->data : mem_strdup("");

    *b = (struct buf)BUF_INIT;
    return data;
}

char *buf_reserve(struct buf *b, size_t more)
{
    size_t need = b->len + more + 1;

    if (need > b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 64;

        if (cap < need)
            cap = need;
        b->data = mem_realloc(b->data, cap, 1);
        b->cap = cap;
    }
    return b->data + b->len;
}

void buf_append(struct buf *b, const void *data, size_t len)
{
    char *p = buf_reserve(b, len);

    if (len)
        memcpy(p, data, len);
    p[len] = '\0';
    b->len += len;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n <= 0)
        return;

    char *p = buf_reserve(b, (size_t)n);
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}
