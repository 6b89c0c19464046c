/* Rows of features and of learning-queue: what is read, what is refused and how that is said. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/dead_letter.h"
#include "rows/row.h"

static const char *const models[] = {"linear", "tree"};

struct fixture {
    struct schema *schema;
    struct row_reader *queue; /* rows with a label */
    struct row_reader *features;
    struct row row;
    double x[3];
    struct row_issued served[2];
    struct err err;
};

static int setup(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    f.schema = schema_new();
    assert_int_equal(schema_add(f.schema, "distance", FEATURE_NUMERIC, &f.err), 0);
    assert_int_equal(schema_add(f.schema, "is_weekend", FEATURE_BOOLEAN, &f.err), 0);
    assert_int_equal(schema_add(f.schema, "h\xC3\xB6he \"x\"", FEATURE_NUMERIC, &f.err), 0);
    struct row_reader_options options = {f.schema, "trip_id", "duration", models, 2, NULL};
    f.queue = row_reader_new(&options, &f.err);
    options.label = NULL;
    options.n_models = 0;
    f.features = row_reader_new(&options, &f.err);
    assert_non_null(f.queue);
    assert_non_null(f.features);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    row_reader_free(f->queue);
    row_reader_free(f->features);
    schema_free(f->schema);
    return 0;
}

static int read_queue(struct fixture *f, const char *text)
{
    return row_reader_read(f->queue, text, text ? strlen(text) : 0, &f->row, f->x, f->served,
                           &f->err);
}

static bool is_text(const struct json_value *v, const char *text)
{
    return v->len == strlen(text) && memcmp(v->text, text, v->len) == 0;
}

/* A whole row gives its sequence number, its doubles, its label and the places of what is passed
 * on. */
static void test_reads_a_row(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        read_queue(f, "{\"seq\":7,\"trip_id\":\"t\\u0031\",\"duration\":512.5,\"features\": "
                      "{\"distance\":1.5e-3,\"is_weekend\":true,\"h\xC3\xB6he \\\"x\\\"\":-4},"
                      "\"predictions\":{\"linear\":{\"value\":500,\"version\":\"a-1\"},"
                      "\"tree\":{\"value\":null,\"version\":\"b-1\"}},"
                      "\"requested_at\":\"2020-01-01T00:00:00.000Z\",\"outcome_at\":\"1970-01-"
                      "01T00:00:07.005Z\"}"),
        0);
    assert_int_equal(f->row.seq, 7);
    assert_true(f->row.label == 512.5);
    assert_true(f->x[0] == 1.5e-3 && f->x[1] == 1 && f->x[2] == -4);
    assert_true(f->served[0].said.value == 500);
    assert_true(isnan(f->served[1].said.value));
    assert_true(is_text(&f->row.key, "\"t\\u0031\""));
    assert_true(is_text(&f->row.requested_at, "\"2020-01-01T00:00:00.000Z\""));
    assert_true(is_text(&f->row.features,
                        "{\"distance\":1.5e-3,\"is_weekend\":true,\"h\xC3\xB6he \\\"x\\\"\":-4}"));
    assert_int_equal(f->row.unknown, 0);
    assert_int_equal(f->row.outcome_ms, 7005);

    assert_int_equal(read_queue(f, "{\"seq\":7,\"trip_id\":\"t\",\"duration\":5,\"features\":{},"
                                   "\"predictions\":{},\"outcome_at\":\"x\"}"),
                     0);
    assert_int_equal(f->row.outcome_ms, 0);
}

static int read_prediction(struct fixture *f, const char *linear)
{
    struct buf text = BUF_INIT;

    buf_printf(&text,
               "{\"seq\":7,\"trip_id\":\"t\",\"duration\":5,\"features\":{},\"predictions\":"
               "{\"linear\":%s}}",
               linear);
    int rc = read_queue(f, buf_str(&text));
    buf_release(&text);
    return rc;
}

