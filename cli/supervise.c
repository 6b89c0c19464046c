/* The supervisor: children, their pipes and their deaths. */
#include "supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#define FIRST_WAIT_MS   100
#define LONGEST_WAIT_MS 5000
#define HEALTHY_MS      10000 /* having lived so long makes the next wait short again */
#define LINE_MAX_BYTES  65536
#define TICK_MS         100 /* how late a death is noticed at most */

struct child {
    char *name;
    char **argv;
    bool may_finish;
    enum supervise_state state;
    pid_t pid;           /* 0: none */
    int out;             /* the reading end of its stdout and stderr; -1: none */
    struct buf text;     /* of a line that has not ended yet */
    int64_t started_ms;  /* monotonic */
    int64_t start_at_ms; /* SUPERVISE_WAITING: when to start it again */
    int64_t wait_ms;     /* the last back-off; 0 after a healthy life */
    uint64_t restarts;
    bool stopping; /* asked to: its death is no surprise */
};

struct supervisor {
    supervise_line_fn line;
    void *ctx;
    struct child child[SUPERVISE_MAX_CHILDREN];
    size_t n;
};

struct supervisor *supervise_new(supervise_line_fn line, void *ctx)
{
    struct supervisor *s = mem_zalloc(1, sizeof(*s));

    s->line = line;
    s->ctx = ctx;
    return s;
}

static void say(struct supervisor *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct supervisor *s, const char *fmt, ...)
{
    char time[CLOCK_TEXT_LEN + 1];
    char text[512];
    struct buf line = BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    clock_format(clock_wall_ms(), time);
    buf_printf(&line, "%s INFO  %s", time, text);
    s->line(s->ctx, -1, "oxbow", line.data, line.len);
    buf_release(&line);
}

/* ---- Starting ---- */

/* In the new process; `failed` is where errno goes when the program cannot be run. */
static void become(struct child *c, int out, int failed, pid_t parent)
{
    sigset_t none;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execvp(c->argv[0], c->argv);

    int reason = errno;
    if (write(failed, &reason, sizeof(reason)) != (ssize_t)sizeof(reason))
        _exit(126);
    _exit(127);
}

static int spawn(struct child *c, struct err *err)
{
    int out[2];
    int failed[2];
    int reason = 0;

    if (pipe2(out, O_CLOEXEC) != 0)
        return err_set(err, ERR_IO, "cannot start %s: %s", c->name, strerror(errno));
    if (pipe2(failed, O_CLOEXEC) != 0) {
        close(out[0]);
        close(out[1]);
        return err_set(err, ERR_IO, "cannot start %s: %s", c->name, strerror(errno));
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(c, out[1], failed[1], parent);
    close(out[1]);
    close(failed[1]);
    /* Closed by a successful exec: then nothing is read. */
    ssize_t got = pid > 0 ? read(failed[0], &reason, sizeof(reason)) : -1;
    close(failed[0]);
    if (pid < 0 || got > 0) {
        if (pid > 0)
            waitpid(pid, NULL, 0);
        else
            reason = errno;
        close(out[0]);
        return err_set(err, ERR_IO, "cannot run %s: %s", c->argv[0], strerror(reason));
    }
    setpgid(pid, pid);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    c->pid = pid;
    c->out = out[0];
    c->started_ms = clock_mono_ms();
    c->state = SUPERVISE_RUNNING;
    return 0;
}

int supervise_start(struct supervisor *s, const struct supervise_spec *spec, struct err *err)
{
    if (s->n == SUPERVISE_MAX_CHILDREN)
        return err_set(err, ERR_TOO_LARGE, "more than %d processes", SUPERVISE_MAX_CHILDREN);

    struct child *c = &s->child[s->n];
    size_t n = 0;
    while (spec->argv[n])
        n++;
    *c = (struct child){.name = mem_strdup(spec->name),
                        .argv = mem_zalloc(n + 1, sizeof(char *)),
                        .may_finish = spec->may_finish,
                        .state = SUPERVISE_STOPPED,
                        .out = -1};
    for (size_t i = 0; i < n; i++)
        c->argv[i] = mem_strdup(spec->argv[i]);
    int number = (int)s->n++;
    int rc = spawn(c, err);
    return rc < 0 ? rc : number;
}

/* ---- Output ---- */

static void flush_line(struct supervisor *s, size_t i)
{
    struct child *c = &s->child[i];

    if (c->text.len)
        s->line(s->ctx, (int)i, c->name, c->text.data, c->text.len);
    buf_clear(&c->text);
}

static void split_lines(struct supervisor *s, size_t i, const char *data, size_t len)
{
    struct child *c = &s->child[i];

    while (len) {
        const char *end = memchr(data, '\n', len);
        size_t part = end ? (size_t)(end - data) : len;
        buf_append(&c->text, data, part);
        if (end || c->text.len >= LINE_MAX_BYTES)
            flush_line(s, i);
        part += end ? 1 : 0;
        data += part;
        len -= part;
    }
}

/* Reads what is there; at most 64 kB a call, so that one chatty child does not starve the others.
 */
static void drain(struct supervisor *s, size_t i)
{
    struct child *c = &s->child[i];
    char data[8192];

    for (int rounds = 0; c->out >= 0 && rounds < 8; rounds++) {
        ssize_t n = read(c->out, data, sizeof(data));
        if (n > 0) {
            split_lines(s, i, data, (size_t)n);
        } else if (n == 0) {
            close(c->out);
            c->out = -1;
        } else {
            return;
        }
    }
}

/* ---- Death ---- */

static void describe_end(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(out, size, "was killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(out, size, "ended with status %d", WEXITSTATUS(status));
}

/* 0, or ERR_REFUSED. */
static int bury(struct supervisor *s, size_t i, int status, struct err *err)
{
    struct child *c = &s->child[i];
    char end[96];
    int64_t now = clock_mono_ms();

    c->pid = 0;
    drain(s, i);
    flush_line(s, i);
    if (c->out >= 0)
        close(c->out);
    c->out = -1;
    c->state = SUPERVISE_STOPPED;
    describe_end(status, end, sizeof(end));
    if (c->stopping)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == SUPERVISE_REFUSED) {
        say(s, "%s refuses to go on (see its last line): stopping", c->name);
        return err_set(err, ERR_REFUSED, "%s refuses to go on", c->name);
    }
    if (c->may_finish && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        c->state = SUPERVISE_FINISHED;
        say(s, "%s has finished", c->name);
        return 0;
    }
    if (now - c->started_ms >= HEALTHY_MS)
        c->wait_ms = 0;
    c->wait_ms = c->wait_ms ? c->wait_ms * 2 : FIRST_WAIT_MS;
    if (c->wait_ms > LONGEST_WAIT_MS)
        c->wait_ms = LONGEST_WAIT_MS;
    c->state = SUPERVISE_WAITING;
    c->start_at_ms = now + c->wait_ms;
    say(s, "%s %s: starting it again in %.1f s", c->name, end, (double)c->wait_ms / 1000);
    return 0;
}

static int reap(struct supervisor *s, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < s->n; i++) {
        struct child *c = &s->child[i];
        int status;
        if (c->pid && waitpid(c->pid, &status, WNOHANG) == c->pid && bury(s, i, status, err) < 0)
            rc = ERR_REFUSED;
    }
    return rc;
}

