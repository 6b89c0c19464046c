/* Replies: what a handler says, and how it goes out. */
#include <limits.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>
#include <zlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "http/http_internal.h"

#define COMPRESS_FROM  1024 /* bytes: a smaller body gains nothing */
#define COMPRESS_LEVEL 4    /* of what is made for one answer */

/* What a handler says */

static void set(struct http_reply *reply, int status, const char *type)
{
    reply->is_set = true;
    reply->status = status;
    free(reply->type);
    reply->type = mem_strdup(type);
}

void http_reply_body(struct http_reply *reply, int status, const char *type, struct buf *body)
{
    set(reply, status, type);
    buf_release(&reply->body);
    reply->body = *body;
    *body = (struct buf)BUF_INIT;
}

void http_reply_json(struct http_reply *reply, struct buf *body)
{
    http_reply_body(reply, 200, "application/json", body);
}

void http_reply_error(struct http_reply *reply, int status, const char *fmt, ...)
{
    struct buf text = BUF_INIT;
    struct buf body = BUF_INIT;
    char line[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    buf_text(&text, line);
    buf_text(&body, "{\"error\":");
    json_write_string(&body, text.data, text.len);
    buf_text(&body, "}\n");
    http_reply_body(reply, status, "application/json", &body);
    reply->is_final = true;
    buf_release(&text);
}

void http_reply_err(struct http_reply *reply, const struct err *err)
{
    int status = 500;

    switch (err->code) {
    case ERR_INVALID:
        status = 400;
        break;
    case ERR_NOT_FOUND:
        status = 404;
        break;
    case ERR_TOO_LARGE:
        status = 413;
        break;
    case ERR_DISCONNECTED:
    case ERR_TIMEOUT:
    case ERR_CANCELLED:
        status = 503;
        break;
    default:
        if (err->retriable)
            status = 503;
    }
    http_reply_error(reply, status, "%s", err->text);
}

/* A line break in a header would begin another one. */
static void append_header_text(struct buf *out, const char *s)
{
    for (; *s; s++)
        buf_byte(out, (unsigned char)*s < 0x20 || *s == 0x7f ? '_' : *s);
    buf_byte(out, '\0');
}

void http_reply_header(struct http_reply *reply, const char *name, const char *value)
{
    append_header_text(&reply->headers, name);
    append_header_text(&reply->headers, value);
}

void http_reply_download(struct http_reply *reply, const char *file_name)
{
    struct buf value = BUF_INIT;

    buf_text(&value, "attachment; filename=\"");
    for (const char *c = file_name; *c; c++)
        buf_byte(&value, strchr("\"\\/", *c) ? '_' : *c);
    buf_byte(&value, '"');
    http_reply_header(reply, "Content-Disposition", buf_str(&value));
    buf_release(&value);
}

void http_reply_release(struct http_reply *reply)
{
    if (reply->response)
        MHD_destroy_response(reply->response);
    free(reply->type);
    buf_release(&reply->body);
    buf_release(&reply->headers);
}

/* Walks the headers: *at is 0 before the first. */
static bool next_header(const struct http_reply *reply, size_t *at, const char **ret_name,
                        const char **ret_value)
{
    if (*at >= reply->headers.len)
        return false;
    *ret_name = reply->headers.data + *at;
    *ret_value = *ret_name + strlen(*ret_name) + 1;
    *at += strlen(*ret_name) + strlen(*ret_value) + 2;
    return true;
}

static bool has_header(const struct http_reply *reply, const char *wanted)
{
    const char *name;
    const char *value;
    size_t at = 0;

    while (next_header(reply, &at, &name, &value))
        if (strcasecmp(name, wanted) == 0)
            return true;
    return false;
}

/* Bodies */

bool http_type_is_text(const char *type)
{
    return strncmp(type, "text/", 5) == 0 || strncmp(type, "application/json", 16) == 0 ||
           strncmp(type, "application/javascript", 22) == 0 ||
           strncmp(type, "image/svg+xml", 13) == 0;
}

bool http_compress(const struct buf *body, int level, struct buf *out)
{
    z_stream z = {0};

    /* 16 more than the largest window: with gzip's header and checksum. */
    if (body->len > UINT_MAX / 2 || deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, 0) != Z_OK)
        return false;

    struct buf packed = BUF_INIT;
    size_t bound = deflateBound(&z, body->len);
    z.next_in = (Bytef *)body->data;
    z.avail_in = (uInt)body->len;
    z.next_out = (Bytef *)buf_reserve(&packed, bound);
    z.avail_out = (uInt)bound;
    int rc = deflate(&z, Z_FINISH);
    packed.len = bound - z.avail_out;
    deflateEnd(&z);
    if (rc != Z_STREAM_END || packed.len >= body->len) {
        buf_release(&packed);
        return false;
    }
    buf_release(out);
    *out = packed;
    return true;
}

