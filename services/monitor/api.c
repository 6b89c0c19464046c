/* The monitor's routes. */
#include "monitor/api.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/http_channel.h"
#include "monitor/why.h"

#define THREADS     4 /* so that a view or an explanation keeps nobody waiting */
#define CHART_JS    "/usr/share/javascript/chart.js/chart.min.js" /* Debian's libjs-chart.js */
#define DASHBOARD   "dashboards/live"
#define INSTALLED   "share/oxbow/" DASHBOARD
#define PARENTS_MAX 4 /* folders above the program in which the page is looked for */
#define TOKEN_ENV   "OXBOW_MONITOR_TOKEN"
#define HOSTS_MAX   32

struct api {
    struct api_options options;
    struct http_server *server;
    struct http_channel *channel;
    struct why why;
};

/* ---- Data ---- */

static int snapshot(void *ctx, struct buf *out, uint64_t *id)
{
    const struct api *api = ctx;

    monitor_write_snapshot(api->options.monitor, out, id);
    return 0;
}

static void get_snapshot(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct buf body = BUF_INIT;
    uint64_t id;

    (void)req;
    snapshot(ctx, &body, &id);
    http_reply_json(reply, &body);
}

/* Answers with what was written, or with why it was not. */
static void answer(struct http_reply *reply, int rc, struct buf *body, const struct err *err)
{
    if (rc == 0)
        http_reply_json(reply, body);
    else
        http_reply_err(reply, err);
    buf_release(body);
}

static const char *query_or(const struct http_request *req, const char *name, const char *otherwise)
{
    const char *value = http_query(req, name);

    return value ? value : otherwise;
}

static void get_history(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    const struct api *api = ctx;
    struct buf body = BUF_INIT;
    struct err err = {0};
    int rc = monitor_write_history(api->options.monitor, query_or(req, "range", "5m"),
                                   query_or(req, "axis", "wall"), http_query(req, "series"), NULL,
                                   &body, &err);

    answer(reply, rc, &body, &err);
}

static void get_breakdown(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    const struct api *api = ctx;
    struct buf body = BUF_INIT;

    (void)req;
    monitor_write_breakdown(api->options.monitor, &body);
    http_reply_json(reply, &body);
}

static void get_model(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    const struct api *api = ctx;
    const char *name = http_rest(req);
    struct buf body = BUF_INIT, state = BUF_INIT, version = BUF_INIT;
    char incarnation[UUID_TEXT_LEN + 1];
    struct err err = {0};

    monitor_model_version(api->options.monitor, name, &version);
    monitor_incarnation(api->options.monitor, incarnation);
    /* What cannot be had now is null: the rest is worth an answer all the same. */
    if (!version.len || explainer_inspect(api->options.explainer, incarnation, name,
                                          buf_str(&version), &state, &err) < 0) {
        buf_clear(&state);
        buf_text(&state, "null");
    }
    int rc = monitor_write_model(api->options.monitor, name, buf_str(&state), &body, &err);
    answer(reply, rc, &body, &err);
    buf_release(&state);
    buf_release(&version);
}

static void get_request(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    const struct api *api = ctx;
    const char *key = *http_rest(req) ? http_rest(req) : query_or(req, "key", "");
    struct buf body = BUF_INIT;
    struct err err = {0};
    int rc = monitor_write_request(api->options.monitor, key, strlen(key), &body, &err);

    answer(reply, rc, &body, &err);
}

static void get_audit(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    const struct api *api = ctx;
    struct buf body = BUF_INIT;

    (void)req;
    auditor_ask(api->options.auditor);
    monitor_write_audit(api->options.monitor, &body);
    http_reply_json(reply, &body);
}

static void get_dead(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    const struct api *api = ctx;
    struct buf body = BUF_INIT;

    (void)req;
    monitor_write_dead(api->options.monitor, &body);
    http_reply_json(reply, &body);
}

static void get_view(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    const struct api *api = ctx;
    struct buf body = BUF_INIT;
    struct err err = {0};
    int rc = view_rows_get(api->options.views, http_rest(req), &body, &err);

    answer(reply, rc, &body, &err);
}

static void get_export(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    const struct api *api = ctx;
    const char *what = query_or(req, "what", "history");
    const char *format = query_or(req, "format", "csv");
    struct buf body = BUF_INIT;
    struct err err = {0};
    char name[64];
    int rc;

    if (strcmp(what, "history") == 0)
        rc = monitor_write_history(api->options.monitor, query_or(req, "range", "5m"),
                                   query_or(req, "axis", "wall"), http_query(req, "series"), format,
                                   &body, &err);
    else
        rc = monitor_write_export(api->options.monitor, what, format, &body, &err);
    if (rc < 0) {
        http_reply_err(reply, &err);
    } else {
        snprintf(name, sizeof(name), "%.20s-%.20s.%s", api->options.task->name, what, format);
        http_reply_download(reply, name);
        http_reply_body(reply, 200, strcmp(format, "csv") == 0 ? "text/csv" : "application/json",
                        &body);
    }
    buf_release(&body);
}

