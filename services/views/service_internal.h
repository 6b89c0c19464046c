/* Shared by the files of oxbow-views. */
#ifndef OXBOW_VIEWS_SERVICE_INTERNAL_H
#define OXBOW_VIEWS_SERVICE_INTERNAL_H

#include "bus/bus_places.h"
#include "runtime/runtime.h"
#include "views/views.h"

#define FLUSH_MS 10000 /* how long the fate of what is in flight is waited for */

/* A batch of outgoing rows on its way to the bus. */
struct outgoing {
    char token[VIEWS_TOKEN_MAX];
    size_t in_flight; /* rows whose fate is not known yet */
    bool complete;    /* all of its rows have been handed to the bus */
    struct outgoing *next;
};

/*
 * Where a topic was at some counts: a ring that remembers positions of the past, to trim
 * `keep` messages behind the end without reading the topic.
 */
#define TRAIL_POINTS 128

struct trail {
    uint64_t every; /* messages between two points */
    struct {
        uint64_t count;
        struct bus_places places;
    } point[TRAIL_POINTS];
    size_t n, first;
};

void trail_init(struct trail *trail, int64_t keep);
void trail_release(struct trail *trail);
void trail_add(struct trail *trail, uint64_t count, const struct bus_places *places);
/* The newest point that lies at least `keep` messages before `count`; NULL when none is known. */
const struct bus_places *trail_behind(const struct trail *trail, uint64_t count, int64_t keep);

/* Who reads what, for the lags: the inputs are views' own (VIEWS_REQUESTS, ...). */
enum {
    VIEW_READER_INFERENCE = VIEWS_N_INPUTS,
    VIEW_READER_LEARNER,
    VIEW_N_READERS,
};

struct view_service {
    struct runtime *rt;
    struct views *views;
    struct bus_reader *reader;
    const char *inputs[VIEWS_N_INPUTS];   /* topics */
    const char *outputs[VIEWS_N_OUTPUTS]; /* topics */

    struct views_event *events; /* of the batch at hand */
    size_t cap_events;
    bool have_position[VIEWS_N_INPUTS];
    struct bus_places position[VIEWS_N_INPUTS]; /* after the last messages that were applied */
    int32_t n_partitions[VIEWS_N_INPUTS];       /* that are read */
    struct bus_places scratch, floor;           /* of upkeep.c */

    struct outgoing *oldest, *newest; /* batches in flight, in order */
    bool broken;                      /* a row was not delivered: compare with the bus again */

    bool paused; /* requests and outcomes are not read: a stage behind is too far behind */
    const char *paused_by;
    int64_t next_second_ns, next_backlog_ns, next_alarms_ns;
    struct trail in_trail[VIEWS_N_INPUTS], out_trail[VIEWS_N_OUTPUTS];

    /* With an engine that reads the bus by itself: subscribe_loop.c's; else NULL. */
    struct subscribed *subscribed;
    const char *state_topic;
    int64_t state_keep_ms;
    struct trail state_trail; /* its counts are wall time in ms */

    struct log_trouble bus_trouble, store_trouble, views_trouble;
    struct backoff backoff;
    uint64_t *transactions, *events_read, *rows_published, *replays;
    struct hist *transaction_time;
    double *lag[VIEW_N_READERS];
    double *g_paused, *g_outbox;
    uint64_t *n_dead;
};

/* view_service.c */

/* The ledger as far as it is known without counting; see views_counters(). */
int view_service_counters(struct view_service *s, struct views_ledger *ret, struct err *err);
/* The members of the heartbeat that all engines have. */
void view_service_status(struct view_service *s, struct buf *out);
/*
 * Makes the incarnation, or finds both halves of it: in the engine's database, then in the store.
 * The order matters: a crash in between leaves an id that was not announced, and the next start
 * goes on. `where` is the database for texts: "in oxbow-data".
 */
int view_service_settle(struct view_service *s, const char *where, struct err *err);

/* subscribe_loop.c: the loop with an engine that reads the bus by itself */
int subscribe_run(struct view_service *s, struct err *err);
int subscribe_counters(const struct subscribed *l, struct views_ledger *ret);

/* publish.c: outgoing rows */
void publish_delivered(void *ctx, void *opaque, int result, const struct bus_pos *pos,
                       const struct err *err);
/* Hands all rows that the engine has to the bus; in transactions where it has them, one a batch. */
int publish_rows(struct view_service *s, struct err *err);
/* Tells the engine what has been delivered. */
int publish_ack(struct view_service *s, struct err *err);
/* Forgets what was in flight, and has the engine hand out again what the bus does not have. */
int publish_compare(struct view_service *s, struct err *err);
/* ERR_REFUSED when predictions or rows are of another incarnation, where the bus says so. */
int publish_check_life(struct view_service *s, struct err *err);
void publish_release(struct view_service *s);

/* upkeep.c: floors, trimming, back-pressure */
int upkeep(struct view_service *s, struct err *err);
int upkeep_floors(struct view_service *s, struct err *err);

/* view_metrics.c */
void view_metrics_init(struct view_service *s);
void view_metrics_observe(void *s); /* for runtime_observe() */
/* How far views itself is behind its inputs; once a second. */
int view_metrics_lags(struct view_service *s, struct err *err);

/* The place of a message, appended. */
void position_text(void *ctx, const void *origin, struct buf *out);

#endif
