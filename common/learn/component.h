/*
 * One element of a pipeline: a class and the values of its parameters, which
 * may hold further components ({"linear_regression": {"optimizer": {"sgd": ...}}}).
 */
#ifndef OXBOW_LEARN_COMPONENT_H
#define OXBOW_LEARN_COMPONENT_H

#include "base/buf.h"
#include "learn/registry.h"

struct component {
    const struct learn_class *class;
    void *params; /* the class's struct of parameters, class->params_size bytes */
};

/* Lifecycle */

struct component *component_new(const struct learn_class *class);      /* every default filled in */
struct component *component_of_number(enum learn_kind kind, double v); /* its class "constant" */
void component_free_names(struct learn_names *names);                  /* it is empty then */
void component_free_lists(struct learn_lists *lists);
void component_free_map(struct learn_map *map);   /* likewise */
void component_free(struct component *component); /* NULL is fine */

/* Where a parameter's value is. */
void *component_value(const struct component *component, const struct learn_param *param);

/* How many learners it makes: one, or as many as an ensemble's members make together. */
#define LEARN_MAX_MEMBERS 1000 /* more are refused where a pipeline is read */
size_t component_learners(const struct component *component);

/* The class in it that takes no categories though it would see them; NULL when all take them. */
const struct learn_class *component_without_categories(const struct component *component);

/*
 * Appends the canonical JSON text: {"class":{every parameter, sorted by name}},
 * numbers as short as they can be. A `late` parameter is left out at its default.
 */
void component_write(const struct component *component, struct buf *out);

#endif
