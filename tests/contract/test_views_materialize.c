/*
 * The Materialize engine against a stand-in server: recorded answers for the
 * protocol's corners, and a real PostgreSQL that the stand-in polls for what
 * needs the task's SQL. Nothing here has met Materialize itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/mz_standin.h"
#include "views/views.h"

#define SQL_DIR OXBOW_SOURCE_DIR "/sql/taxi/materialize"

struct fixture {
    struct mz_standin server;
    struct views_options options;
    struct views *views;
    struct buf notes;
    char dir[64]; /* a copy of the task's SQL; "" */
};

static const char *const TWO_FEATURES[] = {"speed", "is_weekend"};
static const char *const TAXI_FEATURES[] = {"passenger_count",   "is_weekend", "l1_distance",
                                            "avg_speed_by_hour", "hour_cos",   "hour_sin"};

static void take_note(void *ctx, const char *text)
{
    struct fixture *f = ctx;

    buf_printf(&f->notes, "%s\n", text);
}

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof(*f));

    f->options = (struct views_options){
        .engine = "materialize",
        .name = "taxi",
        .sql_dir = SQL_DIR,
        .key = "trip_id",
        .label = "duration",
        .features = TWO_FEATURES,
        .n_features = 2,
        .topic_names = {"pick-ups", "drop-offs", "predictions"},
        .brokers = "a:9092,b:9092",
        .window_seconds = 86400,
        .note = take_note,
        .note_ctx = f,
    };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    views_close(f->views);
    mz_standin_stop(&f->server);
    buf_release(&f->notes);
    if (f->dir[0]) {
        DIR *dir = opendir(f->dir);
        const struct dirent *entry;
        char path[400];
        while (dir && (entry = readdir(dir))) {
            snprintf(path, sizeof(path), "%s/%s", f->dir, entry->d_name);
            unlink(path);
        }
        closedir(dir);
        rmdir(f->dir);
    }
    free(f);
    return 0;
}

static void open_views(struct fixture *f)
{
    struct err err = {0};

    f->options.url = f->server.url;
    f->views = views_open(&f->options, &err);
    if (!f->views)
        fail_msg("views_open: %s", err.text);
}

static void with_script(struct fixture *f, const char *script)
{
    mz_standin_script(&f->server, script);
    open_views(f);
}

/* ---- Recorded answers ---- */

/* clang-format off */
#define PQ_COLUMNS                                                                                 \
    "{\"columns\":[[\"mz_timestamp\",1700],[\"mz_progressed\",16],[\"mz_diff\",20],"               \
    "[\"trip_id\",25],[\"requested_at\",25],[\"speed\",701],[\"is_weekend\",16],[\"other\",23]]}"
#define LQ_COLUMNS                                                                                 \
    "{\"columns\":[[\"mz_timestamp\",1700],[\"mz_progressed\",16],[\"mz_diff\",20],"               \
    "[\"trip_id\",25],[\"duration\",701],[\"features\",3802],[\"predictions\",25],"                \
    "[\"outcome_at\",25]]}"
/* Steps, each with the comma before it. */
#define PROGRESS(ts)     ",{\"row\":[" #ts ",\"t\",null,null,null,null,null,null]}"
#define ERROR(state, text) ",{\"error\":[\"" state "\",\"" text "\"]}"
#define HOLD             ",{\"hold\":true}"
#define CLOSE            ",{\"close\":true}"
#define PQ_ROW(ts, diff, key, speed)                                                               \
    ",{\"row\":[" #ts ",\"f\"," #diff ",\"" key "\",\"at\"," speed ",\"t\",7]}"
#define LQ_ROW(ts, diff, key, duration)                                                            \
    ",{\"row\":[" #ts ",\"f\"," #diff ",\"" key "\"," duration                                     \
    ",\"{\\\"a\\\": 1}\",\"{\\\"m\\\":{}}\",\"out\"]}"
/* Rules, each with the comma behind it. */
#define RULE(match, columns, steps)                                                                \
    "{\"match\":\"" match "\",\"steps\":[" columns steps "]},"
