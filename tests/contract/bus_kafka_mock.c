/* What the Kafka bus does when brokers are in trouble, on librdkafka's mock cluster, which can be
 * told to be. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "contract/bus_fixture.h"
#include "contract/bus_kafka.h"

#define PRODUCE 0 /* Kafka's number of the request */

static void full_name(const struct bus_fixture *f, const char *topic, char *out, size_t size)
{
    snprintf(out, size, "%s%s", f->prefix, topic);
}

/* When the partition's leader changes, nothing is lost, doubled or out of order. */
static void a_new_leader_changes_nothing(void **state)
{
    struct bus_fixture *f = *state;
    char topic[100];

    full_name(f, "t", topic, sizeof(topic));
    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);
    for (int32_t leader = 1; leader <= 3; leader++) {
        rd_kafka_mock_partition_set_leader(kafka_mock, topic, 0, leader);
        put_many(f, "t", (size_t)leader * 100, 100, false);
        rd_kafka_mock_partition_set_leader(kafka_mock, topic, 0, leader % 3 + 1);
        expect_values(f, r, (size_t)leader * 100, 100);
    }
    assert_int_equal(f->told.ok, 300);
    bus_reader_close(r);
}

/* Errors that pass are tried again inside; the publisher hears of success alone. */
static void passing_errors_are_retried(void **state)
{
    struct bus_fixture *f = *state;

    rd_kafka_mock_push_request_errors(
        kafka_mock, PRODUCE, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    put_many(f, "t", 0, 50, false);
    assert_int_equal(f->told.ok, 50);
    assert_int_equal(f->told.failed, 0);
    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);
    expect_values(f, r, 0, 50);
    bus_reader_close(r);
}

static void expect_failure(struct bus_fixture *f, rd_kafka_resp_err_t said, int code)
{
    struct bus_record rec = {.topic = "t", .partition = -1, .value = "x", .value_len = 1};

    f->told = (struct deliveries){.ok = 0};
    rd_kafka_mock_push_request_errors(kafka_mock, PRODUCE, 1, said);
    assert_ok(f, bus_publish(f->bus, &rec, &f->err));
    assert_int_equal(bus_flush(f->bus, WAIT_MS, &f->err), code);
    assert_int_equal(f->err.code, code);
    assert_int_equal(f->told.failed, 1);
    assert_int_equal(f->told.last_result, code);
    assert_false(f->told.last_retriable);
    /* A failure is told once. */
    assert_ok(f, bus_flush(f->bus, WAIT_MS, &f->err));
}

/* A topic that may not be written to needs a human: told as refused, and never retried. */
static void refused_writes_are_told(void **state)
{
    struct bus_fixture *f = *state;

    expect_failure(f, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERR_REFUSED);
}

/* What the broker finds too large, though we did not, is told as such. */
static void what_the_broker_finds_too_large_is_told(void **state)
{
    struct bus_fixture *f = *state;

    expect_failure(f, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERR_TOO_LARGE);
    put(f, "t", "k", "after", 0);
}

/* With every broker away a reader says so, until one is back; then both go on, and nothing is lost.
 */
static void brokers_may_come_and_go(void **state)
{
    struct bus_fixture *f = *state;
    const struct bus_msg *m;
    int64_t deadline = clock_mono_ms() + WAIT_MS;
    int rc = 0;

    put_many(f, "t", 0, 10, false);
    struct bus_reader *r = reader_at(f, "t", BUS_POS_OLDEST);
    expect_values(f, r, 0, 10);
    for (int32_t i = 1; i <= 3; i++)
        rd_kafka_mock_broker_set_down(kafka_mock, i);
    while (rc >= 0 && clock_mono_ms() < deadline)
        rc = bus_poll(r, 10, 100, &m, &f->err);
    assert_int_equal(rc, ERR_DISCONNECTED);
    assert_true(f->err.retriable);
    struct bus_record rec = {.topic = "t", .partition = -1, .value = "10", .value_len = 2};
    while ((rc = bus_publish(f->bus, &rec, &f->err)) == ERR_DISCONNECTED)
        continue;
    assert_int_equal(rc, 0);
    assert_int_equal(bus_flush(f->bus, 200, &f->err), ERR_TIMEOUT);
    assert_int_equal(f->told.ok, 10);

    for (int32_t i = 1; i <= 3; i++)
        rd_kafka_mock_broker_set_up(kafka_mock, i);
    assert_ok(f, bus_flush(f->bus, WAIT_MS, &f->err));
    while ((rc = bus_poll(r, 10, 1000, &m, &f->err)) <= 0)
        assert_true(clock_mono_ms() < deadline + WAIT_MS);
    assert_int_equal(rc, 1);
    assert_value(m, "10");
    bus_reader_close(r);
}

/* ---- Properties ---- */

static struct bus *open_with(const char *name, const char *value, struct err *err)
{
    struct bus_property property = {name, value};
    struct bus_options options = {
        .backend = "kafka", .url = fixture_server.url, .properties = &property, .n_properties = 1};

    return bus_open(&options, err);
}

/* Properties that the promises rest on cannot be set, bad values are named, and a prefix that is no
 * topic's name is refused. */
static void promises_cannot_be_configured_away(void **state)
{
    static const char *const held[] = {"enable.auto.commit", "auto.offset.reset",
                                       "group.id",           "transactional.id",
                                       "isolation.level",    "bootstrap.servers"};
    struct bus_options options = {.backend = "kafka", .url = "localhost:1", .prefix = "a:b"};
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
        assert_null(open_with(held[i], "true", &err));
        assert_int_equal(err.code, ERR_INVALID);
        assert_non_null(strstr(err.text, held[i]));
    }
    assert_null(open_with("linger.ms", "soon", &err));
    assert_non_null(strstr(err.text, "linger.ms"));
    assert_null(bus_open(&options, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.text, "a:b"));
}

/* A value may be a file's content, without its line's end; a file that is not there is named, and
 * what is in one never shows. */
static void secrets_come_from_files(void **state)
{
    char path[] = "/tmp/oxbow-secret-XXXXXX";
    char value[64];
    struct err err;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "hunter2\n", 8), 8);
    close(fd);
    snprintf(value, sizeof(value), "@%s", path);
    struct bus *bus = open_with("sasl.password", value, &err);
    if (!bus)
        fail_msg("%s", err.text);
    bus_close(bus);
    assert_null(open_with("linger.ms", value, &err));
    assert_null(strstr(err.text, "hunter2"));
    unlink(path);
    assert_null(open_with("sasl.password", value, &err));
    assert_non_null(strstr(err.text, path));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bus_fixture_setup, bus_fixture_teardown)

static const struct CMUnitTest tests[] = {
    TEST(a_new_leader_changes_nothing),
    TEST(passing_errors_are_retried),
    TEST(refused_writes_are_told),
    TEST(what_the_broker_finds_too_large_is_told),
    TEST(brokers_may_come_and_go),
    cmocka_unit_test(promises_cannot_be_configured_away),
    cmocka_unit_test(secrets_come_from_files),
};

int run_kafka_mock_tests(void)
{
    return cmocka_run_group_tests_name("bus: kafka in trouble", tests, NULL, NULL);
}
