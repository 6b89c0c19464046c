/*
 * Allocation that does not return on failure.
 *
 * Every process of this project may be killed at any instant without loss, so
 * running out of memory is treated as one more kill: a line on stderr and
 * abort(). That keeps hundreds of untestable error paths out of the code.
 * Sizes that come from outside are checked against a stated limit first, and
 * never reach these functions unchecked.
 *
 * Everything returned is released with free().
 */
#ifndef OXBOW_BASE_MEM_H
#define OXBOW_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));

/* Zeroed; n * size is checked for overflow. */
void *mem_zalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));

/* n * size is checked for overflow. */
void *mem_realloc(void *p, size_t n, size_t size) __attribute__((returns_nonnull));

char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));

/* A NUL-terminated copy of `len` bytes. */
char *mem_strndup(const char *s, size_t len) __attribute__((malloc, returns_nonnull));

#endif