#define PQ(steps) RULE("TO prediction_queue WITH .PROGRESS.$", PQ_COLUMNS, steps)
#define LQ(steps) RULE("TO learning_queue WITH .PROGRESS.$", LQ_COLUMNS, steps)
#define LQ_AS_OF(ts, steps)                                                                        \
    RULE("TO learning_queue WITH .PROGRESS, SNAPSHOT = false. AS OF " #ts "$", LQ_COLUMNS, steps)
/* The other subscription, when a test is about one: it has nothing but progress. */
#define LQ_QUIET LQ(PROGRESS(1000) PROGRESS(1001) HOLD)
#define PQ_QUIET PQ(PROGRESS(1000) PROGRESS(1001) HOLD)
#define END      "{\"match\":\"nothing matches this\",\"steps\":[]}"

static const char SNAPSHOT[] = "["
    PQ(PROGRESS(1000)
       PQ_ROW(1000, 1, "c", "1.5")
       PQ_ROW(1000, 1, "a", "2")
       PQ_ROW(1000, 1, "b", "\"NaN\"")
       PQ_ROW(1001, 1, "open", "1")
       PROGRESS(1001) HOLD)
    LQ_QUIET END "]";

static const char HALF[] = "["
    PQ_QUIET
    LQ(PROGRESS(1000) LQ_ROW(1000, 1, "x", "60") CLOSE)
    LQ(PROGRESS(2000) LQ_ROW(2000, 1, "x", "60") PROGRESS(2001) HOLD)
    END "]";

static const char CHANGES[] = "["
    PQ_QUIET
    LQ(PROGRESS(1000) PROGRESS(1001)
       LQ_ROW(1005, 1, "z", "60")
       LQ_ROW(1005, -1, "m", "61")
       LQ_ROW(1005, 1, "m", "62")
       LQ_ROW(1005, 2, "d", "63")
       LQ_ROW(1005, -1, "d", "63")
       LQ_ROW(1005, 1, "gone", "64")
       LQ_ROW(1005, -1, "gone", "64")
       LQ_ROW(1006, 1, "a", "65")
       PROGRESS(1007) HOLD)
    END "]";

static const char RESUME[] = "["
    LQ_AS_OF(1999, PROGRESS(1999) LQ_ROW(2000, 1, "x", "60") PROGRESS(2001) HOLD)
    PQ_QUIET END "]";

static const char EXPIRED[] = "["
    "{\"match\":\"AS OF 1999$\",\"steps\":[{\"error\":"
    "[\"22000\",\"could not find a valid timestamp for the query\"]}]},"
    PQ_QUIET
    LQ(PROGRESS(5000) LQ_ROW(5000, 1, "x", "60") PROGRESS(5001) HOLD)
    END "]";

static const char ERRORS[] = "["
    PQ_QUIET
    LQ(PROGRESS(1000) ERROR("42704", "relation 'x' was dropped"))
    "{\"match\":\"TO learning_queue\",\"steps\":[{\"error\":"
    "[\"42P01\",\"unknown catalog item 'learning_queue'\"]}]},"
    LQ(PROGRESS(1000) ERROR("53200", "subscribe fell behind"))
    LQ(PROGRESS(1000) ERROR("XX000", "Evaluation error: division by zero"))
    LQ(PROGRESS(1000) ERROR("22P02", "invalid input syntax for type double precision"))
    LQ(PROGRESS(1000) CLOSE)
    LQ(PROGRESS(1000) ",{\"complete\":\"SUBSCRIBE 0\"}")
    LQ(PROGRESS(1000) ERROR("57014", "canceling statement"))
    LQ(PROGRESS(1000) LQ_ROW(1000, 1, "x", "60") PROGRESS(1001) HOLD)
    END "]";

static const char ONE_FAILS[] = "["
    "{\"match\":\"TO learning_queue\",\"times\":99,\"steps\":[{\"error\":"
    "[\"XX000\",\"division by zero\"]}]},"
    PQ(PROGRESS(1000) PQ_ROW(1000, 1, "a", "2") PROGRESS(1001) HOLD)
    END "]";

static const char RECONNECT[] = "["
    PQ_QUIET
    LQ(PROGRESS(1000) PROGRESS(1001)
       LQ_ROW(1001, 1, "x", "60")
       PROGRESS(1002)
       LQ_ROW(1002, 1, "half", "60") CLOSE)
    LQ_AS_OF(1001, PROGRESS(1001) LQ_ROW(1002, 1, "half", "60") PROGRESS(1003) HOLD)
    END "]";

static const char LARGE[] = "["
    PQ_QUIET
    LQ(PROGRESS(1000)
       ",{\"many\":150,\"pad\":500000,\"row\":[1000,\"f\",1,\"#\",60,\"{}\",\"{}\",\"~\"]}"
       PROGRESS(1001) HOLD)
    END "]";

static const char LONG_QUERY[] = "["
    "{\"match\":\"SELECT long\",\"steps\":[{\"hold\":true}]}"
    "]";
/* clang-format on */

/* Polls until a batch with rows, or an error, comes; batches without rows are passed over. */
static int poll_rows(struct fixture *f, struct views_batch *ret, struct err *err)
{
    int rc;

    do {
        rc = views_poll(f->views, 20000, ret, err);
    } while (rc == 1 && ret->n == 0);
    return rc;
}

static void assert_value(const struct views_row *row, int64_t diff, const char *value)
{
    char *text = mem_strndup(row->value, row->value_len);

    assert_string_equal(text, value);
    assert_int_equal(row->diff, diff);
    assert_int_equal(row->seq, 0);
    free(text);
}

static void assert_keys(const struct views_batch *batch, const char *want)
{
    struct buf got = BUF_INIT;

    for (size_t i = 0; i < batch->n; i++)
        buf_printf(&got, "%s%.*s:%d", i ? " " : "", (int)batch->rows[i].key_len, batch->rows[i].key,
                   (int)batch->rows[i].diff);
    assert_string_equal(buf_str(&got), want);
    buf_release(&got);
}

/* A snapshot is handed out when progress closes its timestamp, sorted by key, and not before. */
static void test_snapshot(void **state)
{
    struct fixture *f = *state;
    struct views_batch batch;
    struct err err = {0};

    with_script(f, SNAPSHOT);
    assert_int_equal(poll_rows(f, &batch, &err), 1);
    assert_keys(&batch, "a:1 b:1 c:1");
    assert_int_equal(batch.rows[0].output, VIEWS_FEATURES);
    assert_value(&batch.rows[0], 1,
                 "{\"trip_id\":\"a\",\"requested_at\":\"at\",\"features\":{\"speed\":2,"
                 "\"is_weekend\":true}}");
    assert_value(&batch.rows[1], 1,
                 "{\"trip_id\":\"b\",\"requested_at\":\"at\",\"features\":{\"speed\":null,"
                 "\"is_weekend\":true}}");
    while (!batch.snapshot_complete)
        assert_int_equal(views_poll(f->views, 20000, &batch, &err), 1);
    assert_string_equal(batch.token, "1001 1001");
    assert_int_equal(batch.frontier_ms, 1001);
}

/*
 * A snapshot that is not through is nothing to go on from: neither its rows nor a frontier are
 * handed out, and after a lost connection it is asked for again.
 */
static void test_half_snapshot(void **state)
{
    struct fixture *f = *state;
    struct views_batch batch;
    struct err err = {0};
    int rc;

    with_script(f, HALF);
    while ((rc = views_poll(f->views, 20000, &batch, &err)) >= 0) {
        if (rc == 0)
            continue;
        assert_int_equal(batch.n, 0);
        assert_string_equal(strchr(batch.token, ' '), " 0");
        assert_int_equal(views_ack(f->views, batch.token, &err), 0);
    }
    assert_int_equal(rc, ERR_DISCONNECTED);
    assert_int_equal(poll_rows(f, &batch, &err), 1);
    assert_keys(&batch, "x:1");
    assert_string_equal(strchr(batch.token, ' '), " 2001");
}

/* One batch may span timestamps; within one the order is by key, and rows add up by multiplicity.
 */
static void test_changes(void **state)
{
    struct fixture *f = *state;
    struct views_batch batch;
    struct err err = {0};

    with_script(f, CHANGES);
    assert_int_equal(poll_rows(f, &batch, &err), 1);
    assert_keys(&batch, "d:1 m:-1 m:1 z:1 a:1");
    assert_value(&batch.rows[3], 1,
                 "{\"trip_id\":\"z\",\"duration\":60,\"features\":{\"a\": 1},"
                 "\"predictions\":{\"m\":{}},\"outcome_at\":\"out\"}");
    assert_non_null(strstr(batch.token, " 1007"));
    /* The other subscription's snapshot counts too. */
    while (!batch.snapshot_complete)
        assert_int_equal(views_poll(f->views, 20000, &batch, &err), 1);
    assert_non_null(strstr(batch.token, " 1007"));
}

/* What was acknowledged is where learning_queue goes on; prediction_queue begins with a snapshot.
 */
static void test_resume(void **state)
{
    struct fixture *f = *state;
    struct views_batch batch;
    struct err err = {0};

    with_script(f, RESUME);
    assert_int_equal(views_ack(f->views, "1500 2000", &err), 0);
    assert_int_equal(poll_rows(f, &batch, &err), 1);
    assert_keys(&batch, "x:1");
    assert_non_null(strstr(batch.token, " 2001"));
    assert_int_equal(views_ack(f->views, "nonsense", &err), ERR_INVALID);
}

/* History that is gone is told as such; asked for a snapshot, the engine gives one. */
static void test_history_expired(void **state)
{
    struct fixture *f = *state;
    struct views_batch batch;
    struct err err = {0};

    with_script(f, EXPIRED);
    assert_int_equal(views_ack(f->views, "0 2000", &err), 0);
    assert_int_equal(poll_rows(f, &batch, &err), ERR_HISTORY_EXPIRED);
    assert_non_null(strstr(err.text, "learning_queue"));
    assert_int_equal(views_replay(f->views, VIEWS_LEARNING_QUEUE, 0, &err), 0);
    assert_int_equal(poll_rows(f, &batch, &err), 1);
    assert_keys(&batch, "x:1");
    assert_int_equal(views_replay(f->views, VIEWS_LEARNING_QUEUE, 7, &err), ERR_UNSUPPORTED);
}

/* Errors are told apart, and after each the subscription is made again. */
static void test_errors(void **state)
{
    struct fixture *f = *state;
    struct views_batch batch;
    struct err err = {0};
    static const struct {
        int code;
        bool retriable;
    } WANT[] = {
        {ERR_DEPENDENCY_DROPPED, false},
        {ERR_DEPENDENCY_DROPPED, false},
        {ERR_DISCONNECTED, true},
        {ERR_DATAFLOW, true},
        {ERR_DATAFLOW, true},
        {ERR_DISCONNECTED, true},
        {ERR_DISCONNECTED, true},
        {ERR_CANCELLED, false},
    };

    with_script(f, ERRORS);
    for (size_t i = 0; i < sizeof(WANT) / sizeof(WANT[0]); i++) {
        int rc = poll_rows(f, &batch, &err);
        if (rc != WANT[i].code || err.retriable != WANT[i].retriable)
            fail_msg("error %zu: %d, %s", i, rc, err.text);
        assert_non_null(strstr(err.text, "learning_queue"));
    }
    assert_int_equal(poll_rows(f, &batch, &err), 1);
    assert_keys(&batch, "x:1");
}

/* While one subscription fails, the other's rows go on being handed out. */
static void test_one_fails(void **state)
{
    struct fixture *f = *state;
    struct views_batch batch;
    struct err err = {0};
    bool got = false;

    with_script(f, ONE_FAILS);
    for (int i = 0; i < 50 && !got; i++) {
        int rc = views_poll(f->views, 1000, &batch, &err);
        assert_true(rc == 1 || rc == ERR_DATAFLOW || rc == 0);
        got = rc == 1 && batch.n == 1;
    }
    assert_true(got);
}

/* A lost connection is opened again, and goes on behind what was acknowledged last. */
static void test_reconnect(void **state)
{
    struct fixture *f = *state;
    struct views_batch batch;
    struct err err = {0};

    with_script(f, RECONNECT);
    assert_int_equal(poll_rows(f, &batch, &err), 1);
    assert_keys(&batch, "x:1");
    assert_int_equal(views_ack(f->views, batch.token, &err), 0);
    assert_int_equal(poll_rows(f, &batch, &err), ERR_DISCONNECTED);
    assert_true(err.retriable);
    assert_int_equal(poll_rows(f, &batch, &err), 1);
    assert_keys(&batch, "half:1");
}

/* Rows of one timestamp that are too many to be held come in parts, and the frontier stays. */
static void test_large_snapshot(void **state)
{
    struct fixture *f = *state;
    struct views_batch batch;
    struct err err = {0};
    size_t n = 0, parts = 0;

    with_script(f, LARGE);
    while (n < 150) {
        assert_int_equal(poll_rows(f, &batch, &err), 1);
        n += batch.n;
        if (n < 150) {
            parts++;
            assert_false(batch.snapshot_complete);
            assert_non_null(strstr(batch.token, " 0"));
        }
    }
    assert_true(parts >= 1);
    assert_non_null(strstr(batch.token, " 1001"));
}

/* A server that is away is retriable; a URL that makes no sense is refused at once. */
static void test_away(void **state)
{
    struct fixture *f = *state;
    struct views_batch batch;
    struct err err = {0};

    f->options.url = "postgres://materialize@127.0.0.1:1/materialize";
    f->views = views_open(&f->options, &err);
    assert_non_null(f->views);
    assert_int_equal(views_poll(f->views, 10, &batch, &err), ERR_DISCONNECTED);
    assert_true(err.retriable);
    assert_int_equal(views_apply(f->views, NULL, &err), ERR_DISCONNECTED);
    f->options.url = "postgres://a@b/?nonsense=1";
    assert_null(views_open(&f->options, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.text, "materialize_url"));
}

static int ignore_row(void *ctx, size_t n, const char *const *names, const char *const *values)
{
    (void)ctx;
    (void)n;
    (void)names;
    (void)values;
    return 0;
}

static void *cancel_soon(void *views)
{
    for (int i = 0; i < 200; i++) {
        usleep(20000);
        views_cancel(views);
    }
    return NULL;
}

/* A query is stopped from another thread. */
static void test_cancel(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    pthread_t thread;

    with_script(f, LONG_QUERY);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, f->views), 0);
    assert_int_equal(views_query(f->views, "SELECT long", ignore_row, NULL, &err), ERR_CANCELLED);
    pthread_cancel(thread);
    pthread_join(thread, NULL);
}

