/*
 * What a client writes into a request, as far as it has a grammar of its own: the target (path and
 * query), forms, and the headers Host, Cookie, Accept-Encoding and If-None-Match. Pure functions
 * over text that may be anything. Private to the server, and to its tests.
 */
#ifndef OXBOW_HTTP_HTTP_PARSE_H
#define OXBOW_HTTP_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define HTTP_PARAMS_MAX 64

/* Names and values of a query or a form, decoded. Zero-initialise. */
struct http_params {
    struct buf text; /* name NUL value NUL ... */
    size_t n;
    size_t name[HTTP_PARAMS_MAX]; /* offsets into text; the value follows the name's NUL */
};

/*
 * Reads `a=1&b=two+words&c`: '+' is a space, a missing value is "". ERR_INVALID: an escape that is
 * none, a NUL, no UTF-8; ERR_TOO_LARGE: more than HTTP_PARAMS_MAX.
 */
int http_params_parse(struct http_params *params, const char *text, size_t len,
                      struct err *err) MUST_CHECK;
/* The first of that name; NULL when there is none. */
const char *http_params_get(const struct http_params *params, const char *name);
void http_params_release(struct http_params *params);

/* A request's target. Zero-initialise. */
struct http_target {
    struct buf
        path; /* begins with '/', holds no empty, "." or ".." segment; http.h has the rules */
    bool is_file_name; /* no segment holds an escaped '/', backslash or control character */
    struct http_params params;
};

/* ERR_INVALID or ERR_TOO_LARGE; `target` is to be released all the same. */
int http_target_parse(struct http_target *target, const char *text, size_t len,
                      struct err *err) MUST_CHECK;
void http_target_release(struct http_target *target);

/* The value of the first cookie of that name; NULL when there is none. Not NUL-terminated. */
const char *http_cookie(const char *header, const char *name, size_t *ret_len);

/* True when Accept-Encoding takes gzip: by its name or "*", with a weight above 0. NULL: it does
 * not. */
bool http_takes_gzip(const char *header);

/* True when If-None-Match names `tag` (without quotes), as strong or weak, or is "*". */
bool http_has_tag(const char *header, const char *tag);

/*
 * True when the name in a Host header (or in an Origin behind its "//"), whatever its port, is
 * localhost, 127.0.0.1, [::1] or one of `hosts`, in any case.
 */
bool http_host_known(const char *host, const char *const *hosts, size_t n_hosts);

#endif
