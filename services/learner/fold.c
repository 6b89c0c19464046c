/* The fold of learning-queue: see fold.h. */
#include "learner/fold.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"

struct fold {
    const struct task *task;
    size_t index; /* of the model in the task file */
    char generation[TASK_GENERATION_LEN + 1];
    struct model *model;
    struct scores scores;
    struct error_drift drift;
    uint64_t start;
    uint64_t position;
    uint64_t learned;
    uint64_t skipped;
    struct issued said; /* of the row that was learned last; not part of the state */
};

static struct fold *fold_alloc(const struct task *task, size_t model, const char *generation)
{
    struct fold *f = mem_zalloc(1, sizeof(*f));

    f->task = task;
    f->index = model;
    f->said = issued_alone((double)NAN);
    snprintf(f->generation, sizeof(f->generation), "%s", generation);
    scores_init(&f->scores, (size_t)task->score_window);
    if (task->is_binary)
        scores_set_binary(&f->scores, task->threshold);
    return f;
}

static struct model *fresh_model(const struct task *task, size_t model, struct err *err)
{
    struct model *m = model_new(task->models[model].pipeline, task->features, err);

    if (m)
        model_set_max_bytes(m, (size_t)task->max_model_bytes);
    return m;
}

/* A version must fit the pipeline that its generation stands for, and add up. */
static int check_version(const struct fold *f, const struct store_version *v, struct err *err)
{
    if (v->position < v->start || v->learned + v->skipped != v->position - v->start)
        return err_set(err, ERR_CORRUPT,
                       "its counts contradict each other: learned %" PRIu64 " + skipped %" PRIu64
                       " is not position %" PRIu64 " - start %" PRIu64,
                       v->learned, v->skipped, v->position, v->start);

    struct model *fresh = fresh_model(f->task, f->index, err);
    if (!fresh)
        return err->code;
    bool is_same = model_parameters_hash(fresh) == model_parameters_hash(f->model);
    model_free(fresh);
    if (!is_same)
        return err_set(err, ERR_CORRUPT, "it holds %s, which is not what its generation is of",
                       model_class(f->model));
    return 0;
}

static void write_schema(const struct schema *schema, struct buf *out)
{
    for (size_t i = 0; i < schema_size(schema); i++) {
        const char *name = schema_name(schema, i);

        buf_text(out, i ? ",{\"name\":" : "[{\"name\":");
        json_write_string(out, name, strlen(name));
        buf_printf(out, ",\"kind\":\"%s\"}", feature_kind_name(schema_kind(schema, i)));
    }
    buf_text(out, schema_size(schema) ? "]" : "[]");
}

/* The member of a version's scores that holds the detector; `ret` has type JSON_NULL without one.
 */
static void find_drift(const char *scores, struct json_value *ret)
{
    struct json_value root;

    if (json_parse(scores, strlen(scores), &root, NULL) < 0 || !json_get(&root, "drift", ret))
        *ret = (struct json_value){.type = JSON_NULL};
}

static int restore_drift(struct fold *f, const char *scores, struct err *err)
{
    struct json_value v;

    find_drift(scores, &v);
    return error_drift_read(&f->drift, &v, err);
}

static bool is_same_member(const struct json_value *a, const struct json_value *b, const char *name)
{
    struct json_value x;
    struct json_value y;

    return json_get(a, name, &x) && json_get(b, name, &y) && x.len == y.len &&
           memcmp(x.text, y.text, x.len) == 0;
}

/* Public functions */

struct fold *fold_new(const struct task *task, size_t model, const char *generation, uint64_t start,
                      struct err *err)
{
    struct model *m = fresh_model(task, model, err);

    if (!m) {
        err_prefix(err, "model \"%s\"", task->models[model].name);
        return NULL;
    }

    struct fold *f = fold_alloc(task, model, generation);
    f->model = m;
    f->start = start;
    f->position = start;
    error_drift_init(&f->drift, task, start);
    return f;
}

struct fold *fold_restore(const struct task *task, size_t model, const struct store_version *v,
                          struct err *err)
{
    struct fold *f = fold_alloc(task, model, v->generation);
    int rc;

    f->start = v->start;
    f->position = v->position;
    f->learned = v->learned;
    f->skipped = v->skipped;
    f->model = model_load(v->blob, v->blob_len, task->features, (size_t)task->max_model_bytes, err);
    rc = f->model ? check_version(f, v, err) : err->code;
    if (rc == 0)
        rc = scores_read(&f->scores, v->scores, err);
    error_drift_init(&f->drift, task, v->position);
    if (rc == 0)
        rc = restore_drift(f, v->scores, err);
    if (rc < 0) {
        err_prefix(err, "version %s of model \"%s\"", v->version, task->models[model].name);
        fold_free(f);
        return NULL;
    }
    return f;
}

void fold_free(struct fold *f)
{
    if (!f)
        return;
    model_free(f->model);
    scores_release(&f->scores);
    error_drift_release(&f->drift);
    free(f);
}

static void score(struct fold *f, const struct fold_input *row)
{
    double served = row->served ? row->served->said.value : (double)NAN;

    scores_update(&f->scores, row->label, f->said.value, served);
    if (f->task->is_binary)
        scores_update_labels(&f->scores, row->label, f->said.value, served);
    if (row->served)
        scores_update_interval(&f->scores, row->label, &row->served->said);
    error_drift_update(&f->drift, row->seq, row->at_ms, fabs(row->label - f->said.value));
}

