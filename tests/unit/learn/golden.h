/* What the tests against River's recorded traces share: reading them, and replaying whole families.
 */
#ifndef OXBOW_TESTS_LEARN_GOLDEN_H
#define OXBOW_TESTS_LEARN_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "learn/explain.h"
#include "learn/model.h"

#define GOLDEN           OXBOW_SOURCE_DIR "/tests/golden/"
#define GOLDEN_TOLERANCE 1e-9

/* Reads a file, compressed or not; false when it is not there. */
static inline bool golden_file(const char *path, struct buf *out)
{
    gzFile file = gzopen(path, "rb");
    int n;

    if (!file)
        return false;
    do {
        n = gzread(file, buf_reserve(out, 65536), 65536);
        assert_true(n >= 0);
        out->len += (size_t)n;
    } while (n > 0);
    gzclose(file);
    buf_byte(out, '\0');
    out->len--;
    return true;
}

/* Rows as record.py writes them. */
struct golden_rows {
    struct buf bytes;
    size_t n;
    size_t width; /* features; then label and weight */
    const double *rows;
};

static inline void golden_rows_of(struct golden_rows *rows)
{
    uint64_t head[2];

    memcpy(head, rows->bytes.data, sizeof(head));
    rows->n = (size_t)head[0];
    rows->width = (size_t)head[1];
    rows->rows = (const double *)(const void *)(rows->bytes.data + sizeof(head));
    assert_int_equal(rows->bytes.len, sizeof(head) + rows->n * (rows->width + 2) * 8);
}

static inline void golden_open(struct golden_rows *rows, const char *path)
{
    memset(rows, 0, sizeof(*rows));
    assert_true(golden_file(path, &rows->bytes));
    golden_rows_of(rows);
}

/* One of River's small data sets, which are not part of the project: without them the test is
 * skipped. */
static inline void golden_open_data(struct golden_rows *rows, const char *set)
{
    char command[512];
    size_t n;

    memset(rows, 0, sizeof(*rows));
    snprintf(command, sizeof(command),
             "python3 -B " OXBOW_SOURCE_DIR "/tests/support/small_data.py %s", set);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    do {
        n = fread(buf_reserve(&rows->bytes, 65536), 1, 65536, pipe);
        rows->bytes.len += n;
    } while (n > 0);
    int status = pclose(pipe);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        buf_release(&rows->bytes);
        skip();
    }
    assert_int_equal(status, 0);
    golden_rows_of(rows);
}

static inline const double *golden_row(const struct golden_rows *rows, size_t i)
{
    return rows->rows + i * (rows->width + 2);
}

/* The features of stream.bin.gz, or some with names of the same kind. */
static inline struct schema *golden_schema(size_t n)
{
    static const char *const names[] = {"passenger_count",   "is_weekend", "l1_distance",
                                        "avg_speed_by_hour", "hour_cos",   "hour_sin"};
    struct schema *schema = schema_new();
    char name[32];

    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "feature_%zu", i);
        assert_int_equal(schema_add(schema, n == 6 ? names[i] : name, FEATURE_NUMERIC, NULL), 0);
    }
    return schema;
}

/* The same, the first a category: its values are only told apart. */
static inline struct schema *golden_schema_categorical(size_t n)
{
    struct schema *numeric = golden_schema(n);
    struct schema *schema = schema_new();

    for (size_t i = 0; i < n; i++)
        assert_int_equal(schema_add(schema, schema_name(numeric, i),
                                    i ? FEATURE_NUMERIC : FEATURE_CATEGORICAL, NULL),
                         0);
    schema_free(numeric);
    return schema;
}

static inline struct model *golden_model(const struct json_value *pipeline,
                                         const struct schema *schema)
{
    char *text = mem_strndup(pipeline->text, pipeline->len);
    struct err err = {0};
    struct model *m = model_new(text, schema, &err);

    if (!m)
        fail_msg("%s: %s", text, err.text);
    free(text);
    return m;
}

/* A trace of a file such as families.json; `theirs` has each `every`-th prediction. */
struct golden_trace {
    const char *name;
    bool weighted;
    double long_is; /* labels above are positive */
    size_t every;
    const double *theirs;
};

static inline void golden_explain(const struct model *m, const double *x, double p)
{
    struct explanation ex = EXPLANATION_INIT;
    struct err err = {0};

    if (model_explain(m, x, &ex, &err)) {
        assert_int_equal(err.code, ERR_UNSUPPORTED);
        return;
    }
    double total = explanation_total(&ex);

    explanation_release(&ex);
    if (!(isnan(p) && isnan(total)))
        assert_true(fabs(total - p) <= GOLDEN_TOLERANCE * fmax(1, fabs(p)));
}

