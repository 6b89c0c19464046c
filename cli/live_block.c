/* Drawing the live view. */
#include "live_block.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "model_table.h"

#define SILENT_MS 3000 /* without a heartbeat for so long a service counts as silent */

struct totals {
    uint64_t in_progress;
    uint64_t completed;
    uint64_t dead;
};

static struct totals totals_of(const struct views_ledger *l)
{
    struct totals t = {.completed = l->outcomes_emitted + l->outcomes_bad_label,
                       .dead = l->requests_dead + l->outcomes_dead + l->predictions_dead};
    uint64_t over = t.completed + l->outcomes_refused;

    t.in_progress = l->requests_new > over ? l->requests_new - over : 0;
    return t;
}

static void draw_totals(const struct live_view *view, struct buf *out)
{
    const struct views_ledger *l = &view->status.ledger;
    struct totals t = totals_of(l);
    char a[FIGURE_MAX];
    char b[FIGURE_MAX];
    char c[FIGURE_MAX];
    char d[FIGURE_MAX];

    buf_printf(out, " in progress %s   completed %s   bad labels %s   dead %s",
               figure_count(t.in_progress, a), figure_count(t.completed, b),
               figure_count(l->outcomes_bad_label, c),
               views_ledger_hidden(l, "requests_dead") ? "-" : figure_count(t.dead, d));
    if (view->status.backlog && view->task &&
        view->status.backlog > (uint64_t)view->task->max_backlog)
        buf_printf(out, "   the simulator waits: %s in the queue",
                   figure_count(view->status.backlog, a));
    buf_printf(out, "\n events %s/s   prediction lag p50 %s, p99 %s\n",
               figure_number(view->events_per_s, 0, a), figure_span_ms(view->lag_p50_ms, b),
               figure_span_ms(view->lag_p99_ms, c));
}

static const struct status_service *beat_of(const struct status *s, const char *instance)
{
    for (size_t i = 0; i < s->n_services; i++)
        if (strcmp(s->service[i].instance, instance) == 0)
            return &s->service[i];
    return NULL;
}

/* What the supervisor knows goes before what the last heartbeat said. */
static const char *health(const struct live_view *view, const struct supervise_child *child,
                          bool is_service, enum screen_colour *colour)
{
    const struct status_service *beat = beat_of(&view->status, child->name);

    *colour = SCREEN_RED;
    if (child->state == SUPERVISE_WAITING || child->state == SUPERVISE_STOPPED)
        return "down";
    *colour = SCREEN_GREEN;
    if (child->state == SUPERVISE_FINISHED)
        return "done";
    if (!is_service)
        return "up";
    *colour = SCREEN_YELLOW;
    if (!beat)
        return "starting";
    if (clock_wall_ms() - beat->time_ms > SILENT_MS)
        return "silent";
    if (strcmp(beat->state, "running") == 0)
        *colour = SCREEN_GREEN;
    return beat->state;
}

static void draw_services(const struct live_view *view, const struct screen *screen,
                          struct buf *out)
{
    for (size_t i = 0; i < supervise_count(view->up->supervisor); i++) {
        struct supervise_child child = supervise_get(view->up->supervisor, i);
        enum screen_colour colour;
        const char *state = health(view, &child, (int)i >= view->up->first_service, &colour);
        buf_printf(out, " %s ", child.name);
        screen_paint(screen, out, colour, state);
        if (child.restarts)
            buf_printf(out, " (restarted %" PRIu64 " times)", child.restarts);
    }
    buf_byte(out, '\n');
}

void live_block_draw(const struct live_view *view, const struct screen *screen, struct buf *out)
{
    int64_t seconds = (clock_mono_ms() - view->started_ms) / 1000;
    char head[160];

    snprintf(head, sizeof(head),
             "---- %s, running for %" PRId64 ":%02" PRId64 ":%02" PRId64 "%s%.10s%s%.8s%s ----\n",
             view->task ? view->task->name : "starting", seconds / 3600, seconds / 60 % 60,
             seconds % 60, view->status.event_time[0] ? ", event time " : "",
             view->status.event_time, view->status.event_time[0] ? " " : "",
             view->status.event_time[0] ? view->status.event_time + 11 : "",
             view->task && !view->reachable ? ", redis is away" : "");
    screen_paint(screen, out, SCREEN_BOLD, head);
    draw_totals(view, out);
    model_table_draw(&view->status, &(struct model_table){.order = MODEL_ORDER_FILE}, screen, out);
    draw_services(view, screen, out);
}

void live_block_line(const struct live_view *view, struct buf *out)
{
    const struct status *s = &view->status;
    struct totals t = totals_of(&s->ledger);
    char a[FIGURE_MAX];
    char b[FIGURE_MAX];

    buf_printf(out,
               "in progress %" PRIu64 ", completed %" PRIu64 ", bad labels %" PRIu64
               ", dead %" PRIu64 ", events %s/s",
               t.in_progress, t.completed, s->ledger.outcomes_bad_label, t.dead,
               figure_number(view->events_per_s, 0, a));
    if (isfinite(view->lag_p50_ms))
        buf_printf(out, ", lag p50 %s p99 %s", figure_span_ms(view->lag_p50_ms, a),
                   figure_span_ms(view->lag_p99_ms, b));
    for (size_t i = 0; i < s->n_models; i++) {
        const struct status_model *m = &s->model[i];
        double skill = status_skill(s, m, STATUS_ALL);
        buf_printf(out, "; %s %s %s", m->name, figure_loss_name(m->is_binary),
                   figure_loss(status_loss(m, STATUS_ALL), m->is_binary, a));
        if (isfinite(skill) && strcmp(m->name, TASK_BASELINE) != 0)
            buf_printf(out, " (skill %s %%)", figure_number(100 * skill, 1, a));
    }
}
