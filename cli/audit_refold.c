/* The deep audit of learning-queue and of the models that were made of it. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audit_deep.h"
#include "base/mem.h"
#include "keyset.h"
#include "learner/fold.h"
#include "rows/row.h"

/* One model while its rows are folded again. */
struct refold {
    const struct deep_model *model;
    struct fold *fold; /* NULL when it cannot be rebuilt */
    size_t next;       /* the version to be compared next */
    size_t compared;
    size_t different;
    uint64_t from; /* the position that the fold began at */
    bool restored; /* from a version, else from nothing */
};

struct queue {
    struct audit *audit;
    struct inspect *in;
    struct refold *refold;
    size_t n;
    struct row_reader *rows;
    struct keyset *keys;
    double *x;
    struct row_issued *served; /* by model of the task file */
    uint64_t first;            /* seq of the first row read; 0: none yet */
    uint64_t last;
    uint64_t wanted; /* rows up to here must be there */
    uint64_t gaps;
    uint64_t twice;
};

/* Seq after which all rows are kept. */
static uint64_t trimmed_up_to(const struct queue *q)
{
    uint64_t first = q->audit->facts.queue_first;

    return first ? first - 1 : 0;
}

/*
 * The fold begins with nothing where the rows reach back to the generation's start, else at the
 * oldest version whose next row is kept.
 */
static int begin(struct queue *q, struct refold *f, struct err *err)
{
    const struct deep_model *m = f->model;
    struct store_version v = {0};

    if (!m->n_current)
        return 0;
    if (m->version[0].start >= trimmed_up_to(q)) {
        f->from = m->version[0].start;
        f->fold = fold_new(q->in->task, m->index, m->version[0].generation, f->from, err);
        return f->fold ? 0 : err->code;
    }
    while (f->next < m->n_current && m->version[f->next].position < trimmed_up_to(q))
        f->next++;
    if (f->next == m->n_current)
        return 0;
    int rc = store_version_get(q->in->store, m->name, m->version[f->next++].version, &v, err);
    if (rc == ERR_CORRUPT) {
        audit_find(q->audit, false, "%s: %s", m->name, err->text);
        return 0;
    }
    if (rc < 0)
        return rc;
    f->from = v.position;
    f->restored = true;
    f->fold = fold_restore(q->in->task, m->index, &v, err);
    if (!f->fold)
        audit_find(q->audit, false, "%s", err->text);
    store_version_release(&v);
    return 0;
}

/* True when the version in the store has the bytes and counts of `v`, and its drift detector.
 * ERR_CORRUPT: its bytes fail their checks. */
static int is_equal(struct queue *q, const struct store_version *kept,
                    const struct store_version *v, bool *ret, struct err *err)
{
    struct store_version stored = {0};

    *ret =
        v->checksum == kept->checksum && v->learned == kept->learned && v->skipped == kept->skipped;
    int rc = store_version_get(q->in->store, v->model, kept->version, &stored, err);
    if (rc == ERR_NOT_FOUND)
        return 0; /* pruned since the list was read */
    if (rc < 0)
        return rc;
    *ret = *ret && stored.blob_len == v->blob_len && stored.blob && v->blob &&
           memcmp(stored.blob, v->blob, v->blob_len) == 0;
    if (*ret && !fold_same_drift(stored.scores, v->scores)) {
        *ret = false;
        audit_find(q->audit, false, "%s %s: its drift detector is not where its rows lead it",
                   v->model, v->version);
    }
    store_version_release(&stored);
    return 0;
}

