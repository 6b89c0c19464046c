/*
 * Server-sent events: one source, any number of browsers (https://html.spec.whatwg.org,
 * "Server-sent events").
 *
 * A client that connects gets `retry: 1000`, then a snapshot, then every event that follows it. One
 * that comes back with Last-Event-ID gets what it has missed where that is among the newest 60
 * events, else a snapshot. A comment every 15 s keeps proxies from closing. Nobody waits for a
 * client: what it does not take in time is queued, at most `max_queue_bytes`; one that is slower
 * is dropped and counted, and comes back by itself.
 *
 * Thread-safe. http_channel_send() never blocks on the network.
 */
#ifndef OXBOW_HTTP_HTTP_CHANNEL_H
#define OXBOW_HTTP_HTTP_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/http.h"

#define HTTP_CHANNEL_KEPT 60 /* events for those who come back */

struct http_channel_options {
    unsigned max_clients;   /* 64; above it 503 */
    size_t max_queue_bytes; /* of one client, 1 MiB; a snapshot larger than that is sent all the
                               same */
    /*
     * Writes the data of event "snapshot" and *id, the id of the newest event that it includes.
     * Returns 0, or anything else when there is nothing to show yet: the client then begins with
     * the next event. Called in a thread of the server for each client that needs one, with no lock
     * held, so it may take the lock under which the caller sends. NULL: no snapshots.
     */
    int (*snapshot)(void *ctx, struct buf *out, uint64_t *id);
    void *ctx;
};

/*
 * Serves the channel at `path` by GET; before http_start(). It belongs to the server, and is gone
 * with it: no http_channel_send() may run beside http_close().
 */
struct http_channel *http_channel_new(struct http_server *server, const char *path,
                                      const struct http_channel_options *options);

/*
 * Sends `len` bytes of `data` (text; a newline in it becomes a new data line) as event `event` to
 * all clients. Ids rise; let them begin with the clock's seconds, so that they go on rising over a
 * restart and nobody takes a new life's ids for the old one's.
 */
void http_channel_send(struct http_channel *channel, uint64_t id, const char *event,
                       const char *data, size_t len);

unsigned http_channel_clients(const struct http_channel *channel);

#endif
