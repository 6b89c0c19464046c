/* oxbow-inference, step by step: what it publishes, which models it takes, which it refuses. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "integration/world.h"

#define FAST ",\"refresh_seconds\":3600"

struct fixture {
    struct world w;
    struct peer p;
    struct inference *inf;
    char generation[TASK_GENERATION_LEN + 1]; /* of model 0 */
    char untrained[64];                       /* its version 0 */
    struct buf said;                          /* what was logged between listen and heard */
    int stderr_fd;
    FILE *log;
};

static int setup(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    world_open(&f.w, WORLD_LINEAR, WORLD_NEAR, FAST);
    world_peer_open(&f.w, &f.p);
    world_generation(&f.w, 0, f.generation);
    snprintf(f.untrained, sizeof(f.untrained), "%s-0", f.generation);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    inference_free(f->inf);
    buf_release(&f->said);
    world_peer_close(&f->p);
    world_close(&f->w);
    return 0;
}

/* What is logged goes into a file from here on, and into f->said at heard(). */
static void listen_to_log(struct fixture *f)
{
    f->log = tmpfile();
    assert_non_null(f->log);
    f->stderr_fd = dup(STDERR_FILENO);
    assert_int_equal(dup2(fileno(f->log), STDERR_FILENO), STDERR_FILENO);
}

static void heard(struct fixture *f)
{
    char line[1024];

    assert_int_equal(dup2(f->stderr_fd, STDERR_FILENO), STDERR_FILENO);
    close(f->stderr_fd);
    rewind(f->log);
    buf_clear(&f->said);
    while (fgets(line, sizeof(line), f->log))
        buf_text(&f->said, line);
    fclose(f->log);
}

static void refresh(struct fixture *f)
{
    struct err err = {0};

    if (inference_refresh(f->inf, &err) < 0)
        fail_msg("%s", err.text);
}

/* Steps until nothing comes any more; returns how many rows came. */
static size_t predict(struct fixture *f, size_t n)
{
    struct err err = {0};
    size_t got = 0;

    while (got < n) {
        int rc = inference_step(f->inf, 50, &err);
        if (rc < 0)
            fail_msg("%s", err.text);
        got += (size_t)rc;
    }
    assert_int_equal(inference_step(f->inf, 0, &err), 0);
    return got;
}

/* The versions of the store, as a learner leaves them after rows 1..last. */
static void teach(struct fixture *f, uint64_t first, uint64_t last)
{
    struct err err = {0};
    struct peer q;

    world_peer_open(&f->w, &q);
    struct learning *l = world_learning(&f->w, &q);
    world_learning_open(l);
    world_queue(&f->w, first, last);
    world_learn_until(&f->w, l, last);
    if (learning_close(l, &err) < 0)
        fail_msg("%s", err.text);
    learning_free(l);
    world_peer_close(&q);
}

/*
 * With nothing in the store it serves untrained models, as version <generation>-0. A message is the
 * row's own bytes, with each model's value and version.
 */
static void test_untrained(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT;
    struct buf want = BUF_INIT;

    f->inf = world_inference(&f->w, &f->p);
    assert_string_equal(inference_version(f->inf, 0), f->untrained);
    world_request(&f->w, 1);
    predict(f, 1);
    assert_int_equal(world_topic(&f->w, f->w.task->topics.predictions, &out), 1);
    buf_text(&want, "{\"trip_id\":\"t1\",\"features\":");
    world_features_text(1, &want);
    buf_printf(&want,
               ",\"predictions\":{\"one\":{\"value\":0,\"version\":\"%s\"},\"two\":", f->untrained);
    assert_memory_equal(out.data, want.data, want.len);
    assert_non_null(
        strstr(out.data, "\"requested_at\":\"2020-01-01T00:00:00.000Z\",\"predicted_at\""));

    struct json_value root;
    struct err err = {0};
    assert_int_equal(json_parse(out.data, out.len, &root, &err), 0);
    assert_true(json_get(&root, "predictions", &root) && json_get(&root, "baseline", &root));
    buf_release(&out);
    buf_release(&want);
}

