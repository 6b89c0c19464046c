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

int publish_rows(struct view_service *s, struct err *err)
{
    struct views_batch batch;
    int rc;

    while ((rc = views_poll(s->views, 0, &batch, err)) == 1) {
        struct outgoing *out = outgoing_new(s, batch.token);

        for (size_t i = 0; i < batch.n; i++) {
            const struct views_row *row = &batch.rows[i];
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
            rc = bus_publish(s->rt->bus, &rec, err);
            if (rc < 0) {
                out->in_flight--; /* never queued: the callback does not hear of it */
                s->broken = true;
                return rc;
            }
            /*
             * Rows before this one were lost: a later one must not reach the topic before them, or
             * its greater number keeps them out for ever.
             */
            if (s->broken)
                return err_set_retriable(err, ERR_DISCONNECTED, "rows were not delivered");
        }
        *s->rows_published += batch.n;
        out->complete = true;
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

/* The seq of the newest row on an output topic; 0 when it is empty. */
static int last_seq(struct view_service *s, enum views_output output, uint64_t *ret,
                    struct err *err)
{
    struct json_value root, seq;
    struct bus_msg msg;
    int64_t n;
    int rc = bus_last(s->rt->bus, s->outputs[output], 0, &msg, err);

    *ret = 0;
    if (rc == ERR_NOT_FOUND)
        return 0;
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

int publish_compare(struct view_service *s, struct err *err)
{
    static const enum views_output NUMBERED[] = {VIEWS_FEATURES, VIEWS_LEARNING_QUEUE};
    struct err ignored;
    uint64_t seq;

    /* What is in flight points to its batch until its fate is known; failures are no news here. */
    if (bus_flush(s->rt->bus, FLUSH_MS, &ignored) == ERR_TIMEOUT) {
        *err = ignored;
        return err->code;
    }
    publish_release(s);
    s->broken = false;
    for (size_t i = 0; i < sizeof(NUMBERED) / sizeof(NUMBERED[0]); i++)
        if (last_seq(s, NUMBERED[i], &seq, err) < 0 ||
            views_replay(s->views, NUMBERED[i], seq, err) < 0)
            return err->code == ERR_HISTORY_EXPIRED ? (err->code = ERR_REFUSED) : err->code;
    return views_replay(s->views, VIEWS_DEAD_LETTERS, VIEWS_SEQ_ACKED, err);
}
