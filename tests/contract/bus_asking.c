/* The contract of bus.h, over every backend: trimming, asking, and positions. */
#include <stdio.h>
#include <stdlib.h>

#include "contract/bus_fixture.h"

/* ---- Trimming ---- */

/* A reader whose next entries were trimmed is told, at the assign and at the poll; oldest accepts
 * the loss. */
static void trimmed_entries_are_never_skipped_silently(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;

    REQUIRE_ADMIN();
    put_many(f, "t", 1, 1000, true);
    put_many(f, "other", 0, 10, false);
    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);
    expect_values(f, r, 1, 100);
    struct bus_reader *fresh = reader_at(f, "t", BUS_POS_OLDEST);
    /* Nothing is fetched ahead of a pause. */
    assert_ok(f, bus_reader_pause(fresh, "t", true, &f->err));

    struct bus_pos upto = pos_behind(f, 500);
    assert_ok(f, bus_trim(f->bus, "t", 0, &upto, &f->err));
    struct bus_pos at = pos_behind(f, 100);
    assert_int_equal(bus_reader_assign(r, "t", 0, &at, &f->err), ERR_TRIMMED);
    struct bus_pos before = pos_behind(f, 499);
    assert_int_equal(bus_reader_assign(r, "t", 0, &before, &f->err), ERR_TRIMMED);
    assert_ok(f, bus_reader_assign(r, "t", 0, &upto, &f->err));
    expect_values(f, r, 501, 3);
    assert_ok(f, bus_reader_assign(r, "t", 0, &BUS_POS_OLDEST, &f->err));
    expect_values(f, r, 501, 500);

    /* One that has read nothing yet loses nothing that it was promised. */
    assert_ok(f, bus_reader_pause(fresh, "t", false, &f->err));
    expect_values(f, fresh, 501, 5);
    assert_ok(f, bus_reader_pause(fresh, "t", true, &f->err));
    upto = pos_behind(f, 900);
    assert_ok(f, bus_trim(f->bus, "t", 0, &upto, &f->err));
    assert_ok(f, bus_reader_pause(fresh, "t", false, &f->err));
    int rc = 1;
    while (rc > 0)
        rc = bus_poll(fresh, 1, WAIT_MS, &m, &f->err);
    assert_int_equal(rc, ERR_TRIMMED);
    assert_non_null(strstr(f->err.text, "t"));
    assert_int_equal(bus_poll(fresh, 1, 0, &m, &f->err), ERR_TRIMMED);
    assert_ok(f, bus_reader_assign(fresh, "t", 0, &BUS_POS_OLDEST, &f->err));
    expect_values(f, fresh, 901, 100);
    bus_reader_close(fresh);
    bus_reader_close(r);
}

/* The newest message stays, whatever is trimmed; a trim that removes nothing tells nobody. */
static void the_newest_message_stays(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_marks marks;
    struct bus_pos zero;

    REQUIRE_ADMIN();

    assert_ok(f, bus_trim(f->bus, "t", 0, &BUS_POS_NEWEST, &f->err));
    put_many(f, "t", 1, 10, true);
    assert_ok(f, bus_trim(f->bus, "t", 0, &BUS_POS_OLDEST, &f->err));
    assert_ok(f, bus_pos_parse(f->bus, fixture_is("kafka") ? "0" : "0-1", &zero, &f->err));
    struct bus_reader *r = reader_at(f, "t", zero);
    expect_values(f, r, 1, 10);
    assert_ok(f, bus_trim(f->bus, "t", 0, &BUS_POS_NEWEST, &f->err));
    assert_ok(f, bus_trim(f->bus, "t", 0, &BUS_POS_NEWEST, &f->err));
    assert_ok(f, bus_marks(f->bus, "t", 0, &marks, &f->err));
    assert_int_equal(marks.kept, 1);
    assert_int_equal(marks.added, bus_can(f->bus, BUS_COUNTS) ? 10 : 0);
    bus_reader_close(r);
    r = reader_at(f, "t", marks.low);
    expect_values(f, r, 10, 1);
    bus_reader_close(r);
}

/* ---- Asking ---- */

/* Marks: all zero without a topic; low gives the oldest kept message, high nothing; added counts
 * for ever. */
static void marks_tell_both_ends(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_marks marks, zero = {0};
    const struct bus_msg *m;

    if (!fixture_is_mock) { /* which makes every topic that is asked about */
        assert_ok(f, bus_marks(f->bus, "none", 0, &marks, &f->err));
        assert_memory_equal(&marks, &zero, sizeof(zero));
    }
    put_many(f, "t", 0, 20, false);
    assert_ok(f, bus_marks(f->bus, "t", 0, &marks, &f->err));
    assert_int_equal(marks.kept, 20);
    assert_int_equal(marks.added, bus_can(f->bus, BUS_COUNTS) ? 20 : 0);
    assert_int_equal(bus_pos_compare(f->bus, &marks.high, &f->told.last_pos), 0);
    assert_true(bus_pos_compare(f->bus, &marks.low, &marks.high) < 0);
    struct bus_reader *r = reader_at(f, "t", marks.low);
    expect_values(f, r, 0, 20);
    assert_ok(f, bus_reader_assign(r, "t", 0, &marks.high, &f->err));
    assert_int_equal(bus_poll(r, 10, 10, &m, &f->err), 0);
    bus_reader_close(r);
}

