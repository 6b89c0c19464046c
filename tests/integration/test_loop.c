/*
 * Inference and learner together, with a hand in place of views: predictions become rows of
 * learning-queue, rows become versions, versions become predictions.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "integration/world.h"

#define ROUNDS  8
#define A_ROUND 25

/* Makes a row of learning-queue out of each prediction from line `first` on, as views does. */
static double label_predictions(struct world *w, uint64_t first, double served_error)
{
    struct buf out = BUF_INIT;
    struct buf row = BUF_INIT;

    world_topic(w, w->task->topics.predictions, &out);
    const char *line = out.data;
    for (uint64_t seq = 1; line && *line; seq++) {
        const char *end = strchr(line, '\n');
        struct json_value root;
        struct json_value features;
        struct json_value predictions;
        struct json_value v;
        double value = 0;

        if (seq >= first) {
            char key[32];

            assert_int_equal(json_parse(line, (size_t)(end - line), &root, NULL), 0);
            assert_true(json_get(&root, "features", &features));
            assert_true(json_get(&root, "predictions", &predictions));
            assert_true(json_get(&predictions, "two", &v) && json_get(&v, "value", &v) &&
                        json_number(&v, &value));
            served_error += fabs(world_label(seq) - value);
            snprintf(key, sizeof(key), "t%" PRIu64, seq);
            buf_clear(&row);
            buf_printf(&row, "{\"seq\":%" PRIu64 ",\"trip_id\":\"%s\",\"duration\":", seq, key);
            json_write_number(&row, world_label(seq));
            buf_text(&row, ",\"features\":");
            buf_append(&row, features.text, features.len);
            buf_text(&row, ",\"predictions\":");
            buf_append(&row, predictions.text, predictions.len);
            buf_byte(&row, '}');
            world_publish(w, w->task->topics.learning_queue, key, row.data);
        }
        line = end + 1;
    }
    buf_release(&out);
    buf_release(&row);
    return served_error;
}

/*
 * What is served is what was learned, and is learned from: the features come through bit for bit,
 * the served score is that of the logged predictions, and at the end the served version is the fold
 * of all rows.
 */
static void test_round_trip(void **state)
{
    static struct world w;
    struct peer p;
    struct peer q;
    struct err err = {0};
    double served_error = 0;

    (void)state;
    world_open(&w, WORLD_LINEAR, WORLD_NEAR, ",\"refresh_seconds\":3600,\"refresh_rows\":20");
    world_peer_open(&w, &p);
    world_peer_open(&w, &q);
    struct inference *inf = world_inference(&w, &p);
    struct learning *l = world_learning(&w, &q);
    world_learning_open(l);

    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t first = round * A_ROUND + 1;
        uint64_t last = first + A_ROUND - 1;

        for (uint64_t i = first; i <= last; i++)
            world_request(&w, i);
        for (size_t got = 0; got < A_ROUND;) {
            int n = inference_step(inf, 50, &err);
            assert_true(n >= 0);
            got += (size_t)n;
        }
        served_error = label_predictions(&w, first, served_error);
        world_learn_until(&w, l, last);
        assert_int_equal(learning_checkpoint(l, &err), 0);
        assert_int_equal(inference_refresh(inf, &err), 0);
        char *serving = world_serving(&w, 0);
        assert_string_equal(inference_version(inf, 0), serving);
        free(serving);
    }

    const struct scores *scores = fold_scores(learning_fold(l, 1));
    double mean = served_error / (ROUNDS * A_ROUND);
    assert_true(fabs(metrics_mae(&scores->served) - mean) < 1e-9 * mean);
    assert_true(scores->served.n == ROUNDS * A_ROUND);

    for (size_t i = 0; i < w.task->n_models; i++) {
        struct fold *whole = world_fold(&w, i, ROUNDS * A_ROUND);
        struct store_version want;
        struct store_version head;

        fold_save(whole, &want);
        world_head(&w, i, &head);
        assert_string_equal(head.version, want.version);
        assert_int_equal(head.blob_len, want.blob_len);
        assert_memory_equal(head.blob, want.blob, want.blob_len);
        fold_free(whole);
        store_version_release(&want);
        store_version_release(&head);
    }
    learning_free(l);
    inference_free(inf);
    world_peer_close(&p);
    world_peer_close(&q);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
