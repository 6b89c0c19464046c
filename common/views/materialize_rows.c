/*
 * The rows of a SUBSCRIBE: from columns to the JSON that is published, and from
 * the order in which they came to one that is the same every time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "views/materialize_internal.h"

/* Types by their PostgreSQL numbers, which Materialize shares. */
enum oid {
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_NUMERIC = 1700,
    OID_JSONB = 3802,
};

void mz_rows_release(struct mz_rows *rows)
{
    free(rows->row);
    buf_release(&rows->text);
    *rows = (struct mz_rows){0};
}

/* ---- Columns ---- */

static bool is_feature(const struct mz_views *v, const char *name)
{
    for (size_t i = 0; i < v->n_features; i++)
        if (strcmp(v->features[i], name) == 0)
            return true;
    return false;
}

static enum mz_role role_of(const struct mz_views *v, const struct mz_sub *sub, const char *name)
{
    bool learning = sub->output == VIEWS_LEARNING_QUEUE;

    if (strcmp(name, "mz_timestamp") == 0)
        return MZ_TIMESTAMP;
    if (strcmp(name, "mz_progressed") == 0)
        return MZ_PROGRESSED;
    if (strcmp(name, "mz_diff") == 0)
        return MZ_DIFF;
    if (strcmp(name, v->key) == 0)
        return MZ_KEY;
    if (learning)
        return strcmp(name, "features") == 0 || strcmp(name, "predictions") == 0 ? MZ_RAW
                                                                                 : MZ_PLAIN;
    if (is_feature(v, name))
        return MZ_FEATURE;
    return strcmp(name, "requested_at") == 0 ? MZ_PLAIN : MZ_LEFT_OUT;
}

int mz_sub_describe(struct mz_views *v, struct mz_sub *sub, const PGresult *res, struct err *err)
{
    size_t n = (size_t)PQnfields(res);
    unsigned seen = 0;

    sub->role = mem_realloc(sub->role, n ? n : 1, 1);
    sub->n_columns = n;
    for (size_t i = 0; i < n; i++) {
        enum mz_role role = role_of(v, sub, PQfname(res, (int)i));
        sub->role[i] = (uint8_t)role;
        seen |= 1U << role;
        if (role == MZ_KEY)
            sub->key_column = i;
    }
    const unsigned wanted = 1U << MZ_TIMESTAMP | 1U << MZ_PROGRESSED | 1U << MZ_DIFF | 1U << MZ_KEY;
    if ((seen & wanted) != wanted)
        return err_set(err, ERR_INVALID,
                       "SUBSCRIBE to %s: mz_timestamp, mz_progressed, mz_diff or %s is not among "
                       "the columns",
                       sub->view, v->key);
    return 0;
}

/* ---- Values ---- */

static void write_number(struct buf *out, const char *text, size_t len)
{
    double number;

    if (num_parse(text, len, &number) == 0)
        json_write_number(out, number);
    else
        buf_text(out, "null"); /* NaN and infinities */
}

static void write_raw(struct buf *out, const char *text, size_t len, bool checked)
{
    size_t at;

    if (checked || !json_check(text, len, &at))
        buf_append(out, text, len);
    else
        buf_text(out, "null");
}

static void write_value(struct buf *out, const PGresult *res, int column, bool raw)
{
    const char *text = PQgetvalue(res, 0, column);
    size_t len = (size_t)PQgetlength(res, 0, column);

    if (PQgetisnull(res, 0, column)) {
        buf_text(out, "null");
        return;
    }
    switch ((enum oid)PQftype(res, column)) {
    case OID_BOOL:
        buf_text(out, *text == 't' ? "true" : "false");
        return;
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
        buf_append(out, text, len);
        return;
    case OID_FLOAT4:
    case OID_FLOAT8:
    case OID_NUMERIC:
        write_number(out, text, len);
        return;
    case OID_JSONB:
        write_raw(out, text, len, true);
        return;
    default:
        if (raw)
            write_raw(out, text, len, false);
        else
            json_write_string(out, text, len);
    }
}

static void write_member(const struct mz_sub *sub, struct buf *out, const PGresult *res, size_t i)
{
    const char *name = PQfname(res, (int)i);

    json_write_string(out, name, strlen(name));
    buf_byte(out, ':');
    write_value(out, res, (int)i, sub->role[i] == MZ_RAW);
}

/* The features in the task's order, whatever the view's. */
static void write_features(const struct mz_views *v, struct buf *out, const PGresult *res)
{
    buf_text(out, ",\"features\":{");
    for (size_t i = 0; i < v->n_features; i++) {
        int column = PQfnumber(res, v->features[i]);
        if (i)
            buf_byte(out, ',');
        json_write_name(out, v->features[i]);
        if (column >= 0)
            write_value(out, res, column, false);
        else
            buf_text(out, "null");
    }
    buf_byte(out, '}');
}

