#include "subscriber.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/dead_letter.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "state/state_read.h"

#define COMMIT_MS 30000
#define READ_MS   60000 /* in which its own start record must be found again */
#define POLL_MS   100
#define POLL_ROWS 1000
#define TX_ROWS   10000      /* of one transaction; a large batch becomes several */
#define TX_BYTES  (16 << 20) /* likewise */
#define IDLE_MS   10000      /* how often the token is stored when there is nothing else to store */

struct subscriber {
    struct subscriber_options o;
    char *topic;
    const char *topics[VIEWS_N_OUTPUTS];
    struct dedupe *seen[STATE_OUTS];
    struct state now;    /* including the open transaction */
    struct state stored; /* as committed last */
    bool lost;           /* the last failure was the bus's */
    int64_t stored_at_ms;
    int64_t frontier_ms;

    /* of the open transaction */
    int64_t at_ms;
    struct dedupe_key *fresh[STATE_OUTS]; /* keys that it adds */
    size_t n_fresh[STATE_OUTS], cap_fresh[STATE_OUTS];
    size_t n_rows, n_bytes;
    struct buf text;
};

struct subscriber *subscriber_new(const struct subscriber_options *options)
{
    struct subscriber *sub = mem_zalloc(1, sizeof(*sub));

    sub->o = *options;
    sub->topic = state_topic(options->task->name);
    sub->topics[VIEWS_FEATURES] = options->task->topics.features;
    sub->topics[VIEWS_LEARNING_QUEUE] = options->task->topics.learning_queue;
    sub->topics[VIEWS_DEAD_LETTERS] = options->task->topics.dead_letters;
    for (size_t i = 0; i < STATE_OUTS; i++)
        sub->seen[i] = dedupe_new(options->task->dedupe_seconds + STATE_MARGIN_SECONDS,
                                  options->task->dedupe_keys);
    return sub;
}

void subscriber_free(struct subscriber *sub)
{
    if (!sub)
        return;
    for (size_t i = 0; i < STATE_OUTS; i++) {
        dedupe_free(sub->seen[i]);
        free(sub->fresh[i]);
    }
    buf_release(&sub->text);
    free(sub->topic);
    free(sub);
}

const char *subscriber_state_topic(const struct subscriber *sub)
{
    return sub->topic;
}

bool subscriber_is_lost(const struct subscriber *sub)
{
    return sub->lost;
}

const struct state *subscriber_state(const struct subscriber *sub)
{
    return &sub->stored;
}

size_t subscriber_keys(const struct subscriber *sub, enum views_output output)
{
    return dedupe_count(sub->seen[output]);
}

int64_t subscriber_frontier_ms(const struct subscriber *sub)
{
    return sub->frontier_ms;
}

void subscriber_complete_ledger(const struct subscriber *sub, struct views_ledger *ledger)
{
    const struct state *state = &sub->stored;

    views_ledger_know(ledger, "features_last", state->last[VIEWS_FEATURES]);
    views_ledger_know(ledger, "learning_queue_last", state->last[VIEWS_LEARNING_QUEUE]);
    views_ledger_know(ledger, "outcomes_emitted", state->last[VIEWS_LEARNING_QUEUE]);
    views_ledger_know(ledger, "outcomes_bad_label", state->bad_label);
    views_ledger_know(ledger, "dead_letters", state->dead_letters);
}

/* ---- Reading back ---- */

static int put_record(struct subscriber *sub, const char *key, struct err *err)
{
    struct bus_record rec = {
        .topic = sub->topic,
        .partition = 0,
        .key = key,
        .key_len = strlen(key),
        .value = sub->text.data,
        .value_len = sub->text.len,
    };

    return bus_publish(sub->o.bus, &rec, err);
}

