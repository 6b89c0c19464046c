/*
 * The Materialize engine against a stand-in server that plays recorded answers: the
 * protocol's corners. Nothing here has met Materialize itself.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "mz_fixture.h"

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

static void assert_value(const struct views_row *row, int64_t diff, const char *value)
{
    char *text = mem_strndup(row->value, row->value_len);

    assert_string_equal(text, value);
    assert_int_equal(row->diff, diff);
    assert_int_equal(row->seq, 0);
    free(text);
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

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, mz_fixture_setup, mz_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_snapshot),  TEST(test_half_snapshot),   TEST(test_changes),
        TEST(test_resume),    TEST(test_history_expired), TEST(test_errors),
        TEST(test_one_fails), TEST(test_reconnect),       TEST(test_large_snapshot),
        TEST(test_away),      TEST(test_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
