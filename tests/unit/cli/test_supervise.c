/* The supervisor, with shells as children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those before it. */
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "supervise.h"

#define STEPS 2000 /* of 10 ms, until a condition counts as never coming true */

struct fixture {
    struct supervisor *s;
    struct buf text; /* "name: line\n" for every line */
};

static void on_line(void *ctx, int child, const char *name, const char *line, size_t len)
{
    struct fixture *f = ctx;

    (void)child;
    buf_printf(&f->text, "%s: %.*s\n", name, (int)len, line);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->s = supervise_new(on_line, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    supervise_free(f->s);
    buf_release(&f->text);
    free(f);
    return 0;
}

static int start(struct fixture *f, const char *name, const char *script, bool may_finish)
{
    char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, strdup(script), NULL};
    struct supervise_spec spec = {.name = name, .argv = argv, .may_finish = may_finish};
    struct err err = {0};
    int child = supervise_start(f->s, &spec, &err);

    assert_true(child >= 0);
    free(argv[2]);
    return child;
}

/* Steps until `text` was printed. */
static void wait_text(struct fixture *f, const char *text)
{
    struct err err;

    for (int i = 0; i < STEPS && !strstr(buf_str(&f->text), text); i++)
        assert_int_equal(supervise_step(f->s, 10, &err), 0);
    assert_non_null(strstr(buf_str(&f->text), text));
}

static void wait_state(struct fixture *f, int child, enum supervise_state wanted)
{
    struct err err;

    for (int i = 0; i < STEPS && supervise_get(f->s, (size_t)child).state != wanted; i++)
        assert_int_equal(supervise_step(f->s, 10, &err), 0);
    assert_int_equal(supervise_get(f->s, (size_t)child).state, wanted);
}

/* Lines of both streams arrive whole, the last one without a newline too. */
static void test_lines(void **state)
{
    struct fixture *f = *state;
    int child = start(f, "talk", "echo one; echo two >&2; printf three", true);

    wait_state(f, child, SUPERVISE_FINISHED);
    assert_non_null(strstr(buf_str(&f->text), "talk: one\n"));
    assert_non_null(strstr(buf_str(&f->text), "talk: two\n"));
    assert_non_null(strstr(buf_str(&f->text), "talk: three\n"));
}

/* A child that is killed is started again, and the signal is named. */
static void test_killed(void **state)
{
    struct fixture *f = *state;
    int child = start(f, "victim", "echo up; exec sleep 1000", false);

    wait_text(f, "victim: up");
    int pid = supervise_get(f->s, (size_t)child).pid;
    buf_clear(&f->text);
    kill(pid, SIGKILL);
    wait_text(f, "victim was killed by signal 9 (Killed): starting it again in 0.1 s");
    wait_text(f, "victim: up");
    assert_int_equal(supervise_get(f->s, (size_t)child).restarts, 1);
    assert_int_not_equal(supervise_get(f->s, (size_t)child).pid, pid);
}

/* The wait doubles with every death in a row, and the exit status is told. */
static void test_back_off(void **state)
{
    struct fixture *f = *state;

    start(f, "fails", "exit 1", false);
    wait_text(f, "fails ended with status 1: starting it again in 0.1 s");
    wait_text(f, "starting it again in 0.2 s");
    wait_text(f, "starting it again in 0.4 s");
    wait_text(f, "starting it again in 0.8 s");
}

/* Exit status 0 is the end of one that may finish, and a death of any other. */
static void test_finish(void **state)
{
    struct fixture *f = *state;
    int finishes = start(f, "finishes", "exit 0", true);

    wait_state(f, finishes, SUPERVISE_FINISHED);
    wait_text(f, "finishes has finished");
    start(f, "goes", "exit 0", false);
    wait_text(f, "goes ended with status 0: starting it again");
}

/* Exit status 2 is told to the caller, and the child is not started again. */
static void test_refusal(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    int child = start(f, "refuses", "echo no; exit 2", false);
    int rc = 0;

    for (int i = 0; i < STEPS && rc == 0; i++)
        rc = supervise_step(f->s, 10, &err);
    assert_int_equal(rc, ERR_REFUSED);
    assert_non_null(strstr(err.text, "refuses"));
    assert_non_null(strstr(buf_str(&f->text), "refuses: no\n"));
    assert_int_equal(supervise_get(f->s, (size_t)child).state, SUPERVISE_STOPPED);
    assert_int_equal(supervise_step(f->s, 200, &err), 0);
    assert_int_equal(supervise_get(f->s, (size_t)child).restarts, 0);
}

/* Stopping asks first: a child may clean up, and what it says meanwhile is still shown. */
static void test_stop(void **state)
{
    struct fixture *f = *state;
    int first = start(f, "stays", "echo up; exec sleep 1000", false);
    int polite = start(
        f, "polite", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done", false);

    wait_text(f, "stays: up");
    wait_text(f, "polite: up");
    assert_int_equal(supervise_stop(f->s, polite), 0);
    assert_non_null(strstr(buf_str(&f->text), "polite: bye\n"));
    assert_int_equal(supervise_get(f->s, (size_t)polite).state, SUPERVISE_STOPPED);
    assert_int_equal(supervise_get(f->s, (size_t)first).state, SUPERVISE_RUNNING);
    int pid = supervise_get(f->s, (size_t)first).pid;
    assert_int_equal(supervise_stop(f->s, 0), 0);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

/* A program that is not there is an error of the start. */
static void test_not_there(void **state)
{
    struct fixture *f = *state;
    char *argv[] = {(char[]){"/no/such/program"}, NULL};
    struct supervise_spec spec = {.name = "missing", .argv = argv};
    struct err err = {0};

    assert_int_equal(supervise_start(f->s, &spec, &err), ERR_IO);
    assert_non_null(strstr(err.text, "/no/such/program"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lines),   TEST(test_killed), TEST(test_back_off),  TEST(test_finish),
        TEST(test_refusal), TEST(test_stop),   TEST(test_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
