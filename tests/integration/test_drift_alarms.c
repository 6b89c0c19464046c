/*
 * Alarms of drift: which rows raise them, and that each is on its topic once, whoever is killed and
 * whatever is lost.
 */
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "integration/world.h"
#include "learn/detector.h"
#include "learner/learning_internal.h"
#include "support/redis_server.h"

#define ROWS 2400
#define SLOW ",\"refresh_seconds\":3600,\"refresh_rows\":150"
#define FINE ",\"drift\":{\"adwin\":{\"delta\":0.01,\"clock\":4}}"

struct fixture {
    struct redis_server server;
    struct world w;
    struct peer p;
    struct learning *l;
    char *wanted[1000]; /* every alarm that the rows raise, as <value of the message> */
    size_t n_wanted;
};

/* ---- Rows whose world changes every 600 ---- */

static void row_text(uint64_t i, struct buf *out)
{
    char at[CLOCK_TEXT_LEN + 1];
    double label = world_label(i) * (i / 600 % 2 ? 3 : 1);

    clock_format((int64_t)(1577836800000 + i * 1000), at);
    buf_printf(out, "{\"seq\":%" PRIu64 ",\"trip_id\":\"t%" PRIu64 "\",\"duration\":", i, i);
    json_write_number(out, i % 50 ? label : 5); /* below label_range: skipped */
    buf_text(out, ",\"features\":");
    world_features_text(i, out);
    buf_printf(out, ",\"predictions\":{},\"outcome_at\":\"%s\"}", at);
}

static void queue(struct fixture *f, uint64_t first, uint64_t last)
{
    struct buf text = BUF_INIT;
    struct err err = {0};
    char key[32];

    for (uint64_t i = first; i <= last; i++) {
        buf_clear(&text);
        row_text(i, &text);
        snprintf(key, sizeof(key), "t%" PRIu64, i);
        struct bus_record rec = {.topic = f->w.task->topics.learning_queue,
                                 .key = key,
                                 .key_len = strlen(key),
                                 .value = text.data,
                                 .value_len = text.len};
        assert_int_equal(bus_publish(f->w.views.bus, &rec, &err), 0);
    }
    assert_int_equal(bus_flush(f->w.views.bus, 5000, &err), 0);
    buf_release(&text);
}

/* ---- What must come out, by a model and a detector alone ---- */

static void want(struct fixture *f, size_t i, uint64_t seq, const struct detector *d,
                 const struct detector_change *c)
{
    struct buf text = BUF_INIT;
    char generation[TASK_GENERATION_LEN + 1];
    char at[CLOCK_TEXT_LEN + 1];

    world_generation(&f->w, i, generation);
    clock_format((int64_t)(1577836800000 + seq * 1000), at);
    buf_printf(&text,
               "{\"model\":\"%s\",\"generation\":\"%s\",\"detector\":\"%s\",\"position\":%" PRIu64
               ",\"at\":\"%s\",\"mean_before\":",
               f->w.task->models[i].name, generation, detector_class(d), seq, at);
    json_write_number(&text, c->mean_before);
    buf_text(&text, ",\"mean_after\":");
    json_write_number(&text, c->mean_after);
    buf_text(&text, ",\"n\":");
    json_write_number(&text, c->n);
    buf_byte(&text, '}');
    assert_true(f->n_wanted < sizeof(f->wanted) / sizeof(f->wanted[0]));
    f->wanted[f->n_wanted++] = buf_detach(&text);
}

static void want_model(struct fixture *f, size_t i, uint64_t first, uint64_t last)
{
    const struct task *task = f->w.task;
    struct row_reader_options options = {task->features, task->key, task->label, NULL, 0, NULL};
    struct err err = {0};
    struct row_reader *rows = row_reader_new(&options, &err);
    struct model *m = model_new(task->models[i].pipeline, task->features, &err);
    struct detector *d = detector_new(task->drift, strlen(task->drift), &err);
    struct buf text = BUF_INIT;

    for (uint64_t seq = 1; seq <= last; seq++) {
        struct detector_change c;
        struct row row;
        double x[3];

        buf_clear(&text);
        row_text(seq, &text);
        assert_int_equal(row_reader_read(rows, text.data, text.len, &row, x, NULL, &err), 0);
        if (!task_label_ok(task, row.label))
            continue;
        double error = fabs(row.label - task_clip(task, model_predict_one(m, x)));
        if (seq >= first && detector_update(d, error, &c))
            want(f, i, seq, d, &c);
        model_learn_one(m, x, row.label, 1);
    }
    buf_release(&text);
    detector_free(d);
    model_free(m);
    row_reader_free(rows);
}

static void want_all(struct fixture *f, uint64_t last)
{
    for (size_t i = 0; i < f->w.task->n_models; i++)
        want_model(f, i, 1, last);
}

