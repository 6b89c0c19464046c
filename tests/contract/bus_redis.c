/* What the bus promises about Redis alone: by hand, wrong keys, and a server that dies or forgets.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "contract/bus_fixture.h"

/* A message that was added by hand is read; unknown fields are ignored; an entry with no known one
 * is null. */
static void entries_by_hand_are_read(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;
    size_t len;

    redis_do("XADD %st * key k1 value {} h:from hand extra 1", f->prefix);
    redis_do("XADD %st * something else", f->prefix);
    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);
    assert_int_equal(poll_some(f, r, 10, &m), 2);
    assert_memory_equal(m[0].key, "k1", 2);
    assert_value(&m[0], "{}");
    assert_int_equal(m[0].n_headers, 1);
    assert_memory_equal(bus_msg_header(&m[0], "from", &len), "hand", 4);
    assert_null(m[1].key);
    assert_null(m[1].value);
    bus_reader_close(r);
}

/* A key that is no stream is refused by name, by everything that meets it. */
static void a_wrong_key_is_refused_by_name(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_record rec = {.topic = "t", .value = "x", .value_len = 1};
    struct bus_reader *r = bus_reader_open(f->bus, &f->err);

    redis_do("SET %st 1", f->prefix);
    assert_int_equal(bus_topic_ensure(f->bus, "t", 0, 0, &f->err), ERR_REFUSED);
    assert_non_null(strstr(f->err.text, f->prefix));
    assert_int_equal(bus_reader_assign(r, "t", 0, &BUS_POS_OLDEST, &f->err), ERR_REFUSED);
    assert_non_null(strstr(f->err.text, f->prefix));
    assert_ok(f, bus_publish(f->bus, &rec, &f->err));
    assert_int_equal(bus_flush(f->bus, WAIT_MS, &f->err), ERR_REFUSED);
    assert_non_null(strstr(f->err.text, f->prefix));
    assert_int_equal(f->told.failed, 1);
    assert_false(f->told.last_retriable);
    assert_non_null(strstr(f->told.last_text, f->prefix));
    assert_ok(f, bus_flush(f->bus, WAIT_MS, &f->err));
    bus_reader_close(r);
}

/* A server that cannot take writes now is one that is away: what was in flight failed, and can be
 * retried. */
static void a_read_only_server_is_away(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_record rec = {.topic = "t", .value = "x", .value_len = 1};

    redis_do("REPLICAOF 127.0.0.1 1");
    assert_ok(f, bus_publish(f->bus, &rec, &f->err));
    assert_int_equal(bus_flush(f->bus, WAIT_MS, &f->err), ERR_DISCONNECTED);
    assert_true(f->err.retriable);
    assert_true(f->told.last_retriable);
    redis_do("REPLICAOF NO ONE");
    put(f, "t", NULL, "x", 0);
    assert_int_equal(f->told.ok, 1);
}

static int queue_numbered(struct bus_fixture *f, uint64_t seq)
{
    struct bus_record rec = {.topic = "t", .value = "x", .value_len = 1, .seq = seq};

    return bus_publish(f->bus, &rec, &f->err);
}

/* When the server refuses a numbered message, those behind it are refused too, until the writer
 * goes back. */
static void a_refused_number_leaves_no_hole(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_msg last;

    put(f, "t", NULL, "x", 1);
    redis_do("CONFIG SET maxmemory 1");
    assert_ok(f, queue_numbered(f, 2));
    assert_int_equal(bus_flush(f->bus, WAIT_MS, &f->err), ERR_DISCONNECTED);
    assert_true(f->told.last_retriable);
    redis_do("CONFIG SET maxmemory 0");
    assert_ok(f, queue_numbered(f, 3));
    assert_ok(f, queue_numbered(f, 4));
    assert_int_equal(bus_flush(f->bus, WAIT_MS, &f->err), ERR_CONFLICT);
    assert_true(f->err.retriable);
    assert_int_equal(f->told.failed, 3);
    assert_ok(f, bus_last(f->bus, "t", 0, &last, &f->err));
    assert_int_equal(bus_pos_compare(f->bus, &last.pos, &f->told.last_pos), 0);
    for (uint64_t seq = 1; seq <= 4; seq++)
        assert_ok(f, queue_numbered(f, seq));
    assert_ok(f, bus_flush(f->bus, WAIT_MS, &f->err));
    assert_int_equal(f->told.ok, 4);
    assert_int_equal(f->told.duplicates, 1);
    /* A hole that the writer itself leaves is its own affair. */
    assert_ok(f, queue_numbered(f, 10));
    assert_ok(f, bus_flush(f->bus, WAIT_MS, &f->err));
}

