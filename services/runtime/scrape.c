/* /metrics, /healthz and /readyz of every service. */
#include "runtime/scrape.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"

#define ALIVE_NS  INT64_C(30000000000) /* a loop that is silent for so long hangs */
#define PORT_STEP 10                   /* between two instances of a service */

struct scrape {
    struct telemetry_label labels[2]; /* task, service; values are owned */
    char *task;
    char *service;
    char *instance;
    struct http_server *server;  /* owned; NULL: the service has one, or none is wanted */
    struct http_server *watched; /* the one that answers; NULL: nobody can ask */
    struct telemetry *http;      /* its figures */
    struct buf next;             /* the loop's alone: what is being rendered */

    pthread_mutex_t lock; /* guards what follows */
    struct buf text;
    struct buf missing;
    char state[16];
    bool has_looped;
    int64_t looped_ns;
};

struct scrape *scrape_new(const char *task, const char *service, const char *instance)
{
    struct scrape *m = mem_zalloc(1, sizeof(*m));

    m->task = mem_strdup(task);
    m->service = mem_strdup(service);
    m->instance = mem_strdup(instance);
    m->labels[0] = (struct telemetry_label){"task", m->task};
    m->http = telemetry_new();
    m->labels[1] = (struct telemetry_label){"service", m->service};
    strcpy(m->state, "starting");
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

void scrape_free(struct scrape *m)
{
    if (!m)
        return;
    http_close(m->server);
    telemetry_free(m->http);
    buf_release(&m->next);
    buf_release(&m->text);
    buf_release(&m->missing);
    pthread_mutex_destroy(&m->lock);
    free(m->task);
    free(m->service);
    free(m->instance);
    free(m);
}

/* Where to listen */

/* N of "<service>-N"; 1 for a name of another form. */
static int64_t instance_number(const char *service, const char *instance)
{
    size_t len = strlen(service);
    int64_t n;

    if (strncmp(instance, service, len) != 0 || instance[len] != '-' ||
        num_parse_int(instance + len + 1, strlen(instance + len + 1), &n) != 0 || n < 1 || n > 5000)
        return 1;
    return n;
}

static bool has_port(const char *text)
{
    const char *colon = strrchr(text, ':');

    /* "[::1]" and "::1" hold colons, and no port. */
    return colon && !strchr(colon, ']') && (text[0] == '[' || strchr(text, ':') == colon);
}

int scrape_address(const char *text, const char *service, const char *instance, int port,
                   struct buf *ret, struct err *err)
{
    int64_t own_port = port + PORT_STEP * (instance_number(service, instance) - 1);

