/* The density grid. */
#include "monitor/places.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/text.h"

#define OUTSIDE_MAX (PLACES_LEARN / 20) /* of PLACES_LEARN points, before the box is found anew */
#define MARGIN      0.15                /* of the box on each side */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* From the 2nd to the 98th of a hundred of the newest points, and a margin. */
static void find_box(const struct places *p, double ret[4])
{
    double sorted[PLACES_LEARN];
    size_t n = p->n < PLACES_LEARN ? (size_t)p->n : PLACES_LEARN;

    for (int axis = 0; axis < 2; axis++) {
        for (size_t i = 0; i < n; i++)
            sorted[i] = p->point[i][axis];
        qsort(sorted, n, sizeof(*sorted), compare);
        double low = sorted[(n - 1) * 2 / 100];
        double high = sorted[(n - 1) - (n - 1) * 2 / 100];
        double margin = high > low ? (high - low) * MARGIN : fabs(low) * 0.001 + 0.001;
        ret[axis] = low - margin;
        ret[axis + 2] = high + margin;
    }
}

/* The cell of a point; -1 outside the box. */
static int cell_of(const double box[4], const double point[2])
{
    double x = (point[0] - box[0]) / (box[2] - box[0]) * PLACES_WIDTH;
    double y = (point[1] - box[1]) / (box[3] - box[1]) * PLACES_HEIGHT;

    if (!(x >= 0 && x < PLACES_WIDTH && y >= 0 && y < PLACES_HEIGHT))
        return -1;
    return (int)y * PLACES_WIDTH + (int)x;
}

static void begin_box(struct places *p)
{
    size_t n = p->n < PLACES_LEARN ? (size_t)p->n : PLACES_LEARN;

    find_box(p, p->box);
    p->has_box = true;
    p->outside = 0;
    p->since = 0;
    memset(p->cell, 0, sizeof(p->cell));
    for (size_t i = 0; i < n; i++) {
        int cell = cell_of(p->box, p->point[i]);

        if (cell >= 0)
            p->cell[cell]++;
    }
}

void places_add(struct places *p, double x, double y)
{
    if (!isfinite(x) || !isfinite(y))
        return;
    double *point = p->point[p->n++ % PLACES_LEARN];
    point[0] = x;
    point[1] = y;
    if (!p->has_box) {
        if (p->n == PLACES_LEARN)
            begin_box(p);
        return;
    }
    int cell = cell_of(p->box, point);
    if (cell >= 0 && p->cell[cell] < UINT32_MAX)
        p->cell[cell]++;
    p->outside += cell < 0;
    if (++p->since % PLACES_LEARN)
        return;
    if (p->outside > OUTSIDE_MAX)
        begin_box(p);
    p->outside = 0;
}

bool places_box(const struct places *p, double ret[4])
{
    if (!p->n && !p->has_box)
        return false;
    if (p->has_box)
        memcpy(ret, p->box, sizeof(p->box));
    else
        find_box(p, ret);
    return true;
}

void places_write(const struct places *p, struct buf *out)
{
    struct places so_far;
    const struct places *shown = p;
    double box[4];

    text_put_name(out, "box");
    if (!places_box(p, box)) {
        buf_text(out, "null");
    } else {
        buf_byte(out, '[');
        for (int i = 0; i < 4; i++) {
            text_next(out);
            text_number(out, box[i]);
        }
        buf_byte(out, ']');
    }
    if (!p->has_box && p->n) {
        so_far = *p;
        begin_box(&so_far);
        shown = &so_far;
    }
    text_put_count(out, "width", PLACES_WIDTH);
    text_put_count(out, "height", PLACES_HEIGHT);
    text_put_name(out, "cells");
    buf_byte(out, '[');
    for (int i = 0; i < PLACES_CELLS; i++) {
        if (!shown->cell[i])
            continue;
        text_next(out);
        buf_printf(out, "[%d,%u]", i, shown->cell[i]);
    }
    buf_byte(out, ']');
}

/* ---- Keeping ---- */

struct saved {
    double box[4];
    uint32_t cell[PLACES_CELLS];
};

void places_save(const struct places *p, struct buf *out)
{
    if (!p->has_box)
        return;
    buf_append(out, p->box, sizeof(p->box));
    buf_append(out, p->cell, sizeof(p->cell));
}

bool places_load(struct places *p, const void *data, size_t len)
{
    struct saved saved;

    if (len != sizeof(saved.box) + sizeof(saved.cell))
        return false;
    memcpy(&saved, data, len);
    for (int i = 0; i < 4; i++)
        if (!isfinite(saved.box[i]))
            return false;
    if (saved.box[0] >= saved.box[2] || saved.box[1] >= saved.box[3])
        return false;
    memcpy(p->box, saved.box, sizeof(p->box));
    memcpy(p->cell, saved.cell, sizeof(p->cell));
    p->has_box = true;
    return true;
}