/* A record of its own behind all that earlier processes have committed, or ever will. */
static int put_start(struct subscriber *sub, const char *id, struct err *err)
{
    if (bus_tx_abort(sub->o.bus, err) < 0 || bus_tx_begin(sub->o.bus, err) < 0)
        return err->code;
    buf_clear(&sub->text);
    state_write_start(sub->o.incarnation, clock_wall_ms(), id, &sub->text);
    if (put_record(sub, START_KEY, err) < 0)
        return err->code;
    return bus_tx_commit(sub->o.bus, COMMIT_MS, err);
}

static int read_records(struct subscriber *sub, struct bus_reader *reader,
                        struct state_found *found, struct err *err)
{
    int64_t deadline = clock_mono_ms() + READ_MS;
    const struct bus_msg *msgs;

    while (!found->done) {
        int n = bus_poll(reader, POLL_ROWS, POLL_MS, &msgs, err);
        for (int i = 0; i < n; i++)
            if (state_take(found, &msgs[i], err) < 0)
                return err->code;
        if (n < 0)
            return n;
        if (n > 0)
            deadline = clock_mono_ms() + READ_MS;
        else if (clock_mono_ms() > deadline)
            return err_set_retriable(
                err, ERR_TIMEOUT, "%s does not give back what was just written to it", sub->topic);
    }
    return 0;
}

/* True when a partition's newest message was published in this life of the task. */
static int has_rows(struct subscriber *sub, const char *topic, bool *ret, struct err *err)
{
    int n = bus_partitions(sub->o.bus, topic, err);

    *ret = false;
    for (int32_t p = 0; p < n && !*ret; p++) {
        struct bus_msg msg;
        size_t len;
        int rc = bus_last(sub->o.bus, topic, p, &msg, err);
        if (rc == ERR_NOT_FOUND)
            continue;
        if (rc < 0)
            return rc;
        const char *incarnation = bus_msg_header(&msg, BUS_INCARNATION, &len);
        *ret = !incarnation || (len == strlen(sub->o.incarnation) &&
                                memcmp(incarnation, sub->o.incarnation, len) == 0);
    }
    return n < 0 ? n : 0;
}

/* Numbers would begin at 1 again, among those that are there. */
static int check_nothing_published(struct subscriber *sub, struct err *err)
{
    for (size_t i = 0; i < STATE_OUTS; i++) {
        bool rows;
        if (has_rows(sub, sub->topics[i], &rows, err) < 0)
            return err->code;
        if (rows)
            return err_set(err, ERR_REFUSED,
                           "%s holds rows, but %s does not say up to where: restore it, or start "
                           "with --fresh",
                           sub->topics[i], sub->topic);
    }
    return 0;
}

static int read_back(struct subscriber *sub, struct err *err)
{
    char id[UUID_TEXT_LEN + 1];
    struct state_found found = {.incarnation = sub->o.incarnation, .start_id = id};

    uuid_new(id);
    for (size_t i = 0; i < STATE_OUTS; i++) {
        found.seen[i] = sub->seen[i];
        dedupe_clear(sub->seen[i]);
    }
    if (put_start(sub, id, err) < 0)
        return err->code;
    struct bus_reader *reader = bus_reader_open(sub->o.bus, err);
    if (!reader)
        return err->code;
    int rc = bus_reader_assign(reader, sub->topic, 0, &BUS_POS_OLDEST, err);
    if (rc >= 0)
        rc = read_records(sub, reader, &found, err);
    bus_reader_close(reader);
    if (rc >= 0 && !found.any)
        rc = check_nothing_published(sub, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < STATE_OUTS; i++)
        dedupe_expire(sub->seen[i], clock_wall_ms());
    sub->now = sub->stored = found.state;
    return 0;
}