/* Every row is predicted once, in any number, by every model, as the model itself predicts. */
static void test_many_rows(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT;

    teach(f, 1, 200);
    f->inf = world_inference(&f->w, &f->p);
    assert_non_null(strstr(inference_version(f->inf, 0), "-200"));
    for (uint64_t i = 1; i <= 1500; i++)
        world_request(&f->w, i);
    assert_int_equal(predict(f, 1500), 1500);
    assert_int_equal(world_topic(&f->w, f->w.task->topics.predictions, &out), 1500);
    assert_int_equal(world_counter(&f->p, "oxbow_predictions_total"), 1500);

    struct fold *whole = world_fold(&f->w, 1, 200);
    const char *line = out.data;
    for (uint64_t i = 1; i <= 1500; i++) {
        const char *end = strchr(line, '\n');
        struct json_value v;
        struct json_value features;
        struct json_value name;
        double x[3] = {(double)NAN, (double)NAN, (double)NAN};
        double value = 0;

        assert_int_equal(json_parse(line, (size_t)(end - line), &v, NULL), 0);
        assert_true(json_get(&v, "features", &features));
        if (json_get(&features, "a", &name) && name.type == JSON_NUMBER)
            assert_true(json_number(&name, &x[0]));
        if (json_get(&features, "b", &name))
            x[1] = name.type == JSON_TRUE ? 1 : 0;
        if (json_get(&features, "c", &name) && name.type == JSON_NUMBER)
            assert_true(json_number(&name, &x[2]));
        assert_true(json_get(&v, "predictions", &v) && json_get(&v, "two", &v) &&
                    json_get(&v, "value", &v) && json_number(&v, &value));
        assert_true(value == task_clip(f->w.task, model_predict_one(fold_model(whole), x)));
        line = end + 1;
    }
    fold_free(whole);
    buf_release(&out);
}

/* A newer version is swapped in, and predictions name it from then on. */
static void test_newer_version(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT;
    char version[64];

    f->inf = world_inference(&f->w, &f->p);
    teach(f, 1, 20);
    assert_string_equal(inference_version(f->inf, 0), f->untrained);
    refresh(f);
    snprintf(version, sizeof(version), "%s-20", f->generation);
    assert_string_equal(inference_version(f->inf, 0), version);
    world_request(&f->w, 1);
    predict(f, 1);
    world_topic(&f->w, f->w.task->topics.predictions, &out);
    assert_non_null(strstr(out.data, version));
    buf_release(&out);
}

/* Plants a version and looks: it must be refused, by name and once, and what was served goes on. */
static void check_refused(struct fixture *f, uint64_t position, const void *blob, size_t len,
                          const char *why)
{
    uint64_t before = world_counter(&f->p, "oxbow_refused_versions_total");
    char served[64];
    char name[64];

    snprintf(served, sizeof(served), "%s", inference_version(f->inf, 0));
    snprintf(name, sizeof(name), "%s-%" PRIu64, f->generation, position);
    world_plant(&f->w, 0, f->generation, position, blob, len);
    listen_to_log(f);
    refresh(f);
    refresh(f);
    heard(f);
    assert_string_equal(inference_version(f->inf, 0), served);
    assert_int_equal(world_counter(&f->p, "oxbow_refused_versions_total"), before + 1);
    const char *said = strstr(buf_str(&f->said), name);
    assert_non_null(said);
    assert_null(strstr(said + 1, name));
    if (!strstr(said, why))
        fail_msg("\"%s\" does not say \"%s\"", said, why);
    assert_non_null(strstr(said, served));
}