/* ---- With PostgreSQL behind it ---- */

static bool with_postgres(struct fixture *f)
{
    f->options.features = TAXI_FEATURES;
    f->options.n_features = sizeof(TAXI_FEATURES) / sizeof(TAXI_FEATURES[0]);
    if (mz_standin_postgres(&f->server) < 0)
        return false;
    open_views(f);
    return true;
}

static void apply(struct fixture *f, bool *ret_changed)
{
    struct err err = {0};

    buf_clear(&f->notes);
    if (views_apply(f->views, ret_changed, &err) < 0)
        fail_msg("views_apply: %s", err.text);
}

static void run_sql(struct fixture *f, const char *sql)
{
    struct err err = {0};

    if (views_query(f->views, sql, ignore_row, NULL, &err) < 0)
        fail_msg("%s: %s", sql, err.text);
}

static void put(struct fixture *f, const char *source, const char *key, const char *value)
{
    struct buf sql = BUF_INIT;

    buf_printf(&sql,
               "INSERT INTO %s VALUES ('%s', '%s', NULL, date_trunc('milliseconds',"
               " clock_timestamp() AT TIME ZONE 'UTC'))"
               " ON CONFLICT (msg_key) DO UPDATE SET data = excluded.data, ts = excluded.ts",
               source, key, value);
    run_sql(f, buf_str(&sql));
    buf_release(&sql);
}

