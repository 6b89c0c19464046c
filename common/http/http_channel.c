/*
 * Server-sent events. A client's stream is a queue of bytes that libmicrohttpd asks for; when it is
 * empty the connection sleeps (suspended), and whoever adds to it wakes it. The channel's lock
 * guards everything; a stream that is on the list is not freed, and its connection not closed,
 * before its end has taken that lock.
 */
#include "http/http_channel.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "http/http_internal.h"

#define MAX_CLIENTS     64
#define MAX_QUEUE_BYTES (1024 * 1024)
#define HEARTBEAT_NS    INT64_C(15000000000)
#define BLOCK_BYTES     (32 * 1024)

struct event {
    uint64_t id;
    char *text; /* as it goes out */
    size_t len;
};

struct stream {
    struct stream *next;
    struct stream *prev;
    struct http_channel *channel;
    struct MHD_Connection *connection;
    int fd;
    struct buf queue;
    uint64_t since;  /* events up to it are in what it began with */
    size_t sent;     /* bytes of the queue that are gone */
    size_t limit;    /* of what may wait in it */
    bool is_asleep;  /* suspended: whoever adds must resume it */
    bool is_dropped; /* it was too slow */
};

struct http_channel {
    struct http_server *server;
    struct http_channel_options options;
    pthread_mutex_t lock;
    struct stream *streams;
    atomic_uint n_streams;
    bool is_closed;
    struct event kept[HTTP_CHANNEL_KEPT];
    size_t n_kept; /* the newest is kept[(first + n_kept - 1) % HTTP_CHANNEL_KEPT] */
    size_t first;
    int64_t sent_ns; /* when something last went to all */
};

/* Events */

static const struct event *kept_at(const struct http_channel *channel, size_t i)
{
    return &channel->kept[(channel->first + i) % HTTP_CHANNEL_KEPT];
}

/* "id: 7\nevent: tick\ndata: ...\n\n". A carriage return ends a line as well, in this format. */
static void write_event(struct buf *out, uint64_t id, const char *event, const char *data,
                        size_t len)
{
    const char *end = data + len;

    buf_printf(out, "id: %llu\nevent: %s\ndata: ", (unsigned long long)id, event);
    for (const char *at = data; at < end; at++) {
        if (*at == '\n')
            buf_text(out, "\ndata: ");
        else if (*at != '\r')
            buf_byte(out, *at);
    }
    buf_text(out, "\n\n");
}

static void keep(struct http_channel *channel, uint64_t id, const struct buf *text)
{
    size_t place = (channel->first + channel->n_kept) % HTTP_CHANNEL_KEPT;
    struct event *e = &channel->kept[place];

    if (channel->n_kept == HTTP_CHANNEL_KEPT)
        channel->first = (channel->first + 1) % HTTP_CHANNEL_KEPT;
    else
        channel->n_kept++;
    free(e->text);
    *e = (struct event){.id = id, .text = mem_strndup(text->data, text->len), .len = text->len};
}

/* Streams. The channel is locked. */

static void wake(struct stream *stream)
{
    if (stream->is_asleep) {
        stream->is_asleep = false;
        MHD_resume_connection(stream->connection);
    }
}

static void drop(struct stream *stream)
{
    stream->is_dropped = true;
    stream->sent = 0;
    buf_release(&stream->queue);
    atomic_fetch_add(&stream->channel->server->streams_dropped, 1);
    /* Its socket is full: without this nobody would look at it before the timeout. */
    shutdown(stream->fd, SHUT_RDWR);
    wake(stream);
}

static void add(struct stream *stream, const char *text, size_t len)
{
    if (stream->is_dropped)
        return;
    if (stream->queue.len - stream->sent + len > stream->limit) {
        drop(stream);
        return;
    }
    if (stream->sent == stream->queue.len) {
        stream->sent = 0;
        buf_clear(&stream->queue);
    } else if (stream->sent > stream->queue.len / 2) {
        memmove(stream->queue.data, stream->queue.data + stream->sent,
                stream->queue.len - stream->sent);
        stream->queue.len -= stream->sent;
        stream->sent = 0;
    }
    buf_append(&stream->queue, text, len);
    wake(stream);
}

