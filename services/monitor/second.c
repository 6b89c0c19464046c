/* Once a second: what the heartbeats say, the verdict, and a point of the curves. Lock held. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "monitor/monitor_internal.h"

#define AWAY_MARK_MS 5000 /* a store that was away for so long is worth a mark */
#define SPEED_POINTS (sizeof(((struct monitor *)0)->event_was_ms) / sizeof(int64_t))

/* ---- Counts ---- */

/* A term of the ledger; -1 where it is not known. */
static int64_t term(const struct monitor *m, const char *name)
{
    if (!m->status.ledger_ms || views_ledger_hidden(&m->status.ledger, name))
        return -1;
    return (int64_t)views_ledger_get(&m->status.ledger, name);
}

static int64_t sum(int64_t a, int64_t b)
{
    return a < 0 || b < 0 ? -1 : a + b;
}

static int64_t difference(int64_t a, int64_t b)
{
    return a < 0 || b < 0 ? -1 : a > b ? a - b : 0;
}

static int64_t or_zero(int64_t v)
{
    return v < 0 ? 0 : v;
}

static void take_counts(struct monitor *m)
{
    struct counts *c = &m->counts;
    int64_t refused = or_zero(term(m, "requests_refused"));

    c->requests = term(m, "requests_new");
    if (c->requests < 0) /* the engine does not say: what views has published */
        c->requests = term(m, "features_last");
    c->predicted = term(m, "requests_predicted");
    c->outcomes = term(m, "outcomes_new");
    c->labelled = term(m, "outcomes_emitted");
    c->bad_labels = term(m, "outcomes_bad_label");
    c->waiting = term(m, "outcomes_waiting");
    c->expired = sum(term(m, "requests_expired"), term(m, "outcomes_expired"));
    c->dead_letters = term(m, "dead_letters");
    c->in_progress =
        difference(difference(c->requests, refused), sum(c->labelled, or_zero(c->bad_labels)));
    c->alarms = 0;
    for (size_t i = 0; i < m->beats.n_models; i++)
        c->alarms += (int64_t)m->beats.model[i].alarms;
}

static void count_rate(struct monitor *m, enum monitor_rate rate, int64_t time_ms, int64_t value)
{
    if (value >= 0 && time_ms)
        rate_add(&m->rate[rate], time_ms, (uint64_t)value);
}

static int64_t beat_time(const struct monitor *m, const char *service)
{
    int64_t newest = 0;

    for (size_t i = 0; i < m->beats.n; i++)
        if (strcmp(m->beats.beat[i].service, service) == 0 && m->beats.beat[i].time_ms > newest)
            newest = m->beats.beat[i].time_ms;
    return newest;
}

static void take_rates(struct monitor *m)
{
    count_rate(m, RATE_REQUESTS, m->status.ledger_ms, m->counts.requests);
    count_rate(m, RATE_OUTCOMES, m->status.ledger_ms, m->counts.outcomes);
    count_rate(m, RATE_LABELS, m->status.ledger_ms, m->counts.labelled);
    count_rate(m, RATE_PREDICTIONS, beat_time(m, "inference"), (int64_t)m->beats.predicted);
    count_rate(m, RATE_LEARNED, beat_time(m, "learner"), (int64_t)m->beats.position);
}

static void take_learned(struct monitor *m)
{
    struct learned *l = &m->learned;
    int64_t time_ms = beat_time(m, "learner");
    uint64_t last = l->n ? l->position[(l->n - 1) % MONITOR_LEARNED] : 0;

    if (!time_ms || (l->n && m->beats.position <= last))
        return;
    l->time_ms[l->n % MONITOR_LEARNED] = time_ms;
    l->position[l->n++ % MONITOR_LEARNED] = m->beats.position;
}

/* ---- Marks ---- */

static void on_restart(void *ctx, const struct health_service *service)
{
    struct monitor *m = ctx;
    char text[128];

    snprintf(text, sizeof(text), "%s was started again", service->beat.instance);
    struct mark mark = {
        .kind = (char[]){"restart"},
        .text = text,
        .time_ms = service->beat.started_ms,
        .event_ms = m->event_ms,
        .until_ms = TIME_UNKNOWN,
    };
    monitor_mark_locked(m, &mark);
}

/* A model that has become another since the last heartbeats: what it learned begins anew. */
static void note_generations(struct monitor *m, const struct beats *old, int64_t now_ms)
{
    for (size_t i = 0; i < m->beats.n_models; i++) {
        struct beat_model *now = &m->beats.model[i];
        const struct beat_model *was = beats_model(old, now->name);
        char text[200];

        if (!was || !was->generation[0] || !now->generation[0] ||
            strcmp(was->generation, now->generation) == 0)
            continue;
        snprintf(text, sizeof(text), "%s was changed: generation %.16s learns from now on",
                 now->name, now->generation);
        struct mark mark = {
            .kind = (char[]){"generation"},
            .model = now->name,
            .text = text,
            .time_ms = now_ms,
            .event_ms = m->event_ms,
            .until_ms = TIME_UNKNOWN,
        };
        monitor_mark_locked(m, &mark);
    }
}

