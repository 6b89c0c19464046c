/* The contract of store.h, over every backend. What only Redis can be put to is in store_redis.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/clock.h"
#include "contract/store_fixture.h"

#define GEN   "0123456789abcdef"
#define OTHER "fedcba9876543210"
#define HOUR  INT64_C(3600000)

/* ---- Opening and incarnations ---- */

/* Backends and tasks that cannot be are refused, with what there is. */
static void bad_options_are_refused(void **state)
{
    struct store_fixture *f = *state;
    struct store_options options = {.backend = "shoebox", .task = "t"};

    assert_null(store_open(&options, &f->err));
    assert_int_equal(f->err.code, ERR_INVALID);
    assert_non_null(strstr(f->err.text, "redis"));
    options = (struct store_options){
        .backend = store_fixture_backend, .url = "redis://localhost", .task = "a}b"};
    assert_null(store_open(&options, &f->err));
    assert_int_equal(f->err.code, ERR_INVALID);
    assert_ok(f, store_ping(f->st, &f->err));
}

/* An incarnation is made once; a second one is a conflict that names the first. */
static void an_incarnation_is_made_once(void **state)
{
    struct store_fixture *f = *state;
    struct store_fixture fresh = {.task = "never-seen"};
    char id[UUID_TEXT_LEN + 1], second[UUID_TEXT_LEN + 1];

    snprintf(fresh.task, sizeof(fresh.task), "fresh-%.20s", f->task);
    struct store *st = store_fixture_open(&fresh);
    assert_int_equal(store_incarnation(st, id, &f->err), ERR_NOT_FOUND);
    store_close(st);

    uuid_new(second);
    assert_ok(f, store_incarnation(f->other, id, &f->err));
    assert_string_equal(id, f->id);
    assert_ok(f, store_incarnation_create(f->other, f->id, &f->err));
    assert_int_equal(store_incarnation_create(f->other, second, &f->err), ERR_CONFLICT);
    assert_non_null(strstr(f->err.text, f->id));
    assert_int_equal(store_incarnation_create(f->other, "not-a-uuid", &f->err), ERR_INVALID);
    assert_ok(f, store_incarnation(f->st, id, &f->err));
    assert_string_equal(id, f->id);
}

/* The prefix is that of the bound incarnation. */
static void the_prefix_names_task_and_incarnation(void **state)
{
    struct store_fixture *f = *state;
    char want[128];

    snprintf(want, sizeof(want), "oxbow:{%s}:%s:", f->task, f->id);
    assert_string_equal(store_prefix(f->st), want);
}

/* After a new incarnation was made the bound one is refused, naming both; nothing is published into
 * it. */
static void a_replaced_incarnation_is_refused(void **state)
{
    struct store_fixture *f = *state;
    char id[UUID_TEXT_LEN + 1];

    assert_ok(f, store_check(f->st, &f->err));
    uuid_new(id);
    assert_ok(f, store_incarnation_replace(f->other, id, &f->err));
    assert_int_equal(store_check(f->st, &f->err), ERR_REFUSED);
    assert_non_null(strstr(f->err.text, f->id));
    assert_non_null(strstr(f->err.text, id));
    assert_int_equal(publish(f, GEN, 10, 'x', 10, true), ERR_REFUSED);
    store_bind(f->st, id);
    assert_ok(f, store_check(f->st, &f->err));
}