static void add_routes(struct api *api)
{
    static const struct {
        const char *path;
        http_handler handler;
    } routes[] = {
        {"/api/snapshot", get_snapshot},   {"/api/history", get_history},
        {"/api/breakdown", get_breakdown}, {"/api/models/", get_model},
        {"/api/requests/", get_request},   {"/api/audit", get_audit},
        {"/api/dead-letters", get_dead},   {"/api/views/", get_view},
        {"/api/export", get_export},
    };

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        http_handle(api->server, "GET", routes[i].path, routes[i].handler, api);
    api->why = (struct why){api->options.monitor, api->options.explainer};
    why_routes(api->server, &api->why);
    api->channel =
        http_channel_new(api->server, "/api/stream",
                         &(struct http_channel_options){.snapshot = snapshot, .ctx = api});
}

/* ---- The page ---- */

static bool has_page(const char *dir)
{
    char file[PATH_MAX];

    return snprintf(file, sizeof(file), "%s/index.html", dir) < (int)sizeof(file) &&
           access(file, R_OK) == 0;
}

/* Above the program, where it is installed or built; else from here. Empty when there is none. */
static void find_page(char ret[PATH_MAX])
{
    static const char *const below[] = {INSTALLED, DASHBOARD};
    char dir[PATH_MAX - 64];
    ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);

    dir[n > 0 ? n : 0] = '\0';
    for (int up = 0; up <= PARENTS_MAX && strrchr(dir, '/'); up++) {
        *strrchr(dir, '/') = '\0';
        for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
            snprintf(ret, PATH_MAX, "%s/%s", dir, below[i]);
            if (has_page(ret))
                return;
        }
    }
    snprintf(ret, PATH_MAX, "%s", has_page(DASHBOARD) ? DASHBOARD : "");
}

static void no_page(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    (void)ctx;
    (void)req;
    http_reply_error(
        reply, 404,
        "the page's files were not found: start oxbow-monitor with --dashboard DIR; the "
        "data are under /api/");
}

static int add_page(struct api *api, struct err *err)
{
    char dir[PATH_MAX];
    char index[PATH_MAX + 16];
    struct err ignored;

    if (api->options.dashboard)
        snprintf(dir, sizeof(dir), "%s", api->options.dashboard);
    else
        find_page(dir);
    if (!*dir) {
        api->options.warn("the page's files (" DASHBOARD ") were not found: only its data are "
                          "served; give --dashboard DIR");
        http_handle(api->server, "GET", "/", no_page, api);
        return 0;
    }
    snprintf(index, sizeof(index), "%s/index.html", dir);
    if (http_static_file(api->server, "/", index, err) < 0 ||
        http_static(api->server, "/assets/", dir, err) < 0)
        return err_prefix(err, "--dashboard");
    if (http_static_file(api->server, "/assets/chart.js", CHART_JS, &ignored) < 0)
        api->options.warn(CHART_JS " is not there: the page has no charts; install libjs-chart.js");
    return 0;
}

/* ---- Lifecycle ---- */

/* The names in the task file, as an array; they point into `text`. */
static size_t split_hosts(char *text, const char *hosts[HOSTS_MAX])
{
    size_t n = 0;
    char *rest;

    for (char *name = text ? strtok_r(text, ",", &rest) : NULL; name && n < HOSTS_MAX;
         name = strtok_r(NULL, ",", &rest))
        hosts[n++] = name;
    return n;
}

static struct http_server *new_server(const struct api_options *o, struct err *err)
{
    const struct task_monitor *settings = &o->task->monitor;
    struct http_server *server = NULL;
    struct buf token = BUF_INIT;
    const char *hosts[HOSTS_MAX];
    char *text = settings->hosts ? mem_strdup(settings->hosts) : NULL;

    if (http_read_token(settings->token_file, TOKEN_ENV, &token, err) == 0) {
        struct http_options options = {
            .listen = o->listen ? o->listen : settings->listen,
            .token = buf_str(&token),
            .tls_cert = settings->tls_certificate,
            .tls_key = settings->tls_key,
            .hosts = hosts,
            .n_hosts = split_hosts(text, hosts),
            .threads = THREADS,
        };
        server = http_new(&options, err);
    }
    buf_release(&token);
    free(text);
    return server;
}

struct api *api_open(const struct api_options *options, struct err *err)
{
    struct http_server *server = new_server(options, err);

    if (!server)
        return NULL;
    struct api *api = mem_zalloc(1, sizeof(*api));
    api->options = *options;
    api->server = server;
    add_routes(api);
    runtime_serve_metrics(options->runtime, server);
    if (add_page(api, err) == 0 && http_start(server, err) == 0)
        return api;
    api_close(api);
    return NULL;
}

void api_close(struct api *api)
{
    if (!api)
        return;
    runtime_serve_metrics(api->options.runtime, NULL);
    http_close(api->server);
    free(api);
}

void api_tick(struct api *api, uint64_t id, const struct buf *tick)
{
    http_channel_send(api->channel, id, "tick", buf_str(tick), tick->len);
}

const char *api_address(const struct api *api)
{
    return http_address(api->server);
}

unsigned api_clients(const struct api *api)
{
    return http_channel_clients(api->channel);
}
