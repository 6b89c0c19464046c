/*
 * What stands on the time axis: alarms of drift, new classes of a model,
 * outages, restarts. The newest are kept; each has an id, and comes once.
 */
#ifndef OXBOW_MONITOR_MARKS_H
#define OXBOW_MONITOR_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define MARKS_MAX 200

/* Strings are owned. */
struct mark {
    char *id;
    char *kind;    /* "error-drift", "feature-drift", "generation", "config", "outage", "restart" */
    char *model;   /* NULL: of none */
    char *feature; /* NULL: of none */
    char *text;    /* for people */
    int64_t time_ms;
    int64_t event_ms; /* TIME_UNKNOWN */
    int64_t until_ms; /* of an outage; else TIME_UNKNOWN */
};

/* Zero-initialise. */
struct marks {
    struct mark mark[MARKS_MAX]; /* a ring */
    uint64_t n;                  /* ever added: mark i is at i % MARKS_MAX */
};

void marks_release(struct marks *m);

/* Copies `mark`; an id of NULL is made of its kind, subject and time. False when there is one of
 * that id already. */
bool marks_add(struct marks *m, const struct mark *mark);

/* The number of the oldest kept mark; m->n is the one that comes next. */
uint64_t marks_first(const struct marks *m);
const struct mark *marks_get(const struct marks *m, uint64_t i);

/* One as a JSON object. */
void marks_write(const struct mark *mark, struct buf *out);
/* Those from number `from` on as a JSON array; `newest_first`: in that order. */
void marks_write_from(const struct marks *m, uint64_t from, bool newest_first, struct buf *out);

#endif
