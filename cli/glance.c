/* A task at a glance, for people. */
#include "glance.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "figures.h"

#define MODELS_AT_LEAST   2
#define SERVICES_AT_LEAST 5

/* ---- The head ---- */

static void draw_head(const struct glance *g, const struct screen *screen, struct buf *out)
{
    const char *event_time = g->o->status.event_time;
    struct buf line = BUF_INIT;
    char now[CLOCK_TEXT_LEN + 1];

    clock_format(clock_wall_ms(), now);
    buf_printf(&line, "task %s, %.10s %.8s UTC", g->task ? g->task->name : "?", now, now + 11);
    if (strlen(event_time) >= 19)
        buf_printf(&line, ", event time %.10s %.8s", event_time, event_time + 11);
    buf_byte(&line, '\n');
    screen_paint(screen, out, SCREEN_BOLD, buf_str(&line));
    buf_release(&line);
    if (!g->away)
        return;
    char text[600];
    snprintf(text, sizeof(text), " cannot tell: %s\n", g->away);
    screen_paint(screen, out, SCREEN_RED, text);
}

/* ---- Counts ---- */

static void draw_count(const struct glance *g, const char *label, const char *name, double rate,
                       struct buf *out)
{
    char figure[FIGURE_MAX];
    uint64_t value;

    bool known = overview_count(g->o, name, &value);
    buf_printf(out, "%s %s", label, known ? figure_count(value, figure) : "-");
    if (isfinite(rate))
        buf_printf(out, " (%s/s)", figure_number(rate, 0, figure));
}

static void draw_counts(const struct glance *g, struct buf *out)
{
    struct overview_rates rates = overview_rates(g->o);
    const double none = (double)NAN;
    char a[FIGURE_MAX];
    char b[FIGURE_MAX];
    char c[FIGURE_MAX];

    draw_count(g, " requests", "requests", rates.requests, out);
    draw_count(g, "   predicted", "predicted", rates.predictions, out);
    draw_count(g, "   labelled", "labelled", rates.labels, out);
    buf_printf(out, "   learned %s/s\n", figure_number(rates.learned, 0, a));
    draw_count(g, " in progress", "in_progress", none, out);
    draw_count(g, "   without a prediction", "pending", none, out);
    draw_count(g, "   expired", "expired", none, out);
    draw_count(g, "   bad labels", "bad_labels", none, out);
    draw_count(g, "   dead letters", "dead_letters", none, out);
    draw_count(g, "   drift alarms", "alarms", none, out);
    buf_printf(out, "\n prediction lag p50 %s   p95 %s   p99 %s",
               figure_span_ms(status_lag_ms(&g->o->lag, 50), a),
               figure_span_ms(status_lag_ms(&g->o->lag, 95), b),
               figure_span_ms(status_lag_ms(&g->o->lag, 99), c));
    if (g->o->status.has_backlog)
        buf_printf(out, "   backlog %s", figure_count(g->o->status.backlog, a));
    buf_byte(out, '\n');
}

/* ---- Services ---- */

static enum screen_colour colour_of(enum overview_state state)
{
    switch (state) {
    case OVERVIEW_UP:
    case OVERVIEW_DONE:
        return SCREEN_GREEN;
    case OVERVIEW_SILENT:
        return SCREEN_YELLOW;
    case OVERVIEW_DOWN:
        break;
    }
    return SCREEN_RED;
}

static void draw_service(const struct overview *o, const struct overview_service *s,
                         const struct screen *screen, struct buf *out)
{
    bool seen = s->beat.time_ms > 0;
    char state[16];
    char age[FIGURE_MAX] = "-";
    char up[FIGURE_MAX] = "-";
    char memory[FIGURE_MAX] = "-";

    if (seen) {
        figure_age(o->time_ms - s->beat.time_ms, age);
        figure_age(s->beat.time_ms - s->beat.started_ms, up);
        figure_number((double)s->beat.rss_bytes / 1e6, 1, memory);
    }
    snprintf(state, sizeof(state), "%-7s", overview_state_word(s->state));
    buf_printf(out, " %-19s ", s->beat.instance);
    screen_paint(screen, out, colour_of(s->state), state);
    buf_printf(out, " %-9s %9s %9s %9s\n", s->beat.paused ? "paused" : (seen ? s->beat.state : "-"),
               age, up, memory);
}

