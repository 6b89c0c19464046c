/* Times as text, and waiting. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

static int64_t parse(const char *s)
{
    int64_t ms = -1;

    assert_int_equal(clock_parse(s, strlen(s), &ms), 0);
    return ms;
}

/* Known moments are written and read as they should be, before 1970 too. */
static void test_known(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } known[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {1795248000000, "2026-11-21T08:00:00.000Z"},
        {951782399999, "2000-02-28T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {-62167219200000, "0000-01-01T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };
    char text[CLOCK_TEXT_LEN + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        clock_format(known[i].ms, text);
        assert_string_equal(text, known[i].text);
        assert_true(parse(known[i].text) == known[i].ms);
    }
}

/* The calendar is the C library's, on every day of four centuries and a bit. */
static void test_calendar(void **state)
{
    char text[CLOCK_TEXT_LEN + 1];
    char expected[64];

    (void)state;
    for (int64_t day = -80000; day < 80000; day++) {
        time_t seconds = (time_t)(day * 86400 + (day & 0xFFF) * 21);
        struct tm tm;

        gmtime_r(&seconds, &tm);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
        clock_format((int64_t)seconds * 1000, text);
        assert_string_equal(text, expected);
        assert_true(parse(text) == (int64_t)seconds * 1000);
    }
}

/* The form of Kaggle's files is read as UTC. */
static void test_kaggle(void **state)
{
    (void)state;
    assert_true(parse("2016-03-14 17:24:55") == 1457976295000);
}

/* Any other form, and any day or time that does not exist, is refused; the result is untouched. */
static void test_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2016-04-31T00:00:00.000Z",
        "2015-02-29T00:00:00.000Z",
        "1900-02-29 00:00:00",
        "2016-13-01 00:00:00",
        "2016-00-01 00:00:00",
        "2016-01-00 00:00:00",
        "2016-01-01 24:00:00",
        "2016-01-01 00:60:00",
        "2016-01-01 00:00:60",
        "2016-01-01T00:00:00Z",
        "2016-01-01T00:00:00.000",
        "2016-01-01T00:00:00.0000Z",
        "2016-01-01 00:00:00.000Z",
        "2016-01-01T00:00:00.000+",
        "2016-01-01 00:00:00 ",
        " 2016-01-01 00:00:00",
        "2016-1-1 00:00:00",
        "-016-01-01 00:00:00",
        "2016/01/01 00:00:00",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ms = 77;
        assert_int_equal(clock_parse(bad[i], strlen(bad[i]), &ms), ERR_INVALID);
        assert_true(ms == 77);
    }
}

/* What lies outside of four digits of years becomes their ends. */
static void test_clamped(void **state)
{
    char text[CLOCK_TEXT_LEN + 1];

    (void)state;
    clock_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    clock_format(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00.000Z");
}

static void ignore(int sig)
{
    (void)sig;
}

/*
 * The first wait is none; then 100 ms, doubled up to 5 s, and from the start after a success. A
 * signal ends a wait, so that this test does not take as long.
 */
static void test_backoff(void **state)
{
    static const int64_t waits[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    struct sigaction action = {.sa_handler = ignore};
    struct itimerval often = {{0, 1000}, {0, 1000}};
    struct itimerval never = {{0, 0}, {0, 0}};
    struct backoff b = {0};

    (void)state;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        backoff_wait(&b);
        assert_true(b.wait_ms == waits[i]);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    backoff_reset(&b);
    assert_true(b.wait_ms == 0);
}

/* The monotonic clock never goes back, and the wall clock is in this century. */
static void test_clocks(void **state)
{
    int64_t last = clock_mono_ns();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_mono_ns();
        assert_true(now >= last);
        last = now;
    }
    assert_true(clock_wall_ms() > parse("2020-01-01 00:00:00"));
    assert_true(clock_wall_ms() < parse("2100-01-01 00:00:00"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),   cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_kaggle),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_clamped), cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_clocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