static void want_nothing(struct fixture *f)
{
    for (size_t i = 0; i < f->n_wanted; i++)
        free(f->wanted[i]);
    f->n_wanted = 0;
}

/* The topic has what is wanted, each once, and nothing else; of a model in the order of its rows.
 */
static void check_alarms(struct fixture *f)
{
    struct buf out = BUF_INIT;
    size_t n = world_topic(&f->w, f->w.task->topics.drift_alarms, &out);
    size_t seen = 0;
    char *rest = NULL;

    for (char *line = strtok_r(out.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        size_t k = 0;

        while (k < f->n_wanted && strcmp(f->wanted[k], line) != 0)
            k++;
        if (k == f->n_wanted)
            fail_msg("nobody raises, or a second time: %s", line);
        f->wanted[k][0] = '\0';
        seen++;
    }
    for (size_t k = 0; k < f->n_wanted; k++)
        if (f->wanted[k][0])
            fail_msg("is missing: %s", f->wanted[k]);
    assert_int_equal(n, seen);
    want_nothing(f);
    buf_release(&out);
}

/* ---- Fixtures ---- */

static void open_world(struct fixture *f, const char *more)
{
    if (f->server.pid)
        world_open_redis(&f->w, f->server.url, WORLD_LINEAR, WORLD_NEAR, more);
    else
        world_open(&f->w, WORLD_LINEAR, WORLD_NEAR, more);
    world_peer_open(&f->w, &f->p);
}

static int setup(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    open_world(&f, SLOW FINE);
    *state = &f;
    return 0;
}

static int setup_redis(void **state)
{
    static struct fixture f;

    if (!redis_server_available())
        skip();
    memset(&f, 0, sizeof(f));
    redis_server_start(&f.server, "appendfsync always\n");
    open_world(&f, SLOW FINE);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    want_nothing(f);
    learning_free(f->l);
    world_peer_close(&f->p);
    world_close(&f->w);
    if (f->server.dir[0])
        redis_server_stop(&f->server);
    return 0;
}

static void start(struct fixture *f)
{
    struct err err = {0};

    f->l = world_learning(&f->w, &f->p);
    while (learning_open(f->l, &err) < 0) { /* a lease to run out, a server to come back */
        if (!err.retriable)
            fail_msg("%s", err.text);
        clock_sleep_ms(5);
    }
}

/* As if killed. */
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

/* ---- Tests ---- */

/* The topic has exactly the alarms that the rows raise, of every model and of the baseline. */
static void test_alarms(void **state)
{
    struct fixture *f = *state;
    struct buf status = BUF_INIT;

    start(f);
    queue(f, 1, ROWS);
    world_learn_until(&f->w, f->l, ROWS);
    want_all(f, ROWS);
    print_message("    %zu alarms\n", f->n_wanted);
    assert_true(f->n_wanted >= 3 * f->w.task->n_models);
    size_t n = f->n_wanted;
    check_alarms(f);
    assert_int_equal(world_counter(&f->p, "oxbow_drift_alarms_published_total"), n);

    learning_status(f->l, &status);
    const struct error_drift *d = fold_drift(learning_fold(f->l, 0));
    struct buf wanted = BUF_INIT;
    buf_printf(&wanted,
               "\"drift\":{\"detector\":\"adwin\",\"alarms\":%" PRIu64
               ",\"newest\":{\"position\":%" PRIu64 ",\"at\":\"2020-01-01T",
               d->alarms, d->newest.position);
    assert_non_null(strstr(status.data, wanted.data));
    buf_release(&wanted);
    buf_release(&status);
}

/* Killed again and again, at any step, it leaves the alarms of one that never stopped. */
static void test_killed_anywhere(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    uint64_t last = 0;
    uint32_t random = 11;
    size_t kills = 0;

    start(f);
    while (last < ROWS) {
        random = random * 1664525u + 1013904223u;
        uint64_t more = 1 + (random >> 16) % 60;
        more = last + more > ROWS ? ROWS - last : more;
        queue(f, last + 1, last + more);
        last += more;
        for (uint32_t k = 0; k < (random >> 8) % 3; k++)
            if (learning_step(f->l, 0, &err) < 0)
                fail_msg("%s", err.text);
        if ((random >> 5) % 3 == 0) {
            die(f);
            start(f);
            kills++;
        }
    }
    world_learn_until(&f->w, f->l, last);
    stop(f);
    assert_true(kills > 15);
    want_all(f, ROWS);
    check_alarms(f);
}

/*
 * The topic has lost everything: the one that goes on adds what it raised a moment ago, one that
 * starts at an older version what it raises again.
 */
static void test_lost_topic(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};

    start(f);
    queue(f, 1, 1000);
    world_learn_until(&f->w, f->l, 1000);
    assert_int_equal(bus_topic_delete(f->w.views.bus, f->w.task->topics.drift_alarms, &err), 0);
    f->l->is_unsure = true; /* as after ERR_DISCONNECTED */
    if (learning_step(f->l, 0, &err) < 0)
        fail_msg("%s", err.text);
    want_all(f, 1000);
    check_alarms(f);

    queue(f, 1001, 1202);
    world_learn_until(&f->w, f->l, 1202); /* which makes a version */
    queue(f, 1203, 1300);
    world_learn_until(&f->w, f->l, 1300); /* which does not, and raises alarms */
    die(f);
    assert_int_equal(bus_topic_delete(f->w.views.bus, f->w.task->topics.drift_alarms, &err), 0);
    start(f);
    uint64_t from = fold_position(learning_fold(f->l, 0));
    assert_int_equal(from, 1202);
    queue(f, 1301, ROWS);
    world_learn_until(&f->w, f->l, ROWS);
    want_all(f, ROWS);
    for (size_t k = 0; k < f->n_wanted;) { /* those at or before the version stay lost */
        uint64_t position;
        const char *at = strstr(f->wanted[k], "\"position\":");

        assert_int_equal(sscanf(at, "\"position\":%" SCNu64, &position), 1);
        if (position > from) {
            k++;
            continue;
        }
        free(f->wanted[k]);
        f->wanted[k] = f->wanted[--f->n_wanted];
    }
    check_alarms(f);
}

