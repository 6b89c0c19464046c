/*
 * The contract of bus.h, over every backend: publishing and positioned reading. Trimming and asking
 * are in bus_asking.c, groups in bus_groups.c, places in bus_places.c, what only Redis has in
 * bus_redis.c, what only Kafka has in bus_kafka.c.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "contract/bus_fixture.h"

/* ---- Opening ---- */

/* A backend that does not exist is refused with the names of those that do. */
static void unknown_backend_names_the_known(void **state)
{
    struct bus_options options = {.backend = "carrier-pigeon"};
    struct err err = {0};

    (void)state;
    assert_null(bus_open(&options, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.text, "redis"));
    for (const char *const *name = bus_backends(); *name; name++)
        assert_non_null(strstr(err.text, *name));
}

/* A property that the backend does not know, or a bad value of one that it knows, is refused by
 * name. */
static void bad_properties_are_refused(void **state)
{
    struct bus_property property = {"no.such.thing", "1"};
    struct bus_options options = {.backend = fixture_backend,
                                  .url = "redis://localhost",
                                  .properties = &property,
                                  .n_properties = 1};
    struct err err = {0};

    (void)state;
    assert_null(bus_open(&options, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.text, "no.such.thing"));
    property = (struct bus_property){"max_message_bytes", "many"};
    assert_null(bus_open(&options, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.text, "many"));
}

/* Names that not every backend could keep are refused everywhere. */
static void bad_topic_names_are_refused(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_record rec = {.topic = "a:b"};

    assert_int_equal(bus_publish(f->bus, &rec, &f->err), ERR_INVALID);
    assert_int_equal(bus_topic_ensure(f->bus, "", 0, 0, &f->err), ERR_INVALID);
}

/* A server that is there answers a ping. */
static void ping_answers(void **state)
{
    struct bus_fixture *f = *state;

    assert_ok(f, bus_ping(f->bus, &f->err));
}

/* ---- Publishing ---- */

/* What was published is what is read: key, value, headers, in order, with the bus's own time. */
static void messages_come_as_they_were(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_header headers[] = {{"trace", "abc", 3}, {"empty", "", 0}, {"bytes", "\0\1", 2}};
    struct bus_record rec = {.topic = "t",
                             .partition = -1,
                             .key = "k1",
                             .key_len = 2,
                             .value = "a\0b\r\n",
                             .value_len = 5,
                             .headers = headers,
                             .n_headers = 3};
    const struct bus_msg *m;
    size_t len;

    assert_ok(f, bus_publish(f->bus, &rec, &f->err));
    put(f, "t", "k2", "second", 0);
    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);
    assert_int_equal(poll_some(f, r, 1, &m), 1);
    assert_string_equal(m->topic, "t");
    assert_int_equal(m->partition, 0);
    assert_int_equal(m->key_len, 2);
    assert_memory_equal(m->key, "k1", 2);
    assert_int_equal(m->value_len, 5);
    assert_memory_equal(m->value, "a\0b\r\n", 5);
    assert_int_equal(m->n_headers, 3);
    assert_memory_equal(bus_msg_header(m, "trace", &len), "abc", 3);
    assert_non_null(bus_msg_header(m, "empty", &len));
    assert_int_equal(len, 0);
    assert_memory_equal(bus_msg_header(m, "bytes", &len), "\0\1", 2);
    assert_int_equal(len, 2);
    assert_null(bus_msg_header(m, "other", &len));
    assert_int_equal(m->deliveries, 0);
    assert_true(m->time_ms > INT64_C(1600000000000));
    assert_int_equal(poll_some(f, r, 1, &m), 1);
    assert_value(m, "second");
    assert_int_equal(m->n_headers, 0);
    bus_reader_close(r);
}

/* Null and empty are different things, for keys and for values. */
static void null_is_not_empty(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;

    if (fixture_is_mock)
        skip(); /* it hands out one message at a time */
    put(f, "t", NULL, "v", 0);
    put(f, "t", "k", NULL, 0);
    put(f, "t", NULL, NULL, 0);
    put(f, "t", "", "", 0);
    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);
    assert_int_equal(poll_some(f, r, 10, &m), 4);
    assert_null(m[0].key);
    assert_value(&m[0], "v");
    assert_int_equal(m[1].key_len, 1);
    assert_null(m[1].value);
    assert_null(m[2].key);
    assert_null(m[2].value);
    assert_non_null(m[3].key);
    assert_int_equal(m[3].key_len, 0);
    assert_non_null(m[3].value);
    assert_int_equal(m[3].value_len, 0);
    bus_reader_close(r);
}

