/* What the Kafka bus promises beyond the contract, on a real broker: transactions, groups over
 * several partitions, a broker that goes away. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bus/bus_places.h"
#include "contract/bus_fixture.h"
#include "contract/bus_kafka.h"

/* A bus that publishes in transactions as `name`. */
static struct bus *open_writer(struct bus_fixture *f, const char *name)
{
    struct bus_options options = {.backend = "kafka",
                                  .url = fixture_server.url,
                                  .prefix = f->prefix,
                                  .properties = fixture_properties,
                                  .n_properties = fixture_n_properties,
                                  .incarnation = "life-1",
                                  .transaction = name};
    struct bus *bus = bus_open(&options, &f->err);

    if (!bus)
        fail_msg("%s", f->err.text);
    assert_true(bus_can(bus, BUS_TRANSACTS));
    return bus;
}

static void write_values(struct bus_fixture *f, struct bus *bus, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++) {
        char text[24];
        int len = snprintf(text, sizeof(text), "%zu", i);
        struct bus_record rec = {.topic = "t",
                                 .partition = -1,
                                 .key = text,
                                 .key_len = (size_t)len,
                                 .value = text,
                                 .value_len = (size_t)len};
        assert_ok(f, bus_publish(bus, &rec, &f->err));
    }
}

/* ---- Transactions ---- */

/* What was given up is never read, what was committed is, and the newest message is found behind
 * marks and what was given up. */
static void only_what_was_committed_is_read(void **state)
{
    struct bus_fixture *f = *state;
    struct bus *bus = open_writer(f, f->prefix);
    struct bus_places places = BUS_PLACES_INIT;
    struct bus_marks marks;
    const struct bus_msg *m;
    struct bus_msg last;
    bool at_end;
    size_t len;

    assert_ok(f, bus_tx_abort(bus, &f->err));
    assert_int_equal(bus_last(bus, "t", 0, &last, &f->err), ERR_NOT_FOUND);
    assert_ok(f, bus_tx_begin(bus, &f->err));
    write_values(f, bus, 1, 10);
    assert_ok(f, bus_tx_commit(bus, WAIT_MS, &f->err));
    assert_ok(f, bus_tx_begin(bus, &f->err));
    write_values(f, bus, 1000, 30);
    assert_int_equal(bus_flush(bus, WAIT_MS, &f->err), 0);
    assert_ok(f, bus_last(f->bus, "t", 0, &last, &f->err));
    assert_value(&last, "10");
    assert_ok(f, bus_tx_abort(bus, &f->err));
    assert_ok(f, bus_last(f->bus, "t", 0, &last, &f->err));
    assert_value(&last, "10");
    assert_memory_equal(bus_msg_header(&last, BUS_INCARNATION, &len), "life-1", 6);
    assert_ok(f, bus_marks(f->bus, "t", 0, &marks, &f->err));
    assert_true(marks.kept > 40);

    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);
    for (size_t got = 0; got < 10;) {
        int n = poll_some(f, r, 100, &m);
        for (int i = 0; i < n; i++, got++)
            bus_places_note(&places, &m[i]);
    }
    assert_int_equal(bus_poll(r, 100, 300, &m, &f->err), 0);
    assert_ok(f, bus_places_at_end(f->bus, "t", &places, &at_end, &f->err));
    assert_true(at_end);
    bus_reader_close(r);
    bus_places_release(&places);
    bus_close(bus);
}

/* A writer that died within a transaction is settled by its successor, and shut out if it lives. */
static void a_successor_shuts_the_old_writer_out(void **state)
{
    struct bus_fixture *f = *state;
    struct bus *old = open_writer(f, f->prefix);
    struct bus_msg last;

    assert_ok(f, bus_tx_begin(old, &f->err));
    write_values(f, old, 1, 5);
    assert_int_equal(bus_flush(old, WAIT_MS, &f->err), 0);
    struct bus *bus = open_writer(f, f->prefix);
    assert_ok(f, bus_tx_abort(bus, &f->err));
    assert_int_equal(bus_last(bus, "t", 0, &last, &f->err), ERR_NOT_FOUND);
    assert_ok(f, bus_tx_begin(bus, &f->err));
    write_values(f, bus, 6, 1);
    assert_ok(f, bus_tx_commit(bus, WAIT_MS, &f->err));
    assert_int_equal(bus_tx_commit(old, WAIT_MS, &f->err), ERR_FATAL);
    assert_false(f->err.retriable);
    assert_ok(f, bus_last(bus, "t", 0, &last, &f->err));
    assert_value(&last, "6");
    bus_close(old);
    bus_close(bus);
}

