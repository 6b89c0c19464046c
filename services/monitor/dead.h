/* Dead letters by their reason, with the newest example of each. */
#ifndef OXBOW_MONITOR_DEAD_H
#define OXBOW_MONITOR_DEAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define DEAD_REASONS_MAX 64
#define DEAD_VALUE_MAX   2000 /* bytes of an example's value that are shown */

/* Strings are owned; NULL where the letter has none. */
struct dead_reason {
    char *reason, *service, *topic;
    char *key, *position, *value; /* of the example */
    uint64_t count;
    int64_t last_ms;
};

/* Zero-initialise. */
struct dead {
    struct dead_reason reason[DEAD_REASONS_MAX];
    size_t n;
    uint64_t total;  /* letters that were read */
    uint64_t others; /* of those, the ones of reasons beyond DEAD_REASONS_MAX */
};

void dead_clear(struct dead *d);

/* Counts one message of the topic dead-letters; one that is no such object counts as such. */
void dead_add(struct dead *d, const char *text, size_t len, int64_t time_ms);

/* The answer of /api/dead-letters, the most frequent first. `total`: what the task's services have
 * counted, or -1 when they have not said yet. */
void dead_write(const struct dead *d, int64_t total, struct buf *out);

#endif
