/*
 * Our predictions against River's: recorded traces (tests/golden/record.py),
 * and River's published figures on its own data sets.
 */
#include "golden.h"

#include <unistd.h>

#include "base/num.h"
#include "learn/metrics.h"

#define DATA OXBOW_SOURCE_DIR "/../shared/data/"

#define ALWAYS        3 /* counts that every tree has */
#define EXPLAIN_EVERY 7 /* rows of a trace */

static struct schema *new_schema(const char *const *names, size_t n)
{
    struct schema *schema = schema_new();

    for (size_t i = 0; i < n; i++)
        assert_int_equal(schema_add(schema, names[i], FEATURE_NUMERIC, NULL), 0);
    return schema;
}

/* Traces */

static void open_stream(const char *name, struct golden_rows *stream)
{
    struct buf path = BUF_INIT;

    buf_printf(&path, GOLDEN "%s.bin.gz", name);
    golden_open(stream, buf_str(&path));
    buf_release(&path);
}

static bool flag_of(const struct json_value *object, const char *name)
{
    struct json_value value;

    assert_true(json_get(object, name, &value));
    return value.type == JSON_TRUE;
}

static struct schema *stream_schema(const struct json_value *root, const char *stream)
{
    struct schema *schema = schema_new();
    struct json_value streams;
    struct json_value features;
    struct json_value feature;
    struct json_value name;
    struct json_iter it;

    assert_true(json_get(root, "streams", &streams));
    assert_true(json_get(&streams, stream, &features));
    json_iter_init(&it, &features);
    while (json_next_element(&it, &feature)) {
        enum feature_kind kind =
            flag_of(&feature, "nominal") ? FEATURE_CATEGORICAL : FEATURE_NUMERIC;
        struct buf text = BUF_INIT;

        assert_true(json_get(&feature, "name", &name) && json_string(&name, &text));
        assert_int_equal(schema_add(schema, text.data, kind, NULL), 0);
        buf_release(&text);
    }
    return schema;
}

/* What a branch asks for: a threshold, a category, or the list of them. */
static void check_asked(const struct json_value *ours, const struct json_value *theirs)
{
    struct json_value our_value;
    struct json_value their_value;
    struct json_iter our_it;
    struct json_iter their_it;
    double a;
    double b;

    if (theirs->type != JSON_ARRAY) {
        if (!json_get(ours, "threshold", &our_value))
            assert_true(json_get(ours, "value", &our_value));
        assert_true(json_number(&our_value, &a) && json_number(theirs, &b) && a == b);
        return;
    }
    assert_true(json_get(ours, "values", &our_value));
    json_iter_init(&our_it, &our_value);
    json_iter_init(&their_it, theirs);
    while (json_next_element(&their_it, &their_value)) {
        assert_true(json_next_element(&our_it, &our_value));
        assert_true(json_number(&our_value, &a) && json_number(&their_value, &b) && a == b);
    }
    assert_false(json_next_element(&our_it, &our_value));
}

/* The tree has River's nodes, leaves, height, split features and thresholds. */
static void check_tree(const struct model *m, const struct json_value *theirs)
{
    static const char *const counts[] = {"nodes",           "leaves",         "height",
                                         "alternate_trees", "switched_trees", "pruned_trees"};
    struct buf text = BUF_INIT;
    struct json_value ours;
    struct json_value their_splits;
    struct json_value our_splits;
    struct json_value their_split;
    struct json_value our_split;
    struct json_iter their_it;
    struct json_iter our_it;
    size_t n = 0;

    model_inspect(m, &text);
    assert_int_equal(json_parse(text.data, text.len, &ours, NULL), 0);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        assert_true(i >= ALWAYS && !json_get(theirs, counts[i], &their_split)
                        ? !json_get(&ours, counts[i], &our_split)
                        : golden_number(&ours, counts[i]) == golden_number(theirs, counts[i]));
    assert_true(json_get(theirs, "splits", &their_splits));
    assert_true(json_get(&ours, "splits", &our_splits));
    json_iter_init(&their_it, &their_splits);
    json_iter_init(&our_it, &our_splits);
    while (json_next_element(&their_it, &their_split)) {
        struct json_value feature;
        struct json_value our_feature;
        struct json_value threshold;
        struct json_iter pair;

        assert_true(json_next_element(&our_it, &our_split));
        json_iter_init(&pair, &their_split);
        assert_true(json_next_element(&pair, &feature));
        assert_true(json_next_element(&pair, &threshold));
        assert_true(json_get(&our_split, "feature", &our_feature));
        assert_int_equal(our_feature.len, feature.len);
        assert_memory_equal(our_feature.text, feature.text, feature.len);
        check_asked(&our_split, &threshold);
        n++;
    }
    assert_false(json_next_element(&our_it, &our_split));
    print_message("    the same tree: %zu splits, height %g\n", n, golden_number(theirs, "height"));
    buf_release(&text);
}