/* A value of 10 MB arrives whole. */
static void large_values_arrive(void **state)
{
    struct bus_fixture *f = *state;
    const size_t len = (size_t)10 << 20;
    char *value = malloc(len);
    struct bus_record rec = {.topic = "t", .value = value, .value_len = len};
    const struct bus_msg *m;

    for (size_t i = 0; i < len; i++)
        value[i] = (char)(i * 31 >> 3);
    assert_ok(f, bus_publish(f->bus, &rec, &f->err));
    put(f, "t", NULL, "after", 0);
    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);
    assert_int_equal(poll_some(f, r, 1, &m), 1);
    assert_int_equal(m->value_len, len);
    assert_memory_equal(m->value, value, len);
    assert_int_equal(poll_some(f, r, 1, &m), 1);
    assert_value(m, "after");
    bus_reader_close(r);
    free(value);
}

/* A message over the limit is refused at once and not published. */
static void too_large_is_refused(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_property property = {"max_message_bytes", "100"};
    struct bus_options options = {.backend = fixture_backend,
                                  .url = fixture_server.url,
                                  .prefix = f->prefix,
                                  .properties = &property,
                                  .n_properties = 1};
    char value[101] = "";
    struct bus_record rec = {.topic = "t", .value = value, .value_len = sizeof(value)};
    struct bus_marks marks;

    struct bus *bus = bus_open(&options, &f->err);
    assert_non_null(bus);
    assert_int_equal(bus_publish(bus, &rec, &f->err), ERR_TOO_LARGE);
    assert_ok(f, bus_flush(bus, WAIT_MS, &f->err));
    assert_ok(f, bus_marks(bus, "t", 0, &marks, &f->err));
    assert_int_equal(marks.kept, 0);
    rec.value_len--;
    assert_ok(f, bus_publish(bus, &rec, &f->err));
    assert_ok(f, bus_flush(bus, WAIT_MS, &f->err));
    bus_close(bus);
}

/* The callback hears of each message once, with its opaque and its position; after a flush none is
 * in flight. */
static void every_delivery_is_told(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;
    int mark;
    struct bus_record rec = {.topic = "t", .value = "x", .value_len = 1, .opaque = &mark};

    for (int i = 0; i < 1000; i++)
        assert_ok(f, bus_publish(f->bus, &rec, &f->err));
    for (int left = 1; left;) {
        left = bus_poll_deliveries(f->bus, 1000, &f->err);
        assert_true(left >= 0);
        assert_int_equal(f->told.ok + (size_t)left, 1000);
    }
    assert_ok(f, bus_flush(f->bus, WAIT_MS, &f->err));
    assert_int_equal(f->told.failed, 0);
    assert_ptr_equal(f->told.last_opaque, &mark);
    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);
    int n = 0;
    for (int seen = 0; seen < 1000; seen += n) /* they may travel in several pieces */
        n = poll_some(f, r, 1000, &m);
    assert_int_equal(bus_pos_compare(f->bus, &m[n - 1].pos, &f->told.last_pos), 0);
    bus_reader_close(r);
}

/* A sequence number that is not above the last one is answered as a duplicate and adds nothing. */
static void numbered_messages_are_there_once(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;

    REQUIRE(f, BUS_NUMBERS);
    put_many(f, "t", 1, 5, true);
    put_many(f, "t", 3, 4, true);
    assert_int_equal(f->told.ok, 6);
    assert_int_equal(f->told.duplicates, 3);
    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);
    assert_int_equal(poll_some(f, r, 100, &m), 6);
    for (int i = 0; i < 6; i++) {
        struct buf text = BUF_INIT;
        char want[24];
        bus_pos_format(f->bus, &m[i].pos, &text);
        snprintf(want, sizeof(want), "%d-0", i + 1);
        assert_string_equal(text.data, want);
        assert_int_equal(m[i].time_ms, 0);
        buf_release(&text);
    }
    bus_reader_close(r);
}

/* A backend without transactions says so, and does not pretend. */
static void transactions_are_not_supported(void **state)
{
    struct bus_fixture *f = *state;

    assert_int_equal(bus_tx_begin(f->bus, &f->err), ERR_UNSUPPORTED);
    assert_int_equal(bus_tx_send_positions(f->bus, NULL, &f->err), ERR_UNSUPPORTED);
    assert_int_equal(bus_tx_commit(f->bus, 1, &f->err), ERR_UNSUPPORTED);
    assert_int_equal(bus_tx_abort(f->bus, &f->err), ERR_UNSUPPORTED);
}

/* ---- Positioned reading ---- */

