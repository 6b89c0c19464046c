/* The tick of a second as JSON, within its limit. The lock is held. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "monitor/monitor_internal.h"

#define EMPTY_ROWS 100 /* labels below which the state is "few" */

/* Bytes that the lists may have reached, one after the other, when a tick has a limit. */
#define SHARE_MODELS   0.55
#define SHARE_SERVICES 0.70
#define SHARE_MARKS    0.80
#define SHARE_MOVES    0.92

/* ---- Lists that are cut ---- */

/* Writes element `i`; false when there is none. */
typedef void (*element_fn)(const struct monitor *m, size_t i, struct buf *out);

static void cut(struct buf *out, size_t len)
{
    out->len = len;
    out->data[len] = '\0';
}

/* Elements `from`, `from` + 1, ... around `n`, as long as `limit` holds (0: all). Returns how many
 * were written. */
static size_t write_some(const struct monitor *m, size_t from, size_t n, element_fn element,
                         size_t limit, struct buf *out)
{
    size_t done = 0;

    buf_byte(out, '[');
    for (; done < n; done++) {
        size_t len = out->len;

        text_next(out);
        element(m, (from + done) % n, out);
        if (limit && out->len + 2 > limit) {
            cut(out, len);
            break;
        }
    }
    buf_byte(out, ']');
    return done;
}

static size_t share(size_t limit, double part)
{
    return limit ? (size_t)((double)limit * part) : 0;
}

/* ---- Parts ---- */

const char *monitor_state(const struct monitor *m)
{
    struct errors_score score;

    if (!m->was_ready)
        return "starting";
    errors_score(m->errors, monitor_baseline(m), &score);
    if (score.n >= EMPTY_ROWS)
        return "running";
    return score.n || m->counts.labelled > 0 ? "few" : "empty";
}

/* While there is no label yet: when the first of those under way should have arrived. */
static int64_t first_label(const struct monitor *m)
{
    int64_t first = TIME_UNKNOWN;

    if (!monitor_moves(m) || isnan(m->speed) || m->speed <= 0 ||
        strcmp(monitor_state(m), "empty") != 0)
        return first;
    for (size_t i = 0; i < MONITOR_MOVING; i++) {
        const struct request *req = requests_newest(m->requests, i);

        if (!req)
            break;
        if (!(req->predicted > 0) || req->requested_ms == TIME_UNKNOWN)
            continue;
        int64_t at = req->requested_ms + (int64_t)(req->predicted * 1000 / m->speed);
        if (first == TIME_UNKNOWN || at < first)
            first = at;
    }
    return first;
}

static void put_count(struct buf *out, const char *name, int64_t v)
{
    text_put_name(out, name);
    if (v < 0)
        buf_text(out, "null");
    else
        json_write_int(out, v);
}

static void write_counts(const struct counts *c, struct buf *out)
{
    text_put_name(out, "counts");
    buf_byte(out, '{');
    put_count(out, "requests", c->requests);
    put_count(out, "predicted", c->predicted);
    put_count(out, "outcomes", c->outcomes);
    put_count(out, "labelled", c->labelled);
    put_count(out, "in_progress", c->in_progress);
    put_count(out, "waiting", c->waiting);
    put_count(out, "expired", c->expired);
    put_count(out, "bad_labels", c->bad_labels);
    put_count(out, "dead_letters", c->dead_letters);
    put_count(out, "alarms", c->alarms);
    buf_byte(out, '}');
}

static void write_rates(const struct monitor *m, struct buf *out)
{
    static const char *const names[MONITOR_N_RATES] = {[RATE_REQUESTS] = "requests",
                                                       [RATE_PREDICTIONS] = "predictions",
                                                       [RATE_OUTCOMES] = "outcomes",
                                                       [RATE_LABELS] = "labels",
                                                       [RATE_LEARNED] = "learned"};

    text_put_name(out, "rates");
    buf_byte(out, '{');
    for (int i = 0; i < MONITOR_N_RATES; i++)
        text_put_number(out, names[i], rate_per_second(&m->rate[i], m->tick_ms));
    buf_byte(out, '}');
    text_put_name(out, "lag_ms");
    buf_byte(out, '{');
    text_put_number(out, "p50", status_lag_ms(&m->lag, 50));
    text_put_number(out, "p95", status_lag_ms(&m->lag, 95));
    text_put_number(out, "p99", status_lag_ms(&m->lag, 99));
    buf_byte(out, '}');
}

