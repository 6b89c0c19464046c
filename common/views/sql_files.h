/* The task's *.sql files, in the order of their names. */
#ifndef OXBOW_VIEWS_SQL_FILES_H
#define OXBOW_VIEWS_SQL_FILES_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct sql_file {
    char *name; /* without the folder */
    struct buf text;
};

/* Zero-initialise; sql_files_release() also frees what was half read. */
struct sql_files {
    struct sql_file *file;
    size_t n;
};

/* ERR_NOT_FOUND when there is no such folder, or no file in it; ERR_TOO_LARGE over 1 MB a file. */
int sql_files_read(const char *dir, struct sql_files *ret, struct err *err) MUST_CHECK;
void sql_files_release(struct sql_files *files);

/* The line, from 1, that `at` (within the file's text) is on. */
int sql_file_line(const struct sql_file *file, const char *at);

#endif