/* Outside a transaction nothing can be published, and it is said so. */
static void a_writer_publishes_within_transactions(void **state)
{
    struct bus_fixture *f = *state;
    struct bus *bus = open_writer(f, f->prefix);
    struct bus_record rec = {.topic = "t", .partition = -1, .value = "x", .value_len = 1};

    assert_ok(f, bus_tx_abort(bus, &f->err));
    assert_int_equal(bus_publish(bus, &rec, &f->err), ERR_CONFLICT);
    bus_close(bus);
}

static struct bus_reader *join(struct bus_fixture *f, const char *member, bus_group_fn event,
                               void *ctx)
{
    static const char *const topic = "in";
    struct bus_reader *r = bus_group_join(f->bus, "g", member, &topic, 1, 0, event, ctx, &f->err);

    if (!r)
        fail_msg("%s", f->err.text);
    return r;
}

/* Positions and messages become visible together: after a transaction that was given up, the group
 * reads the same again; after one that was committed, it goes on. */
static void positions_go_with_messages(void **state)
{
    struct bus_fixture *f = *state;
    struct bus *bus = open_writer(f, f->prefix);
    const struct bus_msg *m;
    struct bus_pos floor;

    assert_ok(f, bus_tx_abort(bus, &f->err));
    put_many(f, "in", 1, 10, false);
    for (int commits = 0; commits < 2; commits++) {
        struct bus_reader *r = join(f, "one", NULL, NULL);
        expect_values(f, r, 1, 10);
        assert_ok(f, bus_tx_begin(bus, &f->err));
        write_values(f, bus, 1, 10);
        assert_ok(f, bus_tx_send_positions(bus, r, &f->err));
        if (commits) {
            assert_ok(f, bus_tx_commit(bus, WAIT_MS, &f->err));
            assert_int_equal(bus_poll(r, 10, 300, &m, &f->err), 0);
        } else {
            assert_ok(f, bus_tx_abort(bus, &f->err));
        }
        bus_reader_close(r);
    }
    assert_ok(f, bus_group_floor(f->bus, "g", "in", 0, &floor, &f->err));
    struct bus_pos want = pos_behind(f, 10);
    assert_int_equal(bus_pos_compare(f->bus, &floor, &want), 0);
    bus_close(bus);
}

/* ---- Groups ---- */

struct events {
    int assigned, revoked, lost;
};

static void note_event(void *ctx, enum bus_group_event event, const char *topic, int32_t partition)
{
    struct events *e = ctx;

    (void)topic;
    (void)partition;
    e->assigned += event == BUS_ASSIGNED;
    e->revoked += event == BUS_REVOKED;
    e->lost += event == BUS_LOST;
}

#define MESSAGES 600

static void note_seen(const struct bus_msg *m, int n, int *seen)
{
    for (int i = 0; i < n; i++) {
        char text[24];
        snprintf(text, sizeof(text), "%.*s", (int)m[i].value_len, m[i].value);
        int v = atoi(text);
        assert_in_range(v, 1, MESSAGES);
        seen[v]++;
    }
}

/* A second member comes in the middle of a batch: partitions move, every message is handed to
 * somebody, and what a member had not committed when its partition went is a conflict. */
