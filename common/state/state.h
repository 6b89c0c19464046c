/*
 * What oxbow-views has to know after a restart when its engine reads the bus by
 * itself: messages of topic `<task>-views-state`, written in the transaction that
 * publishes the rows. Three kinds, told apart by their key:
 *
 *   state  {"incarnation","at_ms","token","features","learning_queue","bad_label",
 *           "dead_letters","duplicate","retracted"}
 *          the newest one counts: how far the engine was read, and the numbers given
 *   seen   {"incarnation","at_ms","output":"features","keys":["<32 hex digits>",...]}
 *          the keys published (or refused for their label) in that transaction
 *   start  {"incarnation","at_ms","id":"<uuid>"}
 *          written by a process that is about to read the topic: when it comes to its
 *          own, it has read everything before it
 *
 * Records of another incarnation are passed over. No I/O here.
 */
#ifndef OXBOW_STATE_STATE_H
#define OXBOW_STATE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"
#include "bus/bus.h"
#include "dedupe.h"
#include "views/views.h"

#define STATE_KEY  "state"
#define SEEN_KEY   "seen"
#define START_KEY  "start"
#define STATE_OUTS 2 /* VIEWS_FEATURES and VIEWS_LEARNING_QUEUE */

/*
 * Keys are remembered this much longer than the views look at their messages: those go by the clock
 * that stamped the messages, which may be ahead of ours.
 */
#define STATE_MARGIN_SECONDS 3600

/* Keys of one `seen` record: 350 kB of text, well below what a bus takes in one message. */
#define SEEN_MAX 10000

struct state {
    char token[VIEWS_TOKEN_MAX]; /* for views_ack(); "" before the first */
    uint64_t last[STATE_OUTS];   /* last seq given, by enum views_output */
    uint64_t bad_label;          /* rows whose label is no label */
    uint64_t dead_letters;       /* rows that no bus would take */
    uint64_t duplicate;          /* rows whose key had been published */
    uint64_t retracted;          /* rows that were taken back */
};

/* Appends the JSON of each kind. */
void state_write(const struct state *state, const char *incarnation, int64_t at_ms,
                 struct buf *out);
void state_write_seen(const char *incarnation, int64_t at_ms, enum views_output output,
                      const struct dedupe_key *keys, size_t n, struct buf *out);
void state_write_start(const char *incarnation, int64_t at_ms, const char *id, struct buf *out);

/* What reading the topic has found so far. */
struct state_found {
    const char *incarnation;         /* set by the caller */
    const char *start_id;            /* set by the caller: of its own `start` */
    struct dedupe *seen[STATE_OUTS]; /* the caller's */
    struct state state;              /* the newest; all zero before the first */
    bool any;                        /* a state was there */
    bool done;                       /* its own `start` was met */
};

/* Takes in one message. ERR_CORRUPT names what is wrong with it. */
int state_take(struct state_found *found, const struct bus_msg *msg, struct err *err) MUST_CHECK;

#endif
