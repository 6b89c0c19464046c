/* Heartbeats, judged. */
#include "overview.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "task/task.h"

/* In the order of the loop. */
static const struct kind {
    const char *service;
    bool needed;
} KINDS[] = {
    {"simulator", false}, {"views", true},    {"inference", true},
    {"learner", true},    {"monitor", false},
};
#define N_KINDS (sizeof(KINDS) / sizeof(KINDS[0]))

struct overview *overview_new(void)
{
    return mem_zalloc(1, sizeof(struct overview));
}

void overview_free(struct overview *o)
{
    free(o);
}

/* ---- Services ---- */

const char *overview_state_word(enum overview_state state)
{
    static const char *const word[] = {[OVERVIEW_UP] = "up",
                                       [OVERVIEW_SILENT] = "silent",
                                       [OVERVIEW_DOWN] = "down",
                                       [OVERVIEW_DONE] = "done"};

    return word[state];
}

static size_t kind_of(const char *service)
{
    size_t i = 0;

    while (i < N_KINDS && strcmp(KINDS[i].service, service) != 0)
        i++;
    return i;
}

static bool is_needed(const char *service)
{
    size_t i = kind_of(service);

    return i < N_KINDS && KINDS[i].needed;
}

/* A service that has taken its leave, and that nobody needs. */
static bool has_ended(const struct overview_service *s)
{
    return !s->needed &&
           (strcmp(s->beat.state, "done") == 0 || strcmp(s->beat.state, "draining") == 0);
}

static enum overview_state state_of(const struct overview_service *s, bool there, int64_t now_ms)
{
    bool late = now_ms - s->beat.time_ms > OVERVIEW_SILENT_MS;

    if (strcmp(s->beat.state, "done") == 0)
        return s->needed ? OVERVIEW_DOWN : OVERVIEW_DONE;
    if ((late || !there) && has_ended(s))
        return OVERVIEW_DONE;
    if (!there)
        return OVERVIEW_DOWN;
    return late ? OVERVIEW_SILENT : OVERVIEW_UP;
}

static const struct status_service *find_beat(const struct status *s, const char *instance)
{
    for (size_t i = 0; i < s->n_services; i++)
        if (strcmp(s->service[i].instance, instance) == 0)
            return &s->service[i];
    return NULL;
}

static bool knows(const struct overview *o, const char *instance)
{
    for (size_t i = 0; i < o->n_services; i++)
        if (strcmp(o->service[i].beat.instance, instance) == 0)
            return true;
    return false;
}

static bool knows_kind(const struct overview *o, const char *service)
{
    for (size_t i = 0; i < o->n_services; i++)
        if (strcmp(o->service[i].beat.service, service) == 0)
            return true;
    return false;
}

static void add_service(struct overview *o, const struct overview_service *s)
{
    if (o->n_services < OVERVIEW_SERVICES)
        o->service[o->n_services++] = *s;
}

static int compare(const void *left, const void *right)
{
    const struct overview_service *a = left;
    const struct overview_service *b = right;
    size_t kind_a = kind_of(a->beat.service);
    size_t kind_b = kind_of(b->beat.service);

    if (kind_a != kind_b)
        return kind_a < kind_b ? -1 : 1;
    return strcmp(a->beat.instance, b->beat.instance);
}

/* Those that were known before, those that are new, and those that ought to be there. */
static void note_services(struct overview *o, int64_t now_ms)
{
    size_t n = o->n_services;

    o->n_services = 0;
    for (size_t i = 0; i < n; i++) {
        struct overview_service s = o->service[i];
        const struct status_service *beat = find_beat(&o->status, s.beat.instance);
        if (beat)
            s.beat = *beat;
        else if (now_ms - s.beat.time_ms > OVERVIEW_REMEMBER_MS)
            continue; /* also those that were never seen: they are added anew below */
        s.state = state_of(&s, beat != NULL, now_ms);
        add_service(o, &s);
    }
    for (size_t i = 0; i < o->status.n_services; i++) {
        struct overview_service s = {.beat = o->status.service[i],
                                     .needed = is_needed(o->status.service[i].service)};
        s.state = state_of(&s, true, now_ms);
        if (!knows(o, s.beat.instance))
            add_service(o, &s);
    }
    for (size_t i = 0; i < N_KINDS; i++) {
        struct overview_service s = {.needed = true, .state = OVERVIEW_DOWN};
        if (!KINDS[i].needed || knows_kind(o, KINDS[i].service))
            continue;
        snprintf(s.beat.instance, sizeof(s.beat.instance), "%s", KINDS[i].service);
        snprintf(s.beat.service, sizeof(s.beat.service), "%s", KINDS[i].service);
        add_service(o, &s);
    }
    qsort(o->service, o->n_services, sizeof(o->service[0]), compare);
}

bool overview_trouble(const struct overview *o, const struct overview_service *s, struct buf *out)
{
    int64_t age_s = (o->time_ms - s->beat.time_ms) / 1000;

    switch (s->state) {
    case OVERVIEW_DONE:
        return false;
    case OVERVIEW_SILENT:
        buf_printf(out, "%s has been silent for %" PRId64 " s", s->beat.instance, age_s);
        return true;
    case OVERVIEW_DOWN:
        if (!s->beat.time_ms)
            buf_printf(out, "%s is not running", s->beat.instance);
        else if (strcmp(s->beat.state, "done") == 0)
            buf_printf(out, "%s has stopped", s->beat.instance);
        else
            buf_printf(out, "%s is down, last seen %" PRId64 " s ago", s->beat.instance, age_s);
        return true;
    case OVERVIEW_UP:
        break;
    }
    /* It waits on purpose when a stage behind it does not keep up; else for a server. */
    if (strcmp(s->beat.state, "waiting") != 0 || s->beat.paused)
        return false;
    buf_printf(out, "%s is waiting for a server that is away", s->beat.instance);
    return true;
}

