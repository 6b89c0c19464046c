/* For engines: does the task's SQL define what the task file asks for? */
#ifndef OXBOW_VIEWS_VIEWS_CHECK_H
#define OXBOW_VIEWS_VIEWS_CHECK_H

#include "views/views.h"

struct views_needs {
    const char *features_view; /* what is published as topic features */
    const char *sql_dir;       /* for texts */
    const char *key, *label;
    const char *const *features;
    size_t n_features;
};

/* ERR_NOT_FOUND for a view, ERR_INVALID for a column that is not there, naming it and those that
 * are. */
int views_check_columns(struct views *v, const struct views_needs *needs,
                        struct err *err) MUST_CHECK;

#endif
