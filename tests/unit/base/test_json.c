/* JSON: what is accepted, what is found in it, and what is written. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static const char event[] = " {\"trip_id\" : \"id1\",\"n\":-1.5e3 , \"flag\":null,\"on\":true,"
                            "\"off\":false,\"where\":{\"lon\":-73.98,\"lat\":[40.7, 1]},"
                            "\"\":\"\",\"a\\u0062c\":1, \"n\":2}\n";

static struct json_value parse(const char *text)
{
    struct json_value v;
    struct err err;

    if (json_parse(text, strlen(text), &v, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    return v;
}

static struct json_value get(const struct json_value *object, const char *name)
{
    struct json_value v;

    assert_true(json_get(object, name, &v));
    return v;
}

static void assert_text(const struct json_value *v, const char *text)
{
    assert_int_equal(v->len, strlen(text));
    assert_memory_equal(v->text, text, v->len);
}

/* Texts of RFC 8259 are accepted, with their type, and without the space around them. */
static void test_accepted(void **state)
{
    static const struct {
        const char *text;
        enum json_type type;
    } good[] = {
        {"null", JSON_NULL},
        {"true", JSON_TRUE},
        {" false\t", JSON_FALSE},
        {"0", JSON_NUMBER},
        {"-0.5E+10", JSON_NUMBER},
        {"1e5", JSON_NUMBER},
        {"\"\"", JSON_STRING},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"", JSON_STRING},
        {"\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF\x7F\"", JSON_STRING},
        {"{}", JSON_OBJECT},
        {"{ }", JSON_OBJECT},
        {"[\r\n]", JSON_ARRAY},
        {"[1,[2,{\"a\":[]}],\"\"]", JSON_ARRAY},
        {"{\"a\":1,\"a\":2}", JSON_OBJECT},
        {event, JSON_OBJECT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(parse(good[i].text).type, good[i].type);

    struct json_value v = parse(" \n 12 ");
    assert_text(&v, "12");
}

/* What is not JSON is refused, at the byte where it stops being JSON. */
static void test_refused(void **state)
{
    static const struct {
        const char *text;
        size_t at;
    } bad[] = {
        {"", 0},
        {"  ", 2},
        {"nul", 0},
        {"True", 0},
        {"tru\xC3\xA9", 0},
        {"NaN", 0},
        {"01", 1},
        {"-", 1},
        {"-a", 1},
        {"1.", 2},
        {"1.e1", 2},
        {"1e", 2},
        {"1e+", 3},
        {"+1", 0},
        {".5", 0},
        {"1 2", 2},
        {"\"abc", 0},
        {"\"a\\", 2},
        {"\"a\\x\"", 2},
        {"\"a\\u12g4\"", 2},
        {"\"a\\u12", 2},
        {"\"\\ud800\"", 1},
        {"\"\\ud800\\u0041\"", 1},
        {"\"\\udc00\"", 1},
        {"\"a\nb\"", 2},
        {"\"12345678\x01\"", 9},
        {"\"\x80\"", 1},
        {"\"\xC0\x80\"", 1},
        {"\"\xC3\"", 1},
        {"\"\xE0\x80\x80\"", 1},
        {"\"\xED\xA0\x80\"", 1},
        {"\"\xF0\x80\x80\x80\"", 1},
        {"\"\xF4\x90\x80\x80\"", 1},
        {"\"\xF5\x80\x80\x80\"", 1},
        {"\"abcdefgh\xFF\"", 9},
        {"'a'", 0},
        {"[", 1},
        {"[1", 2},
        {"[1,", 3},
        {"[1,]", 3},
        {"[1 2]", 3},
        {"[1}", 2},
        {"]", 0},
        {"{", 1},
        {"{\"a\"", 4},
        {"{\"a\":", 5},
        {"{\"a\":1", 6},
        {"{\"a\":1,", 7},
        {"{\"a\":1,}", 7},
        {"{\"a\" 1}", 5},
        {"{a:1}", 1},
        {"{1:1}", 1},
        {"{\"a\":1]", 6},
        {"{}}", 2},
        {"/**/1", 0},
        {"\xEF\xBB\xBF{}", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct json_value v = {.len = 77};
        struct err err = {0};
        size_t at = 999;
        char place[32];

        assert_int_equal(json_parse(bad[i].text, strlen(bad[i].text), &v, &err), ERR_INVALID);
        assert_int_equal(v.len, 77);
        assert_non_null(json_check(bad[i].text, strlen(bad[i].text), &at));
        if (at != bad[i].at)
            fail_msg("%s is refused at %zu, not %zu", bad[i].text, at, bad[i].at);
        snprintf(place, sizeof(place), "byte %zu: expected ", at);
        assert_non_null(strstr(err.text, place));
    }
}

/* A NUL is no space and ends nothing: it is refused wherever it stands. */
static void test_nul(void **state)
{
    struct json_value v;

    (void)state;
    assert_int_equal(json_parse("1\0", 2, &v, NULL), ERR_INVALID);
    assert_int_equal(json_parse("\"a\0b\"", 5, &v, NULL), ERR_INVALID);
    assert_int_equal(json_parse("\"\\\0\"", 4, &v, NULL), ERR_INVALID);
    assert_int_equal(json_parse("[\0]", 3, &v, NULL), ERR_INVALID);
}

/* 64 levels are read and walked, 65 are refused; a million do not exhaust the stack. */
static void test_depth(void **state)
{
    char *text = malloc(2000001);
    struct json_value v;
    struct err err;
    struct json_iter it;

    (void)state;
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        int code = json_parse(text, 2 * depth, &v, &err);
        assert_int_equal(code, depth > JSON_DEPTH_MAX ? ERR_INVALID : 0);
    }
    assert_int_equal(json_parse(text, 2, &v, NULL), ERR_INVALID);

    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    assert_int_equal(json_parse(text, 128, &v, NULL), 0);
    for (size_t depth = 1; depth < 64; depth++) {
        struct json_value inner;
        json_iter_init(&it, &v);
        assert_true(json_next_element(&it, &inner));
        assert_false(json_next_element(&it, &v));
        v = inner;
    }
    assert_text(&v, "[]");

    memset(text, '[', 1000000);
    memset(text + 1000000, ']', 1000000);
    assert_int_equal(json_parse(text, 2000000, &v, &err), ERR_INVALID);
    free(text);
}

/* Members come in the order of the text, with their own bytes, repeated ones too. */
static void test_members(void **state)
{
    static const char *const keys[] = {"\"trip_id\"", "\"n\"", "\"flag\"",      "\"on\"", "\"off\"",
                                       "\"where\"",   "\"\"",  "\"a\\u0062c\"", "\"n\""};
    static const char *const values[] = {"\"id1\"", "-1.5e3", "null",
                                         "true",    "false",  "{\"lon\":-73.98,\"lat\":[40.7, 1]}",
                                         "\"\"",    "1",      "2"};
    struct json_value root = parse(event);
    struct json_value key;
    struct json_value v;
    struct json_iter it;
    size_t n = 0;

    (void)state;
    json_iter_init(&it, &root);
    for (; json_next_member(&it, &key, &v); n++) {
        assert_text(&key, keys[n]);
        assert_text(&v, values[n]);
    }
    assert_int_equal(n, 9);
    assert_false(json_next_member(&it, &key, &v));
}

/* Elements come in order; text in strings that looks like structure is not taken for it. */
static void test_elements(void **state)
{
    struct json_value root = parse("[1 , \"],{\\\"[\", [2,3] ,{\"a\":\"}\"}, null]");
    static const char *const values[] = {"1", "\"],{\\\"[\"", "[2,3]", "{\"a\":\"}\"}", "null"};
    struct json_value v;
    struct json_iter it;
    size_t n = 0;

    (void)state;
    json_iter_init(&it, &root);
    for (; json_next_element(&it, &v); n++)
        assert_text(&v, values[n]);
    assert_int_equal(n, 5);
}

/* Walking what has no members, or is no container, ends at once. */
static void test_nothing_to_walk(void **state)
{
    static const char *const texts[] = {"{}", "{ }", "[]", "[ ]", "1", "\"[1]\"", "null"};
    struct json_value key;
    struct json_value v;
    struct json_iter it;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct json_value root = parse(texts[i]);
        json_iter_init(&it, &root);
        assert_false(json_next_element(&it, &v));
        assert_false(json_next_member(&it, &key, &v));
        assert_false(json_get(&root, "a", &v));
    }
}

