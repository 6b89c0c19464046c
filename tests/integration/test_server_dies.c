/*
 * Inference and learner on a redis-server that is killed while they work (with every write synced,
 * so that what it acknowledged is there when it comes back): nothing is lost, nothing is learned
 * twice.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "integration/world.h"
#include "support/redis_server.h"

#define ROUNDS  12
#define A_ROUND 400

struct fixture {
    struct redis_server server;
    struct world w;
    struct peer p; /* inference's */
    struct peer q; /* the learner's */
    struct inference *inf;
    struct learning *l;
    int64_t kill_after_ms;
    atomic_bool is_killed;
};

static void *kill_server(void *ctx)
{
    struct fixture *f = ctx;

    clock_sleep_ms(f->kill_after_ms);
    redis_server_kill(&f->server);
    atomic_store(&f->is_killed, true);
    return NULL;
}

static void check(int rc, const struct err *err)
{
    if (rc >= 0)
        return;
    if (!err->retriable)
        fail_msg("%s", err->text);
    clock_sleep_ms(2);
}

static void step(struct fixture *f)
{
    struct err err = {0};

    check(inference_step(f->inf, 2, &err), &err);
    check(learning_step(f->l, 2, &err), &err);
}

/* True when all features are committed and all rows of the queue learned. */
static bool is_done(struct fixture *f, uint64_t last)
{
    const char *features = f->w.task->topics.features;
    struct err err = {0};
    struct bus_marks marks;
    struct bus_pos floor;

    for (size_t i = 0; i < f->w.task->n_models; i++)
        if (fold_position(learning_fold(f->l, i)) < last)
            return false;
    if (bus_marks(f->w.views.bus, features, 0, &marks, &err) < 0 ||
        bus_group_floor(f->w.views.bus, INFERENCE_GROUP, features, 0, &floor, &err) < 0)
        return false;
    return bus_pos_compare(f->w.views.bus, &floor, &marks.high) >= 0;
}

/* Every request has a prediction; some may have two. */
static void check_predictions(struct fixture *f, uint64_t last)
{
    struct buf out = BUF_INIT;
    bool *seen = mem_zalloc(last + 1, sizeof(*seen));
    uint64_t n_seen = 0;

    world_topic(&f->w, f->w.task->topics.predictions, &out);
    for (const char *line = out.data; line && *line; line = strchr(line, '\n') + 1) {
        uint64_t i;

        assert_int_equal(sscanf(line, "{\"trip_id\":\"t%" SCNu64 "\"", &i), 1);
        assert_true(i >= 1 && i <= last);
        n_seen += !seen[i];
        seen[i] = true;
    }
    assert_int_equal(n_seen, last);
    free(seen);
    buf_release(&out);
}

static void check_models(struct fixture *f, uint64_t last)
{
    for (size_t i = 0; i < f->w.task->n_models; i++) {
        struct fold *whole = world_fold(&f->w, i, last);
        struct store_version want;
        struct store_version head;

        fold_save(whole, &want);
        world_head(&f->w, i, &head);
        assert_string_equal(head.version, want.version);
        assert_int_equal(head.checksum, want.checksum);
        assert_int_equal(head.learned, last);
        fold_free(whole);
        store_version_release(&want);
        store_version_release(&head);
    }
}

/*
 * Killed at any moment of a round, the server comes back with what it had acknowledged; the
 * services say retriable errors meanwhile and go on: each request is predicted, each model is the
 * fold of the queue.
 */
static void test_server_dies(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    uint64_t last = 0;

    f->inf = world_inference(&f->w, &f->p);
    f->l = world_learning(&f->w, &f->q);
    world_learning_open(f->l);
    for (int64_t round = 0; round < ROUNDS; round++) {
        pthread_t killer;

        world_reach(&f->w);
        for (uint64_t i = last + 1; i <= last + A_ROUND; i++)
            world_request(&f->w, i);
        world_queue(&f->w, last + 1, last + A_ROUND);
        last += A_ROUND;
        f->kill_after_ms = round * 3 / 2;
        atomic_store(&f->is_killed, false);
        assert_int_equal(pthread_create(&killer, NULL, kill_server, f), 0);
        while (!atomic_load(&f->is_killed))
            step(f);
        assert_int_equal(pthread_join(killer, NULL), 0);
        for (int k = 0; k < 3; k++)
            step(f); /* it is away */
        redis_server_restart(&f->server);
        while (!is_done(f, last))
            step(f);
    }
    while (learning_checkpoint(f->l, &err) < 0)
        check(err.code, &err);
    world_reach(&f->w);
    check_predictions(f, last);
    check_models(f, last);
}

static int setup(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    redis_server_start(&f.server, "appendfsync always\n");
    world_open_redis(&f.w, f.server.url, WORLD_LINEAR, WORLD_NEAR,
                     ",\"refresh_seconds\":3600,\"refresh_rows\":150");
    world_peer_open(&f.w, &f.p);
    world_peer_open(&f.w, &f.q);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    learning_free(f->l);
    inference_free(f->inf);
    world_peer_close(&f->p);
    world_peer_close(&f->q);
    world_close(&f->w);
    redis_server_stop(&f->server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_server_dies, setup, teardown),
    };

    if (!redis_server_available())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