#define PICK_UP                                                                                    \
    "{\"pickup_datetime\":\"2016-01-02T06:00:00.000Z\",\"passenger_count\":2,"                     \
    "\"pickup_longitude\":-73.5,\"pickup_latitude\":40.5,\"dropoff_longitude\":-73.25,"            \
    "\"dropoff_latitude\":40.75}"
#define PREDICTION                                                                                 \
    "{\"features\":{\"l1_distance\":0.5},\"predictions\":{\"a\":{\"value\":600,\"version\":"       \
    "\"g-0\"}},\"requested_at\":\"2016-01-02T06:00:00.000Z\",\"predicted_at\":"                    \
    "\"2016-01-02T06:00:00.001Z\"}"
#define DROP_OFF "{\"drop_off_datetime\":\"2016-01-02T06:10:00.000Z\"}"

/* The SQL is applied once; a second time nothing changes. */
static void test_apply(void **state)
{
    struct fixture *f = *state;
    bool changed;

    if (!with_postgres(f))
        skip();
    apply(f, &changed);
    assert_true(changed);
    assert_non_null(strstr(buf_str(&f->notes), "making learning_queue\n"));
    assert_null(strstr(buf_str(&f->notes), "dropping"));
    apply(f, &changed);
    assert_false(changed);
    assert_string_equal(buf_str(&f->notes), "");
}

