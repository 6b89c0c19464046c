/*
 * Rows of the topics that oxbow-views publishes: `features`, one row a
 * request, and `learning-queue`, one row a labelled request. Both are JSON
 * objects with a gapless `seq`; docs/internals.md has their form.
 *
 * A reader is made once for a task and then turns texts into doubles in the
 * order of the task's schema. It copies nothing: what is passed on untouched
 * (the key, the features, the time) is given as its place in the text. It is
 * the boundary where a value becomes a feature: a number stays a number, true
 * and false are 1 and 0, null and an absent name are NaN (missing). Of a
 * categorical feature a text is its schema_category(), and a number, true or false
 * is that of the text that it is. A number that no double holds, an object, an array,
 * or a string for what is no category make the row unreadable, with a text that
 * names the field.
 */
#ifndef OXBOW_ROWS_ROW_H
#define OXBOW_ROWS_ROW_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/label.h"
#include "learn/issued.h"
#include "learn/schema.h"

struct row_reader_options {
    const struct schema *schema; /* borrowed: must outlive the reader */
    const char *key;             /* name of the key's column */
    const char *label;           /* name of the label's column; NULL for rows of `features` */
    const char *const *models;   /* names whose served predictions are wanted */
    size_t n_models;
    const struct label_positive *positive; /* borrowed: labels are read as 1 and 0; NULL: numbers */
};

/* Values point into the text that was read. A member that is absent has type JSON_NULL, text NULL.
 */
struct row {
    uint64_t seq;                   /* 0 when not even that can be read */
    struct json_value key;          /* a string that is not empty, with its quotes */
    struct json_value features;     /* the object */
    struct json_value requested_at; /* a string, or JSON_NULL */
    double label;                   /* finite; 1 or 0 of a binary task; NaN without a label */
    int64_t outcome_ms;             /* outcome_at, the bus's time of the outcome; 0: none there */
    uint64_t unknown;               /* features that the schema does not declare: ignored */
};

/* What went out of one model. All NaN and JSON_NULL where the row has nothing of that name. */
struct row_issued {
    struct issued said;        /* the interval is NaN where the prediction came without one */
    struct json_value version; /* its name, a string with its quotes; else JSON_NULL, text NULL */
};

struct row_reader;

/* Lifecycle */

/* Copies the names. Not NULL today: every kind of feature can be read. */
struct row_reader *row_reader_new(const struct row_reader_options *options,
                                  struct err *err) MUST_CHECK;
void row_reader_free(struct row_reader *r); /* NULL is fine */

/* Use */

/*
 * Reads one row; `text` may be NULL (a message without a value). Fills `x` with schema_size()
 * doubles and `served` with what n_models models said (may be NULL when n_models is 0). A name that
 * comes twice counts as its last value says. An interval is null, absent, or [low, high].
 *
 * ERR_INVALID with a text that names the field. Then ret->seq alone is valid: the row's place in
 * the sequence, where it can be told, else 0. Does not change the reader: safe from several
 * threads.
 */
int row_reader_read(const struct row_reader *r, const char *text, size_t len, struct row *ret,
                    double *x, struct row_issued *served, struct err *err) MUST_CHECK;

/* The features object of a message alone, as row_reader_read() reads it in a row. */
int row_reader_features(const struct row_reader *r, const struct json_value *features, double *x,
                        struct err *err) MUST_CHECK;

#endif