/* What the parts of the explanation add up to. */
static double explained(const struct model *m, const double *x)
{
    struct explanation ex = EXPLANATION_INIT;
    double sum;

    assert_int_equal(model_explain(m, x, &ex, NULL), 0);
    sum = ex.base;
    for (size_t i = 0; i < ex.n_parts; i++)
        sum += ex.parts[i].contribution;
    explanation_release(&ex);
    return sum;
}

/* Replays one trace and returns the largest difference, relative to max(1, |River's|). */
static double replay(struct model *m, const struct golden_rows *stream,
                     const struct json_value *trace, const double *theirs)
{
    bool weighted = flag_of(trace, "weighted");
    bool rounded = flag_of(trace, "rounded");
    struct json_value limit;
    bool is_class = json_get(trace, "above", &limit);
    double above = is_class ? golden_number(trace, "above") : 0;
    double largest = 0;

    for (size_t i = 0; i < stream->n; i++) {
        const double *row = golden_row(stream, i);
        double x[16];
        double p;
        double difference;

        for (size_t j = 0; j < stream->width; j++)
            x[j] = rounded ? nearbyint(row[j]) : row[j];
        p = model_predict_one(m, x);
        difference = fabs(p - theirs[i]) / fmax(1, fabs(theirs[i]));
        if (isnan(theirs[i])) /* it has no label yet, and nothing to tell */
            difference = isnan(p) ? 0 : 1;
        if (!(difference <= GOLDEN_TOLERANCE))
            fail_msg("row %zu: %.17g, River has %.17g", i, p, theirs[i]);
        largest = fmax(largest, difference);
        if (i % EXPLAIN_EVERY == 0 && !isnan(p))
            assert_true(fabs(explained(m, x) - p) <= GOLDEN_TOLERANCE * fmax(1, fabs(p)));
        model_learn_one(m, x, is_class ? row[stream->width] > above : row[stream->width],
                        weighted ? row[stream->width + 1] : 1);
    }
    return largest;
}

static void check_trace(const struct json_value *root, const struct json_value *trace)
{
    struct golden_rows stream;
    struct schema *schema;
    struct buf of = BUF_INIT;
    struct buf name = BUF_INIT;
    struct buf path = BUF_INIT;
    struct buf theirs = BUF_INIT;
    struct json_value value;
    struct json_value pipeline;
    struct err err = {0};

    assert_true(json_get(trace, "name", &value) && json_string(&value, &name));
    assert_true(json_get(trace, "pipeline", &pipeline));
    assert_true(json_get(trace, "stream", &value) && json_string(&value, &of));
    open_stream(of.data, &stream);
    schema = stream_schema(root, of.data);
    assert_int_equal(schema_size(schema), stream.width);
    buf_printf(&path, GOLDEN "%s.bin.gz", name.data);
    assert_true(golden_file(path.data, &theirs));
    if (json_get(root, "rows", &value))
        stream.n = (size_t)golden_number(root, "rows");
    assert_int_equal(theirs.len, stream.n * sizeof(double));

    char *json = mem_strndup(pipeline.text, pipeline.len);
    struct model *m = model_new(json, schema, &err);

    if (!m)
        fail_msg("%s: %s", name.data, err.text);
    print_message("  %s\n", name.data);
    print_message("    largest difference %.3g\n",
                  replay(m, &stream, trace, (const double *)(const void *)theirs.data));
    if (json_get(trace, "tree", &value))
        check_tree(m, &value);
    model_free(m);
    free(json);
    schema_free(schema);
    buf_release(&stream.bytes);
    buf_release(&of);
    buf_release(&theirs);
    buf_release(&path);
    buf_release(&name);
}

/* Every prediction is within 1e-9 of River's, and every tree is River's tree. */
static void check_traces(const char *file, size_t at_least)
{
    struct buf path = BUF_INIT;
    struct buf text = BUF_INIT;
    struct json_value root;
    struct json_value traces;
    struct json_value trace;
    struct json_iter it;
    size_t n = 0;

    buf_printf(&path, GOLDEN "%s", file);
    assert_true(golden_file(buf_str(&path), &text));
    assert_int_equal(json_parse(text.data, text.len, &root, NULL), 0);
    assert_true(json_get(&root, "traces", &traces));
    json_iter_init(&it, &traces);
    for (; json_next_element(&it, &trace); n++)
        check_trace(&root, &trace);
    assert_true(n >= at_least);
    buf_release(&text);
    buf_release(&path);
}

static void test_traces(void **state)
{
    (void)state;
    check_traces("traces.json", 15);
}

/* The trees' less common parameters: see record_trees.py. */
static void test_tree_traces(void **state)
{
    (void)state;
    check_traces("trees.json", 18);
}

/* Published figures */

struct data_set {
    const char *file;
    const char *features[8];
    size_t width;
    size_t label; /* its column in the file */
    size_t n;
};

static const struct data_set trump = {
    .file = DATA "trump_approval.csv.gz",
    .features = {"ordinal_date", "gallup", "ipsos", "morning_consult", "rasmussen", "you_gov"},
    .width = 6,
    .label = 1,
    .n = 1001,
};