    if (text && strcmp(text, "off") == 0)
        return 0;
    if (!text || !*text || strcmp(text, "on") == 0)
        text = "127.0.0.1";
    if (has_port(text)) {
        buf_text(ret, text);
        return 0;
    }
    if (own_port > 65535)
        return err_set(err, ERR_INVALID,
                       "instance %s would listen on port %lld: say where, as 127.0.0.1:9400",
                       instance, (long long)own_port);
    buf_printf(ret, strchr(text, ':') && text[0] != '[' ? "[%s]:%lld" : "%s:%lld", text,
               (long long)own_port);
    return 0;
}

/* Answers */

static void get_metrics(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct scrape *m = ctx;
    struct buf body = BUF_INIT;

    (void)req;
    pthread_mutex_lock(&m->lock);
    buf_append(&body, buf_str(&m->text), m->text.len);
    pthread_mutex_unlock(&m->lock);
    http_reply_body(reply, 200, PROMETHEUS_TYPE, &body);
}

/* `{"<what>":true,"service":"views","instance":"views-1","state":"running"`; locked. */
static void write_state(const struct scrape *m, const char *what, bool is_true, struct buf *out)
{
    buf_printf(out, "{\"%s\":%s,\"service\":", what, is_true ? "true" : "false");
    json_write_string(out, m->service, strlen(m->service));
    buf_text(out, ",\"instance\":");
    json_write_string(out, m->instance, strlen(m->instance));
    buf_printf(out, ",\"state\":\"%s\"", m->state);
}

/* Before its loop a service may wait for others as long as it takes. */
static void get_health(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct scrape *m = ctx;
    struct buf body = BUF_INIT;

    (void)req;
    pthread_mutex_lock(&m->lock);
    int64_t silent_ns = m->has_looped ? clock_mono_ns() - m->looped_ns : 0;
    bool is_alive = silent_ns <= ALIVE_NS;
    write_state(m, "healthy", is_alive, &body);
    if (!is_alive)
        buf_printf(&body, ",\"silent_seconds\":%lld", (long long)(silent_ns / 1000000000));
    pthread_mutex_unlock(&m->lock);
    buf_text(&body, "}\n");
    http_reply_body(reply, is_alive ? 200 : 503, "application/json", &body);
}

/* A service that waits for those behind it does what it should. */
static bool is_working(const char *state)
{
    return strcmp(state, "running") == 0 || strcmp(state, "waiting") == 0;
}

static void get_ready(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct scrape *m = ctx;
    struct buf body = BUF_INIT;

    (void)req;
    pthread_mutex_lock(&m->lock);
    bool is_ready = m->missing.len == 0 && is_working(m->state);
    write_state(m, "ready", is_ready, &body);
    buf_text(&body, ",\"missing\":[");
    if (m->missing.len)
        json_write_string(&body, m->missing.data, m->missing.len);
    pthread_mutex_unlock(&m->lock);
    buf_text(&body, "]}\n");
    http_reply_body(reply, is_ready ? 200 : 503, "application/json", &body);
}

/* Serving */

void scrape_add_routes(struct scrape *m, struct http_server *server)
{
    m->watched = server;
    if (!server)
        return;
    http_handle(server, "GET", "/metrics", get_metrics, m);
    http_handle_open(server, "/healthz", get_health, m);
    http_handle_open(server, "/readyz", get_ready, m);
}

int scrape_listen(struct scrape *m, const char *address, struct err *err)
{
    struct buf token = BUF_INIT;
    int rc = http_read_token(getenv(SCRAPE_TOKEN_FILE_ENV), SCRAPE_TOKEN_ENV, &token, err);

    if (rc == 0) {
        struct http_options options = {
            .listen = address,
            .token = buf_str(&token),
            .max_connections = 32,
            .max_body_bytes = 4096,
        };
        m->server = http_new(&options, err);
        rc = m->server ? 0 : err->code;
    }
    if (rc == 0) {
        scrape_add_routes(m, m->server);
        rc = http_start(m->server, err);
    }
    if (rc != 0) {
        http_close(m->server);
        m->server = NULL;
        m->watched = NULL;
    }
    buf_release(&token);
    return rc;
}

const char *scrape_at(const struct scrape *m)
{
    return m->server ? http_address(m->server) : NULL;
}

/* Rendering */

static void observe_http(struct scrape *m)
{
    static const struct telemetry_label client[] = {{"blame", "client"}};
    static const struct telemetry_label server[] = {{"blame", "server"}};
    static const char errors[] = "oxbow_http_errors_total";
    static const char errors_help[] = "Answers with status 4xx (client) and 5xx (server).";
    struct telemetry *t = m->http;
    struct http_stats s;

    http_stats(m->watched, &s);
    *telemetry_counter(t, "oxbow_http_requests_total", "HTTP requests that were answered.") =
        s.requests;
    *telemetry_counter_of(t, errors, errors_help, client, 1) = s.client_errors;
    *telemetry_counter_of(t, errors, errors_help, server, 1) = s.server_errors;
    *telemetry_counter(t, "oxbow_http_unauthorized_total",
                       "HTTP requests without the token, or with a wrong one.") = s.unauthorized;
    *telemetry_counter(t, "oxbow_http_streams_dropped_total",
                       "Readers of the stream of events that were too slow.") = s.streams_dropped;
    *telemetry_gauge(t, "oxbow_http_connections", "HTTP connections that are open.") =
        s.connections;
    *telemetry_gauge(t, "oxbow_http_streams", "Readers of the stream of events.") = s.streams;
}

void scrape_update(struct scrape *m, const struct telemetry *tm, const struct scrape_state *state)
{
    const char *missing = state->missing ? state->missing : "";

    if (!m->watched)
        return;
    observe_http(m);
    buf_clear(&m->next);
    prometheus_write(tm, m->labels, 2, &m->next);
    prometheus_write(m->http, m->labels, 2, &m->next);
    prometheus_write_process(m->labels, 2, &m->next);

    pthread_mutex_lock(&m->lock);
    struct buf last = m->text;
    m->text = m->next;
    m->next = last;
    strncpy(m->state, state->state, sizeof(m->state) - 1);
    buf_clear(&m->missing);
    buf_text(&m->missing, missing);
    if (state->is_looping) {
        m->has_looped = true;
        m->looped_ns = clock_mono_ns();
    }
    pthread_mutex_unlock(&m->lock);
}
