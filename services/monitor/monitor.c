/* The monitor's state: its lock, its lifecycle, and what others tell it. */
#include "monitor/monitor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "monitor/monitor_internal.h"

#define OUTAGE_MS    10000 /* without a point: an outage worth a mark */
#define ERRORS_SAVED 1000  /* labelled rows that are kept over a restart */

const char *monitor_topic(const struct task *task, enum monitor_topic topic)
{
    const char *const names[MONITOR_N_TOPICS] = {
        [MONITOR_REQUESTS] = task->topics.requests,
        [MONITOR_OUTCOMES] = task->topics.outcomes,
        [MONITOR_PREDICTIONS] = task->topics.predictions,
        [MONITOR_ROWS] = task->topics.learning_queue,
        [MONITOR_DEAD] = task->topics.dead_letters,
        [MONITOR_ALARMS] = task->topics.drift_alarms,
    };

    return names[topic];
}

/* ---- Lifecycle ---- */

static struct row_reader *new_reader(const struct task *task, struct err *err)
{
    const char **models = mem_zalloc(task->n_models + 1, sizeof(*models));

    for (size_t i = 0; i < task->n_models; i++)
        models[i] = task->models[i].name;
    struct row_reader_options options = {
        .schema = task->features,
        .key = task->key,
        .label = task->label,
        .models = models,
        .n_models = task->n_models,
        .positive = task_positive(task),
    };
    struct row_reader *reader = row_reader_new(&options, err);
    free(models);
    return reader;
}

static void find_features(struct monitor *m)
{
    const struct task *task = m->task;
    const char *size = task->monitor.size;

    m->size_feature = size ? schema_find(task->features, size, strlen(size)) : -1;
    for (size_t i = 0; i < schema_size(task->features) && m->n_slices < ERRORS_SLICES_MAX; i++) {
        if (schema_kind(task->features, i) == FEATURE_NUMERIC)
            continue;
        m->slice[m->n_slices] = i;
        m->slice_name[m->n_slices++] = schema_name(task->features, i);
    }
}