/* Damaged, truncated, foreign and random blobs are refused by name; the previous model goes on. */
static void test_bad_blobs(void **state)
{
    struct fixture *f = *state;
    struct store_version good;
    char random[500];

    teach(f, 1, 20);
    f->inf = world_inference(&f->w, &f->p);
    world_head(&f->w, 0, &good);
    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (char)(i * 131 % 251);

    check_refused(f, 21, random, sizeof(random), "");
    check_refused(f, 22, "", 0, "");
    check_refused(f, 23, good.blob, good.blob_len - 1, "");
    good.blob[good.blob_len / 2] ^= 1;
    check_refused(f, 24, good.blob, good.blob_len, "");
    good.blob[good.blob_len / 2] ^= 1;

    struct schema *schema = schema_new();
    struct err err = {0};
    struct buf other = BUF_INIT;
    assert_int_equal(schema_add(schema, "z", FEATURE_NUMERIC, &err), 0);
    struct model *m = model_new(WORLD_LINEAR, schema, &err);
    model_save(m, &other);
    check_refused(f, 25, other.data, other.len, "");
    model_free(m);
    schema_free(schema);
    buf_release(&other);

    /* And a good one is taken again. */
    world_plant(&f->w, 0, f->generation, 26, good.blob, good.blob_len);
    refresh(f);
    assert_non_null(strstr(inference_version(f->inf, 0), "-26"));
    store_version_release(&good);
}

/* When what is served is bad at the start, the newest good version of the generation is taken. */
static void test_bad_at_start(void **state)
{
    struct fixture *f = *state;

    teach(f, 1, 20);
    world_plant(&f->w, 0, f->generation, 30, "rubbish", 7);
    f->inf = world_inference(&f->w, &f->p);
    assert_non_null(strstr(inference_version(f->inf, 0), "-20"));
    assert_non_null(strstr(inference_version(f->inf, 1), "-20"));
}

/* The old generation of a changed model is served as long as the store says so. */
static void test_old_generation(void **state)
{
    struct fixture *f = *state;
    char old[64];

    teach(f, 1, 20);
    snprintf(old, sizeof(old), "%s-20", f->generation);
    world_reload(&f->w, WORLD_TREE, WORLD_NEAR, FAST);
    f->inf = world_inference(&f->w, &f->p);
    assert_string_equal(inference_version(f->inf, 0), old);
    teach(f, 21, 21);
    refresh(f);
    world_generation(&f->w, 0, f->generation);
    assert_memory_equal(inference_version(f->inf, 0), f->generation, TASK_GENERATION_LEN);
}

/* Rows that cannot be read go to dead-letters and are committed; the others are predicted. */
static void test_dead_letters(void **state)
{
    struct fixture *f = *state;
    struct buf dead = BUF_INIT;
    struct buf out = BUF_INIT;
    const char *features = f->w.task->topics.features;

    f->inf = world_inference(&f->w, &f->p);
    world_request(&f->w, 1);
    world_publish(&f->w, features, "t2", "not a row");
    world_publish(&f->w, features, "t3", "{\"seq\":3,\"trip_id\":\"t3\",\"features\":{\"a\":[]}}");
    world_publish(&f->w, features, NULL, "{\"seq\":4,\"trip_id\":\"t4\",\"features\":{}}");
    world_publish(&f->w, features, "t5", NULL);
    world_publish(&f->w, features, "t6",
                  "{\"seq\":6,\"trip_id\":\"t6\",\"features\":{\"a\":1,\"z\":2}}");
    assert_int_equal(predict(f, 6), 6);
    assert_int_equal(world_topic(&f->w, f->w.task->topics.predictions, &out), 2);
    assert_non_null(strstr(out.data, "\"t6\""));
    assert_int_equal(world_topic(&f->w, f->w.task->topics.dead_letters, &dead), 4);
    assert_non_null(strstr(dead.data, "\"reason\":\"not JSON"));
    assert_non_null(strstr(dead.data, "features.a is an array"));
    assert_non_null(strstr(dead.data, "the message has no key"));
    assert_non_null(strstr(dead.data, "the message has no value"));
    assert_non_null(strstr(dead.data, "\"service\":\"inference\""));
    assert_int_equal(world_counter(&f->p, "oxbow_dead_letters_total"), 4);
    assert_int_equal(world_counter(&f->p, "oxbow_unknown_features_total"), 1);

    /* Committed: another life of the same member does not see them again. */
    inference_free(f->inf);
    f->inf = world_inference(&f->w, &f->p);
    assert_int_equal(predict(f, 0), 0);
    buf_release(&dead);
    buf_release(&out);
}