int subscriber_recover(struct subscriber *sub, struct err *err)
{
    sub->lost = true;
    if (read_back(sub, err) < 0)
        return err->code;
    sub->lost = false;
    if (sub->stored.token[0] && views_ack(sub->o.views, sub->stored.token, err) < 0)
        return err->code;
    /* Rows that were handed out and not committed come again. */
    for (int i = 0; i < STATE_OUTS; i++)
        if (views_replay(sub->o.views, (enum views_output)i, VIEWS_SEQ_ACKED, err) < 0)
            return err->code;
    sub->frontier_ms = 0;
    sub->stored_at_ms = clock_mono_ms();
    return 0;
}

/* ---- Publishing ---- */

static void remember(struct subscriber *sub, enum views_output output, struct dedupe_key key)
{
    if (sub->n_fresh[output] == sub->cap_fresh[output]) {
        sub->cap_fresh[output] = sub->cap_fresh[output] ? sub->cap_fresh[output] * 2 : 256;
        sub->fresh[output] =
            mem_realloc(sub->fresh[output], sub->cap_fresh[output], sizeof(*sub->fresh[output]));
    }
    sub->fresh[output][sub->n_fresh[output]++] = key;
    dedupe_add(sub->seen[output], key, sub->at_ms);
}

static bool label_ok(const struct subscriber *sub, const struct views_row *row)
{
    const struct json_value root = {JSON_OBJECT, row->value, row->value_len};
    struct json_value v;
    double label;

    if (!json_get(&root, sub->o.task->label, &v))
        return false;
    if (task_positive(sub->o.task))
        return label_of_json(task_positive(sub->o.task), &v, &label);
    return json_number(&v, &label) && task_label_ok(sub->o.task, label);
}

/* The row with its number as the first member. */
static void write_numbered(const struct views_row *row, uint64_t seq, struct buf *out)
{
    buf_clear(out);
    buf_printf(out, "{\"seq\":%" PRIu64 "%s", seq, row->value_len > 2 ? "," : "");
    buf_append(out, row->value + 1, row->value_len - 1);
}

static int bury(struct subscriber *sub, const struct views_row *row, const char *reason,
                struct err *err)
{
    struct dead_letter letter = {
        .service = "views",
        .topic = sub->topics[row->output],
        .position = "",
        .reason = reason,
        .key = row->key,
        .key_len = row->key_len,
        .value = row->value,
        .value_len = row->value_len,
        .at_ms = sub->at_ms,
    };

    buf_clear(&sub->text);
    dead_letter_write(&letter, &sub->text);
    sub->now.dead_letters++;
    return bus_publish(sub->o.bus,
                       &(struct bus_record){.topic = sub->topics[VIEWS_DEAD_LETTERS],
                                            .partition = -1,
                                            .key = row->key,
                                            .key_len = row->key_len,
                                            .value = sub->text.data,
                                            .value_len = sub->text.len},
                       err);
}

static int publish_row(struct subscriber *sub, const struct views_row *row, struct err *err)
{
    uint64_t seq = sub->now.last[row->output] + 1;
    struct bus_record rec = {
        .topic = sub->topics[row->output],
        .partition = row->output == VIEWS_LEARNING_QUEUE ? 0 : -1,
        .key = row->key,
        .key_len = row->key_len,
        .seq = seq,
    };

    write_numbered(row, seq, &sub->text);
    rec.value = sub->text.data;
    rec.value_len = sub->text.len;
    int rc = bus_publish(sub->o.bus, &rec, err);
    if (rc == ERR_TOO_LARGE) {
        struct err why = *err;
        return bury(sub, row, why.text, err);
    }
    if (rc < 0)
        return rc;
    sub->now.last[row->output] = seq;
    sub->n_rows++;
    sub->n_bytes += rec.value_len;
    return 0;
}

static int take_row(struct subscriber *sub, const struct views_row *row, struct err *err)
{
    if (row->diff <= 0) {
        sub->now.retracted++;
        return 0;
    }
    struct dedupe_key key = dedupe_key(row->key, row->key_len);
    if (dedupe_has(sub->seen[row->output], key)) {
        sub->now.duplicate++;
        return 0;
    }
    remember(sub, row->output, key);
    if (row->output == VIEWS_LEARNING_QUEUE && !label_ok(sub, row)) {
        sub->now.bad_label++;
        return 0;
    }
    return publish_row(sub, row, err);
}