/* The largest difference, relative to max(1, |River's|); fails beyond the tolerance. */
static inline double golden_replay(struct model *m, const struct golden_rows *rows,
                                   const struct golden_trace *trace)
{
    double largest = 0;

    for (size_t i = 0; i < rows->n; i++) {
        const double *row = golden_row(rows, i);
        double y = row[rows->width];

        if (model_kind(m) == MODEL_CLASSIFIER)
            y = y > trace->long_is;
        if (i % trace->every == 0) {
            double p = model_predict_one(m, row);
            double theirs = trace->theirs[i / trace->every];
            double difference = fabs(p - theirs) / fmax(1, fabs(theirs));

            /* River's min_max_scaler makes NaN of the first row, of which it knows nothing. */
            if (isnan(theirs) && (isnan(p) || i == 0))
                difference = 0;
            if (!(difference <= GOLDEN_TOLERANCE))
                fail_msg("%s, row %zu: %.17g, River has %.17g", trace->name, i, p, theirs);
            largest = fmax(largest, difference);
            golden_explain(m, row, p);
        }
        model_learn_one(m, row, y, trace->weighted ? row[rows->width + 1] : 1);
    }
    return largest;
}

static inline double golden_number(const struct json_value *object, const char *name)
{
    struct json_value value;
    double v;

    assert_true(json_get(object, name, &value));
    assert_true(json_number(&value, &v));
    return v;
}

/* Is it among "categories" of the file? */
static inline enum feature_kind golden_kind(const struct json_value *root, const char *feature)
{
    struct json_value value;
    struct json_value item;
    struct json_iter it;

    if (!json_get(root, "categories", &value))
        return FEATURE_NUMERIC;
    for (json_iter_init(&it, &value); json_next_element(&it, &item);) {
        if (json_is(&item, feature, strlen(feature)))
            return FEATURE_CATEGORICAL;
    }
    return FEATURE_NUMERIC;
}

/* The rows that the traces of a file were made of; `ret_schema` has their features. */
static inline void golden_stream(const struct json_value *root, struct golden_rows *rows,
                                 struct schema **ret_schema)
{
    struct buf path = BUF_INIT;
    struct buf name = BUF_INIT;
    struct json_value value;
    struct json_value item;
    struct json_iter it;

    buf_text(&path, GOLDEN);
    if (json_get(root, "stream", &value))
        assert_true(json_string(&value, &path));
    else
        buf_text(&path, "stream");
    buf_text(&path, ".bin.gz");
    golden_open(rows, buf_str(&path));
    if (json_get(root, "rows", &value))
        rows->n = (size_t)golden_number(root, "rows");
    if (json_get(root, "features", &value)) {
        *ret_schema = schema_new();
        for (json_iter_init(&it, &value); json_next_element(&it, &item); buf_clear(&name)) {
            assert_true(json_string(&item, &name));
            assert_int_equal(
                schema_add(*ret_schema, buf_str(&name), golden_kind(root, buf_str(&name)), NULL),
                0);
        }
        assert_int_equal(schema_size(*ret_schema), rows->width);
    } else {
        *ret_schema = golden_schema(rows->width);
    }
    buf_release(&path);
    buf_release(&name);
}

/* What River counted, by name in "counts", the model tells, too. */
static inline void golden_counts(const struct model *m, const struct json_value *trace,
                                 const char *name)
{
    struct json_value counts;
    struct json_value root;
    struct json_value key;
    struct json_value value;
    struct json_iter it;
    struct buf text = BUF_INIT;

    if (!json_get(trace, "counts", &counts))
        return;
    model_inspect(m, &text);
    assert_int_equal(json_parse(text.data, text.len, &root, NULL), 0);
    json_iter_init(&it, &counts);
    while (json_next_member(&it, &key, &value)) {
        struct buf count = BUF_INIT;
        double theirs;

        assert_true(json_string(&key, &count) && json_number(&value, &theirs));
        if (golden_number(&root, buf_str(&count)) != theirs)
            fail_msg("%s: %g %s, River has %g", name, golden_number(&root, buf_str(&count)),
                     buf_str(&count), theirs);
        buf_release(&count);
    }
    buf_release(&text);
}

/* The model has as many nodes as River's, where the trace says how many. */
static inline void golden_nodes(const struct model *m, const struct json_value *trace,
                                const char *name)
{
    struct json_value value;
    struct json_value root;
    struct buf text = BUF_INIT;

    if (!json_get(trace, "nodes", &value))
        return;
    model_inspect(m, &text);
    assert_int_equal(json_parse(text.data, text.len, &root, NULL), 0);
    if (golden_number(&root, "nodes") != golden_number(trace, "nodes"))
        fail_msg("%s: %g nodes, River has %g", name, golden_number(&root, "nodes"),
                 golden_number(trace, "nodes"));
    buf_release(&text);
}

