/*
 * A small HTTP/1.1 server for a service's own pages, data and metrics: routes, files, server-sent
 * events (http_channel.h). It stands on libmicrohttpd, runs in threads of its own, and never logs.
 * Not for the open internet: it speaks to a person's browser, to scripts and to Prometheus.
 *
 * Call order:
 *
 *     struct http_options options = {.listen = "127.0.0.1:8501"};
 *     struct http_server *server = http_new(&options, &err);
 *     http_handle(server, "GET", "/api/snapshot", snapshot, service);
 *     http_handle(server, "GET", "/api/models/", model, service);      a final '/': the whole
 * folder http_static(server, "/assets/", "/usr/share/oxbow/live", &err); http_start(server, &err);
 *     ...
 *     http_close(server);                                              ends every stream at once
 *
 * What the library does by itself:
 * - 400, 401, 403, 404, 405 (with Allow), 413, 414, 431 and 503, as `{"error":"..."}`; what the
 *   handlers answer with http_reply_error() has the same form. HEAD is answered wherever GET is.
 * - On every answer: `Content-Security-Policy: default-src 'self'; object-src 'none'; base-uri
 *   'none'; form-action 'self'; frame-ancestors 'none'`, `X-Content-Type-Options: nosniff`,
 *   `Referrer-Policy: no-referrer`.
 * - ETag and 304 for what GET answers with status 200; gzip for text of 1 kB and more where the
 *   client takes it. `Cache-Control: no-cache`, and `no-store` for errors, unless the handler says.
 * - Paths arrive decoded and normalised: "//" and "/./" are gone, UTF-8 throughout. One that holds
 *   "..", a NUL, a raw control character or a raw backslash, however it is written, is refused
 * (400) before any handler sees it. An escaped '/', backslash or control character is data, which a
 *   handler may meet (a key may hold any of them), and never part of a file's name.
 * - Host is checked against DNS rebinding when listening on loopback: localhost, 127.0.0.1, [::1],
 *   the address itself and `hosts` are answered, others get 403. A method other than GET and HEAD
 * with an Origin that is not this server gets 403.
 * - With a token: `Authorization: Bearer TOKEN`, or the cookie that one POST of the token to /login
 *   gives (HttpOnly, SameSite=Strict, Secure under TLS; it is derived from the token, and holds
 *   over restarts). A browser without it is sent to /login, a plain form; others get 401. Compared
 *   in constant time. The token is in no URL, no answer and no log.
 * - A connection that brings no whole request within the idle timeout is closed, however slowly it
 *   trickles.
 * What is no HTTP at all, or exceeds the limits more than twice, libmicrohttpd refuses by itself,
 * with a fixed text and without these headers.
 */
#ifndef OXBOW_HTTP_HTTP_H
#define OXBOW_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct http_server;
struct http_request;
struct http_reply;
struct http_channel;

/* Lifecycle */

/* Zero means the default. Everything is copied. */
struct http_options {
    const char *listen;       /* "127.0.0.1:8501", "0.0.0.0:8501", "[::1]:0"; port 0 picks one */
    const char *token;        /* at least 16 bytes of visible ASCII; NULL or "": everyone may */
    const char *tls_cert;     /* a PEM file, with the chain; given together with tls_key */
    const char *tls_key;      /* a PEM file */
    const char *const *hosts; /* names that Host may have besides the loopback's, without port */
    size_t n_hosts;           /* where not on loopback: 0 lets every Host pass */
    const char *name;         /* the Server header; NULL: there is none */
    unsigned max_connections; /* 256; above it a client waits to be accepted */
    unsigned max_per_ip;      /* connections of one address, 128; above it they are closed */
    size_t max_body_bytes;    /* of a request, 64 KiB; above it 413 */
    size_t max_header_bytes;  /* of a request, its line included, 16 KiB; above it 431 */
    unsigned idle_timeout_s;  /* 30 */
    unsigned threads;         /* 1; with more, handlers run beside each other */
};

/*
 * Checks the options, reads the certificate, takes the address: nothing is answered yet. NULL on
 * failure: ERR_INVALID (options), ERR_CONFLICT (the port is taken), ERR_IO (file or socket).
 */
struct http_server *http_new(const struct http_options *options, struct err *err) MUST_CHECK;
/* From here on handlers are called. No route may be added any more. */
int http_start(struct http_server *server, struct err *err) MUST_CHECK;
/* Ends all connections and streams at once, waits for a handler that runs; NULL is fine. Channels
 * are closed after it. */
