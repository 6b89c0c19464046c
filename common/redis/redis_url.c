#include "redis/redis_url.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define DEFAULT_PORT 6379
#define MAX_DB       1000000

void redis_url_release(struct redis_url *url)
{
    free(url->host);
    free(url->path);
    free(url->user);
    free(url->password);
    free(url->shown);
    *url = (struct redis_url){0};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* A copy with %XX resolved; NULL when an escape is malformed or stands for a NUL. */
static char *percent_decode(const char *s, size_t len)
{
    char *out = mem_alloc(len + 1);
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (s[i] != '%') {
            out[n++] = s[i];
            continue;
        }
        int high = i + 1 < len ? hex_digit(s[i + 1]) : -1;
        int low = i + 2 < len ? hex_digit(s[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0) {
            free(out);
            return NULL;
        }
        out[n++] = (char)(high * 16 + low);
        i += 2;
    }
    out[n] = '\0';
    return out;
}

static bool parse_number(const char *s, size_t len, int max, int *ret)
{
    int v = 0;

    if (!len || len > 7)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        v = v * 10 + (s[i] - '0');
    }
    if (v > max)
        return false;
    *ret = v;
    return true;
}

/* [[user]:password@] */
static int parse_login(const char *s, size_t len, struct redis_url *url, struct err *err)
{
    const char *colon = memchr(s, ':', len);

    if (!colon)
        return err_set(
            err, ERR_INVALID,
            "the Redis URL has a user but no password: write redis://user:password@host");
    size_t user_len = (size_t)(colon - s);
    if (user_len && !(url->user = percent_decode(s, user_len)))
        return err_set(err, ERR_INVALID, "the Redis URL's user has a malformed %% escape");
    if (!(url->password = percent_decode(colon + 1, len - user_len - 1)))
        return err_set(err, ERR_INVALID, "the Redis URL's password has a malformed %% escape");
    return 0;
}

/* host[:port], [v6][:port] */
static int parse_host(const char *s, size_t len, struct redis_url *url, struct err *err)
{
    const char *end = s + len;
    const char *host_end;

    if (len && s[0] == '[') {
        host_end = memchr(s, ']', len);
        if (!host_end)
            return err_set(err, ERR_INVALID, "the Redis URL's IPv6 address has no closing bracket");
        url->host = mem_strndup(s + 1, (size_t)(host_end - s) - 1);
        host_end++;
    } else {
        host_end = memchr(s, ':', len);
        if (!host_end)
            host_end = end;
        url->host = mem_strndup(s, (size_t)(host_end - s));
    }
    if (!url->host[0])
        return err_set(err, ERR_INVALID, "the Redis URL has no host");

    url->port = DEFAULT_PORT;
    if (host_end < end &&
        (*host_end != ':' ||
         !parse_number(host_end + 1, (size_t)(end - host_end) - 1, 65535, &url->port)))
        return err_set(err, ERR_INVALID, "the Redis URL's port is no number from 1 to 65535");
    return 0;
}

static int parse_tcp(const char *s, struct redis_url *url, struct err *err)
{
    const char *slash = strchr(s, '/');
    const char *end = slash ? slash : s + strlen(s);
    const char *at = NULL;

    /* The last '@': a password that holds one by mistake still works. */
    for (const char *p = s; p < end; p++)
        if (*p == '@')
            at = p;

    int rc = at ? parse_login(s, (size_t)(at - s), url, err) : 0;
    if (rc)
        return rc;
    const char *host = at ? at + 1 : s;
    rc = parse_host(host, (size_t)(end - host), url, err);
    if (rc)
        return rc;
    if (slash && slash[1] && !parse_number(slash + 1, strlen(slash + 1), MAX_DB, &url->db))
        return err_set(err, ERR_INVALID, "the Redis URL's database '%s' is no number", slash + 1);

    struct buf shown = BUF_INIT;
    buf_printf(&shown, strchr(url->host, ':') ? "[%s]:%d" : "%s:%d", url->host, url->port);
    url->shown = buf_detach(&shown);
    return 0;
}

int redis_url_parse(const char *text, struct redis_url *ret, struct err *err)
{
    struct redis_url url = {0};
    int rc;

    if (strncmp(text, "redis://", 8) == 0) {
        rc = parse_tcp(text + 8, &url, err);
    } else if (strncmp(text, "unix:///", 8) == 0 && text[8]) {
        url.path = mem_strdup(text + 7);
        url.shown = mem_strdup(url.path);
        rc = 0;
    } else if (strncmp(text, "rediss://", 9) == 0) {
        rc = err_set(err, ERR_UNSUPPORTED,
                     "rediss:// (TLS) is not supported: put a tunnel such as stunnel in front");
    } else {
        rc = err_set(err, ERR_INVALID,
                     "a Redis URL is redis://[user:password@]host[:port][/db] or unix:///path");
    }
    if (rc) {
        redis_url_release(&url);
        return rc;
    }
    *ret = url;
    return 0;
}
