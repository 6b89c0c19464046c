/*
 * A task with all its services, under one supervisor: what `oxbow up` runs, and
 * `oxbow demo` with a live view on top.
 *
 *     up_start → up_step* → up_stop_services → [read the stores] → up_stop
 */
#ifndef OXBOW_CLI_UP_H
#define OXBOW_CLI_UP_H

#include <stdbool.h>
#include <stdint.h>

#include "access.h"
#include "own_redis.h"
#include "screen.h"
#include "supervise.h"

#define UP_MAX_INFERENCE 64

struct up_options {
    struct access_options access;
    bool fresh;
    bool with_redis;
    bool with_simulator;
    bool no_monitor;
    int64_t inference;      /* how many inference processes */
    const char *metrics;    /* what the services' --metrics is to be; NULL: as they have it */
    char *const *simulator; /* its options, NULL-terminated; may be NULL */
};

struct up {
    struct task *task;
    struct supervisor *supervisor;
    struct own_redis redis;
    struct screen *screen; /* borrowed */
    int first_service;     /* number of the first child that is a service */
    int simulator;         /* number of its child; -1: none */
    int lock_fd;
    bool stopping; /* lines are shown as they come: nobody steps any more */
    bool quiet;    /* services' lines below WARN are not shown */
};

/*
 * Reads the task file, starts redis-server if asked to and waits for it, begins anew if asked to,
 * starts the services. ERR_CANCELLED when a signal asked to stop meanwhile. `screen` gets every
 * line; call up_stop() whatever it returns.
 */
int up_start(struct up *up, const struct up_options *options, struct screen *screen,
             struct err *err) MUST_CHECK;

/* Lets the supervisor work; ERR_REFUSED when a service refuses to go on. */
int up_step(struct up *up, int timeout_ms, struct err *err) MUST_CHECK;

/* Stops the services; redis-server, if it is ours, goes on. */
void up_stop_services(struct up *up);

/* Stops all and frees. */
void up_stop(struct up *up);

/* A line of our own. */
void up_say(struct up *up, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* True when the simulator has published everything. */
bool up_simulator_done(const struct up *up);

#endif