/* How many kept messages lie after a position, however the stream is numbered. */
static void counting_is_exact(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;
    uint64_t n;

    assert_ok(f, bus_count_after(f->bus, "t", 0, &BUS_POS_OLDEST, &n, &f->err));
    assert_int_equal(n, 0);
    put_many(f, "numbered", 1, 3000, true);
    put_many(f, "plain", 0, 2500, false);
    struct bus_pos pos = pos_behind(f, 1000);
    assert_ok(f, bus_count_after(f->bus, "numbered", 0, &pos, &n, &f->err));
    assert_int_equal(n, 2000);
    if (!fixture_is_mock)
        assert_ok(f, bus_trim(f->bus, "numbered", 0, &pos, &f->err));
    else
        put_many(f, "u", 1, 2000, true);
    assert_ok(f, bus_count_after(f->bus, fixture_is_mock ? "u" : "numbered", 0, &BUS_POS_OLDEST, &n,
                                 &f->err));
    assert_int_equal(n, 2000);
    struct bus_reader *r = reader_at(f, "plain", BUS_POS_OLDEST);
    assert_int_equal(poll_some(f, r, 100, &m), 100);
    pos = m[99].pos;
    assert_ok(f, bus_count_after(f->bus, "plain", 0, &pos, &n, &f->err));
    assert_int_equal(n, 2400);
    assert_ok(f, bus_count_after(f->bus, "plain", 0, &BUS_POS_NEWEST, &n, &f->err));
    assert_int_equal(n, 0);
    bus_reader_close(r);
}

/* The newest message, whole; ERR_NOT_FOUND without one. */
static void last_is_the_newest(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_msg m;

    assert_int_equal(bus_last(f->bus, "t", 0, &m, &f->err), ERR_NOT_FOUND);
    put_many(f, "t", 1, 9, true);
    assert_ok(f, bus_last(f->bus, "t", 0, &m, &f->err));
    assert_string_equal(m.topic, "t");
    assert_value(&m, "9");
    assert_int_equal(bus_pos_compare(f->bus, &m.pos, &f->told.last_pos), 0);
}

/* Ensuring a topic changes nothing that is there; deleting it takes messages and groups. */
static void topics_are_made_and_deleted(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_marks marks;
    struct bus_pos floor;
    const char *topic = "t";
    const struct bus_msg *m;

    REQUIRE_ADMIN();
    assert_ok(f, bus_topic_ensure(f->bus, "t", 0, 0, &f->err));
    put_many(f, "t", 0, 5, false);
    assert_ok(f, bus_topic_ensure(f->bus, "t", 1, -1, &f->err));
    if (!fixture_is("kafka"))
        assert_int_equal(bus_topic_ensure(f->bus, "t", 4, 0, &f->err), ERR_UNSUPPORTED);
    assert_ok(f, bus_marks(f->bus, "t", 0, &marks, &f->err));
    assert_int_equal(marks.kept, 5);
    struct bus_reader *g = bus_group_join(f->bus, "g", "m", &topic, 1, 0, NULL, NULL, &f->err);
    assert_int_equal(poll_some(f, g, 10, &m), 5);
    bus_reader_close(g);
    assert_ok(f, bus_topic_delete(f->bus, "t", &f->err));
    assert_ok(f, bus_marks(f->bus, "t", 0, &marks, &f->err));
    assert_int_equal(marks.kept, 0);
    assert_int_equal(bus_group_floor(f->bus, "g", "t", 0, &floor, &f->err), ERR_NOT_FOUND);
    assert_ok(f, bus_topic_delete(f->bus, "t", &f->err));
}

/* Positions: ordered, and the same after being written and read; what is no position is refused. */
static void positions_are_spelled_and_ordered(void **state)
{
    struct bus_fixture *f = *state;
    static const char *const ids[] = {"oldest", "0-1", "5-0", "5-1", "1700000000000-3", "newest"};
    static const char *const offsets[] = {"oldest", "0", "5", "256", "1700000000000", "newest"};
    static const char *const bad_ids[] = {
        "", "x", "5-", "-1", "5-1-2", " 5-1", "99999999999999999999-1"};
    static const char *const bad_offsets[] = {
        "", "x", "5-", "-1", "5-1", " 5", "99999999999999999999"};
    const char *const *texts = fixture_is("kafka") ? offsets : ids;
    const char *const *bad = fixture_is("kafka") ? bad_offsets : bad_ids;
    struct bus_pos pos[6];

    for (size_t i = 0; i < 6; i++) {
        struct buf text = BUF_INIT;
        assert_ok(f, bus_pos_parse(f->bus, texts[i], &pos[i], &f->err));
        bus_pos_format(f->bus, &pos[i], &text);
        assert_string_equal(text.data, texts[i]);
        buf_release(&text);
        for (size_t k = 0; k <= i; k++) {
            int order = bus_pos_compare(f->bus, &pos[k], &pos[i]);
            assert_true(k < i ? order < 0 : order == 0);
            order = bus_pos_compare(f->bus, &pos[i], &pos[k]);
            assert_true(k < i ? order > 0 : order == 0);
        }
    }
    for (size_t i = 0; i < sizeof(bad_ids) / sizeof(bad_ids[0]); i++)
        assert_int_equal(bus_pos_parse(f->bus, bad[i], &pos[0], &f->err), ERR_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bus_fixture_setup, bus_fixture_teardown)

static const struct CMUnitTest tests[] = {
    TEST(trimmed_entries_are_never_skipped_silently),
    TEST(the_newest_message_stays),
    TEST(marks_tell_both_ends),
    TEST(counting_is_exact),
    TEST(last_is_the_newest),
    TEST(topics_are_made_and_deleted),
    TEST(positions_are_spelled_and_ordered),
};

int run_asking_tests(void)
{
    return cmocka_run_group_tests_name("bus: trimming and asking", tests, NULL, NULL);
}
