/*
 * A task at a glance: the heartbeats (status.h), judged. Who is up, what was
 * counted, how fast it grows. For `oxbow status` and `oxbow top`.
 *
 *     struct overview *o = overview_new();
 *     every half second or so: overview_look(o, store, &err)
 *     ... o->service[i], overview_counts(o), overview_rates(o) ...
 *     overview_free(o);
 *
 * Rates and the lag need heartbeats of two different seconds; until then they are NaN. Nothing here
 * asks the bus or the view engine.
 */
#ifndef OXBOW_INSPECT_OVERVIEW_H
#define OXBOW_INSPECT_OVERVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "rates.h"
#include "status.h"
#include "store/store.h"

#define OVERVIEW_SILENT_MS   3000    /* without a heartbeat for so long a service is silent */
#define OVERVIEW_REMEMBER_MS 3600000 /* a service that has gone is named for so long */
#define OVERVIEW_SERVICES    (STATUS_MAX_SERVICES + 3)

enum overview_state {
    OVERVIEW_UP,
    OVERVIEW_SILENT, /* its last heartbeat is still there, but too old */
    OVERVIEW_DOWN,   /* none is there, or it said good-bye though the loop needs it */
    OVERVIEW_DONE,   /* it has ended, as it was to */
};

/* "up", "silent", "down", "done" */
const char *overview_state_word(enum overview_state state);

struct overview_service {
    struct status_service beat; /* the newest that was seen; instance is the service's name, and the
                                   rest 0, for one that is needed and was never seen */
    enum overview_state state;
    bool needed; /* of a kind without which there is no loop: views, inference, learner */
};

struct overview {
    int64_t time_ms; /* of the last look; 0: there was none */
    struct status status;
    struct status_lag lag;
    struct overview_service service[OVERVIEW_SERVICES]; /* in the order of the loop, then by name */
    size_t n_services;
    struct rate requests, predictions, outcomes, labels, learned;
};

struct overview *overview_new(void);
void overview_free(struct overview *o); /* NULL is fine */

/* Reads all heartbeats. After an error everything is as before. */
int overview_look(struct overview *o, struct store *st, struct err *err) MUST_CHECK;

/* The same from text, at that time, for tests. */
int overview_take(struct overview *o, const char *text, size_t len, int64_t now_ms,
                  struct err *err) MUST_CHECK;

/*
 * What is the matter with a service ("views-1 is silent for 4 s"), appended to `out`; false and
 * nothing when it is up and at work, or was to end.
 */
bool overview_trouble(const struct overview *o, const struct overview_service *s, struct buf *out);

/* True when no service is in trouble. */
bool overview_healthy(const struct overview *o);

/* The loop's totals by name, in their order; a total that is not known (no views yet, or its engine
 * hides it) has known = false. */
struct overview_count {
    const char *name;
    bool known;
    uint64_t value;
};
#define OVERVIEW_COUNTS 11
void overview_counts(const struct overview *o, struct overview_count ret[OVERVIEW_COUNTS]);
/* One of them; *ret is only written when it is known. */
bool overview_count(const struct overview *o, const char *name, uint64_t *ret);

/* A second, over the last RATE_SPAN_MS; NaN when not known. */
struct overview_rates {
    double requests, predictions, outcomes, labels;
    double learned; /* rows, of the model that has learned most */
};
struct overview_rates overview_rates(const struct overview *o);

/* Rows of learning-queue that the model has still to learn. */
uint64_t overview_unlearned(const struct overview *o, const struct status_model *m);

#endif