/* Wiping deletes an old incarnation whole, and never the current one. */
static void wiping_spares_the_current(void **state)
{
    struct store_fixture *f = *state;
    char id[UUID_TEXT_LEN + 1];
    struct buf pos = BUF_INIT;
    uint64_t count;

    assert_ok(f, publish(f, GEN, 10, 'x', 10, true));
    assert_ok(f, store_floor_put(f->st, "learner", "queue", "1-0", 1, &f->err));
    assert_int_equal(store_wipe(f->st, f->id, &f->err), ERR_REFUSED);
    uuid_new(id);
    assert_ok(f, store_incarnation_replace(f->other, id, &f->err));
    store_bind(f->other, id);
    assert_ok(f, store_floor_put(f->other, "learner", "queue", "2-0", 2, &f->err));
    assert_ok(f, store_wipe(f->other, f->id, &f->err));
    assert_int_equal(store_floor_get(f->st, "learner", "queue", &pos, &count, &f->err),
                     ERR_NOT_FOUND);
    assert_int_equal(store_serving(f->st, MODEL, &pos, &f->err), ERR_NOT_FOUND);
    assert_ok(f, store_floor_get(f->other, "learner", "queue", &pos, &count, &f->err));
    assert_int_equal(count, 2);
    assert_ok(f, store_wipe(f->other, f->id, &f->err));
    buf_release(&pos);
}

/* ---- Leases ---- */

/* A lease that is held is refused, retriable, with its owner; the tokens of its holders grow. */
static void a_lease_has_one_holder(void **state)
{
    struct store_fixture *f = *state;
    uint64_t token = 0, second = 0;

    assert_ok(f, store_lease_take(f->st, "views", "views-1", 60000, &token, &f->err));
    assert_int_equal(store_lease_take(f->other, "views", "views-2", 60000, &second, &f->err),
                     ERR_CONFLICT);
    assert_true(f->err.retriable);
    assert_non_null(strstr(f->err.text, "views-1"));
    assert_int_equal(second, 0);
    assert_ok(f, store_lease_renew(f->st, "views", token, 60000, &f->err));
    assert_ok(f, store_lease_release(f->st, "views", token, &f->err));
    assert_ok(f, store_lease_take(f->other, "views", "views-2", 60000, &second, &f->err));
    assert_true(second > token);
    assert_int_equal(store_lease_renew(f->st, "views", token, 60000, &f->err), ERR_FENCED);
    assert_int_equal(store_lease_release(f->st, "views", token, &f->err), ERR_FENCED);
    assert_ok(f, store_lease_renew(f->other, "views", second, 60000, &f->err));
}

/* Takes "learner" for `other` as soon as it has run out. */
static uint64_t take_over(struct store_fixture *f)
{
    int64_t deadline = clock_mono_ms() + WAIT_MS;
    uint64_t token = 0;
    int rc;

    do {
        rc = store_lease_take(f->other, "learner", "learner-2", 60000, &token, &f->err);
    } while (rc == ERR_CONFLICT && clock_mono_ms() < deadline);
    assert_ok(f, rc);
    return token;
}

/* A lease that ran out is anybody's; its old holder is fenced from then on, in writes too. */
static void a_lease_that_ran_out_is_taken(void **state)
{
    struct store_fixture *f = *state;

    assert_ok(f, store_lease_renew(f->st, "learner", f->token, 30, &f->err));
    assert_ok(f, publish(f, GEN, 10, 'x', 10, false));
    assert_true(take_over(f) > f->token);
    assert_int_equal(publish(f, GEN, 11, 'x', 10, false), ERR_FENCED);
    assert_int_equal(store_lease_renew(f->st, "learner", f->token, 1000, &f->err), ERR_FENCED);
}

/* A lease that ran out and that nobody took is renewed, and its holder still writes. */
static void a_lease_that_nobody_took_is_renewed(void **state)
{
    struct store_fixture *f = *state;
    uint64_t token;

    assert_ok(f, store_lease_take(f->st, "probe", "p", 1, &token, &f->err));
    assert_ok(f, store_lease_renew(f->st, "learner", f->token, 1, &f->err));
    /* Both run out at about the same time; the probe shows when. */
    while (store_lease_take(f->other, "probe", "q", 1, &token, &f->err))
        assert_int_equal(f->err.code, ERR_CONFLICT);
    assert_ok(f, publish(f, GEN, 10, 'x', 10, false));
    assert_ok(f, store_lease_renew(f->st, "learner", f->token, 60000, &f->err));
    assert_ok(f, publish(f, GEN, 11, 'x', 10, false));
}

