/* oxbow-learner when things go wrong: gaps, damaged versions, other learners, a store that forgets.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "integration/world.h"
#include "learner/learning_internal.h"

#define SLOW ",\"refresh_seconds\":3600,\"refresh_rows\":100"

struct fixture {
    struct world w;
    struct peer p;
    struct learning *l;
    char generation[TASK_GENERATION_LEN + 1]; /* of model 0 */
};

static int setup(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    world_open(&f.w, WORLD_LINEAR, WORLD_NEAR, SLOW);
    world_peer_open(&f.w, &f.p);
    world_generation(&f.w, 0, f.generation);
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

static void stop(struct fixture *f)
{
    struct err err = {0};

    if (learning_close(f->l, &err) < 0)
        fail_msg("%s", err.text);
    learning_free(f->l);
    f->l = NULL;
}

static void learn(struct fixture *f, uint64_t first, uint64_t last)
{
    struct err err = {0};

    world_queue(&f->w, first, last);
    world_learn_until(&f->w, f->l, last);
    assert_int_equal(learning_checkpoint(f->l, &err), 0);
}

/* A gap in seq stops the learner for good: both ends are named, and no row is learned out of order.
 */
static void test_gap(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    int rc = 0;

    start(f);
    world_queue(&f->w, 1, 10);
    world_queue(&f->w, 13, 20);
    for (int k = 0; k < 100 && rc >= 0; k++)
        rc = learning_step(f->l, 20, &err);
    assert_int_equal(rc, ERR_REFUSED);
    assert_false(err.retriable);
    assert_non_null(strstr(err.text, "seq 10"));
    assert_non_null(strstr(err.text, "seq 13"));
    assert_int_equal(fold_position(learning_fold(f->l, 0)), 10);
}

/*
 * Another learner takes the lease after it has run out: the old one is told at its next write, and
 * the store keeps what the new one wrote.
 */
static void test_fencing(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct peer q;

    start(f);
    learn(f, 1, 10);
    world_queue(&f->w, 11, 20);
    world_learn_until(&f->w, f->l, 20);

    world_peer_open(&f->w, &q);
    struct learning *second = world_learning(&f->w, &q);
    world_learning_open(second); /* the first has not renewed meanwhile */
    world_learn_until(&f->w, second, 20);
    assert_int_equal(learning_checkpoint(f->l, &err), ERR_FENCED);
    assert_false(err.retriable);
    assert_int_equal(learning_checkpoint(second, &err), 0);
    learning_free(second);
    world_peer_close(&q);
}

/* While another holds the lease, opening says so, retriable, and writes nothing. */
static void test_lease_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    uint64_t token;

    assert_int_equal(
        store_lease_take(f->w.views.store, LEARNING_LEASE, "learner-9", 600000, &token, &err), 0);
    f->l = world_learning(&f->w, &f->p);
    assert_int_equal(learning_open(f->l, &err), ERR_CONFLICT);
    assert_true(err.retriable);
    assert_non_null(strstr(err.text, "learner-9"));
    assert_null(world_serving(&f->w, 0));
    assert_int_equal(store_lease_release(f->w.views.store, LEARNING_LEASE, token, &err), 0);
    world_learning_open(f->l);
}

/* When the newest version is damaged, the learner goes on from the one before it, to the same
 * bytes. */
static void test_damaged_head(void **state)
{
    struct fixture *f = *state;
    struct store_version head;

    start(f);
    learn(f, 1, 10);
    stop(f);
    world_plant(&f->w, 0, f->generation, 15, "rubbish", 7);

    start(f);
    assert_int_equal(fold_position(learning_fold(f->l, 0)), 10);
    world_queue(&f->w, 11, 14);
    world_learn_until(&f->w, f->l, 14);
    struct err err = {0};
    assert_int_equal(learning_checkpoint(f->l, &err), 0); /* behind the head: not written */
    world_head(&f->w, 0, &head);
    assert_int_equal(head.position, 15);
    store_version_release(&head);

    learn(f, 15, 30);
    world_head(&f->w, 0, &head);
    struct fold *whole = world_fold(&f->w, 0, 30);
    struct store_version want;
    fold_save(whole, &want);
    assert_string_equal(head.version, want.version);
    assert_memory_equal(head.blob, want.blob, want.blob_len);
    fold_free(whole);
    store_version_release(&want);
    store_version_release(&head);
}

