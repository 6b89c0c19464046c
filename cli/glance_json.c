/* A task at a glance, for scripts. */
#include "glance.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

/* ---- Members ---- */

static void put_text(struct buf *out, const char *name, const char *text)
{
    json_write_name(out, name);
    json_write_string(out, text, strlen(text));
    buf_byte(out, ',');
}

static void put_int(struct buf *out, const char *name, int64_t value)
{
    json_write_name(out, name);
    json_write_int(out, value);
    buf_byte(out, ',');
}

static void put_number(struct buf *out, const char *name, double value)
{
    json_write_name(out, name);
    json_write_number(out, value);
    buf_byte(out, ',');
}

static void put_bool(struct buf *out, const char *name, bool value)
{
    json_write_name(out, name);
    buf_text(out, value ? "true," : "false,");
}

static void begin(struct buf *out, const char *name, char bracket)
{
    if (name)
        json_write_name(out, name);
    buf_byte(out, bracket);
}

/* The comma behind the last member becomes the bracket. */
static void end(struct buf *out, char bracket)
{
    if (out->data[out->len - 1] == ',')
        out->data[out->len - 1] = bracket;
    else
        buf_byte(out, bracket);
    buf_byte(out, ',');
}

/* ---- Groups ---- */

static void put_services(const struct overview *o, struct buf *out)
{
    begin(out, "services", '[');
    for (size_t i = 0; i < o->n_services; i++) {
        const struct overview_service *s = &o->service[i];
        bool seen = s->beat.time_ms > 0;
        begin(out, NULL, '{');
        put_text(out, "instance", s->beat.instance);
        put_text(out, "service", s->beat.service);
        put_text(out, "state", overview_state_word(s->state));
        put_text(out, "doing", s->beat.state);
        put_bool(out, "paused", s->beat.paused);
        put_number(out, "heartbeat_age_ms",
                   seen ? (double)(o->time_ms - s->beat.time_ms) : (double)NAN);
        put_number(out, "started_ms", seen ? (double)s->beat.started_ms : (double)NAN);
        put_number(out, "rss_bytes", seen ? (double)s->beat.rss_bytes : (double)NAN);
        end(out, '}');
    }
    end(out, ']');
}

static void put_drift(const struct status_model *m, struct buf *out)
{
    if (!m->detector[0]) {
        put_number(out, "drift", (double)NAN);
        return;
    }
    begin(out, "drift", '{');
    put_text(out, "detector", m->detector);
    put_int(out, "alarms", (int64_t)m->alarms);
    if (m->alarm_at[0])
        put_text(out, "newest_at", m->alarm_at);
    else
        put_number(out, "newest_at", (double)NAN);
    end(out, '}');
}

static void put_models(const struct overview *o, struct buf *out)
{
    begin(out, "models", '[');
    for (size_t i = 0; i < o->status.n_models; i++) {
        const struct status_model *m = &o->status.model[i];
        begin(out, NULL, '{');
        put_text(out, "name", m->name);
        put_text(out, "class", m->class_name);
        put_bool(out, "is_baseline", m == status_baseline(&o->status));
        put_text(out, "version", m->version);
        put_text(out, "served_version", m->served_version);
        put_number(out, "served_age_ms",
                   m->served_version[0] ? (double)m->served_age_ms : (double)NAN);
        put_int(out, "learned", (int64_t)m->learned);
        put_int(out, "position", (int64_t)m->position);
        put_int(out, "unlearned", (int64_t)overview_unlearned(o, m));
        put_bool(out, "serving", m->serving);
        put_bool(out, "caught_up", m->caught_up);
        put_number(out, "mae", m->mae);
        put_number(out, "mae_window", m->mae_window);
        put_number(out, "mae_served", m->mae_served);
        if (m->is_binary) {
            put_number(out, "log_loss", m->log_loss);
            put_number(out, "log_loss_window", m->log_loss_window);
            put_number(out, "log_loss_served", m->log_loss_served);
        }
        if (m->n_intervals) {
            put_number(out, "interval_coverage", m->interval_coverage);
            put_number(out, "interval_coverage_window", m->interval_coverage_window);
            put_number(out, "interval_width", m->interval_width);
            put_int(out, "n_intervals", (int64_t)m->n_intervals);
        }
        put_number(out, "skill", status_skill(&o->status, m, STATUS_ALL));
        put_number(out, "skill_window", status_skill(&o->status, m, STATUS_WINDOW));
        put_drift(m, out);
        end(out, '}');
    }
    end(out, ']');
}

