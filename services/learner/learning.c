/*
 * The learner's order of things: lease, models, reader; then batch by batch.
 *
 * A step that fails half-way is taken up again where it failed. What is folded
 * is never folded again, because the fold itself knows its position; dead
 * letters of a batch are published before the next batch is asked for, and
 * before a checkpoint puts them behind us.
 */
#include "learner/learning.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "learner/learning_internal.h"

#define LEASE_TTL_MS 6000
#define YOUNG_ROWS   100

struct learning *learning_new(const struct learning_options *options, struct err *err)
{
    const struct task *task = options->task;
    const char **names = mem_zalloc(task->n_models + 1, sizeof(*names));
    struct row_reader_options rows = {task->features, task->key,      task->label,
                                      names,          task->n_models, task_positive(task)};

    for (size_t i = 0; i < task->n_models; i++)
        names[i] = task->models[i].name;
    struct row_reader *reader = row_reader_new(&rows, err);
    free(names);
    if (!reader)
        return NULL;

    struct learning *l = mem_zalloc(1, sizeof(*l));
    struct telemetry *tm = options->tm;
    l->o = *options;
    l->owner = mem_strdup(options->owner);
    l->o.owner = l->owner;
    if (!l->o.lease_ttl_ms)
        l->o.lease_ttl_ms = LEASE_TTL_MS;
    l->task = task;
    l->width = schema_size(task->features);
    l->rows = reader;
    l->models = mem_zalloc(task->n_models, sizeof(*l->models));
    for (size_t i = 0; i < task->n_models; i++)
        task_generation(task, i, options->sql_hash, l->models[i].generation);
    learning_batch_init(l);
    l->n_rows = telemetry_counter(tm, "oxbow_rows_read_total", "Messages of learning-queue read.");
    l->n_repeated = telemetry_counter(tm, "oxbow_repeated_rows_total",
                                      "Rows that a model had learned already, once a model.");
    l->n_foreign = telemetry_counter(tm, "oxbow_foreign_rows_total",
                                     "Messages of learning-queue without a seq.");
    l->n_dead =
        telemetry_counter(tm, "oxbow_dead_letters_total", "Messages put into dead-letters.");
    l->n_unknown = telemetry_counter(tm, "oxbow_unknown_features_total",
                                     "Features in rows that the task does not declare.");
    l->n_published =
        telemetry_counter(tm, "oxbow_versions_published_total", "Model versions published.");
    l->n_republished =
        telemetry_counter(tm, "oxbow_versions_republished_total",
                          "Model versions that the store had lost and that were written again.");
    l->n_publish_failures = telemetry_counter(tm, "oxbow_publish_failures_total",
                                              "Writes of a version that the store did not take.");
    l->n_alarms = telemetry_counter(tm, "oxbow_drift_alarms_published_total",
                                    "Alarms of drift put into the topic, of all models.");
    l->batch_time = telemetry_hist(tm, "oxbow_batch_seconds",
                                   "Time from a batch's arrival until it is worked off.");
    l->publish_time =
        telemetry_hist(tm, "oxbow_publish_seconds", "Time to write one version to the store.");
    learning_metrics_init(l);
    return l;
}

static void forget_models(struct learning *l)
{
    for (size_t i = 0; i < l->task->n_models; i++) {
        fold_free(l->models[i].fold);
        l->models[i].fold = NULL;
        learning_forget(&l->models[i]);
        l->models[i].may_serve = false;
    }
}

void learning_free(struct learning *l)
{
    if (!l)
        return;
    bus_reader_close(l->reader);
    forget_models(l);
    learning_batch_release(l);
    learning_alarms_release(l);
    row_reader_free(l->rows);
    free(l->models);
    free(l->owner);
    free(l);
}

/* The lease */

static int keep_lease(struct learning *l, struct err *err)
{
    int64_t now_ms = clock_mono_ms();
    int rc;

    if (l->token && now_ms < l->renew_at_ms)
        return 0;
    if (!l->token)
        rc = store_lease_take(l->o.store, LEARNING_LEASE, l->o.owner, l->o.lease_ttl_ms, &l->token,
                              err);
    else
        rc = store_lease_renew(l->o.store, LEARNING_LEASE, l->token, l->o.lease_ttl_ms, err);
    if (rc == 0)
        l->renew_at_ms = now_ms + l->o.lease_ttl_ms / 3;
    return rc;
}

/* Opening */