/* A lease that was released or never taken lets nobody write. */
static void without_a_lease_nothing_is_written(void **state)
{
    struct store_fixture *f = *state;
    uint64_t token = f->token;

    f->token = 7;
    assert_int_equal(publish(f, GEN, 10, 'x', 10, true), ERR_FENCED);
    f->token = token;
    assert_ok(f, store_lease_release(f->st, "learner", f->token, &f->err));
    assert_int_equal(publish(f, GEN, 10, 'x', 10, true), ERR_FENCED);
}

/* ---- Versions ---- */

/* What was published is what is read, by name and as the head of its generation. */
static void versions_come_as_they_were(void **state)
{
    struct store_fixture *f = *state;
    struct store_version v = {0};

    assert_int_equal(store_head(f->other, MODEL, GEN, &v, &f->err), ERR_NOT_FOUND);
    assert_ok(f, publish(f, GEN, 10, '\0', 1000, false));
    assert_ok(f, publish(f, GEN, 20, 'b', (size_t)16 << 20, false));
    assert_ok(f, store_version_get(f->other, MODEL, GEN "-10", &v, &f->err));
    assert_string_equal(v.model, MODEL);
    assert_string_equal(v.version, GEN "-10");
    assert_string_equal(v.generation, GEN);
    assert_string_equal(v.class_name, "linear_regression");
    assert_string_equal(v.parameters, "{\"l2\":0.1}");
    assert_string_equal(v.schema, "[\"a\",\"b\"]");
    assert_string_equal(v.parent, "");
    assert_string_equal(v.scores, "{\"mae\":1.5}");
    assert_string_equal(v.bus_pos, "17-0");
    assert_int_equal(v.start, 3);
    assert_int_equal(v.position, 10);
    assert_int_equal(v.learned, 6);
    assert_int_equal(v.skipped, 1);
    assert_int_equal(v.time_ms, 1700000000010);
    assert_int_equal(v.blob_len, 1000);
    assert_int_equal(v.checksum, XXH64(v.blob, v.blob_len, 0));
    store_version_release(&v);
    assert_ok(f, store_head(f->other, MODEL, GEN, &v, &f->err));
    assert_string_equal(v.version, GEN "-20");
    assert_int_equal(v.blob_len, (size_t)16 << 20);
    store_version_release(&v);
    assert_int_equal(store_version_get(f->other, MODEL, GEN "-15", &v, &f->err), ERR_NOT_FOUND);
    assert_non_null(strstr(f->err.text, GEN "-15"));
}

/* What is served changes only when asked for; until then there is none. */
static void serving_is_set_on_purpose(void **state)
{
    struct store_fixture *f = *state;
    struct buf name = BUF_INIT;

    assert_ok(f, publish(f, GEN, 10, 'x', 10, false));
    assert_int_equal(store_serving(f->other, MODEL, &name, &f->err), ERR_NOT_FOUND);
    assert_ok(f, publish(f, GEN, 10, 'x', 10, true));
    assert_ok(f, store_serving(f->other, MODEL, &name, &f->err));
    assert_string_equal(name.data, GEN "-10");
    buf_clear(&name);
    assert_ok(f, publish(f, OTHER, 5, 'x', 10, false));
    assert_ok(f, store_serving(f->other, MODEL, &name, &f->err));
    assert_string_equal(name.data, GEN "-10");
    buf_release(&name);
}

/* The same version always means the same bytes, and a generation does not go back. */
static void versions_are_write_once(void **state)
{
    struct store_fixture *f = *state;
    struct store_version *v;
    size_t n;

    assert_ok(f, publish(f, GEN, 10, 'x', 10, false));
    assert_ok(f, publish(f, GEN, 10, 'x', 10, false));
    assert_int_equal(publish(f, GEN, 10, 'y', 10, false), ERR_CONFLICT);
    assert_int_equal(publish(f, GEN, 9, 'x', 10, true), ERR_CONFLICT);
    assert_non_null(strstr(f->err.text, "10"));
    assert_ok(f, publish(f, GEN, 100, 'x', 10, false));
    assert_int_equal(publish(f, GEN, 99, 'x', 10, false), ERR_CONFLICT);
    assert_ok(f, publish(f, OTHER, 5, 'x', 10, false));
    assert_ok(f, store_versions(f->other, MODEL, &v, &n, &f->err));
    assert_int_equal(n, 3);
    store_versions_free(v, n);
}

