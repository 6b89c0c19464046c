/* The contract of bus.h on Kafka: on librdkafka's mock cluster always, on a real broker where one
 * can be had. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>

#include "contract/bus_fixture.h"
#include "contract/bus_kafka.h"
#include "support/kafka_broker.h"

rd_kafka_mock_cluster_t *kafka_mock;
struct kafka_broker kafka_broker;

/* The mock cluster makes topics by itself, but with four partitions. */
static void make_topics(const char *prefix)
{
    static const char *const names[] = {"t", "a", "b", "u", "other", "plain", "numbered"};
    char full[100];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(full, sizeof(full), "%s%s", prefix, names[i]);
        if (rd_kafka_mock_topic_create(kafka_mock, full, 1, 1))
            abort();
    }
}

static int run_on_mock(void)
{
    char text[200];
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof(text));

    kafka_mock = rd_kafka_mock_cluster_new(rk, 3);
    fixture_use_kafka(rd_kafka_mock_cluster_bootstraps(kafka_mock), true);
    fixture_make_topics = make_topics;
    int failed = run_contract("bus on kafka's mock cluster");
    failed += run_kafka_mock_tests();
    fixture_make_topics = NULL;
    rd_kafka_mock_cluster_destroy(kafka_mock);
    rd_kafka_destroy(rk);
    return failed;
}

static int run_on_broker(void)
{
    fixture_use_kafka(kafka_broker.url, false);
    int failed = run_contract("bus on kafka");

    return failed + run_kafka_tests();
}

int main(int argc, char **argv)
{
    bool only_real = argc > 1 && strcmp(argv[1], "real") == 0;
    int failed = only_real ? 0 : run_on_mock();

    if (argc > 1 && strcmp(argv[1], "mock") == 0)
        return failed ? 1 : 0;
    if (!kafka_broker_start(&kafka_broker)) {
        fprintf(stderr, "SKIPPED: the bus on a real Kafka broker\n");
        return failed ? 1 : only_real ? 77 : 0;
    }
    failed += run_on_broker();
    kafka_broker_end(&kafka_broker);
    return failed ? 1 : 0;
}