/* The learner's generations stay known while it is away, so that a change over its restart shows.
 */
static void remember_models(struct beats *beats, const struct beats *old)
{
    for (size_t i = 0; i < old->n_models; i++) {
        const struct beat_model *was = &old->model[i];
        const struct beat_model *now = beats_model(beats, was->name);

        if (!now && beats->n_models < STATUS_MAX_MODELS)
            beats->model[beats->n_models++] = *was;
        else if (now && !now->generation[0])
            memcpy(beats->model[now - beats->model].generation, was->generation,
                   sizeof(was->generation));
    }
}

static void note_away(struct monitor *m, bool away, int64_t now_ms)
{
    if (away && !m->store_away) {
        m->away_since_ms = now_ms;
    } else if (!away && m->store_away && m->incarnation[0] &&
               now_ms - m->away_since_ms >= AWAY_MARK_MS) {
        char text[100];

        snprintf(text, sizeof(text), "Redis was away for %lld s",
                 (long long)((now_ms - m->away_since_ms) / 1000));
        struct mark mark = {
            .kind = (char[]){"outage"},
            .text = text,
            .time_ms = m->away_since_ms,
            .event_ms = TIME_UNKNOWN,
            .until_ms = now_ms,
        };
        monitor_mark_locked(m, &mark);
    }
    m->store_away = away;
}

/* ---- Checks ---- */

static void check_service(struct monitor *m, enum monitor_check check, const char *service,
                          int64_t now_ms)
{
    bool up = health_is_up(&m->health, service, now_ms);

    m->check[check].ok = up;
    snprintf(m->check[check].detail, sizeof(m->check[check].detail),
             up ? "oxbow-%s is running" : "no heartbeat of oxbow-%s: start it", service);
}

static void take_checks(struct monitor *m, int64_t now_ms)
{
    if (m->check[MONITOR_CHECK_STORE].ok) {
        if (m->incarnation[0] || !m->check[MONITOR_CHECK_VIEWS].detail[0])
            check_service(m, MONITOR_CHECK_VIEWS, "views", now_ms);
        check_service(m, MONITOR_CHECK_INFERENCE, "inference", now_ms);
        check_service(m, MONITOR_CHECK_LEARNER, "learner", now_ms);
    }
    bool any = m->counts.requests > 0;
    m->check[MONITOR_CHECK_REQUEST].ok = any;
    if (any)
        snprintf(m->check[MONITOR_CHECK_REQUEST].detail, MONITOR_CHECK_TEXT, "%lld so far",
                 (long long)m->counts.requests);
    else
        snprintf(m->check[MONITOR_CHECK_REQUEST].detail, MONITOR_CHECK_TEXT,
                 "nothing on topic %s yet", m->task->topics.requests);
    bool ready = true;
    for (int i = 0; i < MONITOR_N_CHECKS; i++)
        ready = ready && m->check[i].ok;
    m->was_ready = m->was_ready || ready;
}

/* ---- All of the heartbeats ---- */

void monitor_take_beats(struct monitor *m, const char *text, size_t len, int64_t now_ms)
{
    struct beats *old = mem_alloc(sizeof(*old));
    struct status *status = mem_alloc(sizeof(*status));

    note_away(m, !text, now_ms);
    *old = m->beats;
    if (text && status_parse(text, len, status, &m->lag, NULL) == 0 &&
        beats_parse(text, len, &m->beats, NULL) == 0) {
        /* What views and the learner said last stays until they say more. */
        if (!status->ledger_ms) {
            status->ledger = m->status.ledger;
            status->ledger_ms = m->status.ledger_ms;
        }
        if (!status->n_models) {
            memcpy(status->model, m->status.model, sizeof(status->model));
            status->n_models = m->status.n_models;
        }
        m->status = *status;
        remember_models(&m->beats, old);
        health_update(&m->health, &m->beats, now_ms, on_restart, m);
        note_generations(m, old, now_ms);
        take_counts(m);
        take_rates(m);
        take_learned(m);
    }
    take_checks(m, now_ms);
    free(old);
    free(status);
}

/* ---- The verdict ---- */