/* Another detector, or other parameters: the model stays, the detector begins anew where it is. */
static void test_other_detector(void **state)
{
    struct fixture *f = *state;
    struct store_version head;
    const struct error_drift *d;

    start(f);
    queue(f, 1, 300);
    world_learn_until(&f->w, f->l, 300);
    stop(f);
    world_reload(&f->w, WORLD_LINEAR, WORLD_NEAR, SLOW ",\"drift\":{\"adwin\":{\"delta\":0.02}}");
    start(f);
    d = fold_drift(learning_fold(f->l, 0));
    assert_int_equal(fold_position(learning_fold(f->l, 0)), 300);
    assert_int_equal(d->since, 300);
    assert_int_equal(d->alarms, 0);
    queue(f, 301, 400);
    world_learn_until(&f->w, f->l, 400);
    stop(f);

    world_reload(&f->w, WORLD_LINEAR, WORLD_NEAR, SLOW ",\"drift\":null");
    start(f);
    d = fold_drift(learning_fold(f->l, 0));
    assert_null(d->detector);
    struct buf status = BUF_INIT;
    learning_status(f->l, &status);
    assert_non_null(strstr(status.data, "\"drift\":null"));
    buf_release(&status);
    queue(f, 401, 500);
    world_learn_until(&f->w, f->l, 500);
    stop(f);
    world_head(&f->w, 0, &head);
    assert_non_null(strstr(head.scores, "\"drift\":null}"));
    store_version_release(&head);

    world_reload(&f->w, WORLD_LINEAR, WORLD_NEAR, SLOW ",\"drift\":\"page_hinkley\"");
    start(f);
    d = fold_drift(learning_fold(f->l, 0));
    assert_int_equal(d->since, 500);
    assert_string_equal(detector_class(d->detector), "page_hinkley");
}

/* One that has lost its lease and does not know it yet publishes no alarm: the other does. */
static void test_fenced(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct peer q;
    int rc = 0;

    start(f);
    queue(f, 1, 550);
    world_learn_until(&f->w, f->l, 550);
    world_peer_open(&f->w, &q);
    struct learning *second = world_learning(&f->w, &q);
    world_learning_open(second); /* the first has not renewed meanwhile */
    queue(f, 551, ROWS);
    f->l->renew_at_ms = clock_mono_ms() + 60000;
    for (int k = 0; k < 100 && rc >= 0; k++)
        rc = learning_step(f->l, 0, &err);
    assert_int_equal(rc, ERR_FENCED);
    world_learn_until(&f->w, second, ROWS);
    assert_int_equal(learning_checkpoint(second, &err), 0);
    learning_free(second);
    world_peer_close(&q);
    want_all(f, ROWS);
    check_alarms(f);
}

/* ---- A fold by itself ---- */

static struct fold *fold_rows(struct fixture *f, struct fold *fold, uint64_t first, uint64_t last)
{
    struct row_reader_options options = {
        f->w.task->features, f->w.task->key, f->w.task->label, NULL, 0, NULL};
    struct err err = {0};
    struct row_reader *rows = row_reader_new(&options, &err);
    struct buf text = BUF_INIT;

