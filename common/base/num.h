/*
 * Doubles as text.
 *
 * What one process prints another reads back bit for bit, in the fewest digits
 * that allow it: a prediction that was served is the prediction that is learned
 * from. Neither function looks at the locale.
 */
#ifndef OXBOW_BASE_NUM_H
#define OXBOW_BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define NUM_TEXT_MAX 32 /* enough for any double, any int64 and a NUL */

/*
 * Writes the shortest decimal text that reads back as exactly `v`, and of those
 * the one nearest to `v`; a valid JSON number. Returns its length; `out` is
 * NUL-terminated. Integers below 1e17 have no point or exponent. NaN and
 * infinities, which JSON cannot say, are written as "null".
 */
size_t num_format(double v, char out[NUM_TEXT_MAX]);

size_t num_format_int(int64_t v, char out[NUM_TEXT_MAX]);

/*
 * Reads a JSON number that is the whole of the `len` bytes. ERR_INVALID when it
 * is not one, or when it is too large for a double; `*ret` is then untouched.
 */
int num_parse(const char *s, size_t len, double *ret) MUST_CHECK;

/* The same for a decimal integer with an optional minus sign. */
int num_parse_int(const char *s, size_t len, int64_t *ret) MUST_CHECK;

#endif
