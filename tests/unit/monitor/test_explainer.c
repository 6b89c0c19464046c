/* Explaining a prediction by the stored version that made it, and what is said when it is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "learn/model.h"
#include "monitor/explain.h"
#include "store/store.h"
#include "unit/monitor/task_file.h"

#define FEATURES "{\"a\":2,\"b\":true,\"c\":null}"
#define SQL_HASH 77

struct place {
    struct task *task;
    struct store *store;
    uint64_t token;
    char incarnation[UUID_TEXT_LEN + 1];
    struct explainer *explainer;
};

static void open_place(struct place *p)
{
    struct err err = {0};

    *p = (struct place){.task = load_task_file("")};
    struct store_options options = {
        .backend = p->task->store, .task = p->task->name, .client = "test"};
    p->store = store_open(&options, &err);
    assert_non_null(p->store);
    uuid_new(p->incarnation);
    assert_int_equal(store_incarnation_replace(p->store, p->incarnation, &err), 0);
    store_bind(p->store, p->incarnation);
    assert_int_equal(store_lease_take(p->store, "learner", "me", 60000, &p->token, &err), 0);
    p->explainer = explainer_new(p->task, SQL_HASH, &err);
    assert_non_null(p->explainer);
}

static void close_place(struct place *p)
{
    explainer_free(p->explainer);
    store_close(p->store);
    task_free(p->task);
}

/* Publishes a model that has learned `n` rows; its answer to FEATURES. */
static double publish(struct place *p, const char *version, size_t n)
{
    const double asked[3] = {2, 1, (double)NAN};
    struct model *m = model_new(p->task->models[0].pipeline, p->task->features, NULL);
    struct buf blob = BUF_INIT;
    struct err err = {0};
    double answer;

    assert_non_null(m);
    for (size_t i = 0; i < n; i++) {
        const double x[3] = {(double)(i % 5), (double)(i % 2), (double)(i % 3)};

        model_learn_one(m, x, 100 + 10 * x[0] + x[1], 1);
    }
    answer = model_predict_one(m, asked);
    model_save(m, &blob);
    struct store_version v = {
        .model = (char[]){"one"},
        .version = mem_strdup(version),
        .generation = (char[]){"0123456789abcdef"},
        .class_name = (char[]){"linear_regression"},
        .parameters = (char[]){"[]"},
        .schema = (char[]){"[]"},
        .parent = (char[]){""},
        .scores = (char[]){"{}"},
        .bus_pos = (char[]){"oldest"},
        .position = n,
        .learned = n,
        .blob = blob.data,
        .blob_len = blob.len,
        .checksum = XXH64(blob.data, blob.len, 0),
    };
    if (store_publish(p->store, "learner", p->token, &v, true, &err))
        fail_msg("%s", err.text);
    free(v.version);
    model_free(m);
    buf_release(&blob);
    return answer;
}

static int ask(struct place *p, const char *model, const char *version, const char *features,
               struct buf *out, struct err *err)
{
    struct explain_question q = {
        .incarnation = p->incarnation, .model = model, .version = version, .served = 123.5};

    assert_int_equal(json_parse(features, strlen(features), &q.features, NULL), 0);
    buf_clear(out);
    return explainer_answer(p->explainer, &q, out, err);
}

/* The answer to FEATURES by a version: its prediction, which the parts add up to; NaN: none. */
static double prediction_of(struct place *p, const char *version)
{
    struct buf out = BUF_INIT;
    struct err err = {0};
    struct json_value root;
    struct json_value v;
    struct json_value list;
    struct json_iter it;
    double prediction = (double)NAN;
    double sum;

    if (ask(p, "one", version, FEATURES, &out, &err))
        fail_msg("%s", err.text);
    assert_int_equal(json_parse(out.data, out.len, &root, NULL), 0);
    if (json_get(&root, "prediction", &v)) {
        assert_true(json_number(&v, &prediction));
        assert_true(json_get(&root, "base", &v) && json_number(&v, &sum));
        assert_true(json_get(&root, "contributions", &list));
        json_iter_init(&it, &list);
        while (json_next_element(&it, &v)) {
            struct json_value part;
            double n;

            assert_true(json_get(&v, "contribution", &part) && json_number(&part, &n));
            sum += n;
        }
        assert_true(fabs(sum - prediction) <= 1e-9 * fmax(1, fabs(prediction)));
    }
    buf_release(&out);
    return prediction;
}

