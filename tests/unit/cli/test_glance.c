/* A task at a glance: what is drawn, and what scripts get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those before it. */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "glance.h"

#define N_MODELS   20
#define N_LEARNERS 10

static const struct screen plain; /* neither a terminal nor colours */

/* Many models, of which number i has error i and has learned N_MODELS - i rows. */
static struct overview *many(void)
{
    struct overview *o = overview_new();
    struct buf text = BUF_INIT;
    struct err err = {0};

    buf_text(&text, "{\"views-1\":{\"service\":\"views\",\"state\":\"running\",\"time_ms\":9000,"
                    "\"status\":{\"ledger\":{\"requests_new\":1234567,\"dead_letters\":null}}},"
                    "\"inference-1\":{\"service\":\"inference\",\"state\":\"running\","
                    "\"time_ms\":9000}");
    for (int i = 0; i < N_LEARNERS; i++)
        buf_printf(&text,
                   ",\"learner-%d\":{\"service\":\"learner\",\"state\":\"running\","
                   "\"time_ms\":%d}",
                   i, i ? 9000 : 1000);
    buf_text(&text, ",\"learner-x\":{\"service\":\"learner\",\"state\":\"running\","
                    "\"time_ms\":9000,\"status\":{\"models\":{");
    for (int i = 0; i < N_MODELS; i++)
        buf_printf(&text, "\"m%02d\":{\"mae\":%d,\"mae_window\":%d,\"learned\":%d},", i, i + 1,
                   i + 1, N_MODELS - i);
    buf_text(&text, "\"baseline\":{\"mae\":40,\"mae_window\":40,\"learned\":7,"
                    "\"version\":\"0123456789abcdef-7\"}}}}}");
    assert_int_equal(overview_take(o, buf_str(&text), text.len, 10000, &err), 0);
    buf_release(&text);
    return o;
}

