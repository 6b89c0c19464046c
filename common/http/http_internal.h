/*
 * What the files of the server share. Threads: the server's own (one or more, libmicrohttpd's) run
 * all handlers; the clock's thread looks after connections that trickle and sends heartbeats; users
 * of channels come from anywhere. `server->lock` guards connections and the list of channels, each
 * channel has a lock of its own; no lock is held while a handler or a snapshot runs, and a
 * channel's lock is never taken under the server's.
 */
#ifndef OXBOW_HTTP_HTTP_INTERNAL_H
#define OXBOW_HTTP_HTTP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/http.h"
#include "http/http_channel.h"
#include "http/http_parse.h"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;
struct http_folder;

struct http_route {
    const char *method; /* one of a few literals */
    char *path;
    size_t len;
    bool is_folder; /* path ends with '/': all below it too */
    bool is_open;   /* needs no token */
    http_handler handler;
    void *ctx;
};

/* One connection, from accepting to closing. */
struct http_conn {
    struct http_conn *next;
    struct http_conn *prev;
    int fd;
    bool is_answering; /* its request is whole */
    int64_t since_ns;  /* when it was accepted, or its last request was through */
};

struct http_server {
    /* what was asked for */
    char *address;
    bool is_loopback;
    int port;
    char *token; /* NULL: none */
    char *cookie_name;
    char cookie[65]; /* what the cookie must hold: hexadecimal digits */
    char *tls_cert;  /* PEM */
    char *tls_key;
    char **hosts;
    size_t n_hosts;
    char *name;
    unsigned max_connections;
    unsigned max_per_ip;
    size_t max_body_bytes;
    size_t max_header_bytes;
    unsigned idle_timeout_s;
    unsigned threads;

    struct http_route *routes;
    size_t n_routes;
    struct http_folder **folders; /* owned; each is some route's ctx */
    size_t n_folders;
    struct http_channel **channels; /* owned */
    size_t n_channels;

    int fd; /* listening; libmicrohttpd's after http_start() */
    struct MHD_Daemon *daemon;

    pthread_t clock;
    bool has_clock;
    pthread_cond_t clock_wakes;
    pthread_mutex_t lock;
    bool is_closing;
    struct http_conn *conns;

    _Atomic uint64_t requests;
    _Atomic uint64_t client_errors;
    _Atomic uint64_t server_errors;
    _Atomic uint64_t unauthorized;
    _Atomic uint64_t streams_dropped;
    atomic_uint connections;
    atomic_uint streams;
};

struct http_request {
    struct http_server *server;
    struct MHD_Connection *connection;
    const char *method; /* of the request as it came, HEAD included */
    struct http_target target;
    int bad_status; /* not 0: the target was refused, with this and what follows */
    struct err bad;
    const char *rest;
    struct buf body;
    size_t body_seen; /* bytes of it that came, kept or not */
    bool has_begun;
};

struct http_reply {
    const struct http_request *req;
    bool is_set;
    int status;
    char *type;
    struct buf body;
    char tag[40];                  /* without quotes; "": of the body */
    bool is_compressed;            /* the body is gzip already */
    bool is_final;                 /* the body goes as it is, with no tag: error answers */
    struct buf headers;            /* name NUL value NUL ... */
    struct MHD_Response *response; /* instead of a body; owned */
};

/* http_route.c */
/* Finds the handler and calls it, or replies why not. */
void http_dispatch(struct http_server *server, struct http_request *req, struct http_reply *reply);

/* http_reply.c */
void http_reply_release(struct http_reply *reply);
/* Hands the reply to libmicrohttpd; an enum MHD_Result. */
int http_reply_send(struct http_reply *reply);
/* gzip; `out` is left alone when it would not be smaller. */
bool http_compress(const struct buf *body, int level, struct buf *out);
void http_tag_of(const struct buf *body, char tag[40]);
bool http_type_is_text(const char *type);

/* http_auth.c */
int http_auth_init(struct http_server *server, const char *token, struct err *err) MUST_CHECK;
/* True when the request may go on; else the reply says why not. */
bool http_auth_host(const struct http_request *req, struct http_reply *reply);
bool http_auth_token(const struct http_request *req, struct http_reply *reply);
void http_login_form(void *ctx, const struct http_request *req, struct http_reply *reply);
void http_login(void *ctx, const struct http_request *req, struct http_reply *reply);

/* http_static.c */
void http_folder_free(struct http_folder *folder);

/* http_channel.c; the caller is the server. */
void http_channel_free(struct http_channel *channel);
void http_channel_close(struct http_channel *channel); /* ends its streams; none begins any more */
void http_channel_heartbeat(struct http_channel *channel, int64_t now_ns);

/* http_conn.c: http_start()'s callbacks, and the clock's thread. */
void *http_clock(void *server);
int http_daemon_start(struct http_server *server, struct err *err) MUST_CHECK;
void http_daemon_stop(struct http_server *server);

#endif
