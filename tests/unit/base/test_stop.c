/* Stopping, in children of this process, as signals leave traces. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/stop.h"

struct child {
    pid_t pid;
    int says; /* reads what the child says, a byte at each step */
};

/* A service that says when it is up, says when it is asked to stop, and stops if `obeys`. */
static void run_service(int out, bool obeys)
{
    sigset_t none;
    sigset_t both;

    sigemptyset(&none);
    sigemptyset(&both);
    sigaddset(&both, SIGTERM);
    sigaddset(&both, SIGINT);
    sigprocmask(SIG_BLOCK, &both, NULL);
    stop_install();
    if (write(out, "u", 1) != 1)
        _exit(9);
    while (!stop_requested())
        sigsuspend(&none);
    if (write(out, "s", 1) != 1)
        _exit(9);
    while (!obeys)
        sigsuspend(&none);
    _exit(0);
}

static struct child start(bool obeys)
{
    int ends[2];
    struct child c;

    assert_int_equal(pipe(ends), 0);
    c.pid = fork();
    assert_true(c.pid >= 0);
    if (c.pid == 0)
        run_service(ends[1], obeys);
    close(ends[1]);
    c.says = ends[0];
    return c;
}

static void wait_for(const struct child *c, char what)
{
    char said = 0;

    assert_int_equal(read(c->says, &said, 1), 1);
    assert_int_equal(said, what);
}

static int finish(const struct child *c)
{
    int status = 0;

    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    close(c->says);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* SIGTERM and SIGINT are each a request, which the program sees and obeys. */
static void test_first(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct child c = start(true);
        wait_for(&c, 'u');
        kill(c.pid, signals[i]);
        wait_for(&c, 's');
        assert_int_equal(finish(&c), 0);
    }
}

/* A second signal ends a program that is still busy, with status 1. */
static void test_second(void **state)
{
    struct child c = start(false);

    (void)state;
    wait_for(&c, 'u');
    kill(c.pid, SIGTERM);
    wait_for(&c, 's');
    kill(c.pid, SIGINT);
    assert_int_equal(finish(&c), 1);
}

/* A program's own request is no signal: the first signal after it does not cut its end short. */
static void test_own_request(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        stop_install();
        if (stop_requested())
            _exit(7);
        stop_request();
        raise(SIGTERM);
        _exit(stop_requested() ? 0 : 8);
    }

    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A reader that has left is an error of write(), not the end of the program. */
static void test_sigpipe(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        int ends[2];
        stop_install();
        if (pipe(ends) != 0)
            _exit(7);
        close(ends[0]);
        _exit(write(ends[1], "x", 1) == -1 && errno == EPIPE ? 0 : 8);
    }

    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_second),
        cmocka_unit_test(test_own_request),
        cmocka_unit_test(test_sigpipe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
