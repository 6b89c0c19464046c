/* A server with a few routes, and a client that writes raw bytes to it. */
#ifndef OXBOW_TESTS_HTTP_FIXTURE_H
#define OXBOW_TESTS_HTTP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "http/http.h"
#include "http/http_channel.h"

#define FIXTURE_TOKEN "a-token-for-the-tests"

struct fixture {
    struct http_server *server;
    struct http_channel *channel;
    char folder[64]; /* what /files/ serves */
    int snapshot_fails;
    uint64_t snapshot_id;
};

/* Listens on a free port of 127.0.0.1 unless `options` say otherwise; started. */
void fixture_start(struct fixture *f, const struct http_options *options);
void fixture_stop(struct fixture *f);
/* Writes a file below the folder that is served. */
void fixture_file(const struct fixture *f, const char *name, const char *text);

/* A connection; closed with close(). */
int fixture_connect(const struct fixture *f);
void fixture_write(int fd, const char *text, size_t len);
/* Reads until `until` is in what was read, or (NULL) to the end; false when the connection ended,
 * or 20 s were over, before. */
bool fixture_read(int fd, struct buf *out, const char *until);
/* One request on a connection of its own ("Connection: close" is up to the caller): all that comes
 * back until the server closes. `text` has its blank line. */
void fixture_ask(const struct fixture *f, const char *text, struct buf *out);
/* GET with `headers` ("" or lines with \r\n), closing: the whole answer. */
const char *fixture_get(const struct fixture *f, const char *path, const char *headers,
                        struct buf *out);
int fixture_status(const struct buf *answer);
/* The value of a header of the answer, or NULL; good until the next call. */
const char *fixture_header(const struct buf *answer, const char *name);
const char *fixture_body(const struct buf *answer, size_t *len);

#endif
