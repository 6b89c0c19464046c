/*
 * Who may ask: the Host and Origin of the request, the token, and the form that turns a token into
 * a cookie. The cookie holds HMAC-SHA256(token, a fixed text): it outlives a restart, nothing is
 * kept for it, and it does not tell the token.
 */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "http/http_internal.h"

#define TOKEN_MIN 16
#define TOKEN_MAX 1024

static const char cookie_text[] = "oxbow session 1";

static int check_token(const char *token, struct err *err)
{
    size_t len = strlen(token);

    for (size_t i = 0; i < len; i++)
        if (token[i] <= ' ' || token[i] > '~')
            return err_set(err, ERR_INVALID,
                           "the token holds a character that is no visible ASCII one");
    if (len < TOKEN_MIN || len > TOKEN_MAX)
        return err_set(err, ERR_INVALID,
                       "the token has %zu characters; it needs %d to %d: openssl rand -hex 24", len,
                       TOKEN_MIN, TOKEN_MAX);
    return 0;
}

int http_auth_init(struct http_server *server, const char *token, struct err *err)
{
    unsigned char mac[32];
    struct buf name = BUF_INIT;

    if (!token || !token[0])
        return 0;
    int rc = check_token(token, err);
    if (rc != 0)
        return rc;
    if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, token, strlen(token), cookie_text,
                         sizeof(cookie_text) - 1, mac) != 0)
        return err_set(err, ERR_UNSUPPORTED, "GnuTLS computes no HMAC-SHA256 here");
    for (size_t i = 0; i < sizeof(mac); i++)
        snprintf(server->cookie + 2 * i, 3, "%02x", mac[i]);
    server->token = mem_strdup(token);
    /* Cookies are kept by host, not by port: two monitors on one machine must not share one. */
    buf_printf(&name, "oxbow_%d", server->port);
    server->cookie_name = buf_detach(&name);
    http_handle_open(server, "/login", http_login_form, server);
    http_handle(server, "POST", "/login", http_login, server);
    server->routes[server->n_routes - 1].is_open = true;
    return 0;
}

/* Takes as long whatever the bytes are; how long the secret is is no secret. */
static bool is_same(const char *given, size_t len, const char *secret)
{
    return len == strlen(secret) && gnutls_memcmp(given, secret, len) == 0;
}

/* Host and Origin */

/* True when the Origin of a page is this server: its part behind "//" is the Host. */
static bool is_own_origin(const char *origin, const char *host)
{
    const char *slashes = strstr(origin, "//");

    return slashes && host && strcasecmp(slashes + 2, host) == 0;
}

bool http_auth_host(const struct http_request *req, struct http_reply *reply)
{
    const struct http_server *server = req->server;
    const char *host = http_header(req, "Host");
    const char *origin = http_header(req, "Origin");

    if ((server->is_loopback || server->n_hosts > 0) && host &&
        !http_host_known(host, (const char *const *)server->hosts, server->n_hosts)) {
        http_reply_error(
            reply, 403,
            "this server does not go by the name \"%.100s\": use localhost, or add the "
            "name to the hosts that it answers to",
            host);
        return false;
    }
    if (strcmp(http_method(req), "GET") != 0 && origin && !is_own_origin(origin, host)) {
        http_reply_error(reply, 403, "a page of another site (%.100s) may not do this", origin);
        return false;
    }
    return true;
}

/* The token */

static bool has_token(const struct http_request *req)
{
    static const char bearer[] = "Bearer ";
    const struct http_server *server = req->server;
    const char *header = http_header(req, "Authorization");
    const char *cookies = http_header(req, "Cookie");
    size_t len;

    if (header && strncasecmp(header, bearer, sizeof(bearer) - 1) == 0) {
        const char *given = header + sizeof(bearer) - 1;
        return is_same(given, strlen(given), server->token);
    }
    if (!cookies)
        return false;
    const char *given = http_cookie(cookies, server->cookie_name, &len);
    return given && is_same(given, len, server->cookie);
}

bool http_auth_token(const struct http_request *req, struct http_reply *reply)
{
    const char *accept = http_header(req, "Accept");

    if (!req->server->token || has_token(req))
        return true;
    if (strcmp(http_method(req), "GET") == 0 && accept && strstr(accept, "text/html")) {
        struct buf nothing = BUF_INIT;
        http_reply_header(reply, "Location", "/login");
        http_reply_header(reply, "Cache-Control", "no-store");
        http_reply_body(reply, 303, "text/html", &nothing);
        return false;
    }
    http_reply_header(reply, "WWW-Authenticate", "Bearer realm=\"oxbow\"");
    http_reply_error(
        reply, 401,
        "this needs the token: send the header \"Authorization: Bearer TOKEN\", or open "
        "/login in a browser");
    return false;
}

/* The form */

static void reply_form(struct http_reply *reply, int status, const char *message)
{
    struct buf page = BUF_INIT;

    buf_printf(&page,
               "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
               "<meta name=\"viewport\" content=\"width=device-width\">"
               "<meta name=\"color-scheme\" content=\"light dark\">"
               "<title>oxbow: token</title></head>\n<body><main>\n<h1>oxbow</h1>\n"
               "<p role=\"status\">%s</p>\n"
               "<form method=\"post\" action=\"/login\">\n"
               "<p><label>Token <input type=\"password\" name=\"token\" required autofocus "
               "autocomplete=\"current-password\"></label> <button>Open</button></p>\n"
               "</form>\n</main></body>\n</html>\n",
               message);
    http_reply_header(reply, "Cache-Control", "no-store");
    http_reply_body(reply, status, "text/html", &page);
}

void http_login_form(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    (void)ctx;
    (void)req;
    reply_form(reply, 200, "This page needs the token that its server was started with.");
}

void http_login(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct http_server *server = ctx;
    struct http_params form = {0};
    struct buf cookie = BUF_INIT;
    struct buf nothing = BUF_INIT;
    struct err err = {0};
    size_t len;
    const char *body = http_body(req, &len);
    const char *token =
        http_params_parse(&form, body, len, &err) == 0 ? http_params_get(&form, "token") : NULL;

    if (token && is_same(token, strlen(token), server->token)) {
        buf_printf(&cookie, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s", server->cookie_name,
                   server->cookie, server->tls_cert ? "; Secure" : "");
        http_reply_header(reply, "Set-Cookie", buf_str(&cookie));
        http_reply_header(reply, "Location", "/");
        http_reply_header(reply, "Cache-Control", "no-store");
        http_reply_body(reply, 303, "text/html", &nothing);
    } else {
        reply_form(reply, 401,
                   "That is not the token. It is in the file or the variable that "
                   "oxbow-monitor was started with.");
    }
    /* What was typed must not stay in memory longer than it is needed. */
    if (form.text.len)
        gnutls_memset(form.text.data, 0, form.text.len);
    http_params_release(&form);
    buf_release(&cookie);
}
