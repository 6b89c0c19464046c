/*
 * oxbow-views' loop with an engine that reads the bus by itself, step by step: the
 * bus in memory, and a stand-in for Materialize with PostgreSQL behind it (or with
 * recorded answers). The test plays the rest of the world: it puts requests and
 * outcomes where Materialize would find them, and predicts what comes out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "support/mz_standin.h"
#include "views/subscriber.h"

#define LIFE "11111111-1111-4111-8111-111111111111"

static const char *const FEATURES[] = {"passenger_count",   "is_weekend", "l1_distance",
                                       "avg_speed_by_hour", "hour_cos",   "hour_sin"};

struct world {
    char dir[64], file[80], prefix[32];
    struct mz_standin server;
    struct task *task;
    struct views *sql;  /* to put events where the sources are */
    struct bus *looker; /* to read what came out */

    /* the process under test */
    struct bus *bus;
    struct views *views;
    struct subscriber *sub;
};

static void write_task(struct world *w)
{
    snprintf(w->dir, sizeof(w->dir), "/tmp/oxbow-sub-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->file, sizeof(w->file), "%s/task.json", w->dir);
    FILE *f = fopen(w->file, "w");
    assert_non_null(f);
    fputs("{\"task\": \"taxi\", \"key\": \"trip_id\", \"bus\": \"memory\", \"views\": "
          "\"materialize\", \"topics\": {\"requests\": \"pick-ups\", \"outcomes\": \"drop-offs\"},"
          " \"features\": [\"passenger_count\"], \"label\": \"duration\", \"label_range\": [30,"
          " 10800], \"models\": {\"m\": [\"mean\"]}}",
          f);
    fclose(f);
    struct err err = {0};
    w->task = task_load(w->file, &err);
    if (!w->task)
        fail_msg("%s", err.text);
}

static struct bus *open_bus(struct world *w, const char *transaction)
{
    struct bus_options options = {
        .backend = "memory", .prefix = w->prefix, .client = "test", .transaction = transaction};
    struct err err = {0};
    struct bus *bus = bus_open(&options, &err);

    assert_non_null(bus);
    return bus;
}

static struct views *open_views(struct world *w)
{
    struct views_options options = {
        .engine = "materialize",
        .url = w->server.url,
        .name = "taxi",
        .sql_dir = OXBOW_SOURCE_DIR "/sql/taxi/materialize",
        .key = "trip_id",
        .label = "duration",
        .features = FEATURES,
        .n_features = sizeof(FEATURES) / sizeof(FEATURES[0]),
        .topic_names = {"pick-ups", "drop-offs", "predictions"},
        .brokers = "nowhere:9092",
        .window_seconds = 86400,
    };
    struct err err = {0};
    struct views *v = views_open(&options, &err);

    if (!v)
        fail_msg("views_open: %s", err.text);
    return v;
}

/* A new process: nothing of an earlier one is left but bus and engine. */
static void start(struct world *w)
{
    w->bus = open_bus(w, "views");
    w->views = open_views(w);
    w->sub = subscriber_new(&(struct subscriber_options){
        .bus = w->bus, .views = w->views, .task = w->task, .incarnation = LIFE});
}

/* kill -9: whatever was under way is not finished. */
static void crash(struct world *w)
{
    subscriber_free(w->sub);
    views_close(w->views);
    bus_close(w->bus);
    w->sub = NULL;
    w->views = NULL;
    w->bus = NULL;
}

static void recover(struct world *w)
{
    struct err err = {0};

    if (subscriber_recover(w->sub, &err) < 0)
        fail_msg("subscriber_recover: %s", err.text);
}

static int setup(void **state)
{
    static int number;
    struct world *w = mem_zalloc(1, sizeof(*w));

    snprintf(w->prefix, sizeof(w->prefix), "subscriber-%d", number++);
    write_task(w);
    w->looker = open_bus(w, NULL);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    crash(w);
    views_close(w->sql);
    bus_close(w->looker);
    mz_standin_stop(&w->server);
    task_free(w->task);
    unlink(w->file);
    rmdir(w->dir);
    free(w);
    return 0;
}

/* ---- Looking at what came out ---- */

/* Keys by the number in them, "t17"; how often each came on the topic. Fails when seq has a gap. */
static size_t tally(struct world *w, const char *topic, unsigned *count, size_t n_count)
{
    struct bus_reader *r = bus_reader_open(w->looker, NULL);
    const struct bus_msg *msgs;
    struct json_value root, seq;
    struct err err = {0};
    int64_t got;
    size_t total = 0;
    int n;

    assert_non_null(r);
    if (count)
        memset(count, 0, n_count * sizeof(*count));
    assert_true(bus_reader_assign(r, topic, 0, &BUS_POS_OLDEST, &err) >= 0);
    while ((n = bus_poll(r, 1000, 0, &msgs, &err)) > 0)
        for (int i = 0; i < n; i++) {
            assert_int_equal(json_parse(msgs[i].value, msgs[i].value_len, &root, &err), 0);
            assert_true(json_get(&root, "seq", &seq) && json_int(&seq, &got));
            assert_int_equal(got, ++total);
            size_t number = strtoul(msgs[i].key + 1, NULL, 10);
            if (count) {
                assert_true(number < n_count);
                count[number]++;
            }
        }
    bus_reader_close(r);
    return total;
}

/* ---- The rest of the world, in SQL ---- */

static int ignore_row(void *ctx, size_t n, const char *const *names, const char *const *values)
{
    (void)ctx;
    (void)n;
    (void)names;
    (void)values;
    return 0;
}

static void run_sql(struct world *w, const char *fmt, ...)
{
    struct err err = {0};
    va_list ap;
    char *sql;

    va_start(ap, fmt);
    assert_true(vasprintf(&sql, fmt, ap) > 0);
    va_end(ap);
    if (views_query(w->sql, sql, ignore_row, NULL, &err) < 0)
        fail_msg("%.200s: %s", sql, err.text);
    free(sql);
}

/* Trips first..last depart, or arrive after ten minutes (trip 7, 17, ...: after a second). */
#define ALL_TRIPS                                                                                  \
    "SELECT 't' || i, '%s'::jsonb, NULL, clock_timestamp() AT TIME ZONE 'UTC'"                     \
    " FROM generate_series(%d, %d) AS i"                                                           \
    " ON CONFLICT (msg_key) DO UPDATE SET data = excluded.data, ts = excluded.ts"

static void depart(struct world *w, int first, int last)
{
    run_sql(w, "INSERT INTO pick_ups_src " ALL_TRIPS,
            "{\"pickup_datetime\":\"2016-01-02T06:00:00.000Z\",\"passenger_count\":2}", first,
            last);
}

static void arrive(struct world *w, int first, int last)
{
    run_sql(w,
            "INSERT INTO drop_offs_src SELECT 't' || i, CASE WHEN i %% 10 = 7 THEN"
            " '{\"drop_off_datetime\":\"2016-01-02T06:00:01.000Z\"}'::jsonb ELSE"
            " '{\"drop_off_datetime\":\"2016-01-02T06:10:00.000Z\"}'::jsonb END, NULL,"
            " clock_timestamp() AT TIME ZONE 'UTC' FROM generate_series(%d, %d) AS i"
            " ON CONFLICT (msg_key) DO UPDATE SET data = excluded.data, ts = excluded.ts",
            first, last);
}

static void predict(struct world *w, int first, int last)
{
    run_sql(w, "INSERT INTO predictions_src " ALL_TRIPS,
            "{\"features\":{\"passenger_count\":2},\"predictions\":{\"m\":{\"value\":1,"
            "\"version\":\"g-0\"}}}",
            first, last);
}

static bool with_postgres(struct world *w)
{
    struct err err = {0};

    if (mz_standin_postgres(&w->server) < 0)
        return false;
    w->sql = open_views(w);
    if (views_apply(w->sql, NULL, &err) < 0)
        fail_msg("views_apply: %s", err.text);
    start(w);
    recover(w);
    return true;
}

/* Shut out by another process, a service ends; here a new one is started. */
static void recover_or_restart(struct world *w)
{
    struct err err = {0};
    int rc = subscriber_recover(w->sub, &err);

    if (rc == ERR_FATAL) {
        crash(w);
        start(w);
        recover(w);
    } else if (rc < 0)
        fail_msg("subscriber_recover: %s", err.text);
}

/* As the service's loop: steps, and deals with what the engine says. */
static void step(struct world *w)
{
    struct err err = {0};

    if (subscriber_step(w->sub, 100, &err) >= 0)
        return;
    if (subscriber_is_lost(w->sub))
        recover_or_restart(w);
    else if (err.code == ERR_HISTORY_EXPIRED)
        assert_int_equal(views_replay(w->views, VIEWS_LEARNING_QUEUE, 0, &err), 0);
    else if (err.code == ERR_DEPENDENCY_DROPPED)
        assert_int_equal(views_apply(w->views, NULL, &err), 0);
    else if (!err.retriable)
        fail_msg("subscriber_step: %s", err.text);
}

static void step_until(struct world *w, const char *topic, size_t n)
{
    for (int i = 0; i < 600; i++) {
        if (tally(w, topic, NULL, 0) >= n)
            return;
        step(w);
    }
    fail_msg("%s has %zu rows, not %zu", topic, tally(w, topic, NULL, 0), n);
}

/* ---- Tests ---- */

/*
 * Each request is published once, each labelled request once; bad labels are counted and not
 * published; the ledger's equations hold once all is done.
 */
static void test_loop(void **state)
{
    struct world *w = *state;
    struct views_ledger l;
    struct err err = {0};

    if (!with_postgres(w))
        skip();
    depart(w, 1, 100);
    step_until(w, "features", 100);
    predict(w, 1, 100);
    arrive(w, 1, 100);
    step_until(w, "learning-queue", 90);
    for (int i = 0; i < 5; i++)
        step(w);
    assert_int_equal(tally(w, "features", NULL, 0), 100);
    assert_int_equal(tally(w, "learning-queue", NULL, 0), 90);

    assert_int_equal(views_ledger(w->views, &l, &err), 0);
    subscriber_complete_ledger(w->sub, &l);
    assert_int_equal(l.requests_new, 100);
    assert_int_equal(l.requests_new, l.requests_predicted + l.requests_pending +
                                         l.requests_expired + l.requests_refused);
    assert_int_equal(l.outcomes_new, l.outcomes_emitted + l.outcomes_waiting + l.outcomes_expired +
                                         l.outcomes_bad_label + l.outcomes_refused);
    assert_int_equal(l.requests_new - l.requests_refused, l.features_last);
    assert_int_equal(l.outcomes_bad_label, 10);
    assert_true(views_ledger_hidden(&l, "outcomes_read"));
    assert_false(views_ledger_hidden(&l, "outcomes_emitted"));
}

/* A later process goes on from what the one before had committed, and shuts it out. */
static void test_restart(void **state)
{
    struct world *w = *state;
    struct err err = {0};

    if (!with_postgres(w))
        skip();
    depart(w, 1, 50);
    step_until(w, "features", 50);
    struct world old = *w;
    start(w);
    recover(w);
    assert_int_equal(subscriber_state(w->sub)->last[VIEWS_FEATURES], 50);
    assert_int_equal(subscriber_keys(w->sub, VIEWS_FEATURES), 50);

    depart(w, 51, 60);
    int rc = 0;
    for (int i = 0; i < 200 && rc >= 0; i++)
        rc = subscriber_step(old.sub, 100, &err);
    assert_int_equal(rc, ERR_FATAL);
    assert_true(subscriber_is_lost(old.sub));
    crash(&old);
    step_until(w, "features", 60);
}

/* Sent again, a message is not published again: not by the same process nor by a later one. */
static void test_duplicates(void **state)
{
    struct world *w = *state;

    if (!with_postgres(w))
        skip();
    depart(w, 1, 20);
    step_until(w, "features", 20);
    predict(w, 1, 20);
    arrive(w, 1, 20);
    step_until(w, "learning-queue", 18);
    depart(w, 1, 20);
    predict(w, 1, 20);
    arrive(w, 1, 21);
    crash(w);
    start(w);
    recover(w);
    depart(w, 21, 21);
    predict(w, 21, 21);
    step_until(w, "learning-queue", 19);
    assert_in_range(tally(w, "features", NULL, 0), 20, 21);
    assert_true(subscriber_state(w->sub)->retracted + subscriber_state(w->sub)->duplicate > 0);
}

/* Rows without a state that knows them are refused: their numbers would come again. */
static void test_lost_state(void **state)
{
    struct world *w = *state;
    struct err err = {0};

    if (!with_postgres(w))
        skip();
    depart(w, 1, 5);
    step_until(w, "features", 5);
    assert_int_equal(bus_topic_delete(w->looker, "taxi-views-state", &err), 0);
    assert_int_equal(subscriber_recover(w->sub, &err), ERR_REFUSED);
    assert_non_null(strstr(err.text, "taxi-views-state"));
}

/* ---- The whole, with accidents ---- */

#define TRIPS 400

static uint64_t random_state;

static unsigned random_below(unsigned n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % n;
}

static void accident(struct world *w)
{
    struct err err = {0};

    switch (random_below(5)) {
    case 0: /* killed */
        crash(w);
        start(w);
        recover(w);
        break;
    case 1: /* shut out in the middle of what it does: a transaction is lost */
        bus_close(open_bus(w, "views"));
        break;
    case 2: /* the views are made again: all history is gone */
        run_sql(w, "DROP VIEW IF EXISTS stored_predictions CASCADE");
        assert_int_equal(views_apply(w->sql, NULL, &err), 0);
        break;
    case 3: /* the bus was away: what is known is read back */
        recover_or_restart(w);
        break;
    default: /* the server has lost both connections */
        (void)!views_replay(w->views, VIEWS_LEARNING_QUEUE, VIEWS_SEQ_ACKED, &err);
        (void)!views_replay(w->views, VIEWS_FEATURES, VIEWS_SEQ_ACKED, &err);
    }
}

/* Whatever happens, each trip comes once on each topic, and the numbers have no gap. */
static void test_accidents(void **state)
{
    struct world *w = *state;
    static unsigned count[TRIPS + 1];
    int departed = 0, predicted = 0, arrived = 0;

    if (!with_postgres(w))
        skip();
    const char *seed = getenv("OXBOW_SEED");
    random_state = (uint64_t)(seed ? atoi(seed) : getpid());
    print_message("seed %" PRIu64 "\n", random_state);
    while (departed < TRIPS || predicted < TRIPS || arrived < TRIPS) {
        int next = departed + (int)random_below(40);
        next = next < TRIPS ? next : TRIPS;
        if (next > departed)
            depart(w, departed + 1, next);
        departed = next;
        if (random_below(4) == 0 && departed) {
            int again = 1 + (int)random_below((unsigned)departed);
            depart(w, again, again);
        }
        step(w);
        /* Inference answers what it has been given. */
        tally(w, "features", count, TRIPS + 1);
        int given = predicted;
        while (given < TRIPS && count[given + 1])
            given++;
        if (given > predicted)
            predict(w, random_below(5) ? predicted + 1 : 1, given);
        predicted = given;
        next = arrived + (int)random_below((unsigned)(departed - arrived + 1));
        if (next > arrived)
            arrive(w, arrived + 1, next);
        arrived = next;
        if (random_below(3) == 0)
            accident(w);
    }
    step_until(w, "learning-queue", TRIPS - TRIPS / 10);
    for (int i = 0; i < 10; i++)
        step(w);
    assert_int_equal(tally(w, "features", count, TRIPS + 1), TRIPS);
    for (int i = 1; i <= TRIPS; i++)
        assert_int_equal(count[i], 1);
    assert_int_equal(tally(w, "learning-queue", count, TRIPS + 1), TRIPS - TRIPS / 10);
    for (int i = 1; i <= TRIPS; i++)
        assert_int_equal(count[i], i % 10 != 7);
    assert_int_equal(subscriber_state(w->sub)->bad_label, TRIPS / 10);
    print_message("duplicates not published: %" PRIu64 ", taken back: %" PRIu64 "\n",
                  subscriber_state(w->sub)->duplicate, subscriber_state(w->sub)->retracted);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_loop),       TEST(test_restart),   TEST(test_duplicates),
        TEST(test_lost_state), TEST(test_accidents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
