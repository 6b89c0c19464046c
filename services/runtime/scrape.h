/*
 * What a service tells about itself over HTTP: GET /metrics (Prometheus' text), /healthz and
 * /readyz. The service's loop renders once a second and hands the text over; a scrape copies the
 * newest text, and never touches the loop. Private to the runtime; services see runtime.h.
 *
 * Calls come from one thread, the loop's; the handlers run in the server's.
 */
#ifndef OXBOW_RUNTIME_SCRAPE_H
#define OXBOW_RUNTIME_SCRAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "http/http.h"
#include "telemetry/telemetry.h"

#define SCRAPE_ENV            "OXBOW_METRICS"
#define SCRAPE_TOKEN_ENV      "OXBOW_METRICS_TOKEN"
#define SCRAPE_TOKEN_FILE_ENV "OXBOW_METRICS_TOKEN_FILE"

struct scrape;

/* All copied. */
struct scrape *scrape_new(const char *task, const char *service, const char *instance);
/* Ends its server, if it has one. NULL is fine. */
void scrape_free(struct scrape *m);

/*
 * Where to listen, from what `--metrics` or OXBOW_METRICS says: "on" (NULL and "" too) is
 * 127.0.0.1 with the service's own port, `port` plus 10 for each instance after the first
 * (inference-3: plus 20); "ADDRESS" takes that port there; "ADDRESS:PORT" says both; "off" leaves
 * *ret empty. ERR_INVALID for what is none of these.
 */
int scrape_address(const char *text, const char *service, const char *instance, int port,
                   struct buf *ret, struct err *err) MUST_CHECK;

/* Serves on `address`. ERR_CONFLICT: the port is taken. */
int scrape_listen(struct scrape *m, const char *address, struct err *err) MUST_CHECK;

/*
 * Adds the three to a server that is there already and not started yet, and outlived by `m`; its
 * own figures are among the metrics then. NULL, before it is closed: no more.
 */
void scrape_add_routes(struct scrape *m, struct http_server *server);

/* "127.0.0.1:9402"; NULL when it has no server of its own. */
const char *scrape_at(const struct scrape *m);

struct scrape_state {
    const char *state;   /* as in the heartbeat */
    const char *missing; /* why it is not ready; NULL or "": nothing is */
    bool is_looping;     /* the service's loop called, not something that waits before it */
};

/* To be called once a second: renders what is in `tm`. Nothing happens while nobody can ask. */
void scrape_update(struct scrape *m, const struct telemetry *tm, const struct scrape_state *state);

#endif
