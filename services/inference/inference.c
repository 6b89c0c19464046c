/*
 * One batch at a time: read, predict model by model, publish, wait until it is
 * durable, commit. The bus fetches the next rows meanwhile, and sends what is
 * queued while the rest is being written, so that little is left to wait for.
 *
 * A batch of which some message failed is published again as a whole by the
 * next step: its messages stay valid until the reader is asked for more. One
 * whose messages are only late is waited for again.
 */
#include "inference/inference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/dead_letter.h"
#include "base/json.h"
#include "base/mem.h"
#include "inference/inference_internal.h"

#define FLUSH_MS 10000
#define SUSPECT  2 /* deliveries from which on rows come one by one */

struct inference *inference_new(const struct inference_options *options, struct err *err)
{
    const struct task *task = options->task;
    struct row_reader_options rows = {task->features, task->key, NULL, NULL, 0, NULL};
    struct row_reader *reader = row_reader_new(&rows, err);

    if (!reader)
        return NULL;

    struct inference *inf = mem_zalloc(1, sizeof(*inf));
    struct telemetry *tm = options->tm;
    inf->o = *options;
    inf->member = mem_strdup(options->member);
    inf->o.member = inf->member;
    inf->task = task;
    inf->width = schema_size(task->features);
    inf->rows = reader;
    /* A broker that is far away is asked seldom and for much; few rows are still taken at once. */
    inf->batch = bus_can(options->bus, BUS_ORDERS) ? INFERENCE_BATCH_NEAR : INFERENCE_BATCH;
    inf->max = 1;
    inf->good = mem_zalloc(INFERENCE_BATCH, sizeof(*inf->good));
    inf->good_msg = mem_zalloc(INFERENCE_BATCH, sizeof(*inf->good_msg));
    inf->x = mem_zalloc(INFERENCE_BATCH * (inf->width + 1), sizeof(*inf->x));
    inf->out = mem_zalloc(INFERENCE_BATCH * task->n_models, sizeof(*inf->out));
    inference_models_init(inf);
    inference_metrics_init(inf);
    inf->c_predicted =
        telemetry_counter(tm, "oxbow_predictions_total", "Requests that were answered.");
    inf->c_dead =
        telemetry_counter(tm, "oxbow_dead_letters_total", "Messages put into dead-letters.");
    inf->c_unknown = telemetry_counter(tm, "oxbow_unknown_features_total",
                                       "Features in rows that the task does not declare.");
    inf->c_again =
        telemetry_counter(tm, "oxbow_redelivered_rows_total", "Rows that were handed out before.");
    inf->c_refreshes = telemetry_counter(tm, "oxbow_refreshes_total", "Models swapped.");
    inf->c_failures = telemetry_counter(tm, "oxbow_refresh_failures_total",
                                        "Looks for newer models that the store did not answer.");
    inf->c_refused =
        telemetry_counter(tm, "oxbow_refused_versions_total", "Model versions refused.");
    inf->c_conflicts = telemetry_counter(tm, "oxbow_commit_conflicts_total",
                                         "Batches of which another member had taken rows.");
    inf->h_lag = telemetry_hist(tm, "oxbow_prediction_lag_seconds",
                                "Time from the request's arrival on the bus to its prediction.");
    inf->h_durable = telemetry_hist(tm, "oxbow_prediction_durable_seconds",
                                    "Time from a prediction until it is durable on the bus.");
    inf->h_batch = telemetry_hist(tm, "oxbow_batch_seconds",
                                  "Time from a batch's arrival until it is worked off.");
    inf->h_refresh =
        telemetry_hist(tm, "oxbow_refresh_seconds", "Time to fetch and load one version.");
    return inf;
}

void inference_free(struct inference *inf)
{
    if (!inf)
        return;
    bus_reader_close(inf->reader);
    inference_models_release(inf);
    row_reader_free(inf->rows);
    buf_release(&inf->text);
    free(inf->good);
    free(inf->good_msg);
    free(inf->x);
    free(inf->out);
    free(inf->lag_ns);
    free(inf->member);
    free(inf);
}

/* Between two polls everything is committed or will come again: there is nothing to do. */
static void on_group_event(void *ctx, enum bus_group_event event, const char *topic,
                           int32_t partition)
{
    static const char *const names[] = {
        [BUS_ASSIGNED] = "given", [BUS_REVOKED] = "taken", [BUS_LOST] = "lost"};

    (void)ctx;
    log_debug("%s/%d: %s", topic, partition, names[event]);
}

static bool in_transactions(const struct inference *inf)
{
    return inf->task->exactly_once && bus_can(inf->o.bus, BUS_TRANSACTS);
}

