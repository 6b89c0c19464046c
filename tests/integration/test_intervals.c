/* Intervals in the fold of learning-queue: they learn from what was issued, and a fold that was
 * stopped anywhere issues what one that never was does. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "integration/world.h"
#include "learner/fold.h"

#define ROWS  600
#define LATE  40 /* rows from a question to its answer */
#define EVERY 25 /* rows from a version to the next */
#define FIRST                                                                                      \
    "[\"standard_scaler\", {\"adaptive_conformal\": {\"window_size\": 100, \"gamma\": 0.05}}]"
#define SECOND "[{\"target_standard_scaler\": {\"regressor\": \"adaptive_conformal\"}}]"

static int setup(void **state)
{
    static struct world w;

    world_open(&w, FIRST, SECOND, "");
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    return 0;
}

/* Labels from 30 on, for which a linear model's answers are clipped now and then. */
static double features(uint64_t seq, double x[3])
{
    x[0] = (double)(seq * 7919 % 101);
    x[1] = (double)(seq % 2);
    x[2] = seq % 5 ? (double)(seq % 13) : (double)NAN;
    return 30 + fabs(5 * x[0] - 200) + (double)(seq * 31 % 40);
}

/* The member of a prediction as inference writes it, read back as the learner reads it. */
static void through_json(const struct issued *said, const char *version, struct buf *text,
                         struct row_issued *ret)
{
    struct schema *schema = schema_new();
    const char *const models[] = {"one"};
    struct row_reader_options options = {schema, "k", "y", models, 1, NULL};
    struct row_reader *rows = row_reader_new(&options, NULL);
    struct row row;
    struct err err;

    buf_clear(text);
    buf_text(text, "{\"seq\":1,\"k\":\"a\",\"y\":1,\"features\":{},\"predictions\":{\"one\":{"
                   "\"value\":");
    json_write_number(text, said->value);
    buf_text(text, ",\"interval\":");
    if (issued_has_interval(said)) {
        buf_byte(text, '[');
        json_write_number(text, said->low);
        buf_byte(text, ',');
        json_write_number(text, said->high);
        buf_text(text, "],\"alpha\":");
        json_write_number(text, said->alpha);
    } else {
        buf_text(text, "null");
    }
    buf_printf(text, ",\"version\":\"%s\"}}}", version);
    if (row_reader_read(rows, text->data, text->len, &row, NULL, ret, &err) != 0)
        fail_msg("%s", err.text);
    row_reader_free(rows);
    schema_free(schema);
}

/* What went out with one row. */
struct sent {
    struct buf text;
    struct row_issued said;
};

/* Everything that a loop of `EVERY` and `LATE` issues, into `sent`, and the fold that learned it.
 */
static struct fold *run_loop(struct world *w, size_t i, struct sent *sent)
{
    char generation[TASK_GENERATION_LEN + 1];
    char version[FOLD_VERSION_SIZE];
    struct err err;
    struct store_version v;
    struct fold *serving = NULL;

    world_generation(w, i, generation);
    struct fold *f = fold_new(w->task, i, generation, 0, &err);
    for (uint64_t n = 0; n < ROWS + LATE; n++) {
        double x[3];
        double y;

        if (n % EVERY == 0) { /* a new version is served */
            fold_save(f, &v);
            fold_free(serving);
            serving = fold_restore(w->task, i, &v, &err);
            assert_non_null(serving);
            store_version_release(&v);
        }
        if (n < ROWS) {
            struct issued said;

            features(n + 1, x);
            said = task_answer(w->task, fold_model(serving),
                               model_predict_one(fold_model(serving), x));
            assert_true(!issued_has_interval(&said) ||
                        (said.low >= 0 && said.low <= said.value && said.value <= said.high));
            fold_version(serving, version);
            through_json(&said, version, &sent[n].text, &sent[n].said);
            assert_memory_equal(&said, &sent[n].said.said, sizeof(said)); /* to the last bit */
        }
        if (n >= LATE) {
            uint64_t seq = n - LATE + 1;

            y = features(seq, x);
            struct fold_input row = {seq, x, y, &sent[seq - 1].said, 0};
            assert_int_equal(fold_row(f, &row, &err), FOLD_LEARNED);
        }
    }
    fold_free(serving);
    return f;
}