/* Reading from a message's position gives the next one; assigning again seeks, back and forth. */
static void positions_are_just_after(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;

    put_many(f, "t", 0, 10, false);
    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);
    assert_int_equal(poll_some(f, r, 10, &m), 10);
    struct bus_pos third = m[3].pos, eighth = m[8].pos;
    assert_ok(f, bus_reader_assign(r, "t", 0, &third, &f->err));
    expect_values(f, r, 4, 6);
    assert_ok(f, bus_reader_assign(r, "t", 0, &eighth, &f->err));
    expect_values(f, r, 9, 1);
    assert_ok(f, bus_reader_assign(r, "t", 0, &BUS_POS_OLDEST, &f->err));
    expect_values(f, r, 0, 10);
    bus_reader_close(r);
}

/* What was asked for ahead is not handed out after a seek. */
static void a_seek_drops_what_travels(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;

    put_many(f, "t", 0, 100, false);
    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(poll_some(f, r, 3, &m), 3);
        struct bus_pos first = m[0].pos;
        assert_ok(f, bus_reader_assign(r, "t", 0, &first, &f->err));
        expect_values(f, r, (size_t)i + 1, 1);
        assert_int_equal(poll_some(f, r, 1, &m), 1);
        assert_ok(f, bus_reader_assign(r, "t", 0, &first, &f->err));
    }
    bus_reader_close(r);
}

/* A topic that does not exist yet is empty, and is read once it is there; a poll that times out
 * gives 0. */
static void a_missing_topic_is_empty(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;
    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);

    assert_int_equal(bus_poll(r, 10, 0, &m, &f->err), 0);
    assert_int_equal(bus_poll(r, 10, 10, &m, &f->err), 0);
    put_many(f, "t", 0, 3, false);
    expect_values(f, r, 0, 3);
    assert_int_equal(bus_poll(r, 10, 10, &m, &f->err), 0);
    put_many(f, "t", 3, 1, false);
    expect_values(f, r, 3, 1);
    bus_reader_close(r);
}

/* Newest leaves out what is there and gives what comes. */
static void newest_starts_at_the_end(void **state)
{
    struct bus_fixture *f = *state;

    put_many(f, "t", 0, 5, false);
    struct bus_reader *r = reader_at(f, "t", BUS_POS_NEWEST);
    put_many(f, "t", 5, 5, false);
    expect_values(f, r, 5, 5);
    bus_reader_close(r);
}

/* A poll gives at most `max` messages a topic, whatever the poll before asked for; none is lost or
 * changed. */
static void max_holds_for_each_topic(void **state)
{
    struct bus_fixture *f = *state;
    size_t next[2] = {0, 0};
    const struct bus_msg *m;

    put_many(f, "a", 0, 200, false);
    put_many(f, "b", 0, 100, false);
    struct bus_reader *r = reader_at(f, "a", BUS_POS_OLDEST);
    assert_ok(f, bus_reader_assign(r, "b", 0, &BUS_POS_OLDEST, &f->err));
    for (size_t max = 50; next[0] + next[1]<300; max = max> 7 ? max - 7 : 3) {
        int n = poll_some(f, r, max, &m);
        size_t got[2] = {0, 0};
        for (int i = 0; i < n; i++) {
            int which = m[i].topic[0] == 'b';
            char want[24];
            got[which]++;
            snprintf(want, sizeof(want), "%zu", next[which]++);
            assert_value(&m[i], want);
        }
        assert_true(got[0] <= max && got[1] <= max);
    }
    assert_int_equal(next[0], 200);
    assert_int_equal(next[1], 100);
    bus_reader_close(r);
}

/* A paused topic hands out nothing and keeps its position; the others go on. */
static void a_paused_topic_waits(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;

    put_many(f, "a", 0, 20, false);
    put_many(f, "b", 0, 20, false);
    struct bus_reader *r = reader_at(f, "a", BUS_POS_OLDEST);
    expect_values(f, r, 0, 5);
    assert_ok(f, bus_reader_assign(r, "b", 0, &BUS_POS_OLDEST, &f->err));
    assert_ok(f, bus_reader_pause(r, "a", true, &f->err));
    expect_values(f, r, 0, 20);
    assert_int_equal(bus_poll(r, 10, 10, &m, &f->err), 0);
    assert_ok(f, bus_reader_pause(r, "b", true, &f->err));
    assert_int_equal(bus_poll(r, 10, 10, &m, &f->err), 0);
    assert_ok(f, bus_reader_pause(r, "a", false, &f->err));
    expect_values(f, r, 5, 15);
    assert_int_equal(bus_reader_pause(r, "c", true, &f->err), ERR_INVALID);
    bus_reader_close(r);
}