static void partitions_move_in_mid_batch(void **state)
{
    struct bus_fixture *f = *state;
    struct events one_events = {0}, two_events = {0};
    int seen[MESSAGES + 1] = {0};
    const struct bus_msg *m;
    size_t left = MESSAGES;
    bool conflicted = false;

    assert_ok(f, bus_topic_ensure(f->bus, "in", 3, 1, &f->err));
    put_many(f, "in", 1, MESSAGES / 2, false);
    struct bus_reader *one = join(f, "one", note_event, &one_events);
    int n = poll_some(f, one, 50, &m);
    assert_int_equal(one_events.assigned, 3);
    note_seen(m, n, seen);
    /* Not committed: the other comes first. */
    struct bus_reader *two = join(f, "two", note_event, &two_events);
    int64_t deadline = clock_mono_ms() + WAIT_MS;
    while (!two_events.assigned) {
        n = bus_poll(two, 50, 10, &m, &f->err);
        assert_true(n >= 0);
        note_seen(m, n, seen);
        n = bus_poll(one, 50, 10, &m, &f->err);
        assert_true(n >= 0);
        note_seen(m, n, seen);
        assert_true(clock_mono_ms() < deadline);
    }
    assert_true(one_events.revoked >= 1);
    int rc = bus_commit(one, &f->err);
    conflicted = rc == ERR_CONFLICT;
    assert_true(rc == 0 || conflicted);
    assert_ok(f, bus_commit(two, &f->err));
    put_many(f, "in", MESSAGES / 2 + 1, MESSAGES / 2, false);
    while (left) {
        struct bus_reader *who = left % 2 ? one : two;
        n = bus_poll(who, 50, 20, &m, &f->err);
        assert_true(n >= 0);
        note_seen(m, n, seen);
        rc = bus_commit(who, &f->err);
        assert_true(rc == 0 || rc == ERR_CONFLICT);
        n = bus_poll(who == one ? two : one, 50, 20, &m, &f->err);
        assert_true(n >= 0);
        note_seen(m, n, seen);
        rc = bus_commit(who == one ? two : one, &f->err);
        assert_true(rc == 0 || rc == ERR_CONFLICT);
        left = 0;
        for (int i = 1; i <= MESSAGES; i++)
            left += !seen[i];
        assert_true(clock_mono_ms() < deadline + WAIT_MS);
    }
    bus_reader_close(one);
    bus_reader_close(two);
}

/* A member that works for longer than max.poll.interval.ms has lost its partitions: its commit is a
 * conflict, and it is told. */
static void a_member_that_takes_too_long_has_lost(void **state)
{
    struct bus_fixture *f = *state;
    struct events events = {0};
    const struct bus_msg *m;

    put_many(f, "in", 1, 5, false);
    struct bus_reader *slow = join(f, "slow", note_event, &events);
    expect_values(f, slow, 1, 5);
    struct bus_reader *other = join(f, "other", NULL, NULL);
    expect_values(f, other, 1, 5);
    assert_ok(f, bus_commit(other, &f->err));
    assert_int_equal(bus_commit(slow, &f->err), ERR_CONFLICT);
    int64_t deadline = clock_mono_ms() + WAIT_MS;
    while (!events.lost && clock_mono_ms() < deadline)
        assert_true(bus_poll(slow, 10, 100, &m, &f->err) >= 0);
    assert_int_equal(events.lost, 1);
    bus_reader_close(slow);
    bus_reader_close(other);
}

/* When what a group would read next is gone, it is told once, and goes on with the oldest. */
static void a_group_is_told_of_what_is_gone(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;

    put_many(f, "in", 1, 100, false);
    struct bus_reader *r = join(f, "one", NULL, NULL);
    assert_int_equal(poll_some(f, r, 10, &m), 10);
    assert_ok(f, bus_commit(r, &f->err));
    bus_reader_close(r);
    struct bus_pos upto = pos_behind(f, 50);
    assert_ok(f, bus_trim(f->bus, "in", 0, &upto, &f->err));
    r = join(f, "one", NULL, NULL);
    int rc = 0;
    int64_t deadline = clock_mono_ms() + WAIT_MS;
    while (rc == 0 && clock_mono_ms() < deadline)
        rc = bus_poll(r, 10, 100, &m, &f->err);
    assert_int_equal(rc, ERR_TRIMMED);
    expect_values(f, r, 51, 50);
    bus_reader_close(r);
}

