/* The records of topic <task>-views-state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "state/state.h"

#define LIFE  "11111111-1111-4111-8111-111111111111"
#define OTHER "22222222-2222-4222-8222-222222222222"

static struct state_found found;

static int setup(void **state)
{
    (void)state;
    found = (struct state_found){.incarnation = LIFE, .start_id = "me"};
    for (size_t i = 0; i < STATE_OUTS; i++)
        found.seen[i] = dedupe_new(60, 100);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < STATE_OUTS; i++)
        dedupe_free(found.seen[i]);
    return 0;
}

static int take(const char *key, const char *value, size_t len)
{
    struct bus_msg msg = {
        .topic = "state",
        .key = key,
        .key_len = key ? strlen(key) : 0,
        .value = value,
        .value_len = len,
    };
    struct err err = {0};

    return state_take(&found, &msg, &err);
}

static int take_buf(const char *key, struct buf *text)
{
    int rc = take(key, text->data, text->len);

    buf_clear(text);
    return rc;
}

/* What is written is read: the newest state, the keys, and one's own start. */
static void test_round_trip(void **unused)
{
    struct state s = {.token = "17 18",
                      .last = {5, 3},
                      .bad_label = 1,
                      .dead_letters = 2,
                      .duplicate = 3,
                      .retracted = 4};
    const struct dedupe_key keys[] = {dedupe_key("a", 1), dedupe_key("b", 1)};
    struct buf text = BUF_INIT;

    (void)unused;
    state_write(&s, LIFE, 1000, &text);
    assert_int_equal(take_buf(STATE_KEY, &text), 0);
    s.last[VIEWS_FEATURES] = 6;
    strcpy(s.token, "27 28");
    state_write(&s, LIFE, 2000, &text);
    assert_int_equal(take_buf(STATE_KEY, &text), 0);
    assert_true(found.any);
    assert_memory_equal(&found.state, &s, sizeof(s));

    state_write_seen(LIFE, 2000, VIEWS_LEARNING_QUEUE, keys, 2, &text);
    assert_int_equal(take_buf(SEEN_KEY, &text), 0);
    assert_true(dedupe_has(found.seen[VIEWS_LEARNING_QUEUE], keys[1]));
    assert_int_equal(dedupe_count(found.seen[VIEWS_FEATURES]), 0);

    state_write_start(LIFE, 3000, "another", &text);
    assert_int_equal(take_buf(START_KEY, &text), 0);
    assert_false(found.done);
    state_write_start(LIFE, 3000, "me", &text);
    assert_int_equal(take_buf(START_KEY, &text), 0);
    assert_true(found.done);
    buf_release(&text);
}

/* Another life's records are passed over; what is no record at all is refused. */
static void test_foreign(void **unused)
{
    const struct state s = {.token = "17 18", .last = {5, 3}};
    struct buf text = BUF_INIT;

    (void)unused;
    state_write(&s, OTHER, 1000, &text);
    assert_int_equal(take_buf(STATE_KEY, &text), 0);
    assert_false(found.any);
#define TAKE(key, value) take(key, value, sizeof(value) - 1)
    assert_int_equal(TAKE(STATE_KEY, "{"), ERR_CORRUPT);
    assert_int_equal(TAKE(STATE_KEY, "{\"incarnation\":\"" LIFE "\"}"), ERR_CORRUPT);
    assert_int_equal(TAKE(NULL, "{\"incarnation\":\"" LIFE "\"}"), ERR_CORRUPT);
    assert_int_equal(take(STATE_KEY, NULL, 0), ERR_CORRUPT);
    assert_int_equal(TAKE(SEEN_KEY, "{\"incarnation\":\"" LIFE
                                    "\",\"at_ms\":1,\"output\":\"features\",\"keys\":[\"x\"]}"),
                     ERR_CORRUPT);
    assert_int_equal(TAKE(SEEN_KEY, "{\"incarnation\":\"" LIFE
                                    "\",\"at_ms\":1,\"output\":\"nothing\",\"keys\":[]}"),
                     ERR_CORRUPT);
    assert_false(found.any);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
