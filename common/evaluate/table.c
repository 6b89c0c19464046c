/* Rows of a CSV file as samples: see table.h. */
#include "evaluate/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/near.h"
#include "evaluate/table_cells.h"

#define NONE      SIZE_MAX
#define FIRST_BAD 5 /* rows that cannot be read before a file is refused that had no other */

struct table {
    struct csv *csv;
    enum model_kind kind;
    char *positive; /* NULL: 1 and true */
    double label_delay;

    size_t n_columns;
    char **column; /* names */
    size_t target;
    size_t moment;     /* NONE: nothing is delayed */
    size_t label_time; /* NONE: a fixed delay */
    bool is_timed;     /* moments are times, and not numbers; known once a row was read */
    bool has_row;
    int first_bad; /* rows that could not be read before the first that could */

    struct schema *schema;
    size_t *feature; /* by feature: its column */
    double *x;
};

/* Columns */

static int find_column(const struct table *t, const char *option, const char *name, size_t *ret,
                       struct err *err)
{
    struct near near = {.wanted = name};

    for (size_t i = 0; i < t->n_columns; i++) {
        near_offer(&near, t->column[i]);
        if (strcmp(t->column[i], name) == 0) {
            *ret = i;
            return 0;
        }
    }
    if (near.name)
        return err_set(err, ERR_INVALID, "--%s: there is no column \"%s\"; did you mean \"%s\"?",
                       option, name, near.name);
    return err_set(err, ERR_INVALID,
                   "--%s: there is no column \"%s\"; the first line names %zu, from \"%s\" to "
                   "\"%s\"",
                   option, name, t->n_columns, t->column[0], t->column[t->n_columns - 1]);
}

/* Marks the columns of a list. */
static int mark_columns(const struct table *t, const char *option, const char *names, bool *mark,
                        struct err *err)
{
    int rc = 0;

    while (rc == 0 && names) {
        const char *comma = strchr(names, ',');
        char *name = mem_strndup(names, comma ? (size_t)(comma - names) : strlen(names));
        size_t at = 0;

        rc = find_column(t, option, name, &at, err);
        if (rc == 0)
            mark[at] = true;
        free(name);
        names = comma ? comma + 1 : NULL;
    }
    return rc;
}

static int read_header(struct table *t, struct err *err)
{
    const struct csv_field *field;
    size_t n;
    int rc = csv_next(t->csv, &field, &n, err);

    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_INVALID, "the file is empty");
    t->column = mem_zalloc(n, sizeof(*t->column));
    for (size_t i = 0; i < n; i++) {
        if (field[i].len == 0)
            return err_set(err, ERR_INVALID, "column %zu of the first line has no name", i + 1);
        t->column[t->n_columns++] = mem_strndup(field[i].text, field[i].len);
        for (size_t k = 0; k < i; k++)
            if (strcmp(t->column[k], t->column[i]) == 0)
                return err_set(err, ERR_INVALID, "the first line names \"%s\" twice", t->column[i]);
    }
    return 0;
}

/* The columns that are never features. */
static int find_roles(struct table *t, const struct table_options *o, struct err *err)
{
    int rc = find_column(t, "target", o->target, &t->target, err);

    if (rc == 0 && o->moment)
        rc = find_column(t, "moment", o->moment, &t->moment, err);
    if (rc == 0 && o->label_time)
        rc = find_column(t, "label-time", o->label_time, &t->label_time, err);
    if (rc == 0 && (t->target == t->moment || t->target == t->label_time))
        rc = err_set(err, ERR_INVALID, "column \"%s\" cannot be both the target and a time",
                     o->target);
    return rc;
}

static bool has_role(const struct table *t, size_t column)
{
    return column == t->target || column == t->moment || column == t->label_time;
}

static int choose_features(struct table *t, const struct table_options *o, struct err *err)
{
    bool *listed = mem_zalloc(t->n_columns, sizeof(*listed));
    bool *categorical = mem_zalloc(t->n_columns, sizeof(*categorical));
    int rc = 0;

    t->feature = mem_zalloc(t->n_columns, sizeof(*t->feature));
    if (o->features && o->drop)
        rc = err_set(err, ERR_INVALID, "give --features or --drop, not both");
    if (rc == 0)
        rc = mark_columns(t, o->features ? "features" : "drop", o->features ? o->features : o->drop,
                          listed, err);
    if (rc == 0)
        rc = mark_columns(t, "categorical", o->categorical, categorical, err);
    for (size_t i = 0; rc == 0 && i < t->n_columns; i++) {
        bool is_feature = listed[i] == (o->features != NULL);

        if (o->features && listed[i] && has_role(t, i))
            rc = err_set(err, ERR_INVALID,
                         "--features: column \"%s\" is the target or a time, and never a feature",
                         t->column[i]);
        if (has_role(t, i))
            is_feature = false;
        if (rc == 0 && categorical[i] && !is_feature)
            rc = err_set(err, ERR_INVALID, "--categorical: column \"%s\" is no feature",
                         t->column[i]);
        if (rc < 0 || !is_feature)
            continue;
        t->feature[schema_size(t->schema)] = i;
        rc = schema_add(t->schema, t->column[i],
                        categorical[i] ? FEATURE_CATEGORICAL : FEATURE_NUMERIC, err);
    }
    if (rc == 0 && schema_size(t->schema) == 0)
        rc = err_set(err, ERR_INVALID, "no column is left to be a feature");
    free(listed);
    free(categorical);
    return rc;
}