static size_t lines_of(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static bool has(const struct buf *text, const char *part)
{
    return strstr(buf_str(text), part) != NULL;
}

/* Everything is there, and what is not known is a dash. */
static void test_all(void **state)
{
    struct overview *o = many();
    struct glance g = {.o = o};
    struct buf out = BUF_INIT;

    (void)state;
    glance_draw(&g, &plain, &out);
    assert_true(has(&out, "requests 1,234,567 "));
    assert_true(has(&out, "dead letters - "));
    assert_true(has(&out, " m00 ") && has(&out, " m19 ") && has(&out, " 012345..-7 "));
    assert_true(has(&out, "learner-9") && has(&out, "views-1"));
    assert_true(has(&out, " learner-0 has been silent for 9 s\n"));
    assert_false(has(&out, "\033"));
    buf_release(&out);
    overview_free(o);
}

/* It fits into any window that is not tiny, and uses it. */
static void test_fits(void **state)
{
    struct overview *o = many();
    struct glance g = {.o = o, .hint = "q quit"};

    (void)state;
    for (size_t rows = 22; rows < 60; rows++) {
        struct buf out = BUF_INIT;
        glance_draw_within(&g, rows, &plain, &out);
        size_t n = lines_of(buf_str(&out));
        assert_true(n <= rows);
        assert_true(n == rows || (has(&out, " m19 ") && has(&out, "learner-x")));
        assert_true(has(&out, " q quit\n") && has(&out, "silent"));
        buf_release(&out);
    }
    overview_free(o);
}

/* A list that is too long is scrolled, to its end and no further. */
static void test_scroll(void **state)
{
    struct overview *o = many();
    struct glance g = {.o = o, .models = {.first = 2}};
    struct buf out = BUF_INIT;

    (void)state;
    glance_draw_within(&g, 24, &plain, &out);
    assert_false(has(&out, " m01 "));
    assert_true(has(&out, " m02 ") && has(&out, " 3 to "));
    buf_clear(&out);
    g.models.first = 1000;
    glance_draw_within(&g, 24, &plain, &out);
    assert_true(has(&out, " baseline ") && has(&out, " to 21 of 21 models\n"));
    buf_release(&out);
    overview_free(o);
}

/* Sorted by error, and by what was learned. */
static void test_order(void **state)
{
    struct overview *o = many();
    struct glance g = {.o = o, .models = {.order = MODEL_ORDER_LEARNED}};
    struct buf out = BUF_INIT;

    (void)state;
    glance_draw(&g, &plain, &out);
    assert_true(strstr(buf_str(&out), " baseline ") < strstr(buf_str(&out), " m19 "));
    buf_clear(&out);
    g.models.order = MODEL_ORDER_ERROR;
    glance_draw(&g, &plain, &out);
    assert_true(strstr(buf_str(&out), " baseline ") > strstr(buf_str(&out), " m19 "));
    assert_true(strstr(buf_str(&out), " m00 ") < strstr(buf_str(&out), " m01 "));
    buf_release(&out);
    overview_free(o);
}

static struct json_value get(const struct json_value *object, const char *name)
{
    struct json_value v = {0};

    assert_true(json_get(object, name, &v));
    return v;
}

static size_t elements(const struct json_value *array)
{
    struct json_value v;
    struct json_iter it;
    size_t n = 0;

    json_iter_init(&it, array);
    while (json_next_element(&it, &v))
        n++;
    return n;
}

/* The object is JSON; what is not known is null. */
static void test_json(void **state)
{
    struct overview *o = many();
    struct glance g = {.o = o};
    struct buf out = BUF_INIT;
    struct json_value root;
    struct json_value v;
    struct err err = {0};
    int64_t n;

    (void)state;
    glance_json(&g, &out);
    assert_int_equal(json_parse(buf_str(&out), out.len, &root, &err), 0);
    v = get(&root, "state");
    assert_true(json_is(&v, "trouble", 7));
    v = get(&root, "trouble");
    assert_int_equal(elements(&v), 1);
    v = get(&root, "models");
    assert_int_equal(elements(&v), N_MODELS + 1);
    v = get(&root, "services");
    assert_int_equal(elements(&v), N_LEARNERS + 3);
    v = get(&root, "counts");
    struct json_value count = get(&v, "requests");
    assert_true(json_int(&count, &n) && n == 1234567);
    count = get(&v, "dead_letters");
    assert_int_equal(count.type, JSON_NULL);
    v = get(&root, "ledger");
    count = get(&v, "dead_letters");
    assert_int_equal(count.type, JSON_NULL);
    v = get(&root, "backlog");
    assert_int_equal(v.type, JSON_NULL);
    buf_release(&out);
    overview_free(o);
}

/* Where nothing can be told, the object says why, and claims nothing. */
static void test_away(void **state)
{
    struct overview *o = overview_new();
    struct glance g = {.o = o, .away = "the \"store\" is away"};
    struct buf out = BUF_INIT;
    struct json_value root;
    struct json_value v;
    struct json_value text;
    struct json_iter it;
    struct err err = {0};

    (void)state;
    glance_json(&g, &out);
    assert_int_equal(json_parse(buf_str(&out), out.len, &root, &err), 0);
    v = get(&root, "state");
    assert_true(json_is(&v, "unknown", 7));
    v = get(&root, "trouble");
    json_iter_init(&it, &v);
    assert_true(json_next_element(&it, &text));
    assert_true(json_is(&text, g.away, strlen(g.away)));
    assert_false(json_get(&root, "models", &v));
    buf_clear(&out);
    glance_draw(&g, &plain, &out);
    assert_true(has(&out, " cannot tell: the \"store\" is away\n"));
    assert_int_equal(lines_of(buf_str(&out)), 2);
    buf_release(&out);
    overview_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),   cmocka_unit_test(test_fits), cmocka_unit_test(test_scroll),
        cmocka_unit_test(test_order), cmocka_unit_test(test_json), cmocka_unit_test(test_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