static double part_looked(const struct looked *l)
{
    double looked = (double)(l->looked[0] + l->looked[1]);
    double skipped = (double)(l->skipped[0] + l->skipped[1]);

    return looked + skipped > 0 ? looked / (looked + skipped) : 1;
}

static void write_sampled(const struct monitor *m, struct buf *out)
{
    text_put_name(out, "sampled");
    buf_byte(out, '{');
    text_put_number(out, "requests", part_looked(&m->looked[MONITOR_REQUESTS]));
    text_put_number(out, "predictions", part_looked(&m->looked[MONITOR_PREDICTIONS]));
    text_put_number(out, "labels", part_looked(&m->looked[MONITOR_ROWS]));
    buf_byte(out, '}');
}

static void write_score(const struct monitor *m, const struct errors_score *s, double pr_auc,
                        struct buf *out)
{
    buf_byte(out, '{');
    text_put_count(out, "n", s->n);
    text_put_number(out, monitor_metric(m), s->loss);
    text_put_number(out, "low", s->low);
    text_put_number(out, "high", s->high);
    if (m->task->is_binary) {
        text_put_number(out, "pr_auc", pr_auc);
        text_put_number(out, "base_rate", s->base_rate);
        text_put_number(out, "accuracy", s->accuracy);
        text_put_number(out, "precision", s->precision);
        text_put_number(out, "recall", s->recall);
        text_put_number(out, "f1", s->f1);
        text_put_count(out, "alerts", s->alerts);
    } else {
        text_put_number(out, "rmse", s->rmse);
        text_put_number(out, "bias", s->bias);
    }
    buf_byte(out, '}');
}

static void write_model(const struct monitor *m, size_t i, struct buf *out)
{
    static const struct status_model none;
    const struct status_model *status = monitor_model_status(m, i);
    const struct beat_model *beat = beats_model(&m->beats, m->task->models[i].name);
    const struct monitor_versions_of *versions = &m->versions[i];
    bool known = status != NULL;
    struct errors_score baseline, score;

    status = known ? status : &none;
    errors_score(m->errors, monitor_baseline(m), &baseline);
    errors_score(m->errors, i, &score);
    buf_byte(out, '{');
    text_put_string(out, "name", m->task->models[i].name);
    text_put_string(out, "class", known ? status->class_name : NULL);
    text_put_bool(out, "is_baseline", i == monitor_baseline(m));
    text_put_string(out, "version", known && status->version[0] ? status->version : NULL);
    text_put_string(out, "generation", beat && beat->generation[0] ? beat->generation : NULL);
    text_put_count(out, "learned", status->learned);
    text_put_count(out, "position", status->position);
    put_count(out, "bytes", versions->newest[0] ? (int64_t)versions->bytes : -1);
    text_put_time(out, "published_ms", versions->newest[0] ? versions->published_ms : TIME_UNKNOWN);
    text_put_string(out, "served_version", beat && beat->served[0] ? beat->served : NULL);
    text_put_bool(out, "serving", status->serving);
    text_put_bool(out, "caught_up", status->caught_up);
    text_put_number(out, monitor_metric(m), monitor_all_rows(m, i));
    text_put_number(out, m->task->is_binary ? "log_loss_served" : "mae_served",
                    monitor_all_served(m, i));
    text_put_name(out, "window");
    write_score(m, &score, m->pr_auc[i], out);
    text_put_number(out, "skill", i == monitor_baseline(m) ? 0 : 1 - score.loss / baseline.loss);
    text_put_number(out, "interval_coverage", score.coverage);
    buf_byte(out, '}');
}

void monitor_write_models(const struct monitor *m, struct buf *out)
{
    write_some(m, 0, m->task->n_models, write_model, 0, out);
}

static void write_service(const struct monitor *m, size_t i, struct buf *out)
{
    const struct health_service *s = &m->health.service[i];

    buf_byte(out, '{');
    text_put_string(out, "instance", s->beat.instance);
    text_put_string(out, "service", s->beat.service);
    text_put_string(out, "state", health_state_name(health_state(s, m->tick_ms)));
    text_put_string(out, "doing", s->beat.state);
    text_put_time(out, "since_ms", health_since(s, m->tick_ms));
    text_put_count(out, "rss_bytes", (uint64_t)s->beat.rss_bytes);
    text_put_number(out, "rate", rate_per_second(&s->rate, m->tick_ms));
    buf_byte(out, '}');
}

