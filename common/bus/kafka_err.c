/* librdkafka's errors as ours: which go away by themselves, which need a human, which need another
 * try of the work. */
#include <stdio.h>

#include "bus/kafka_bus.h"

struct meaning {
    rd_kafka_resp_err_t from;
    int code;
    bool retriable;
};

static const struct meaning meanings[] = {
    {RD_KAFKA_RESP_ERR__TIMED_OUT, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR__TRANSPORT, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR__RESOLVE, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR__WAIT_COORD, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR__WAIT_CACHE, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR__IN_PROGRESS, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR__RETRY, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR__OUTDATED, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_NOT_CONTROLLER, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, ERR_DISCONNECTED, true},
    /* Never ERR_NOT_FOUND, which says that a topic is empty: a broker that has just started says
     * this of topics that are full. */
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, ERR_DISCONNECTED, true},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERR_TOO_LARGE, false},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, ERR_TOO_LARGE, false},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERR_REFUSED, false},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, ERR_REFUSED, false},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, ERR_REFUSED, false},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, ERR_REFUSED, false},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, ERR_REFUSED, false},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, ERR_REFUSED, false},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, ERR_REFUSED, false},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, ERR_REFUSED, false},
    {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, ERR_REFUSED, false},
    {RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, ERR_REFUSED, false},
    {RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, ERR_REFUSED, false},
    {RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL, ERR_REFUSED, false},
    {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, ERR_CONFLICT, false},
    {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, ERR_CONFLICT, false},
    {RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST, ERR_CONFLICT, false},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, ERR_FATAL, false},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, ERR_FATAL, false},
    {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, ERR_FATAL, false},
    {RD_KAFKA_RESP_ERR__FENCED, ERR_FATAL, false},
    {RD_KAFKA_RESP_ERR__FATAL, ERR_FATAL, false},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, ERR_UNSUPPORTED, false},
    {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, ERR_UNSUPPORTED, false},
};

int kafka_fail(const struct kafka_bus *bus, const struct kafka_trouble *trouble,
               rd_kafka_resp_err_t code, const char *what, struct err *err)
{
    struct meaning is = {code, ERR_IO, false};
    bool has_heard = trouble && trouble->text[0];

    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (meanings[i].from == code)
            is = meanings[i];
    err_set(err, is.code, "kafka at %.80s: %.120s: %s%s%.160s", bus->brokers, what,
            rd_kafka_err2str(code), has_heard ? "; " : "", has_heard ? trouble->text : "");
    if (err)
        err->retriable = is.retriable;
    return is.code;
}

void kafka_note_trouble(struct kafka_trouble *trouble, rd_kafka_t *rk, rd_kafka_resp_err_t code,
                        const char *reason)
{
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        rd_kafka_fatal_error(rk, trouble->text, sizeof(trouble->text));
    else if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        trouble->is_down = true;
    else
        snprintf(trouble->text, sizeof(trouble->text), "%s", reason ? reason : "");
}

int kafka_check_up(const struct kafka_bus *bus, struct kafka_trouble *trouble, rd_kafka_t *rk,
                   int timeout_ms, struct err *err)
{
    const struct rd_kafka_metadata *metadata;

    if (!trouble->is_down)
        return 0;
    /* A connection that was idle for long is closed without anything being wrong. */
    rd_kafka_resp_err_t rc = rd_kafka_metadata(rk, 0, NULL, &metadata, timeout_ms);
    if (rc)
        return kafka_fail(bus, trouble, rc, "no broker answers", err);
    rd_kafka_metadata_destroy(metadata);
    trouble->is_down = false;
    trouble->text[0] = '\0';
    return 0;
}
