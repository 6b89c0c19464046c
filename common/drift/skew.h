/*
 * Training-serving skew: does the learner learn from the very values that the
 * prediction was made from?
 *
 *     skew_served(s, key, len, features)         a message on `predictions`
 *     skew_learned(s, key, len, features)        the row on `learning-queue`, later
 *
 * Values of the same key are compared one by one, by their bits: two numbers are the
 * same when they read as the same double, true is 1, null and absent are missing,
 * strings are compared as text. In this system they are the same bytes, so the number
 * of differing values is 0, or something between inference and the learner has changed
 * them. Features that come in and change over time are something else: that is drift.
 *
 * What was served waits in a ring of SKEW_WAITING keys for its row. Where a label
 * takes longer than that many predictions, only keys whose hash ends in so many zeros
 * are looked at: the sample halves when rows find that their keys are gone, and
 * doubles again when a quarter of the ring is enough. It is the same sample on both
 * sides.
 */
#ifndef OXBOW_DRIFT_SKEW_H
#define OXBOW_DRIFT_SKEW_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "learn/schema.h"

#define SKEW_WAITING  4096  /* keys that wait for their row */
#define SKEW_EXAMPLES 10    /* kept, the newest */
#define SKEW_MAX_TEXT 16384 /* bytes of a features object; one that is longer is not looked at */

struct skew;

/* Lifecycle */

struct skew *skew_new(const struct schema *schema); /* copied */
void skew_free(struct skew *s);                     /* NULL is fine */

/* Use. `features` is the object of the message; any other type is ignored. */

void skew_served(struct skew *s, const char *key, size_t len, const struct json_value *features);
void skew_learned(struct skew *s, const char *key, size_t len, const struct json_value *features);

/* Looking */

uint64_t skew_compared(const struct skew *s);  /* values */
uint64_t skew_differing(const struct skew *s); /* of them */
double skew_sample(const struct skew *s); /* the part of all keys that is looked at: 1, 0.5, ... */

/* Appends a JSON array: [{"key","feature","served","learned"}, ...], the newest first. */
void skew_write_examples(const struct skew *s, struct buf *out);

size_t skew_bytes(const struct skew *s); /* memory taken by now */

#endif
