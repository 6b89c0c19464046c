/*
 * What holds for every learner and preprocessor of the registry, whatever is fed to it: no crash, a
 * number wherever River answers one, and never more memory than it may have.
 *
 * The streams, and where River has numbers, are of tests/golden/record_properties.py. A class that
 * is not recorded there is held to all the rest.
 */
#include "golden.h"
#include "support.h"

#include "learn/registry.h"

#ifdef __SANITIZE_ADDRESS__
#define MANY_ROWS 100000
#else
#define MANY_ROWS 1000000
#endif
#define FEWER_ROWS 20000 /* where there are many members, or many pipelines */
#define FULL       1000 /* rows after which the windows of all classes are full, with their defaults */

struct recording {
    struct buf text;
    struct golden_rows rows; /* of all streams */
    size_t n;                /* rows of each */
    struct json_value streams;
    struct json_value cases;
};

static void open_recording(struct recording *rec)
{
    struct json_value root;

    *rec = (struct recording){.text = BUF_INIT};
    assert_true(golden_file(GOLDEN "properties.json", &rec->text));
    assert_int_equal(json_parse(rec->text.data, rec->text.len, &root, NULL), 0);
    assert_true(json_get(&root, "streams", &rec->streams));
    assert_true(json_get(&root, "cases", &rec->cases));
    rec->n = (size_t)golden_number(&root, "rows");
    golden_open(&rec->rows, GOLDEN "properties.bin.gz");
    assert_int_equal(rec->rows.width, FEATURES);
}

static void close_recording(struct recording *rec)
{
    buf_release(&rec->text);
    buf_release(&rec->rows.bytes);
}

/* "x1n199" as a letter for each row; false when the class is not recorded. */
static bool river_answers(const struct recording *rec, const char *class,
                          const struct json_value *stream, char *ret)
{
    struct json_value item;
    struct json_value value;
    struct json_iter it;
    size_t n = 0;

    json_iter_init(&it, &rec->cases);
    while (json_next_element(&it, &item)) {
        struct buf name = BUF_INIT;
        struct buf runs = BUF_INIT;

        assert_true(json_get(&item, "class", &value));
        if (!json_is(&value, class, strlen(class)))
            continue;
        assert_true(json_string(stream, &name) && json_get(&item, "answers", &value));
        assert_true(json_get(&value, buf_str(&name), &value) && json_string(&value, &runs));
        for (const char *p = buf_str(&runs); *p;) {
            char letter = *p++;
            char *end;

            for (size_t k = strtoul(p, &end, 10); k > 0 && n < rec->n; k--)
                ret[n++] = letter;
            p = end;
        }
        assert_int_equal(n, rec->n);
        buf_release(&name);
        buf_release(&runs);
        return true;
    }
    return false;
}

/*
 * The class with its defaults, by itself; a preprocessor before linear_regression, a list of names
 * being two of them. False: it is neither.
 */
static bool pipeline_of(const struct learn_class *class, char *ret, size_t size)
{
    const char *names = NULL;

    for (size_t i = 0; i < class->n_params; i++) {
        if (class->params[i].type == PARAM_NAMES)
            names = class->params[i].name;
    }
    if (names)
        snprintf(ret, size,
                 "[{\"%s\": {\"%s\": [\"feature_1\", \"feature_3\"]}}, \"linear_regression\"]",
                 class->name, names);
    else if (class->kind == LEARN_PREPROCESSOR)
        snprintf(ret, size, "[\"%s\", \"linear_regression\"]", class->name);
    else
        snprintf(ret, size, "[\"%s\"]", class->name);
    return class->kind == LEARN_PREPROCESSOR || learn_kind_is_learner(class->kind);
}

static void check_answer(const struct model *m, double answer)
{
    if (model_kind(m) == MODEL_CLASSIFIER && !(isnan(answer) || (answer >= 0 && answer <= 1)))
        fail_msg("%s: P is %g", model_parameters(m), answer);
}

static void check_bytes(const struct model *m, size_t max)
{
    if (model_bytes(m) > max)
        fail_msg("%s: %zu bytes after %zu rows, of %zu", model_parameters(m), model_bytes(m),
                 (size_t)model_learned(m), max);
}

static void check_blob(const struct model *m, size_t max)
{
    struct buf blob = BUF_INIT;

    model_save(m, &blob);
    if (blob.len > max)
        fail_msg("%s: a blob of %zu bytes, of %zu", model_parameters(m), blob.len, max);
    buf_release(&blob);
}

