/* Publishing over the memory bus: whatever interrupts it, the topics hold what one run would write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "simulator/city.h"
#include "simulator/publisher.h"
#include "trips_fixture.h"

#define N_TRIPS  700
#define REQUESTS "pick-ups"
#define OUTCOMES "drop-offs"

/* One life of the simulator against a bus that outlives it. */
struct life {
    struct trip_source *city;
    struct schedule *schedule;
    struct publisher *publisher;
};

struct fixture {
    struct bus *bus;
    struct life life;
    uint64_t fail_at; /* count down of deliveries to the one that is told as failed; 0: none */
    bool is_held;     /* keep deliveries back, in `held` */
    void *held[8];
    size_t n_held;
};

static void delivered(void *ctx, void *opaque, int result, const struct bus_pos *pos,
                      const struct err *err)
{
    struct fixture *f = ctx;
    struct err lie;

    if (f->is_held) {
        f->held[f->n_held++] = opaque;
        return;
    }
    if (f->fail_at && --f->fail_at == 0) {
        result = err_set_retriable(&lie, ERR_DISCONNECTED, "as the test says");
        err = &lie;
    }
    publisher_delivered(f->life.publisher, opaque, result, pos, err);
}

static struct bus *open_bus(struct fixture *f, const char *prefix)
{
    struct err err = {0};
    struct bus_options options = {
        .backend = "memory",
        .url = "memory://simulator",
        .prefix = prefix,
        .client = "test",
        .delivered = delivered,
        .delivered_ctx = f,
    };
    struct bus *bus = bus_open(&options, &err);

    if (!bus)
        fail_msg("%s", err.text);
    return bus;
}

static void begin(struct fixture *f, uint64_t seed)
{
    struct city_options options = {.seed = seed, .start_ms = 0, .regime_after_ms = -1};

    f->life.city = city_new(&options);
    f->life.schedule = schedule_new(f->life.city, N_TRIPS);
    f->life.publisher = publisher_new(f->life.city, f->life.schedule, REQUESTS, OUTCOMES);
}

static void end(struct fixture *f)
{
    publisher_free(f->life.publisher);
    schedule_free(f->life.schedule);
    trip_source_free(f->life.city);
    f->life = (struct life){0};
}

static void sync_bus(struct fixture *f)
{
    struct err err = {0};

    if (publisher_sync(f->life.publisher, f->bus, &err) != 0)
        fail_msg("%s", err.text);
}

/* Publishes up to `n` events, syncing after each failure; returns how many there were. */
static int publish(struct fixture *f, int n)
{
    struct err err = {0};
    int done = 0;

    for (; done < n && schedule_peek(f->life.schedule); done++) {
        if (publisher_publish(f->life.publisher, f->bus, &err) != 0)
            sync_bus(f);
        (void)!bus_poll_deliveries(f->bus, 0, &err);
    }
    while (bus_flush(f->bus, 1000, &err) != 0 || publisher_failure(f->life.publisher)) {
        sync_bus(f);
        if (!schedule_peek(f->life.schedule))
            continue;
        if (publisher_publish(f->life.publisher, f->bus, &err) != 0)
            fail_msg("%s", err.text);
    }
    return done;
}

/* Everything in a topic, a line a message. */
static void render(struct bus *bus, const char *topic, struct buf *out)
{
    struct err err = {0};
    const struct bus_msg *msg;
    struct bus_reader *r = bus_reader_open(bus, &err);
    int n;

    assert_non_null(r);
    assert_int_equal(bus_reader_assign(r, topic, 0, &BUS_POS_OLDEST, &err), 0);
    while ((n = bus_poll(r, 100, 0, &msg, &err)) > 0) {
        for (int i = 0; i < n; i++) {
            size_t len = 0;
            const char *cursor = bus_msg_header(&msg[i], "cursor", &len);
            buf_append(out, msg[i].key, msg[i].key_len);
            buf_byte(out, ' ');
            buf_append(out, msg[i].value, msg[i].value_len);
            buf_byte(out, ' ');
            if (cursor)
                buf_append(out, cursor, len);
            buf_byte(out, '\n');
        }
    }
    assert_int_equal(n, 0);
    bus_reader_close(r);
}

/* What one run without interruption leaves in both topics. */
static void uninterrupted(struct buf ret[2])
{
    struct fixture f = {0};

    f.bus = open_bus(&f, "whole:");
    begin(&f, 42);
    assert_int_equal(bus_topic_delete(f.bus, REQUESTS, NULL), 0);
    assert_int_equal(bus_topic_delete(f.bus, OUTCOMES, NULL), 0);
    sync_bus(&f);
    assert_int_equal(publish(&f, 10 * N_TRIPS), 2 * N_TRIPS);
    render(f.bus, REQUESTS, &ret[0]);
    render(f.bus, OUTCOMES, &ret[1]);
    end(&f);
    bus_close(f.bus);
}

static void expect_whole(struct bus *bus)
{
    struct buf whole[2] = {BUF_INIT, BUF_INIT};
    struct buf text[2] = {BUF_INIT, BUF_INIT};

    uninterrupted(whole);
    render(bus, REQUESTS, &text[0]);
    render(bus, OUTCOMES, &text[1]);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(buf_str(&text[i]), buf_str(&whole[i]));
        buf_release(&whole[i]);
        buf_release(&text[i]);
    }
}