/* A member is found by its name as it reads, however it is written; the first of equals. */
static void test_get(void **state)
{
    struct json_value root = parse(event);
    struct json_value v;

    (void)state;
    v = get(&root, "n");
    assert_text(&v, "-1.5e3");
    v = get(&root, "abc");
    assert_text(&v, "1");
    v = get(&root, "");
    assert_text(&v, "\"\"");
    v = get(&root, "where");
    v = get(&v, "lat");
    assert_text(&v, "[40.7, 1]");
    assert_false(json_get(&root, "lon", &v));
    assert_false(json_get(&root, "trip", &v));
    assert_false(json_get(&root, "a\\u0062c", &v));
}

/* A string is compared by what it says, to the last byte. */
static void test_is(void **state)
{
    struct json_value plain = parse("\"abc\"");
    struct json_value escaped = parse("\"a\\u0000\\n\\u00e9\"");
    struct json_value number = parse("123");

    (void)state;
    assert_true(json_is(&plain, "abc", 3));
    assert_false(json_is(&plain, "ab", 2));
    assert_false(json_is(&plain, "abcd", 4));
    assert_false(json_is(&plain, "abd", 3));
    assert_true(json_is(&escaped, "a\0\n\xC3\xA9", 5));
    assert_false(json_is(&escaped, "a", 1));
    assert_false(json_is(&number, "2", 1));
}

