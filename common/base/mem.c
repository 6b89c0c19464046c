#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p, size_t size)
{
    if (p)
        return p;
    fprintf(stderr, "out of memory (%zu bytes asked for): aborting\n", size);
    abort();
}

void *mem_alloc(size_t size)
{
    return checked(malloc(size ? size : 1), size);
}

void *mem_zalloc(size_t n, size_t size)
{
    return checked(calloc(n ? n : 1, size ? size : 1), size);
}

void *mem_realloc(void *p, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        checked(NULL, SIZE_MAX);
    size_t total = n * size;
    return checked(realloc(p, total ? total : 1), total);
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

char *mem_strndup(const char *s, size_t len)
{
    char *copy = mem_alloc(len + 1);

    if (len)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}