/* Killed after any number of events and started again, over and over: the same messages. */
static void test_killed_and_resumed(void **state)
{
    struct fixture f = {0};
    int step = 1;
    int n;

    (void)state;
    f.bus = open_bus(&f, "killed:");
    do {
        begin(&f, 42);
        sync_bus(&f);
        n = publish(&f, step);
        end(&f);
        step = step * 2 % 301 + 1;
    } while (n > 0);
    expect_whole(f.bus);

    /* Started once more, it finds that nothing is left. */
    begin(&f, 42);
    sync_bus(&f);
    assert_null(schedule_peek(f.life.schedule));
    assert_int_equal(schedule_at(f.life.schedule)->requests, N_TRIPS);
    assert_int_equal(schedule_at(f.life.schedule)->outcomes, N_TRIPS);
    end(&f);
    bus_close(f.bus);
}

/* A lost connection, after which the message turns out to have arrived: published once. */
static void test_lost_connection(void **state)
{
    struct fixture f = {.fail_at = 333};

    (void)state;
    f.bus = open_bus(&f, "lost:");
    begin(&f, 42);
    sync_bus(&f);
    publish(&f, 100 * N_TRIPS);
    publish(&f, 100 * N_TRIPS);
    expect_whole(f.bus);
    end(&f);
    bus_close(f.bus);
}

/* While a failure is not dealt with, nothing more is published: no hole behind a later cursor. */
static void test_failure_stops(void **state)
{
    struct fixture f = {.fail_at = 1};
    struct err err = {0};
    struct bus_marks marks;

    (void)state;
    f.bus = open_bus(&f, "stops:");
    begin(&f, 42);
    sync_bus(&f);
    assert_int_equal(publisher_publish(f.life.publisher, f.bus, &err), 0);
    (void)!bus_flush(f.bus, 1000, &err);
    assert_non_null(publisher_failure(f.life.publisher));
    assert_int_equal(publisher_publish(f.life.publisher, f.bus, &err), ERR_DISCONNECTED);
    assert_int_equal(bus_marks(f.bus, REQUESTS, 0, &marks, &err), 0);
    assert_int_equal(marks.added, 1);
    end(&f);
    bus_close(f.bus);
}

/* A message that fails while a later one is delivered is gone back to: nothing is missing. */
static void test_hole(void **state)
{
    struct fixture f = {0};
    struct err err = {0};
    struct cursor before = {0};

    (void)state;
    f.bus = open_bus(&f, "hole:");
    begin(&f, 42);
    sync_bus(&f);
    f.is_held = true;
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            before = *schedule_at(f.life.schedule);
        assert_int_equal(publisher_publish(f.life.publisher, f.bus, &err), 0);
    }
    assert_int_equal(bus_flush(f.bus, 1000, &err), 0);
    assert_int_equal(f.n_held, 3);
    for (size_t i = 0; i < 3; i++)
        publisher_delivered(f.life.publisher, f.held[i], i == 1 ? ERR_DISCONNECTED : 0, NULL, NULL);
    assert_int_equal(publisher_failure(f.life.publisher)->code, ERR_DISCONNECTED);
    sync_bus(&f);
    assert_null(publisher_failure(f.life.publisher));
    assert_true(same_place(schedule_at(f.life.schedule), &before));
    end(&f);
    bus_close(f.bus);
}

static void publish_foreign(struct fixture *f, const char *topic)
{
    struct err err = {0};
    struct bus_record rec = {
        .topic = topic, .partition = -1, .key = "x", .key_len = 1, .value = "{", .value_len = 1};

    /* The fate of a message of others is nobody's concern here. */
    struct publisher *p = f->life.publisher;
    f->life.publisher = publisher_new(f->life.city, f->life.schedule, REQUESTS, OUTCOMES);
    assert_int_equal(bus_publish(f->bus, &rec, &err), 0);
    assert_int_equal(bus_flush(f->bus, 1000, &err), 0);
    publisher_free(f->life.publisher);
    f->life.publisher = p;
}

/* Messages of others at the end of a topic do not hide the place where it stopped. */
static void test_foreign_messages(void **state)
{
    struct fixture f = {0};

    (void)state;
    f.bus = open_bus(&f, "foreign:");
    begin(&f, 42);
    sync_bus(&f);
    publish(&f, 500);
    struct cursor at = *schedule_at(f.life.schedule);
    publish_foreign(&f, REQUESTS);
    publish_foreign(&f, OUTCOMES);
    end(&f);

    begin(&f, 42);
    sync_bus(&f);
    assert_true(same_place(schedule_at(f.life.schedule), &at));
    end(&f);
    bus_close(f.bus);
}

/* Topics that another simulation has filled, or nobody that left a cursor, are refused. */
static void test_refused_topics(void **state)
{
    struct fixture f = {0};
    struct err err = {0};

    (void)state;
    f.bus = open_bus(&f, "other:");
    begin(&f, 42);
    sync_bus(&f);
    publish(&f, 50);
    end(&f);
    begin(&f, 43);
    assert_int_equal(publisher_sync(f.life.publisher, f.bus, &err), ERR_REFUSED);
    assert_non_null(strstr(err.text, "city1/42/"));
    assert_non_null(strstr(err.text, "city1/43/"));
    end(&f);
    bus_close(f.bus);

    f.bus = open_bus(&f, "world:");
    begin(&f, 42);
    publish_foreign(&f, REQUESTS);
    assert_int_equal(publisher_sync(f.life.publisher, f.bus, &err), ERR_REFUSED);
    end(&f);
    bus_close(f.bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_and_resumed), cmocka_unit_test(test_lost_connection),
        cmocka_unit_test(test_failure_stops),      cmocka_unit_test(test_hole),
        cmocka_unit_test(test_foreign_messages),   cmocka_unit_test(test_refused_topics),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
