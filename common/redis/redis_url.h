/*
 * Addresses of Redis servers, as the user writes them:
 *
 *     redis://[[user]:password@]host[:port][/db]
 *     unix:///path/of/the.sock
 *
 * User and password may be percent-encoded. No text that is made here for a
 * human holds the password.
 */
#ifndef OXBOW_REDIS_REDIS_URL_H
#define OXBOW_REDIS_REDIS_URL_H

#include "base/err.h"

struct redis_url {
    char *host;     /* NULL for a unix socket; without brackets for IPv6 */
    int port;       /* 6379 unless given */
    char *path;     /* NULL for TCP */
    char *user;     /* NULL: none */
    char *password; /* NULL: none */
    int db;         /* 0 unless given */
    char *shown;    /* "host:port" or the path: for error texts */
};

/* ERR_INVALID for anything else; `ret` is written only on success. */
int redis_url_parse(const char *text, struct redis_url *ret, struct err *err) MUST_CHECK;

void redis_url_release(struct redis_url *url);

#endif