void monitor_judge(struct monitor *m)
{
    size_t n = m->task->n_models;
    struct verdict_model *models = mem_zalloc(n + 1, sizeof(*models));
    bool is_binary = m->task->is_binary;
    struct verdict_words words = {
        .noun = m->task->monitor.noun,
        .unit = is_binary ? NULL : m->task->monitor.unit,
        .is_classes = is_binary,
    };

    for (size_t i = 0; i < n; i++) {
        models[i].name = m->task->models[i].name;
        models[i].is_baseline = i == monitor_baseline(m);
        errors_score(m->errors, i, &models[i].score);
        m->pr_auc[i] = errors_pr_auc(m->errors, i);
    }
    buf_clear(&m->verdict_text);
    m->verdict = verdict_make(models, n, &words, &m->verdict_text);
    free(models);
}

/* ---- The stream's clock ---- */

static void take_speed(struct monitor *m, int64_t now_ms)
{
    size_t last = SPEED_POINTS - 1;

    memmove(m->event_was_ms, m->event_was_ms + 1, last * sizeof(int64_t));
    memmove(m->event_seen_ms, m->event_seen_ms + 1, last * sizeof(int64_t));
    m->event_was_ms[last] = m->event_ms;
    m->event_seen_ms[last] = now_ms;
    if (!isnan(m->beats.speed) && m->beats.n) {
        m->speed = m->beats.speed;
        return;
    }
    size_t first = 0;
    while (first < last && m->event_was_ms[first] == TIME_UNKNOWN)
        first++;
    double span = (double)(now_ms - m->event_seen_ms[first]);
    double events = (double)m->event_ms - (double)m->event_was_ms[first];
    m->speed = m->event_ms != TIME_UNKNOWN && span > 0 && events >= 0 ? events / span : (double)NAN;
}

/* ---- Curves ---- */

/* The values of one point, by series. */
struct point {
    struct monitor *m;
    float *value;
    size_t n;
};

static void set(struct point *p, double v, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void set(struct point *p, double v, const char *fmt, ...)
{
    char name[160];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(name, sizeof(name), fmt, ap);
    va_end(ap);
    int series = curves_series(p->m->curves, name);
    if (series < 0)
        return;
    for (; p->n <= (size_t)series; p->n++)
        p->value[p->n] = NAN;
    p->value[series] = (float)v;
}

static void set_models(struct point *p)
{
    const struct monitor *m = p->m;
    struct errors_score baseline, score;

    errors_score(m->errors, monitor_baseline(m), &baseline);
    for (size_t i = 0; i < m->task->n_models; i++) {
        const char *name = m->task->models[i].name;

        errors_score(m->errors, i, &score);
        set(p, score.loss, "%s.%s", monitor_metric(m), name);
        if (i != monitor_baseline(m))
            set(p, 1 - score.loss / baseline.loss, "skill.%s", name);
        if (m->task->is_binary)
            set(p, m->pr_auc[i], "pr_auc.%s", name);
    }
}

void monitor_point(struct monitor *m, int64_t now_ms, curves_keep_fn keep, void *ctx)
{
    static const char *const rates[MONITOR_N_RATES] = {[RATE_REQUESTS] = "rate.requests",
                                                       [RATE_PREDICTIONS] = "rate.predictions",
                                                       [RATE_OUTCOMES] = "rate.outcomes",
                                                       [RATE_LABELS] = "rate.labels",
                                                       [RATE_LEARNED] = "rate.learned"};
    struct point p = {.m = m, .value = mem_alloc(CURVES_MAX_SERIES * sizeof(float))};

    take_speed(m, now_ms);
    set_models(&p);
    set(&p, status_lag_ms(&m->lag, 50), "lag.p50");
    set(&p, status_lag_ms(&m->lag, 95), "lag.p95");
    set(&p, status_lag_ms(&m->lag, 99), "lag.p99");
    for (int i = 0; i < MONITOR_N_RATES; i++)
        set(&p, rate_per_second(&m->rate[i], now_ms), "%s", rates[i]);
    set(&p, m->counts.in_progress < 0 ? (double)NAN : (double)m->counts.in_progress, "in_progress");
    set(&p, m->counts.waiting < 0 ? (double)NAN : (double)m->counts.waiting, "waiting");
    set(&p, (double)m->status.backlog, "backlog");
    for (size_t i = 0; i < m->health.n; i++) {
        const struct health_service *s = &m->health.service[i];

        if (health_state(s, now_ms) <= HEALTH_RESTARTED) {
            set(&p, (double)s->beat.rss_bytes, "rss.%s", s->beat.instance);
            set(&p, rate_per_second(&s->rate, now_ms), "rate.%s", s->beat.instance);
        }
    }
    curves_add(m->curves, now_ms - now_ms % 1000, m->event_ms, p.value, p.n, keep, ctx);
    free(p.value);
}
