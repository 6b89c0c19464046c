/* Merges requests, which come in order, with a heap of the outcomes that are still to come. */
#include "simulator/schedule.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

struct schedule {
    struct trip_source *source;
    uint64_t max_trips; /* as asked for; 0: no limit */
    uint64_t limit;     /* the same, but never less than what was published before */

    struct trip next; /* the source's next trip */
    bool has_next;
    bool is_ended; /* the source, or the limit */

    struct event *heap; /* outcomes, a binary heap with the earliest first */
    size_t n_heap;
    size_t cap_heap;

    struct event head;
    bool has_head;
    struct cursor at;
};

#define OUTCOME_HEAD "{\"drop_off_datetime\":\""

void event_write_outcome(const struct event *e, struct buf *out)
{
    char at[CLOCK_TEXT_LEN + 1];

    clock_format(e->trip.dropoff_ms, at);
    buf_append(out, OUTCOME_HEAD, sizeof(OUTCOME_HEAD) - 1);
    buf_append(out, at, CLOCK_TEXT_LEN);
    buf_append(out, "\"}", 2);
}

/* The heap */

static bool is_before(const struct event *a, const struct event *b)
{
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms;
    return a->trip.number < b->trip.number;
}

static void heap_push(struct schedule *s, const struct event *e)
{
    if (s->n_heap == s->cap_heap) {
        s->cap_heap = s->cap_heap ? 2 * s->cap_heap : 256;
        s->heap = mem_realloc(s->heap, s->cap_heap, sizeof(*s->heap));
    }

    size_t i = s->n_heap++;
    while (i > 0 && is_before(e, &s->heap[(i - 1) / 2])) {
        s->heap[i] = s->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->heap[i] = *e;
}

static void heap_pop(struct schedule *s)
{
    const struct event *last = &s->heap[--s->n_heap];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= s->n_heap)
            break;
        if (child + 1 < s->n_heap && is_before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!is_before(&s->heap[child], last))
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = *last;
}

/* The merge */

static void fetch(struct schedule *s)
{
    if (s->has_next || s->is_ended)
        return;
    s->has_next = s->source->ops->next(s->source, &s->next);
    if (s->has_next && s->limit && s->next.number > s->limit)
        s->has_next = false;
    s->is_ended = !s->has_next;
}

const struct event *schedule_peek(struct schedule *s)
{
    if (s->has_head)
        return &s->head;

    fetch(s);
    if (s->n_heap && (!s->has_next || s->heap[0].time_ms <= s->next.pickup_ms))
        s->head = s->heap[0];
    else if (s->has_next)
        s->head = (struct event){s->next.pickup_ms, EVENT_REQUEST, s->next};
    else
        return NULL;
    s->has_head = true;
    return &s->head;
}

struct cursor schedule_place(const struct schedule *s, const struct event *e)
{
    bool is_request = e->kind == EVENT_REQUEST;

    return (struct cursor){
        .time_ms = e->time_ms,
        .kind = e->kind,
        .number = e->trip.number,
        .requests = s->at.requests + is_request,
        .outcomes = s->at.outcomes + !is_request,
        .request_ms = is_request ? e->time_ms : s->at.request_ms,
    };
}

void schedule_pop(struct schedule *s)
{
    struct event e = *schedule_peek(s);

    s->at = schedule_place(s, &e);
    s->has_head = false;
    if (e.kind == EVENT_OUTCOME) {
        heap_pop(s);
        return;
    }
    s->has_next = false;
    e.kind = EVENT_OUTCOME;
    e.time_ms = e.trip.dropoff_ms > e.trip.pickup_ms ? e.trip.dropoff_ms : e.trip.pickup_ms + 1;
    heap_push(s, &e);
}

const struct cursor *schedule_at(const struct schedule *s)
{
    return &s->at;
}

bool schedule_in_tail(const struct schedule *s)
{
    return s->is_ended;
}

uint64_t schedule_total(const struct schedule *s)
{
    uint64_t total = s->source->total;

    return s->limit && (!total || s->limit < total) ? s->limit : total;
}

int schedule_seek(struct schedule *s, const struct cursor *after, struct err *err)
{
    uint64_t n_before = 0;
    int rc = s->source->ops->seek(s->source, after, &n_before, err);

    if (rc != 0)
        return rc;

    s->n_heap = 0;
    s->has_next = s->is_ended = s->has_head = false;
    s->limit = s->max_trips && s->max_trips < after->requests ? after->requests : s->max_trips;
    s->at = (struct cursor){.requests = n_before};
    for (const struct event *e = schedule_peek(s); e; e = schedule_peek(s)) {
        struct cursor place = schedule_place(s, e);
        if (cursor_compare(&place, after) > 0)
            break;
        schedule_pop(s);
    }
    if (s->at.requests != after->requests)
        return err_set(err, ERR_REFUSED,
                       "%s has %llu requests up to the place where the stream stands, but %llu "
                       "were published; start it with the --trips it had, or over with --fresh",
                       s->source->identity, (unsigned long long)s->at.requests,
                       (unsigned long long)after->requests);
    s->at = *after;
    return 0;
}

struct schedule *schedule_new(struct trip_source *source, uint64_t max_trips)
{
    struct schedule *s = mem_zalloc(1, sizeof(*s));

    s->source = source;
    s->max_trips = s->limit = max_trips;
    return s;
}

void schedule_free(struct schedule *s)
{
    if (!s)
        return;
    free(s->heap);
    free(s);
}