static void put_counts(const struct overview *o, struct buf *out)
{
    struct overview_count all[OVERVIEW_COUNTS];

    overview_counts(o, all);
    begin(out, "counts", '{');
    for (size_t i = 0; i < OVERVIEW_COUNTS; i++) {
        if (all[i].known)
            put_int(out, all[i].name, (int64_t)all[i].value);
        else
            put_number(out, all[i].name, (double)NAN);
    }
    end(out, '}');
}

/* Every member of the ledger by its name; null where the engine hides it. */
static void put_ledger(const struct overview *o, struct buf *out)
{
    const struct views_ledger *l = &o->status.ledger;
    const char *name;
    uint64_t value;

    if (!o->status.ledger_ms) {
        put_number(out, "ledger", (double)NAN);
        return;
    }
    begin(out, "ledger", '{');
    for (size_t i = 0; (name = views_ledger_field(l, i, &value)); i++) {
        if (views_ledger_hidden(l, name))
            put_number(out, name, (double)NAN);
        else
            put_int(out, name, (int64_t)value);
    }
    end(out, '}');
}

static void put_rates(const struct overview *o, struct buf *out)
{
    struct overview_rates rates = overview_rates(o);

    begin(out, "rates", '{');
    put_number(out, "requests", rates.requests);
    put_number(out, "predictions", rates.predictions);
    put_number(out, "outcomes", rates.outcomes);
    put_number(out, "labels", rates.labels);
    put_number(out, "learned", rates.learned);
    end(out, '}');
    begin(out, "lag_ms", '{');
    put_number(out, "p50", status_lag_ms(&o->lag, 50));
    put_number(out, "p95", status_lag_ms(&o->lag, 95));
    put_number(out, "p99", status_lag_ms(&o->lag, 99));
    end(out, '}');
    put_number(out, "backlog", o->status.has_backlog ? (double)o->status.backlog : (double)NAN);
}

static void put_string(struct buf *out, const char *text)
{
    json_write_string(out, text, strlen(text));
    buf_byte(out, ',');
}

static void put_troubles(const struct glance *g, struct buf *out)
{
    struct buf text = BUF_INIT;

    begin(out, "trouble", '[');
    if (g->away)
        put_string(out, g->away);
    for (size_t i = 0; !g->away && i < g->o->n_services; i++) {
        buf_clear(&text);
        if (overview_trouble(g->o, &g->o->service[i], &text))
            put_string(out, buf_str(&text));
    }
    end(out, ']');
    buf_release(&text);
}

static const char *state_of(const struct glance *g)
{
    if (g->away)
        return "unknown";
    return overview_healthy(g->o) ? "up" : "trouble";
}

void glance_json(const struct glance *g, struct buf *out)
{
    begin(out, NULL, '{');
    put_text(out, "state", state_of(g));
    put_troubles(g, out);
    put_text(out, "release", OXBOW_VERSION);
    put_int(out, "time_ms", clock_wall_ms());
    if (g->task) {
        put_text(out, "task", g->task->name);
        put_text(out, "incarnation", g->incarnation);
    }
    if (!g->away) {
        if (g->o->status.event_time[0])
            put_text(out, "event_time", g->o->status.event_time);
        put_services(g->o, out);
        put_models(g->o, out);
        put_counts(g->o, out);
        put_rates(g->o, out);
        put_ledger(g->o, out);
    }
    end(out, '}');
    out->data[--out->len] = '\0';
}
