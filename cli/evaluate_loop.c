/* A task's whole loop in one process: see evaluate_loop.h. */
#include "evaluate_loop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/stop.h"
#include "learner/fold.h"
#include "rows/row.h"
#include "simulator/replay.h"
#include "simulator/schedule.h"
#include "views/views.h"

#define BATCH_MAX 1000 /* events in one transaction */

struct contender {
    struct fold *fold;
    struct scorecard *scores;
    int64_t spent_ns;
};

/* Texts of a batch of events: keys and values in one arena, of which only places are known yet. */
struct batch {
    struct views_event event[BATCH_MAX];
    size_t key[BATCH_MAX];
    size_t value[BATCH_MAX];
    size_t n;
    uint64_t first_request; /* number of the first trip whose request is in it; 0: none */
    struct buf arena;
};

/* Rows of learning-queue that came out of one batch, read into columns. */
struct columns {
    double *x;
    double *label; /* NaN: the row cannot be read */
    uint64_t *seq;
    int64_t *at_ms;
    bool *is_read;
    size_t n;
    size_t cap;
};

struct evaluate_loop {
    struct evaluate_loop_options options;
    struct task *task;
    struct trip_source *source;
    struct schedule *schedule;
    struct views *views;
    struct row_reader *rows;
    size_t width;
    struct contender *contender;
    struct batch batch;
    struct batch predictions; /* of the requests of the batch before */
    struct columns columns;
    uint64_t requests;
    uint64_t labelled;
    uint64_t dead;
};

/* Batches */

static void batch_clear(struct batch *b)
{
    b->n = 0;
    b->first_request = 0;
    buf_clear(&b->arena);
}

/* Begins an event whose key is to be appended to the arena; then batch_value(), then the value. */
static void batch_begin(struct batch *b, enum views_input input, int64_t time_ms)
{
    b->event[b->n] = (struct views_event){.input = input, .time_ms = time_ms};
    b->key[b->n] = b->arena.len;
}

static void batch_value(struct batch *b)
{
    b->event[b->n].key_len = b->arena.len - b->key[b->n];
    b->value[b->n] = b->arena.len;
}

static void batch_end(struct batch *b)
{
    b->event[b->n].value_len = b->arena.len - b->value[b->n];
    b->n++;
}

static int ingest(struct evaluate_loop *loop, struct batch *b, struct err *err)
{
    if (!b->n)
        return 0;
    for (size_t i = 0; i < b->n; i++) {
        b->event[i].key = b->arena.data + b->key[i];
        b->event[i].value = b->arena.data + b->value[i];
    }
    int rc = views_ingest(loop->views, b->event, b->n, NULL, 0, b->event[b->n - 1].time_ms, err);
    batch_clear(b);
    return rc;
}

/*
 * Takes events up to the first outcome of a request that is in the batch: its prediction, which is
 * made of what the batch gives, has to be there before.
 */
static void fill(struct evaluate_loop *loop)
{
    struct batch *b = &loop->batch;
    const struct event *e;

    while (b->n < BATCH_MAX && (e = schedule_peek(loop->schedule))) {
        bool is_request = e->kind == EVENT_REQUEST;
        if (!is_request && b->first_request && e->trip.number >= b->first_request)
            return;
        batch_begin(b, is_request ? VIEWS_REQUESTS : VIEWS_OUTCOMES, e->time_ms);
        loop->source->ops->write_key(loop->source, e->trip.number, &b->arena);
        batch_value(b);
        if (is_request)
            loop->source->ops->write_request(loop->source, &e->trip, &b->arena);
        else
            event_write_outcome(e, &b->arena);
        batch_end(b);
        if (is_request && !b->first_request)
            b->first_request = e->trip.number;
        loop->requests += is_request;
        schedule_pop(loop->schedule);
    }
}

/* What comes out */

/* A prediction without models: what they predict changes no feature and no label. */
static int predict(struct evaluate_loop *loop, const struct views_row *row, struct err *err)
{
    struct batch *b = &loop->predictions;
    struct json_value root;
    struct json_value features;
    struct json_value at;
    int64_t at_ms = 0;

    int rc = json_parse(row->value, row->value_len, &root, err);
    if (rc < 0)
        return rc;
    if (!json_get(&root, "features", &features) || !json_get(&root, "requested_at", &at) ||
        clock_parse(at.text + 1, at.len - 2, &at_ms) < 0)
        return err_set(err, ERR_CORRUPT, "a row of features lacks a member");
    batch_begin(b, VIEWS_PREDICTIONS, at_ms);
    buf_append(&b->arena, row->key, row->key_len);
    batch_value(b);
    buf_text(&b->arena, "{\"features\":");
    buf_append(&b->arena, features.text, features.len);
    buf_text(&b->arena, ",\"predictions\":{},\"requested_at\":");
    buf_append(&b->arena, at.text, at.len);
    buf_text(&b->arena, ",\"predicted_at\":");
    buf_append(&b->arena, at.text, at.len);
    buf_byte(&b->arena, '}');
    batch_end(b);
    return 0;
}

