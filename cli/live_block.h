/* How the live view looks: the block on a terminal, the line elsewhere. */
#ifndef OXBOW_CLI_LIVE_BLOCK_H
#define OXBOW_CLI_LIVE_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "figures.h"
#include "inspect/status.h"
#include "screen.h"
#include "task/task.h"
#include "up.h"

struct live_view {
    const struct task *task; /* NULL until the stores are there */
    const struct up *up;
    struct status status;
    int64_t started_ms; /* monotonic */
    bool reachable;     /* the last look at the store succeeded */
    double events_per_s;
    double lag_p50_ms; /* NaN without predictions */
    double lag_p99_ms;
};

/* Lines that each end with a newline. */
void live_block_draw(const struct live_view *view, const struct screen *screen, struct buf *out);

/* One line, without a newline. */
void live_block_line(const struct live_view *view, struct buf *out);

#endif