/* One stream through one model; `river` has a letter for each row, or is NULL. */
static void run_stream(struct model *m, const struct recording *rec, size_t stream,
                       const char *river)
{
    bool is_class = model_kind(m) == MODEL_CLASSIFIER;

    for (size_t i = 0; i < rec->n; i++) {
        const double *row = golden_row(&rec->rows, stream * rec->n + i);
        double answer = model_predict_one(m, row);

        if (river && river[i] == 'n' && isnan(answer))
            fail_msg("%s: stream %zu, row %zu: NaN, and River has a number", model_parameters(m),
                     stream, i);
        check_answer(m, answer);
        model_learn_one(m, row, row[FEATURES + (is_class ? 1 : 0)], 1);
        check_bytes(m, MODEL_MIN_BYTES);
    }
    assert_int_equal(model_learned(m), rec->n);
    check_blob(m, MODEL_MIN_BYTES);
}

static void run_streams(const struct recording *rec, const char *pipeline, const char *class)
{
    struct schema *schema = support_schema(FEATURES);
    char *river = mem_zalloc(rec->n, 1);
    struct json_value stream;
    struct json_iter it;

    json_iter_init(&it, &rec->streams);
    for (size_t s = 0; json_next_element(&it, &stream); s++) {
        bool known = class && river_answers(rec, class, &stream, river);
        struct model *m = support_model(pipeline, schema);

        if (s == 0 && class && !known)
            print_message("  %s: no recording of River's\n", class);
        model_set_max_bytes(m, MODEL_MIN_BYTES);
        run_stream(m, rec, s, known ? river : NULL);
        model_free(m);
    }
    free(river);
    schema_free(schema);
}

/* Missing, huge, tiny, constant, ever rising, of one class or alternating: a number where River has
 * one, and never more memory than there may be. */
static void test_streams(void **state)
{
    struct recording rec;
    char pipeline[200];

    (void)state;
    open_recording(&rec);
    for (size_t i = 0; i < learn_class_count(); i++) {
        const struct learn_class *class = learn_class_at(i);

        if (pipeline_of(class, pipeline, sizeof(pipeline)))
            run_streams(&rec, pipeline, class->name);
    }
    for (size_t p = 0; p < SUPPORT_PIPELINES; p++)
        run_streams(&rec, support_pipelines[p], NULL);
    close_recording(&rec);
}

/* Fills the model with rows until its bound bites, where it grows at all. */
static void fill(struct model *m, uint64_t seed, bool extreme)
{
    static const double values[] = {0, -0.0, (double)NAN, 1e308, -1e308, 5e-324, 1, 1e15, 0.05};
    struct rng rng;

    rng_seed(&rng, seed);
    model_set_max_bytes(m, MODEL_MIN_BYTES);
    for (size_t i = 0; i < 5000; i++) {
        double x[FEATURES];
        double y = support_sample(&rng, x);

        for (size_t j = 0; extreme && j < FEATURES; j++)
            x[j] = values[rng_below(&rng, 9)];
        if (extreme)
            y = values[rng_below(&rng, 9)];
        check_answer(m, model_predict_one(m, x));
        support_learn(m, x, y, 1);
        check_bytes(m, MODEL_MIN_BYTES);
    }
    assert_int_equal(model_learned(m) + model_skipped(m), 5000);
    check_blob(m, MODEL_MIN_BYTES);
}

/* Extreme values in any order, and honest ones that never come again, neither crash a model nor let
 * it grow beyond its bound. */
static void test_bounded(void **state)
{
    struct schema *schema = support_schema(FEATURES);

    (void)state;
    for (size_t p = 0; p < 2 * SUPPORT_PIPELINES; p++) {
        struct model *m = support_model(support_pipelines[p / 2], schema);

        fill(m, p, p & 1);
        assert_true(model_skipped(m) > 0 || !(p & 1));
        model_free(m);
    }
    schema_free(schema);
}

