/* Outgoing rows: to the bus, and back to the engine as acknowledged. */
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "service_internal.h"

void publish_delivered(void *ctx, void *opaque, int result, const struct bus_pos *pos,
                       const struct err *err)
{
    struct view_service *s = ctx;
    struct outgoing *batch = opaque;

    (void)pos;
    batch->in_flight--;
    if (result < 0) {
        s->broken = true;
        log_trouble(&s->bus_trouble, "the bus", err);
    }
}

static struct outgoing *outgoing_new(struct view_service *s, const char *token)
{
    struct outgoing *batch = mem_zalloc(1, sizeof(*batch));

    memcpy(batch->token, token, sizeof(batch->token));
    if (s->newest)
        s->newest->next = batch;
    else
        s->oldest = batch;
    s->newest = batch;
    return batch;
}

void publish_release(struct view_service *s)
{
    while (s->oldest) {
        struct outgoing *next = s->oldest->next;
        free(s->oldest);
        s->oldest = next;
    }
    s->newest = NULL;
}

static int publish_row(struct view_service *s, const struct views_row *row, struct outgoing *out,
                       struct err *err)
{
    struct bus_record rec = {
        .topic = s->outputs[row->output],
        .partition = row->output == VIEWS_LEARNING_QUEUE ? 0 : -1,
        .key = row->key,
        .key_len = row->key_len,
        .value = row->value,
        .value_len = row->value_len,
        /* dead-letters has other writers: its entries are numbered by the bus */
        .seq = row->output == VIEWS_DEAD_LETTERS ? 0 : row->seq,
        .opaque = out,
    };

    out->in_flight++;
    int rc = bus_publish(s->rt->bus, &rec, err);
    if (rc < 0) {
        out->in_flight--; /* never queued: the callback does not hear of it */
        s->broken = true;
        return rc;
    }
    /*
     * Rows before this one were lost: a later one must not reach the topic before them, or its
     * greater number keeps them out for ever.
     */
    return s->broken ? err_set_retriable(err, ERR_DISCONNECTED, "rows were not delivered") : 0;
}

static int publish_batch(struct view_service *s, const struct views_batch *batch, struct err *err)
{
    struct outgoing *out = outgoing_new(s, batch->token);
    bool in_transaction = bus_can(s->rt->bus, BUS_TRANSACTS);
    int rc = in_transaction ? bus_tx_begin(s->rt->bus, err) : 0;

    for (size_t i = 0; i < batch->n && rc == 0; i++)
        rc = publish_row(s, &batch->rows[i], out, err);
    if (rc == 0)
        out->complete = true;
    if (rc == 0 && in_transaction)
        rc = bus_tx_commit(s->rt->bus, FLUSH_MS, err);
    if (rc == 0)
        *s->rows_published += batch->n;
    else
        s->broken = true;
    return rc;
}

int publish_rows(struct view_service *s, struct err *err)
{
    struct views_batch batch;
    int rc;

    while ((rc = views_poll(s->views, 0, &batch, err)) == 1) {
        rc = publish_batch(s, &batch, err);
        if (rc == 0)
            continue;
        /* A transaction that has to be done again is done again after a comparison. */
        if (rc == ERR_CONFLICT)
            err->retriable = true;
        break;
    }
    return rc;
}

int publish_ack(struct view_service *s, struct err *err)
{
    const struct outgoing *done = NULL;
    char token[VIEWS_TOKEN_MAX];

    if (s->broken)
        return 0;
    while (s->oldest && s->oldest->complete && s->oldest->in_flight == 0) {
        struct outgoing *batch = s->oldest;

        memcpy(token, batch->token, sizeof(token));
        done = batch;
        s->oldest = batch->next;
        if (!s->oldest)
            s->newest = NULL;
        free(batch);
    }
    return done ? views_ack(s->views, token, err) : 0;
}

/* Where topics are not kept apart by their names, what another incarnation wrote is refused. */
static int check_incarnation(struct view_service *s, const char *topic, const struct bus_msg *msg,
                             struct err *err)
{
    size_t len;
    const char *theirs = bus_msg_header(msg, BUS_INCARNATION, &len);

    if (!theirs || !bus_can(s->rt->bus, BUS_STAMPS))
        return 0;
    if (len == strlen(s->rt->incarnation) && memcmp(theirs, s->rt->incarnation, len) == 0)
        return 0;
    return err_set(
        err, ERR_REFUSED,
        "topic %s holds messages of incarnation %.*s, but the view engine's database and "
        "Redis belong to %s: bring together what belongs together, or start anew with "
        "--fresh",
        topic, len < 60 ? (int)len : 60, theirs, s->rt->incarnation);
}