/* Entries that a writer did not number make a numbered message an error, and not a duplicate. */
static void a_foreign_writer_is_noticed(void **state)
{
    struct bus_fixture *f = *state;

    put(f, "t", NULL, "x", 0);
    assert_ok(f, queue_numbered(f, 5));
    assert_int_equal(bus_flush(f->bus, WAIT_MS, &f->err), ERR_REFUSED);
    assert_non_null(strstr(f->err.text, f->prefix));
}

/* Without a server: opening works, the rest is ERR_DISCONNECTED and says where; nothing is reported
 * as queued. */
static void a_missing_server_is_disconnected(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_options options = {.backend = "redis", .url = "unix:///nowhere/redis.sock"};
    struct bus_record rec = {.topic = "t", .value = "x", .value_len = 1};
    const struct bus_msg *m;
    const char *topic = "t";

    struct bus *bus = bus_open(&options, &f->err);
    assert_non_null(bus);
    assert_int_equal(bus_ping(bus, &f->err), ERR_DISCONNECTED);
    assert_true(f->err.retriable);
    assert_non_null(strstr(f->err.text, "/nowhere/redis.sock"));
    assert_int_equal(bus_publish(bus, &rec, &f->err), ERR_DISCONNECTED);
    assert_int_equal(bus_poll_deliveries(bus, 0, &f->err), 0);
    assert_ok(f, bus_flush(bus, 0, &f->err));
    struct bus_reader *r = bus_reader_open(bus, &f->err);
    assert_int_equal(bus_reader_assign(r, "t", 0, &BUS_POS_OLDEST, &f->err), ERR_DISCONNECTED);
    bus_reader_close(r);
    r = bus_group_join(bus, "g", "m", &topic, 1, 0, NULL, NULL, &f->err);
    assert_int_equal(bus_poll(r, 1, 0, &m, &f->err), ERR_DISCONNECTED);
    assert_int_equal(bus_commit(r, &f->err), ERR_DISCONNECTED);
    bus_reader_close(r);
    bus_close(bus);
}

/* URLs: TCP, password and database work; what is no URL is refused, and no error text shows the
 * password. */
static void urls_are_understood(void **state)
{
    struct bus_fixture *f = *state;
    static const char *const bad[] = {"",
                                      "localhost:6379",
                                      "redis://",
                                      "redis://h:port",
                                      "redis://h:1/x",
                                      "redis://user@h",
                                      "unix://relative",
                                      "rediss://h"};
    struct bus_options options = {.backend = "redis", .prefix = f->prefix, .client = "a b\n"};
    char url[128];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        options.url = bad[i];
        assert_null(bus_open(&options, &f->err));
    }
    redis_do("CONFIG SET requirepass s3cret/%%");
    snprintf(url, sizeof(url), "redis://:s3cret%%2F%%25@127.0.0.1:%d/3", fixture_server.port);
    options.url = url;
    struct bus *bus = bus_open(&options, &f->err);
    assert_non_null(bus);
    assert_ok(f, bus_ping(bus, &f->err));
    bus_close(bus);

    snprintf(url, sizeof(url), "redis://:wr0ng@127.0.0.1:%d", fixture_server.port);
    bus = bus_open(&options, &f->err);
    assert_int_equal(bus_ping(bus, &f->err), ERR_REFUSED);
    assert_null(strstr(f->err.text, "wr0ng"));
    bus_close(bus);
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", fixture_server.port);
    bus = bus_open(&options, &f->err);
    assert_int_equal(bus_ping(bus, &f->err), ERR_REFUSED);
    assert_non_null(strstr(f->err.text, "password"));
    bus_close(bus);

    redisContext *c = redisConnectUnix(fixture_server.url + strlen("unix://"));
    freeReplyObject(redisCommand(c, "AUTH %s", "s3cret/%"));
    freeReplyObject(redisCommand(c, "CONFIG SET requirepass %s", ""));
    redisFree(c);
}

/* ---- The server dies ---- */

#define CRASH_MESSAGES 3000
#define CRASHES        3

/* Which of the messages were acknowledged; the opaque is the index + 1. */
struct acks {
    bool acked[CRASH_MESSAGES + 1];
    size_t n;
};

static void note_ack(void *ctx, void *opaque, int result, const struct bus_pos *pos,
                     const struct err *err)
{
    struct acks *acks = ctx;
    size_t i = (size_t)(uintptr_t)opaque;

    (void)pos;
    (void)err;
    if (result < 0 || acks->acked[i])
        return;
    acks->acked[i] = true;
    acks->n++;
}

/* Publishes all that is not acknowledged, as a writer does that keeps its rows. Stops at the first
 * failure. */
