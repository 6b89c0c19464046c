/*
 * Keeps child processes running: starts them, hands on what they print line by
 * line, starts one that dies again after a back-off, and stops them in order.
 * One thread, one poll(2) loop: the caller calls supervise_step() all the time.
 *
 * Each child is the leader of a process group of its own (so that the
 * terminal's Ctrl-C reaches only the supervisor) and is killed by the kernel
 * when the supervisor dies, however it dies.
 */
#ifndef OXBOW_CLI_SUPERVISE_H
#define OXBOW_CLI_SUPERVISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SUPERVISE_MAX_CHILDREN 80
#define SUPERVISE_REFUSED      2 /* exit status of a child that must not be started again */
#define SUPERVISE_STOP_MS      15000

struct supervisor;

/*
 * A line that a child printed (without its newline), or, with `child` -1, one of the supervisor's
 * own. `name` is the child's.
 */
typedef void (*supervise_line_fn)(void *ctx, int child, const char *name, const char *line,
                                  size_t len);

struct supervise_spec {
    const char *name;  /* copied */
    char *const *argv; /* copied; argv[0] is found on PATH when it has no slash */
    bool may_finish;   /* exit status 0 is the end of its work, and it is not started again */
};

enum supervise_state {
    SUPERVISE_RUNNING,
    SUPERVISE_WAITING,  /* died; will be started again */
    SUPERVISE_FINISHED, /* exit status 0 of one that may finish */
    SUPERVISE_STOPPED,  /* not started yet, asked to stop and did, or refused */
};

struct supervise_child {
    const char *name;
    enum supervise_state state;
    int pid;           /* 0 when not running */
    uint64_t restarts; /* how often it was started again */
};

struct supervisor *supervise_new(supervise_line_fn line, void *ctx);
/* Kills what still runs and waits for it. NULL is fine. */
void supervise_free(struct supervisor *s);

/* Adds a child and starts it. Returns its number, or ERR_IO. */
int supervise_start(struct supervisor *s, const struct supervise_spec *spec,
                    struct err *err) MUST_CHECK;

/*
 * Waits up to `timeout_ms` for output or a death and handles it. 0; ERR_REFUSED when a child has
 * exited with status 2 (said; it is for the caller to stop the others).
 */
int supervise_step(struct supervisor *s, int timeout_ms, struct err *err) MUST_CHECK;

/*
 * Asks children from number `first` on to stop, and waits; kills what is still there after
 * SUPERVISE_STOP_MS, and says so. Returns how many had to be killed.
 */
int supervise_stop(struct supervisor *s, int first);

size_t supervise_count(const struct supervisor *s);
struct supervise_child supervise_get(const struct supervisor *s, size_t child);

#endif