static const struct data_set chick = {
    .file = DATA "chick-weights.csv",
    .features = {"time", "chick", "diet"},
    .width = 3,
    .label = 0,
    .n = 578,
};

/* Scores the pipeline over the rows of a CSV file, each predicted and then learned. */
static struct metrics score(const struct data_set *set, const char *pipeline)
{
    struct metrics metrics = {0};
    struct buf text = BUF_INIT;
    char *line;
    char *rest;

    if (!golden_file(set->file, &text)) {
        print_message("SKIPPED: %s is not there, so River's published figures are NOT checked\n",
                      set->file);
        buf_release(&text);
        skip();
    }

    struct schema *schema = new_schema(set->features, set->width);
    struct model *m = model_new(pipeline, schema, NULL);
    assert_non_null(m);
    strtok_r(text.data, "\r\n", &rest);
    while ((line = strtok_r(NULL, "\r\n", &rest))) {
        double x[8];
        double y = 0;
        size_t at = 0;
        char *cell = line;

        for (size_t column = 0; column <= set->width; column++) {
            size_t len = strcspn(cell, ",");
            double v;

            assert_int_equal(num_parse(cell, len, &v), 0);
            if (column == set->label)
                y = v;
            else
                x[at++] = v;
            cell += len + 1;
        }
        metrics_update(&metrics, y, model_predict_one(m, x));
        model_learn_one(m, x, y, 1);
    }
    assert_true(metrics.n == (double)set->n);
    model_free(m);
    schema_free(schema);
    buf_release(&text);
    return metrics;
}

static void check_figures(const struct data_set *set, const char *pipeline, double mae, double rmse)
{
    struct metrics metrics = score(set, pipeline);

    print_message("  %s: MAE %.6f (published %.6f), RMSE %.6f (published %.5f)\n", pipeline,
                  metrics_mae(&metrics), mae, metrics_rmse(&metrics), rmse);
    assert_true(fabs(metrics_mae(&metrics) - mae) < 1e-6);
    assert_true(fabs(metrics_rmse(&metrics) - rmse) < 1e-5);
}

#define LINEAR    "[\"standard_scaler\", \"linear_regression\"]"
#define LINEAR_L1 "[\"standard_scaler\", {\"linear_regression\": {\"l1\": 1}}]"
#define LINEAR_L2 "[\"standard_scaler\", {\"linear_regression\": {\"l2\": 1}}]"

/* Linear regression scores what River publishes for TrumpApproval. */
static void test_trump(void **state)
{
    (void)state;
    check_figures(&trump, LINEAR, 1.314548, 3.91198);
    check_figures(&trump, LINEAR_L2, 1.871511, 4.13052);
}

/* Linear regression scores what River publishes for ChickWeights. */
static void test_chick(void **state)
{
    (void)state;
    check_figures(&chick, LINEAR, 23.758657, 37.03767);
    check_figures(&chick, LINEAR_L2, 25.273805, 38.58853);
}

/* The mean baseline scores what was re-computed for both sets. */
static void test_mean(void **state)
{
    (void)state;
    check_figures(&trump, "[\"mean\"]", 1.567555, 2.202859);
    check_figures(&chick, "[\"mean\"]", 50.2508995, 71.1143874);
}

/* With l1, too, to the digits that River's page has. */
static void test_l1(void **state)
{
    struct metrics metrics;

    (void)state;
    metrics = score(&trump, LINEAR_L1);
    assert_true(fabs(metrics_mae(&metrics) - 1.15377) < 5e-6);
    metrics = score(&chick, LINEAR_L1);
    assert_true(fabs(metrics_mae(&metrics) - 23.7577) < 5e-5);
    assert_true(fabs(metrics_r2(&metrics) - 0.727361) < 5e-7);
}

#define TREE                                                                                       \
    "[\"standard_scaler\", {\"hoeffding_tree_regressor\": {\"grace_period\": 100, "                \
    "\"model_selector_decay\": 0.9}}]"
#define ADAPTIVE                                                                                   \
    "[\"standard_scaler\", {\"hoeffding_adaptive_tree_regressor\": {\"grace_period\": 50, "        \
    "\"model_selector_decay\": 0.3, \"seed\": 0}}]"

/* The regression trees score what River's own documentation has for TrumpApproval. */
static void test_trees(void **state)
{
    struct metrics metrics;

    (void)state;
    metrics = score(&trump, TREE);
    print_message("  tree: MAE %.6f (published 0.793345)\n", metrics_mae(&metrics));
    assert_true(fabs(metrics_mae(&metrics) - 0.793345) < 1e-6);
    metrics = score(&trump, ADAPTIVE);
    print_message("  adaptive tree: MAE %.6f (published 0.917576)\n", metrics_mae(&metrics));
    assert_true(fabs(metrics_mae(&metrics) - 0.917576) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces), cmocka_unit_test(test_tree_traces),
        cmocka_unit_test(test_trump),  cmocka_unit_test(test_chick),
        cmocka_unit_test(test_mean),   cmocka_unit_test(test_l1),
        cmocka_unit_test(test_trees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