/* Escapes become what they stand for, surrogate pairs one character. */
static void test_string(void **state)
{
    struct json_value v =
        parse("\"x\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\\u0000y\xC3\xA9\"");
    static const char expected[] =
        "x\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\0y\xC3\xA9";
    struct json_value number = parse("1");
    struct buf out = BUF_INIT;

    (void)state;
    assert_true(json_string(&v, &out));
    assert_int_equal(out.len, sizeof(expected) - 1);
    assert_memory_equal(out.data, expected, out.len);
    assert_false(json_string(&number, &out));
    buf_release(&out);
}

/* Numbers are read where a double, or an int64, holds them; nothing else is a number. */
static void test_numbers(void **state)
{
    struct json_value v = parse("-1.5e3");
    double d = 0;
    int64_t n = 0;

    (void)state;
    assert_true(json_number(&v, &d));
    assert_true(d == -1500);
    assert_false(json_int(&v, &n));
    v = parse("9223372036854775807");
    assert_true(json_int(&v, &n) && n == INT64_MAX);
    v = parse("1e999");
    assert_false(json_number(&v, &d));
    v = parse("true");
    assert_false(json_number(&v, &d) || json_int(&v, &n));
    v = parse("\"1\"");
    assert_false(json_number(&v, &d) || json_int(&v, &n));
    v = parse("null");
    assert_false(json_number(&v, &d));
    assert_true(d == -1500);
}

/* Any bytes are written as a string that is JSON; well-formed text reads back the same. */
static void test_write_string(void **state)
{
    static const struct {
        const char *s;
        size_t len;
        const char *text;
    } known[] = {
        {"", 0, "\"\""},
        {"plain text, longer than eight", 29, "\"plain text, longer than eight\""},
        {"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
        {"\b\f\n\r\t\x01\x1F\0\x7F", 9, "\"\\b\\f\\n\\r\\t\\u0001\\u001f\\u0000\x7F\""},
        {"\xC3\xA9\xF0\x9F\x98\x80", 6, "\"\xC3\xA9\xF0\x9F\x98\x80\""},
        {"a\xFF"
         "b\xC3",
         4,
         "\"a\xEF\xBF\xBD"
         "b\xEF\xBF\xBD\""},
    };
    struct buf out = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        buf_clear(&out);
        json_write_string(&out, known[i].s, known[i].len);
        assert_string_equal(buf_str(&out), known[i].text);
        struct json_value v = parse(buf_str(&out));
        if (json_utf8_valid(known[i].s, known[i].len))
            assert_true(json_is(&v, known[i].s, known[i].len));
    }
    buf_release(&out);
}

/* Every single byte, at every place of a word of eight, is written as JSON. */
static void test_write_every_byte(void **state)
{
    struct buf out = BUF_INIT;
    struct json_value v;

    (void)state;
    for (int c = 0; c < 256; c++) {
        for (size_t i = 0; i < 16; i++) {
            char text[16] = "abcdefghijklmno";
            text[i] = (char)c;
            buf_clear(&out);
            json_write_string(&out, text, sizeof(text));
            assert_int_equal(json_parse(out.data, out.len, &v, NULL), 0);
            if (c < 0x80)
                assert_true(json_is(&v, text, sizeof(text)));
        }
    }
    buf_release(&out);
}

/* The other writers give what they say. */
static void test_write(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    buf_byte(&out, '{');
    json_write_name(&out, "mae");
    json_write_number(&out, 812.4);
    buf_byte(&out, ',');
    json_write_name(&out, "seq");
    json_write_int(&out, -7);
    buf_byte(&out, ',');
    json_write_name(&out, "none");
    json_write_number(&out, NAN);
    buf_byte(&out, '}');
    assert_string_equal(buf_str(&out), "{\"mae\":812.4,\"seq\":-7,\"none\":null}");
    assert_int_equal(out.len, strlen(out.data));
    buf_release(&out);
}

/* UTF-8 is judged alike wherever in a word it stands. */
static void test_utf8(void **state)
{
    (void)state;
    assert_true(json_utf8_valid("", 0));
    assert_true(json_utf8_valid("a\0b", 3));
    assert_true(json_utf8_valid("12345678\xC3\xA9", 10));
    assert_false(json_utf8_valid("12345678\xC3", 9));
    assert_false(json_utf8_valid("1234567\xC3\x28", 9));
    assert_false(json_utf8_valid("\xED\xBF\xBF", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_nothing_to_walk),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_is),
        cmocka_unit_test(test_string),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_write_string),
        cmocka_unit_test(test_write_every_byte),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