/* libmicrohttpd asks for what comes next. */
static ssize_t next_bytes(void *cls, uint64_t position, char *to, size_t max)
{
    struct stream *stream = cls;
    struct http_channel *channel = stream->channel;
    ssize_t n = 0;

    (void)position;
    pthread_mutex_lock(&channel->lock);
    size_t waiting = stream->queue.len - stream->sent;
    if (stream->is_dropped) {
        n = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (waiting > 0) {
        size_t len = waiting < max ? waiting : max;
        memcpy(to, stream->queue.data + stream->sent, len);
        stream->sent += len;
        n = (ssize_t)len;
    } else if (channel->is_closed) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        stream->is_asleep = true;
        MHD_suspend_connection(stream->connection);
    }
    pthread_mutex_unlock(&channel->lock);
    return n;
}

/* The connection is over, whoever ended it. */
static void stream_free(void *cls)
{
    struct stream *stream = cls;
    struct http_channel *channel = stream->channel;

    pthread_mutex_lock(&channel->lock);
    if (stream->prev)
        stream->prev->next = stream->next;
    else
        channel->streams = stream->next;
    if (stream->next)
        stream->next->prev = stream->prev;
    atomic_fetch_sub(&channel->n_streams, 1);
    pthread_mutex_unlock(&channel->lock);
    atomic_fetch_sub(&channel->server->streams, 1);
    buf_release(&stream->queue);
    free(stream);
}

/* What a client begins with */

/* True when all that came after `id` is kept. */
static bool can_resume(const struct http_channel *channel, uint64_t id)
{
    for (size_t i = 0; i < channel->n_kept; i++)
        if (kept_at(channel, i)->id == id)
            return true;
    return false;
}

static void add_since(struct stream *stream, uint64_t id)
{
    const struct http_channel *channel = stream->channel;

    for (size_t i = 0; i < channel->n_kept; i++) {
        const struct event *e = kept_at(channel, i);
        if (e->id > id)
            add(stream, e->text, e->len);
    }
}

static uint64_t newest_id(const struct http_channel *channel)
{
    return channel->n_kept ? kept_at(channel, channel->n_kept - 1)->id : 0;
}

/* Puts the stream on the list, with what it begins with; false when there is no place. */
static bool join(struct http_channel *channel, struct stream *stream, const struct buf *snapshot,
                 uint64_t since)
{
    pthread_mutex_lock(&channel->lock);
    bool may = !channel->is_closed && channel->n_streams < channel->options.max_clients;
    if (may) {
        buf_append(&stream->queue, buf_str(snapshot), snapshot->len);
        stream->limit = SIZE_MAX;
        stream->since = since;
        add_since(stream, since);
        stream->limit = channel->options.max_queue_bytes + stream->queue.len;
        stream->next = channel->streams;
        if (stream->next)
            stream->next->prev = stream;
        channel->streams = stream;
        atomic_fetch_add(&channel->n_streams, 1);
    }
    pthread_mutex_unlock(&channel->lock);
    return may;
}

/* The first text of a stream: a snapshot, unless it can go on from where it was; *since is then the
 * newest event that it has. */
static void begin(struct http_channel *channel, const struct http_request *req, struct buf *out,
                  uint64_t *since)
{
    const char *last = http_header(req, "Last-Event-ID");
    struct buf data = BUF_INIT;
    int64_t id;

    buf_text(out, "retry: 1000\n\n");
    pthread_mutex_lock(&channel->lock);
    *since = newest_id(channel);
    bool resumes = last && num_parse_int(last, strlen(last), &id) == 0 && id >= 0 &&
                   can_resume(channel, (uint64_t)id);
    pthread_mutex_unlock(&channel->lock);
    if (resumes)
        *since = (uint64_t)id;
    else if (channel->options.snapshot &&
             channel->options.snapshot(channel->options.ctx, &data, since) == 0)
        write_event(out, *since, "snapshot", buf_str(&data), data.len);
    buf_release(&data);
}

