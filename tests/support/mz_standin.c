#include "support/mz_standin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A line of its standard output, without the newline. */
static void read_line(int fd, char *out, size_t size)
{
    size_t len = 0;
    char c;

    while (read(fd, &c, 1) == 1 && c != '\n')
        if (len + 1 < size)
            out[len++] = c;
    out[len] = '\0';
}

static int start(struct mz_standin *s, const char *option, const char *value)
{
    int in[2], out[2];
    char line[256];

    assert_int_equal(pipe2(in, 0), 0);
    assert_int_equal(pipe2(out, 0), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        for (int fd = 3; fd < 64; fd++)
            close(fd);
        execlp("python3", "python3", "-B", OXBOW_SOURCE_DIR "/tests/support/mz_standin.py", option,
               value, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    s->in_fd = in[1];
    s->out_fd = out[0];
    read_line(s->out_fd, line, sizeof(line));
    if (strncmp(line, "skip ", 5) == 0) {
        print_message("SKIPPED: %s\n", line + 5);
        mz_standin_stop(s);
        return -1;
    }
    if (strncmp(line, "port ", 5) != 0)
        fail_msg("the stand-in did not start: %s", line);
    snprintf(s->url, sizeof(s->url), "postgres://materialize@127.0.0.1:%d/materialize",
             atoi(line + 5));
    return 0;
}

void mz_standin_script(struct mz_standin *s, const char *script)
{
    snprintf(s->script, sizeof(s->script), "/tmp/oxbow-mz-XXXXXX");
    int fd = mkstemp(s->script);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, script, strlen(script)), (ssize_t)strlen(script));
    close(fd);
    assert_int_equal(start(s, "--script", s->script), 0);
}

int mz_standin_postgres(struct mz_standin *s)
{
    s->script[0] = '\0';
    return start(s, "--own-postgres", NULL);
}

void mz_standin_stop(struct mz_standin *s)
{
    if (!s->pid)
        return;
    close(s->in_fd);
    close(s->out_fd);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
    if (s->script[0])
        unlink(s->script);
}
