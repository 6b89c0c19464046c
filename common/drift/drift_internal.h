/* What drift.c and drift_blob.c share. */
#ifndef OXBOW_DRIFT_DRIFT_INTERNAL_H
#define OXBOW_DRIFT_DRIFT_INTERNAL_H

#include "drift/drift.h"

struct drift_feature {
    struct sketch *reference;
    struct sketch *parts[DRIFT_PARTS]; /* a ring; parts[d->part] is being filled */
    struct sketch *window;             /* the last one judged */
    struct sketch_distance distance;
    bool over[DRIFT_PARTS]; /* of the last windows judged, by their number modulo DRIFT_PARTS */
    bool drifting;
    bool changed;
};

struct drift {
    struct schema *schema;
    struct drift_options options;
    uint32_t part_rows; /* of a whole part */
    uint64_t rows;      /* since the reference began */
    uint32_t reference_rows;
    int64_t reference_ms;
    uint32_t part;                /* the one being filled */
    uint32_t in_part;             /* rows in it */
    uint64_t parts_filled;        /* ever, since the reference */
    int64_t from_ms[DRIFT_PARTS]; /* time of each part's first row */
    int64_t window_from_ms;
    int64_t window_to_ms;
    size_t n; /* features */
    struct drift_feature *features;
};

#endif