static void start_again(struct supervisor *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct child *c = &s->child[i];
        struct err err;
        if (c->state != SUPERVISE_WAITING || clock_mono_ms() < c->start_at_ms)
            continue;
        if (spawn(c, &err) == 0) {
            c->restarts++;
        } else {
            c->start_at_ms = clock_mono_ms() + LONGEST_WAIT_MS;
            say(s, "%s", err.text);
        }
    }
}

int supervise_step(struct supervisor *s, int timeout_ms, struct err *err)
{
    struct pollfd fd[SUPERVISE_MAX_CHILDREN];
    size_t of[SUPERVISE_MAX_CHILDREN];
    nfds_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (s->child[i].out < 0)
            continue;
        of[n] = i;
        fd[n++] = (struct pollfd){.fd = s->child[i].out, .events = POLLIN};
    }
    if (poll(fd, n, timeout_ms < TICK_MS ? timeout_ms : TICK_MS) > 0)
        for (nfds_t k = 0; k < n; k++)
            if (fd[k].revents)
                drain(s, of[k]);
    int rc = reap(s, err);
    start_again(s);
    return rc;
}

/* ---- Stopping ---- */

static size_t running(const struct supervisor *s, size_t first)
{
    size_t n = 0;

    for (size_t i = first; i < s->n; i++)
        n += s->child[i].pid != 0;
    return n;
}

int supervise_stop(struct supervisor *s, int first)
{
    int64_t deadline = clock_mono_ms() + SUPERVISE_STOP_MS;
    struct err err;
    int killed = 0;

    for (size_t i = (size_t)first; i < s->n; i++) {
        struct child *c = &s->child[i];
        c->stopping = true;
        if (c->state == SUPERVISE_WAITING)
            c->state = SUPERVISE_STOPPED;
        if (c->pid)
            kill(c->pid, SIGTERM);
    }
    while (running(s, (size_t)first)) {
        if (supervise_step(s, TICK_MS, &err) < 0)
            continue; /* another one refuses meanwhile: it is known already that all stops */
        if (clock_mono_ms() < deadline)
            continue;
        for (size_t i = (size_t)first; i < s->n; i++) {
            if (!s->child[i].pid)
                continue;
            say(s, "%s is still there after %d s: killing it", s->child[i].name,
                SUPERVISE_STOP_MS / 1000);
            kill(-s->child[i].pid, SIGKILL);
            killed++;
        }
        deadline = INT64_MAX;
    }
    return killed;
}

void supervise_free(struct supervisor *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++) {
        struct child *c = &s->child[i];
        if (c->pid) {
            kill(-c->pid, SIGKILL);
            waitpid(c->pid, NULL, 0);
        }
        if (c->out >= 0)
            close(c->out);
        buf_release(&c->text);
        for (size_t k = 0; c->argv[k]; k++)
            free(c->argv[k]);
        free(c->argv);
        free(c->name);
    }
    free(s);
}

size_t supervise_count(const struct supervisor *s)
{
    return s->n;
}

struct supervise_child supervise_get(const struct supervisor *s, size_t child)
{
    const struct child *c = &s->child[child];

    return (struct supervise_child){
        .name = c->name, .state = c->state, .pid = c->pid, .restarts = c->restarts};
}
