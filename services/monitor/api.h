/*
 * What the monitor serves (docs/monitor.md): the page, its data as JSON, and
 * the stream of ticks. Handlers run in the server's threads; each copies what
 * it needs out of the monitor and writes its answer from there.
 */
#ifndef OXBOW_MONITOR_API_H
#define OXBOW_MONITOR_API_H

#include "base/err.h"
#include "http/http.h"
#include "monitor/auditor.h"
#include "monitor/explain.h"
#include "monitor/monitor.h"
#include "monitor/view_rows.h"
#include "runtime/runtime.h"
#include "task/task.h"

struct api;

/* Borrows everything. */
struct api_options {
    const struct task *task;
    struct runtime *runtime; /* whose /metrics, /healthz and /readyz are served as well */
    struct monitor *monitor;
    struct auditor *auditor;
    struct view_rows *views;
    struct explainer *explainer;
    const char *listen; /* NULL: the task file's */
    const char
        *dashboard; /* the page's folder; NULL: where it is installed, or beside the program */
    void (*warn)(const char *text); /* what is missing and does not keep it from serving */
};

/* Takes the address and serves. ERR_CONFLICT: the port is taken. */
struct api *api_open(const struct api_options *options, struct err *err) MUST_CHECK;
void api_close(struct api *api); /* NULL is fine */

/* Sends a tick to all who listen. */
void api_tick(struct api *api, uint64_t id, const struct buf *tick);

const char *api_address(const struct api *api); /* "127.0.0.1:8501" */
unsigned api_clients(const struct api *api);    /* of the stream */

#endif