static void publish_missing(struct bus *bus, const struct acks *acks, size_t upto, struct err *err)
{
    for (size_t i = 1; i <= upto; i++) {
        char text[24];
        if (acks->acked[i])
            continue;
        int len = snprintf(text, sizeof(text), "%zu", i);
        struct bus_record rec = {.topic = "t",
                                 .key = text,
                                 .key_len = (size_t)len,
                                 .value = text,
                                 .value_len = (size_t)len,
                                 .seq = i,
                                 .opaque = (void *)(uintptr_t)i};
        if (bus_publish(bus, &rec, err))
            return;
    }
    (void)!bus_flush(bus, WAIT_MS, err);
}

/* Reads what is there and checks that each value follows the one before. */
static void read_on(struct bus_fixture *f, struct bus_reader *r, size_t *next)
{
    const struct bus_msg *m;
    int n = bus_poll(r, 100, 1, &m, &f->err);

    if (n < 0)
        assert_int_equal(n, ERR_DISCONNECTED);
    for (int i = 0; i < n; i++) {
        char want[24];
        snprintf(want, sizeof(want), "%zu", (*next)++);
        assert_value(&m[i], want);
    }
}

/*
 * The server is killed while messages are published and read: with appendfsync always nothing that
 * was acknowledged is lost, nothing is there twice, and a reader goes on behind what it read last.
 */
static void a_killed_server_loses_nothing(void **state)
{
    struct bus_fixture *f = *state;
    struct acks *acks = mem_zalloc(1, sizeof(*acks));
    struct bus_options options = {.backend = "redis",
                                  .url = fixture_server.url,
                                  .prefix = f->prefix,
                                  .delivered = note_ack,
                                  .delivered_ctx = acks};
    struct bus *bus = bus_open(&options, &f->err);
    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);
    int64_t deadline = clock_mono_ms() + WAIT_MS;
    size_t next = 1;
    uint64_t kept;

    for (int crash = 1; crash <= CRASHES; crash++) {
        size_t upto = (size_t)crash * CRASH_MESSAGES / CRASHES;
        size_t before = acks->n;
        publish_missing(bus, acks, upto - 200, &f->err);
        assert_true(acks->n > before);
        read_on(f, r, &next);
        /* These are in flight when it dies; whether they arrive is not known. */
        for (size_t i = upto - 199; i <= upto; i++) {
            struct bus_record rec = {.topic = "t", .seq = i, .opaque = (void *)(uintptr_t)i};
            char text[24];
            int len = snprintf(text, sizeof(text), "%zu", i);
            rec.value = text;
            rec.value_len = (size_t)len;
            assert_ok(f, bus_publish(bus, &rec, &f->err));
        }
        size_t acked = acks->n;
        redis_server_kill(&fixture_server);
        int rc = bus_flush(bus, WAIT_MS, &f->err);
        assert_true(rc == 0 || rc == ERR_DISCONNECTED);
        assert_true(acks->n >= acked);
        read_on(f, r, &next);
        redis_server_restart(&fixture_server);
        while (acks->n < upto && clock_mono_ms() < deadline)
            publish_missing(bus, acks, upto, &f->err);
        assert_int_equal(acks->n, upto);
    }
    while (next <= CRASH_MESSAGES && clock_mono_ms() < deadline)
        read_on(f, r, &next);
    assert_int_equal(next, CRASH_MESSAGES + 1);
    int rc = bus_count_after(f->bus, "t", 0, &BUS_POS_OLDEST, &kept, &f->err);
    if (rc == ERR_DISCONNECTED)
        rc = bus_count_after(f->bus, "t", 0, &BUS_POS_OLDEST, &kept, &f->err);
    assert_ok(f, rc);
    assert_int_equal(kept, CRASH_MESSAGES);
    bus_reader_close(r);
    bus_close(bus);
    free(acks);
}

/* What was in flight when the server died is told as failed and retriable; the next call after it
 * is back works. */
static void in_flight_messages_are_told(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_record rec = {.topic = "t", .value = "x", .value_len = 1};

    put(f, "t", NULL, "x", 0);
    for (int i = 0; i < 50; i++)
        assert_ok(f, bus_publish(f->bus, &rec, &f->err));
    redis_server_kill(&fixture_server);
    assert_int_equal(bus_flush(f->bus, WAIT_MS, &f->err), ERR_DISCONNECTED);
    assert_true(f->err.retriable);
    assert_int_equal(f->told.ok + f->told.failed, 51);
    assert_true(f->told.last_retriable);
    assert_int_equal(bus_publish(f->bus, &rec, &f->err), ERR_DISCONNECTED);
    assert_int_equal(f->told.ok + f->told.failed, 51);
    redis_server_restart(&fixture_server);
    put(f, "t", NULL, "x", 0);
}

