/* The health of the processes. */
#include "monitor/health.h"

#include <string.h>

enum health_state health_state(const struct health_service *s, int64_t now_ms)
{
    int64_t quiet_ms = now_ms - s->seen_ms;

    if (strcmp(s->beat.state, "done") == 0)
        return HEALTH_DONE;
    if (!s->listed && quiet_ms >= HEALTH_DOWN_MS)
        return HEALTH_DOWN;
    if (quiet_ms >= HEALTH_SILENT_MS)
        return HEALTH_SILENT;
    if (s->has_restarted && now_ms - s->restart_ms < HEALTH_RESTARTED_MS)
        return HEALTH_RESTARTED;
    return HEALTH_UP;
}

const char *health_state_name(enum health_state state)
{
    static const char *const names[] = {[HEALTH_UP] = "up",
                                        [HEALTH_RESTARTED] = "restarted",
                                        [HEALTH_SILENT] = "silent",
                                        [HEALTH_DOWN] = "down",
                                        [HEALTH_DONE] = "done"};

    return names[state];
}

int64_t health_since(const struct health_service *s, int64_t now_ms)
{
    enum health_state state = health_state(s, now_ms);

    return state == HEALTH_UP || state == HEALTH_RESTARTED ? s->beat.started_ms : s->beat.time_ms;
}

bool health_is_up(const struct health *h, const char *service, int64_t now_ms)
{
    for (size_t i = 0; i < h->n; i++)
        if (strcmp(h->service[i].beat.service, service) == 0 &&
            health_state(&h->service[i], now_ms) <= HEALTH_RESTARTED)
            return true;
    return false;
}

/* Makes room for one more: the one that has been quiet for longest goes. */
static struct health_service *add(struct health *h)
{
    size_t at = h->n;

    if (h->n == STATUS_MAX_SERVICES) {
        at = 0;
        for (size_t i = 1; i < h->n; i++)
            if (h->service[i].seen_ms < h->service[at].seen_ms)
                at = i;
    } else {
        h->n++;
    }
    h->service[at] = (struct health_service){.listed = true};
    return &h->service[at];
}

static void update_one(struct health *h, const struct beat *beat, int64_t now_ms,
                       health_event_fn restarted, void *ctx)
{
    struct health_service *s = NULL;

    for (size_t i = 0; i < h->n && !s; i++)
        if (strcmp(h->service[i].beat.instance, beat->instance) == 0)
            s = &h->service[i];
    if (!s) {
        s = add(h);
    } else if (s->beat.started_ms != beat->started_ms) {
        s->has_restarted = true;
        s->restart_ms = now_ms;
        s->rate = (struct rate){.n = 0};
        if (restarted) {
            s->beat = *beat;
            restarted(ctx, s);
        }
    }
    s->listed = true;
    if (s->beat.time_ms != beat->time_ms || !s->seen_ms)
        s->seen_ms = now_ms;
    s->beat = *beat;
    rate_add(&s->rate, beat->time_ms, beat->work);
}

void health_update(struct health *h, const struct beats *beats, int64_t now_ms,
                   health_event_fn restarted, void *ctx)
{
    size_t kept = 0;

    for (size_t i = 0; i < h->n; i++)
        h->service[i].listed = false;
    for (size_t i = 0; i < beats->n; i++)
        update_one(h, &beats->beat[i], now_ms, restarted, ctx);
    for (size_t i = 0; i < h->n; i++)
        if (h->service[i].listed || now_ms - h->service[i].seen_ms < HEALTH_FORGET_MS)
            h->service[kept++] = h->service[i];
    h->n = kept;
}
