/*
 * One poll's rows: read once into columns, then folded model by model, so that
 * a model's state stays in the cache while it learns. Each model sees the rows
 * in the order of seq.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/dead_letter.h"
#include "base/mem.h"
#include "learner/learning_internal.h"

#define FLUSH_MS 10000

void learning_batch_init(struct learning *l)
{
    struct learning_batch *b = &l->batch;
    size_t n_models = l->task->n_models;

    b->seq = mem_zalloc(LEARNING_BATCH, sizeof(*b->seq));
    b->x = mem_zalloc(LEARNING_BATCH * (l->width + 1), sizeof(*b->x));
    b->served = mem_zalloc(LEARNING_BATCH * (n_models + 1), sizeof(*b->served));
    b->label = mem_zalloc(LEARNING_BATCH, sizeof(*b->label));
    b->at_ms = mem_zalloc(LEARNING_BATCH, sizeof(*b->at_ms));
    b->readable = mem_zalloc(LEARNING_BATCH, sizeof(*b->readable));
    b->dead = mem_zalloc(LEARNING_BATCH, sizeof(*b->dead));
}

void learning_batch_release(struct learning *l)
{
    struct learning_batch *b = &l->batch;

    free(b->seq);
    free(b->x);
    free(b->served);
    free(b->label);
    free(b->at_ms);
    free(b->readable);
    free(b->dead);
    *b = (struct learning_batch){.n = 0};
}

/* Reads message `k` into the columns, or says in `err` why it cannot be learned. */
static int read_row(struct learning *l, size_t k, struct err *err)
{
    struct learning_batch *b = &l->batch;
    const struct bus_msg *msg = &b->msgs[k];
    struct row row;

    int rc = row_reader_read(l->rows, msg->value, msg->value_len, &row, &b->x[k * l->width],
                             &b->served[k * l->task->n_models], err);
    b->seq[k] = row.seq;
    b->label[k] = rc < 0 ? (double)NAN : row.label;
    b->at_ms[k] = rc < 0 ? 0 : row.outcome_ms;
    b->readable[k] = rc == 0;
    if (rc < 0)
        return rc;
    *l->n_unknown += row.unknown;
    if (!task_label_ok(l->task, row.label))
        return err_set(err, ERR_INVALID, "the label %s is %g, which is outside label_range",
                       l->task->label, row.label);
    return 0;
}

static void read_rows(struct learning *l)
{
    struct learning_batch *b = &l->batch;

    for (size_t k = 0; k < b->n; k++) {
        b->dead[k] = read_row(l, k, NULL) < 0;
        if (b->seq[k] == 0)
            ++*l->n_foreign;
        else if (b->seq[k] <= l->seen)
            b->dead[k] = false; /* was buried when it was new */
        b->n_dead += b->dead[k];
    }
}

static int fold_model_rows(struct learning *l, size_t i, struct err *err)
{
    struct learning_model *m = &l->models[i];
    struct learning_batch *b = &l->batch;

    for (size_t k = 0; k < b->n; k++) {
        if (b->seq[k] == 0)
            continue;
        struct fold_input row = {
            .seq = b->seq[k],
            .x = b->readable[k] ? &b->x[k * l->width] : NULL,
            .label = b->label[k],
            .served = b->readable[k] ? &b->served[k * l->task->n_models + i] : NULL,
            .at_ms = b->at_ms[k],
        };
        int rc = fold_row(m->fold, &row, err);
        if (rc < 0)
            return rc;
        if (rc == FOLD_REPEATED)
            ++*l->n_repeated;
        else
            m->pos = b->msgs[k].pos;
        if (rc == FOLD_LEARNED && fold_drift(m->fold)->newest.position == row.seq)
            learning_alarm_add(l, i);
    }
    return 0;
}

int learning_batch_fold(struct learning *l, const struct bus_msg *msgs, size_t n, struct err *err)
{
    uint64_t seen = l->seen;

    l->batch.msgs = msgs;
    l->batch.n = n;
    l->batch.n_dead = 0;
    *l->n_rows += n;
    read_rows(l);
    for (size_t i = 0; i < l->task->n_models; i++) {
        int rc = fold_model_rows(l, i, err);
        if (rc < 0)
            return rc;
        if (fold_position(l->models[i].fold) > l->seen)
            l->seen = fold_position(l->models[i].fold);
    }
    learning_metrics_lag(l, seen);
    return 0;
}

static int bury_row(struct learning *l, size_t k, struct buf *pos, struct buf *text,
                    struct err *err)
{
    const struct bus_msg *msg = &l->batch.msgs[k];
    struct err why = {0};
    struct dead_letter letter = {
        .service = "learner",
        .topic = l->task->topics.learning_queue,
        .reason = why.text,
        .key = msg->key,
        .key_len = msg->key_len,
        .value = msg->value,
        .value_len = msg->value_len,
        .at_ms = clock_wall_ms(),
    };

    if (read_row(l, k, &why) == 0)
        return 0;
    buf_clear(pos);
    buf_clear(text);
    bus_msg_place(l->o.bus, msg, pos);
    letter.position = buf_str(pos);
    dead_letter_write(&letter, text);
    return bus_publish(l->o.bus,
                       &(struct bus_record){.topic = l->task->topics.dead_letters,
                                            .partition = -1,
                                            .key = msg->key,
                                            .key_len = msg->key_len,
                                            .value = text->data,
                                            .value_len = text->len},
                       err);
}

int learning_batch_bury(struct learning *l, struct err *err)
{
    struct learning_batch *b = &l->batch;
    struct buf pos = BUF_INIT;
    struct buf text = BUF_INIT;
    int rc = 0;

    for (size_t k = 0; k < b->n && rc == 0; k++)
        if (b->dead[k])
            rc = bury_row(l, k, &pos, &text, err);
    if (rc == 0)
        rc = bus_flush(l->o.bus, FLUSH_MS, err);
    if (rc == 0) {
        *l->n_dead += b->n_dead;
        b->n_dead = 0;
    }
    buf_release(&pos);
    buf_release(&text);
    return rc;
}