static void read_row(struct evaluate_loop *loop, const struct views_row *row)
{
    struct columns *c = &loop->columns;
    struct err ignored;
    struct row r = {0};

    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : BATCH_MAX;
        c->x = mem_realloc(c->x, c->cap, (loop->width + 1) * sizeof(*c->x));
        c->label = mem_realloc(c->label, c->cap, sizeof(*c->label));
        c->seq = mem_realloc(c->seq, c->cap, sizeof(*c->seq));
        c->at_ms = mem_realloc(c->at_ms, c->cap, sizeof(*c->at_ms));
        c->is_read = mem_realloc(c->is_read, c->cap, sizeof(*c->is_read));
    }
    c->is_read[c->n] = row_reader_read(loop->rows, row->value, row->value_len, &r,
                                       &c->x[c->n * loop->width], NULL, &ignored) == 0;
    c->label[c->n] = c->is_read[c->n] ? r.label : (double)NAN;
    c->at_ms[c->n] = c->is_read[c->n] ? r.outcome_ms : 0;
    c->seq[c->n++] = row->seq;
}

static int fold_rows(struct evaluate_loop *loop, size_t from, size_t to, struct err *err)
{
    struct columns *c = &loop->columns;

    for (size_t i = 0; i < loop->task->n_models; i++) {
        struct contender *model = &loop->contender[i];
        int64_t start = clock_mono_ns();

        for (size_t k = from; k < to; k++) {
            struct fold_input input = {.seq = c->seq[k],
                                       .x = c->is_read[k] ? &c->x[k * loop->width] : NULL,
                                       .label = c->label[k],
                                       .at_ms = c->at_ms[k]};
            int rc = fold_row(model->fold, &input, err);
            if (rc < 0)
                return rc;
            if (rc != FOLD_LEARNED)
                continue;
            scorecard_update(model->scores, c->label[k], fold_predicted(model->fold),
                             (double)c->at_ms[k], 1000);
            scorecard_update_interval(model->scores, c->label[k], fold_said(model->fold));
        }
        model->spent_ns += clock_mono_ns() - start;
    }
    return 0;
}

/* Folds what was read, and stops to be looked at where that was asked for. */
static int fold_columns(struct evaluate_loop *loop, struct err *err)
{
    size_t n = loop->columns.n;

    for (size_t from = 0; from < n;) {
        uint64_t every = loop->options.every;
        size_t to = n;

        if (every && every - loop->labelled % every < n - from)
            to = from + (size_t)(every - loop->labelled % every);
        int rc = fold_rows(loop, from, to, err);
        if (rc < 0)
            return rc;
        loop->labelled += to - from;
        from = to;
        if (every && loop->labelled % every == 0)
            loop->options.on_every(loop->options.ctx, loop);
    }
    loop->columns.n = 0;
    return 0;
}