bool overview_healthy(const struct overview *o)
{
    struct buf text = BUF_INIT;
    bool healthy = true;

    for (size_t i = 0; i < o->n_services; i++)
        if (overview_trouble(o, &o->service[i], &text))
            healthy = false;
    buf_release(&text);
    return healthy;
}

/* ---- Counts and rates ---- */

static void count(const struct views_ledger *l, const char *name, const char *field,
                  struct overview_count *ret)
{
    *ret = (struct overview_count){.name = name, .known = !views_ledger_hidden(l, field)};
    if (ret->known)
        ret->value = views_ledger_get(l, field);
}

/* Views counts its own dead letters for ever, the others since they were started. */
static void count_dead_letters(const struct overview *o, struct overview_count *ret)
{
    count(&o->status.ledger, "dead_letters", "dead_letters", ret);
    for (size_t i = 0; i < o->n_services; i++)
        if (strcmp(o->service[i].beat.service, "views") != 0)
            ret->value += o->service[i].beat.dead_letters;
}

static struct overview_count count_alarms(const struct overview *o)
{
    struct overview_count ret = {.name = "alarms", .known = o->status.n_models > 0};

    for (size_t i = 0; i < o->status.n_models; i++)
        ret.value += o->status.model[i].alarms;
    return ret;
}

void overview_counts(const struct overview *o, struct overview_count ret[OVERVIEW_COUNTS])
{
    const struct views_ledger *l = &o->status.ledger;
    size_t n = 0;

    count(l, "requests", "requests_new", &ret[n++]);
    count(l, "predicted", "requests_predicted", &ret[n++]);
    count(l, "outcomes", "outcomes_new", &ret[n++]);
    count(l, "labelled", "outcomes_emitted", &ret[n++]);
    /* Under way: requests whose outcome has not come yet. */
    ret[n] = (struct overview_count){.name = "in_progress",
                                     .known = !views_ledger_hidden(l, "requests_new") &&
                                              !views_ledger_hidden(l, "outcomes_emitted")};
    uint64_t over = l->outcomes_emitted + l->outcomes_bad_label + l->outcomes_refused;
    ret[n++].value = l->requests_new > over ? l->requests_new - over : 0;
    count(l, "pending", "requests_pending", &ret[n++]);
    count(l, "waiting", "outcomes_waiting", &ret[n++]);
    count(l, "expired", "requests_expired", &ret[n]);
    ret[n].known = ret[n].known && !views_ledger_hidden(l, "outcomes_expired");
    ret[n++].value += l->outcomes_expired;
    count(l, "bad_labels", "outcomes_bad_label", &ret[n++]);
    count_dead_letters(o, &ret[n++]);
    for (size_t i = 0; i < n; i++)
        ret[i].known = ret[i].known && o->status.ledger_ms;
    ret[n] = count_alarms(o);
}

bool overview_count(const struct overview *o, const char *name, uint64_t *ret)
{
    struct overview_count all[OVERVIEW_COUNTS];

    overview_counts(o, all);
    for (size_t i = 0; i < OVERVIEW_COUNTS; i++) {
        if (strcmp(all[i].name, name) != 0 || !all[i].known)
            continue;
        *ret = all[i].value;
        return true;
    }
    return false;
}

static void note_rates(struct overview *o)
{
    struct rate *const rate[] = {&o->requests, &o->predictions, &o->outcomes, &o->labels};
    const char *const name[] = {"requests", "predicted", "outcomes", "labelled"};
    uint64_t value;

    for (size_t i = 0; i < sizeof(rate) / sizeof(rate[0]); i++)
        if (overview_count(o, name[i], &value))
            rate_add(rate[i], o->status.ledger_ms, value);
    if (!o->status.n_models)
        return;
    value = 0;
    for (size_t i = 0; i < o->status.n_models; i++)
        if (o->status.model[i].learned > value)
            value = o->status.model[i].learned;
    rate_add(&o->learned, o->status.learner_ms, value);
}

struct overview_rates overview_rates(const struct overview *o)
{
    return (struct overview_rates){
        .requests = rate_per_second(&o->requests, o->time_ms),
        .predictions = rate_per_second(&o->predictions, o->time_ms),
        .outcomes = rate_per_second(&o->outcomes, o->time_ms),
        .labels = rate_per_second(&o->labels, o->time_ms),
        .learned = rate_per_second(&o->learned, o->time_ms),
    };
}

/* ---- Models ---- */

uint64_t overview_unlearned(const struct overview *o, const struct status_model *m)
{
    uint64_t emitted = o->status.ledger.outcomes_emitted;

    return emitted > m->position ? emitted - m->position : 0;
}

/* ---- Looking ---- */

int overview_take(struct overview *o, const char *text, size_t len, int64_t now_ms, struct err *err)
{
    struct status *next = mem_alloc(sizeof(*next));
    int rc = status_parse(text, len, next, &o->lag, err);

    if (rc == 0) {
        o->status = *next;
        o->time_ms = now_ms;
        note_services(o, now_ms);
        note_rates(o);
    }
    free(next);
    return rc;
}

int overview_look(struct overview *o, struct store *st, struct err *err)
{
    struct buf text = BUF_INIT;
    int rc = store_heartbeats(st, &text, err);

    if (rc == 0)
        rc = overview_take(o, buf_str(&text), text.len, clock_wall_ms(), err);
    buf_release(&text);
    return rc;
}
