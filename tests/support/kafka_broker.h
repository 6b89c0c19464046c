/*
 * A real Kafka broker for C tests, by way of kafka_broker.py beside this file.
 * Its data are in a folder of their own under /tmp, which goes at the end.
 */
#ifndef OXBOW_TESTS_SUPPORT_KAFKA_BROKER_H
#define OXBOW_TESTS_SUPPORT_KAFKA_BROKER_H

#include <stdbool.h>

struct kafka_broker {
    char dir[64];
    char url[64]; /* 127.0.0.1:port */
    int port;
};

/* False when there is no Java, or no jars: the reason is on standard error. */
bool kafka_broker_start(struct kafka_broker *broker);
void kafka_broker_stop(struct kafka_broker *broker);    /* it may come back */
void kafka_broker_kill(struct kafka_broker *broker);    /* kill -9; it may come back */
void kafka_broker_restart(struct kafka_broker *broker); /* with its data, on its port */
void kafka_broker_end(struct kafka_broker *broker);

#endif
