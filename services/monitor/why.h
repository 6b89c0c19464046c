/*
 * The routes for why: `/api/explain`, `/api/drift` and `/api/drift/reset`
 * (docs/monitor.md).
 */
#ifndef OXBOW_MONITOR_WHY_H
#define OXBOW_MONITOR_WHY_H

#include "http/http.h"
#include "monitor/explain.h"
#include "monitor/monitor.h"

/* Borrowed; it outlives the server. */
struct why {
    struct monitor *monitor;
    struct explainer *explainer;
};

void why_routes(struct http_server *server, struct why *why);

#endif