static void write_audit(const struct monitor *m, struct buf *out)
{
    text_put_name(out, "audit");
    buf_byte(out, '{');
    text_put_string(out, "state", m->audit.state);
    text_put_time(out, "time_ms", m->audit.time_ms);
    text_put_string(out, "text", m->audit.text);
    buf_byte(out, '}');
}

static void write_drift(const struct monitor *m, struct buf *out)
{
    text_put_name(out, "drift");
    buf_byte(out, '{');
    watch_write_tick(m->watch, out);
    buf_byte(out, '}');
}

void monitor_write_checks(const struct monitor *m, struct buf *out)
{
    static const char *const names[MONITOR_N_CHECKS] = {
        [MONITOR_CHECK_STORE] = "Redis",     [MONITOR_CHECK_VIEWS] = "Views",
        [MONITOR_CHECK_TOPICS] = "Topics",   [MONITOR_CHECK_INFERENCE] = "Inference",
        [MONITOR_CHECK_LEARNER] = "Learner", [MONITOR_CHECK_REQUEST] = "First request"};

    text_put_name(out, "checks");
    buf_byte(out, '[');
    for (int i = 0; i < MONITOR_N_CHECKS; i++) {
        text_next(out);
        buf_byte(out, '{');
        text_put_string(out, "name", names[i]);
        text_put_bool(out, "ok", m->check[i].ok);
        text_put_string(out, "detail", m->check[i].detail);
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
}

/* ---- Requests that begin and end ---- */

static void write_xy(const double xy[2], struct buf *out)
{
    if (!isfinite(xy[0]) || !isfinite(xy[1])) {
        buf_text(out, "null");
        return;
    }
    buf_byte(out, '[');
    text_number(out, xy[0]);
    buf_byte(out, ',');
    text_number(out, xy[1]);
    buf_byte(out, ']');
}

void monitor_write_moved(const struct moved *moved, bool ended, struct buf *out)
{
    buf_byte(out, '{');
    text_put_string(out, "key", moved->key);
    if (ended) {
        text_put_name(out, "at");
        write_xy(isfinite(moved->to[0]) ? moved->to : moved->from, out);
        text_put_number(out, "label", moved->label);
        text_put_number(out, "error", moved->error);
    } else {
        text_put_name(out, "from");
        write_xy(moved->from, out);
        text_put_name(out, "to");
        write_xy(moved->to, out);
        text_put_time(out, "time_ms", moved->time_ms);
        text_put_time(out, "event_ms", moved->event_ms);
        text_put_number(out, "predicted", moved->predicted);
    }
    buf_byte(out, '}');
}

/* Newest first. */
static const struct moved *moved_at(const struct moves *moves, size_t i)
{
    return &moves->moved[(moves->n - 1 - i) % MONITOR_SAMPLE];
}

static void write_started(const struct monitor *m, size_t i, struct buf *out)
{
    monitor_write_moved(moved_at(&m->started, i), false, out);
}

static void write_ended(const struct monitor *m, size_t i, struct buf *out)
{
    monitor_write_moved(moved_at(&m->ended, i), true, out);
}

static size_t sample_size(const struct moves *moves)
{
    return moves->n < MONITOR_SAMPLE ? (size_t)moves->n : MONITOR_SAMPLE;
}

/* Of the models that give them; nothing where none does. */
static void write_intervals(const struct monitor *m, const struct latest *latest, struct buf *out)
{
    bool is_any = false;

    for (size_t i = 0; i < m->task->n_models; i++) {
        if (!m->task->models[i].has_intervals)
            continue;
        if (!is_any) {
            text_put_name(out, "intervals");
            buf_byte(out, '{');
        }
        is_any = true;
        text_put_interval(out, m->task->models[i].name, &latest->said[i]);
    }
    if (is_any)
        buf_byte(out, '}');
}

void monitor_write_latest(const struct monitor *m, const struct latest *latest, struct buf *out)
{
    buf_byte(out, '{');
    text_put_string(out, "key", latest->key);
    text_put_time(out, "time_ms", latest->time_ms);
    text_put_time(out, "event_ms", latest->event_ms);
    text_put_number(out, "label", latest->label);
    text_put_number(out, "size", latest->size);
    text_put_name(out, "values");
    buf_byte(out, '{');
    for (size_t i = 0; i < m->task->n_models; i++)
        text_put_number(out, m->task->models[i].name, latest->said[i].value);
    buf_byte(out, '}');
    write_intervals(m, latest, out);
    buf_byte(out, '}');
}

static void write_latest(const struct monitor *m, size_t i, struct buf *out)
{
    monitor_write_latest(m, &m->latest[(m->n_latest - 1 - i) % MONITOR_LATEST], out);
}

static void write_mark(const struct monitor *m, size_t i, struct buf *out)
{
    marks_write(marks_get(&m->marks, m->marks_told + i), out);
}

/* What is new in this second; told once. */
static void write_news(struct monitor *m, size_t limit, struct buf *out)
{
    uint64_t news = m->n_latest - m->latest_told;
    size_t n_latest = news < MONITOR_LATEST_TICK ? (size_t)news : MONITOR_LATEST_TICK;
    bool has_map = m->task->monitor.map_from[0];

    if (m->marks_told < marks_first(&m->marks))
        m->marks_told = marks_first(&m->marks);
    text_put_name(out, "marks");
    m->marks_told += write_some(m, 0, (size_t)(m->marks.n - m->marks_told), write_mark,
                                share(limit, SHARE_MARKS), out);
    text_put_name(out, "started");
    write_some(m, 0, has_map ? sample_size(&m->started) : 0, write_started,
               share(limit, (SHARE_MARKS + SHARE_MOVES) / 2), out);
    text_put_count(out, "started_of", m->started.n);
    text_put_name(out, "ended");
    write_some(m, 0, has_map ? sample_size(&m->ended) : 0, write_ended, share(limit, SHARE_MOVES),
               out);
    text_put_count(out, "ended_of", m->ended.n);
    text_put_name(out, "latest");
    write_some(m, 0, n_latest, write_latest, limit ? limit - 32 : 0, out);
    m->latest_told = m->n_latest;
}

/* ---- The tick ---- */

static void write_head(const struct monitor *m, struct buf *out)
{
    text_put_count(out, "id", m->tick_id);
    text_put_time(out, "time_ms", m->tick_ms);
    text_put_time(out, "event_ms", m->event_ms);
    text_put_number(out, "speed", m->speed);
    text_put_string(out, "state", monitor_state(m));
    text_put_time(out, "first_label_ms", first_label(m));
    text_put_name(out, "verdict");
    buf_byte(out, '{');
    text_put_string(out, "kind", verdict_kind_name(m->verdict.kind));
    text_put_string(out, "model",
                    m->verdict.kind == VERDICT_BEST ? m->task->models[m->verdict.model].name
                                                    : NULL);
    text_put_string(out, "text", buf_str(&m->verdict_text));
    buf_byte(out, '}');
    write_counts(&m->counts, out);
    write_rates(m, out);
    text_put_count(out, "backlog", m->status.backlog);
    write_sampled(m, out);
    write_audit(m, out);
    write_drift(m, out);
    monitor_write_checks(m, out);
}

/*
 * A list by name: in its order where it fits, else in parts from second to second, so that each
 * element comes round. `part` says where the next part begins.
 */
static void write_in_turns(const struct monitor *m, size_t n, element_fn element, size_t limit,
                           size_t *part, struct buf *out)
{
    size_t start = out->len;

    if (write_some(m, 0, n, element, limit, out) == n)
        return;
    cut(out, start);
    *part %= n;
    *part += write_some(m, *part, n, element, limit, out);
}

static void write_lists(struct monitor *m, size_t limit, struct buf *out)
{
    text_put_name(out, "models");
    write_in_turns(m, m->task->n_models, write_model, share(limit, SHARE_MODELS), &m->models_part,
                   out);
    text_put_count(out, "models_of", m->task->n_models);
    text_put_name(out, "services");
    write_in_turns(m, m->health.n, write_service, share(limit, SHARE_SERVICES), &m->services_part,
                   out);
    text_put_count(out, "services_of", m->health.n);
}

void monitor_write_tick(struct monitor *m, size_t limit, struct buf *out)
{
    size_t start = out->len;

    buf_byte(out, '{');
    write_head(m, out);
    write_lists(m, limit ? start + limit : 0, out);
    if (limit)
        write_news(m, start + limit, out);
    buf_byte(out, '}');
}