/* Compares the fold with the kept version of its position, if there is one. */
static int compare(struct queue *q, struct refold *f, struct err *err)
{
    const struct deep_model *m = f->model;
    struct store_version v = {0};
    bool equal;

    if (f->next == m->n_current || m->version[f->next].position != fold_position(f->fold))
        return 0;
    const struct store_version *kept = &m->version[f->next++];
    fold_save(f->fold, &v);
    f->compared++;
    int rc = is_equal(q, kept, &v, &equal, err);
    if (rc == ERR_CORRUPT) {
        f->different++;
        audit_find(q->audit, false, "%s: %s", m->name, err->text);
        rc = 0;
    } else if (rc == 0 && !equal && f->different++ < DEEP_EXAMPLES) {
        audit_find(q->audit, false,
                   "%s %s: the store has learned %" PRIu64 ", skipped %" PRIu64
                   ", checksum %016" PRIx64 "; the fold of its rows has %" PRIu64 ", %" PRIu64
                   ", %016" PRIx64,
                   m->name, kept->version, kept->learned, kept->skipped, kept->checksum, v.learned,
                   v.skipped, v.checksum);
    }
    store_version_release(&v);
    return rc;
}

static int fold_one(struct queue *q, struct refold *f, const struct fold_input *input,
                    struct err *err)
{
    if (!f->fold || f->next == f->model->n_current)
        return 0; /* not to be rebuilt, or already compared with the newest */
    int rc = fold_row(f->fold, input, err);
    if (rc < 0) {
        audit_find(q->audit, false, "%s", err->text);
        fold_free(f->fold);
        f->fold = NULL;
        return 0;
    }
    return rc == FOLD_REPEATED ? 0 : compare(q, f, err);
}

static void note_row(struct queue *q, uint64_t seq, const struct bus_msg *msg)
{
    const char *topic = q->in->task->topics.learning_queue;

    if (q->first && seq != q->last + 1 && q->gaps++ < DEEP_EXAMPLES)
        audit_find(q->audit, false, "%s: seq %" PRIu64 " is followed by %" PRIu64, topic, q->last,
                   seq);
    if (!q->first)
        q->first = seq;
    q->last = seq;
    if (!keyset_add(q->keys, msg->key, msg->key_len) && q->twice++ < DEEP_EXAMPLES)
        audit_find(q->audit, false, "%s: key %.*s comes a second time, at seq %" PRIu64, topic,
                   (int)(msg->key_len < 100 ? msg->key_len : 100), msg->key ? msg->key : "", seq);
}

static int read_row(struct queue *q, const struct bus_msg *msg, struct err *err)
{
    struct row row = {0};
    const char *topic = q->in->task->topics.learning_queue;

    bool readable =
        row_reader_read(q->rows, msg->value, msg->value_len, &row, q->x, q->served, err) == 0;
    if (!row.seq) {
        audit_find(q->audit, false, "%s: the row behind seq %" PRIu64 " has no seq", topic,
                   q->last);
        return 0;
    }
    if (!q->first && row.seq > q->audit->facts.queue_first)
        return err_set_retriable(err, ERR_TRIMMED, "%s was trimmed while it was read; ask again",
                                 topic);
    note_row(q, row.seq, msg);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < q->n; i++) {
        struct fold_input input = {.seq = row.seq, .label = NAN};
        if (readable) {
            input.x = q->x;
            input.label = row.label;
            input.served = &q->served[q->refold[i].model->index];
            input.at_ms = row.outcome_ms;
        }
        rc = fold_one(q, &q->refold[i], &input, err);
    }
    return rc;
}

static int read_rows(struct queue *q, struct bus_reader *r, struct err *err)
{
    const char *topic = q->in->task->topics.learning_queue;
    struct bus_places read = BUS_PLACES_INIT;
    const struct bus_msg *msg;

    int rc = bus_reader_assign(r, topic, 0, &BUS_POS_OLDEST, err);
    while (rc >= 0 && q->last < q->wanted) {
        rc = deep_poll(q->in, r, topic, &read, &msg, err);
        if (rc == 0)
            break; /* the end, before what was wanted */
        int n = rc;
        for (int i = 0; rc >= 0 && i < n; i++) {
            bus_places_note(&read, &msg[i]);
            rc = read_row(q, &msg[i], err);
        }
    }
    bus_places_release(&read);
    return rc < 0 ? rc : 0;
}