/* ---- The broker ---- */

/* A topic that is published to and is not there is made, with as many partitions as the bus says;
 * one that is there keeps its own. */
static void missing_topics_are_made(void **state)
{
    struct bus_fixture *f = *state;

    assert_int_equal(bus_partitions(f->bus, "new", &f->err), 0);
    put(f, "new", "k", "v", 0);
    assert_int_equal(bus_partitions(f->bus, "new", &f->err), 1);
    assert_ok(f, bus_topic_ensure(f->bus, "wide", 4, 1, &f->err));
    assert_ok(f, bus_topic_ensure(f->bus, "wide", 2, 1, &f->err));
    assert_int_equal(bus_partitions(f->bus, "wide", &f->err), 4);
    assert_int_equal(bus_topic_ensure(f->bus, "copied", 1, 3, &f->err), ERR_REFUSED);
    assert_non_null(strstr(f->err.text, "copied"));
}

/* The broker is stopped and comes back: readers and publishers say so and go on where they were;
 * nothing is lost or doubled. */
static void the_broker_comes_back(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;
    int rc = 0;

    put_many(f, "t", 0, 100, false);
    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);
    expect_values(f, r, 0, 100);
    for (int times = 1; times <= 2; times++) {
        size_t first = (size_t)times * 100;
        if (times == 1)
            kafka_broker_stop(&kafka_broker);
        else
            kafka_broker_kill(&kafka_broker);
        int64_t deadline = clock_mono_ms() + WAIT_MS;
        while ((rc = bus_poll(r, 10, 100, &m, &f->err)) >= 0 && clock_mono_ms() < deadline)
            continue;
        assert_int_equal(rc, ERR_DISCONNECTED);
        for (size_t i = first; i < first + 100; i++) {
            char text[24];
            int len = snprintf(text, sizeof(text), "%zu", i);
            struct bus_record rec = {
                .topic = "t", .partition = -1, .value = text, .value_len = (size_t)len};
            while ((rc = bus_publish(f->bus, &rec, &f->err)) == ERR_DISCONNECTED)
                continue;
            assert_int_equal(rc, 0);
        }
        assert_int_equal(bus_flush(f->bus, 100, &f->err), ERR_TIMEOUT);
        assert_int_equal(bus_ping(f->bus, &f->err), ERR_DISCONNECTED);
        kafka_broker_restart(&kafka_broker);
        while ((rc = bus_flush(f->bus, WAIT_MS, &f->err)) == ERR_TIMEOUT)
            assert_true(clock_mono_ms() < deadline + 3 * WAIT_MS);
        assert_int_equal(rc, 0);
        while ((rc = bus_ping(f->bus, &f->err)) < 0)
            assert_true(clock_mono_ms() < deadline + 3 * WAIT_MS);
        size_t got = first;
        while (got < first + 100) {
            rc = bus_poll(r, 100, 1000, &m, &f->err);
            assert_true(rc >= 0 || rc == ERR_DISCONNECTED);
            for (int i = 0; i < rc; i++) {
                char text[24];
                snprintf(text, sizeof(text), "%zu", got++);
                assert_value(&m[i], text);
            }
            assert_true(clock_mono_ms() < deadline + 3 * WAIT_MS);
        }
    }
    bus_reader_close(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bus_fixture_setup, bus_fixture_teardown)

static const struct CMUnitTest tests[] = {
    TEST(only_what_was_committed_is_read),
    TEST(a_successor_shuts_the_old_writer_out),
    TEST(a_writer_publishes_within_transactions),
    TEST(positions_go_with_messages),
    TEST(partitions_move_in_mid_batch),
    TEST(a_member_that_takes_too_long_has_lost),
    TEST(a_group_is_told_of_what_is_gone),
    TEST(missing_topics_are_made),
    TEST(the_broker_comes_back),
};

int run_kafka_tests(void)
{
    return cmocka_run_group_tests_name("bus, Kafka alone", tests, NULL, NULL);
}