/* A checksum that is not the blob's is refused before anything is written. */
static void a_wrong_checksum_is_refused(void **state)
{
    struct store_fixture *f = *state;
    char text[] = "x";
    struct store_version v = {.model = text,
                              .version = text,
                              .generation = text,
                              .class_name = text,
                              .parameters = text,
                              .schema = text,
                              .parent = text,
                              .scores = text,
                              .bus_pos = text,
                              .blob = text,
                              .blob_len = 1,
                              .checksum = 1};

    assert_int_equal(store_publish(f->st, "learner", f->token, &v, true, &f->err), ERR_INVALID);
}

/* Lists: all versions, oldest first, with their sizes and without blobs; models by name. */
static void lists_are_in_order(void **state)
{
    struct store_fixture *f = *state;
    struct buf names = BUF_INIT;
    struct store_version *v;
    size_t n;

    assert_ok(f, store_versions(f->other, MODEL, &v, &n, &f->err));
    assert_int_equal(n, 0);
    store_versions_free(v, n);
    assert_ok(f, store_models(f->other, &names, &f->err));
    assert_string_equal(names.data, "[]");
    buf_clear(&names);

    for (uint64_t i = 4; i < 30; i++)
        assert_ok(f, publish(f, i % 2 ? GEN : OTHER, i, 'x', i, false));
    assert_ok(f, store_versions(f->other, MODEL, &v, &n, &f->err));
    assert_int_equal(n, 26);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(v[i].position, i + 4);
        assert_int_equal(v[i].blob_len, i + 4);
        assert_null(v[i].blob);
    }
    store_versions_free(v, n);
    assert_ok(f, store_models(f->other, &names, &f->err));
    assert_string_equal(names.data, "[\"" MODEL "\"]");
    buf_release(&names);
}

static bool is_kept(const struct store_version *v, size_t n, const char *generation,
                    uint64_t position)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i].generation, generation) == 0 && v[i].position == position)
            return true;
    return false;
}

/* Pruning keeps the newest of each generation, one an hour of the last day, heads, and what is
 * served. */
static void pruning_keeps_what_it_says(void **state)
{
    struct store_fixture *f = *state;
    const int64_t start = 1700000000000 / HOUR * HOUR;
    struct store_version *v;
    size_t n;

    /* 48 hours, every 10 minutes; the 12th is served. */
    for (uint64_t i = 0; i < 288; i++) {
        publish_at(f, GEN, i + 10, start + (int64_t)i * HOUR / 6);
        if (i == 11)
            assert_ok(f, publish(f, OTHER, 7, 'x', 10, true));
    }
    assert_ok(f, store_prune(f->st, MODEL, 20, &f->err));
    assert_ok(f, store_versions(f->other, MODEL, &v, &n, &f->err));
    for (uint64_t i = 0; i < 288; i++) {
        bool newest = i >= 268;
        bool last_of_hour_of_the_day = i > 287 - 144 && i % 6 == 5;
        assert_int_equal(is_kept(v, n, GEN, i + 10), newest || last_of_hour_of_the_day);
    }
    assert_true(is_kept(v, n, OTHER, 7));
    store_versions_free(v, n);

    assert_ok(f, store_prune(f->st, MODEL, 0, &f->err));
    assert_ok(f, store_versions(f->other, MODEL, &v, &n, &f->err));
    assert_true(is_kept(v, n, GEN, 297));
    assert_true(is_kept(v, n, OTHER, 7));
    assert_int_equal(n, 25);
    store_versions_free(v, n);
}

/* ---- Floors ---- */

