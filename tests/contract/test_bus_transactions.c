/* The transactions of bus.h, over the bus in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "bus/bus.h"

struct fixture {
    struct bus *bus;
    struct bus_reader *reader;
    int delivered, failed;
};

static void told(void *ctx, void *opaque, int result, const struct bus_pos *pos,
                 const struct err *err)
{
    struct fixture *f = ctx;

    (void)opaque;
    (void)pos;
    if (result < 0)
        assert_int_equal(err->code, result);
    f->delivered += result >= 0;
    f->failed += result < 0;
}

static struct bus *open_bus(struct fixture *f, const char *prefix, const char *id)
{
    struct bus_options options = {
        .backend = "memory",
        .prefix = prefix,
        .client = "test",
        .delivered = f ? told : NULL,
        .delivered_ctx = f,
        .transaction = id,
    };
    struct err err = {0};
    struct bus *bus = bus_open(&options, &err);

    if (!bus)
        fail_msg("bus_open: %s", err.text);
    return bus;
}

static void open_all(struct fixture *f, const char *prefix)
{
    struct err err = {0};

    *f = (struct fixture){0};
    f->bus = open_bus(f, prefix, "views");
    f->reader = bus_reader_open(f->bus, &err);
    assert_non_null(f->reader);
    assert_int_equal(bus_reader_assign(f->reader, "a", 0, &BUS_POS_OLDEST, &err), 0);
    assert_int_equal(bus_reader_assign(f->reader, "b", 0, &BUS_POS_OLDEST, &err), 0);
}

static void close_all(struct fixture *f)
{
    bus_reader_close(f->reader);
    bus_close(f->bus);
}

static void publish(struct bus *bus, const char *topic, const char *value)
{
    struct bus_record rec = {
        .topic = topic, .partition = -1, .value = value, .value_len = strlen(value)};
    struct err err = {0};

    assert_int_equal(bus_publish(bus, &rec, &err), 0);
}

static int count(struct fixture *f)
{
    const struct bus_msg *msgs;
    struct err err = {0};

    return bus_poll(f->reader, 100, 0, &msgs, &err);
}

/* Messages of several topics become visible together, at the commit, and are reported then. */
static void test_commit(void **state)
{
    struct fixture f;
    struct err err = {0};

    (void)state;
    open_all(&f, "commit");
    assert_int_equal(bus_tx_begin(f.bus, &err), 0);
    publish(f.bus, "a", "1");
    publish(f.bus, "b", "2");
    assert_int_equal(bus_flush(f.bus, 0, &err), 0);
    assert_int_equal(count(&f), 0);
    assert_int_equal(bus_tx_commit(f.bus, 1000, &err), 0);
    assert_int_equal(count(&f), 2);
    assert_int_equal(bus_flush(f.bus, 0, &err), 0);
    assert_int_equal(f.delivered, 2);
    close_all(&f);
}

/* What was aborted never becomes visible, and is reported as failed; the next one starts empty. */
static void test_abort(void **state)
{
    struct fixture f;
    struct err err = {0};

    (void)state;
    open_all(&f, "abort");
    assert_int_equal(bus_tx_begin(f.bus, &err), 0);
    publish(f.bus, "a", "1");
    assert_int_equal(bus_tx_abort(f.bus, &err), 0);
    assert_int_equal(bus_tx_begin(f.bus, &err), 0);
    publish(f.bus, "a", "2");
    assert_int_equal(bus_tx_commit(f.bus, 1000, &err), 0);
    assert_int_equal(count(&f), 1);
    (void)!bus_flush(f.bus, 0, &err);
    assert_int_equal(f.failed, 1);
    assert_int_equal(f.delivered, 1);
    close_all(&f);
}

/* Calls out of order are refused; aborting nothing does no harm. */
static void test_order(void **state)
{
    struct fixture f;
    struct err err = {0};

    (void)state;
    open_all(&f, "order");
    assert_int_equal(bus_tx_commit(f.bus, 0, &err), ERR_INVALID);
    assert_int_equal(bus_tx_abort(f.bus, &err), 0);
    assert_int_equal(bus_tx_begin(f.bus, &err), 0);
    assert_int_equal(bus_tx_begin(f.bus, &err), ERR_INVALID);
    close_all(&f);
}

/* The newest process of a name shuts the older one out, at its commit too. */
static void test_shut_out(void **state)
{
    struct fixture f;
    struct err err = {0};

    (void)state;
    open_all(&f, "shut-out");
    assert_int_equal(bus_tx_begin(f.bus, &err), 0);
    publish(f.bus, "a", "of the old one");
    struct bus *newer = open_bus(NULL, "shut-out", "views");
    assert_int_equal(bus_tx_commit(f.bus, 1000, &err), ERR_FATAL);
    assert_int_equal(bus_tx_abort(f.bus, &err), 0);
    assert_int_equal(bus_tx_begin(f.bus, &err), ERR_FATAL);
    assert_int_equal(count(&f), 0);
    assert_int_equal(bus_tx_begin(newer, &err), 0);
    publish(newer, "a", "of the new one");
    assert_int_equal(bus_tx_commit(newer, 1000, &err), 0);
    assert_int_equal(count(&f), 1);
    bus_close(newer);
    close_all(&f);
}

/* A group's positions are committed with the messages. */
static void test_positions(void **state)
{
    const char *const topics[] = {"a"};
    const struct bus_msg *msgs;
    struct bus_pos floor;
    struct fixture f;
    struct err err = {0};

    (void)state;
    open_all(&f, "positions");
    publish(f.bus, "a", "1");
    struct bus_reader *member = bus_group_join(f.bus, "g", "m", topics, 1, 0, NULL, NULL, &err);
    assert_non_null(member);
    assert_int_equal(bus_poll(member, 10, 0, &msgs, &err), 1);
    struct bus_pos last = msgs[0].pos;
    assert_int_equal(bus_tx_begin(f.bus, &err), 0);
    publish(f.bus, "b", "2");
    assert_int_equal(bus_tx_send_positions(f.bus, member, &err), 0);
    assert_int_equal(bus_tx_commit(f.bus, 1000, &err), 0);
    assert_int_equal(bus_group_floor(f.bus, "g", "a", 0, &floor, &err), 0);
    assert_int_equal(bus_pos_compare(f.bus, &floor, &last), 0);
    bus_reader_close(member);
    close_all(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit),    cmocka_unit_test(test_abort),
        cmocka_unit_test(test_order),     cmocka_unit_test(test_shut_out),
        cmocka_unit_test(test_positions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
