/* The grammar of requests: what is read, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/http_parse.h"

/* Paths are decoded once and normalised; a slash that was escaped is data. */
static void test_target(void **state)
{
    static const struct {
        const char *text;
        const char *path; /* NULL: refused */
        bool is_file_name;
    } cases[] = {
        {"/", "/", true},
        {"/a/b", "/a/b", true},
        {"//a//b//", "/a/b/", true},
        {"/./a/./b/.", "/a/b/", true},
        {"/%2e", "/", true},
        {"/a/%2e/b", "/a/b", true},
        {"/a%20b", "/a b", true},
        {"/a+b", "/a+b", true},
        {"/...", "/...", true},
        {"/..a", "/..a", true},
        {"/%25%32%65", "/%2e", true},
        {"/%252e%252e/", "/%2e%2e/", true},
        {"/a%2Fb", "/a/b", false},
        {"/a%5cb", "/a\\b", false},
        {"/a%0ab", "/a\nb", false},
        {"/%7f", "/\x7f", false},
        {"/caf%c3%a9", "/caf\xc3\xa9", true},
        {"/caf\xc3\xa9", "/caf\xc3\xa9", true},
        {"", NULL, false},
        {"a", NULL, false},
        {"?a", NULL, false},
        {"*", NULL, false},
        {"/..", NULL, false},
        {"/../", NULL, false},
        {"/a/..", NULL, false},
        {"/%2e.", NULL, false},
        {"/.%2E/x", NULL, false},
        {"/a%2f..", NULL, false},
        {"/..%5c", NULL, false},
        {"/a%00", NULL, false},
        {"/a\\b", NULL, false},
        {"/a\tb", NULL, false},
        {"/%", NULL, false},
        {"/%4", NULL, false},
        {"/%g0", NULL, false},
        {"/%c0%ae", NULL, false},
        {"/%ed%a0%80", NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_target target = {0};
        struct err err = {0};
        int rc = http_target_parse(&target, cases[i].text, strlen(cases[i].text), &err);
        if (cases[i].path) {
            assert_int_equal(rc, 0);
            assert_string_equal(target.path.data, cases[i].path);
            assert_int_equal(target.is_file_name, cases[i].is_file_name);
        } else {
            assert_int_equal(rc, ERR_INVALID);
            assert_true(err.text[0] != '\0');
        }
        http_target_release(&target);
    }
}

/* The first of a name counts; a name without value is there, and empty. */
static void test_params(void **state)
{
    static const char text[] = "/p?a=1&b=x%26y&a=2&&c&=d&e=f=g&h%3d=%C3%A9+";
    struct http_target target = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(http_target_parse(&target, text, sizeof(text) - 1, &err), 0);
    assert_string_equal(target.path.data, "/p");
    assert_string_equal(http_params_get(&target.params, "a"), "1");
    assert_string_equal(http_params_get(&target.params, "b"), "x&y");
    assert_string_equal(http_params_get(&target.params, "c"), "");
    assert_string_equal(http_params_get(&target.params, ""), "d");
    assert_string_equal(http_params_get(&target.params, "e"), "f=g");
    assert_string_equal(http_params_get(&target.params, "h="), "\xc3\xa9 ");
    assert_null(http_params_get(&target.params, "1"));
    http_target_release(&target);
}

/* More than anybody needs is refused. */
static void test_too_many_params(void **state)
{
    struct http_target target = {0};
    struct buf text = BUF_INIT;
    struct err err = {0};

    (void)state;
    buf_text(&text, "/?");
    for (int i = 0; i <= HTTP_PARAMS_MAX; i++)
        buf_printf(&text, "a%d&", i);
    assert_int_equal(http_target_parse(&target, text.data, text.len, &err), ERR_TOO_LARGE);
    http_target_release(&target);
    buf_release(&text);
}

static void test_cookie(void **state)
{
    size_t len;

    (void)state;
    assert_null(http_cookie(NULL, "a", &len));
    assert_null(http_cookie("", "a", &len));
    assert_null(http_cookie("a", "a", &len));
    assert_null(http_cookie("aa=1; b=a=2", "a", &len));
    const char *value = http_cookie("b=1;  a=x=y ; a=2", "a", &len);
    assert_int_equal(len, 3);
    assert_memory_equal(value, "x=y", 3);
    assert_non_null(http_cookie("a=", "a", &len));
    assert_int_equal(len, 0);
}

static void test_gzip(void **state)
{
    static const struct {
        const char *header;
        bool takes;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"gzip", true},
        {"deflate, GZIP;q=0.1, br", true},
        {"br", false},
        {"*", true},
        {"*;q=0", false},
        {"gzip;q=0, *", false},
        {"gzip ; q=0.000", false},
        {"gzip;q=0.001", true},
        {"*, gzip;q=0", false},
        {"gzipx, xgzip", false},
        {",,;, ;q=1", false},
        {"identity;q=1, x-gzip", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(http_takes_gzip(cases[i].header), cases[i].takes);
}

static void test_tag(void **state)
{
    (void)state;
    assert_false(http_has_tag(NULL, "a"));
    assert_false(http_has_tag("a", "a"));
    assert_true(http_has_tag("\"a\"", "a"));
    assert_true(http_has_tag("\"b\" , W/\"a\"", "a"));
    assert_true(http_has_tag("*", "a"));
    assert_false(http_has_tag("\"ab\", \"\", W/, \"", "a"));
}

static void test_host(void **state)
{
    static const char *const own[] = {"monitor.example", "10.0.0.7"};

    (void)state;
    assert_true(http_host_known("localhost", NULL, 0));
    assert_true(http_host_known("LocalHost:1", NULL, 0));
    assert_true(http_host_known("127.0.0.1:65535", NULL, 0));
    assert_true(http_host_known("[::1]", NULL, 0));
    assert_true(http_host_known("Monitor.Example:80", own, 2));
    assert_false(http_host_known("monitor.example", own + 1, 1));
    assert_false(http_host_known("", own, 2));
    assert_false(http_host_known(":80", own, 2));
    assert_false(http_host_known("[::1", own, 2));
    assert_false(http_host_known("localhost@evil", own, 2));
    assert_false(http_host_known("localhost:80@evil", own, 2));
    assert_false(http_host_known("localhost.", own, 2));
    assert_false(http_host_known("[::1]evil", own, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_target),
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_too_many_params),
        cmocka_unit_test(test_cookie),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_tag),
        cmocka_unit_test(test_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