/*
 * How many rows this fold has taken since the version that said it, when that is one of its own
 * generation; -1 otherwise.
 */
static int64_t age_of(const struct fold *f, const struct row_issued *served)
{
    const struct json_value *v = &served->version;
    const char *text = v->text + 1; /* behind the quote */
    int64_t position;

    if (v->type != JSON_STRING || v->len <= TASK_GENERATION_LEN + 3 ||
        memcmp(text, f->generation, TASK_GENERATION_LEN) != 0 || text[TASK_GENERATION_LEN] != '-' ||
        num_parse_int(text + TASK_GENERATION_LEN + 1, v->len - TASK_GENERATION_LEN - 3,
                      &position) != 0 ||
        position < 0 || (uint64_t)position >= f->position)
        return -1;
    return (int64_t)f->position - 1 - position;
}

/*
 * What the intervals learn from: what a version of this generation issued. Where that came without
 * an interval, what the model says now gives a residual, and no more. What another generation
 * issued (this one catches up on old rows) is no business of this model's: it learns from what it
 * would have issued.
 */
static struct issued issued_of(const struct fold *f, const struct row_issued *served)
{
    int64_t age = served ? age_of(f, served) : -1;
    struct issued said = f->said;

    if (age < 0)
        return said;
    if (!issued_has_interval(&served->said))
        return issued_alone(said.value);
    said = served->said;
    said.age = (double)age;
    return said;
}

static void learn(struct fold *f, const struct fold_input *row)
{
    double weight = task_weight(f->task, row->label);

    if (model_has_intervals(f->model)) {
        struct issued said = issued_of(f, row->served);

        model_learn_issued(f->model, row->x, row->label, weight, &said);
    } else {
        model_learn_one(f->model, row->x, row->label, weight);
    }
}

int fold_row(struct fold *f, const struct fold_input *row, struct err *err)
{
    if (row->seq <= f->position)
        return FOLD_REPEATED;
    if (row->seq != f->position + 1)
        return err_set(err, ERR_REFUSED,
                       "rows are missing: model \"%s\" (generation %s) has learned up to seq "
                       "%" PRIu64 ", and the next row of %s is seq %" PRIu64
                       "; bring the rows between back, or begin anew with `oxbow up --fresh`",
                       fold_name(f), f->generation, f->position, f->task->topics.learning_queue,
                       row->seq);

    f->position = row->seq;
    if (!row->x || !task_label_ok(f->task, row->label)) {
        f->skipped++;
        return FOLD_SKIPPED;
    }
    f->said = task_answer(f->task, f->model, model_predict_one(f->model, row->x));
    score(f, row);
    learn(f, row);
    f->learned++;
    return FOLD_LEARNED;
}

void fold_save(const struct fold *f, struct store_version *ret)
{
    struct buf blob = BUF_INIT;
    struct buf schema = BUF_INIT;
    struct buf scores = BUF_INIT;
    char version[FOLD_VERSION_SIZE];

    fold_version(f, version);
    model_save(f->model, &blob);
    write_schema(f->task->features, &schema);
    scores_write(&f->scores, &scores);
    scores.len--; /* its closing brace: one more member */
    buf_text(&scores, ",\"drift\":");
    error_drift_write(&f->drift, &scores);
    buf_byte(&scores, '}');

    size_t blob_len = blob.len;
    uint64_t checksum = XXH64(buf_str(&blob), blob.len, 0);
    *ret = (struct store_version){
        .model = mem_strdup(fold_name(f)),
        .version = mem_strdup(version),
        .generation = mem_strdup(f->generation),
        .class_name = mem_strdup(model_class(f->model)),
        .parameters = mem_strdup(model_parameters(f->model)),
        .schema = buf_detach(&schema),
        .parent = mem_strdup(""),
        .scores = buf_detach(&scores),
        .bus_pos = mem_strdup(""),
        .start = f->start,
        .position = f->position,
        .learned = f->learned,
        .skipped = f->skipped,
        .blob = buf_detach(&blob),
        .blob_len = blob_len,
        .checksum = checksum,
    };
}

bool fold_same_drift(const char *scores, const char *other)
{
    struct json_value a;
    struct json_value b;

    find_drift(scores, &a);
    find_drift(other, &b);
    if (!is_same_member(&a, &b, "detector") || !is_same_member(&a, &b, "since"))
        return true;
    return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

const char *fold_name(const struct fold *f)
{
    return f->task->models[f->index].name;
}

const char *fold_generation(const struct fold *f)
{
    return f->generation;
}

uint64_t fold_start(const struct fold *f)
{
    return f->start;
}

uint64_t fold_position(const struct fold *f)
{
    return f->position;
}

uint64_t fold_learned(const struct fold *f)
{
    return f->learned;
}

uint64_t fold_skipped(const struct fold *f)
{
    return f->skipped;
}

const struct model *fold_model(const struct fold *f)
{
    return f->model;
}

double fold_predicted(const struct fold *f)
{
    return f->said.value;
}

const struct issued *fold_said(const struct fold *f)
{
    return &f->said;
}

const struct scores *fold_scores(const struct fold *f)
{
    return &f->scores;
}

const struct error_drift *fold_drift(const struct fold *f)
{
    return &f->drift;
}

void fold_version(const struct fold *f, char ret[FOLD_VERSION_SIZE])
{
    snprintf(ret, FOLD_VERSION_SIZE, "%s-%" PRIu64, f->generation, f->position);
}
