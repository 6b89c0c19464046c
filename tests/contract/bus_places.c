/* Places over all partitions of a topic, over every backend; with several partitions where the
 * backend has them. */
#include <stdio.h>
#include <stdlib.h>

#include "bus/bus_places.h"
#include "contract/bus_fixture.h"

#define MESSAGES 300

/* Reads `n` messages, whatever their order between partitions; marks what was seen, never twice. */
static void read_some(struct bus_fixture *f, struct bus_reader *r, struct bus_places *places,
                      bool *seen, size_t n)
{
    const struct bus_msg *m;

    for (size_t got = 0; got < n;) {
        int k = poll_some(f, r, n - got, &m);
        for (int i = 0; i < k; i++, got++) {
            char text[24];
            snprintf(text, sizeof(text), "%.*s", (int)m[i].value_len, m[i].value);
            size_t v = strtoul(text, NULL, 10);
            assert_in_range(v, 1, MESSAGES);
            assert_false(seen[v]);
            seen[v] = true;
            bus_places_note(places, &m[i]);
        }
    }
}

/* What was read up to a place, and what is read from its text on, is everything once. */
static void a_place_goes_on_where_it_was(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_places places = BUS_PLACES_INIT, again = BUS_PLACES_INIT, high = BUS_PLACES_INIT;
    bool seen[MESSAGES + 1] = {false};
    struct buf text = BUF_INIT, same = BUF_INIT;
    uint64_t left;
    bool at_end;

    if (fixture_is("kafka") && !fixture_is_mock)
        assert_ok(f, bus_topic_ensure(f->bus, "t", 3, 1, &f->err));
    put_many(f, "t", 1, MESSAGES, true);
    struct bus_reader *r = bus_reader_open(f->bus, &f->err);
    assert_ok(f, bus_places_assign(f->bus, r, "t", &places, &f->err));
    read_some(f, r, &places, seen, 120);
    assert_ok(f, bus_places_count_after(f->bus, "t", &places, &left, &f->err));
    assert_int_equal(left, MESSAGES - 120);
    assert_ok(f, bus_places_at_end(f->bus, "t", &places, &at_end, &f->err));
    assert_false(at_end);
    bus_places_format(f->bus, &places, &text);
    bus_reader_close(r);

    assert_ok(f, bus_places_parse(f->bus, text.data, &again, &f->err));
    bus_places_format(f->bus, &again, &same);
    assert_string_equal(text.data, same.data);
    r = bus_reader_open(f->bus, &f->err);
    assert_ok(f, bus_places_assign(f->bus, r, "t", &again, &f->err));
    read_some(f, r, &again, seen, MESSAGES - 120);
    for (size_t i = 1; i <= MESSAGES; i++)
        assert_true(seen[i]);
    assert_ok(f, bus_places_at_end(f->bus, "t", &again, &at_end, &f->err));
    assert_true(at_end);
    assert_ok(f, bus_places_high(f->bus, "t", &high, &f->err));
    for (int32_t p = 0; p < high.n; p++)
        assert_int_equal(bus_pos_compare(f->bus, &high.pos[p], &again.pos[p]), 0);
    bus_reader_close(r);
    bus_places_release(&places);
    bus_places_release(&again);
    bus_places_release(&high);
    buf_release(&text);
    buf_release(&same);
}

/* A key always goes to the partition that bus_partition_of() names. */
static void keys_go_where_it_is_said(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;

    if (fixture_is("kafka") && !fixture_is_mock)
        assert_ok(f, bus_topic_ensure(f->bus, "t", 3, 1, &f->err));
    put_many(f, "t", 1, 100, true);
    struct bus_reader *r = bus_reader_open(f->bus, &f->err);
    assert_ok(f, bus_reader_assign(r, "t", -1, &BUS_POS_OLDEST, &f->err));
    for (size_t got = 0; got < 100;) {
        int n = poll_some(f, r, 100, &m);
        for (int i = 0; i < n; i++, got++)
            assert_int_equal(bus_partition_of(f->bus, "t", m[i].key, m[i].key_len, &f->err),
                             m[i].partition);
    }
    bus_reader_close(r);
}

/* Places are trimmed and lowered partition by partition; nonsense is refused. */
static void places_are_compared_by_partition(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_places a = BUS_PLACES_INIT, b = BUS_PLACES_INIT;
    struct buf text = BUF_INIT;

    bool offsets = fixture_is("kafka");
    assert_ok(f, bus_places_parse(f->bus, offsets ? "5,oldest,9" : "5-0,oldest,9-0", &a, &f->err));
    assert_ok(f, bus_places_parse(f->bus, offsets ? "7,3,8" : "7-0,3-0,8-0", &b, &f->err));
    bus_places_lower(f->bus, &a, &b);
    bus_places_format(f->bus, &a, &text);
    assert_string_equal(text.data, offsets ? "5,oldest,8" : "5-0,oldest,8-0");
    assert_int_equal(bus_places_parse(f->bus, "5,x", &a, &f->err), ERR_INVALID);
    assert_ok(f, bus_places_parse(f->bus, "", &a, &f->err));
    assert_int_equal(a.n, 0);
    buf_release(&text);
    bus_places_release(&a);
    bus_places_release(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bus_fixture_setup, bus_fixture_teardown)

static const struct CMUnitTest tests[] = {
    TEST(a_place_goes_on_where_it_was),
    TEST(keys_go_where_it_is_said),
    TEST(places_are_compared_by_partition),
};

int run_places_tests(void)
{
    return cmocka_run_group_tests_name("bus: places", tests, NULL, NULL);
}
