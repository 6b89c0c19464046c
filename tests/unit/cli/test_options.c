/* Command lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those before it. */
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "options.h"

struct values {
    bool flag;
    const char *text;
    int64_t whole;
    double number;
    struct option_many many;
    struct option_rest rest;
    const char *operand;
};

/* The words are literals; the copy of their pointers is what main() would be given. */
static int parse(struct values *v, int argc, const char *const *words)
{
    static char *argv[32];

    memcpy(argv, words, ((size_t)argc + 1) * sizeof(*argv));
    const struct option_spec options[] = {
        {"flag", 'f', OPTION_FLAG, NULL, "a switch", &v->flag, 0, 0},
        {"text", 0, OPTION_TEXT, "T", "a text", &v->text, 0, 0},
        {"whole", 'w', OPTION_INT, "N", "a whole number", &v->whole, 1, 10},
        {"number", 0, OPTION_NUMBER, "X", "a number", &v->number, 0, 1},
        {"many", 'm', OPTION_MANY, "M", "may be given again", &v->many, 0, 0},
        {"rest", 0, OPTION_REST, "ARGS...", "what follows", &v->rest, 0, 0},
    };
    const struct usage usage = {.command = "test",
                                .operands = "THING",
                                .summary = "Tests.",
                                .options = options,
                                .n_options = sizeof(options) / sizeof(options[0]),
                                .operand = &v->operand,
                                .n_operands = 1};

    return options_parse(&usage, argc, argv);
}

#define PARSE(v, ...)                                                                              \
    parse((v), (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)),                 \
          (const char *const[]){__VA_ARGS__, NULL})

/* Every kind of option reaches its variable, in both spellings and by its letter. */
static void test_reads(void **state)
{
    struct values v = {0};

    (void)state;
    assert_int_equal(
        PARSE(&v, "test", "--flag", "--text", "a b", "thing", "--whole=7", "--number", "0.25"),
        CLI_GO);
    assert_true(v.flag);
    assert_string_equal(v.text, "a b");
    assert_int_equal(v.whole, 7);
    assert_true(v.number == 0.25);
    assert_string_equal(v.operand, "thing");

    v = (struct values){0};
    assert_int_equal(PARSE(&v, "test", "-f", "-w", "3", "thing"), CLI_GO);
    assert_true(v.flag);
    assert_int_equal(v.whole, 3);
}

/* What follows the option for the rest is handed on unread, and behind `--` all are operands. */
static void test_rest(void **state)
{
    struct values v = {0};

    (void)state;
    assert_int_equal(PARSE(&v, "test", "thing", "--rest", "--flag", "--what", "x"), CLI_GO);
    assert_false(v.flag);
    assert_int_equal(v.rest.argc, 3);
    assert_string_equal(v.rest.argv[1], "--what");
    assert_null(v.rest.argv[3]);

    v = (struct values){0};
    assert_int_equal(PARSE(&v, "test", "--", "--flag"), CLI_GO);
    assert_false(v.flag);
    assert_string_equal(v.operand, "--flag");
}

/* A wrong command line is refused with status 2, whatever is wrong with it. */
static void test_refuses(void **state)
{
    struct values v = {0};

    (void)state;
    assert_int_equal(PARSE(&v, "test"), CLI_REFUSED);
    assert_int_equal(PARSE(&v, "test", "a", "b"), CLI_REFUSED);
    assert_int_equal(PARSE(&v, "test", "a", "--flga"), CLI_REFUSED);
    assert_int_equal(PARSE(&v, "test", "a", "-x"), CLI_REFUSED);
    assert_int_equal(PARSE(&v, "test", "a", "--flag=yes"), CLI_REFUSED);
    assert_int_equal(PARSE(&v, "test", "a", "--whole"), CLI_REFUSED);
    assert_int_equal(PARSE(&v, "test", "a", "--whole", "0"), CLI_REFUSED);
    assert_int_equal(PARSE(&v, "test", "a", "--whole", "11"), CLI_REFUSED);
    assert_int_equal(PARSE(&v, "test", "a", "--whole", "1.5"), CLI_REFUSED);
    assert_int_equal(PARSE(&v, "test", "a", "--number", "much"), CLI_REFUSED);
}

/* --help is answered with status 0, before anything else is asked for. */
static void test_help(void **state)
{
    struct values v = {0};

    (void)state;
    assert_int_equal(PARSE(&v, "test", "--help"), CLI_OK);
}

/* An option that may be given again keeps every value, in order. */
static void test_many(void **state)
{
    struct values v = {0};

    (void)state;
    assert_int_equal(PARSE(&v, "test", "--many", "b", "thing", "-m", "a", "--many=c=d"), CLI_GO);
    assert_int_equal(v.many.n, 3);
    assert_string_equal(v.many.value[0], "b");
    assert_string_equal(v.many.value[1], "a");
    assert_string_equal(v.many.value[2], "c=d");
    v.many.n = OPTION_MANY_MAX;
    assert_int_equal(PARSE(&v, "test", "--many", "b", "thing"), CLI_REFUSED);
    assert_int_equal(PARSE(&v, "test", "thing", "--many"), CLI_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),   cmocka_unit_test(test_many), cmocka_unit_test(test_rest),
        cmocka_unit_test(test_refuses), cmocka_unit_test(test_help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