/* Each version explains its own answer, kept or not: more of them than are kept loaded. */
static void test_versions(void **state)
{
    double answers[EXPLAIN_MODELS + 3];
    struct place p;

    (void)state;
    open_place(&p);
    for (size_t i = 0; i < EXPLAIN_MODELS + 3; i++) {
        char version[32];

        snprintf(version, sizeof(version), "0123456789abcdef-%zu", 100 * (i + 1));
        answers[i] = publish(&p, version, 100 * (i + 1));
    }
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < EXPLAIN_MODELS + 3; i++) {
            char version[32];

            snprintf(version, sizeof(version), "0123456789abcdef-%zu", 100 * (i + 1));
            assert_true(prediction_of(&p, version) == answers[i]);
            assert_true(prediction_of(&p, version) == answers[i]);
        }
    }
    close_place(&p);
}

struct asker {
    struct place *place;
    const double *answers;
    size_t seed;
    size_t wrong;
};

static void *ask_many(void *ctx)
{
    struct asker *asker = ctx;
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < 300; i++) {
        size_t which = (i * 5 + asker->seed) % (EXPLAIN_MODELS + 3);
        struct explain_question q = {.incarnation = asker->place->incarnation, .model = "one"};
        struct json_value root;
        struct json_value v;
        struct err err = {0};
        char version[32];
        double p = 0;

        snprintf(version, sizeof(version), "0123456789abcdef-%zu", 100 * (which + 1));
        q.version = version;
        buf_clear(&out);
        if (json_parse(FEATURES, strlen(FEATURES), &q.features, NULL) ||
            explainer_answer(asker->place->explainer, &q, &out, &err) ||
            json_parse(out.data, out.len, &root, NULL) || !json_get(&root, "prediction", &v) ||
            !json_number(&v, &p) || p != asker->answers[which])
            asker->wrong++;
    }
    buf_release(&out);
    return NULL;
}

/* Asked by several threads at once, for more versions than are kept, each gets its own answer. */
static void test_threads(void **state)
{
    double answers[EXPLAIN_MODELS + 3];
    struct asker askers[4];
    pthread_t threads[4];
    struct place p;

    (void)state;
    open_place(&p);
    for (size_t i = 0; i < EXPLAIN_MODELS + 3; i++) {
        char version[32];

        snprintf(version, sizeof(version), "0123456789abcdef-%zu", 100 * (i + 1));
        answers[i] = publish(&p, version, 100 * (i + 1));
    }
    for (size_t i = 0; i < 4; i++) {
        askers[i] = (struct asker){.place = &p, .answers = answers, .seed = i};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many, &askers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(askers[i].wrong, 0);
    }
    close_place(&p);
}

/* A version that is gone is said to be; the untrained one is made anew; another life knows nothing.
 */
static void test_gone(void **state)
{
    char untrained[TASK_GENERATION_LEN + 3];
    struct buf out = BUF_INIT;
    struct err err = {0};
    struct place p;

    (void)state;
    open_place(&p);
    (void)publish(&p, "0123456789abcdef-100", 100);
    assert_true(prediction_of(&p, "0123456789abcdef-100") > 0);
    assert_int_equal(ask(&p, "one", "0123456789abcdef-200", FEATURES, &out, &err), 0);
    assert_non_null(strstr(out.data, "\"available\":false"));
    assert_non_null(strstr(out.data, "\"reason\":\"version expired\""));

    task_generation(p.task, 0, SQL_HASH, untrained);
    memcpy(untrained + TASK_GENERATION_LEN, "-0", sizeof("-0"));
    assert_true(prediction_of(&p, untrained) == 0);
    assert_true(isnan(prediction_of(&p, "0123456789abcdef-0"))); /* of another generation */

    uuid_new(p.incarnation);
    assert_true(isnan(prediction_of(&p, "0123456789abcdef-100")));
    buf_release(&out);
    close_place(&p);
}

/* What cannot be asked is refused with a text that says why. */
static void test_refused(void **state)
{
    struct buf out = BUF_INIT;
    struct err err = {0};
    struct place p;

    (void)state;
    open_place(&p);
    assert_int_equal(ask(&p, "three", "x-1", FEATURES, &out, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "three"));
    assert_int_equal(ask(&p, "one", "x-1", "{\"a\":\"far\"}", &out, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "features.a"));
    assert_int_equal(ask(&p, "one", "x-1", "[1]", &out, &err), ERR_INVALID);
    assert_int_equal(out.len, 0);
    buf_release(&out);
    close_place(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