/* What a transaction did not take is handed out again to a member that joins anew. */
static int join(struct inference *inf, struct err *err)
{
    const char *const topics[] = {inf->task->topics.features};
    int rc = in_transactions(inf) ? bus_tx_abort(inf->o.bus, err) : 0;

    if (rc < 0)
        return rc;
    bus_reader_close(inf->reader);
    inf->n = 0;
    inf->stage = STAGE_READ;
    inf->reader = bus_group_join(inf->o.bus, INFERENCE_GROUP, inf->o.member, topics, 1,
                                 inf->o.claim_idle_ms, on_group_event, inf, err);
    inf->must_rejoin = !inf->reader;
    return inf->reader ? 0 : err->code;
}

int inference_open(struct inference *inf, struct err *err)
{
    int rc = inference_refresh(inf, err);

    return rc < 0 ? rc : join(inf, err);
}

/* Dead letters */

static int bury(struct inference *inf, const struct bus_msg *msg, const char *reason,
                struct err *err)
{
    struct buf pos = BUF_INIT;
    struct dead_letter letter = {
        .service = "inference",
        .topic = inf->task->topics.features,
        .reason = reason,
        .key = msg->key,
        .key_len = msg->key_len,
        .value = msg->value,
        .value_len = msg->value_len,
        .at_ms = clock_wall_ms(),
    };

    bus_msg_place(inf->o.bus, msg, &pos);
    letter.position = buf_str(&pos);
    buf_clear(&inf->text);
    dead_letter_write(&letter, &inf->text);
    buf_release(&pos);
    inf->n_dead++;
    return bus_publish(inf->o.bus,
                       &(struct bus_record){.topic = inf->task->topics.dead_letters,
                                            .partition = -1,
                                            .key = msg->key,
                                            .key_len = msg->key_len,
                                            .value = inf->text.data,
                                            .value_len = inf->text.len},
                       err);
}

/* Reading */

/* Reads message `k` as the next good row, or says why it is none. */
static int read_row(struct inference *inf, size_t k, struct err *err)
{
    const struct bus_msg *msg = &inf->msgs[k];
    struct row *row = &inf->good[inf->n_good];

    if (msg->deliveries >= INFERENCE_MAX_DELIVERIES)
        return err_set(err, ERR_INVALID, "was handed out %u times and never finished",
                       msg->deliveries);
    if (!msg->key || msg->key_len == 0)
        return err_set(err, ERR_INVALID, "the message has no key");
    int rc = row_reader_read(inf->rows, msg->value, msg->value_len, row,
                             &inf->x[inf->n_good * inf->width], NULL, err);
    if (rc < 0)
        return rc;
    inf->good_msg[inf->n_good++] = k;
    inf->n_unknown += row->unknown;
    return 0;
}

