/* The log: what lands on standard error, which each test turns into a file. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

struct capture {
    FILE *file;
    int saved; /* the real standard error */
};

static void capture_begin(struct capture *c)
{
    c->file = tmpfile();
    assert_non_null(c->file);
    c->saved = dup(STDERR_FILENO);
    dup2(fileno(c->file), STDERR_FILENO);
}

/* What was logged since, to be freed. */
static char *capture_end(struct capture *c)
{
    struct buf text = BUF_INIT;
    size_t n;

    dup2(c->saved, STDERR_FILENO);
    close(c->saved);
    rewind(c->file);
    while ((n = fread(buf_reserve(&text, 4096), 1, 4096, c->file)) > 0)
        text.len += n;
    fclose(c->file);
    buf_append(&text, "", 0);
    return buf_detach(&text);
}

/* A line is `TIME LEVEL text`, the level padded to one column. */
static void test_line(void **state)
{
    struct capture c;
    int64_t ms;

    (void)state;
    capture_begin(&c);
    log_info("hello %d", 7);
    log_error("bad");
    char *text = capture_end(&c);

    assert_int_equal(clock_parse(text, CLOCK_TEXT_LEN, &ms), 0);
    char *second = strchr(text, '\n') + 1;
    assert_memory_equal(text + CLOCK_TEXT_LEN, " INFO  hello 7\n", 15);
    assert_string_equal(second + CLOCK_TEXT_LEN, " ERROR bad\n");
    free(text);
}

/* Lines below the level are not written; the default is info. */
static void test_level(void **state)
{
    struct capture c;

    (void)state;
    capture_begin(&c);
    log_debug("one");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("two");
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("three");
    log_error("four");
    log_set_level(LOG_LEVEL_INFO);
    char *text = capture_end(&c);

    assert_null(strstr(text, "one"));
    assert_non_null(strstr(text, "DEBUG two\n"));
    assert_null(strstr(text, "three"));
    assert_non_null(strstr(text, "ERROR four\n"));
    free(text);
}

/* A level's name is read exactly. */
static void test_level_parse(void **state)
{
    enum log_level level = LOG_LEVEL_ERROR;

    (void)state;
    assert_int_equal(log_level_parse("debug", &level), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_parse("warn", &level), 0);
    assert_int_equal(level, LOG_LEVEL_WARN);
    assert_int_equal(log_level_parse("WARN", &level), ERR_INVALID);
    assert_int_equal(log_level_parse("", &level), ERR_INVALID);
    assert_int_equal(level, LOG_LEVEL_WARN);
}

/* A text with line ends in it, or of any length, is one line and whole. */
static void test_one_line(void **state)
{
    static const size_t lengths[] = {0, 1, 900, 990, 991, 992, 993, 1000, 1024, 5000};

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char *long_text = malloc(lengths[i] + 1);
        memset(long_text, 'x', lengths[i]);
        long_text[lengths[i]] = '\0';

        struct capture c;
        capture_begin(&c);
        log_warn("a\nb\r%s", long_text);
        char *text = capture_end(&c);
        assert_int_equal(strlen(text), CLOCK_TEXT_LEN + 7 + 4 + lengths[i] + 1);
        assert_memory_equal(text + CLOCK_TEXT_LEN, " WARN  a b ", 11);
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
        free(text);
        free(long_text);
    }
}

static void *log_much(void *ctx)
{
    for (int i = 0; i < 500; i++)
        log_info("%s %d end", (const char *)ctx, i);
    return NULL;
}

/* Threads that log at once do not mix their lines. */
static void test_threads(void **state)
{
    static char names[4][8] = {"aaaa", "bbbb", "cccc", "dddd"};
    pthread_t threads[4];
    struct capture c;
    size_t n_lines = 0;

    (void)state;
    capture_begin(&c);
    for (size_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, log_much, names[i]);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    char *text = capture_end(&c);

    for (char *line = text; *line; n_lines++) {
        char *end = strchr(line, '\n');
        char name[8];
        int number;
        assert_non_null(end);
        *end = '\0';
        assert_int_equal(sscanf(line + CLOCK_TEXT_LEN, " INFO %4s %d end", name, &number), 2);
        assert_string_equal(end - 4, " end");
        line = end + 1;
    }
    assert_int_equal(n_lines, 2000);
    free(text);
}

/* Trouble is said once, and so is its end; without trouble there is no end to say. */
static void test_trouble(void **state)
{
    struct log_trouble t = {0};
    struct err err;
    struct capture c;

    (void)state;
    err_set(&err, ERR_DISCONNECTED, "connection refused");
    capture_begin(&c);
    log_trouble_over(&t);
    for (int i = 0; i < 5; i++)
        log_trouble(&t, "Redis is away", &err);
    log_trouble_over(&t);
    log_trouble_over(&t);
    log_trouble(&t, "Redis is away", NULL);
    char *text = capture_end(&c);

    char *second = strchr(text, '\n') + 1;
    char *third = strchr(second, '\n') + 1;
    assert_memory_equal(text + CLOCK_TEXT_LEN, " WARN  Redis is away: connection refused\n", 41);
    assert_memory_equal(second + CLOCK_TEXT_LEN, " INFO  Redis is away: over after ", 33);
    assert_string_equal(third + CLOCK_TEXT_LEN, " WARN  Redis is away\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),        cmocka_unit_test(test_level),
        cmocka_unit_test(test_level_parse), cmocka_unit_test(test_one_line),
        cmocka_unit_test(test_threads),     cmocka_unit_test(test_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