/* Takes all that has come out of the engine. */
static int take(struct evaluate_loop *loop, struct err *err)
{
    struct views_batch out;
    int rc;

    while ((rc = views_poll(loop->views, 0, &out, err)) == 1) {
        for (size_t i = 0; rc >= 0 && i < out.n; i++) {
            if (out.rows[i].output == VIEWS_FEATURES)
                rc = predict(loop, &out.rows[i], err);
            else if (out.rows[i].output == VIEWS_LEARNING_QUEUE)
                read_row(loop, &out.rows[i]);
            else
                loop->dead++;
        }
        if (rc >= 0)
            rc = views_ack(loop->views, out.token, err);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : fold_columns(loop, err);
}

/* Opening */

static int open_views(struct evaluate_loop *loop, struct err *err)
{
    const struct task *task = loop->task;
    const char **features = mem_zalloc(schema_size(task->features), sizeof(*features));
    struct views_options options = {
        .engine = task->views,
        .url = ":memory:",
        .name = task->name,
        .sql_dir = task->sql_dir,
        .key = task->key,
        .label = task->label,
        .positive = task_positive(task),
        .features = features,
        .n_features = schema_size(task->features),
        .topic_names = {task->topics.requests, task->topics.outcomes, task->topics.predictions},
        .label_min = task->label_min,
        .label_max = task->label_max,
        .max_event_bytes = task->max_event_bytes,
        .retention_seconds = task->retention_seconds,
        .retention_rows = task->retention_rows,
    };
    char incarnation[UUID_TEXT_LEN + 1];
    bool changed;

    for (size_t i = 0; i < options.n_features; i++)
        features[i] = schema_name(task->features, i);
    int rc = task_sql_hash(task, &options.sql_hash, err);
    if (rc == 0) {
        loop->views = views_open(&options, err);
        rc = loop->views ? views_apply(loop->views, &changed, err) : err->code;
    }
    uuid_new(incarnation);
    if (rc == 0)
        rc = views_incarnation_set(loop->views, incarnation, err);
    free(features);
    return rc;
}

static int open_models(struct evaluate_loop *loop, struct err *err)
{
    const struct task *task = loop->task;
    struct row_reader_options options = {.schema = task->features,
                                         .key = task->key,
                                         .label = task->label,
                                         .positive = task_positive(task)};

    loop->width = schema_size(task->features);
    loop->rows = row_reader_new(&options, err);
    if (!loop->rows)
        return err->code;
    loop->contender = mem_zalloc(task->n_models, sizeof(*loop->contender));
    for (size_t i = 0; i < task->n_models; i++) {
        struct contender *c = &loop->contender[i];

        c->fold = fold_new(task, i, "evaluate", 0, err);
        if (!c->fold)
            return err->code;
        const struct scorecard_options scores = {
            .kind = model_kind(fold_model(c->fold)),
            .metrics = loop->options.metrics,
            .threshold = task->threshold,
            .window = loop->options.window,
            .window_seconds = loop->options.window_seconds,
        };
        c->scores = scorecard_new(&scores, err);
        if (!c->scores)
            return err->code;
    }
    return 0;
}

/* Public functions */

struct evaluate_loop *evaluate_loop_new(const struct evaluate_loop_options *options,
                                        struct err *err)
{
    struct evaluate_loop *loop = mem_zalloc(1, sizeof(*loop));
    struct access_options access = {.config = options->config};
    int rc = 0;

    loop->options = *options;
    setenv("OXBOW_VIEWS", "sqlite", 1);
    loop->task = access_load_task(&access, err);
    if (!loop->task)
        rc = err->code;
    if (rc == 0) {
        log_set_level(LOG_LEVEL_WARN);
        loop->source = replay_open(options->replay, err);
        rc = loop->source ? 0 : err->code;
    }
    if (rc == 0)
        rc = open_views(loop, err);
    if (rc == 0)
        rc = open_models(loop, err);
    if (rc < 0) {
        evaluate_loop_free(loop);
        return NULL;
    }
    loop->schedule = schedule_new(loop->source, options->limit);
    return loop;
}

void evaluate_loop_free(struct evaluate_loop *loop)
{
    if (!loop)
        return;
    for (size_t i = 0; loop->contender && i < loop->task->n_models; i++) {
        fold_free(loop->contender[i].fold);
        scorecard_free(loop->contender[i].scores);
    }
    free(loop->contender);
    row_reader_free(loop->rows);
    views_close(loop->views);
    schedule_free(loop->schedule);
    trip_source_free(loop->source);
    task_free(loop->task);
    buf_release(&loop->batch.arena);
    buf_release(&loop->predictions.arena);
    free(loop->columns.x);
    free(loop->columns.label);
    free(loop->columns.seq);
    free(loop->columns.at_ms);
    free(loop->columns.is_read);
    free(loop);
}

int evaluate_loop_run(struct evaluate_loop *loop, struct err *err)
{
    int rc = 0;

    while (rc == 0 && !stop_requested() && schedule_peek(loop->schedule)) {
        rc = ingest(loop, &loop->predictions, err);
        fill(loop);
        if (rc == 0)
            rc = ingest(loop, &loop->batch, err);
        if (rc == 0)
            rc = take(loop, err);
        loop->options.on_batch(loop->options.ctx, loop);
    }
    return rc;
}

size_t evaluate_loop_rows(const struct evaluate_loop *loop, struct evaluate_row *ret, size_t max)
{
    size_t n = loop->task->n_models < max ? loop->task->n_models : max;
    struct scorecard *baseline = loop->contender[loop->task->n_models - 1].scores;

    for (size_t i = 0; i < n; i++) {
        const struct contender *c = &loop->contender[i];

        ret[i] = (struct evaluate_row){
            .name = fold_name(c->fold),
            .model = fold_model(c->fold),
            .samples_per_second =
                c->spent_ns ? (double)fold_learned(c->fold) / ((double)c->spent_ns / 1e9) : 0,
        };
        scorecard_compare(c->scores, baseline, ret[i].metrics, ret[i].skill);
        for (size_t span = 0; c->scores == baseline && span < SCORECARD_SPANS; span++)
            ret[i].skill[span] = (double)NAN;
    }
    return n;
}

void evaluate_loop_counts(const struct evaluate_loop *loop, struct evaluate_loop_counts *ret)
{
    struct views_ledger ledger = {0};
    struct err ignored;

    if (views_counters(loop->views, &ledger, &ignored) < 0)
        ledger = (struct views_ledger){0};
    *ret = (struct evaluate_loop_counts){
        .requests = loop->requests,
        .total = schedule_total(loop->schedule),
        .bad_lines = loop->source->skipped,
        .labelled = loop->labelled,
        .bad_labels = ledger.outcomes_bad_label,
        .dead = loop->dead,
    };
}

void evaluate_loop_set_every(struct evaluate_loop *loop, uint64_t every)
{
    loop->options.every = every;
}
