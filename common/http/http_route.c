/* Routes, and what a handler may ask about its request. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "http/http_internal.h"

static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};

#define N_METHODS (sizeof(methods) / sizeof(methods[0]))

/* GET answers HEAD too. */
static const char *routed_method(const char *method)
{
    return strcmp(method, "HEAD") == 0 ? "GET" : method;
}

void http_handle(struct http_server *server, const char *method, const char *path,
                 http_handler handler, void *ctx)
{
    size_t len = strlen(path);

    assert(!server->daemon && path[0] == '/');
    server->routes = mem_realloc(server->routes, server->n_routes + 1, sizeof(*server->routes));
    struct http_route *route = &server->routes[server->n_routes++];
    *route = (struct http_route){
        .path = mem_strdup(path),
        .len = len,
        .is_folder = len > 1 && path[len - 1] == '/',
        .handler = handler,
        .ctx = ctx,
    };
    for (size_t i = 0; i < N_METHODS; i++)
        if (strcmp(methods[i], method) == 0)
            route->method = methods[i];
    assert(route->method);
}

void http_handle_open(struct http_server *server, const char *path, http_handler handler, void *ctx)
{
    http_handle(server, "GET", path, handler, ctx);
    server->routes[server->n_routes - 1].is_open = true;
}

static bool fits(const struct http_route *route, const struct buf *path)
{
    if (route->is_folder)
        return path->len >= route->len && memcmp(path->data, route->path, route->len) == 0;
    return path->len == route->len && memcmp(path->data, route->path, route->len) == 0;
}

/* The longest route that fits, whatever its method; NULL when none does. */
static const struct http_route *find_path(const struct http_server *server, const struct buf *path)
{
    const struct http_route *best = NULL;

    for (size_t i = 0; i < server->n_routes; i++)
        if (fits(&server->routes[i], path) && (!best || server->routes[i].len > best->len))
            best = &server->routes[i];
    return best;
}

static bool is_same_path(const struct http_route *a, const struct http_route *b)
{
    return strcmp(a->path, b->path) == 0;
}

static const struct http_route *find_method(const struct http_server *server,
                                            const struct http_route *path, const char *method)
{
    for (size_t i = 0; i < server->n_routes; i++)
        if (is_same_path(&server->routes[i], path) && strcmp(server->routes[i].method, method) == 0)
            return &server->routes[i];
    return NULL;
}

static void reply_not_allowed(const struct http_server *server, const struct http_route *path,
                              const struct http_request *req, struct http_reply *reply)
{
    struct buf allow = BUF_INIT;

    for (size_t i = 0; i < N_METHODS; i++) {
        if (!find_method(server, path, methods[i]))
            continue;
        if (allow.len)
            buf_text(&allow, ", ");
        buf_text(&allow, methods[i]);
        if (i == 0)
            buf_text(&allow, ", HEAD");
    }
    http_reply_header(reply, "Allow", buf_str(&allow));
    http_reply_error(reply, 405, "%.16s is not for this address: use %s", req->method,
                     buf_str(&allow));
    buf_release(&allow);
}

static void reply_not_found(const struct http_request *req, struct http_reply *reply)
{
    http_reply_error(reply, 404, "there is nothing at %.200s", req->target.path.data);
}

void http_dispatch(struct http_server *server, struct http_request *req, struct http_reply *reply)
{
    if (req->bad_status) {
        http_reply_error(reply, req->bad_status, "%s", req->bad.text);
        return;
    }
    if (!http_auth_host(req, reply))
        return;

    const struct http_route *path = find_path(server, &req->target.path);
    const struct http_route *route =
        path ? find_method(server, path, routed_method(req->method)) : NULL;
    if (!(route && route->is_open) && !http_auth_token(req, reply))
        return;
    if (!path) {
        reply_not_found(req, reply);
    } else if (!route) {
        reply_not_allowed(server, path, req, reply);
    } else {
        req->rest = req->target.path.data + route->len;
        route->handler(route->ctx, req, reply);
        if (!reply->is_set)
            http_reply_error(reply, 500, "the service gave no answer");
    }
}

/* The request */

const char *http_method(const struct http_request *req)
{
    return routed_method(req->method);
}

const char *http_path(const struct http_request *req)
{
    return buf_str(&req->target.path);
}

const char *http_rest(const struct http_request *req)
{
    return req->rest;
}

const char *http_query(const struct http_request *req, const char *name)
{
    return http_params_get(&req->target.params, name);
}

int http_query_int(const struct http_request *req, const char *name, int64_t min, int64_t max,
                   int64_t otherwise, int64_t *ret, struct err *err)
{
    const char *text = http_query(req, name);
    int64_t value;

    if (!text) {
        *ret = otherwise;
        return 0;
    }
    if (num_parse_int(text, strlen(text), &value) != 0 || value < min || value > max)
        return err_set(err, ERR_INVALID, "%s is a whole number from %lld to %lld, not \"%.40s\"",
                       name, (long long)min, (long long)max, text);
    *ret = value;
    return 0;
}

const char *http_body(const struct http_request *req, size_t *len)
{
    if (len)
        *len = req->body.len;
    return buf_str(&req->body);
}
