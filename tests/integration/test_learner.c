/* oxbow-learner, step by step: what it publishes, when, and what is served. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "integration/world.h"

#define SLOW ",\"refresh_seconds\":3600,\"refresh_rows\":100"

struct fixture {
    struct world w;
    struct peer p;
    struct learning *l;
};

static int setup(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    world_open(&f.w, WORLD_LINEAR, WORLD_NEAR, SLOW);
    world_peer_open(&f.w, &f.p);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    learning_free(f->l);
    world_peer_close(&f->p);
    world_close(&f->w);
    return 0;
}

static void start(struct fixture *f)
{
    f->l = world_learning(&f->w, &f->p);
    world_learning_open(f->l);
}

/* As if killed: nothing more is written, the lease is still held. */
static void die(struct fixture *f)
{
    learning_free(f->l);
    f->l = NULL;
}

static void stop(struct fixture *f)
{
    struct err err = {0};

    if (learning_close(f->l, &err) < 0)
        fail_msg("%s", err.text);
    die(f);
}

static void check_head_is_fold(struct fixture *f, uint64_t last)
{
    for (size_t i = 0; i < f->w.task->n_models; i++) {
        struct fold *whole = world_fold(&f->w, i, last);
        struct store_version want;
        struct store_version head;

        fold_save(whole, &want);
        world_head(&f->w, i, &head);
        assert_string_equal(head.version, want.version);
        assert_int_equal(head.blob_len, want.blob_len);
        assert_memory_equal(head.blob, want.blob, want.blob_len);
        assert_int_equal(head.checksum, want.checksum);
        assert_int_equal(head.learned, last);
        if (i == 0) /* the rows carry served predictions of this one */
            assert_string_equal(head.scores, want.scores);
        store_version_release(&want);
        store_version_release(&head);
        fold_free(whole);
    }
}

/* At the first start each model is in the store untrained, as version <generation>-0, and served.
 */
static void test_first_version(void **state)
{
    struct fixture *f = *state;

    start(f);
    for (size_t i = 0; i < f->w.task->n_models; i++) {
        char generation[TASK_GENERATION_LEN + 1];
        char version[64];
        struct store_version head;

        world_generation(&f->w, i, generation);
        snprintf(version, sizeof(version), "%s-0", generation);
        world_head(&f->w, i, &head);
        assert_string_equal(head.version, version);
        assert_string_equal(head.parent, "");
        char *serving = world_serving(&f->w, i);
        assert_string_equal(serving, version);
        free(serving);
        store_version_release(&head);
    }
    check_head_is_fold(f, 0);
}

/* Rows are published after refresh_rows of them, and the rest when asked to stop. */
static void test_checkpoints(void **state)
{
    struct fixture *f = *state;
    struct store_version head;

    start(f);
    world_queue(&f->w, 1, 99);
    world_learn_until(&f->w, f->l, 99);
    world_head(&f->w, 0, &head);
    assert_int_equal(head.position, 0);
    store_version_release(&head);

    world_queue(&f->w, 100, 110);
    world_learn_until(&f->w, f->l, 110);
    check_head_is_fold(f, 110);

    world_queue(&f->w, 111, 120);
    world_learn_until(&f->w, f->l, 120);
    stop(f);
    check_head_is_fold(f, 120);
    world_head(&f->w, 0, &head);
    assert_non_null(strstr(head.parent, "-110"));
    assert_string_equal(head.class_name, "linear_regression");
    store_version_release(&head);
}

/*
 * A learner that is killed again and again, at any step, and one that never stopped leave the same
 * bytes and the same scores.
 */
static void test_killed_anywhere(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    uint64_t last = 0;
    uint32_t random = 7;

    start(f);
    while (last < 1500) {
        random = random * 1664525u + 1013904223u;
        uint64_t more = 1 + (random >> 16) % 90;
        world_queue(&f->w, last + 1, last + more);
        last += more;
        for (uint32_t k = 0; k < (random >> 8) % 3; k++)
            if (learning_step(f->l, 0, &err) < 0)
                fail_msg("%s", err.text);
        if ((random >> 5) % 4 == 0) {
            die(f);
            start(f);
        }
    }
    world_learn_until(&f->w, f->l, last);
    stop(f);
    check_head_is_fold(f, last);
}

/* Rows that come twice, or again from the start, are learned once. */
static void test_repeated_rows(void **state)
{
    struct fixture *f = *state;

    start(f);
    world_queue(&f->w, 1, 30);
    world_queue(&f->w, 21, 40);
    world_queue(&f->w, 1, 1);
    world_queue(&f->w, 41, 50);
    world_learn_until(&f->w, f->l, 50);
    stop(f);
    check_head_is_fold(f, 50);
    assert_int_equal(world_counter(&f->p, "oxbow_repeated_rows_total"), 11 * f->w.task->n_models);
}

/*
 * A bad row is skipped by every model and goes to dead-letters once; what has no seq is no row and
 * goes there too. Learned + skipped = position - start.
 */
