/*
 * Rows of a CSV file as samples: which column is the target, which are features,
 * and what their cells mean.
 *
 * The first line names the columns. Cells of numeric features are numbers, or
 * true and false; empty ones and NA, NaN and null are missing. Those of categorical features
 * are texts, of which only the empty one is missing. The target of a
 * classifier is true/false, 1/0, or one that table_options.positive names. A moment is a
 * number of seconds, or a time: YYYY-MM-DD, with HH:MM:SS behind it, with .mmmZ.
 *
 * A row that cannot be read is an error that names its line and column, and the
 * next call goes on behind it; but a file of which none of the first five rows with a
 * label can be read is refused: the rest would fail as they do.
 */
#ifndef OXBOW_EVALUATE_TABLE_H
#define OXBOW_EVALUATE_TABLE_H

#include <stdint.h>

#include "base/err.h"
#include "csv/csv.h"
#include "evaluate/evaluation.h"
#include "learn/model.h"
#include "learn/schema.h"

struct table;

/* Lists of columns have commas between them; NULL: not given. All is copied. */
struct table_options {
    const char *target;
    const char *features;    /* NULL: all columns but the target, the moment and the label's time */
    const char *drop;        /* not together with `features` */
    const char *categorical; /* of the features */
    enum model_kind kind;
    const char *positive;   /* the target's cell that is 1; every other one is 0 */
    const char *moment;     /* when the question is asked */
    double label_delay;     /* seconds from there to the answer; NaN: see label_time */
    const char *label_time; /* when the answer comes; NULL without a moment or with a delay */
};

/*
 * Reads the first line; takes `csv`, also when it fails. ERR_INVALID: a column that is not there,
 * with the nearest one, or what else is wrong with the options.
 */
struct table *table_open(struct csv *csv, const struct table_options *options,
                         struct err *err) MUST_CHECK;
void table_close(struct table *t); /* NULL is fine */

const struct schema *table_schema(const struct table *t); /* the features, in the file's order */

/*
 * 1 and the next row, whose x is valid until the next call; 0 at the end. ERR_INVALID: a row that
 * cannot be read, go on; ERR_REFUSED: no row of this file can be read like that; ERR_IO.
 */
int table_next(struct table *t, struct evaluation_sample *ret, struct err *err) MUST_CHECK;

uint64_t table_line(const struct table *t);   /* of the row that table_next() gave */
double table_progress(const struct table *t); /* share of the file that is read, 0 to 1 */

#endif
