/* Rows of a file as samples: columns, cells, and what is said about those that cannot be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "evaluate/table.h"
#include "evaluate/table_cells.h"

static struct table *open_text(const char *text, const struct table_options *o, struct err *err)
{
    return table_open(csv_open_memory(text, strlen(text)), o, err);
}

static struct table_options options(const char *target)
{
    return (struct table_options){.target = target, .label_delay = (double)NAN};
}

/* Features are what is neither target nor time, in the order of the file. */
static void test_columns(void **state)
{
    static const char text[] = "at;a;y;b;back;\"c;d\"\r\n1;2;3;4;5;6\r\n";
    struct table_options o = options("y");
    struct err err = {0};
    struct evaluation_sample sample;

    (void)state;
    o.moment = "at";
    o.label_time = "back";
    struct table *t = open_text(text, &o, &err);
    assert_non_null(t);
    assert_int_equal(schema_size(table_schema(t)), 3);
    assert_string_equal(schema_name(table_schema(t), 2), "c;d");
    assert_int_equal(table_next(t, &sample, &err), 1);
    assert_true(sample.x[0] == 2 && sample.x[1] == 4 && sample.x[2] == 6);
    assert_true(sample.y == 3 && sample.moment == 1 && sample.due == 5 && sample.is_delayed);
    assert_int_equal(table_next(t, &sample, &err), 0);
    table_close(t);

    o = options("y");
    o.drop = "at,back";
    t = open_text(text, &o, &err);
    assert_int_equal(schema_size(table_schema(t)), 3);
    table_close(t);
    o.drop = NULL;
    o.features = "b,a";
    t = open_text(text, &o, &err);
    assert_string_equal(schema_name(table_schema(t), 0), "a");
    assert_int_equal(schema_size(table_schema(t)), 2);
    table_close(t);
}

static void refuse(const char *text, const struct table_options *o, const char *says)
{
    struct err err = {0};

    assert_null(open_text(text, o, &err));
    assert_int_equal(err.code, ERR_INVALID);
    if (!strstr(err.text, says))
        fail_msg("\"%s\" does not say \"%s\"", err.text, says);
}

/* What cannot be is refused with what to write. */
static void test_refused(void **state)
{
    struct table_options o = options("yy");

    (void)state;
    refuse("", &o, "empty");
    refuse("x,yyy\n", &o, "did you mean \"yyy\"");
    refuse("x,,yy\n", &o, "column 2");
    refuse("x,x,yy\n", &o, "twice");
    refuse("yy\n", &o, "no column is left");
    o.features = "x,yy";
    refuse("x,yy\n", &o, "never a feature");
    o.drop = "x";
    refuse("x,yy\n", &o, "not both");
    o.features = NULL;
    o.categorical = "x";
    refuse("x,z,yy\n", &o, "no feature");
    o = options("yy");
    o.moment = "yy";
    refuse("x,yy\n", &o, "both");
}

/* A row that cannot be read costs itself alone, and its line and column are named. */
static void test_bad_rows(void **state)
{
    static const char text[] =
        "a,b,y\n1,2,3\n1,x,3\n1,2\n,NA,4\n1,2,\n1,\"2,3\n5,6,inf\n7,true,8\n";
    static const char *const says[] = {"line 3, column b: \"x\" is no number", "line 4: 2 fields",
                                       "line 6, column y", "line 7, column", "line 8, column y"};
    struct table_options o = options("y");
    struct err err = {0};
    struct table *t = open_text(text, &o, &err);
    struct evaluation_sample sample;
    size_t bad = 0;
    size_t good = 0;
    int rc;

    (void)state;
    while ((rc = table_next(t, &sample, &err)) != 0) {
        if (rc == 1) {
            good++;
            continue;
        }
        assert_int_equal(rc, ERR_INVALID);
        if (!strstr(err.text, says[bad]))
            fail_msg("\"%s\" does not say \"%s\"", err.text, says[bad]);
        bad++;
    }
    assert_int_equal(good, 3);
    assert_int_equal(bad, 5);
    assert_true(sample.x[0] == 7 && sample.x[1] == 1 && sample.y == 8);
    table_close(t);
}

/* A file of which nothing can be read is given up early, with what to do. */
static void test_hopeless(void **state)
{
    struct table_options o = options("y");
    struct err err = {0};
    struct table *t = open_text("a,y\nx,1\nx,1\nx,1\nx,1\nx,1\nx,1\n", &o, &err);
    struct evaluation_sample sample;

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(table_next(t, &sample, &err), ERR_INVALID);
    assert_int_equal(table_next(t, &sample, &err), ERR_REFUSED);
    assert_non_null(strstr(err.text, "--drop"));
    assert_non_null(strstr(err.text, "none of the first 5 rows"));
    table_close(t);
}