static int open_reader(struct learning *l, struct err *err)
{
    const char *topic = l->task->topics.learning_queue;
    size_t last = 0;

    for (size_t i = 1; i < l->task->n_models; i++)
        if (fold_position(l->models[i].fold) < fold_position(l->models[last].fold))
            last = i;
    l->read_pos = l->models[last].pos;

    struct bus_reader *r = bus_reader_open(l->o.bus, err);
    if (!r)
        return err->code;
    int rc = bus_reader_assign(r, topic, 0, &l->read_pos, err);
    if (rc == 1)
        log_info("the models are ahead of %s, which has lost its newest rows: going on when they "
                 "are published again",
                 topic);
    if (rc == ERR_TRIMMED)
        rc = err_set(err, ERR_REFUSED,
                     "model \"%s\" (generation %s) goes on behind seq %llu of %s, and rows after "
                     "that are trimmed; change one of its parameters (a new generation then "
                     "begins at the oldest row), or begin anew with `oxbow up --fresh`",
                     fold_name(l->models[last].fold), l->models[last].generation,
                     (unsigned long long)fold_position(l->models[last].fold), topic);
    if (rc < 0) {
        bus_reader_close(r);
        return rc;
    }
    l->reader = r;
    return 0;
}

/* Models that begin are in the store before they learn, so that they have begun once and for all.
 */
static int publish_first(struct learning *l, struct err *err)
{
    for (size_t i = 0; i < l->task->n_models; i++) {
        struct learning_model *m = &l->models[i];
        int rc = !m->stored[0] || (m->may_serve && !m->serving) ? learning_publish(l, i, err) : 0;
        if (rc < 0)
            return rc;
    }
    return learning_put_floor(l, err);
}

/*
 * Views must not trim the rows that a generation which is about to begin will begin with. The
 * count, by which views sees how far behind the learner is, stays what it was.
 */
static int hold_rows(struct learning *l, struct err *err)
{
    const char *topic = l->task->topics.learning_queue;
    struct buf pos = BUF_INIT;
    uint64_t count = 0;

    int rc = store_floor_get(l->o.store, LEARNING_READER, topic, &pos, &count, err);
    if (rc == 0 || rc == ERR_NOT_FOUND) {
        buf_clear(&pos);
        bus_pos_format(l->o.bus, &BUS_POS_OLDEST, &pos);
        rc = store_floor_put(l->o.store, LEARNING_READER, topic, buf_str(&pos), count, err);
    }
    buf_release(&pos);
    return rc;
}

int learning_open(struct learning *l, struct err *err)
{
    int rc = keep_lease(l, err);

    if (rc == 0)
        rc = hold_rows(l, err);
    forget_models(l);
    l->seen = 0;
    for (size_t i = 0; i < l->task->n_models && rc == 0; i++) {
        rc = learning_restore(l, i, err);
        if (rc == 0 && fold_position(l->models[i].fold) > l->seen)
            l->seen = fold_position(l->models[i].fold);
    }
    if (rc == 0)
        rc = learning_alarms_look(l, err);
    if (rc == 0)
        rc = publish_first(l, err);
    if (rc == 0)
        rc = open_reader(l, err);
    if (rc == 0)
        l->publish_at_ms = clock_mono_ms() + l->task->refresh_seconds * 1000;
    return rc;
}

/* Steps */

/* After a poll that did not fill its batch: are the models at the end of the queue? */
static int look_for_end(struct learning *l, struct err *err)
{
    uint64_t left;
    bool is_waited_for = false;

    for (size_t i = 0; i < l->task->n_models; i++)
        is_waited_for = is_waited_for || !l->models[i].caught_up;
    if (!is_waited_for)
        return 0;
    int rc = bus_count_after(l->o.bus, l->task->topics.learning_queue, 0, &l->read_pos, &left, err);
    if (rc < 0 || left >= LEARNING_BATCH)
        return rc;
    for (size_t i = 0; i < l->task->n_models; i++) {
        l->models[i].caught_up = true;
        l->models[i].may_serve = true;
    }
    return 0;
}

/*
 * Rows after which a model is published. A young model changes most: it is published each time it
 * has learned twice as much, so that the first predictions soon come from one that has learned
 * something.
 */
static uint64_t rows_between(const struct learning *l, const struct learning_model *m)
{
    uint64_t rows = m->stored_learned > YOUNG_ROWS ? m->stored_learned : YOUNG_ROWS;

    return rows < (uint64_t)l->task->refresh_rows ? rows : (uint64_t)l->task->refresh_rows;
}

static bool is_due(const struct learning *l, const struct learning_model *m, bool is_time)
{
    if (is_time || fold_learned(m->fold) - m->stored_learned >= rows_between(l, m))
        return true;
    return m->may_serve && !m->serving && !m->is_behind;
}

static int publish_due(struct learning *l, bool is_time, struct err *err)
{
    uint64_t before = *l->n_published;

    for (size_t i = 0; i < l->task->n_models; i++) {
        int rc = is_due(l, &l->models[i], is_time) ? learning_publish(l, i, err) : 0;
        if (rc < 0)
            return rc;
    }
    if (is_time)
        l->publish_at_ms = clock_mono_ms() + l->task->refresh_seconds * 1000;
    return *l->n_published != before ? learning_put_floor(l, err) : 0;
}

