/*
 * What an ensemble holds: learners that are all made from one component, as the
 * clones of River's ensembles are. The component's seed is theirs, too: members
 * that draw at random draw the same, as in River; what tells them apart is what
 * the ensemble lets each of them learn.
 *
 *     members_init(&e->members, params->model, params->n_models, n);
 *     learner_predict(e->members.at[i], x);
 *     members_replace(&e->members, worst);
 *
 * A class marks its parameter "model" with `may_grow` and "n_models" with `multiplies`: a
 * pipeline of ensembles in ensembles that would make more than LEARN_MAX_MEMBERS
 * learners (component.h) is refused when it is read, a saved one's, too.
 */
#ifndef OXBOW_LEARN_MEMBERS_H
#define OXBOW_LEARN_MEMBERS_H

#include <stddef.h>

#include "learn/learner.h"

struct members {
    const struct component *component; /* borrowed: outlives this */
    struct learner **at;
    size_t n;
    size_t n_features;
    const struct schema *schema; /* borrowed: outlives this; NULL: not told yet */
    enum feature_kind *kinds;    /* NULL: none of the features is a category */
    size_t share;                /* bytes that each member may take; SIZE_MAX: not bounded yet */
};

/* Lifecycle */

/* `n` members that have seen nothing. */
void members_init(struct members *m, const struct component *component, size_t n,
                  size_t n_features);
void members_release(struct members *m); /* one that is all zero is fine */

/* For the slots of struct learner_ops; what they tell goes for learners made later, too. */

void members_set_schema(struct members *m, const struct schema *schema);

/* `kinds` is copied. That all members take them was checked before (component.h). */
void members_set_kinds(struct members *m, const enum feature_kind *kinds);

/*
 * Each member stays within max / parts bytes. `parts` is at least n: more, where the ensemble has
 * learners in the background (members_make()) beside.
 */
void members_set_max_bytes(struct members *m, size_t max, size_t parts);

/* Of the members and of what is allocated here, without the struct itself. */
size_t members_bytes(const struct members *m);

void members_save(const struct members *m, struct buf *out);

/* Into members that are fresh from members_init(); marks `in` when the number is another. */
void members_load(struct members *m, struct blob_reader *in);

/* Appends `,"members":N,"member_bytes":[...]`. */
void members_inspect(const struct members *m, struct buf *out);

/* Use */

/* A learner like those, that has seen nothing; the caller's. */
struct learner *members_make(const struct members *m);

/* Frees member i and puts `lrn`, which members_make() made, in its place; it is owned here now. */
void members_put(struct members *m, size_t i, struct learner *lrn);

/* Puts one that has seen nothing in the place of member i. */
void members_replace(struct members *m, size_t i);

#endif
