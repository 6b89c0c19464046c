/* The contract of bus.h, over every backend: members of groups. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "contract/bus_fixture.h"

#define SHORT_IDLE_MS 50

static const char *const topic = "t";

static struct bus_reader *join(struct bus_fixture *f, const char *member, int claim_idle_ms)
{
    struct bus_reader *r =
        bus_group_join(f->bus, "g", member, &topic, 1, claim_idle_ms, NULL, NULL, &f->err);

    if (!r)
        fail_msg("bus_group_join: %s", f->err.text);
    return r;
}

/* Has the group committed everything up to the position of value "<n>" of put_many()? */
static bool is_floor_at(struct bus_fixture *f, size_t n)
{
    struct bus_pos floor, want = pos_behind(f, n);
    int rc = bus_group_floor(f->bus, "g", topic, 0, &floor, &f->err);

    if (rc == ERR_NOT_FOUND)
        return false;
    assert_ok(f, rc);
    return bus_pos_compare(f->bus, &floor, &want) == 0;
}

static void wait_for_floor(struct bus_fixture *f, size_t n)
{
    int64_t deadline = clock_mono_ms() + WAIT_MS;

    while (!is_floor_at(f, n))
        if (clock_mono_ms() > deadline)
            fail_msg("the floor does not come to %zu", n);
}

static bool counts_deliveries(void)
{
    return !fixture_is("kafka");
}

struct events {
    int assigned;
    int others;
    char topic[16];
};

static void note_event(void *ctx, enum bus_group_event event, const char *name, int32_t partition)
{
    struct events *events = ctx;

    (void)partition;
    if (event == BUS_ASSIGNED)
        events->assigned++;
    else
        events->others++;
    snprintf(events->topic, sizeof(events->topic), "%s", name);
}

/* A new group starts at the oldest message, and its member is told what it was given before the
 * first message. */
static void a_new_group_starts_at_the_oldest(void **state)
{
    struct bus_fixture *f = *state;
    struct events events = {0};
    const struct bus_msg *m;

    put_many(f, topic, 1, 10, true);
    struct bus_reader *r =
        bus_group_join(f->bus, "g", "one", &topic, 1, 0, note_event, &events, &f->err);
    assert_non_null(r);
    expect_values(f, r, 1, 10);
    assert_int_equal(events.assigned, 1);
    assert_int_equal(events.others, 0);
    assert_string_equal(events.topic, topic);
    assert_int_equal(bus_poll(r, 10, 10, &m, &f->err), 0);
    put_many(f, topic, 11, 1, true);
    expect_values(f, r, 11, 1);
    assert_int_equal(bus_reader_assign(r, topic, 0, &BUS_POS_OLDEST, &f->err), ERR_INVALID);
    assert_int_equal(bus_reader_pause(r, topic, true, &f->err), ERR_INVALID);
    bus_reader_close(r);
}

/* Each message goes to one member. */
static void members_share_the_messages(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_reader *members[2] = {join(f, "one", 0), join(f, "two", 0)};
    bool seen[301] = {false};
    bool is_again = false; /* a commit in mid-rebalance may be a conflict: then some come again */
    const struct bus_msg *m;
    size_t total = 0;
    int64_t deadline = clock_mono_ms() + 3 * WAIT_MS; /* a rebalance takes heartbeats */

    put_many(f, topic, 1, 300, true);
    while (total < 300 || !is_floor_at(f, 300)) {
        assert_true(clock_mono_ms() < deadline);
        for (int i = 0; i < 2; i++) {
            int n = bus_poll(members[i], 10, 0, &m, &f->err);
            assert_true(n >= 0);
            for (int k = 0; k < n; k++) {
                char text[24];
                snprintf(text, sizeof(text), "%.*s", (int)m[k].value_len, m[k].value);
                int v = atoi(text);
                assert_in_range(v, 1, 300);
                assert_true(!seen[v] || is_again);
                total += !seen[v];
                seen[v] = true;
            }
            int rc = bus_commit(members[i], &f->err);
            assert_true(rc == 0 || (rc == ERR_CONFLICT && fixture_is("kafka")));
            is_again = is_again || rc != 0;
        }
    }
    bus_reader_close(members[0]);
    bus_reader_close(members[1]);
}