/* The first feature's numbers become the categories of their texts. */
static inline void golden_texts(struct golden_rows *rows)
{
    double *x = (double *)(void *)(rows->bytes.data + 2 * sizeof(uint64_t));

    for (size_t i = 0; i < rows->n; i++, x += rows->width + 2) {
        char text[32];

        if (!isnan(x[0]))
            x[0] = schema_category(text, (size_t)snprintf(text, sizeof(text), "%d", (int)x[0]));
    }
}

/*
 * Replays all traces of one family of <file>.json and <file>.bin.gz, as record_families.py writes
 * them; there are at least so many.
 */
static inline void golden_family_of(const char *file, const char *family, size_t at_least)
{
    char path[512];
    struct buf text = BUF_INIT;
    struct buf predictions = BUF_INIT;
    struct golden_rows rows;
    struct json_value root;
    struct json_value traces;
    struct json_value item;
    struct json_value value;
    struct json_iter it;
    double largest = 0;
    size_t at = 0;
    size_t n = 0;

    snprintf(path, sizeof(path), GOLDEN "%s.json", file);
    assert_true(golden_file(path, &text));
    snprintf(path, sizeof(path), GOLDEN "%s.bin.gz", file);
    assert_true(golden_file(path, &predictions));
    assert_int_equal(json_parse(text.data, text.len, &root, NULL), 0);
    struct schema *schema;
    golden_stream(&root, &rows, &schema);
    struct schema *categorical = golden_schema_categorical(rows.width);
    struct golden_trace trace = {
        .long_is = golden_number(&root, "long"),
        .every = (size_t)golden_number(&root, "every"),
    };
    size_t kept = (rows.n + trace.every - 1) / trace.every;

    assert_true(json_get(&root, "traces", &traces));
    json_iter_init(&it, &traces);
    for (; json_next_element(&it, &item); at += kept) {
        struct buf name = BUF_INIT;

        assert_true(json_get(&item, "family", &value));
        if (!json_is(&value, family, strlen(family)))
            continue;
        assert_true(json_get(&item, "name", &value) && json_string(&value, &name));
        assert_true(json_get(&item, "weighted", &value));
        trace.name = buf_str(&name);
        trace.weighted = value.type == JSON_TRUE;
        assert_true((at + kept) * sizeof(double) <= predictions.len);
        trace.theirs = (const double *)(const void *)predictions.data + at;
        assert_true(json_get(&item, "pipeline", &value));
        struct json_value flag;
        bool has_category = json_get(&item, "categorical", &flag);
        if (json_get(&item, "texts", &flag) && n == 0)
            golden_texts(&rows); /* of all traces of the family */
        struct model *m = golden_model(&value, has_category ? categorical : schema);

        double difference = golden_replay(m, &rows, &trace);

        golden_nodes(m, &item, trace.name);
        golden_counts(m, &item, trace.name);
        print_message("  %s: largest difference %.3g\n", trace.name, difference);
        largest = fmax(largest, difference);
        model_free(m);
        buf_release(&name);
        n++;
    }
    assert_int_equal(at * sizeof(double), predictions.len);
    assert_true(n >= at_least);
    print_message("  %s: %zu traces, largest difference %.3g\n", family, n, largest);
    schema_free(schema);
    schema_free(categorical);
    buf_release(&rows.bytes);
    buf_release(&predictions);
    buf_release(&text);
}

static inline void golden_family(const char *family, size_t at_least)
{
    golden_family_of("families", family, at_least);
}

/* One of River's own data sets, each row predicted and then learned. */
struct golden_scores {
    double n;
    double right;   /* labels that River's argmax hits */
    double unknown; /* rows without a prediction */
    double mae;
};

static inline struct golden_scores golden_data(const char *set, const char *pipeline)
{
    struct golden_scores scores = {0};
    struct golden_rows rows;
    struct err err = {0};

    golden_open_data(&rows, set);
    struct schema *schema = golden_schema(rows.width);
    struct model *m = model_new(pipeline, schema, &err);

    if (!m)
        fail_msg("%s: %s", pipeline, err.text);
    for (size_t i = 0; i < rows.n; i++) {
        const double *row = golden_row(&rows, i);
        double y = row[rows.width];
        double p = model_predict_one(m, row);

        if (isnan(p)) {
            scores.unknown += 1;
        } else {
            scores.n += 1;
            scores.right += (model_label(p) ? 1 : 0) == y;
            scores.mae += (fabs(y - p) - scores.mae) / scores.n;
        }
        model_learn_one(m, row, y, 1);
    }
    model_free(m);
    schema_free(schema);
    buf_release(&rows.bytes);
    return scores;
}

#endif