/* The seq of the newest row in one partition of an output topic; 0 when it is empty. */
static int partition_seq(struct view_service *s, enum views_output output, int32_t partition,
                         uint64_t *ret, struct err *err)
{
    struct json_value root, seq;
    struct bus_msg msg;
    int64_t n;
    int rc = bus_last(s->rt->bus, s->outputs[output], partition, &msg, err);

    *ret = 0;
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc == 0)
        rc = check_incarnation(s, s->outputs[output], &msg, err);
    if (rc < 0)
        return rc;
    if (!msg.value || json_parse(msg.value, msg.value_len, &root, err) < 0 ||
        !json_get(&root, "seq", &seq) || !json_int(&seq, &n) || n < 1)
        return err_set(err, ERR_REFUSED,
                       "the newest message of %s has no seq: something else publishes there; stop "
                       "it, and start with --fresh",
                       s->outputs[output]);
    *ret = (uint64_t)n;
    return 0;
}

/*
 * The seq of the newest row of an output topic. With several partitions it is the greatest: rows
 * are published in transactions then, and what is visible of them is all up to there.
 */
static int last_seq(struct view_service *s, enum views_output output, uint64_t *ret,
                    struct err *err)
{
    int n = bus_partitions(s->rt->bus, s->outputs[output], err);

    *ret = 0;
    if (n == 0)
        return err_set_retriable(err, ERR_DISCONNECTED, "topic %s is not there yet",
                                 s->outputs[output]);
    for (int32_t p = 0; p < n; p++) {
        uint64_t seq;
        int rc = partition_seq(s, output, p, &seq, err);
        if (rc < 0)
            return rc;
        if (seq > *ret)
            *ret = seq;
    }
    return n < 0 ? n : 0;
}

/* That the newest messages of a topic are of this life, where the bus says so. */
static int check_life(struct view_service *s, const char *topic, struct err *err)
{
    int n = bus_can(s->rt->bus, BUS_STAMPS) ? bus_partitions(s->rt->bus, topic, err) : 0;

    for (int32_t p = 0; p < n; p++) {
        struct bus_msg msg;
        int rc = bus_last(s->rt->bus, topic, p, &msg, err);
        if (rc == 0)
            rc = check_incarnation(s, topic, &msg, err);
        if (rc < 0 && rc != ERR_NOT_FOUND)
            return rc;
    }
    return n < 0 ? n : 0;
}

int publish_check_life(struct view_service *s, struct err *err)
{
    const char *const topics[] = {s->inputs[VIEWS_PREDICTIONS], s->outputs[VIEWS_FEATURES],
                                  s->outputs[VIEWS_LEARNING_QUEUE]};

    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
        if (check_life(s, topics[i], err) < 0)
            return err->code;
    return 0;
}

/* What is in flight points to its batch until its fate is known; failures are no news here. */
static int forget_in_flight(struct view_service *s, struct err *err)
{
    struct err ignored;

    if (bus_can(s->rt->bus, BUS_TRANSACTS))
        return bus_tx_abort(s->rt->bus, err);
    if (bus_flush(s->rt->bus, FLUSH_MS, &ignored) != ERR_TIMEOUT)
        return 0;
    *err = ignored;
    return err->code;
}

int publish_compare(struct view_service *s, struct err *err)
{
    static const enum views_output NUMBERED[] = {VIEWS_FEATURES, VIEWS_LEARNING_QUEUE};
    uint64_t seq;

    if (forget_in_flight(s, err) < 0)
        return err->code;
    publish_release(s);
    s->broken = false;
    if (check_life(s, s->inputs[VIEWS_PREDICTIONS], err) < 0)
        return err->code;
    for (size_t i = 0; i < sizeof(NUMBERED) / sizeof(NUMBERED[0]); i++)
        if (last_seq(s, NUMBERED[i], &seq, err) < 0 ||
            views_replay(s->views, NUMBERED[i], seq, err) < 0)
            return err->code == ERR_HISTORY_EXPIRED ? (err->code = ERR_REFUSED) : err->code;
    return views_replay(s->views, VIEWS_DEAD_LETTERS, VIEWS_SEQ_ACKED, err);
}