static void test_bad_rows(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct buf dead = BUF_INIT;
    const char *queue = f->w.task->topics.learning_queue;

    start(f);
    world_queue(&f->w, 1, 3);
    world_publish(&f->w, queue, "t4", "{\"seq\":4,\"trip_id\":\"t4\",\"duration\":600}");
    world_publish(&f->w, queue, "t5",
                  "{\"seq\":5,\"trip_id\":\"t5\",\"duration\":600,\"features\":{\"a\":\"x\"}}");
    world_publish(&f->w, queue, "t6",
                  "{\"seq\":6,\"trip_id\":\"t6\",\"duration\":29,\"features\":{}}");
    world_publish(&f->w, queue, NULL, "not a row");
    world_publish(&f->w, queue, "t7", NULL);
    world_queue(&f->w, 7, 8);
    world_learn_until(&f->w, f->l, 8);
    while (learning_step(f->l, 0, &err) > 0)
        ;
    for (size_t i = 0; i < f->w.task->n_models; i++) {
        assert_int_equal(fold_learned(learning_fold(f->l, i)), 5);
        assert_int_equal(fold_skipped(learning_fold(f->l, i)), 3);
    }
    stop(f);
    start(f);
    assert_int_equal(fold_skipped(learning_fold(f->l, 0)), 3);
    world_queue(&f->w, 9, 9);
    world_learn_until(&f->w, f->l, 9);

    assert_int_equal(world_topic(&f->w, f->w.task->topics.dead_letters, &dead), 5);
    assert_non_null(strstr(dead.data, "features is absent"));
    assert_non_null(strstr(dead.data, "features.a is a string"));
    assert_non_null(strstr(dead.data, "outside label_range"));
    assert_non_null(strstr(dead.data, "\"value\":\"not a row\""));
    assert_non_null(strstr(dead.data, "the message has no value"));
    assert_int_equal(world_counter(&f->p, "oxbow_dead_letters_total"), 5);
    buf_release(&dead);
}

/*
 * A changed model is a new generation under the same name: it learns every kept row again, and the
 * old one is served until it has caught up.
 */
static void test_new_generation(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};

    start(f);
    world_queue(&f->w, 1, 3000);
    world_learn_until(&f->w, f->l, 3000);
    stop(f);
    char *old = world_serving(&f->w, 0);
    char *other = world_serving(&f->w, 1);

    world_reload(&f->w, WORLD_TREE, WORLD_NEAR, SLOW);
    start(f);
    assert_int_equal(fold_position(learning_fold(f->l, 0)), 0);
    assert_int_equal(fold_position(learning_fold(f->l, 1)), 3000);
    int n = learning_step(f->l, 0, &err);
    assert_true(n > 0 && n < 3000);
    char *now = world_serving(&f->w, 0);
    assert_string_equal(now, old);
    free(now);

    world_learn_until(&f->w, f->l, 3000);
    while (learning_step(f->l, 0, &err) > 0)
        ;
    char generation[TASK_GENERATION_LEN + 1];
    world_generation(&f->w, 0, generation);
    now = world_serving(&f->w, 0);
    assert_memory_equal(now, generation, TASK_GENERATION_LEN);
    assert_string_equal(now + TASK_GENERATION_LEN, "-3000");
    free(now);
    now = world_serving(&f->w, 1);
    assert_string_equal(now, other);
    free(now);
    stop(f);
    check_head_is_fold(f, 3000);

    struct store_version *list;
    size_t n_versions;
    assert_int_equal(store_versions(f->w.views.store, "one", &list, &n_versions, &err), 0);
    assert_string_not_equal(list[0].generation, generation); /* the old versions stay */
    store_versions_free(list, n_versions);
    free(old);
    free(other);
}

/* With "start": "newest" a new generation begins behind the newest row, and does so only once. */
static void test_start_newest(void **state)
{
    struct fixture *f = *state;
    struct store_version head;

    world_queue(&f->w, 1, 40);
    world_reload(&f->w, WORLD_LINEAR, WORLD_NEAR, SLOW ",\"start\":\"newest\"");
    start(f);
    world_head(&f->w, 0, &head);
    assert_int_equal(head.start, 40);
    assert_int_equal(head.position, 40);
    store_version_release(&head);
    world_queue(&f->w, 41, 45);
    die(f);
    start(f);
    world_learn_until(&f->w, f->l, 45);
    assert_int_equal(fold_start(learning_fold(f->l, 0)), 40);
    assert_int_equal(fold_learned(learning_fold(f->l, 0)), 5);
}

/* The floor that holds the rows is the place of the checkpoint that is furthest behind. */
static void test_floor(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct buf pos = BUF_INIT;
    uint64_t count;

    start(f);
    world_queue(&f->w, 1, 10);
    world_learn_until(&f->w, f->l, 10);
    assert_int_equal(store_floor_get(f->w.views.store, LEARNING_READER,
                                     f->w.task->topics.learning_queue, &pos, &count, &err),
                     0);
    assert_int_equal(count, 0); /* learned, but not in the store yet */
    assert_int_equal(learning_checkpoint(f->l, &err), 0);
    assert_int_equal(store_floor_get(f->w.views.store, LEARNING_READER,
                                     f->w.task->topics.learning_queue, &pos, &count, &err),
                     0);
    assert_int_equal(count, 10);
    buf_release(&pos);
}

/* The heartbeat's part is a JSON object's members, with each model's place and scores. */
static void test_status(void **state)
{
    struct fixture *f = *state;
    struct buf text = BUF_INIT;
    struct json_value root;
    struct json_value v;
    struct err err = {0};
    double mae;

    start(f);
    world_queue(&f->w, 1, 10);
    world_learn_until(&f->w, f->l, 10);
    buf_byte(&text, '{');
    learning_status(f->l, &text);
    buf_byte(&text, '}');
    assert_int_equal(json_parse(text.data, text.len, &root, &err), 0);
    assert_true(json_get(&root, "models", &root) && json_get(&root, "two", &root));
    assert_true(json_get(&root, "class", &v) && json_is(&v, "knn_regressor", 13));
    assert_true(json_get(&root, "mae", &v) && json_number(&v, &mae) && mae > 0);
    assert_true(json_get(&root, "mae_served", &v) && v.type == JSON_NULL);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_checkpoints, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repeated_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_generation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_start_newest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_floor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_status, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
