/*
 * Of some known names, the one that was probably meant. For error texts:
 *
 *     struct near near = {.wanted = "lable"};
 *     near_offer(&near, "label");
 *     near_offer(&near, "key");
 *     if (near.name) ... did you mean "label"?
 */
#ifndef OXBOW_BASE_NEAR_H
#define OXBOW_BASE_NEAR_H

#include <stddef.h>

#define NEAR_NAME_MAX 64 /* longer names are near to none */

struct near {
    const char *wanted; /* what was written */
    const char *name;   /* the nearest of the names offered; NULL when none was near */
    size_t distance;    /* letters to insert, remove, replace or swap between them */
};

/* Keeps `name` (borrowed) when it is nearer than those before, and at most a third is wrong. */
void near_offer(struct near *near, const char *name);

/* The edits between two names; SIZE_MAX when one is longer than NEAR_NAME_MAX. */
size_t near_distance(const char *a, const char *b);

#endif
