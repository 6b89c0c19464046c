/*
 * Reads CSV, plain or gzipped, a line at a time.
 *
 * Fields are separated by commas, or by semicolons or tabs where csv_guess_separator()
 * was called and the first line has more of them than of the others; a field in double
 * quotes may hold separators, and a quote written twice. Lines end with LF or CRLF, the last one
 * may lack its end; empty lines are passed over, a byte order mark too. A field does not go on over
 * lines, so that a quote that is never closed costs one line and not the rest of the file.
 *
 * A line that cannot be read is an error that names its number and column; the
 * next call goes on with the line after it.
 */
#ifndef OXBOW_CSV_CSV_H
#define OXBOW_CSV_CSV_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CSV_LINE_MAX   65536 /* bytes of a line, without its end */
#define CSV_FIELDS_MAX 1100  /* as many as a model takes features, and some more */

struct csv;

struct csv_field {
    char *text; /* NUL-terminated; may also hold NULs */
    size_t len;
};

/* ERR_IO when the file cannot be opened. */
struct csv *csv_open(const char *path, struct err *err) MUST_CHECK;
/* Reads (plain) bytes instead, which must stay as long as the reader. */
struct csv *csv_open_memory(const char *data, size_t len);
void csv_close(struct csv *csv); /* NULL is fine */

/* Before the first line is read: commas, semicolons or tabs, by what it has most of. */
void csv_guess_separator(struct csv *csv);

/*
 * 1 and the fields of the next line, valid until the next call; 0 at the end; ERR_INVALID for a
 * line that is malformed or too long (go on with the next call); ERR_IO when reading failed.
 */
int csv_next(struct csv *csv, const struct csv_field **ret, size_t *ret_n,
             struct err *err) MUST_CHECK;

/* The number, from 1, of the line that csv_next() read last. */
uint64_t csv_line(const struct csv *csv);

/* The share of the file that has been read from the disk, 0 to 1; 0 where that cannot be told. */
double csv_progress(const struct csv *csv);

#endif