/* ---- Judging ---- */

static void judge_rows(struct queue *q)
{
    const char *topic = q->in->task->topics.learning_queue;

    if (q->last < q->wanted)
        audit_find(q->audit, false, "%s: ends at seq %" PRIu64 "; %" PRIu64 " were emitted", topic,
                   q->last, q->wanted);
    audit_find(q->audit, !q->gaps && !q->twice,
               "%s: seq %" PRIu64 " to %" PRIu64 ", %" PRIu64 " gaps; %zu keys, %" PRIu64
               " that came again",
               topic, q->first, q->last, q->gaps, keyset_count(q->keys), q->twice);
}

static void judge_model(struct queue *q, const struct refold *f)
{
    const char *name = f->model->name;

    if (!f->model->n_current)
        audit_find(q->audit, true, "%s: not rebuilt, it has no version yet", name);
    else if (!f->fold && f->next == f->model->n_current)
        audit_find(q->audit, true,
                   "%s: not rebuilt from %s: its newest version is older than the oldest kept row",
                   name, q->in->task->topics.learning_queue);
    else if (!f->fold)
        audit_find(q->audit, false, "%s: could not be rebuilt (see above)", name);
    else
        audit_find(q->audit, !f->different && f->next == f->model->n_current,
                   "%s: rebuilt from %s %" PRIu64 " up to seq %" PRIu64
                   ": of %zu kept versions on the way %zu are equal",
                   name, f->restored ? "its version of seq" : "nothing at seq", f->from,
                   fold_position(f->fold), f->model->n_current - (f->restored ? 1 : 0),
                   f->compared - f->different);
}

static int run(struct queue *q, struct err *err)
{
    struct bus_reader *r = bus_reader_open(q->in->bus, err);
    int rc = r ? 0 : err->code;

    q->wanted = q->audit->facts.ledger.outcomes_emitted;
    for (size_t i = 0; rc == 0 && i < q->n; i++) {
        const struct deep_model *m = q->refold[i].model;
        if (m->n_current && m->version[m->n_current - 1].position > q->wanted)
            q->wanted = m->version[m->n_current - 1].position;
        rc = begin(q, &q->refold[i], err);
        if (rc == 0 && q->refold[i].fold && !q->refold[i].restored)
            rc = compare(q, &q->refold[i], err);
    }
    if (rc == 0)
        rc = read_rows(q, r, err);
    bus_reader_close(r);
    if (rc < 0)
        return rc;
    judge_rows(q);
    for (size_t i = 0; i < q->n; i++)
        judge_model(q, &q->refold[i]);
    return 0;
}

int deep_refold(struct audit *audit, struct inspect *in, const struct deep_model *model,
                size_t n_models, struct err *err)
{
    const struct task *task = in->task;
    const char **names = mem_zalloc(n_models, sizeof(*names));
    struct queue q = {.audit = audit,
                      .in = in,
                      .refold = mem_zalloc(n_models, sizeof(*q.refold)),
                      .n = n_models,
                      .keys = keyset_new(),
                      .x = mem_zalloc(schema_size(task->features) + 1, sizeof(double)),
                      .served = mem_zalloc(n_models, sizeof(struct row_issued))};

    for (size_t i = 0; i < n_models; i++) {
        names[i] = task->models[i].name;
        q.refold[i].model = &model[i];
    }
    struct row_reader_options options = {.schema = task->features,
                                         .key = task->key,
                                         .label = task->label,
                                         .models = names,
                                         .n_models = n_models,
                                         .positive = task_positive(task)};
    q.rows = row_reader_new(&options, err);
    int rc = q.rows ? run(&q, err) : err->code;

    for (size_t i = 0; i < n_models; i++)
        fold_free(q.refold[i].fold);
    row_reader_free(q.rows);
    keyset_free(q.keys);
    free(q.refold);
    free(q.x);
    free(q.served);
    free(names);
    return rc;
}
