/* Where the program stands, and small files. */
#ifndef OXBOW_CLI_PATHS_H
#define OXBOW_CLI_PATHS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define PATHS_MAX 4096

/* `<folder of this program>/<name>`. */
int paths_beside_program(char *ret, size_t size, const char *name) MUST_CHECK;

/* Makes a folder and those above it. */
int paths_make_dir(const char *path, struct err *err) MUST_CHECK;

/*
 * Takes the advisory lock on `path` (made when missing) without waiting. Returns a descriptor that
 * holds it until it is closed (children do not inherit it), or ERR_REFUSED when somebody else holds
 * it.
 */
int paths_lock(const char *path, struct err *err) MUST_CHECK;

/* The whole of a small file (at most 64 kB), or ERR_NOT_FOUND, ERR_IO. */
int paths_read(const char *path, struct buf *ret, struct err *err) MUST_CHECK;

/* Replaces a file at once: a reader sees the old text or the new. */
int paths_write(const char *path, const char *text, struct err *err) MUST_CHECK;

#endif
