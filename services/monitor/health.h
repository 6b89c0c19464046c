/*
 * How each process of the task is, by its heartbeats: up, restarted (within
 * the last minute), silent (no beat for 3 s), down (none for 5 s, and the store
 * has forgotten it; remembered for an hour), done (it said so itself). No I/O.
 */
#ifndef OXBOW_MONITOR_HEALTH_H
#define OXBOW_MONITOR_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inspect/rates.h"
#include "monitor/beats.h"

#define HEALTH_SILENT_MS    3000
#define HEALTH_DOWN_MS      5000
#define HEALTH_RESTARTED_MS 60000
#define HEALTH_FORGET_MS    3600000

enum health_state { HEALTH_UP, HEALTH_RESTARTED, HEALTH_SILENT, HEALTH_DOWN, HEALTH_DONE };

struct health_service {
    struct beat beat;   /* its last */
    int64_t seen_ms;    /* when we saw that beat first, by our clock */
    bool listed;        /* the store has it still */
    bool has_restarted; /* while we looked on */
    int64_t restart_ms; /* when we saw that */
    struct rate rate;
};

/* Zero-initialise. */
struct health {
    struct health_service service[STATUS_MAX_SERVICES];
    size_t n;
};

/* Called for a process that began anew, or came back after it was down. */
typedef void (*health_event_fn)(void *ctx, const struct health_service *service);

/* Takes what the store has now. */
void health_update(struct health *h, const struct beats *beats, int64_t now_ms,
                   health_event_fn restarted, void *ctx);

enum health_state health_state(const struct health_service *s, int64_t now_ms);
const char *health_state_name(enum health_state state);
/* Since when: its start, or its last beat where it gives none any more. */
int64_t health_since(const struct health_service *s, int64_t now_ms);

/* True when a process of that service beats. */
bool health_is_up(const struct health *h, const char *service, int64_t now_ms);

#endif
