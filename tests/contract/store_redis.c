/* What the store promises about Redis alone: stored bytes that changed, wiping, and a server that
 * dies. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "contract/store_fixture.h"

#define GEN "0123456789abcdef"

/* Sends a command to the server and returns the integer that it answers, if it is one. */
static long long redis_do(const char *format, ...)
{
    redisContext *c = redisConnectUnix(store_fixture_server.url + strlen("unix://"));
    va_list ap;

    va_start(ap, format);
    redisReply *reply = c && !c->err ? redisvCommand(c, format, ap) : NULL;
    va_end(ap);
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        fail_msg("redis: %s", reply ? reply->str : "no reply");
    long long n = reply->type == REDIS_REPLY_ARRAY ? (long long)reply->elements : reply->integer;
    freeReplyObject(reply);
    redisFree(c);
    return n;
}

static void expect_corrupt(struct store_fixture *f)
{
    struct store_version v = {0};

    assert_int_equal(store_version_get(f->other, MODEL, GEN "-10", &v, &f->err), ERR_CORRUPT);
    assert_non_null(strstr(f->err.text, GEN "-10"));
    assert_null(v.blob);
    assert_int_equal(store_head(f->other, MODEL, GEN, &v, &f->err), ERR_CORRUPT);
}

/* Stored bytes that changed are refused by name: the blob, its length, a number, a field that is
 * gone, another's record. */
static void tampered_versions_are_corrupt(void **state)
{
    struct store_fixture *f = *state;
    struct store_version v = {0};
    char key[200];

    assert_ok(f, publish(f, GEN, 10, 'x', 10, true));
    snprintf(key, sizeof(key), "%sstore:version:%s:%s-10", store_prefix(f->st), MODEL, GEN);
    redis_do("HSET %s blob xxxxxxxxxy", key);
    expect_corrupt(f);
    redis_do("HSET %s blob xxxxxxxxx", key);
    expect_corrupt(f);
    redis_do("HSET %s blob xxxxxxxxxx", key);
    assert_ok(f, store_version_get(f->other, MODEL, GEN "-10", &v, &f->err));
    store_version_release(&v);
    redis_do("HSET %s learned 6x", key);
    expect_corrupt(f);
    redis_do("HSET %s learned -6", key);
    expect_corrupt(f);
    redis_do("HSET %s learned 6 version other", key);
    expect_corrupt(f);
    redis_do("HDEL %s version", key);
    expect_corrupt(f);
    redis_do("DEL %s", key);
    assert_int_equal(store_head(f->other, MODEL, GEN, &v, &f->err), ERR_CORRUPT);
    assert_int_equal(store_version_get(f->other, MODEL, GEN "-10", &v, &f->err), ERR_NOT_FOUND);
}

/* An incarnation that is no UUID is corrupt; one that is gone is refused with what to do. */
static void a_lost_incarnation_is_refused(void **state)
{
    struct store_fixture *f = *state;
    char id[UUID_TEXT_LEN + 1];

    redis_do("SET oxbow:{%s}:incarnation nonsense", f->task);
    assert_int_equal(store_incarnation(f->st, id, &f->err), ERR_CORRUPT);
    redis_do("DEL oxbow:{%s}:incarnation", f->task);
    assert_int_equal(store_check(f->st, &f->err), ERR_REFUSED);
    assert_non_null(strstr(f->err.text, "--fresh"));
}

/* Wiping finds every key of the old incarnation, thousands of them, and no other. */
static void wiping_finds_every_key(void **state)
{
    struct store_fixture *f = *state;
    char id[UUID_TEXT_LEN + 1];

    for (int i = 0; i < 3500; i++)
        redis_do("SET %skey-%d 1", store_prefix(f->st), i);
    redis_do("SET oxbow:{%s2}:%s:key 1", f->task, f->id);
    uuid_new(id);
    assert_ok(f, store_incarnation_replace(f->st, id, &f->err));
    assert_ok(f, store_wipe(f->st, f->id, &f->err));
    assert_int_equal(redis_do("KEYS %s*", store_prefix(f->st)), 0);
    assert_int_equal(redis_do("KEYS oxbow:{%s*}:%s:*", f->task, f->id), 1);
    assert_int_equal(redis_do("EXISTS oxbow:{%s}:incarnation", f->task), 1);
}

/* The server dies and comes back: one call is told, the next works; what was acknowledged is there.
 */
static void a_restarted_server_is_found_again(void **state)
{
    struct store_fixture *f = *state;
    struct store_version v = {0};

    assert_ok(f, publish(f, GEN, 10, 'x', 10, true));
    assert_ok(f, store_ping(f->other, &f->err));
    redis_server_kill(&store_fixture_server);
    assert_int_equal(store_ping(f->st, &f->err), ERR_DISCONNECTED);
    assert_true(f->err.retriable);
    assert_int_equal(publish(f, GEN, 11, 'x', 10, true), ERR_DISCONNECTED);
    redis_server_restart(&store_fixture_server);
    assert_ok(f, store_ping(f->st, &f->err));
    /* The restarted server has forgotten the script and remembers the lease. */
    assert_ok(f, publish(f, GEN, 12, 'x', 10, true));
    assert_int_equal(store_ping(f->other, &f->err), ERR_DISCONNECTED);
    assert_ok(f, store_head(f->other, MODEL, GEN, &v, &f->err));
    assert_int_equal(v.position, 12);
    store_version_release(&v);
    assert_ok(f, store_version_get(f->other, MODEL, GEN "-10", &v, &f->err));
    store_version_release(&v);
}

/* A server that forgot who took the lease: the holder is renewed, since nobody has taken it after
 * him. */
static void a_forgotten_lease_is_renewed(void **state)
{
    struct store_fixture *f = *state;
    uint64_t token;

    redis_do("DEL %sstore:leases %sstore:lease:learner", store_prefix(f->st), store_prefix(f->st));
    assert_int_equal(publish(f, GEN, 10, 'x', 10, true), ERR_FENCED);
    assert_ok(f, store_lease_renew(f->st, "learner", f->token, 60000, &f->err));
    assert_ok(f, publish(f, GEN, 10, 'x', 10, true));
    redis_do("DEL %sstore:leases %sstore:lease:learner", store_prefix(f->st), store_prefix(f->st));
    assert_ok(f, store_lease_take(f->other, "learner", "learner-2", 60000, &token, &f->err));
    assert_true(token > f->token);
    assert_int_equal(store_lease_renew(f->st, "learner", f->token, 60000, &f->err), ERR_FENCED);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)

static const struct CMUnitTest tests[] = {
    TEST(tampered_versions_are_corrupt), TEST(a_lost_incarnation_is_refused),
    TEST(wiping_finds_every_key),        TEST(a_restarted_server_is_found_again),
    TEST(a_forgotten_lease_is_renewed),
};

int run_store_redis_tests(void)
{
    return cmocka_run_group_tests_name("store, Redis alone", tests, NULL, NULL);
}
