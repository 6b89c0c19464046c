/* Allocation that does not return on failure, in children of this process where it ends one. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

/* Nothing is a size too: what comes back can be freed. */
static void test_nothing(void **state)
{
    (void)state;
    free(mem_alloc(0));
    free(mem_zalloc(0, 8));
    free(mem_zalloc(8, 0));
    free(mem_realloc(NULL, 0, 8));
    char *s = mem_strndup("", 0);
    assert_string_equal(s, "");
    free(s);
}

/* Zeroed memory is zero; growing keeps what was there. */
static void test_contents(void **state)
{
    int *p = mem_zalloc(100, sizeof(*p));

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(p[i], 0);
        p[i] = i;
    }
    p = mem_realloc(p, 10000, sizeof(*p));
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], i);
    free(p);
}

/* A copy ends where it was told to, with a NUL, whatever comes after. */
static void test_copies(void **state)
{
    (void)state;
    char *s = mem_strndup("abc\0def", 7);
    assert_memory_equal(s, "abc\0def", 8);
    free(s);
    s = mem_strndup("abcdef", 2);
    assert_string_equal(s, "ab");
    free(s);
    s = mem_strdup("whole");
    assert_string_equal(s, "whole");
    free(s);
}

/* Runs `fn`, quietly, in a child; true when it was ended by abort(). */
static bool aborts(void (*fn)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void realloc_overflow(void)
{
    mem_realloc(NULL, SIZE_MAX / 2, 4);
}

/* A product that overflows ends the process, instead of giving a small block. */
static void test_overflow(void **state)
{
    (void)state;
    assert_true(aborts(realloc_overflow));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
