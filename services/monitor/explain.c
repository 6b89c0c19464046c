/* Why a prediction is what it is: see explain.h. */
#include "monitor/explain.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "learn/explain.h"
#include "learn/model.h"
#include "rows/row.h"
#include "store/store.h"

/* A model that was asked. */
struct kept {
    char *model; /* NULL: none */
    char *version;
    struct model *loaded;
    uint64_t asked; /* when, counted */
};

struct explainer {
    const struct task *task;
    uint64_t sql_hash;
    struct row_reader *rows;
    pthread_mutex_t lock; /* over all that follows */
    struct store *store;  /* NULL until it is needed */
    char incarnation[UUID_TEXT_LEN + 1];
    struct kept kept[EXPLAIN_MODELS];
    uint64_t asked;
};

struct explainer *explainer_new(const struct task *task, uint64_t sql_hash, struct err *err)
{
    struct row_reader_options options = {.schema = task->features, .key = task->key};
    struct row_reader *rows = row_reader_new(&options, err);

    if (!rows)
        return NULL;
    struct explainer *e = mem_zalloc(1, sizeof(*e));
    e->task = task;
    e->sql_hash = sql_hash;
    e->rows = rows;
    pthread_mutex_init(&e->lock, NULL);
    return e;
}

static void forget(struct kept *kept)
{
    free(kept->model);
    free(kept->version);
    model_free(kept->loaded);
    *kept = (struct kept){.model = NULL};
}

void explainer_free(struct explainer *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < EXPLAIN_MODELS; i++)
        forget(&e->kept[i]);
    if (e->store)
        store_close(e->store);
    row_reader_free(e->rows);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

/* ---- Models ---- */

static int open_store(struct explainer *e, const char *incarnation, struct err *err)
{
    struct store_options options = {
        .backend = e->task->store,
        .url = e->task->redis_url,
        .task = e->task->name,
        .client = "oxbow-monitor-explain",
    };

    if (!e->store)
        e->store = store_open(&options, err);
    if (!e->store)
        return err->code;
    if (strcmp(e->incarnation, incarnation) != 0) {
        /* The same version may mean other bytes in another life. */
        for (size_t i = 0; i < EXPLAIN_MODELS; i++)
            forget(&e->kept[i]);
        snprintf(e->incarnation, sizeof(e->incarnation), "%s", incarnation);
        store_bind(e->store, e->incarnation);
    }
    return 0;
}

static const struct task_model *find_model(const struct task *task, const char *name)
{
    for (size_t i = 0; i < task->n_models; i++)
        if (strcmp(task->models[i].name, name) == 0)
            return &task->models[i];
    return NULL;
}

/* The place of the model that was asked longest ago, or of none; empty then. */
static struct kept *make_room(struct explainer *e)
{
    struct kept *oldest = &e->kept[0];

    for (size_t i = 1; i < EXPLAIN_MODELS; i++)
        if (e->kept[i].asked < oldest->asked)
            oldest = &e->kept[i];
    forget(oldest);
    return oldest;
}

/* True of our own `<generation>-0`: what has learned nothing, and is made of the task file. */
static bool is_untrained(const struct explainer *e, const struct task_model *of,
                         const char *version)
{
    char generation[TASK_GENERATION_LEN + 1];

    task_generation(e->task, (size_t)(of - e->task->models), e->sql_hash, generation);
    return strncmp(version, generation, TASK_GENERATION_LEN) == 0 &&
           strcmp(version + TASK_GENERATION_LEN, "-0") == 0;
}

static struct model *load(struct explainer *e, const struct task_model *of, const char *version,
                          struct err *err)
{
    struct store_version v = {.model = NULL};
    struct model *m = NULL;
    int rc = store_version_get(e->store, of->name, version, &v, err);

    if (rc == 0)
        m = model_load(v.blob, v.blob_len, e->task->features, (size_t)e->task->max_model_bytes,
                       err);
    else if (rc == ERR_NOT_FOUND && is_untrained(e, of, version))
        m = model_new(of->pipeline, e->task->features, err);
    store_version_release(&v);
    return m;
}

/* The model of that version, loaded; it lives until the next call. */
static struct model *get(struct explainer *e, const struct task_model *of, const char *version,
                         struct err *err)
{
    struct model *m;

    for (size_t i = 0; i < EXPLAIN_MODELS; i++) {
        struct kept *kept = &e->kept[i];

        if (kept->model && strcmp(kept->model, of->name) == 0 &&
            strcmp(kept->version, version) == 0) {
            kept->asked = ++e->asked;
            return kept->loaded;
        }
    }
    m = load(e, of, version, err);
    if (!m)
        return NULL;
    *make_room(e) = (struct kept){
        .model = mem_strdup(of->name),
        .version = mem_strdup(version),
        .loaded = m,
        .asked = ++e->asked,
    };
    return m;
}

/* ---- Answers ---- */

static void write_unavailable(const struct explain_question *q, const char *reason, struct buf *out)
{
    buf_text(out, "{\"available\":false,\"model\":");
    json_write_string(out, q->model, strlen(q->model));
    buf_text(out, ",\"version\":");
    json_write_string(out, q->version, strlen(q->version));
    buf_text(out, ",\"reason\":");
    json_write_string(out, reason, strlen(reason));
    buf_byte(out, '}');
}

/* What an error of the store or of loading means to who asked: 0 when it is an answer. */
static int answer_error(const struct explain_question *q, struct err *err, struct buf *out)
{
    switch (err->code) {
    case ERR_NOT_FOUND:
        write_unavailable(q, "version expired", out);
        return 0;
    case ERR_CONFLICT:
    case ERR_UNSUPPORTED:
    case ERR_CORRUPT:
    case ERR_TOO_LARGE:
        write_unavailable(q, err->text, out);
        return 0;
    default:
        return err->code;
    }
}

static int explain(struct explainer *e, const struct task_model *of,
                   const struct explain_question *q, const double *x, struct buf *out,
                   struct err *err)
{
    struct explanation ex = EXPLANATION_INIT;
    struct model *m;

    if (open_store(e, q->incarnation, err))
        return err->code;
    m = get(e, of, q->version, err);
    if (!m || model_explain(m, x, &ex, err))
        return answer_error(q, err, out);
    explanation_write(&ex, q->model, q->version, q->served, out);
    explanation_release(&ex);
    return 0;
}

int explainer_answer(struct explainer *e, const struct explain_question *q, struct buf *out,
                     struct err *err)
{
    const struct task_model *of = find_model(e->task, q->model);
    double *x;
    int rc;

    if (!of)
        return err_set(err, ERR_NOT_FOUND, "no model is called \"%.64s\" in the task file",
                       q->model);
    x = mem_zalloc(schema_size(e->task->features), sizeof(*x));
    rc = row_reader_features(e->rows, &q->features, x, err);
    if (rc == 0) {
        pthread_mutex_lock(&e->lock);
        rc = explain(e, of, q, x, out, err);
        pthread_mutex_unlock(&e->lock);
    }
    free(x);
    return rc;
}
