/* The growable buffer: its invariants hold whatever is appended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

/* After any appends the bytes are there in order, and a NUL follows them. */
static void test_append(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        buf_byte(&b, 'x');
        buf_text(&b, "yz");
        buf_append(&b, "\0!", 2);
        buf_printf(&b, "%d;", i % 10);
        assert_int_equal(b.len, (size_t)(i + 1) * 7);
        assert_true(b.cap > b.len);
        assert_int_equal(b.data[b.len], '\0');
    }
    assert_memory_equal(b.data + 7, "xyz\0!1;", 7);
    buf_release(&b);
    assert_null(b.data);
}

/* An empty buffer reads as "", and so it does after appending nothing, and after clearing. */
static void test_empty(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    assert_string_equal(buf_str(&b), "");
    buf_append(&b, NULL, 0);
    buf_text(&b, "");
    assert_string_equal(buf_str(&b), "");
    buf_text(&b, "abc");
    buf_clear(&b);
    assert_string_equal(buf_str(&b), "");
    assert_int_equal(b.len, 0);
    buf_release(&b);
}

/* Detaching hands the bytes over and leaves an empty buffer; of an empty one it gives "". */
static void test_detach(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    char *s = buf_detach(&b);
    assert_string_equal(s, "");
    free(s);

    buf_text(&b, "abc");
    s = buf_detach(&b);
    assert_string_equal(s, "abc");
    assert_int_equal(b.len, 0);
    assert_null(b.data);
    free(s);
}

/* A text longer than any that was there before is printed whole. */
static void test_printf_long(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    buf_printf(&b, "%s%05000d", "a", 7);
    assert_int_equal(b.len, 5001);
    assert_int_equal(b.data[5000], '7');
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_detach),
        cmocka_unit_test(test_printf_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
