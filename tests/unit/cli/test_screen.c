/* The terminal: what is written to it, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those before it. */
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "screen.h"

/* A screen that writes into a file, as a terminal or not. */
static struct screen open_screen(FILE *file, bool tty)
{
    return (struct screen){.fd = fileno(file), .tty = tty};
}

/* What was written since the last call. */
static char *written(FILE *file)
{
    static char text[8192];
    ssize_t n = pread(fileno(file), text, sizeof(text) - 1, 0);

    assert_true(n >= 0);
    text[n] = '\0';
    assert_int_equal(ftruncate(fileno(file), 0), 0);
    assert_int_equal(lseek(fileno(file), 0, SEEK_SET), 0);
    return text;
}

/* Elsewhere than on a terminal lines are plain, and there is no block. */
static void test_plain(void **state)
{
    FILE *file = tmpfile();
    struct screen s = open_screen(file, false);

    (void)state;
    screen_line(&s, "views-1", SCREEN_RED, "hello", 5);
    screen_set_block(&s, "block\n");
    screen_flush(&s);
    assert_string_equal(written(file), "views-1       | hello\n");
    screen_release(&s);
    assert_string_equal(written(file), "");
    fclose(file);
}

/* Control characters from outside never reach the terminal. */
static void test_control_characters(void **state)
{
    FILE *file = tmpfile();
    struct screen s = open_screen(file, false);

    (void)state;
    screen_line(&s, "x", SCREEN_PLAIN, "a\033[2Jb\rc\177", 9);
    screen_flush(&s);
    assert_string_equal(written(file), "x             | a [2Jb c \n");
    screen_release(&s);
    fclose(file);
}

/* The block is taken away before a line is written, and drawn again below it. */
static void test_block(void **state)
{
    FILE *file = tmpfile();
    struct screen s = open_screen(file, true);

    (void)state;
    screen_set_block(&s, "one\ntwo\n");
    screen_flush(&s);
    assert_string_equal(written(file), "one\ntwo\n");
    screen_line(&s, "x", SCREEN_PLAIN, "line", 4);
    screen_set_block(&s, "three\n");
    screen_flush(&s);
    assert_string_equal(written(file), "\r\033[2A\033[Jx             | line\nthree\n");
    screen_release(&s);
    assert_string_equal(written(file), "\r\033[1A\033[J");
    fclose(file);
}

/* A line of the block never wraps: colours take no room, a character of several bytes takes one. */
static void test_cut(void **state)
{
    FILE *file = tmpfile();
    struct screen s = open_screen(file, true);
    struct buf block = BUF_INIT;

    (void)state;
    for (int i = 0; i < 98; i++)
        buf_text(&block, i % 2 ? "\033[1mx\033[0m" : "\xc3\xa4");
    buf_text(&block, "yz\n");
    screen_set_block(&s, block.data);
    screen_flush(&s);
    const char *text = written(file);
    assert_non_null(strchr(text, 'y'));
    assert_null(strchr(text, 'z'));
    assert_string_equal(text + strlen(text) - 5, "\033[0m\n");
    buf_release(&block);
    screen_release(&s);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_block),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