static void assert_same(const struct fold *a, const struct fold *b)
{
    struct store_version va;
    struct store_version vb;

    fold_save(a, &va);
    fold_save(b, &vb);
    assert_string_equal(va.version, vb.version);
    assert_string_equal(va.scores, vb.scores);
    assert_int_equal(va.blob_len, vb.blob_len);
    assert_memory_equal(va.blob, vb.blob, va.blob_len);
    store_version_release(&va);
    store_version_release(&vb);
}

static void release(struct sent *sent)
{
    for (size_t n = 0; n < ROWS; n++)
        buf_release(&sent[n].text);
    free(sent);
}

/* The rows alone make the model: folded again, and stopped after every one of them, it is the same.
 * The scores count what the rows say. */
static void test_from_rows(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < 2; i++) {
        struct sent *sent = mem_zalloc(ROWS, sizeof(*sent));
        struct fold *f = run_loop(w, i, sent);
        struct fold *again = fold_new(w->task, i, fold_generation(f), 0, NULL);
        struct store_version v;
        double inside = 0;
        double n = 0;

        for (uint64_t seq = 1; seq <= ROWS; seq++) {
            const struct issued *said = &sent[seq - 1].said.said;
            double x[3];
            double y = features(seq, x);
            struct fold_input row = {seq, x, y, &sent[seq - 1].said, 0};

            n += issued_has_interval(said);
            inside += issued_has_interval(said) && said->low <= y && y <= said->high;
            assert_int_equal(fold_row(again, &row, NULL), FOLD_LEARNED);
            fold_save(again, &v);
            fold_free(again);
            again = fold_restore(w->task, i, &v, NULL);
            assert_non_null(again);
            store_version_release(&v);
        }
        assert_same(f, again);
        assert_true(n > ROWS / 2 && inside < n);
        assert_true(fold_scores(f)->intervals.n == n);
        assert_true(scores_coverage(fold_scores(f)) == inside / n);
        assert_int_equal(fold_scores(f)->intervals.window.count, 50);
        fold_free(f);
        fold_free(again);
        release(sent);
    }
}

static void assert_same_model(const struct fold *a, const struct fold *b, bool is_same)
{
    struct buf blob_a = BUF_INIT;
    struct buf blob_b = BUF_INIT;

    model_save(fold_model(a), &blob_a);
    model_save(fold_model(b), &blob_b);
    assert_int_equal(blob_a.len == blob_b.len && memcmp(blob_a.data, blob_b.data, blob_a.len) == 0,
                     is_same);
    buf_release(&blob_a);
    buf_release(&blob_b);
}

/* What another generation issued, or what came without an interval, is learned as if the model had
 * answered just now; what its own issued is not. */
static void test_of_others(void **state)
{
    struct world *w = *state;
    char generation[TASK_GENERATION_LEN + 1];
    static const char *const versions[] = {NULL, "0000000000000000-7", "", "x"};
    struct fold *f[5];

    world_generation(w, 0, generation);
    for (size_t k = 0; k < 5; k++) {
        struct buf text = BUF_INIT;
        char version[FOLD_VERSION_SIZE];

        f[k] = fold_new(w->task, 0, generation, 0, NULL);
        snprintf(version, sizeof(version), "%s-%d", generation, 3);
        for (uint64_t seq = 1; seq <= 200; seq++) {
            struct row_issued said;
            double x[3];
            double y = features(seq, x);
            struct fold_input row = {seq, x, y, NULL, 0};

            if (k > 0) {
                through_json(&(struct issued){100, 90, 110, 0.2, 0}, k < 4 ? versions[k] : version,
                             &text, &said);
                row.served = &said;
            }
            assert_int_equal(fold_row(f[k], &row, NULL), FOLD_LEARNED);
        }
        assert_same_model(f[0], f[k], k < 4);
        assert_true(fold_scores(f[k])->intervals.n == (k ? 200 : 0));
        buf_release(&text);
    }
    for (size_t k = 0; k < 5; k++)
        fold_free(f[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_from_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_of_others, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
