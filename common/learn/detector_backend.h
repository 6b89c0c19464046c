/* For the files that implement a class of LEARN_DETECTOR: see detector.h. */
#ifndef OXBOW_LEARN_DETECTOR_BACKEND_H
#define OXBOW_LEARN_DETECTOR_BACKEND_H

#include "learn/blob.h"
#include "learn/component.h"
#include "learn/detector.h"

struct detector_ops {
    struct detector *(*create)(const struct component *component); /* zeroed but for its own */
    void (*free)(struct detector *d);
    bool (*update)(struct detector *d, double v, struct detector_change *ret); /* v is finite */
    void (*save)(const struct detector *d, struct buf *out);
    void (*load)(struct detector *d, struct blob_reader *in); /* marks `in`; any state after that */
    double (*mean)(const struct detector *d);
    double (*width)(const struct detector *d);
    size_t (*bytes)(const struct detector *d);
};

/* The first member of each detector; detector.c alone fills it in. */
struct detector {
    const struct detector_ops *ops;
    struct component *component;
    bool borrowed;         /* the component is somebody else's */
    struct buf parameters; /* its canonical text; empty when borrowed */
};

/* For a learner that holds detectors: one of the class and parameters of a component of its own. */
struct detector *detector_borrow(struct component *component);

#endif
