/* Server-sent events: what a client begins with, what it gets, who is dropped, how it ends. */
#include "unit/http/http_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    fixture_start(f, &(struct http_options){.threads = 2});
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_stop(*state);
    test_free(*state);
    return 0;
}

/* A client that has its headers; it reads on with fixture_read(). */
static int subscribe(const struct fixture *f, const char *headers, struct buf *out)
{
    char request[256];
    int fd = fixture_connect(f);

    snprintf(request, sizeof(request), "GET /stream HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
             headers);
    fixture_write(fd, request, strlen(request));
    buf_clear(out);
    assert_true(fixture_read(fd, out, "retry: 1000\n\n"));
    return fd;
}

static void send_event(const struct fixture *f, uint64_t id)
{
    char data[64];
    int len = snprintf(data, sizeof(data), "{\"n\":%llu}", (unsigned long long)id);

    http_channel_send(f->channel, id, "tick", data, (size_t)len);
}

static void wait_for_clients(const struct fixture *f, unsigned n)
{
    int64_t end_ms = clock_mono_ms() + 20000;

    while (http_channel_clients(f->channel) != n && clock_mono_ms() < end_ms)
        clock_sleep_ms(10);
    assert_int_equal(http_channel_clients(f->channel), n);
}

static size_t count(const struct buf *out, const char *text)
{
    size_t n = 0;

    for (const char *at = buf_str(out); (at = strstr(at, text)); at++)
        n++;
    return n;
}

/* A new client gets a snapshot, then every event after it, once; also one that the snapshot was
 * ahead of. */
static void test_snapshot(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT;

    send_event(f, 1);
    send_event(f, 2);
    send_event(f, 3);
    f->snapshot_id = 2;
    int fd = subscribe(f, "", &out);
    assert_true(fixture_read(fd, &out, "id: 3\nevent: tick\ndata: {\"n\":3}\n\n"));
    assert_string_equal(fixture_header(&out, "Content-Type"), "text/event-stream; charset=utf-8");
    assert_string_equal(fixture_header(&out, "Cache-Control"), "no-store");
    assert_non_null(fixture_header(&out, "Content-Security-Policy"));
    assert_non_null(strstr(out.data, "id: 2\nevent: snapshot\ndata: {\"all\":\ndata: true}\n\n"));
    assert_int_equal(count(&out, "event: tick"), 1);
    close(fd);

    f->snapshot_id = 4;
    fd = subscribe(f, "", &out);
    assert_true(fixture_read(fd, &out, "event: snapshot"));
    send_event(f, 4);
    send_event(f, 5);
    assert_true(fixture_read(fd, &out, "{\"n\":5}\n\n"));
    assert_null(strstr(out.data, "{\"n\":4}"));
    close(fd);
    buf_release(&out);
}

/* While there is nothing to show, a client begins with the next event. */
static void test_no_snapshot(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT;

    f->snapshot_fails = 1;
    send_event(f, 1);
    int fd = subscribe(f, "", &out);
    wait_for_clients(f, 1);
    send_event(f, 2);
    assert_true(fixture_read(fd, &out, "{\"n\":2}"));
    assert_null(strstr(out.data, "{\"n\":1}"));
    assert_null(strstr(out.data, "snapshot"));
    close(fd);
    buf_release(&out);
}

/* One that comes back gets what it has missed, when its last event is still kept; else a snapshot.
 */
static void test_resume(void **state)
{
    static const struct {
        int offset; /* of the event that it has had, from the first of 101 */
        size_t ticks;
    } cases[] = {{41, 59}, {99, 1}, {100, 0}, {40, 0}, {101, 0}, {-7, 0}};
    struct fixture *f = *state;
    struct buf out = BUF_INIT;
    char header[64];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t base = 1000 * (i + 1);
        bool is_kept = cases[i].offset > 40 && cases[i].offset <= 100;
        for (uint64_t id = base; id <= base + 100; id++)
            send_event(f, id);
        f->snapshot_id = base + 100;
        snprintf(header, sizeof(header), "Last-Event-ID: %lld\r\n",
                 (long long)base + cases[i].offset);
        int fd = subscribe(f, header, &out);
        http_channel_send(f->channel, base + 200, "end", "", 0);
        assert_true(fixture_read(fd, &out, "event: end"));
        assert_int_equal(count(&out, "event: snapshot"), !is_kept);
        assert_int_equal(count(&out, "event: tick"), cases[i].ticks);
        close(fd);
    }
    for (size_t i = 0; i < 2; i++) {
        int fd = subscribe(f, i ? "Last-Event-ID: \r\n" : "Last-Event-ID: nonsense\r\n", &out);
        assert_true(fixture_read(fd, &out, "event: snapshot"));
        close(fd);
    }
    buf_release(&out);
}