    for (uint64_t seq = first; seq <= last; seq++) {
        struct row row;
        double x[3];

        buf_clear(&text);
        row_text(seq, &text);
        assert_int_equal(row_reader_read(rows, text.data, text.len, &row, x, NULL, &err), 0);
        struct fold_input input = {row.seq, x, row.label, NULL, row.outcome_ms};
        assert_true(fold_row(fold, &input, &err) >= 0);
    }
    row_reader_free(rows);
    buf_release(&text);
    return fold;
}

/* From any version the detector goes on to the last bit, and a damaged state is refused by name. */
static void test_fold(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct store_version v;
    struct store_version w;
    char generation[TASK_GENERATION_LEN + 1];

    world_generation(&f->w, 0, generation);
    struct fold *whole = fold_rows(f, fold_new(f->w.task, 0, generation, 0, &err), 1, 1300);
    struct fold *parts = fold_new(f->w.task, 0, generation, 0, &err);
    for (uint64_t seq = 1; seq <= 1300; seq++) {
        fold_rows(f, parts, seq, seq);
        fold_save(parts, &v);
        fold_free(parts);
        parts = fold_restore(f->w.task, 0, &v, &err);
        if (!parts)
            fail_msg("%s", err.text);
        store_version_release(&v);
    }
    fold_save(whole, &v);
    fold_save(parts, &w);
    assert_string_equal(v.scores, w.scores);
    assert_true(fold_same_drift(v.scores, w.scores));
    assert_true(fold_drift(whole)->alarms > 1);
    store_version_release(&w);
    fold_rows(f, parts, 1301, 1320);
    fold_save(parts, &w);
    assert_false(fold_same_drift(v.scores, w.scores));
    assert_true(fold_same_drift(v.scores, "{\"state\":{}}"));

    char *hex = strstr(v.scores, ",\"state\":\"");
    assert_non_null(hex);
    hex[strlen(",\"state\":\"")] = 'g';
    assert_null(fold_restore(f->w.task, 0, &v, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.text, v.version));
    assert_non_null(strstr(err.text, "drift detector"));
    store_version_release(&v);
    store_version_release(&w);
    fold_free(whole);
    fold_free(parts);
}

/* ---- A redis-server that forgets ---- */

static void aof_path(const struct fixture *f, char *path, size_t size)
{
    glob_t found;

    snprintf(path, size, "%s/appendonlydir/*.incr.aof", f->server.dir);
    assert_int_equal(glob(path, 0, NULL, &found), 0);
    snprintf(path, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
}

static off_t aof_size(const struct fixture *f)
{
    char path[256];
    struct stat st;

    aof_path(f, path, sizeof(path));
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

/* Killed, it comes back with what it had been told up to `size`: a prefix, as after a slow fsync.
 */
static void forget(struct fixture *f, off_t size)
{
    struct bus_marks marks;
    struct err err = {0};
    char path[256];

    redis_server_kill(&f->server);
    aof_path(f, path, sizeof(path));
    assert_int_equal(truncate(path, size), 0);
    redis_server_restart(&f->server);
    world_reach(&f->w);
    while (bus_marks(f->w.views.bus, f->w.task->topics.drift_alarms, 0, &marks, &err) < 0)
        clock_sleep_ms(5);
}

static void step_until(struct fixture *f, uint64_t last)
{
    struct err err = {0};

    for (bool is_done = false; !is_done;) {
        if (learning_step(f->l, 5, &err) < 0) {
            if (!err.retriable)
                fail_msg("%s", err.text);
            clock_sleep_ms(5);
        }
        is_done = true;
        for (size_t i = 0; i < f->w.task->n_models; i++)
            is_done = is_done && fold_position(learning_fold(f->l, i)) >= last;
    }
    while (learning_checkpoint(f->l, &err) < 0) {
        if (!err.retriable)
            fail_msg("%s", err.text);
        clock_sleep_ms(5);
    }
}

/*
 * The server forgets its last moments, alarms and versions, at several places; with the learner
 * going on, and with one that starts again.
 */
static void test_server_forgets(void **state)
{
    struct fixture *f = *state;

    start(f);
    for (uint64_t part = 1; part <= 6; part++) {
        uint64_t last = part * ROWS / 6;

        queue(f, last - ROWS / 6 + 1, last);
        off_t size = aof_size(f); /* from here on all is forgotten */
        step_until(f, last - (part % 3) * 40);
        if (part % 2)
            die(f);
        forget(f, size);
        if (part % 2)
            start(f);
        step_until(f, last);
        want_all(f, last);
        check_alarms(f);
    }
    stop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fold, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alarms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_topic, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_detector, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fenced, setup, teardown),
    };
    const struct CMUnitTest on_redis[] = {
        cmocka_unit_test_setup_teardown(test_server_forgets, setup_redis, teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    if (!redis_server_available())
        return failed ? failed : 77;
    return failed + cmocka_run_group_tests(on_redis, NULL, NULL);
}
