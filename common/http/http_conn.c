/*
 * Between libmicrohttpd and the rest: connections, the stages of a request, and the thread that
 * looks at the clock.
 */
#include <microhttpd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/http_internal.h"

#define POOL_BYTES    (64 * 1024) /* a connection's memory beside its headers */
#define BODY_PATIENCE 8           /* a body that is this many times too long is not waited for */
#define NS_A_SECOND   INT64_C(1000000000)

_Static_assert(MHD_VERSION >= 0x00097302, "libmicrohttpd 0.9.73 or newer");

/* Connections */

static struct http_conn *conn_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void conn_opened(struct http_server *server, struct MHD_Connection *connection, void **ret)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct http_conn *conn = mem_zalloc(1, sizeof(*conn));

    conn->fd = info ? info->connect_fd : -1;
    conn->since_ns = clock_mono_ns();
    pthread_mutex_lock(&server->lock);
    conn->next = server->conns;
    if (conn->next)
        conn->next->prev = conn;
    server->conns = conn;
    pthread_mutex_unlock(&server->lock);
    atomic_fetch_add(&server->connections, 1);
    *ret = conn;
}

/* Called before its socket is closed, so the clock's thread never meets a number that has become
 * another file's. */
static void conn_closed(struct http_server *server, struct http_conn *conn)
{
    pthread_mutex_lock(&server->lock);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        server->conns = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    pthread_mutex_unlock(&server->lock);
    atomic_fetch_sub(&server->connections, 1);
    free(conn);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        conn_opened(cls, connection, context);
    else if (*context)
        conn_closed(cls, *context);
}

static void set_answering(struct http_server *server, struct MHD_Connection *connection,
                          bool is_answering)
{
    struct http_conn *conn = conn_of(connection);

    if (!conn)
        return;
    pthread_mutex_lock(&server->lock);
    conn->is_answering = is_answering;
    conn->since_ns = clock_mono_ns();
    pthread_mutex_unlock(&server->lock);
}

/* The stages of a request: its line, its headers, its body in pieces, all of it, its end */

static void *on_line(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct http_request *req = mem_zalloc(1, sizeof(*req));

    req->server = cls;
    req->connection = connection;
    int rc = http_target_parse(&req->target, uri, strlen(uri), &req->bad);
    if (rc != 0)
        req->bad_status = rc == ERR_TOO_LARGE ? 414 : 400;
    return req;
}

static int answer(struct http_request *req, const char *method)
{
    struct http_reply reply = {.req = req};

    req->method = method;
    set_answering(req->server, req->connection, true);
    http_dispatch(req->server, req, &reply);
    int rc = http_reply_send(&reply);
    http_reply_release(&reply);
    return rc;
}

static int refuse(struct http_request *req, const char *method, int status, const char *what,
                  size_t limit)
{
    req->bad_status = status;
    err_set(&req->bad, ERR_TOO_LARGE, "the request's %s takes more than %zu bytes", what, limit);
    return answer(req, method);
}

static int after_headers(struct http_request *req, const char *method)
{
    const struct http_server *server = req->server;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *length = http_header(req, "Content-Length");

    req->has_begun = true;
    if (info && info->header_size > server->max_header_bytes)
        return refuse(req, method, 431, "header", server->max_header_bytes);
    if (length && strtoull(length, NULL, 10) > server->max_body_bytes)
        return refuse(req, method, 413, "body", server->max_body_bytes);
    return MHD_YES;
}

/* A body without a stated length is read to its end, so that the answer can be sent. */
static int after_piece(struct http_request *req, const char *data, size_t len)
{
    size_t max = req->server->max_body_bytes;

    req->body_seen += len;
    if (req->body_seen <= max)
        buf_append(&req->body, data, len);
    return req->body_seen / BODY_PATIENCE <= max ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *len, void **context)
{
    struct http_request *req = *context;
    size_t max = req->server->max_body_bytes;

    (void)cls;
    (void)connection;
    (void)url;
    (void)version;
    if (!req->has_begun)
        return (enum MHD_Result)after_headers(req, method);
    if (*len > 0) {
        int rc = after_piece(req, data, *len);
        *len = 0;
        return (enum MHD_Result)rc;
    }
    if (req->body_seen > max)
        return (enum MHD_Result)refuse(req, method, 413, "body", max);
    return (enum MHD_Result)answer(req, method);
}