/* A client that does not read is dropped once its queue is full, and the others do not notice. */
static void test_slow_client(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT;
    struct buf data = BUF_INIT;
    struct http_stats stats;
    int small = 4096;
    int slow = subscribe(f, "", &out);
    int good = subscribe(f, "", &out);
    uint64_t id = 1;

    assert_int_equal(setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    wait_for_clients(f, 2);
    for (int i = 0; i < 20000; i++)
        buf_byte(&data, 'x');
    do {
        char mark[32];
        snprintf(mark, sizeof(mark), "id: %llu\n", (unsigned long long)id);
        http_channel_send(f->channel, id++, "tick", data.data, data.len);
        buf_clear(&out);
        assert_true(fixture_read(good, &out, mark));
        http_stats(f->server, &stats);
    } while (stats.streams_dropped == 0 && id < 10000);
    assert_int_equal(stats.streams_dropped, 1);
    wait_for_clients(f, 1);
    close(slow);
    close(good);
    buf_release(&data);
    buf_release(&out);
}

/* There is a limit; who leaves makes place. */
static void test_limit(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT;
    int fd[8];

    for (size_t i = 0; i < 8; i++)
        fd[i] = subscribe(f, "", &out);
    fixture_get(f, "/stream", "", &out);
    assert_int_equal(fixture_status(&out), 503);
    assert_non_null(fixture_header(&out, "Retry-After"));
    close(fd[0]);
    for (uint64_t id = 1; http_channel_clients(f->channel) == 8 && id < 1000; id++) {
        send_event(f, id); /* only a write tells that a client has gone */
        clock_sleep_ms(10);
    }
    fd[0] = subscribe(f, "", &out);
    for (size_t i = 0; i < 8; i++)
        close(fd[i]);
    buf_release(&out);
}

/* Closing the server ends all streams at once, whether they sleep or have much to read. */
static void test_close(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT;
    struct buf data = BUF_INIT;
    int asleep = subscribe(f, "", &out);
    int busy = subscribe(f, "", &out);

    wait_for_clients(f, 2);
    for (int i = 0; i < 100000; i++)
        buf_byte(&data, 'x');
    http_channel_send(f->channel, 1, "tick", data.data, data.len);
    assert_true(fixture_read(asleep, &out, "xxx\n\n"));
    int64_t start_ms = clock_mono_ms();
    http_close(f->server);
    assert_true(clock_mono_ms() - start_ms < 5000);
    assert_true(fixture_read(asleep, &out, NULL));
    assert_true(fixture_read(busy, &out, NULL));
    close(asleep);
    close(busy);
    f->server = NULL;
    buf_release(&data);
    buf_release(&out);
}

struct sender {
    const struct fixture *f;
    atomic_bool stop;
    uint64_t id; /* the newest, once it has stopped */
};

static void *send_many(void *ctx)
{
    struct sender *sender = ctx;

    while (!atomic_load(&sender->stop)) {
        send_event(sender->f, ++sender->id);
        clock_sleep_ms(sender->id % 8 == 0);
    }
    return NULL;
}

/* Events sent while clients come, read and go: each gets a gapless part of them, in order. */
static void test_race(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT;
    struct sender sender = {.f = f};
    pthread_t thread;
    char until[32];

    f->snapshot_fails = 1;
    assert_int_equal(pthread_create(&thread, NULL, send_many, &sender), 0);
    for (int i = 0; i < 50; i++) {
        while (http_channel_clients(f->channel) >= 7)
            clock_sleep_ms(1);
        close(subscribe(f, "", &out));
    }
    while (http_channel_clients(f->channel) >= 7)
        clock_sleep_ms(1);
    int fd = subscribe(f, "", &out);
    assert_true(fixture_read(fd, &out, "id: "));
    atomic_store(&sender.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    snprintf(until, sizeof(until), "{\"n\":%llu}\n", (unsigned long long)sender.id);
    assert_true(fixture_read(fd, &out, until));
    long expected = 0;
    for (const char *at = out.data; (at = strstr(at, "id: ")); at++) {
        long id = strtol(at + 4, NULL, 10);
        assert_true(expected == 0 || id == expected);
        expected = id + 1;
    }
    close(fd);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resume, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close, setup, teardown),
        cmocka_unit_test_setup_teardown(test_race, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