static void edit(const struct fixture *f, const char *file, const char *from, const char *to)
{
    char path[200], text[20000];

    snprintf(path, sizeof(path), "%s/%s", f->dir, file);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    size_t n = fread(text, 1, sizeof(text) - 1, in);
    text[n] = '\0';
    fclose(in);
    const char *at = strstr(text, from);
    assert_non_null(at);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    fclose(out);
}

static void copy_sql(struct fixture *f)
{
    char command[300];

    snprintf(f->dir, sizeof(f->dir), "/tmp/oxbow-mz-sql-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(command, sizeof(command), "cp %s/*.sql %s/", SQL_DIR, f->dir);
    assert_int_equal(system(command), 0);
    f->options.sql_dir = f->dir;
}

/*
 * A view whose text has changed is made again, with what depends on it and nothing else; one that
 * is in no file any longer is dropped.
 */
static void test_apply_changes(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    bool changed;

    copy_sql(f);
    if (!with_postgres(f))
        skip();
    apply(f, NULL);
    edit(f, "50_performance.sql", "count(d.trip_id) ", "count(d.received_ms) ");
    apply(f, &changed);
    assert_true(changed);
    assert_string_equal(buf_str(&f->notes),
                        "dropping trip_counts: its SQL has changed; what depends on it is made "
                        "again too\nmaking trip_counts\nmaking ops_perf\nmaking "
                        "trip_counts_all\n");
    edit(f, "90_indexes.sql", "CREATE INDEX trip_counts_all ON trip_counts (trips_started);", "");
    apply(f, &changed);
    assert_string_equal(buf_str(&f->notes),
                        "dropping trip_counts_all: it is in no file any longer\n");
    /* A comment is no change. */
    edit(f, "50_performance.sql", "-- The newest labelled trips.", "-- Newest labelled trips.");
    apply(f, &changed);
    assert_false(changed);

    /* What another hand has dropped is made again. */
    run_sql(f, "DROP VIEW IF EXISTS ops_perf CASCADE");
    apply(f, &changed);
    assert_string_equal(buf_str(&f->notes), "making ops_perf\n");

    edit(f, "50_performance.sql", "count(d.received_ms)", "count(d.nonsense)");
    assert_int_equal(views_apply(f->views, NULL, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "50_performance.sql"));
    assert_non_null(strstr(err.text, "nonsense"));
    edit(f, "50_performance.sql", "count(d.nonsense)", "${nonsense}");
    assert_int_equal(views_apply(f->views, NULL, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "${brokers}"));
    edit(f, "50_performance.sql", "CREATE VIEW labelled_trips",
         "SELECT 1; CREATE VIEW labelled_trips");
    assert_int_equal(views_apply(f->views, NULL, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "write CREATE"));
}

/* A feature that view prediction_queue does not have is refused with the names of both. */
static void test_missing_column(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};

    if (!with_postgres(f))
        skip();
    views_close(f->views);
    f->options.features = TWO_FEATURES;
    f->options.n_features = 2;
    open_views(f);
    assert_int_equal(views_apply(f->views, NULL, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "\"speed\""));
    assert_non_null(strstr(err.text, "passenger_count"));
}

/* The next row that is there, whatever batch it is in. */
static const struct views_row *next_row(struct fixture *f, enum views_output output)
{
    struct views_batch batch;
    struct err err = {0};

    for (;;) {
        if (poll_rows(f, &batch, &err) != 1)
            fail_msg("views_poll: %s", err.text);
        for (size_t i = 0; i < batch.n; i++)
            if (batch.rows[i].output == output && batch.rows[i].diff > 0)
                return &batch.rows[i];
    }
}

/* A trip's way: features when it begins, and the labelled row when prediction and end are there. */
static void test_trip(void **state)
{
    struct fixture *f = *state;
    struct views_ledger ledger;
    struct err err = {0};

    if (!with_postgres(f))
        skip();
    apply(f, NULL);
    put(f, "pick_ups_src", "t1", PICK_UP);
    const struct views_row *row = next_row(f, VIEWS_FEATURES);
    char *text = mem_strndup(row->value, row->value_len);
    assert_non_null(strstr(text, "{\"trip_id\":\"t1\",\"requested_at\":\"20"));
    assert_non_null(strstr(text, "Z\",\"features\":{\"passenger_count\":2,\"is_weekend\":1,"
                                 "\"l1_distance\":0.5,\"avg_speed_by_hour\":0,"
                                 "\"hour_cos\":6.123233995736766e-17,\"hour_sin\":1}}"));
    free(text);
    put(f, "predictions_src", "t1", PREDICTION);
    put(f, "drop_offs_src", "t1", DROP_OFF);
    row = next_row(f, VIEWS_LEARNING_QUEUE);
    text = mem_strndup(row->value, row->value_len);
    assert_non_null(strstr(text, "{\"trip_id\":\"t1\",\"duration\":600,\"features\":{\""));
    assert_non_null(
        strstr(text, "\"predicted_at\":\"2016-01-02T06:00:00.001Z\",\"outcome_at\":\"2"));
    free(text);

    put(f, "pick_ups_src", "t2", PICK_UP);
    put(f, "pick_ups_src", "t3", "{}");
    put(f, "drop_offs_src", "early", DROP_OFF);
    put(f, "predictions_src", "orphan", PREDICTION);
    assert_int_equal(views_pin(f->views, &err), 0);
    assert_int_equal(views_ledger(f->views, &ledger, &err), 0);
    assert_int_equal(views_unpin(f->views, &err), 0);
    assert_int_equal(ledger.requests_new, 3);
    assert_int_equal(ledger.requests_predicted, 1);
    assert_int_equal(ledger.requests_pending, 1);
    assert_int_equal(ledger.requests_refused, 1);
    assert_int_equal(ledger.predictions_orphan, 1);
    assert_int_equal(ledger.outcomes_new, 2);
    assert_int_equal(ledger.outcomes_waiting, 1);
    assert_true(views_ledger_hidden(&ledger, "requests_read"));
    assert_true(views_ledger_hidden(&ledger, "outcomes_emitted"));
    assert_false(views_ledger_hidden(&ledger, "requests_new"));
}

/* When the views are made again under a subscription, it is told so, and begins anew. */
static void test_dropped_under_way(void **state)
{
    struct fixture *f = *state;
    struct views_batch batch;
    struct err err = {0};
    int rc;

    if (!with_postgres(f))
        skip();
    apply(f, NULL);
    put(f, "pick_ups_src", "t1", PICK_UP);
    next_row(f, VIEWS_FEATURES);
    run_sql(f, "DROP VIEW IF EXISTS pick_ups CASCADE");
    do
        rc = poll_rows(f, &batch, &err);
    while (rc == 1);
    assert_int_equal(rc, ERR_DEPENDENCY_DROPPED);
    apply(f, NULL);
    for (;;) {
        rc = poll_rows(f, &batch, &err);
        if (rc == ERR_DEPENDENCY_DROPPED)
            continue; /* the other subscription hears of it too */
        assert_int_equal(rc, 1);
        break;
    }
    assert_keys(&batch, "t1:1");
}

/* The incarnation is given once; another is a conflict. */
static void test_incarnation(void **state)
{
    struct fixture *f = *state;
    char id[UUID_TEXT_LEN + 1], got[UUID_TEXT_LEN + 1];
    struct err err = {0};
    bool announced = true;

    if (!with_postgres(f))
        skip();
    assert_int_equal(views_incarnation(f->views, got, &announced, &err), 0);
    assert_string_equal(got, "");
    assert_false(announced);
    apply(f, NULL);
    uuid_new(id);
    assert_int_equal(views_incarnation_set(f->views, id, &err), 0);
    assert_int_equal(views_announce(f->views, &err), 0);
    views_close(f->views);
    open_views(f);
    assert_int_equal(views_incarnation(f->views, got, &announced, &err), 0);
    assert_string_equal(got, id);
    assert_true(announced);
    uuid_new(id);
    assert_int_equal(views_incarnation_set(f->views, id, &err), ERR_CONFLICT);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_snapshot),
        TEST(test_half_snapshot),
        TEST(test_changes),
        TEST(test_resume),
        TEST(test_history_expired),
        TEST(test_errors),
        TEST(test_one_fails),
        TEST(test_reconnect),
        TEST(test_large_snapshot),
        TEST(test_away),
        TEST(test_cancel),
        TEST(test_apply),
        TEST(test_apply_changes),
        TEST(test_missing_column),
        TEST(test_trip),
        TEST(test_dropped_under_way),
        TEST(test_incarnation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
