/* A server with a few routes, and a client that writes raw bytes to it. */
#include "unit/http/http_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#define PATIENCE_MS 20000

/* What the request was, as JSON. */
static void echo(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct buf body = BUF_INIT;
    const char *a = http_query(req, "a");
    size_t len;
    const char *text = http_body(req, &len);

    (void)ctx;
    buf_text(&body, "{\"method\":");
    json_write_string(&body, http_method(req), strlen(http_method(req)));
    buf_text(&body, ",\"path\":");
    json_write_string(&body, http_path(req), strlen(http_path(req)));
    buf_text(&body, ",\"rest\":");
    json_write_string(&body, http_rest(req), strlen(http_rest(req)));
    buf_text(&body, ",\"a\":");
    if (a)
        json_write_string(&body, a, strlen(a));
    else
        buf_text(&body, "null");
    buf_text(&body, ",\"body\":");
    json_write_string(&body, text, len);
    buf_byte(&body, '}');
    http_reply_json(reply, &body);
}

static void number(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct buf body = BUF_INIT;
    struct err err = {0};
    int64_t n;

    (void)ctx;
    if (http_query_int(req, "n", 1, 10, 5, &n, &err) != 0) {
        http_reply_err(reply, &err);
        return;
    }
    buf_printf(&body, "%lld\n", (long long)n);
    http_reply_body(reply, 200, "text/plain", &body);
    http_reply_download(reply, "a \"number\".txt");
}

static void large(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct buf body = BUF_INIT;

    (void)ctx;
    (void)req;
    buf_text(&body, "[0");
    for (int i = 1; i < 20000; i++)
        buf_printf(&body, ",%d", i % 7);
    buf_byte(&body, ']');
    http_reply_json(reply, &body);
}

static void silent(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    (void)ctx;
    (void)req;
    (void)reply;
}

static int snapshot(void *ctx, struct buf *out, uint64_t *id)
{
    const struct fixture *f = ctx;

    if (f->snapshot_fails)
        return -1;
    buf_text(out, "{\"all\":\ntrue}");
    *id = f->snapshot_id;
    return 0;
}

void fixture_start(struct fixture *f, const struct http_options *options)
{
    struct http_options o = *options;
    struct err err = {0};
    struct http_channel_options channel = {
        .snapshot = snapshot, .ctx = f, .max_clients = 8, .max_queue_bytes = 256 * 1024};

    snprintf(f->folder, sizeof(f->folder), "/tmp/oxbow-http-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    if (!o.listen)
        o.listen = "127.0.0.1:0";
    f->server = http_new(&o, &err);
    assert_string_equal(err.text, "");
    assert_non_null(f->server);
    http_handle(f->server, "GET", "/echo", echo, NULL);
    http_handle(f->server, "POST", "/echo", echo, NULL);
    http_handle(f->server, "GET", "/echo/", echo, NULL);
    http_handle(f->server, "GET", "/number", number, NULL);
    http_handle(f->server, "GET", "/large", large, NULL);
    http_handle(f->server, "GET", "/silent", silent, NULL);
    http_handle_open(f->server, "/healthz", echo, NULL);
    assert_int_equal(http_static(f->server, "/files/", f->folder, &err), 0);
    f->channel = http_channel_new(f->server, "/stream", &channel);
    assert_int_equal(http_start(f->server, &err), 0);
}

void fixture_stop(struct fixture *f)
{
    char command[128];

    http_close(f->server);
    f->server = NULL;
    snprintf(command, sizeof(command), "rm -r '%s'", f->folder);
    assert_int_equal(system(command), 0);
}

void fixture_file(const struct fixture *f, const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", f->folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

int fixture_connect(const struct fixture *f)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    char host[64];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_port = htons((uint16_t)http_port(f->server));
    snprintf(host, sizeof(host), "%s", http_address(f->server));
    *strrchr(host, ':') = '\0';
    assert_int_equal(inet_pton(AF_INET, host, &to.sin_addr), 1);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

void fixture_write(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the server has closed already: what it said is still to be read */
        text += n;
        len -= (size_t)n;
    }
}

bool fixture_read(int fd, struct buf *out, const char *until)
{
    int64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    for (;;) {
        if (until && out->len && memmem(out->data, out->len, until, strlen(until)))
            return true;
        int64_t left = end_ms - clock_mono_ms();
        if (left <= 0 || poll(&poll_fd, 1, (int)left) <= 0)
            return false;
        ssize_t n = recv(fd, buf_reserve(out, 65536), 65536, 0);
        out->len += n > 0 ? (size_t)n : 0;
        out->data[out->len] = '\0';
        if (n <= 0)
            return !until;
    }
}

void fixture_ask(const struct fixture *f, const char *text, struct buf *out)
{
    int fd = fixture_connect(f);

    buf_clear(out);
    fixture_write(fd, text, strlen(text));
    assert_true(fixture_read(fd, out, NULL));
    close(fd);
}

const char *fixture_get(const struct fixture *f, const char *path, const char *headers,
                        struct buf *out)
{
    struct buf request = BUF_INIT;

    buf_printf(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", path,
               headers);
    fixture_ask(f, request.data, out);
    buf_release(&request);
    return fixture_body(out, NULL);
}

int fixture_status(const struct buf *answer)
{
    return answer->len > 12 && strncmp(answer->data, "HTTP/1.1 ", 9) == 0 ? atoi(answer->data + 9)
                                                                          : -1;
}

const char *fixture_header(const struct buf *answer, const char *name)
{
    static char value[1024];
    const char *end = strstr(buf_str(answer), "\r\n\r\n");

    for (const char *at = buf_str(answer); end && at < end;) {
        const char *stop = strstr(at, "\r\n");
        size_t len = strlen(name);
        if (strncasecmp(at, name, len) == 0 && at[len] == ':') {
            snprintf(value, sizeof(value), "%.*s", (int)(stop - at - (int)len - 2), at + len + 2);
            return value;
        }
        at = stop + 2;
    }
    return NULL;
}

const char *fixture_body(const struct buf *answer, size_t *len)
{
    const char *end = strstr(buf_str(answer), "\r\n\r\n");

    if (!end)
        return "";
    if (len)
        *len = answer->len - (size_t)(end + 4 - answer->data);
    return end + 4;
}