/* A member may leave at any moment: before it has joined, while it joins, before it has anything.
 */
static void members_may_leave_at_once(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_reader *stays = join(f, "stays", 0);
    const struct bus_msg *m;

    put_many(f, topic, 1, 3, true);
    expect_values(f, stays, 1, 3);
    for (int i = 0; i < 12; i++) {
        struct bus_reader *goes = join(f, "goes", 0);
        const int64_t until_ms = clock_mono_ms() + 3 * (int64_t)i;

        do {
            assert_int_equal(bus_poll(stays, 10, 1, &m, &f->err), 0);
        } while (clock_mono_ms() < until_ms);
        bus_reader_close(goes);
    }
    bus_reader_close(stays);
}

/* What is committed does not come again, and the floor is where everything before is committed. */
static void committed_messages_stay_away(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;
    struct bus_pos floor, before;

    assert_int_equal(bus_group_floor(f->bus, "g", topic, 0, &floor, &f->err), ERR_NOT_FOUND);
    put_many(f, topic, 1, 10, true);
    assert_int_equal(bus_group_floor(f->bus, "g", topic, 0, &floor, &f->err), ERR_NOT_FOUND);
    struct bus_reader *r = join(f, "one", 0);
    assert_int_equal(poll_some(f, r, 4, &m), 4);
    if (fixture_is("kafka")) {
        assert_int_equal(bus_group_floor(f->bus, "g", topic, 0, &floor, &f->err), ERR_NOT_FOUND);
    } else {
        assert_ok(f, bus_group_floor(f->bus, "g", topic, 0, &floor, &f->err));
        assert_ok(f, bus_pos_parse(f->bus, "0-18446744073709551615", &before, &f->err));
        assert_int_equal(bus_pos_compare(f->bus, &floor, &before), 0);
    }
    assert_ok(f, bus_commit(r, &f->err));
    assert_ok(f, bus_commit(r, &f->err));
    bus_reader_close(r);
    r = join(f, "one", 0);
    expect_values(f, r, 5, 6);
    if (!fixture_is("kafka")) { /* they are handed out, and not committed */
        uint64_t left;
        assert_ok(f, bus_group_floor(f->bus, "g", topic, 0, &floor, &f->err));
        assert_ok(f, bus_count_after(f->bus, topic, 0, &floor, &left, &f->err));
        assert_int_equal(left, 6);
    }
    assert_ok(f, bus_commit(r, &f->err));
    wait_for_floor(f, 10);
    bus_reader_close(r);
}

/* A member that comes back gets its own uncommitted messages first, with the count of earlier
 * deliveries. */
static void own_uncommitted_messages_come_first(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;
    struct bus_reader *r = join(f, "one", 0);

    put_many(f, topic, 1, 3, true);
    expect_values(f, r, 1, 3);
    bus_reader_close(r);
    const uint32_t lives = fixture_is_mock ? 1 : 5; /* a rebalance takes it three seconds */
    for (uint32_t life = 1; life <= lives; life++) {
        r = join(f, "one", 0);
        put_many(f, topic, 3 + life, 1, true);
        assert_int_equal(poll_some(f, r, 1, &m), 1);
        assert_value(m, "1");
        assert_true(counts_deliveries() ? m->deliveries >= life : !m->deliveries);
        assert_int_equal(poll_some(f, r, 2, &m), 2);
        assert_value(&m[0], "2");
        assert_true(!counts_deliveries() || m[1].deliveries >= life);
        bus_reader_close(r);
    }
    r = join(f, "one", 0);
    expect_values(f, r, 1, 3 + lives);
    assert_ok(f, bus_commit(r, &f->err));
    wait_for_floor(f, 3 + lives);
    bus_reader_close(r);
}

