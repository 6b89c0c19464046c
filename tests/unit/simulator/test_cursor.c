/* Cursors: the total order, and the text that travels in messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "simulator/cursor.h"

/* Time decides, then outcomes come before requests, then the trip's number. */
static void test_order(void **state)
{
    static const struct cursor sorted[] = {
        {.number = 0},
        {.time_ms = -5, .kind = EVENT_REQUEST, .number = 9},
        {.time_ms = 10, .kind = EVENT_OUTCOME, .number = 2},
        {.time_ms = 10, .kind = EVENT_OUTCOME, .number = 3},
        {.time_ms = 10, .kind = EVENT_REQUEST, .number = 1},
        {.time_ms = 10, .kind = EVENT_REQUEST, .number = 4},
        {.time_ms = 11, .kind = EVENT_OUTCOME, .number = 1},
    };
    size_t n = sizeof(sorted) / sizeof(sorted[0]);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            int expected = (i > j) - (i < j);
            assert_int_equal(cursor_compare(&sorted[i], &sorted[j]), expected);
        }
    }
}

/* What is written is read back, identity included. */
static void test_round_trip(void **state)
{
    const struct cursor c = {1451890800123, EVENT_REQUEST, 77, 77, 61, 1451890800123};
    char identity[CURSOR_IDENTITY_MAX + 1];
    struct cursor back;
    struct buf text = BUF_INIT;

    (void)state;
    cursor_write(&c, "city1/42/0/-1", &text);
    assert_string_equal(text.data, "city1/42/0/-1 1451890800123 r 77 77 61 0");
    assert_int_equal(cursor_read(text.data, text.len, &back, identity), 0);
    assert_int_equal(cursor_compare(&c, &back), 0);
    assert_int_equal(back.requests, 77);
    assert_int_equal(back.outcomes, 61);
    assert_int_equal(back.request_ms, c.request_ms);
    assert_string_equal(identity, "city1/42/0/-1");
    buf_release(&text);
}

/* Any other text is refused, and nothing is written to the outputs. */
static void test_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "x",
        "x 1 r 2 3 4",
        "x 1 r 2 3 4 5 6",
        "x 1 q 2 3 4 0",
        "x 1 r 0 3 4 0",
        "x 1 r -2 3 4 0",
        "x 1.5 r 2 3 4 0",
        " 1 r 2 3 4 0",
        "x  r 2 3 4 0",
        "x 1 rr 2 3 4 0",
        "x -9223372036854775807 r 2 3 4 9",
        "x 5 r 2 3 4 -1",
    };
    char identity[CURSOR_IDENTITY_MAX + 1] = "as it was";
    struct cursor c = {.number = 5};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(cursor_read(texts[i], strlen(texts[i]), &c, identity), ERR_INVALID);
    assert_int_equal(c.number, 5);
    assert_string_equal(identity, "as it was");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