/* Cells */

static int bad_cell(const struct table *t, const struct csv_field *cell, size_t column,
                    const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "line %" PRIu64 ", column %s: \"%.40s\" %s", csv_line(t->csv),
                   t->column[column], cell->text, what);
}

static int read_target(const struct table *t, const struct csv_field *cell, double *ret,
                       struct err *err)
{
    if (cell_is_missing(cell) && !(t->positive && strcmp(cell->text, t->positive) == 0))
        return bad_cell(t, cell, t->target, "is no label; the row is left out", err);
    if (t->kind == MODEL_REGRESSOR) {
        if (!cell_number(cell, ret))
            return bad_cell(t, cell, t->target, "is no number; for two classes write --kind binary",
                            err);
        return 0;
    }
    if (t->positive) {
        *ret = strcmp(cell->text, t->positive) == 0;
        return 0;
    }
    if (!cell_number(cell, ret) || (*ret != 0 && *ret != 1))
        return bad_cell(t, cell, t->target,
                        "is neither 1, 0, true nor false; say which value is the positive one "
                        "with --positive VALUE",
                        err);
    return 0;
}

static int read_time(const struct table *t, const struct csv_field *cell, size_t column,
                     double *ret, struct err *err)
{
    if (t->is_timed ? cell_time(cell, ret) : cell_number(cell, ret))
        return 0;
    return bad_cell(t, cell, column,
                    t->is_timed ? "is no time YYYY-MM-DD HH:MM:SS"
                                : "is no number of seconds, and no time YYYY-MM-DD HH:MM:SS",
                    err);
}

static int read_moments(struct table *t, const struct csv_field *cell,
                        struct evaluation_sample *ret, struct err *err)
{
    ret->moment = 0;
    ret->due = 0;
    ret->is_delayed = t->moment != NONE;
    ret->second = 1;
    if (!ret->is_delayed)
        return 0;
    if (!t->has_row)
        t->is_timed = cell_time(&cell[t->moment], &ret->moment);
    ret->second = t->is_timed ? 1000 : 1; /* times are milliseconds */

    int rc = read_time(t, &cell[t->moment], t->moment, &ret->moment, err);
    if (rc == 0 && t->label_time != NONE)
        rc = read_time(t, &cell[t->label_time], t->label_time, &ret->due, err);
    else if (rc == 0)
        ret->due = ret->moment + t->label_delay * ret->second;
    return rc;
}

static int read_features(struct table *t, const struct csv_field *cell, struct err *err)
{
    for (size_t i = 0; i < schema_size(t->schema); i++) {
        const struct csv_field *f = &cell[t->feature[i]];

        if (schema_kind(t->schema, i) == FEATURE_CATEGORICAL)
            t->x[i] = f->len ? schema_category(f->text, f->len) : (double)NAN;
        else if (cell_is_missing(f))
            t->x[i] = (double)NAN;
        else if (!cell_number(f, &t->x[i]))
            return bad_cell(t, f, t->feature[i],
                            "is no number; leave the column out with --drop, or name it with "
                            "--categorical",
                            err);
    }
    return 0;
}

/* Public functions */

struct table *table_open(struct csv *csv, const struct table_options *options, struct err *err)
{
    struct table *t = mem_zalloc(1, sizeof(*t));

    t->csv = csv;
    t->kind = options->kind;
    t->positive = options->positive ? mem_strdup(options->positive) : NULL;
    t->label_delay = options->label_delay;
    t->target = t->moment = t->label_time = NONE;
    t->schema = schema_new();
    csv_guess_separator(csv);

    int rc = read_header(t, err);
    if (rc == 0)
        rc = find_roles(t, options, err);
    if (rc == 0)
        rc = choose_features(t, options, err);
    if (rc < 0) {
        table_close(t);
        return NULL;
    }
    t->x = mem_zalloc(schema_size(t->schema), sizeof(*t->x));
    return t;
}

void table_close(struct table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_columns; i++)
        free(t->column[i]);
    free(t->column);
    csv_close(t->csv);
    free(t->positive);
    schema_free(t->schema);
    free(t->feature);
    free(t->x);
    free(t);
}

const struct schema *table_schema(const struct table *t)
{
    return t->schema;
}

int table_next(struct table *t, struct evaluation_sample *ret, struct err *err)
{
    const struct csv_field *cell;
    size_t n;
    int rc = csv_next(t->csv, &cell, &n, err);

    if (rc != 1)
        return rc;
    if (n != t->n_columns)
        return err_set(err, ERR_INVALID, "line %" PRIu64 ": %zu fields, but the first has %zu",
                       csv_line(t->csv), n, t->n_columns);
    rc = read_features(t, cell, err);
    if (rc == 0)
        rc = read_target(t, &cell[t->target], &ret->y, err);
    if (rc == 0)
        rc = read_moments(t, cell, ret, err);
    if (rc < 0 && !t->has_row && !cell_is_missing(&cell[t->target]) &&
        ++t->first_bad == FIRST_BAD) {
        err_prefix(err, "none of the first %d rows can be read, and the rest is not tried",
                   FIRST_BAD);
        return err->code = ERR_REFUSED;
    }
    if (rc < 0)
        return rc;
    t->has_row = true;
    ret->x = t->x;
    return 1;
}

uint64_t table_line(const struct table *t)
{
    return csv_line(t->csv);
}

double table_progress(const struct table *t)
{
    return csv_progress(t->csv);
}