/* As a member that takes `n` rows and dies. */
static void take_and_die(struct fixture *f, size_t n)
{
    const char *const topics[] = {f->w.task->topics.features};
    const struct bus_msg *msgs;
    struct err err = {0};
    struct bus_reader *r = bus_group_join(f->w.views.bus, INFERENCE_GROUP, "inference-1", topics, 1,
                                          0, NULL, NULL, &err);
    size_t got = 0;

    assert_non_null(r);
    while (got < n) {
        int rc = bus_poll(r, n - got, 1000, &msgs, &err);
        assert_true(rc > 0);
        got += (size_t)rc;
    }
    bus_reader_close(r);
}

/* Rows that a dead member had taken come again and are predicted. */
static void test_rows_come_again(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT;

    for (uint64_t i = 1; i <= 20; i++)
        world_request(&f->w, i);
    take_and_die(f, 15);
    f->inf = world_inference(&f->w, &f->p);
    assert_int_equal(predict(f, 20), 20);
    assert_int_equal(world_topic(&f->w, f->w.task->topics.predictions, &out), 20);
    assert_int_equal(world_counter(&f->p, "oxbow_redelivered_rows_total"), 15);
    buf_release(&out);
}

/* Rows that come for the third time come one by one; those that came five times are dead. */
static void test_suspects(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct buf out = BUF_INIT;

    for (uint64_t i = 1; i <= 10; i++)
        world_request(&f->w, i);
    for (int k = 0; k < 2; k++)
        take_and_die(f, 10);
    f->inf = world_inference(&f->w, &f->p);
    for (int k = 0; k < 9; k++)
        assert_int_equal(inference_step(f->inf, 50, &err), 1);
    inference_free(f->inf);
    f->inf = NULL;

    for (int k = 0; k < 3; k++)
        take_and_die(f, 1);
    f->inf = world_inference(&f->w, &f->p);
    assert_int_equal(predict(f, 1), 1);
    assert_int_equal(world_topic(&f->w, f->w.task->topics.predictions, &out), 9);
    buf_clear(&out);
    assert_int_equal(world_topic(&f->w, f->w.task->topics.dead_letters, &out), 1);
    assert_non_null(strstr(out.data, "5 times"));
    assert_non_null(strstr(out.data, "\"key\":\"t10\""));
    buf_release(&out);
}

/* The heartbeat's part is a JSON object's members, with each model's version and age. */
static void test_status(void **state)
{
    struct fixture *f = *state;
    struct buf text = BUF_INIT;
    struct json_value root;
    struct json_value v;

    f->inf = world_inference(&f->w, &f->p);
    buf_byte(&text, '{');
    inference_status(f->inf, &text);
    buf_byte(&text, '}');
    assert_int_equal(json_parse(text.data, text.len, &root, NULL), 0);
    assert_true(json_get(&root, "predicted", &v) && v.type == JSON_NUMBER);
    assert_true(json_get(&root, "models", &root) && json_get(&root, "one", &root));
    assert_true(json_get(&root, "version", &v) && json_is(&v, f->untrained, strlen(f->untrained)));
    assert_true(json_get(&root, "age_ms", &v) && v.type == JSON_NUMBER);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_untrained, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_blobs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_at_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_generation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_letters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rows_come_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_suspects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_status, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