/* A connection that is lost while publishing is told by the next call, before anything more is
 * sent. */
static void a_loss_while_publishing_is_told(void **state)
{
    struct bus_fixture *f = *state;
    uint64_t seq = 1;
    int rc = 0;

    put(f, "t", NULL, "x", seq++);
    redis_server_restart(&fixture_server);
    while (rc == 0 && seq < 100000)
        rc = queue_numbered(f, seq++);
    assert_int_equal(rc, ERR_DISCONNECTED);
    assert_int_equal(f->told.failed, seq - 3);
    assert_ok(f, queue_numbered(f, 2));
    assert_int_equal(bus_flush(f->bus, WAIT_MS, &f->err), ERR_DISCONNECTED);
    assert_int_equal(f->told.ok, 2);
}

/* A member whose server was restarted first gets its uncommitted messages again, then new ones. */
static void a_member_survives_a_restart(void **state)
{
    struct bus_fixture *f = *state;
    const char *topic = "t";
    const struct bus_msg *m;
    int n;

    put_many(f, "t", 1, 6, true);
    struct bus_reader *r = bus_group_join(f->bus, "g", "m", &topic, 1, 0, NULL, NULL, &f->err);
    assert_int_equal(poll_some(f, r, 2, &m), 2);
    assert_ok(f, bus_commit(r, &f->err));
    assert_int_equal(poll_some(f, r, 2, &m), 2);
    redis_server_restart(&fixture_server);
    while ((n = bus_commit(r, &f->err)) == 0)
        continue;
    assert_int_equal(n, ERR_DISCONNECTED);
    while ((n = bus_poll(r, 2, 1000, &m, &f->err)) == ERR_DISCONNECTED)
        continue;
    assert_int_equal(n, 2);
    assert_true(m[0].value[0] <= '3');
    assert_true(m[0].deliveries > 0);
    size_t next = (size_t)(m[1].value[0] - '0') + 1;
    expect_values(f, r, next, 6 - next + 1);
    assert_ok(f, bus_commit(r, &f->err));
    bus_reader_close(r);
}

/* A server that was wiped under a member: its group is made again, at the oldest message. */
static void a_wiped_server_gets_its_group_again(void **state)
{
    struct bus_fixture *f = *state;
    const char *topic = "t";
    const struct bus_msg *m;

    put_many(f, "t", 1, 3, true);
    struct bus_reader *r = bus_group_join(f->bus, "g", "m", &topic, 1, 0, NULL, NULL, &f->err);
    expect_values(f, r, 1, 3);
    assert_ok(f, bus_commit(r, &f->err));
    assert_int_equal(bus_poll(r, 10, 10, &m, &f->err), 0);
    redis_do("FLUSHALL");
    put_many(f, "t", 1, 2, true);
    expect_values(f, r, 1, 2);
    bus_reader_close(r);
}

/* A group whose pending entries were trimmed goes on with those that are kept. */
static void trimmed_pending_entries_are_passed_over(void **state)
{
    struct bus_fixture *f = *state;
    const char *topic = "t";
    const struct bus_msg *m;
    struct bus_pos upto;

    put_many(f, "t", 1, 6, true);
    struct bus_reader *r = bus_group_join(f->bus, "g", "m", &topic, 1, 0, NULL, NULL, &f->err);
    assert_int_equal(poll_some(f, r, 4, &m), 4);
    bus_reader_close(r);
    assert_ok(f, bus_pos_parse(f->bus, "3-0", &upto, &f->err));
    assert_ok(f, bus_trim(f->bus, "t", 0, &upto, &f->err));
    r = bus_group_join(f->bus, "g", "m", &topic, 1, 0, NULL, NULL, &f->err);
    expect_values(f, r, 4, 3);
    assert_ok(f, bus_commit(r, &f->err));
    bus_reader_close(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bus_fixture_setup, bus_fixture_teardown)

static const struct CMUnitTest tests[] = {
    TEST(entries_by_hand_are_read),
    TEST(a_wrong_key_is_refused_by_name),
    TEST(a_read_only_server_is_away),
    TEST(a_refused_number_leaves_no_hole),
    TEST(a_foreign_writer_is_noticed),
    TEST(a_missing_server_is_disconnected),
    TEST(urls_are_understood),
    TEST(a_killed_server_loses_nothing),
    TEST(in_flight_messages_are_told),
    TEST(a_loss_while_publishing_is_told),
    TEST(a_member_survives_a_restart),
    TEST(a_wiped_server_gets_its_group_again),
    TEST(trimmed_pending_entries_are_passed_over),
};

int run_redis_tests(void)
{
    return cmocka_run_group_tests_name("bus, Redis alone", tests, NULL, NULL);
}
