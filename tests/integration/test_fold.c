/* The fold of learning-queue by itself: counts, order, and going on from any version. */
#include <stdlib.h>

#include "integration/world.h"

static int setup(void **state)
{
    static struct world w;

    world_open(&w, WORLD_TREE, WORLD_NEAR, "");
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    return 0;
}

static void check_same(const struct fold *a, const struct fold *b)
{
    struct store_version va;
    struct store_version vb;

    fold_save(a, &va);
    fold_save(b, &vb);
    assert_string_equal(va.version, vb.version);
    assert_string_equal(va.scores, vb.scores);
    assert_int_equal(va.blob_len, vb.blob_len);
    assert_memory_equal(va.blob, vb.blob, va.blob_len);
    assert_int_equal(va.learned, vb.learned);
    store_version_release(&va);
    store_version_release(&vb);
}

/* A fold that is saved and restored after every single row ends as one that never was, bit for bit.
 */
static void test_restored_anywhere(void **state)
{
    struct world *w = *state;
    struct err err = {0};

    for (size_t i = 0; i < w->task->n_models; i++) {
        char generation[TASK_GENERATION_LEN + 1];
        world_generation(w, i, generation);
        struct fold *f = fold_new(w->task, i, generation, 0, &err);
        for (uint64_t seq = 1; seq <= 150; seq++) {
            double x[] = {(double)(seq % 9), (double)(seq % 2), seq % 5 ? 1.25 : (double)NAN};
            struct row_issued said = {.said = issued_alone(100.5)};
            struct fold_input row = {seq, x, world_label(seq), seq % 3 ? &said : NULL,
                                     (int64_t)seq};
            struct store_version v;

            assert_int_equal(fold_row(f, &row, &err), FOLD_LEARNED);
            fold_save(f, &v);
            struct fold *again = fold_restore(w->task, i, &v, &err);
            if (!again)
                fail_msg("%s", err.text);
            store_version_release(&v);
            check_same(f, again);
            fold_free(f);
            f = again;
        }
        struct fold *whole = fold_new(w->task, i, generation, 0, &err);
        for (uint64_t seq = 1; seq <= 150; seq++) {
            double x[] = {(double)(seq % 9), (double)(seq % 2), seq % 5 ? 1.25 : (double)NAN};
            struct row_issued said = {.said = issued_alone(100.5)};
            struct fold_input row = {seq, x, world_label(seq), seq % 3 ? &said : NULL,
                                     (int64_t)seq};
            assert_int_equal(fold_row(whole, &row, &err), FOLD_LEARNED);
        }
        check_same(f, whole);
        fold_free(whole);
        fold_free(f);
    }
}

/* learned + skipped = position - start: bad rows move the position, repeated ones nothing at all.
 */
static void test_counts(void **state)
{
    struct world *w = *state;
    double x[] = {1, 0, (double)NAN};
    struct fold_input row = {8, x, 60, NULL, 0};
    struct err err = {0};
    struct fold *f = fold_new(w->task, 0, "0123456789abcdef", 7, &err);

    assert_int_equal(fold_row(f, &row, &err), FOLD_LEARNED);
    row.seq = 9;
    row.label = 20; /* below label_range */
    assert_int_equal(fold_row(f, &row, &err), FOLD_SKIPPED);
    row.seq = 10;
    row.label = 60;
    row.x = NULL; /* could not be read */
    assert_int_equal(fold_row(f, &row, &err), FOLD_SKIPPED);
    row.x = x;
    assert_int_equal(fold_row(f, &row, &err), FOLD_REPEATED);
    row.seq = 1;
    assert_int_equal(fold_row(f, &row, &err), FOLD_REPEATED);
    assert_int_equal(fold_learned(f), 1);
    assert_int_equal(fold_skipped(f), 2);
    assert_int_equal(fold_position(f), 10);
    assert_int_equal(fold_start(f), 7);
    fold_free(f);
}

/* A gap is refused, naming both ends and what to do, and the fold stays as it was. */
static void test_gap(void **state)
{
    struct world *w = *state;
    double x[] = {1, 0, 2};
    struct fold_input row = {3, x, 60, NULL, 0};
    struct err err = {0};
    struct fold *f = fold_new(w->task, 0, "0123456789abcdef", 0, &err);

    assert_int_equal(fold_row(f, &row, &err), ERR_REFUSED);
    assert_non_null(strstr(err.text, "up to seq 0"));
    assert_non_null(strstr(err.text, "seq 3"));
    assert_non_null(strstr(err.text, "--fresh"));
    assert_int_equal(fold_position(f), 0);
    fold_free(f);
}

/* A version that contradicts itself is refused by name: counts, scores, another class. */
static void test_bad_versions(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct store_version v;
    struct fold *f = world_fold(w, 0, 20);

    fold_save(f, &v);
    fold_free(f);
    v.learned--;
    assert_null(fold_restore(w->task, 0, &v, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.text, v.version));
    v.learned++;

    assert_null(fold_restore(w->task, 1, &v, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.text, "hoeffding_tree_regressor"));

    static const char *const scores[] = {
        "", "{}", "{\"state\":{\"all\":[1,2],\"served\":[],\"window\":[]}}",
        "{\"state\":{\"all\":[1,2,3,4,5,6],\"served\":[1,2,3,4,5,\"x\"],\"window\":[]}}"};
    for (size_t k = 0; k < sizeof(scores) / sizeof(scores[0]); k++) {
        free(v.scores);
        v.scores = strdup(scores[k]);
        assert_null(fold_restore(w->task, 0, &v, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
    }
    store_version_release(&v);
}

/* Scores that overflowed go through JSON and come back the same. */
static void test_infinite_scores(void **state)
{
    struct scores s;
    struct scores again;
    struct buf text = BUF_INIT;
    struct buf second = BUF_INIT;
    struct err err = {0};

    (void)state;
    scores_init(&s, 3);
    for (int i = 0; i < 5; i++)
        scores_update(&s, 1e300 * i, -1e300, 4);
    scores_update(&s, 1, (double)NAN, (double)INFINITY); /* cannot be scored */
    assert_true(isinf(s.all.mse) || isnan(s.all.mse));
    assert_true(s.all.n == 5 && s.served.n == 5);
    scores_write(&s, &text);
    scores_init(&again, 3);
    assert_int_equal(scores_read(&again, text.data, &err), 0);
    scores_write(&again, &second);
    assert_string_equal(text.data, second.data);
    assert_int_equal(again.window.count, 3);
    buf_release(&text);
    buf_release(&second);
    scores_release(&s);
    scores_release(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_restored_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_versions, setup, teardown),
        cmocka_unit_test(test_infinite_scores),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
