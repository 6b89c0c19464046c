/* Trips from a file: what is passed on, what is skipped, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "simulator/replay.h"
#include "simulator/schedule.h"

#define HEADER                                                                                     \
    "id,vendor_id,pickup_datetime,dropoff_datetime,passenger_count,pickup_longitude,"              \
    "pickup_latitude,dropoff_longitude,dropoff_latitude,store_and_fwd_flag,trip_duration\n"

/* Opens a source over a file with this text; the file is gone afterwards. */
static struct trip_source *open_text(const char *text, struct err *err)
{
    char path[] = "/tmp/oxbow-test-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    struct trip_source *source = replay_open(path, err);
    unlink(path);
    return source;
}

static void expect_request(struct trip_source *source, const struct trip *trip, const char *key,
                           const char *value)
{
    struct buf text = BUF_INIT;

    source->ops->write_key(source, trip->number, &text);
    assert_string_equal(buf_str(&text), key);
    buf_clear(&text);
    source->ops->write_request(source, trip, &text);
    assert_string_equal(buf_str(&text), value);
    buf_release(&text);
}

/* A row becomes its request, numbers spelled as in the file; rows are sorted by pick-up. */
static void test_rows(void **state)
{
    struct err err = {0};
    struct trip t;
    struct trip_source *source = open_text(
        HEADER
        "id2,2,2016-01-01 00:13:21,2016-01-01 00:21:53,1,-73.890495300292969,40.70,-73.9,"
        "40.1e0,N,512\r\n"
        "\"id,1\",1,2016-01-01 00:03:02,2016-01-01 00:07:25,,-73.9,40.6,-73.8,40.8,\"a\"\"b\","
        "263\r\n",
        &err);

    (void)state;
    assert_non_null(source);
    assert_int_equal(source->total, 2);
    assert_int_equal(source->skipped, 0);
    assert_true(source->ops->next(source, &t));
    assert_int_equal(t.dropoff_ms - t.pickup_ms, 263000);
    expect_request(source, &t, "id,1",
                   "{\"vendor_id\":1,\"pickup_datetime\":\"2016-01-01T00:03:02.000Z\","
                   "\"passenger_count\":null,\"pickup_longitude\":-73.9,\"pickup_latitude\":40.6,"
                   "\"dropoff_longitude\":-73.8,\"dropoff_latitude\":40.8,"
                   "\"store_and_fwd_flag\":\"a\\\"b\"}");
    assert_true(source->ops->next(source, &t));
    expect_request(source, &t, "id2",
                   "{\"vendor_id\":2,\"pickup_datetime\":\"2016-01-01T00:13:21.000Z\","
                   "\"passenger_count\":1,\"pickup_longitude\":-73.890495300292969,"
                   "\"pickup_latitude\":40.70,\"dropoff_longitude\":-73.9,"
                   "\"dropoff_latitude\":40.1e0,\"store_and_fwd_flag\":\"N\"}");
    assert_false(source->ops->next(source, &t));
    trip_source_free(source);
}

/* Columns may come in any order, and more than are needed. */
static void test_column_order(void **state)
{
    struct err err = {0};
    struct trip t;
    struct trip_source *source =
        open_text("note,dropoff_datetime,id,store_and_fwd_flag,dropoff_latitude,dropoff_longitude,"
                  "pickup_latitude,pickup_longitude,passenger_count,pickup_datetime,vendor_id\n"
                  "hello,2016-01-01 00:10:00,k,Y,4,3,2,1,6,2016-01-01 00:00:00,5\n",
                  &err);

    (void)state;
    assert_non_null(source);
    assert_true(source->ops->next(source, &t));
    assert_int_equal(t.dropoff_ms - t.pickup_ms, 600000);
    expect_request(source, &t, "k",
                   "{\"vendor_id\":5,\"pickup_datetime\":\"2016-01-01T00:00:00.000Z\","
                   "\"passenger_count\":6,\"pickup_longitude\":1,\"pickup_latitude\":2,"
                   "\"dropoff_longitude\":3,\"dropoff_latitude\":4,\"store_and_fwd_flag\":\"Y\"}");
    trip_source_free(source);
}

#define GOOD ",2016-01-01 00:03:02,2016-01-01 00:07:25,1,-73.9,40.6,-73.8,40.8,N,263\n"

/* A row that cannot be read costs itself and is counted. */
static void test_bad_rows(void **state)
{
    struct err err = {0};
    struct trip_source *source = open_text(
        HEADER "a,1" GOOD "b,one" GOOD ",1" GOOD "c,1,2016-02-30 00:00:00,2016-01-01 00:07:25,1,"
               "-73.9,40.6,-73.8,40.8,N,263\n"
               "d,1,2016-01-01 00:00:00,2016-01-01 00:07:25,1,inf,40.6,-73.8,40.8,N,263\n"
               "e,1,x\n"
               "\xff\xfe,1" GOOD "f,\"1" GOOD "g,1" GOOD,
        &err);

    (void)state;
    assert_non_null(source);
    assert_int_equal(source->total, 2);
    assert_int_equal(source->skipped, 7);
    trip_source_free(source);
}

static void expect_refused(const char *text, const char *why)
{
    struct err err = {0};

    assert_null(open_text(text, &err));
    assert_int_equal(err.code, ERR_REFUSED);
    assert_non_null(strstr(err.text, why));
}

/* A file without a needed column is refused by that column's name; so is one without any trip. */
static void test_refused(void **state)
{
    struct err err = {0};

    (void)state;
    expect_refused("id,vendor_id,pickup_datetime,passenger_count,pickup_longitude,pickup_latitude,"
                   "dropoff_longitude,dropoff_latitude,store_and_fwd_flag\n",
                   "\"dropoff_datetime\" is missing");
    expect_refused("", "empty");
    expect_refused(HEADER, "no trip");
    expect_refused("\"id\n", "line 1");
    assert_null(replay_open("/nonexistent.csv", &err));
    assert_int_equal(err.code, ERR_REFUSED);
}

/* A file of another size is another simulation, the same file is the same. */
static void test_identity(void **state)
{
    char path[] = "/tmp/oxbow-test-XXXXXX";
    char identity[2][CURSOR_IDENTITY_MAX + 1];
    struct err err = {0};
    int fd = mkstemp(path);

    (void)state;
    dprintf(fd, "%sa,1%s", HEADER, GOOD);
    for (int i = 0; i < 3; i++) {
        struct trip_source *source = replay_open(path, &err);
        assert_non_null(source);
        if (i == 0)
            strcpy(identity[0], source->identity);
        else
            strcpy(identity[1], source->identity);
        trip_source_free(source);
        if (i == 1) {
            assert_string_equal(identity[0], identity[1]);
            dprintf(fd, "b,1%s", GOOD);
        }
    }
    assert_string_not_equal(identity[0], identity[1]);
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_column_order),
        cmocka_unit_test(test_bad_rows), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_identity),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