static int read_batch(struct learning *l, int timeout_ms, struct err *err)
{
    const struct bus_msg *msgs;
    int n = bus_poll(l->reader, LEARNING_BATCH, timeout_ms, &msgs, err);

    if (n == ERR_TRIMMED)
        return err_set(err, ERR_REFUSED,
                       "rows of %s were trimmed before they were learned; begin anew with `oxbow "
                       "up --fresh`",
                       l->task->topics.learning_queue);
    if (n <= 0)
        return n;
    int64_t begin_ns = clock_mono_ns();
    l->read_pos = msgs[n - 1].pos;
    int rc = learning_batch_fold(l, msgs, (size_t)n, err);
    hist_add(l->batch_time, clock_mono_ns() - begin_ns);
    return rc < 0 ? rc : n;
}

/* What comes before anything else: the lease, what the server has lost, dead letters and alarms
 * left over. */
static int prepare(struct learning *l, struct err *err)
{
    int rc = keep_lease(l, err);

    if (rc == 0 && l->is_unsure) {
        rc = learning_reconcile(l, err);
        l->is_unsure = rc < 0;
    }
    if (rc == 0 && l->batch.n_dead)
        rc = learning_batch_bury(l, err);
    return rc < 0 ? rc : learning_alarms_publish(l, err);
}

static int step(struct learning *l, int timeout_ms, struct err *err)
{
    int rc = prepare(l, err);

    if (rc < 0)
        return rc;
    int n = read_batch(l, timeout_ms, err);
    if (n < 0)
        return n;
    if (l->batch.n_dead)
        rc = learning_batch_bury(l, err);
    if (rc == 0)
        rc = learning_alarms_publish(l, err);
    if (rc == 0 && n < LEARNING_BATCH)
        rc = look_for_end(l, err);
    if (rc == 0)
        rc = publish_due(l, clock_mono_ms() >= l->publish_at_ms, err);
    return rc < 0 ? rc : n;
}

/* After a server was away, what it has is compared; a lease that it lost is taken up again first.
 */
static int note_failure(struct learning *l, int rc, struct err *err)
{
    if (rc == ERR_DISCONNECTED || rc == ERR_TIMEOUT) {
        l->is_unsure = true;
        l->renew_at_ms = 0;
        err->retriable = true;
    }
    return rc;
}

int learning_step(struct learning *l, int timeout_ms, struct err *err)
{
    return note_failure(l, step(l, timeout_ms, err), err);
}

int learning_checkpoint(struct learning *l, struct err *err)
{
    int rc = prepare(l, err);

    if (rc == 0)
        rc = publish_due(l, true, err);
    return note_failure(l, rc, err);
}

int learning_close(struct learning *l, struct err *err)
{
    int rc = learning_checkpoint(l, err);

    if (rc < 0)
        return rc;
    if (l->token && store_lease_release(l->o.store, LEARNING_LEASE, l->token, err) < 0)
        log_debug("giving the lease back: %s", err->text);
    l->token = 0;
    return 0;
}

/* Introspection */

static void write_model(const struct learning_model *m, struct buf *out)
{
    const struct fold *f = m->fold;

    json_write_name(out, fold_name(f));
    buf_printf(out, "{\"version\":\"%s\",\"generation\":\"%s\",\"class\":\"%s\"", m->stored,
               m->generation, model_class(fold_model(f)));
    buf_text(out, ",\"position\":");
    json_write_int(out, (int64_t)fold_position(f));
    buf_text(out, ",\"start\":");
    json_write_int(out, (int64_t)fold_start(f));
    buf_text(out, ",\"learned\":");
    json_write_int(out, (int64_t)fold_learned(f));
    buf_text(out, ",\"skipped\":");
    json_write_int(out, (int64_t)fold_skipped(f));
    buf_printf(out, ",\"serving\":%s,\"caught_up\":%s", m->serving ? "true" : "false",
               m->caught_up ? "true" : "false");
    scores_write_members(fold_scores(f), out);
    buf_text(out, ",\"drift\":");
    error_drift_write_status(fold_drift(f), out);
    buf_byte(out, '}');
}

void learning_status(void *ctx, struct buf *out)
{
    const struct learning *l = ctx;
    bool is_first = true;

    buf_text(out, "\"models\":{");
    for (size_t i = 0; i < l->task->n_models; i++) {
        if (!l->models[i].fold)
            continue;
        if (!is_first)
            buf_byte(out, ',');
        is_first = false;
        write_model(&l->models[i], out);
    }
    buf_byte(out, '}');
}

const struct fold *learning_fold(const struct learning *l, size_t i)
{
    return l->models[i].fold;
}