void http_close(struct http_server *server);

/* The port that it listens on, after http_new(). */
int http_port(const struct http_server *server);
/* "127.0.0.1:8501", as `listen` with the true port. Good until http_close(). */
const char *http_address(const struct http_server *server);

/*
 * A token out of a file (its last newline is cut), or, where `file` is NULL, out of the environment
 * variable `env`, or none (`ret` stays empty). ERR_IO or ERR_INVALID name the file or variable,
 * never what is in it.
 */
int http_read_token(const char *file, const char *env, struct buf *ret, struct err *err) MUST_CHECK;

/* Routes: before http_start(). Of several that fit a path, the longest is asked. */

/*
 * Called in a thread of the server; all other requests of that thread wait meanwhile, so it takes
 * milliseconds. It must answer with one of the http_reply_*() below; without it is a 500.
 */
typedef void (*http_handler)(void *ctx, const struct http_request *req, struct http_reply *reply);

/* `method` is "GET", "POST", "PUT" or "DELETE". A `path` that ends with '/' (but "/" itself) stands
 * for all below it too: http_rest(). */
void http_handle(struct http_server *server, const char *method, const char *path,
                 http_handler handler, void *ctx);
/* As http_handle() for GET, and needs no token: for /healthz and the like. */
void http_handle_open(struct http_server *server, const char *path, http_handler handler,
                      void *ctx);

/*
 * Serves the regular files under `dir` at `path`, which ends with '/'; "index.html" for a folder.
 * Names that begin with a dot, and links that lead out of `dir`, are not found. Files are kept in
 * memory, plain and compressed, until they change (those up to 8 MiB; larger ones are refused).
 * ERR_NOT_FOUND when `dir` is no folder.
 */
int http_static(struct http_server *server, const char *path, const char *dir,
                struct err *err) MUST_CHECK;
/* The same for one file, wherever it lies. */
int http_static_file(struct http_server *server, const char *path, const char *file,
                     struct err *err) MUST_CHECK;

/* The request. Everything is good until the handler returns. */

const char *http_method(const struct http_request *req); /* "GET" also for HEAD */
const char *http_path(const struct http_request *req);   /* decoded, begins with '/' */
/* What follows a route's path that ends with '/': "linear-regression"; may hold '/', may be "". */
const char *http_rest(const struct http_request *req);
/* The first query parameter of that name, decoded; NULL when there is none. Never holds a NUL. */
const char *http_query(const struct http_request *req, const char *name);
/* The same as a whole number: `otherwise` when there is none. ERR_INVALID names it and the range.
 */
int http_query_int(const struct http_request *req, const char *name, int64_t min, int64_t max,
                   int64_t otherwise, int64_t *ret, struct err *err) MUST_CHECK;
/* A header by its name, in any case; NULL when there is none. */
const char *http_header(const struct http_request *req, const char *name);
/* The body, NUL-terminated; "" when there is none. */
const char *http_body(const struct http_request *req, size_t *len);

/* The reply: one of the first four, once; the rest in any order before or after. */

/* Takes the bytes out of `body`, which is empty then. `type`: "application/json" and text types get
 * "; charset=utf-8" where they say none. */
void http_reply_body(struct http_reply *reply, int status, const char *type, struct buf *body);
/* The same with status 200 and "application/json". */
void http_reply_json(struct http_reply *reply, struct buf *body);
/* `{"error":"..."}`: what is wrong and what to do. */
void http_reply_error(struct http_reply *reply, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The error's text, with the status that fits its code: 400 invalid, 404 not found, 413 too large,
 * 503 for all that may pass, else 500. */
void http_reply_err(struct http_reply *reply, const struct err *err);
/* Adds a header. A control character in it becomes '_'. */
void http_reply_header(struct http_reply *reply, const char *name, const char *value);
/* Makes a browser store the body as a file of this name. */
void http_reply_download(struct http_reply *reply, const char *file_name);

/* Figures: since http_new(), from any thread. */
struct http_stats {
    uint64_t requests;        /* answered, errors included */
    uint64_t client_errors;   /* of those, answers 4xx */
    uint64_t server_errors;   /* 5xx */
    uint64_t unauthorized;    /* 401, and wrong tokens at /login */
    uint64_t streams_dropped; /* clients of a channel that were too slow */
    unsigned connections;     /* now */
    unsigned streams;         /* now */
};
void http_stats(const struct http_server *server, struct http_stats *ret);

#endif