static void write_row(const struct mz_views *v, const struct mz_sub *sub, struct buf *out,
                      const PGresult *res)
{
    buf_byte(out, '{');
    write_member(sub, out, res, sub->key_column);
    for (size_t i = 0; i < sub->n_columns; i++)
        if (sub->role[i] == MZ_PLAIN || sub->role[i] == MZ_RAW) {
            buf_byte(out, ',');
            write_member(sub, out, res, i);
        }
    if (sub->output == VIEWS_FEATURES)
        write_features(v, out, res);
    buf_byte(out, '}');
}

/* ---- Changes ---- */

static struct mz_row *rows_next(struct mz_rows *rows)
{
    if (rows->n == rows->cap) {
        rows->cap = rows->cap ? rows->cap * 2 : 256;
        rows->row = mem_realloc(rows->row, rows->cap, sizeof(*rows->row));
    }
    return &rows->row[rows->n++];
}

int mz_sub_add(struct mz_views *v, struct mz_sub *sub, const PGresult *res, int64_t ts,
               struct err *err)
{
    int64_t diff = 0;

    for (size_t i = 0; i < sub->n_columns; i++)
        if (sub->role[i] == MZ_DIFF &&
            num_parse_int(PQgetvalue(res, 0, (int)i), (size_t)PQgetlength(res, 0, (int)i), &diff))
            return err_set(err, ERR_DATAFLOW, "SUBSCRIBE to %s: mz_diff is \"%.40s\"", sub->view,
                           PQgetvalue(res, 0, (int)i));
    if (diff == 0 || PQgetisnull(res, 0, (int)sub->key_column))
        return 0;

    struct mz_row *row = rows_next(&sub->open);
    struct buf *text = &sub->open.text;
    *row = (struct mz_row){.ts = ts, .diff = diff, .key_at = text->len};
    row->key_len = (size_t)PQgetlength(res, 0, (int)sub->key_column);
    buf_append(text, PQgetvalue(res, 0, (int)sub->key_column), row->key_len);
    row->value_at = text->len;
    write_row(v, sub, text, res);
    row->value_len = text->len - row->value_at;
    return 0;
}

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    if (order)
        return order;
    return a_len < b_len ? -1 : a_len > b_len;
}

/* By timestamp, key and value. */
static int compare_rows(const void *left, const void *right, void *ctx)
{
    const struct mz_row *a = left, *b = right;
    const char *text = ctx;

    if (a->ts != b->ts)
        return a->ts < b->ts ? -1 : 1;
    int order = compare_bytes(text + a->key_at, a->key_len, text + b->key_at, b->key_len);
    if (order)
        return order;
    return compare_bytes(text + a->value_at, a->value_len, text + b->value_at, b->value_len);
}

/* Sums up changes of the same row; `rows` is sorted. */
static void consolidate(struct mz_rows *rows)
{
    size_t kept = 0;

    for (size_t i = 0; i < rows->n; i++) {
        if (kept && compare_rows(&rows->row[kept - 1], &rows->row[i], rows->text.data) == 0)
            rows->row[kept - 1].diff += rows->row[i].diff;
        else {
            if (kept && rows->row[kept - 1].diff == 0)
                kept--;
            rows->row[kept++] = rows->row[i];
        }
    }
    if (kept && rows->row[kept - 1].diff == 0)
        kept--;
    rows->n = kept;
}

void mz_sub_close_rows(struct mz_sub *sub, int64_t upto)
{
    struct mz_rows *open = &sub->open, *closed = &sub->closed;
    struct mz_rows swap = *closed;

    swap.n = 0;
    buf_clear(&swap.text);
    *closed = *open;
    *open = swap;

    /* What is still open goes back; most often that is nothing. */
    size_t kept = 0;
    for (size_t i = 0; i < closed->n; i++) {
        struct mz_row row = closed->row[i];
        if (row.ts < upto) {
            closed->row[kept++] = row;
            continue;
        }
        const char *key = closed->text.data + row.key_at;
        const char *value = closed->text.data + row.value_at;
        row.key_at = open->text.len;
        buf_append(&open->text, key, row.key_len);
        row.value_at = open->text.len;
        buf_append(&open->text, value, row.value_len);
        *rows_next(open) = row;
    }
    closed->n = kept;
    if (closed->n)
        qsort_r(closed->row, closed->n, sizeof(*closed->row), compare_rows, closed->text.data);
    consolidate(closed);
}