/* What a dead member left uncommitted is taken over by another, once it was left long enough. */
static void left_messages_are_claimed(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_reader *dead = join(f, "dead", 0);
    const struct bus_msg *m;

    put_many(f, topic, 1, 5, true);
    expect_values(f, dead, 1, 5);
    struct bus_reader *other = join(f, "other", SHORT_IDLE_MS);
    bus_reader_close(dead);
    put_many(f, topic, 6, 1, true);
    bool seen[7] = {false};
    for (size_t got = 0; got < 6;) {
        int n = poll_some(f, other, 2, &m);
        for (int i = 0; i < n; i++) {
            int v = m[i].value[0] - '0';
            assert_in_range(v, 1, 6);
            assert_false(seen[v]);
            seen[v] = true;
            if (v < 6 && counts_deliveries())
                assert_true(m[i].deliveries >= 1);
            got++;
        }
    }
    assert_ok(f, bus_commit(other, &f->err));
    wait_for_floor(f, 6);
    bus_reader_close(other);
}

/* A member that works for longer than the others wait does not claim its own messages. */
static void a_slow_member_does_not_claim_from_itself(void **state)
{
    struct bus_fixture *f = *state;
    struct bus_reader *r = join(f, "slow", SHORT_IDLE_MS);
    const struct bus_msg *m;
    int64_t until;

    put_many(f, topic, 1, 3, true);
    expect_values(f, r, 1, 3);
    until = clock_mono_ms() + 4 * SHORT_IDLE_MS;
    while (clock_mono_ms() < until)
        assert_int_equal(bus_poll(r, 10, SHORT_IDLE_MS, &m, &f->err), 0);
    assert_ok(f, bus_commit(r, &f->err));
    wait_for_floor(f, 3);
    bus_reader_close(r);
}

/* A commit of messages that another member took over and committed meanwhile is answered with
 * ERR_CONFLICT. */
static void committing_what_was_taken_is_a_conflict(void **state)
{
    struct bus_fixture *f = *state;
    if (fixture_is("kafka"))
        skip(); /* a member that is heard of keeps its partitions: see bus_kafka.c */
    struct bus_reader *slow = join(f, "slow", 0);
    struct bus_reader *fast = join(f, "fast", SHORT_IDLE_MS);
    int64_t deadline = clock_mono_ms() + WAIT_MS;
    int rc = 0;

    put_many(f, topic, 1, 3, true);
    expect_values(f, slow, 1, 3);
    expect_values(f, fast, 1, 3);
    assert_ok(f, bus_commit(fast, &f->err));
    wait_for_floor(f, 3);
    /* The answer may come with a later commit than the one that caused it. */
    while (!rc && clock_mono_ms() < deadline)
        rc = bus_commit(slow, &f->err);
    assert_int_equal(rc, ERR_CONFLICT);
    assert_ok(f, bus_commit(slow, &f->err));
    bus_reader_close(slow);
    bus_reader_close(fast);
}

/* Several topics, more messages than `max`: all are handed out, and at most `max` of a topic at
 * once. */
static void max_holds_in_groups(void **state)
{
    struct bus_fixture *f = *state;
    static const char *const topics[] = {"a", "b"};
    size_t next[2] = {0, 0};
    const struct bus_msg *m;

    put_many(f, "a", 0, 100, false);
    put_many(f, "b", 0, 50, false);
    struct bus_reader *r = bus_group_join(f->bus, "g", "m", topics, 2, 0, NULL, NULL, &f->err);
    for (size_t max = 40; next[0] + next[1]<150; max = max> 9 ? max - 9 : 2) {
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
        assert_ok(f, bus_commit(r, &f->err));
    }
    bus_reader_close(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bus_fixture_setup, bus_fixture_teardown)

static const struct CMUnitTest tests[] = {
    TEST(a_new_group_starts_at_the_oldest),
    TEST(members_share_the_messages),
    TEST(members_may_leave_at_once),
    TEST(committed_messages_stay_away),
    TEST(own_uncommitted_messages_come_first),
    TEST(left_messages_are_claimed),
    TEST(a_slow_member_does_not_claim_from_itself),
    TEST(committing_what_was_taken_is_a_conflict),
    TEST(max_holds_in_groups),
};

int run_member_tests(void)
{
    return cmocka_run_group_tests_name("bus: groups", tests, NULL, NULL);
}
