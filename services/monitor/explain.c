/* Why a prediction is what it is: see explain.h. */
#include "monitor/explain.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "learn/explain.h"
#include "learn/model.h"
#include "rows/row.h"
#include "store/store.h"

#define WAIT_S  1    /* for another one's question to the store */
#define AWAY_MS 2000 /* between two questions to a store that fails */

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

    pthread_mutex_t store_lock; /* over these; taken before the other one */
    struct store *store;        /* NULL until it is needed */
    char bound[UUID_TEXT_LEN + 1];
    int64_t away_until_ms; /* monotonic; it has just failed, and is not asked before */

    pthread_mutex_t lock; /* over these: held for a moment, never while the store is asked */
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
    pthread_mutex_init(&e->store_lock, NULL);
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
    pthread_mutex_destroy(&e->store_lock);
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
    if (strcmp(e->bound, incarnation) != 0) {
        snprintf(e->bound, sizeof(e->bound), "%s", incarnation);
        store_bind(e->store, e->bound);
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

/* Asks the store, whose lock is held. */
static struct model *load(struct explainer *e, const struct task_model *of,
                          const struct explain_question *q, struct err *err)
{
    struct store_version v = {.model = NULL};
    struct model *m = NULL;
    int rc = open_store(e, q->incarnation, err);

    if (rc == 0)
        rc = store_version_get(e->store, of->name, q->version, &v, err);
    if (rc == 0)
        m = model_load(v.blob, v.blob_len, e->task->features, (size_t)e->task->max_model_bytes,
                       err);
    else if (rc == ERR_NOT_FOUND && is_untrained(e, of, q->version))
        m = model_new(of->pipeline, e->task->features, err);
    else if (err->retriable)
        e->away_until_ms = clock_mono_ms() + AWAY_MS;
    store_version_release(&v);
    return m;
}

/* The same, unless others wait for a store that does not answer. */
static struct model *fetch(struct explainer *e, const struct task_model *of,
                           const struct explain_question *q, struct err *err)
{
    struct timespec until;
    struct model *m = NULL;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    if (pthread_mutex_timedlock(&e->store_lock, &until) != 0) {
        err_set_retriable(err, ERR_TIMEOUT, "the store takes long to answer; ask again");
        return NULL;
    }
    if (clock_mono_ms() < e->away_until_ms)
        err_set_retriable(err, ERR_TIMEOUT, "the store is away; ask again");
    else
        m = load(e, of, q, err);
    pthread_mutex_unlock(&e->store_lock);
    return m;
}

/* The model that was asked, when it is kept. */
static struct model *find_kept(struct explainer *e, const struct explain_question *q)
{
    for (size_t i = 0; i < EXPLAIN_MODELS; i++) {
        struct kept *kept = &e->kept[i];

        if (kept->model && strcmp(kept->model, q->model) == 0 &&
            strcmp(kept->version, q->version) == 0) {
            kept->asked = ++e->asked;
            return kept->loaded;
        }
    }
    return NULL;
}

/* Takes `m`. Two may have fetched the same one: the first stays. */
static struct model *keep(struct explainer *e, const struct explain_question *q, struct model *m)
{
    struct model *first = find_kept(e, q);

    if (first) {
        model_free(m);
        return first;
    }
    *make_room(e) = (struct kept){
        .model = mem_strdup(q->model),
        .version = mem_strdup(q->version),
        .loaded = m,
        .asked = ++e->asked,
    };
    return m;
}

/* The same version may mean other bytes in another life of the task. */
static void follow(struct explainer *e, const char *incarnation)
{
    if (strcmp(e->incarnation, incarnation) == 0)
        return;
    for (size_t i = 0; i < EXPLAIN_MODELS; i++)
        forget(&e->kept[i]);
    snprintf(e->incarnation, sizeof(e->incarnation), "%s", incarnation);
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

/* With the lock held. */
static int explain(const struct model *m, const struct explain_question *q, const double *x,
                   struct buf *out, struct err *err)
{
    struct explanation ex = EXPLANATION_INIT;

    if (model_explain(m, x, &ex, err))
        return answer_error(q, err, out);
    explanation_write(&ex, q->model, q->version, q->served, out);
    explanation_release(&ex);
    return 0;
}

/* The model that was asked, with the lock held; NULL, and without it, when it is not to be had. */
static struct model *hold(struct explainer *e, const struct task_model *of,
                          const struct explain_question *q, struct err *err)
{
    struct model *m;

    pthread_mutex_lock(&e->lock);
    follow(e, q->incarnation);
    m = find_kept(e, q);
    if (m)
        return m;
    pthread_mutex_unlock(&e->lock);
    m = fetch(e, of, q, err);
    if (!m)
        return NULL;
    pthread_mutex_lock(&e->lock);
    follow(e, q->incarnation);
    return keep(e, q, m);
}

static int answer(struct explainer *e, const struct task_model *of,
                  const struct explain_question *q, const double *x, struct buf *out,
                  struct err *err)
{
    const struct model *m = hold(e, of, q, err);

    if (!m)
        return answer_error(q, err, out);
    int rc = explain(m, q, x, out, err);
    pthread_mutex_unlock(&e->lock);
    return rc;
}

int explainer_inspect(struct explainer *e, const char *incarnation, const char *model,
                      const char *version, struct buf *out, struct err *err)
{
    struct explain_question q = {.incarnation = incarnation, .model = model, .version = version};
    const struct task_model *of = find_model(e->task, model);

    if (!of)
        return err_set(err, ERR_NOT_FOUND, "no model is called \"%.64s\" in the task file", model);
    const struct model *m = hold(e, of, &q, err);
    if (!m)
        return err->code;
    model_inspect(m, out);
    pthread_mutex_unlock(&e->lock);
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
    if (rc == 0)
        rc = answer(e, of, q, x, out, err);
    free(x);
    return rc;
}