static int begin(struct subscriber *sub, struct err *err)
{
    sub->at_ms = clock_wall_ms();
    sub->n_rows = sub->n_bytes = 0;
    for (size_t i = 0; i < STATE_OUTS; i++) {
        sub->n_fresh[i] = 0;
        dedupe_expire(sub->seen[i], sub->at_ms);
    }
    return bus_tx_begin(sub->o.bus, err);
}

static int put_seen(struct subscriber *sub, enum views_output output, struct err *err)
{
    for (size_t i = 0; i < sub->n_fresh[output]; i += SEEN_MAX) {
        size_t left = sub->n_fresh[output] - i;
        buf_clear(&sub->text);
        state_write_seen(sub->o.incarnation, sub->at_ms, output, sub->fresh[output] + i,
                         left < SEEN_MAX ? left : SEEN_MAX, &sub->text);
        if (put_record(sub, SEEN_KEY, err) < 0)
            return err->code;
    }
    return 0;
}

/* The state goes last: it is the topic's newest message. */
static int commit(struct subscriber *sub, struct err *err)
{
    for (int i = 0; i < STATE_OUTS; i++)
        if (put_seen(sub, (enum views_output)i, err) < 0)
            return err->code;
    buf_clear(&sub->text);
    state_write(&sub->now, sub->o.incarnation, sub->at_ms, &sub->text);
    if (put_record(sub, STATE_KEY, err) < 0 || bus_tx_commit(sub->o.bus, COMMIT_MS, err) < 0)
        return err->code;
    sub->stored = sub->now;
    sub->stored_at_ms = clock_mono_ms();
    return 0;
}

/*
 * One transaction for as many rows from *at on as fit. The token is stored with the last of them:
 * rows of a batch that was published in part come again, and are known then.
 */
static int publish_some(struct subscriber *sub, const struct views_batch *batch, size_t *at,
                        struct err *err)
{
    if (begin(sub, err) < 0)
        return err->code;
    while (*at < batch->n && sub->n_rows < TX_ROWS && sub->n_bytes < TX_BYTES)
        if (take_row(sub, &batch->rows[(*at)++], err) < 0)
            return err->code;
    if (*at == batch->n)
        memcpy(sub->now.token, batch->token, sizeof(sub->now.token));
    return commit(sub, err);
}

/* Nothing but the token, and perhaps rows that are not acted on. */
static bool is_idle(struct subscriber *sub, const struct views_batch *batch)
{
    for (size_t i = 0; i < batch->n; i++)
        if (batch->rows[i].diff > 0)
            return false;
    return clock_mono_ms() - sub->stored_at_ms < IDLE_MS;
}

static int publish_batch(struct subscriber *sub, const struct views_batch *batch, struct err *err)
{
    int published = 0;
    size_t at = 0;

    if (is_idle(sub, batch)) {
        sub->now.retracted += batch->n;
        return 0;
    }
    do {
        if (publish_some(sub, batch, &at, err) < 0)
            return err->code;
        published += (int)sub->n_rows;
    } while (at < batch->n);
    return views_ack(sub->o.views, sub->stored.token, err) < 0 ? err->code : published;
}

int subscriber_step(struct subscriber *sub, int timeout_ms, struct err *err)
{
    struct views_batch batch;

    sub->lost = false;
    int rc = views_poll(sub->o.views, timeout_ms, &batch, err);
    if (rc <= 0)
        return rc;
    rc = publish_batch(sub, &batch, err);
    if (rc < 0) {
        sub->lost = true;
        return rc;
    }
    if (batch.frontier_ms > sub->frontier_ms)
        sub->frontier_ms = batch.frontier_ms;
    return rc;
}