/* What was issued comes with its interval and version, where the row has them. */
static void test_reads_what_was_issued(void **state)
{
    struct fixture *f = *state;
    const struct row_issued *linear = &f->served[0];
    static const char *const none[] = {"{\"value\":1}", "{\"value\":1,\"interval\":null}", "{}",
                                       "3", "{\"value\":null,\"version\":7}"};
    static const char *const wrong[] = {"3",        "[]",       "[1]",     "[1,2,3]",
                                        "[2,1]",    "[null,1]", "\"1,2\"", "{\"low\":1}",
                                        "[1,true]", "[1,1e999]"};

    assert_int_equal(
        read_prediction(f, "{\"value\":1,\"interval\":[-0.5,2e3],\"alpha\":0.07,\"version\":"
                           "\"a-1\"}"),
        0);
    assert_true(linear->said.value == 1 && linear->said.low == -0.5 && linear->said.high == 2000);
    assert_true(linear->said.alpha == 0.07);
    assert_int_equal(
        read_prediction(f, "{\"value\":1,\"interval\":[0,2],\"alpha\":1e999,\"version\":\"a-1\"}"),
        0);
    assert_true(isnan(linear->said.alpha)); /* of an older release, or nonsense */
    assert_int_equal(linear->version.type, JSON_STRING);
    assert_int_equal(linear->version.len, 5);
    assert_false(issued_has_interval(&f->served[1].said));
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(read_prediction(f, none[i]), 0);
        assert_false(issued_has_interval(&linear->said));
        assert_null(linear->version.text);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct buf text = BUF_INIT;

        buf_printf(&text, "{\"value\":1,\"interval\":%s}", wrong[i]);
        assert_int_equal(read_prediction(f, buf_str(&text)), ERR_INVALID);
        assert_non_null(strstr(f->err.text, "interval of the prediction of linear"));
        buf_release(&text);
    }
}

/* Null and absent features are missing; any order of names will do; undeclared ones are counted. */
static void test_missing_and_unknown(void **state)
{
    struct fixture *f = *state;
    const char *text = "{\"features\":{\"is_weekend\":0,\"other\":[1],\"distance\":null,\"o\":1},"
                       "\"trip_id\":\"k\",\"seq\":1}";

    assert_int_equal(row_reader_read(f->features, text, strlen(text), &f->row, f->x, NULL, &f->err),
                     0);
    assert_true(isnan(f->x[0]) && f->x[1] == 0 && isnan(f->x[2]));
    assert_int_equal(f->row.unknown, 2);
    assert_true(isnan(f->row.label));
    assert_null(f->row.requested_at.text);
}

/* What cannot be read is refused with the field's name, and the sequence number is still told. */
static void test_refusals(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        uint64_t seq;
        const char *said;
    } cases[] = {
        {NULL, 0, "no value"},
        {"{", 0, "not JSON"},
        {"[1]", 0, "the row is an array"},
        {"{\"trip_id\":\"a\"}", 0, "seq is absent"},
        {"{\"seq\":0}", 0, "seq is a number"},
        {"{\"seq\":1.5}", 0, "seq is"},
        {"{\"seq\":99999999999999999999}", 0, "seq is"},
        {"{\"seq\":3,\"trip_id\":7}", 3, "trip_id is a number"},
        {"{\"seq\":3,\"trip_id\":\"\"}", 3, "trip_id is empty"},
        {"{\"seq\":3,\"trip_id\":\"a\"}", 3, "features is absent"},
        {"{\"seq\":3,\"trip_id\":\"a\",\"features\":[]}", 3, "features is an array"},
        {"{\"seq\":3,\"trip_id\":\"a\",\"features\":{\"distance\":\"1\"}}", 3,
         "features.distance is a string"},
        {"{\"seq\":3,\"trip_id\":\"a\",\"features\":{\"distance\":1e999}}", 3,
         "features.distance is a number that is too large"},
        {"{\"seq\":3,\"trip_id\":\"a\",\"features\":{\"is_weekend\":2}}", 3,
         "features.is_weekend is neither"},
        {"{\"seq\":3,\"trip_id\":\"a\",\"features\":{},\"requested_at\":5}", 3,
         "requested_at is a number"},
        {"{\"seq\":3,\"trip_id\":\"a\",\"features\":{}}", 3, "duration, the label, is absent"},
        {"{\"seq\":3,\"trip_id\":\"a\",\"features\":{},\"duration\":null}", 3,
         "the label, is null"},
        {"{\"seq\":3,\"trip_id\":\"a\",\"features\":{},\"duration\":\"x\"}", 3,
         "duration is a string"},
        {"{\"seq\":3,\"trip_id\":\"a\",\"features\":{},\"duration\":1,\"predictions\":3}", 3,
         "predictions is a number"},
        {"{\"seq\":3,\"trip_id\":\"a\",\"features\":{},\"duration\":1,"
         "\"predictions\":{\"tree\":{\"value\":\"1\"}}}",
         3, "prediction of tree is a string"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_queue(f, cases[i].text), ERR_INVALID);
        assert_int_equal(f->row.seq, cases[i].seq);
        if (!strstr(f->err.text, cases[i].said))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, f->err.text, cases[i].said);
    }
}