static void draw_services(const struct overview *o, size_t rows, const struct screen *screen,
                          struct buf *out)
{
    char line[160];
    size_t n = rows && rows < o->n_services ? rows : o->n_services;

    snprintf(line, sizeof(line), " %-19s %-7s %-9s %9s %9s %9s\n", "service", "state", "doing",
             "heartbeat", "running", "MB");
    screen_paint(screen, out, SCREEN_DIM, line);
    for (size_t i = 0; i < n; i++)
        draw_service(o, &o->service[i], screen, out);
    if (n < o->n_services) {
        snprintf(line, sizeof(line), " and %zu more\n", o->n_services - n);
        screen_paint(screen, out, SCREEN_DIM, line);
    }
}

static size_t draw_troubles(const struct overview *o, const struct screen *screen, struct buf *out)
{
    struct buf line = BUF_INIT;
    size_t n = 0;

    for (size_t i = 0; i < o->n_services; i++) {
        buf_clear(&line);
        buf_byte(&line, ' ');
        if (!overview_trouble(o, &o->service[i], &line))
            continue;
        buf_byte(&line, '\n');
        screen_paint(screen, out, SCREEN_RED, buf_str(&line));
        n++;
    }
    buf_release(&line);
    return n;
}

/* ---- All of it ---- */

static void draw(const struct glance *g, const struct model_table *models, size_t services,
                 const struct screen *screen, struct buf *out)
{
    draw_head(g, screen, out);
    if (g->o->time_ms) {
        draw_counts(g, out);
        buf_byte(out, '\n');
        model_table_draw(&g->o->status, models, screen, out);
        buf_byte(out, '\n');
        draw_services(g->o, services, screen, out);
        draw_troubles(g->o, screen, out);
    }
    if (g->hint) {
        char line[160];
        snprintf(line, sizeof(line), " %s\n", g->hint);
        screen_paint(screen, out, SCREEN_DIM, line);
    }
}

void glance_draw(const struct glance *g, const struct screen *screen, struct buf *out)
{
    draw(g, &g->models, 0, screen, out);
}

void glance_draw_within(const struct glance *g, size_t rows, const struct screen *screen,
                        struct buf *out)
{
    struct model_table models = g->models;
    struct buf troubles = BUF_INIT;
    size_t n_models = g->o->status.n_models;
    size_t services = g->o->n_services;

    /* Title, three lines of counts, two heads, two blank lines. */
    size_t fixed = 8;

    fixed += g->away ? 1 : 0;
    fixed += g->hint ? 1 : 0;
    fixed += draw_troubles(g->o, screen, &troubles);
    buf_release(&troubles);
    size_t left = rows > fixed ? rows - fixed : 0;
    /* Services give way first, then the models are scrolled; each list takes a line to say so. */
    if (n_models + services > left && services > SERVICES_AT_LEAST)
        services =
            n_models + SERVICES_AT_LEAST + 1 > left ? SERVICES_AT_LEAST : left - n_models - 1;
    size_t taken = services + (services < g->o->n_services);
    models.rows = 0;
    if (n_models + taken > left)
        models.rows = left > taken + MODELS_AT_LEAST ? left - taken - 1 : MODELS_AT_LEAST;
    if (models.rows >= n_models)
        models.rows = 0;
    if (!models.rows)
        models.first = 0;
    else if (models.first + models.rows > n_models)
        models.first = n_models - models.rows;
    draw(g, &models, services, screen, out);
}