/* A floor is what was put last for that reader and topic. */
static void floors_are_kept(void **state)
{
    struct store_fixture *f = *state;
    struct buf pos = BUF_INIT;
    uint64_t count = 0;

    assert_int_equal(store_floor_get(f->st, "views", "a", &pos, &count, &f->err), ERR_NOT_FOUND);
    assert_ok(f, store_floor_put(f->st, "views", "a", "5-1", 17, &f->err));
    assert_ok(f, store_floor_put(f->st, "views", "b", "oldest", UINT64_MAX, &f->err));
    assert_ok(f, store_floor_put(f->st, "views", "a", "6-0", 18, &f->err));
    assert_ok(f, store_floor_get(f->other, "views", "a", &pos, &count, &f->err));
    assert_string_equal(pos.data, "6-0");
    assert_int_equal(count, 18);
    buf_clear(&pos);
    assert_ok(f, store_floor_get(f->other, "views", "b", &pos, &count, &f->err));
    assert_string_equal(pos.data, "oldest");
    assert_true(count == UINT64_MAX);
    buf_release(&pos);
}

/* ---- Heartbeats ---- */

/* Heartbeats are shown until they run out; what is no JSON object is refused. */
static void heartbeats_run_out(void **state)
{
    struct store_fixture *f = *state;
    int64_t deadline = clock_mono_ms() + WAIT_MS;
    struct buf all = BUF_INIT;

    assert_ok(f, store_heartbeats(f->other, &all, &f->err));
    assert_string_equal(all.data, "{}");
    buf_clear(&all);
    assert_ok(f, store_heartbeat_put(f->st, "views-1", "{\"a\":0}", 60000, &f->err));
    assert_ok(f, store_heartbeat_put(f->st, "views-1", "{\"a\":1}", 60000, &f->err));
    assert_ok(f, store_heartbeat_put(f->st, "learner-1", "{}", 60000, &f->err));
    assert_ok(f, store_heartbeats(f->other, &all, &f->err));
    assert_string_equal(all.data, "{\"learner-1\":{},\"views-1\":{\"a\":1}}");
    assert_ok(f, store_heartbeat_put(f->st, "learner-1", "{}", 1, &f->err));
    do {
        buf_clear(&all);
        assert_ok(f, store_heartbeats(f->other, &all, &f->err));
    } while (strstr(all.data, "learner") && clock_mono_ms() < deadline);
    assert_string_equal(all.data, "{\"views-1\":{\"a\":1}}");
    assert_int_equal(store_heartbeat_put(f->st, "x", "[]", 1000, &f->err), ERR_INVALID);
    assert_int_equal(store_heartbeat_put(f->st, "x", "{", 1000, &f->err), ERR_INVALID);
    buf_release(&all);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)

static const struct CMUnitTest tests[] = {
    TEST(bad_options_are_refused),
    TEST(an_incarnation_is_made_once),
    TEST(the_prefix_names_task_and_incarnation),
    TEST(a_replaced_incarnation_is_refused),
    TEST(wiping_spares_the_current),
    TEST(a_lease_has_one_holder),
    TEST(a_lease_that_ran_out_is_taken),
    TEST(a_lease_that_nobody_took_is_renewed),
    TEST(without_a_lease_nothing_is_written),
    TEST(versions_come_as_they_were),
    TEST(serving_is_set_on_purpose),
    TEST(versions_are_write_once),
    TEST(a_wrong_checksum_is_refused),
    TEST(lists_are_in_order),
    TEST(pruning_keeps_what_it_says),
    TEST(floors_are_kept),
    TEST(heartbeats_run_out),
};

int main(void)
{
    store_fixture_backend = "memory";
    int failed = cmocka_run_group_tests_name("store on memory", tests, NULL, NULL);
    if (!redis_server_available())
        return failed ? 1 : 77;

    store_fixture_backend = "redis";
    redis_server_start(&store_fixture_server, "appendfsync always");
    failed += cmocka_run_group_tests_name("store on redis", tests, NULL, NULL);
    failed += run_store_redis_tests();
    redis_server_stop(&store_fixture_server);
    return failed ? 1 : 0;
}
