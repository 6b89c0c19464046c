#include "redis/redis_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "redis/redis_url.h"

#define CONNECT_MS     2000
#define TIMEOUT_MS     10000
#define READ_SIZE      ((size_t)128 << 10)
#define OUT_KEEP       ((size_t)1 << 20) /* a larger output buffer is given back when it is empty */
#define UINT_TEXT_MAX  20
#define COMMAND_PREFIX 1 + UINT_TEXT_MAX + 2 /* "*<n>\r\n" or "$<n>\r\n" */

struct redis_conn {
    struct redis_url url;
    char *client; /* NULL: none */
    int connect_ms;
    int timeout_ms;

    redisContext *ctx; /* NULL when down; only its socket is used */
    redisReader *reader;
    struct redis_arena arena;
    struct buf out;
    size_t out_at; /* bytes of `out` that are sent */
    char *in;      /* READ_SIZE bytes */
};

/* ---- Lifecycle ---- */

/* CLIENT SETNAME refuses spaces and the like. */
static char *client_name(const char *name)
{
    char *s = mem_strdup(name);

    for (char *p = s; *p; p++)
        if (*p <= ' ' || *p > '~')
            *p = '-';
    return s;
}

struct redis_conn *redis_conn_new(const struct redis_conn_options *options, struct err *err)
{
    struct redis_url url;

    if (redis_url_parse(options->url, &url, err))
        return NULL;

    struct redis_conn *c = mem_zalloc(1, sizeof(*c));
    c->url = url;
    c->client = options->client ? client_name(options->client) : NULL;
    c->connect_ms = options->connect_ms ? options->connect_ms : CONNECT_MS;
    c->timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
    c->in = mem_alloc(READ_SIZE);
    return c;
}

void redis_conn_free(struct redis_conn *c)
{
    if (!c)
        return;
    redis_conn_drop(c);
    redis_arena_release(&c->arena);
    redis_url_release(&c->url);
    buf_release(&c->out);
    free(c->client);
    free(c->in);
    free(c);
}

void redis_conn_drop(struct redis_conn *c)
{
    if (c->ctx)
        redisFree(c->ctx);
    if (c->reader)
        redisReaderFree(c->reader);
    c->ctx = NULL;
    c->reader = NULL;
    buf_clear(&c->out);
    c->out_at = 0;
}

bool redis_conn_is_up(const struct redis_conn *c)
{
    return c->ctx != NULL;
}

int redis_conn_timeout_ms(const struct redis_conn *c)
{
    return c->timeout_ms;
}

static int lost(struct redis_conn *c, const char *why, struct err *err)
{
    int rc = err_set_retriable(err, ERR_DISCONNECTED, "Redis at %s: %s", c->url.shown, why);

    redis_conn_drop(c);
    return rc;
}

static int open_socket(struct redis_conn *c, struct err *err)
{
    struct timeval tv = {c->connect_ms / 1000, c->connect_ms % 1000 * 1000};
    redisContext *ctx = c->url.path ? redisConnectUnixWithTimeout(c->url.path, tv)
                                    : redisConnectWithTimeout(c->url.host, c->url.port, tv);

    if (!ctx)
        abort();
    if (!ctx->err) {
        int flags = fcntl(ctx->fd, F_GETFL);
        if (flags >= 0 && fcntl(ctx->fd, F_SETFL, flags | O_NONBLOCK) == 0) {
            if (!c->url.path)
                redisEnableKeepAlive(ctx);
            c->ctx = ctx;
            c->reader = redis_reply_reader_new(&c->arena);
            return 0;
        }
    }
    int rc = err_set_retriable(err, ERR_DISCONNECTED, "Redis at %s: %s", c->url.shown,
                               ctx->err ? ctx->errstr : strerror(errno));
    redisFree(ctx);
    return rc;
}

