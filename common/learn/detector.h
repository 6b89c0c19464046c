/*
 * Drift detectors: numbers go in one by one (the errors of a model, say), and
 * the detector says at which of them their mean has changed.
 *
 *     d = detector_new("{\"adwin\": {\"delta\": 0.002}}", &err)
 *     detector_update(d, v, &change)*
 *
 * Class and parameter names are River's, in snake_case, with River's defaults
 * (registry.h, LEARN_DETECTOR), and the detections are River's: the same, at the
 * same values. The state depends on the parameters and the values, and on
 * nothing else; saved and loaded it goes on to the last bit.
 */
#ifndef OXBOW_LEARN_DETECTOR_H
#define OXBOW_LEARN_DETECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct detector;

/* What changed. Estimates: exact for an abrupt change, between the levels for a gradual one. */
struct detector_change {
    double mean_before; /* NaN when nothing lies before the change */
    double mean_after;
    double n; /* values since the change, which mean_after is of */
};

/* Lifecycle */

/*
 * `json` is "class" or {"class": {parameters}}. NULL with ERR_INVALID; the text begins with where
 * in `json` it is, to be put behind a name for it: ".adwin.delta: write ..." or ": unknown class
 * ...".
 */
struct detector *detector_new(const char *json, size_t len, struct err *err) MUST_CHECK;
void detector_free(struct detector *d); /* NULL is fine */

/* Use */

/*
 * Takes in one value; true when that showed a change, and then *ret (which may be NULL) tells of
 * it. A value that is not finite is passed over.
 */
bool detector_update(struct detector *d, double v, struct detector_change *ret);

double detector_mean(const struct detector *d);  /* the level as it is now; 0 before any value */
double detector_width(const struct detector *d); /* the values that it is of */
size_t detector_bytes(const struct detector *d); /* of memory */
const char *detector_class(const struct detector *d);      /* "adwin" */
const char *detector_parameters(const struct detector *d); /* {"adwin":{every parameter}} */

/* Saving */

/* Appends the state, without class and parameters. */
void detector_save(const struct detector *d, struct buf *out);

/* Into one of the same parameters. ERR_CORRUPT leaves it as from _new. */
int detector_load(struct detector *d, const void *state, size_t len, struct err *err) MUST_CHECK;

#endif
