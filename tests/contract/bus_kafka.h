/* What the tests of the Kafka bus share. */
#ifndef OXBOW_TESTS_CONTRACT_BUS_KAFKA_H
#define OXBOW_TESTS_CONTRACT_BUS_KAFKA_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "support/kafka_broker.h"

extern rd_kafka_mock_cluster_t *kafka_mock;
extern struct kafka_broker kafka_broker;

#endif