static void on_end(void *cls, struct MHD_Connection *connection, void **context,
                   enum MHD_RequestTerminationCode code)
{
    struct http_request *req = *context;

    (void)code;
    if (!req)
        return;
    set_answering(cls, connection, false);
    http_target_release(&req->target);
    buf_release(&req->body);
    free(req);
    *context = NULL;
}

/* Escapes are ours to read: a path that libmicrohttpd has decoded ends at its first NUL. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *s)
{
    (void)cls;
    (void)connection;
    return strlen(s);
}

const char *http_header(const struct http_request *req, const char *name)
{
    return MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, name);
}

/* The clock */

/* A connection that keeps its request from being whole is shut; the server's thread then finds it
 * at its end, and closes it. */
static void shut_trickling(struct http_server *server, int64_t now_ns)
{
    int64_t patience_ns = server->idle_timeout_s * NS_A_SECOND;

    for (struct http_conn *conn = server->conns; conn; conn = conn->next)
        if (!conn->is_answering && now_ns - conn->since_ns > patience_ns)
            shutdown(conn->fd, SHUT_RDWR);
}

void *http_clock(void *ctx)
{
    struct http_server *server = ctx;
    struct timespec next;

    clock_gettime(CLOCK_MONOTONIC, &next);
    pthread_mutex_lock(&server->lock);
    while (!server->is_closing) {
        next.tv_sec++;
        while (!server->is_closing &&
               pthread_cond_timedwait(&server->clock_wakes, &server->lock, &next) == 0)
            ;
        int64_t now_ns = clock_mono_ns();
        shut_trickling(server, now_ns);
        /* The list itself does not change any more once the server has started. */
        pthread_mutex_unlock(&server->lock);
        for (size_t i = 0; i < server->n_channels; i++)
            http_channel_heartbeat(server->channels[i], now_ns);
        pthread_mutex_lock(&server->lock);
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* Start and end */

static char tls_priorities[] = "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1:-VERS-DTLS-ALL";

static struct MHD_Daemon *start_daemon(struct http_server *server)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
    struct MHD_OptionItem more[5];
    size_t n = 0;

    if (server->tls_cert) {
        flags |= MHD_USE_TLS;
        more[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, server->tls_cert};
        more[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, server->tls_key};
        more[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, tls_priorities};
    }
    if (server->threads > 1)
        more[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, server->threads, NULL};
    more[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET, server->fd,
        MHD_OPTION_CONNECTION_LIMIT, server->max_connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        server->max_per_ip, MHD_OPTION_CONNECTION_TIMEOUT, server->idle_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, 2 * server->max_header_bytes + POOL_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, on_line, server,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_end,
        server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_ARRAY, more,
        MHD_OPTION_END);
}

int http_daemon_start(struct http_server *server, struct err *err)
{
    sigset_t all;
    sigset_t before;
    int rc = 0;

    if (server->tls_cert && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return err_set(err, ERR_UNSUPPORTED, "this libmicrohttpd was built without TLS");
    /* The threads inherit it: signals are for the service's own. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    server->daemon = start_daemon(server);
    if (!server->daemon) {
        rc = err_set(err, ERR_IO, "cannot serve on %s%s", server->address,
                     server->tls_cert ? ": does the key fit the certificate?" : "");
    } else {
        server->fd = -1; /* now the daemon's */
        server->has_clock = pthread_create(&server->clock, NULL, http_clock, server) == 0;
        if (!server->has_clock)
            rc = err_set(err, ERR_IO, "cannot start a thread");
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

void http_daemon_stop(struct http_server *server)
{
    if (server->has_clock) {
        pthread_mutex_lock(&server->lock);
        server->is_closing = true;
        pthread_cond_signal(&server->clock_wakes);
        pthread_mutex_unlock(&server->lock);
        pthread_join(server->clock, NULL);
    }
    for (size_t i = 0; i < server->n_channels; i++)
        http_channel_close(server->channels[i]);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
}