static void open_stream(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct http_channel *channel = ctx;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct stream *stream = mem_zalloc(1, sizeof(*stream));
    struct buf first = BUF_INIT;
    uint64_t since = 0;

    stream->channel = channel;
    stream->connection = req->connection;
    stream->fd = info ? info->connect_fd : -1;
    begin(channel, req, &first, &since);
    bool joined = join(channel, stream, &first, since);
    buf_release(&first);
    if (!joined) {
        free(stream);
        http_reply_header(reply, "Retry-After", "5");
        http_reply_error(reply, 503,
                         "%u others look at this already, which is the limit; try again",
                         channel->options.max_clients);
        return;
    }
    atomic_fetch_add(&channel->server->streams, 1);
    reply->is_set = true;
    reply->status = 200;
    reply->type = mem_strdup("text/event-stream");
    http_reply_header(reply, "Cache-Control", "no-store");
    reply->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, next_bytes,
                                                        stream, stream_free);
    if (!reply->response) {
        stream_free(stream);
        http_reply_error(reply, 503, "there is no memory for a stream; try again");
    }
}

/* The channel */

struct http_channel *http_channel_new(struct http_server *server, const char *path,
                                      const struct http_channel_options *options)
{
    struct http_channel *channel = mem_zalloc(1, sizeof(*channel));

    channel->server = server;
    channel->options = *options;
    if (!channel->options.max_clients)
        channel->options.max_clients = MAX_CLIENTS;
    if (!channel->options.max_queue_bytes)
        channel->options.max_queue_bytes = MAX_QUEUE_BYTES;
    channel->sent_ns = clock_mono_ns();
    pthread_mutex_init(&channel->lock, NULL);
    server->channels =
        mem_realloc(server->channels, server->n_channels + 1, sizeof(struct http_channel *));
    server->channels[server->n_channels++] = channel;
    http_handle(server, "GET", path, open_stream, channel);
    return channel;
}

void http_channel_free(struct http_channel *channel)
{
    for (size_t i = 0; i < HTTP_CHANNEL_KEPT; i++)
        free(channel->kept[i].text);
    pthread_mutex_destroy(&channel->lock);
    free(channel);
}

void http_channel_close(struct http_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    channel->is_closed = true;
    for (struct stream *stream = channel->streams; stream; stream = stream->next)
        wake(stream);
    pthread_mutex_unlock(&channel->lock);
}

static void send_all(struct http_channel *channel, uint64_t id, const char *text, size_t len)
{
    channel->sent_ns = clock_mono_ns();
    for (struct stream *stream = channel->streams; stream; stream = stream->next)
        if (id > stream->since)
            add(stream, text, len);
}

void http_channel_send(struct http_channel *channel, uint64_t id, const char *event,
                       const char *data, size_t len)
{
    struct buf text = BUF_INIT;

    write_event(&text, id, event, data, len);
    pthread_mutex_lock(&channel->lock);
    keep(channel, id, &text);
    send_all(channel, id, text.data, text.len);
    pthread_mutex_unlock(&channel->lock);
    buf_release(&text);
}

void http_channel_heartbeat(struct http_channel *channel, int64_t now_ns)
{
    pthread_mutex_lock(&channel->lock);
    if (now_ns - channel->sent_ns >= HEARTBEAT_NS)
        send_all(channel, UINT64_MAX, ":\n\n", 3);
    pthread_mutex_unlock(&channel->lock);
}

unsigned http_channel_clients(const struct http_channel *channel)
{
    return atomic_load(&channel->n_streams);
}