/* When no version is good and every row is kept, the model is learned anew from the first one. */
static void test_nothing_good(void **state)
{
    struct fixture *f = *state;

    world_queue(&f->w, 1, 10);
    world_plant(&f->w, 0, f->generation, 5, "rubbish", 7);
    start(f);
    assert_int_equal(fold_position(learning_fold(f->l, 0)), 0);
    world_learn_until(&f->w, f->l, 10);
    stop(f);
    struct store_version head;
    world_head(&f->w, 0, &head);
    assert_int_equal(head.position, 10);
    store_version_release(&head);
}

/* When no version is good and the first rows are gone, it is refused, and says what to do. */
static void test_nothing_good_and_rows_gone(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};

    world_queue(&f->w, 4, 10); /* as if 1 to 3 had been trimmed */
    start(f);
    learn(f, 11, 12);
    assert_int_equal(fold_start(learning_fold(f->l, 0)), 3);
    stop(f);

    /* A planted version begins behind seq 0. */
    world_reload(&f->w, WORLD_TREE, WORLD_NEAR, SLOW);
    world_generation(&f->w, 0, f->generation);
    world_plant(&f->w, 0, f->generation, 2, "rubbish", 7);
    f->l = world_learning(&f->w, &f->p);
    int rc = learning_open(f->l, &err);
    while (rc == ERR_CONFLICT && err.retriable) {
        clock_sleep_ms(5);
        rc = learning_open(f->l, &err);
    }
    assert_int_equal(rc, ERR_REFUSED);
    assert_non_null(strstr(err.text, "from seq 4"));
    assert_non_null(strstr(err.text, "seq 1 is needed"));
    assert_non_null(strstr(err.text, "--fresh"));
}

/* Rows that a model still needs and that were trimmed are never skipped: it is refused. */
static void test_trimmed(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct bus_marks marks;
    const char *queue = f->w.task->topics.learning_queue;

    start(f);
    learn(f, 1, 10);
    stop(f);
    world_queue(&f->w, 11, 20);
    assert_int_equal(bus_marks(f->w.views.bus, queue, 0, &marks, &err), 0);
    assert_int_equal(bus_trim(f->w.views.bus, queue, 0, &marks.high, &err), 0);
    f->l = world_learning(&f->w, &f->p);
    int rc = learning_open(f->l, &err);
    assert_int_equal(rc, ERR_REFUSED);
    assert_non_null(strstr(err.text, "seq 10"));
    assert_non_null(strstr(err.text, "trimmed"));
}

/*
 * A store that came back without its newest versions is given them again, the same bytes under the
 * same names: predictions may already name them.
 */
static void test_lost_versions(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct store_version before;
    struct store_version after;
    char other[UUID_TEXT_LEN + 1];
    char name[64];

    start(f);
    learn(f, 1, 10);
    learn(f, 11, 20);
    world_head(&f->w, 0, &before);
    learn(f, 21, 30);
    snprintf(name, sizeof(name), "%s", before.version);

    uuid_new(other);
    assert_int_equal(store_incarnation_replace(f->w.views.store, other, &err), 0);
    assert_int_equal(store_wipe(f->w.views.store, f->w.incarnation, &err), 0);
    assert_int_equal(store_incarnation_replace(f->w.views.store, f->w.incarnation, &err), 0);
    assert_null(world_serving(&f->w, 0));

    /* The lease went with everything else; a server that only lost its last moments still knows it.
     */
    assert_int_equal(
        store_lease_take(f->w.views.store, LEARNING_LEASE, "learner-1", 60000, &f->l->token, &err),
        0);
    f->l->is_unsure = true; /* as after ERR_DISCONNECTED */
    if (learning_checkpoint(f->l, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(store_version_get(f->w.views.store, "one", name, &after, &err), 0);
    assert_memory_equal(after.blob, before.blob, before.blob_len);
    store_version_release(&before);
    store_version_release(&after);
    world_head(&f->w, 0, &after);
    assert_int_equal(after.position, 30);
    store_version_release(&after);
    char *serving = world_serving(&f->w, 0);
    assert_non_null(strstr(serving, "-30"));
    free(serving);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fencing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lease_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_head, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_good, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_good_and_rows_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trimmed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_versions, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
