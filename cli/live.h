/*
 * The live view of `oxbow demo`: lines for requests and outcomes as they pass
 * by (a sample, when there are many), and a block that says how the task is
 * doing. It only reads: heartbeats from the store, messages from the bus.
 */
#ifndef OXBOW_CLI_LIVE_H
#define OXBOW_CLI_LIVE_H

#include <stdbool.h>

#include "access.h"
#include "inspect/status.h"
#include "screen.h"
#include "up.h"

struct live;

/* Borrows `up` and `screen`. `lines`: show requests and outcomes. */
struct live *live_new(struct up *up, struct screen *screen, const struct access_options *access,
                      bool lines);
void live_free(struct live *live); /* NULL is fine */

/* To be called all the time; does what is due. Servers that are away are no error. */
void live_tick(struct live *live);

/*
 * True when nothing is in flight any more: views has read every message, every request has its
 * prediction, every outcome has become a row (or is known to be bad), and every model has learned
 * every row.
 */
bool live_settled(const struct live *live);

/* One line: for an output that is no terminal. */
void live_describe(const struct live *live, struct buf *out);

#endif