/* Who we are, which database, and whether the server can serve: all in one round trip. */
static int greet(struct redis_conn *c, struct err *err)
{
    int n = 1;

    if (c->url.password) {
        redis_cmd(c, c->url.user ? 3 : 2);
        redis_arg_text(c, "AUTH");
        if (c->url.user)
            redis_arg_text(c, c->url.user);
        redis_arg_text(c, c->url.password);
        n++;
    }
    if (c->url.db) {
        redis_cmd(c, 2);
        redis_arg_text(c, "SELECT");
        redis_arg_uint(c, (uint64_t)c->url.db);
        n++;
    }
    if (c->client) {
        redis_cmd_texts(c, "CLIENT", "SETNAME", c->client, NULL);
        n++;
    }
    redis_cmd_texts(c, "PING", NULL);
    for (; n; n--) {
        const redisReply *r;
        int rc = redis_conn_call(c, c->url.shown, &r, err);
        if (rc) {
            redis_conn_drop(c);
            return rc;
        }
    }
    return 0;
}

int redis_conn_connect(struct redis_conn *c, struct err *err)
{
    if (c->ctx)
        return 0;
    int rc = open_socket(c, err);
    if (!rc)
        rc = greet(c, err);
    return rc ? rc : 1;
}

/* ---- Commands ---- */

static size_t uint_text(uint64_t v, char out[UINT_TEXT_MAX])
{
    char digits[UINT_TEXT_MAX];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    return n;
}

/* `<mark><n>\r\n`; returns what follows it. */
static char *put_count(char *p, char mark, size_t n)
{
    *p++ = mark;
    if (n < 10)
        *p++ = (char)('0' + n);
    else
        p += uint_text(n, p);
    *p++ = '\r';
    *p++ = '\n';
    return p;
}

static void put_end(struct buf *out, char *p)
{
    *p = '\0';
    out->len = (size_t)(p - out->data);
}

void redis_cmd(struct redis_conn *c, size_t n_args)
{
    put_end(&c->out, put_count(buf_reserve(&c->out, COMMAND_PREFIX), '*', n_args));
}

void redis_encode_pair(struct buf *out, const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t len = a_len + b_len;
    char *p = put_count(buf_reserve(out, COMMAND_PREFIX + len + 2), '$', len);

    if (a_len)
        memcpy(p, a, a_len);
    if (b_len)
        memcpy(p + a_len, b, b_len);
    p += len;
    *p++ = '\r';
    *p++ = '\n';
    put_end(out, p);
}

void redis_encode_uint(struct buf *out, uint64_t v)
{
    char text[UINT_TEXT_MAX];

    redis_encode_pair(out, text, uint_text(v, text), NULL, 0);
}

void redis_args(struct redis_conn *c, const struct buf *args)
{
    buf_append(&c->out, args->data, args->len);
}

struct buf *redis_conn_out(struct redis_conn *c)
{
    return &c->out;
}

void redis_arg_pair(struct redis_conn *c, const char *a, size_t a_len, const char *b, size_t b_len)
{
    redis_encode_pair(&c->out, a, a_len, b, b_len);
}

void redis_arg(struct redis_conn *c, const void *data, size_t len)
{
    redis_encode_pair(&c->out, data, len, NULL, 0);
}

void redis_arg_uint(struct redis_conn *c, uint64_t v)
{
    redis_encode_uint(&c->out, v);
}

void redis_arg_id(struct redis_conn *c, uint64_t ms, uint64_t seq)
{
    char text[2 * UINT_TEXT_MAX + 1];
    size_t n = uint_text(ms, text);

    text[n++] = '-';
    n += uint_text(seq, text + n);
    redis_arg(c, text, n);
}

void redis_cmd_texts(struct redis_conn *c, ...)
{
    va_list ap;
    size_t n = 0;

    va_start(ap, c);
    while (va_arg(ap, const char *))
        n++;
    va_end(ap);

    redis_cmd(c, n);
    va_start(ap, c);
    for (size_t i = 0; i < n; i++)
        redis_arg_text(c, va_arg(ap, const char *));
    va_end(ap);
}

size_t redis_conn_queued(const struct redis_conn *c)
{
    return c->out.len - c->out_at;
}

/* ---- Moving bytes ---- */

/* Drops what is sent from the front, so that a buffer that is never quite empty does not grow for
 * ever. */