/* Rows that have no label yet say nothing about those that have one. */
static void test_late_labels(void **state)
{
    struct table_options o = options("y");
    struct err err = {0};
    struct table *t = open_text("a,y\n1,\n1,\n1,NA\n1,\n1,\n1,\n1,3\n", &o, &err);
    struct evaluation_sample sample;

    (void)state;
    for (int i = 0; i < 6; i++)
        assert_int_equal(table_next(t, &sample, &err), ERR_INVALID);
    assert_int_equal(table_next(t, &sample, &err), 1);
    assert_true(sample.y == 3);
    table_close(t);
}

/* Which labels are positive. */
static void test_binary(void **state)
{
    struct table_options o = options("y");
    struct err err = {0};
    struct evaluation_sample sample;
    struct table *t;

    (void)state;
    o.kind = MODEL_CLASSIFIER;
    t = open_text("a,y\n1,True\n1,0\n1,1.0\n1,2\n", &o, &err);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(table_next(t, &sample, &err), 1);
        assert_true(sample.y == (i != 1));
    }
    assert_int_equal(table_next(t, &sample, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "--positive"));
    table_close(t);

    o.positive = "fraud";
    t = open_text("a,y\n1,fraud\n1,legit\n1,\n", &o, &err);
    assert_int_equal(table_next(t, &sample, &err), 1);
    assert_true(sample.y == 1);
    assert_int_equal(table_next(t, &sample, &err), 1);
    assert_true(sample.y == 0);
    assert_int_equal(table_next(t, &sample, &err), ERR_INVALID);
    table_close(t);
}

/* A categorical cell is its text, whatever that looks like; only an empty one is missing. */
static void test_categories(void **state)
{
    struct table_options o = options("y");
    struct err err = {0};
    struct evaluation_sample sample;

    (void)state;
    o.categorical = "c";
    struct table *t = open_text("c,a,y\nred,1,1\nNA,1,1\n,1,1\n", &o, &err);
    assert_int_equal(schema_kind(table_schema(t), 0), FEATURE_CATEGORICAL);
    assert_int_equal(table_next(t, &sample, &err), 1);
    assert_true(sample.x[0] == schema_category("red", 3) && sample.x[1] == 1);
    assert_int_equal(table_next(t, &sample, &err), 1);
    assert_true(sample.x[0] == schema_category("NA", 2));
    assert_int_equal(table_next(t, &sample, &err), 1);
    assert_true(isnan(sample.x[0]) != 0);
    table_close(t);
}

/* Times are milliseconds, and the delay is in seconds either way. */
static void test_moments(void **state)
{
    struct table_options o = options("y");
    struct err err = {0};
    struct evaluation_sample sample;
    struct table *t;

    (void)state;
    o.moment = "t";
    o.label_delay = 1.5;
    t = open_text("t,a,y\n10,1,1\nx,1,1\n", &o, &err);
    assert_int_equal(table_next(t, &sample, &err), 1);
    assert_true(sample.moment == 10 && sample.due == 11.5);
    assert_int_equal(table_next(t, &sample, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "line 3, column t"));
    table_close(t);
    t = open_text("t,a,y\n1970-01-02,1,1\n1970-01-02T00:00:01Z,1,1\n1970-01-02 00:00:02,1,1\n"
                  "1970-01-02T00:00:03.500Z,1,1\n86404,1,1\n",
                  &o, &err);
    static const double moments[] = {86400000, 86401000, 86402000, 86403500};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(table_next(t, &sample, &err), 1);
        assert_true(sample.moment == moments[i] && sample.due == moments[i] + 1500);
    }
    assert_int_equal(table_next(t, &sample, &err), ERR_INVALID);
    table_close(t);
}

static bool reads(const char *text, double *ret)
{
    char copy[128];

    snprintf(copy, sizeof(copy), "%s", text);
    return cell_number(&(struct csv_field){copy, strlen(copy)}, ret);
}

/* Numbers as programs write them; nothing else, and nothing that no double holds. */
static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {{"1", 1},   {"-2.5", -2.5}, {" 3\t", 3}, {"+4", 4},    {".5", 0.5}, {"6.", 6},
                {"007", 7}, {"1e3", 1000},  {"TRUE", 1}, {"false", 0}, {"-0", 0},   {"1E-2", 0.01}};
    static const char *const bad[] = {"",  "x",   "1x",  "1,5", "inf", "1e999", "0x10",
                                      ".", "1 2", "--1", "1e",  "+-1", "tru"};
    double v;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!reads(good[i].text, &v) || v != good[i].value)
            fail_msg("\"%s\"", good[i].text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (reads(bad[i], &v))
            fail_msg("\"%s\" is read as %g", bad[i], v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bad_rows),    cmocka_unit_test(test_hopeless),
        cmocka_unit_test(test_late_labels), cmocka_unit_test(test_binary),
        cmocka_unit_test(test_moments),     cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_categories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