static int read_batch(struct inference *inf, struct err *err)
{
    inf->n_good = 0;
    inf->n_dead = 0;
    inf->n_unknown = 0;
    for (size_t k = 0; k < inf->n; k++) {
        struct err why;
        int rc = read_row(inf, k, &why);

        if (rc < 0)
            rc = bury(inf, &inf->msgs[k], why.text, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Predicting */

static void write_interval(struct buf *out, const struct issued *said)
{
    buf_text(out, ",\"interval\":");
    if (!issued_has_interval(said)) {
        buf_text(out, "null");
        return;
    }
    buf_byte(out, '[');
    json_write_number(out, said->low);
    buf_byte(out, ',');
    json_write_number(out, said->high);
    buf_text(out, "],\"alpha\":");
    json_write_number(out, said->alpha);
}

/*
 * What model `i` says: the value, of a model that gives them the interval, and of a binary task
 * whether it is positive: by River's argmax, by the threshold.
 */
static void write_value(struct inference *inf, size_t i, double v)
{
    struct issued said = task_answer(inf->task, inf->models[i].model, v);
    struct buf *out = &inf->text;

    json_write_number(out, said.value);
    if (inf->task->models[i].has_intervals)
        write_interval(out, &said);
    if (!inf->task->is_binary)
        return;
    if (isnan(v)) {
        buf_text(out, ",\"label\":null,\"at_threshold\":null");
        return;
    }
    buf_printf(out, ",\"label\":%s,\"at_threshold\":%s", model_label(v) ? "true" : "false",
               v > inf->task->threshold ? "true" : "false");
}

/* The message for good row `j`; everything but values, versions and the time is the row's own
 * bytes. */
static void write_prediction(struct inference *inf, size_t j, const char *predicted_at)
{
    struct buf *out = &inf->text;
    const struct row *row = &inf->good[j];

    buf_clear(out);
    buf_byte(out, '{');
    json_write_name(out, inf->task->key);
    buf_append(out, row->key.text, row->key.len);
    buf_text(out, ",\"features\":");
    buf_append(out, row->features.text, row->features.len);
    buf_text(out, ",\"predictions\":{");
    for (size_t i = 0; i < inf->task->n_models; i++) {
        const struct inference_model *m = &inf->models[i];

        if (i)
            buf_byte(out, ',');
        buf_append(out, m->head.data, m->head.len);
        write_value(inf, i, inf->out[i * INFERENCE_BATCH + j]);
        buf_append(out, m->tail.data, m->tail.len);
    }
    buf_text(out, "},\"requested_at\":");
    if (row->requested_at.text)
        buf_append(out, row->requested_at.text, row->requested_at.len);
    else
        buf_text(out, "null");
    buf_text(out, ",\"predicted_at\":\"");
    buf_append(out, predicted_at, CLOCK_TEXT_LEN);
    buf_text(out, "\"}");
}

static int publish_prediction(struct inference *inf, size_t j, const char *predicted_at,
                              struct err *err)
{
    const struct bus_msg *msg = &inf->msgs[inf->good_msg[j]];

    write_prediction(inf, j, predicted_at);
    int rc = bus_publish(inf->o.bus,
                         &(struct bus_record){.topic = inf->task->topics.predictions,
                                              .partition = -1,
                                              .key = msg->key,
                                              .key_len = msg->key_len,
                                              .value = inf->text.data,
                                              .value_len = inf->text.len},
                         err);
    if (rc == ERR_TOO_LARGE) {
        struct err why = *err;
        rc = bury(inf, msg, why.text, err);
    }
    return rc;
}

static int publish_batch(struct inference *inf, struct err *err)
{
    char predicted_at[CLOCK_TEXT_LEN + 1];
    int rc = read_batch(inf, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < inf->task->n_models; i++) {
        model_predict_many(inf->models[i].model, inf->x, inf->n_good,
                           &inf->out[i * INFERENCE_BATCH]);
        inf->models[i].answered_ns = clock_mono_ns();
    }
    inf->predicted_ns = clock_mono_ns();
    inf->predicted_ms = clock_wall_ms();
    clock_format(inf->predicted_ms, predicted_at);
    for (size_t j = 0; j < inf->n_good; j++) {
        rc = publish_prediction(inf, j, predicted_at, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Counting what is durable; the messages are still valid. */

static void count_batch(struct inference *inf)
{
    size_t n_predicted = inf->n - inf->n_dead;

    *inf->c_predicted += n_predicted;
    *inf->c_dead += inf->n_dead;
    *inf->c_unknown += inf->n_unknown;
    for (size_t k = 0; k < inf->n; k++)
        *inf->c_again += inf->msgs[k].deliveries > 0;
    inference_metrics_count(inf);
    hist_add(inf->h_batch, clock_mono_ns() - inf->begin_ns);
}

/* Steps */

/*
 * A member that its group has shut out (it could not be heard for longer than its session, or
 * another took its name) joins anew. What it had not committed is handed out again.
 */
static int rejoin_if_shut_out(struct inference *inf, int rc, struct err *err)
{
    if (rc == ERR_FATAL) {
        inf->must_rejoin = true;
        err->retriable = true;
    }
    return rc;
}

static int poll_batch(struct inference *inf, int timeout_ms, struct err *err)
{
    int n = bus_poll(inf->reader, inf->max, timeout_ms, &inf->msgs, err);

    n = rejoin_if_shut_out(inf, n, err);
    if (n == ERR_TRIMMED) {
        log_warn("rows that were not predicted are gone: %s", err->text);
        n = 0; /* said once; the oldest that is kept comes next */
    }
    if (n <= 0) {
        inf->max = n < 0 ? 1 : inf->batch;
        return n;
    }
    inf->n = (size_t)n;
    inf->begin_ns = clock_mono_ns();
    inf->max = inf->batch;
    for (size_t k = 0; k < inf->n; k++)
        if (inf->msgs[k].deliveries >= SUSPECT)
            inf->max = 1;
    return n;
}

/* Every row's fate is known, and good. */
static void note_durable(struct inference *inf)
{
    count_batch(inf);
    inf->n = 0;
}

static int commit(struct inference *inf, struct err *err)
{
    int rc = rejoin_if_shut_out(inf, bus_commit(inf->reader, err), err);

    if (rc == ERR_CONFLICT) {
        ++*inf->c_conflicts; /* another member has them now, and predicts them once more */
        rc = 0;
    }
    if (rc == 0)
        inf->stage = STAGE_READ;
    return rc;
}

/*
 * Predicts and publishes the batch, waits until it is durable, commits; goes on where it failed. A
 * commit that is lost is asked for again after the next poll: only a poll reconnects, and it may
 * hand the same rows out again.
 */
static int advance(struct inference *inf, struct err *err)
{
    int rc = 0;

    if (inf->stage == STAGE_READ) {
        rc = publish_batch(inf, err);
        if (rc < 0)
            return rc;
        inf->stage = STAGE_PUBLISHED;
    }
    if (inf->stage == STAGE_PUBLISHED) {
        rc = bus_flush(inf->o.bus, FLUSH_MS, err);
        if (rc < 0 && rc != ERR_TIMEOUT)
            inf->stage = STAGE_READ;
        if (rc < 0)
            return rc;
        inf->stage = STAGE_DURABLE;
        note_durable(inf);
    }
    return commit(inf, err);
}

/* The same in one transaction, which is all or nothing. */
static int advance_transaction(struct inference *inf, struct err *err)
{
    int rc = 0;

    if (inf->stage == STAGE_READ) {
        rc = bus_tx_begin(inf->o.bus, err);
        if (rc == 0)
            rc = publish_batch(inf, err);
        if (rc == 0)
            rc = bus_tx_send_positions(inf->o.bus, inf->reader, err);
    }
    if (rc == 0) {
        inf->stage = STAGE_PUBLISHED;
        rc = bus_tx_commit(inf->o.bus, FLUSH_MS, err);
    }
    if (rc == 0) {
        note_durable(inf);
        inf->stage = STAGE_READ;
        return 0;
    }
    /* A commit that is only late is asked for again; everything else begins anew. */
    inf->must_rejoin = inf->stage == STAGE_READ || !err->retriable;
    if (rc == ERR_CONFLICT)
        ++*inf->c_conflicts;
    if (rc != ERR_FATAL && rc != ERR_REFUSED)
        err->retriable = true;
    return rc;
}

static int step(struct inference *inf, int timeout_ms, struct err *err)
{
    int rc = inf->must_rejoin ? join(inf, err) : 0;

    if (rc == 0 && !inf->n)
        rc = poll_batch(inf, timeout_ms, err);
    if (rc < 0)
        return rc;
    if (!inf->n)
        return inf->stage == STAGE_DURABLE ? commit(inf, err) : 0;
    if (inf->stage == STAGE_DURABLE)
        inf->stage = STAGE_READ;

    int n = (int)inf->n;
    rc = in_transactions(inf) ? advance_transaction(inf, err) : advance(inf, err);
    return rc < 0 ? rc : n;
}

/* The models that serve go on serving while the store is away. */
static void refresh_if_due(struct inference *inf)
{
    struct err err = {0};

    if (clock_mono_ms() < inf->look_at_ms)
        return;
    if (inference_refresh(inf, &err) < 0)
        log_trouble(&inf->store_trouble, "looking for newer models", &err);
    else
        log_trouble_over(&inf->store_trouble);
}

int inference_step(struct inference *inf, int timeout_ms, struct err *err)
{
    refresh_if_due(inf);
    int rc = step(inf, timeout_ms, err);
    if (rc == ERR_DISCONNECTED || rc == ERR_TIMEOUT)
        err->retriable = true;
    return rc;
}

/* Introspection */

void inference_status(void *ctx, struct buf *out)
{
    const struct inference *inf = ctx;
    bool is_first = true;

    buf_text(out, "\"models\":{");
    for (size_t i = 0; i < inf->task->n_models; i++) {
        const struct inference_model *m = &inf->models[i];
        if (!m->model)
            continue;
        if (!is_first)
            buf_byte(out, ',');
        is_first = false;
        json_write_name(out, m->name);
        buf_text(out, "{\"version\":");
        json_write_string(out, buf_str(&m->version), m->version.len);
        buf_printf(out, ",\"class\":\"%s\",\"age_ms\":", model_class(m->model));
        json_write_int(out, clock_wall_ms() - m->time_ms);
        buf_text(out, ",\"predicted\":");
        json_write_int(out, (int64_t)*m->c_predictions);
        buf_byte(out, '}');
    }
    buf_text(out, "},\"predicted\":");
    json_write_int(out, (int64_t)*inf->c_predicted);
}

const char *inference_version(const struct inference *inf, size_t i)
{
    return buf_str(&inf->models[i].version);
}
