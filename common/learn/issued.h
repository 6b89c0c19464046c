/* What went out as the answer to a sample: it comes back with the label, to be learned from. */
#ifndef OXBOW_LEARN_ISSUED_H
#define OXBOW_LEARN_ISSUED_H

#include <math.h>
#include <stdbool.h>

struct issued {
    double value; /* NaN: none */
    double low;   /* of the interval around it, ends included; NaN: it had none */
    double high;
    double alpha; /* the part of labels that it was made to miss when it was made; NaN: not known */
    double age;   /* labels that were learned since it went out; 0: none, or not known */
};

static inline struct issued issued_alone(double value)
{
    return (struct issued){value, (double)NAN, (double)NAN, (double)NAN, 0};
}

static inline bool issued_has_interval(const struct issued *issued)
{
    return !isnan(issued->low) && !isnan(issued->high);
}

#endif