void http_tag_of(const struct buf *body, char tag[40])
{
    XXH128_hash_t h = XXH3_128bits(buf_str(body), body->len);

    snprintf(tag, 40, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
}

/* Tag and compression; after it the body is what goes out. */
static void prepare_body(struct http_reply *reply)
{
    const struct http_request *req = reply->req;
    char tag[44];

    if (!reply->tag[0])
        http_tag_of(&reply->body, reply->tag);
    if (http_has_tag(http_header(req, "If-None-Match"), reply->tag)) {
        reply->status = 304;
        buf_release(&reply->body);
    } else if (!reply->is_compressed && reply->body.len >= COMPRESS_FROM &&
               http_type_is_text(reply->type) &&
               http_takes_gzip(http_header(req, "Accept-Encoding"))) {
        reply->is_compressed = http_compress(&reply->body, COMPRESS_LEVEL, &reply->body);
    }
    /* The same tag for both encodings: a weak one, since their bytes differ. */
    snprintf(tag, sizeof(tag), "W/\"%.39s\"", reply->tag);
    http_reply_header(reply, "ETag", tag);
    if (http_type_is_text(reply->type))
        http_reply_header(reply, "Vary", "Accept-Encoding");
    if (reply->is_compressed && reply->status == 200)
        http_reply_header(reply, "Content-Encoding", "gzip");
}

/* Sending */

static void add_type(struct MHD_Response *response, const char *type)
{
    struct buf full = BUF_INIT;

    buf_text(&full, type);
    if (http_type_is_text(type) && !strchr(type, ';'))
        buf_text(&full, "; charset=utf-8");
    MHD_add_response_header(response, "Content-Type", full.data);
    buf_release(&full);
}

static void add_headers(const struct http_reply *reply)
{
    static const char *const always[][2] = {
        {"Content-Security-Policy", "default-src 'self'; object-src 'none'; base-uri 'none'; "
                                    "form-action 'self'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
    };
    struct MHD_Response *response = reply->response;
    const char *name;
    const char *value;
    size_t at = 0;

    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        MHD_add_response_header(response, always[i][0], always[i][1]);
    if (reply->type && reply->status != 304)
        add_type(response, reply->type);
    if (!has_header(reply, "Cache-Control"))
        MHD_add_response_header(response, "Cache-Control",
                                reply->is_final ? "no-store" : "no-cache");
    if (reply->req->server->name)
        MHD_add_response_header(response, "Server", reply->req->server->name);
    while (next_header(reply, &at, &name, &value))
        MHD_add_response_header(response, name, value);
}

static void count(struct http_server *server, int status)
{
    atomic_fetch_add(&server->requests, 1);
    if (status >= 500)
        atomic_fetch_add(&server->server_errors, 1);
    else if (status >= 400)
        atomic_fetch_add(&server->client_errors, 1);
    if (status == 401)
        atomic_fetch_add(&server->unauthorized, 1);
}

int http_reply_send(struct http_reply *reply)
{
    const struct http_request *req = reply->req;

    if (!reply->response) {
        if (reply->status == 200 && !reply->is_final && strcmp(http_method(req), "GET") == 0)
            prepare_body(reply);
        size_t len = reply->body.len;
        char *data = buf_detach(&reply->body);
        reply->response = MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);
        if (!reply->response) {
            free(data);
            return MHD_NO;
        }
    }
    add_headers(reply);
    count(req->server, reply->status);
    return (int)MHD_queue_response(req->connection, (unsigned)reply->status, reply->response);
}