/* A position past the end is answered with 1, and reading goes on from the end. */
static void past_the_tail_goes_back_to_it(void **state)
{
    struct bus_fixture *f = *state;
    put_many(f, "t", 1, 5, true);
    struct bus_pos far = pos_behind(f, 9);
    struct bus_reader *r = bus_reader_open(f->bus, &f->err);
    assert_int_equal(bus_reader_assign(r, "t", 0, &far, &f->err), 1);
    put_many(f, "t", 6, 2, true);
    expect_values(f, r, 6, 2);
    assert_int_equal(bus_reader_assign(r, "missing", 0, &far, &f->err), 1);
    far = pos_behind(f, 7);
    assert_ok(f, bus_reader_assign(r, "t", 0, &far, &f->err));
    bus_reader_close(r);
}

/* There is one partition; another is refused. */
static void other_partitions_are_refused(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_reader *r = bus_reader_open(f->bus, &f->err);

    put_many(f, "t", 1, 1, true);
    assert_int_equal(bus_partitions(f->bus, "t", &f->err), 1);
    assert_int_equal(bus_partition_of(f->bus, "t", "k", 1, &f->err), 0);
    assert_int_equal(bus_reader_assign(r, "t", 1, &BUS_POS_OLDEST, &f->err), ERR_INVALID);
    assert_int_equal(bus_commit(r, &f->err), ERR_INVALID);
    bus_reader_close(r);
}

/* ---- Threads ---- */

#define THREAD_MESSAGES 20000

struct thread_reader {
    struct bus_reader *r;
    size_t read;
    bool in_order;
};

/* cmocka's checks are for the main thread alone: this one only notes what it saw. */
static void *read_in_thread(void *arg)
{
    struct thread_reader *t = arg;
    const struct bus_msg *m;
    struct err err;
    int n;

    t->in_order = true;
    while (t->read < THREAD_MESSAGES && (n = bus_poll(t->r, 100, WAIT_MS, &m, &err)) > 0)
        for (int i = 0; i < n; i++) {
            char want[24];
            int len = snprintf(want, sizeof(want), "%zu", ++t->read);
            if (m[i].value_len != (size_t)len || memcmp(m[i].value, want, (size_t)len) != 0)
                t->in_order = false;
        }
    return NULL;
}

/* Handles are independent: a reader on another thread reads while this one publishes, and asks. */
static void readers_may_have_their_own_thread(void **state)
{
    struct bus_fixture *f = *state;
    struct thread_reader readers[2] = {{NULL, 0, false}};
    pthread_t threads[2];
    struct bus_marks marks;
    uint64_t n;

    for (int i = 0; i < 2; i++) {
        readers[i].r = reader_at(f, "t", BUS_POS_OLDEST);
        assert_int_equal(pthread_create(&threads[i], NULL, read_in_thread, &readers[i]), 0);
    }
    for (size_t i = 1; i < THREAD_MESSAGES; i += 1000) {
        put_many(f, "t", i, 1000, true);
        assert_ok(f, bus_marks(f->bus, "t", 0, &marks, &f->err));
        assert_ok(f, bus_count_after(f->bus, "t", 0, &marks.low, &n, &f->err));
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].read, THREAD_MESSAGES);
        assert_true(readers[i].in_order);
        bus_reader_close(readers[i].r);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bus_fixture_setup, bus_fixture_teardown)

static const struct CMUnitTest tests[] = {
    TEST(unknown_backend_names_the_known),
    TEST(bad_properties_are_refused),
    TEST(bad_topic_names_are_refused),
    TEST(ping_answers),
    TEST(messages_come_as_they_were),
    TEST(null_is_not_empty),
    TEST(large_values_arrive),
    TEST(too_large_is_refused),
    TEST(every_delivery_is_told),
    TEST(numbered_messages_are_there_once),
    TEST(transactions_are_not_supported),
    TEST(positions_are_just_after),
    TEST(a_seek_drops_what_travels),
    TEST(a_missing_topic_is_empty),
    TEST(newest_starts_at_the_end),
    TEST(max_holds_for_each_topic),
    TEST(a_paused_topic_waits),
    TEST(past_the_tail_goes_back_to_it),
    TEST(other_partitions_are_refused),
    TEST(readers_may_have_their_own_thread),
};

/* What every backend promises. */
int run_contract(const char *name)
{
    int failed = cmocka_run_group_tests_name(name, tests, NULL, NULL);

    failed += run_asking_tests();
    failed += run_places_tests();
    return failed + run_member_tests();
}
