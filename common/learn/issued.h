/* What went out as the answer to a sample: it comes back with the label, to be learned from. */
#ifndef OXBOW_LEARN_ISSUED_H
#define OXBOW_LEARN_ISSUED_H

#include <math.h>
#include <stdbool.h>

struct issued {
    double value; /* NaN: none */
    double low;   /* of the interval around it, ends included; NaN: it had none */
    double high;
};

static inline bool issued_has_interval(const struct issued *issued)
{
    return !isnan(issued->low) && !isnan(issued->high);
}

#endif
