/*
 * What every service does the same way: command line, task file, connections,
 * incarnation, heartbeat, stopping. A service's main() is
 *
 *     return runtime_main(argc, argv, &spec, <service>_run);
 *
 * which reads options and task file, and lets <service>_run() connect, loop and drain.
 *
 * Exit statuses: 0 asked to stop and did, or finished; 1 failed, starting again may help; 2
 * refused: the text says what a human must do, and `oxbow up` does not start it again.
 */
#ifndef OXBOW_RUNTIME_RUNTIME_H
#define OXBOW_RUNTIME_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "bus/bus.h"
#include "store/store.h"
#include "task/task.h"
#include "telemetry/telemetry.h"

struct http_server;
struct scrape;

#define RUNTIME_OK      0
#define RUNTIME_FAILED  1
#define RUNTIME_REFUSED 2
#define RUNTIME_GO      (-1)

/* An option of one service, beside those that all have. */
struct runtime_option {
    const char *name; /* without the dashes */
    const char *arg;  /* "FILE", or NULL for a switch */
    const char *help;
};

struct runtime_spec {
    const char *service; /* "views": the program is oxbow-views */
    const char *summary; /* one sentence for --help */
    int metrics_port;    /* of the first instance; 0: it has a server of its own, or none */
    const struct runtime_option *options;
    size_t n_options;
    /* Called for each of `options` that is given. ERR_INVALID and a text: exit status 2. */
    int (*option)(void *ctx, const char *name, const char *value, struct err *err);
    void *ctx;
};

struct runtime {
    const struct runtime_spec *spec;
    char instance[64]; /* "views-1": --instance, default <service>-1 */
    struct task *task;
    uint64_t sql_hash;
    struct store *store; /* after runtime_connect */
    struct bus *bus;     /* after runtime_connect */
    char incarnation[UUID_TEXT_LEN +
                     1]; /* what the store is bound to; "" before: no heartbeat yet */
    struct telemetry *tm;
    int64_t started_ms;
    /* Set before the bus is opened: publishes in transactions, where the bus has them, as the one
     * writer "<task>-<transaction>". NULL: none. */
    const char *transaction;

    /* private */
    struct scrape *scrape;
    void (*observe)(void *ctx);
    void *observe_ctx;
    bool has_run;       /* its loop has said that it runs */
    struct buf missing; /* what a loop that waits is waiting for */
    int64_t next_beat_ns;
    struct log_trouble store_trouble;
    struct buf beat;
    struct buf status; /* the service's last one, for beats that are given none */
};

/* All of main(): runs `run` on what runtime_init() has made, unless that gives a status to exit
 * with.
 */
int runtime_main(int argc, char **argv, const struct runtime_spec *spec,
                 int (*run)(struct runtime *rt));

/* RUNTIME_GO, or the status to exit with (--help, --version, a wrong command line, a refused task
 * file): it has said why. */
int runtime_init(struct runtime *rt, int argc, char **argv, const struct runtime_spec *spec);
void runtime_release(struct runtime *rt);

/*
 * Opens the store, waits until it answers and has an incarnation (said once), binds it, opens
 * the bus under its prefix and waits until the task's topics are there. ERR_CANCELLED when asked to
 * stop meanwhile.
 */
int runtime_connect(struct runtime *rt, bus_delivery_fn delivered, void *ctx,
                    struct err *err) MUST_CHECK;

/*
 * `observe` is called once a second, before metrics are rendered: it sets the gauges that nothing
 * else sets. NULL: no more.
 */
void runtime_observe(struct runtime *rt, void (*observe)(void *ctx), void *ctx);

/*
 * Adds /metrics, /healthz and /readyz to a server of the service's own; before http_start(), its
 * own figures are among the metrics then. NULL, before it is closed: no more. Services without a
 * server are served by the runtime.
 */
void runtime_serve_metrics(struct runtime *rt, struct http_server *server);

/* The parts of that, for oxbow-views, which makes the incarnation between them. */
int runtime_open_store(struct runtime *rt, struct err *err) MUST_CHECK;
int runtime_open_bus(struct runtime *rt, bus_delivery_fn delivered, void *ctx,
                     struct err *err) MUST_CHECK;

/*
 * The service's own part of its heartbeat: members of a JSON object, without braces, at least one.
 * Where it is NULL, what it wrote last is said again.
 */
typedef void (*runtime_status_fn)(void *ctx, struct buf *out);

/*
 * To be called at least every 100 ms: once a second it writes the heartbeat and checks the
 * incarnation. ERR_REFUSED when the incarnation has changed (the service must leave with
 * RUNTIME_REFUSED); a store that is away is said once and is no error. `state` is "starting",
 * "running", "waiting", "draining" or "done".
 */
int runtime_tick(struct runtime *rt, const char *state, runtime_status_fn status, void *ctx,
                 struct err *err) MUST_CHECK;
/* The same at once, for the last beat before leaving. */
int runtime_beat(struct runtime *rt, const char *state, runtime_status_fn status, void *ctx,
                 struct err *err) MUST_CHECK;

/* Says once what is away, backs off, ticks; for loops that got a retriable error. */
int runtime_pause(struct runtime *rt, struct log_trouble *trouble, const char *what,
                  const struct err *cause, struct backoff *backoff, struct err *err) MUST_CHECK;

/* Logs `err` and gives the exit status that fits its code. */
int runtime_exit_status(const struct err *err);

#endif