/* What nobody has said yet. */
static void begin_unknown(struct monitor *m)
{
    for (size_t i = 0; i < sizeof(m->event_was_ms) / sizeof(m->event_was_ms[0]); i++)
        m->event_was_ms[i] = TIME_UNKNOWN;
    m->event_ms = TIME_UNKNOWN;
    m->speed = (double)NAN;
    for (size_t i = 0; i < m->task->n_models; i++)
        m->pr_auc[i] = (double)NAN;
    m->counts = (struct counts){-1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    snprintf(m->audit.state, sizeof(m->audit.state), "never");
    snprintf(m->audit.text, sizeof(m->audit.text), "not audited yet");
    m->audit.time_ms = TIME_UNKNOWN;
    buf_clear(&m->audit.json);
}

struct monitor *monitor_new(const struct task *task, int64_t started_ms, struct err *err)
{
    struct row_reader *rows = new_reader(task, err);

    if (!rows)
        return NULL;
    struct monitor *m = mem_zalloc(1, sizeof(*m));
    m->task = task;
    m->started_ms = started_ms;
    m->rows = rows;
    pthread_mutex_init(&m->lock, NULL);
    m->requests = requests_new();
    if (task->is_binary)
        m->errors = errors_new_classes(task->n_models, (size_t)task->score_window, task->threshold);
    else
        m->errors = errors_new(task->n_models, (size_t)task->score_window);
    cohorts_init(&m->cohorts, task->n_models);
    m->watch = watch_new(task);
    m->curves = curves_new();
    m->versions = mem_zalloc(task->n_models + 1, sizeof(*m->versions));
    m->x = mem_zalloc(schema_size(task->features) + 1, sizeof(*m->x));
    m->served = mem_zalloc(task->n_models + 1, sizeof(*m->served));
    m->said = mem_zalloc(task->n_models + 1, sizeof(*m->said));
    m->cover = mem_zalloc(task->n_models + 1, sizeof(*m->cover));
    m->error = mem_zalloc(task->n_models + 1, sizeof(*m->error));
    m->loss = mem_zalloc(task->n_models + 1, sizeof(*m->loss));
    m->pr_auc = mem_zalloc(task->n_models + 1, sizeof(*m->pr_auc));
    find_features(m);
    begin_unknown(m);
    return m;
}

static void versions_release(struct monitor_versions_of *of)
{
    for (size_t i = 0; i < of->n; i++) {
        free(of->line[i].version);
        free(of->line[i].json);
    }
    free(of->line);
    *of = (struct monitor_versions_of){.n = 0};
}

static void versions_clear(struct monitor *m)
{
    for (size_t i = 0; i < m->task->n_models; i++)
        versions_release(&m->versions[i]);
}

void monitor_free(struct monitor *m)
{
    if (!m)
        return;
    versions_clear(m);
    for (size_t i = 0; i < MONITOR_LATEST; i++)
        latest_release(&m->latest[i]);
    moves_clear(&m->started);
    moves_clear(&m->ended);
    row_reader_free(m->rows);
    requests_free(m->requests);
    errors_free(m->errors);
    watch_free(m->watch);
    cohorts_release(&m->cohorts);
    dead_clear(&m->dead);
    marks_release(&m->marks);
    curves_free(m->curves);
    buf_release(&m->verdict_text);
    buf_release(&m->audit.json);
    free(m->versions);
    free(m->x);
    free(m->served);
    free(m->said);
    free(m->cover);
    free(m->error);
    free(m->loss);
    free(m->pr_auc);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static void forget(struct monitor *m)
{
    versions_clear(m);
    for (size_t i = 0; i < MONITOR_LATEST; i++)
        latest_release(&m->latest[i]);
    m->n_latest = m->latest_told = 0;
    moves_clear(&m->started);
    moves_clear(&m->ended);
    requests_clear(m->requests);
    errors_clear(m->errors);
    watch_clear(m->watch);
    cohorts_clear(&m->cohorts);
    dead_clear(&m->dead);
    m->places = (struct places){.n = 0};
    m->status = (struct status){.n_services = 0};
    m->lag = (struct status_lag){.n_sources = 0};
    m->beats = (struct beats){.n = 0};
    memset(m->rate, 0, sizeof(m->rate));
    m->learned.n = 0;
    memset(m->looked, 0, sizeof(m->looked));
    m->was_ready = false;
    begin_unknown(m);
}

void monitor_begin(struct monitor *m, const char *incarnation, int64_t now_ms)
{
    pthread_mutex_lock(&m->lock);
    if (m->incarnation[0] && strcmp(m->incarnation, incarnation) != 0) {
        struct mark mark = {
            .kind = (char[]){"config"},
            .text = (char[]){"begun anew (--fresh): what was seen and learned before is forgotten"},
            .time_ms = now_ms,
            .event_ms = TIME_UNKNOWN,
            .until_ms = TIME_UNKNOWN,
        };
        forget(m);
        marks_add(&m->marks, &mark);
    }
    snprintf(m->incarnation, sizeof(m->incarnation), "%s", incarnation);
    pthread_mutex_unlock(&m->lock);
}

void monitor_incarnation(struct monitor *m, char ret[UUID_TEXT_LEN + 1])
{
    pthread_mutex_lock(&m->lock);
    memcpy(ret, m->incarnation, UUID_TEXT_LEN + 1);
    pthread_mutex_unlock(&m->lock);
}

/* ---- What comes in ---- */

void monitor_messages(struct monitor *m, const struct bus_msg *msgs, size_t n, int64_t now_ms)
{
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < n; i++)
        monitor_intake(m, &msgs[i], now_ms);
    pthread_mutex_unlock(&m->lock);
}

void monitor_looked(struct monitor *m, enum monitor_topic topic, uint64_t looked, uint64_t skipped)
{
    pthread_mutex_lock(&m->lock);
    m->looked[topic].looked[0] += looked;
    m->looked[topic].skipped[0] += skipped;
    pthread_mutex_unlock(&m->lock);
}

void monitor_check(struct monitor *m, enum monitor_check check, bool ok, const char *detail)
{
    pthread_mutex_lock(&m->lock);
    m->check[check].ok = ok;
    snprintf(m->check[check].detail, sizeof(m->check[check].detail), "%s", detail);
    pthread_mutex_unlock(&m->lock);
}

void monitor_audit(struct monitor *m, const char *state, const char *words, const char *json,
                   int64_t time_ms)
{
    pthread_mutex_lock(&m->lock);
    snprintf(m->audit.state, sizeof(m->audit.state), "%s", state);
    snprintf(m->audit.text, sizeof(m->audit.text), "%s", words);
    buf_clear(&m->audit.json);
    buf_text(&m->audit.json, json);
    m->audit.time_ms = time_ms;
    pthread_mutex_unlock(&m->lock);
}

/* ---- Versions ---- */

bool monitor_wants_versions(struct monitor *m, size_t model)
{
    pthread_mutex_lock(&m->lock);
    const struct status_model *status = monitor_model_status(m, model);
    bool wants =
        status && status->version[0] && strcmp(status->version, m->versions[model].newest) != 0;
    pthread_mutex_unlock(&m->lock);
    return wants;
}

/* A score of the version's own, or null. */
static void put_score(struct buf *out, const struct json_value *scores, const char *name)
{
    struct json_value v;
    double n;

    text_put_number(out, name, json_get(scores, name, &v) && json_number(&v, &n) ? n : (double)NAN);
}

/* The object of one version, without its closing brace. */
static char *write_version(const struct store_version *v, bool is_binary)
{
    struct json_value scores = {JSON_NULL, NULL, 0};
    struct buf out = BUF_INIT;

    if (v->scores && json_parse(v->scores, strlen(v->scores), &scores, NULL) != 0)
        scores.type = JSON_NULL;
    buf_byte(&out, '{');
    text_put_string(&out, "version", v->version);
    text_put_string(&out, "generation", v->generation);
    text_put_string(&out, "class", v->class_name);
    text_put_time(&out, "time_ms", v->time_ms);
    text_put_count(&out, "learned", v->learned);
    text_put_count(&out, "position", v->position);
    text_put_string(&out, "parent", v->parent);
    text_put_count(&out, "bytes", v->blob_len);
    if (is_binary) {
        put_score(&out, &scores, "log_loss");
        put_score(&out, &scores, "log_loss_served");
    } else {
        put_score(&out, &scores, "mae");
        put_score(&out, &scores, "mae_window");
        put_score(&out, &scores, "mae_served");
    }
    return buf_detach(&out);
}

void monitor_versions(struct monitor *m, size_t model, const struct store_version *versions,
                      size_t n)
{
    struct monitor_versions_of of = {.line = mem_zalloc(n + 1, sizeof(*of.line)), .n = n};
    const struct store_version *newest = NULL;

    for (size_t i = 0; i < n; i++) {
        const struct store_version *v = &versions[n - 1 - i];

        of.line[i].version = mem_strdup(v->version);
        of.line[i].json = write_version(v, m->task->is_binary);
        if (!newest || v->time_ms > newest->time_ms)
            newest = v;
    }
    pthread_mutex_lock(&m->lock);
    const struct status_model *status = monitor_model_status(m, model);
    for (size_t i = 0; status && i < n; i++)
        if (strcmp(versions[i].version, status->version) == 0)
            newest = &versions[i];
    if (newest) {
        snprintf(of.newest, sizeof(of.newest), "%s", newest->version);
        of.bytes = newest->blob_len;
        of.published_ms = newest->time_ms;
    }
    versions_release(&m->versions[model]);
    m->versions[model] = of;
    pthread_mutex_unlock(&m->lock);
}

/* ---- Marks ---- */

bool monitor_mark_locked(struct monitor *m, const struct mark *mark)
{
    return marks_add(&m->marks, mark);
}

bool monitor_mark(struct monitor *m, const struct mark *mark)
{
    pthread_mutex_lock(&m->lock);
    bool is_new = monitor_mark_locked(m, mark);
    pthread_mutex_unlock(&m->lock);
    return is_new;
}

uint64_t monitor_new_marks(struct monitor *m, uint64_t from, struct buf *ret)
{
    pthread_mutex_lock(&m->lock);
    uint64_t first = marks_first(&m->marks);
    uint64_t next = m->marks.n;
    for (uint64_t i = from > first ? from : first; i < next; i++) {
        struct buf one = BUF_INIT;

        marks_write(marks_get(&m->marks, i), &one);
        buf_append(ret, buf_str(&one), one.len);
        buf_byte(ret, '\n');
        buf_release(&one);
    }
    pthread_mutex_unlock(&m->lock);
    return next;
}

/* ---- Keeping ---- */

void monitor_restore_point(struct monitor *m, const struct curves_point *point)
{
    pthread_mutex_lock(&m->lock);
    curves_restore(m->curves, point);
    pthread_mutex_unlock(&m->lock);
}

int monitor_series(struct monitor *m, const char *name)
{
    pthread_mutex_lock(&m->lock);
    int series = curves_series(m->curves, name);
    pthread_mutex_unlock(&m->lock);
    return series;
}

const char *monitor_series_name(struct monitor *m, size_t series)
{
    pthread_mutex_lock(&m->lock);
    const char *name = series < curves_n_series(m->curves) ? curves_name(m->curves, series) : NULL;
    pthread_mutex_unlock(&m->lock);
    return name;
}

void monitor_resume(struct monitor *m, int64_t now_ms)
{
    pthread_mutex_lock(&m->lock);
    int64_t newest = curves_newest(m->curves, 0);
    m->marks_told = m->marks.n; /* those that were kept are no news */
    if (newest != TIME_UNKNOWN && now_ms - newest >= OUTAGE_MS) {
        struct mark mark = {
            .kind = (char[]){"outage"},
            .text = (char[]){"nobody looked: the monitor was not running"},
            .time_ms = newest,
            .event_ms = TIME_UNKNOWN,
            .until_ms = now_ms,
        };
        marks_add(&m->marks, &mark);
    }
    pthread_mutex_unlock(&m->lock);
}

void monitor_save_places(struct monitor *m, struct buf *ret)
{
    pthread_mutex_lock(&m->lock);
    places_save(&m->places, ret);
    pthread_mutex_unlock(&m->lock);
}

void monitor_restore_places(struct monitor *m, const void *data, size_t len)
{
    struct places loaded = {.n = 0};

    if (!places_load(&loaded, data, len))
        return; /* of another release: the map begins anew */
    pthread_mutex_lock(&m->lock);
    m->places = loaded;
    pthread_mutex_unlock(&m->lock);
}

/* What saved errors are of: their form, the names of the models, in order; with two classes the
 * positive one before them. */
static void write_owners(const struct monitor *m, struct buf *out)
{
    buf_text(out, "with cover\n");
    if (m->task->is_binary) {
        buf_text(out, "positive ");
        monitor_write_positive(m, out);
        buf_byte(out, '\n');
    }
    for (size_t i = 0; i < m->task->n_models; i++)
        buf_printf(out, "%s\n", m->task->models[i].name);
    for (size_t i = 0; i < m->n_slices; i++)
        buf_printf(out, "%s,", m->slice_name[i]);
    buf_byte(out, '\0');
}

void monitor_save_errors(struct monitor *m, struct buf *ret)
{
    pthread_mutex_lock(&m->lock);
    write_owners(m, ret);
    errors_save(m->errors, ERRORS_SAVED, ret);
    pthread_mutex_unlock(&m->lock);
}

void monitor_restore_errors(struct monitor *m, const void *data, size_t len)
{
    struct buf owners = BUF_INIT;

    write_owners(m, &owners);
    if (len >= owners.len && memcmp(data, owners.data, owners.len) == 0) {
        pthread_mutex_lock(&m->lock);
        if (errors_load(m->errors, (const char *)data + owners.len, len - owners.len))
            monitor_judge(m);
        pthread_mutex_unlock(&m->lock);
    }
    buf_release(&owners);
}

/* ---- Models ---- */

size_t monitor_model_index(const struct monitor *m, const char *name)
{
    size_t i = 0;

    while (i < m->task->n_models && strcmp(m->task->models[i].name, name) != 0)
        i++;
    return i;
}

const struct status_model *monitor_model_status(const struct monitor *m, size_t model)
{
    for (size_t i = 0; i < m->status.n_models; i++)
        if (strcmp(m->status.model[i].name, m->task->models[model].name) == 0)
            return &m->status.model[i];
    return NULL;
}

int64_t monitor_learned_at(const struct monitor *m, uint64_t seq)
{
    const struct learned *l = &m->learned;
    uint64_t first = l->n > MONITOR_LEARNED ? l->n - MONITOR_LEARNED : 0;

    if (!seq || l->n == 0 || l->position[(l->n - 1) % MONITOR_LEARNED] < seq)
        return TIME_UNKNOWN;
    /* What was learned before we looked has no time. */
    if (l->position[first % MONITOR_LEARNED] >= seq)
        return TIME_UNKNOWN;
    for (uint64_t i = first; i < l->n; i++)
        if (l->position[i % MONITOR_LEARNED] >= seq)
            return l->time_ms[i % MONITOR_LEARNED];
    return TIME_UNKNOWN;
}

size_t monitor_baseline(const struct monitor *m)
{
    return monitor_model_index(m, TASK_BASELINE);
}

size_t monitor_best(const struct monitor *m)
{
    return m->verdict_text.len && m->verdict.model < m->task->n_models ? m->verdict.model : 0;
}

const char *monitor_metric(const struct monitor *m)
{
    return m->task->is_binary ? "log_loss" : "mae";
}

double monitor_all_rows(const struct monitor *m, size_t model)
{
    const struct status_model *status = monitor_model_status(m, model);

    if (!status)
        return (double)NAN;
    return m->task->is_binary ? status->log_loss : status->mae;
}

double monitor_all_served(const struct monitor *m, size_t model)
{
    const struct status_model *status = monitor_model_status(m, model);

    if (!status)
        return (double)NAN;
    return m->task->is_binary ? status->log_loss_served : status->mae_served;
}

bool monitor_moves(const struct monitor *m)
{
    return m->task->monitor.map_moves && !m->task->is_binary;
}

/* ---- The second ---- */

static void next_looked(struct monitor *m)
{
    /* Two spans of five seconds, so that the part is of the last five to ten. */
    if (m->tick_id % 5)
        return;
    for (int i = 0; i < MONITOR_N_TOPICS; i++) {
        struct looked *l = &m->looked[i];

        l->looked[1] = l->looked[0];
        l->skipped[1] = l->skipped[0];
        l->looked[0] = l->skipped[0] = 0;
    }
}

void monitor_second(struct monitor *m, const char *beats, size_t len, int64_t now_ms,
                    curves_keep_fn keep, void *ctx, uint64_t *ret_id, struct buf *ret_tick)
{
    pthread_mutex_lock(&m->lock);
    uint64_t second = (uint64_t)(now_ms / 1000);
    m->tick_id = second > m->tick_id ? second : m->tick_id + 1;
    m->tick_ms = now_ms;
    monitor_take_beats(m, beats, len, now_ms);
    monitor_judge(m);
    monitor_point(m, now_ms, keep, ctx);
    monitor_write_tick(m, MONITOR_TICK_BYTES, ret_tick);
    moves_clear(&m->started);
    moves_clear(&m->ended);
    next_looked(m);
    *ret_id = m->tick_id;
    pthread_mutex_unlock(&m->lock);
}