/* Labels of a binary task come as 1 and 0; what is of another type is refused by name. */
static void test_binary_labels(void **state)
{
    const struct {
        struct label_positive positive;
        const char *label;
        double is; /* -1: refused */
    } cases[] = {
        {{LABEL_TRUE, 0, NULL}, "true", 1},
        {{LABEL_TRUE, 0, NULL}, "0", 0},
        {{LABEL_TRUE, 0, NULL}, "1.0", 1},
        {{LABEL_TRUE, 0, NULL}, "2", -1},
        {{LABEL_TRUE, 0, NULL}, "\"true\"", -1},
        {{LABEL_NUMBER, 2, NULL}, "2", 1},
        {{LABEL_NUMBER, 2, NULL}, "7", 0},
        {{LABEL_NUMBER, 1, NULL}, "true", -1},
        {{LABEL_TEXT, 0, (char[]){"fr\"aud"}}, "\"fr\\\"aud\"", 1},
        {{LABEL_TEXT, 0, (char[]){"fraud"}}, "\"frau\"", 0},
        {{LABEL_TEXT, 0, (char[]){"fraud"}}, "1", -1},
        {{LABEL_TEXT, 0, (char[]){"fraud"}}, "null", -1},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct row_reader_options options = {f->schema, "k", "y", NULL, 0, &cases[i].positive};
        struct row_reader *reader = row_reader_new(&options, &f->err);
        struct row row;
        char text[128];
        double x[3];

        assert_non_null(reader);
        snprintf(text, sizeof(text), "{\"seq\":1,\"k\":\"a\",\"features\":{},\"y\":%s}",
                 cases[i].label);
        int rc = row_reader_read(reader, text, strlen(text), &row, x, NULL, &f->err);
        if (cases[i].is < 0) {
            assert_int_equal(rc, ERR_INVALID);
            assert_non_null(strstr(f->err.text, "y, the label"));
        } else {
            assert_int_equal(rc, 0);
            assert_true(row.label == cases[i].is);
        }
        row_reader_free(reader);
    }
}

/* A category is its text's, however it is written; null is missing, a list is refused by name. */
static void test_categorical(void **state)
{
    static const struct {
        const char *json;
        const char *text; /* NULL: missing */
    } cases[] = {
        {"\"visa\"", "visa"}, {"\"v\\u0069sa\"", "visa"}, {"\"\"", ""},   {"3", "3"}, {"3.0", "3"},
        {"\"3\"", "3"},       {"true", "true"},           {"null", NULL},
    };
    struct fixture *f = *state;
    struct row row;
    char text[128];
    double x[4];

    assert_int_equal(schema_add(f->schema, "vendor", FEATURE_CATEGORICAL, &f->err), 0);
    struct row_reader_options options = {f->schema, "k", NULL, NULL, 0, NULL};
    struct row_reader *reader = row_reader_new(&options, &f->err);

    assert_non_null(reader);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text), "{\"seq\":1,\"k\":\"a\",\"features\":{\"vendor\":%s}}",
                 cases[i].json);
        assert_int_equal(row_reader_read(reader, text, strlen(text), &row, x, NULL, &f->err), 0);
        if (cases[i].text)
            assert_true(x[3] == schema_category(cases[i].text, strlen(cases[i].text)));
        else
            assert_true(isnan(x[3]));
    }
    snprintf(text, sizeof(text), "{\"seq\":1,\"k\":\"a\",\"features\":{\"vendor\":[1]}}");
    assert_int_equal(row_reader_read(reader, text, strlen(text), &row, x, NULL, &f->err),
                     ERR_INVALID);
    assert_string_equal(f->err.text,
                        "features.vendor is an array, where a text belongs: it is categorical");
    row_reader_free(reader);
}

/* A dead letter is a JSON object whatever the bytes were, and its value is cut to 64 kB. */
static void test_dead_letter(void **state)
{
    static char big[70000];
    struct buf out = BUF_INIT;
    struct json_value root;
    struct json_value v;
    struct err err;

    (void)state;
    memset(big, 'a', sizeof(big));
    big[0] = '\xFF';
    struct dead_letter letter = {.service = "learner",
                                 .topic = "queue",
                                 .position = "7-0",
                                 .reason = "say \"no\"",
                                 .value = big,
                                 .value_len = sizeof(big)};
    dead_letter_write(&letter, &out);
    assert_int_equal(json_parse(out.data, out.len, &root, &err), 0);
    assert_true(json_get(&root, "key", &v) && v.type == JSON_NULL);
    assert_true(json_get(&root, "reason", &v) && json_is(&v, "say \"no\"", 8));
    assert_true(json_get(&root, "at", &v) && json_is(&v, "1970-01-01T00:00:00.000Z", 24));
    assert_true(json_get(&root, "value", &v));
    assert_int_equal(v.len, DEAD_LETTER_VALUE_MAX - 1 + 3 + 2);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_a_row, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads_what_was_issued, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_and_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_binary_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_categorical, setup, teardown),
        cmocka_unit_test(test_dead_letter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
