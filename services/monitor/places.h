/*
 * Where requests come from: how many there were in each cell of a grid over
 * the part of the world that nearly all of them lie in.
 *
 * The box is found from the first PLACES_LEARN points, and found anew when too
 * many fall outside it.
 */
#ifndef OXBOW_MONITOR_PLACES_H
#define OXBOW_MONITOR_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define PLACES_WIDTH  96
#define PLACES_HEIGHT 96
#define PLACES_CELLS  (PLACES_WIDTH * PLACES_HEIGHT)
#define PLACES_LEARN  500

/* Zero-initialise. */
struct places {
    double box[4]; /* x0 y0 x1 y1; valid once has_box */
    bool has_box;
    uint32_t cell[PLACES_CELLS];   /* by row, from y0 up */
    double point[PLACES_LEARN][2]; /* the newest points: a ring */
    uint64_t n;                    /* points ever added */
    uint64_t outside;              /* of the last PLACES_LEARN since the box was found */
    uint64_t since;                /* points since then */
};

/* Points that are not finite are left out. */
void places_add(struct places *p, double x, double y);

/* The box: of the points so far where it is not found yet. False without points. */
bool places_box(const struct places *p, double ret[4]);

/* Appends `"box":[..],"width":..,"height":..,"cells":[[index,count],..]`; box is null without
 * points. */
void places_write(const struct places *p, struct buf *out);

/* For keeping it over a restart; nothing is saved before the box is found. False when `data` is not
 * what was saved. */
void places_save(const struct places *p, struct buf *out);
bool places_load(struct places *p, const void *data, size_t len);

#endif