static void reclaim(struct redis_conn *c)
{
    if (c->out_at < OUT_KEEP || c->out_at < c->out.len / 2)
        return;
    c->out.len -= c->out_at;
    memmove(c->out.data, c->out.data + c->out_at, c->out.len + 1);
    c->out_at = 0;
}

int redis_conn_send(struct redis_conn *c, struct err *err)
{
    if (!c->ctx)
        return err_set_retriable(err, ERR_DISCONNECTED, "Redis at %s: not connected", c->url.shown);
    if (!c->out.len)
        return 0;
    while (c->out_at < c->out.len) {
        ssize_t n = send(c->ctx->fd, c->out.data + c->out_at, c->out.len - c->out_at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            reclaim(c);
            return 0;
        }
        if (n < 0)
            return lost(c, strerror(errno), err);
        c->out_at += (size_t)n;
    }
    c->out_at = 0;
    if (c->out.cap > OUT_KEEP)
        buf_release(&c->out);
    else
        buf_clear(&c->out);
    return 0;
}

/* Reads what is there. Returns 1 after some bytes, 0 when there are none, <0 when the connection is
 * lost. */
static int receive(struct redis_conn *c, struct err *err)
{
    ssize_t n;

    do {
        n = recv(c->ctx->fd, c->in, READ_SIZE, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (n <= 0)
        return lost(c, n ? strerror(errno) : "the server closed the connection", err);
    if (redisReaderFeed(c->reader, c->in, (size_t)n) != REDIS_OK)
        return lost(c, c->reader->errstr, err);
    return 1;
}

static int wait_for_socket(struct redis_conn *c, int64_t wait_ms, struct err *err)
{
    struct pollfd fd = {.fd = c->ctx->fd, .events = POLLIN};

    if (redis_conn_queued(c))
        fd.events |= POLLOUT;
    if (poll(&fd, 1, (int)wait_ms) < 0 && errno != EINTR)
        return lost(c, strerror(errno), err);
    return 0;
}

int redis_conn_reply(struct redis_conn *c, int timeout_ms, const redisReply **ret, struct err *err)
{
    int64_t deadline = 0;
    void *reply = NULL;

    for (;;) {
        int rc = redis_conn_send(c, err);
        if (rc)
            return rc;
        if (redisReaderGetReply(c->reader, &reply) != REDIS_OK)
            return lost(c, c->reader->errstr, err);
        if (reply) {
            *ret = reply;
            return 1;
        }
        rc = receive(c, err);
        if (rc < 0)
            return rc;
        if (rc > 0)
            continue;
        if (timeout_ms <= 0)
            return 0;

        int64_t now = clock_mono_ms();
        if (!deadline)
            deadline = now + timeout_ms;
        if (now >= deadline)
            return 0;
        rc = wait_for_socket(c, deadline - now, err);
        if (rc)
            return rc;
    }
}

int redis_conn_call(struct redis_conn *c, const char *subject, const redisReply **ret,
                    struct err *err)
{
    int rc = redis_conn_reply(c, c->timeout_ms, ret, err);

    if (rc < 0)
        return rc;
    if (rc == 0)
        return lost(c, "no answer in time", err);
    return redis_reply_error(*ret, subject, err);
}

/* ---- Memory ---- */

void redis_conn_recycle(struct redis_conn *c)
{
    if (!c->reader || !c->reader->reply)
        redis_arena_reset(&c->arena);
}

void *redis_conn_alloc(struct redis_conn *c, size_t size)
{
    return redis_arena_alloc(&c->arena, size);
}

/* ---- Stream ids ---- */

static const char *parse_uint(const char *s, const char *end, uint64_t *ret)
{
    uint64_t v = 0;
    const char *p = s;

    for (; p < end && *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
            return NULL;
    if (p == s)
        return NULL;
    *ret = v;
    return p;
}

bool redis_id_parse(const char *s, size_t len, uint64_t *ret_ms, uint64_t *ret_seq)
{
    const char *end = s + len;
    uint64_t ms, seq = 0;
    const char *p = parse_uint(s, end, &ms);

    if (p && p < end)
        p = *p == '-' ? parse_uint(p + 1, end, &seq) : NULL;
    if (p != end || !p)
        return false;
    *ret_ms = ms;
    *ret_seq = seq;
    return true;
}