/* A row with an infinite feature is skipped, whatever its label; asking about it harms nothing. */
static void test_infinite(void **state)
{
    struct schema *schema = support_schema(FEATURES);
    const double inf = (double)INFINITY;
    const double rows[][FEATURES] = {
        {inf, -inf, inf, inf}, {0, inf, 0, 0}, {-inf, (double)NAN, 1, 1}};

    (void)state;
    for (size_t p = 0; p < SUPPORT_PIPELINES; p++) {
        struct model *m = support_model(support_pipelines[p], schema);
        struct rng rng;

        rng_seed(&rng, p);
        for (size_t i = 0; i < 300; i++) {
            double x[FEATURES];
            double y = support_sample(&rng, x);

            support_learn(m, x, y, 1);
            support_learn(m, rows[i % 3], y, 1);
            check_answer(m, model_predict_one(m, rows[i % 3]));
        }
        assert_int_equal(model_learned(m), 300);
        assert_int_equal(model_skipped(m), 300);
        model_free(m);
    }
    schema_free(schema);
}

/* Does the pipeline name a class that matches? */
static bool names_class(const struct model *m, bool (*matches)(const struct learn_class *class))
{
    for (size_t i = 0; i < learn_class_count(); i++) {
        const struct learn_class *class = learn_class_at(i);
        char name[100];

        snprintf(name, sizeof(name), "{\"%s\":{", class->name);
        if (matches(class) && strstr(model_parameters(m), name))
            return true;
    }
    return false;
}

/* Or has some of its own. */
static bool is_detector(const struct learn_class *class)
{
    return class->kind == LEARN_DETECTOR || strcmp(class->name, "adwin_bagging_classifier") == 0 ||
           strcmp(class->name, "leveraging_bagging_classifier") == 0;
}

static bool is_growing(const struct learn_class *class)
{
    return learn_kind_is_learner(class->kind) && !class->fixed_size;
}

static bool is_many(const struct learn_class *class)
{
    for (size_t i = 0; i < class->n_params; i++) {
        if (class->params[i].multiplies)
            return true;
    }
    return false;
}

/*
 * Shows a model one row so often. One of a fixed size has it from the beginning, and every other
 * one has grown as far as it will once its windows are full. The window of a drift detector grows
 * with the logarithm of the rows: the last tenfold of them adds no more than the two before.
 */
static void repeat_row(struct model *m, size_t rows)
{
    const double x[FEATURES] = {0.5, 1, 0, -1};
    size_t at_first = model_bytes(m);
    size_t at_full = 0;
    size_t at_tenth = 0;

    for (size_t i = 0; i < rows; i++) {
        support_learn(m, x, 3, 1);
        if (i + 1 == FULL)
            at_full = model_bytes(m);
        if (i + 1 == rows / 10)
            at_tenth = model_bytes(m);
    }
    if (!names_class(m, is_growing))
        check_bytes(m, at_first);
    else if (!names_class(m, is_detector))
        check_bytes(m, at_full);
    else
        check_bytes(m, at_tenth + (at_tenth - at_first));
}

/* A million equal rows: there is an answer, and nothing grows. */
static void test_equal_rows(void **state)
{
    struct schema *schema = support_schema(FEATURES);
    const double x[FEATURES] = {0.5, 1, 0, -1};
    char pipeline[200];

    (void)state;
    for (size_t i = 0; i < learn_class_count(); i++) {
        const struct learn_class *class = learn_class_at(i);

        if (!pipeline_of(class, pipeline, sizeof(pipeline)))
            continue;
        struct model *m = support_model(pipeline, schema);

        repeat_row(m, is_many(class) ? FEWER_ROWS : MANY_ROWS);
        if (!isfinite(model_predict_one(m, x)))
            fail_msg("%s: no number after nothing but one row", pipeline);
        model_free(m);
    }
    schema_free(schema);
}

/* The same with other parameters, less often. The answer is the label, of a classifier, which has
 * only seen 0, 0; a penalty (l2) pulls it towards 0. */
static void test_equal_rows_otherwise(void **state)
{
    struct schema *schema = support_schema(FEATURES);
    const double x[FEATURES] = {0.5, 1, 0, -1};

    (void)state;
    for (size_t p = 0; p < SUPPORT_PIPELINES; p++) {
        struct model *m = support_model(support_pipelines[p], schema);

        repeat_row(m, FEWER_ROWS);
        double answer = model_predict_one(m, x);

        if (!(fabs(answer - (model_kind(m) == MODEL_CLASSIFIER ? 0 : 3)) < 0.51))
            fail_msg("%s: %g after nothing but one row", support_pipelines[p], answer);
        model_free(m);
    }
    schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_infinite),
        cmocka_unit_test(test_equal_rows),
        cmocka_unit_test(test_equal_rows_otherwise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
