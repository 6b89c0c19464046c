/*
 * What the contract tests of the bus share: which backend they run on, buses
 * on names of their own, and short forms of publishing and reading. A failure
 * in a helper fails the test that called it.
 */
#ifndef OXBOW_TESTS_CONTRACT_BUS_FIXTURE_H
#define OXBOW_TESTS_CONTRACT_BUS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* needs those above */
#include <hiredis/hiredis.h>

#include "bus/bus.h"
#include "support/redis_server.h"

#define WAIT_MS 20000 /* how long a condition may take; never slept out */

extern const char *fixture_backend;        /* "memory", "redis" or "kafka" */
extern bool fixture_is_mock;               /* kafka is librdkafka's mock cluster, no broker */
extern struct redis_server fixture_server; /* for kafka its url are the brokers */
extern const char *fixture_timeout_ms;     /* the redis backend's timeout_ms; NULL: its default */

/* What the delivery callback was told. */
struct deliveries {
    size_t ok;
    size_t duplicates;
    size_t failed;
    int last_result;
    bool last_retriable;
    char last_text[480];
    void *last_opaque;
    struct bus_pos last_pos;
};

/* The state of one test: a bus with a prefix that no other test has. */
struct bus_fixture {
    char prefix[64];
    struct bus *bus;
    struct deliveries told;
    struct err err;
};

/* cmocka's setup and teardown of one test. */
int bus_fixture_setup(void **state);
int bus_fixture_teardown(void **state);

/* Which backend the tests run on from now; redis starts a server of its own. */
void fixture_use_memory(void);
void fixture_use_redis(void);
void fixture_stop_redis(void);
/* For kafka: where the brokers are; every bus then has these properties as well. */
void fixture_use_kafka(const char *brokers, bool is_mock);
/* What a test opens a bus with. */
extern const struct bus_property *fixture_properties;
extern size_t fixture_n_properties;

/* Topics come into being by publishing; not so on the mock cluster, which is told here. */
extern void (*fixture_make_topics)(const char *prefix);

bool fixture_is(const char *backend);
/* Ends the test as skipped where the bus cannot do it. */
#define REQUIRE(f, ability)                                                                        \
    do {                                                                                           \
        if (!bus_can((f)->bus, ability))                                                           \
            skip();                                                                                \
    } while (0)
#define REQUIRE_ADMIN()                                                                            \
    do {                                                                                           \
        if (fixture_is_mock)                                                                       \
            skip();                                                                                \
    } while (0)

/* The position behind message `n` of a topic that put_many() has numbered from 1. */
struct bus_pos pos_behind(struct bus_fixture *f, size_t n);

/* Another bus on the same topics; `told` may be NULL. */
struct bus *bus_fixture_open(const struct bus_fixture *f, struct deliveries *told);

/* Publishes and waits until it is delivered. NULL texts are null. */
void put(struct bus_fixture *f, const char *topic, const char *key, const char *value,
         uint64_t seq);
/* `n` messages, numbered from `first` in key and value ("<i>"), and in seq if `numbered`. */
void put_many(struct bus_fixture *f, const char *topic, size_t first, size_t n, bool numbered);

struct bus_reader *reader_at(struct bus_fixture *f, const char *topic, struct bus_pos after);

/* Polls until there are messages: 0 never comes back. */
int poll_some(struct bus_fixture *f, struct bus_reader *r, size_t max, const struct bus_msg **ret);

/* Reads exactly the values "<first>" to "<first + n - 1>" in this order. */
void expect_values(struct bus_fixture *f, struct bus_reader *r, size_t first, size_t n);

/* Sends a command to the redis server and returns its reply; the caller frees it. */
redisReply *redis_cli(const char *format, ...);
/* The same, and forgets the reply. */
void redis_do(const char *format, ...);

#define assert_ok(f, rc)                                                                           \
    do {                                                                                           \
        int rc_ = (rc);                                                                            \
        if (rc_ != 0)                                                                              \
            fail_msg("returned %d: %s", rc_, (f)->err.text);                                       \
    } while (0)

#define assert_value(msg, text)                                                                    \
    do {                                                                                           \
        assert_int_equal((msg)->value_len, strlen(text));                                          \
        assert_memory_equal((msg)->value, text, strlen(text));                                     \
    } while (0)

/* What every backend promises, over the one in use. Returns how many failed. */
int run_contract(const char *name);

/* The tests of the other files, over the backend in use. Return how many failed. */
int run_asking_tests(void);
int run_member_tests(void);
int run_redis_tests(void);
int run_fake_tests(void);
int run_places_tests(void);
int run_kafka_mock_tests(void);
int run_kafka_tests(void);

#endif
