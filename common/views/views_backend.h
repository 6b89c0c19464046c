/*
 * For engines of views.h: the table that an engine file ends with, and the base
 * that its struct starts with.
 *
 * Slots have the contracts of the functions of the same name in views.h. Slots
 * marked (optional) may be NULL: the wrapper then answers ERR_UNSUPPORTED.
 */
#ifndef OXBOW_VIEWS_VIEWS_BACKEND_H
#define OXBOW_VIEWS_VIEWS_BACKEND_H

#include "views/views.h"

struct views_backend {
    const char *name; /* as in the task file */

    /* lifecycle */
    struct views *(*open)(const struct views_options *options, struct err *err);
    void (*close)(struct views *v);
    int (*apply)(struct views *v, bool *ret_changed, struct err *err);
    void (*cancel)(struct views *v);

    /* incarnation */
    int (*incarnation)(struct views *v, char ret[UUID_TEXT_LEN + 1], bool *ret_announced,
                       struct err *err);
    int (*incarnation_set)(struct views *v, const char *id, struct err *err);
    int (*announce)(struct views *v, struct err *err);
    int (*wipe)(struct views *v, struct err *err); /* (optional) */

    /* feeding (optional, all or none): engines that run in this process */
    int (*ingest)(struct views *v, const struct views_event *events, size_t n,
                  const struct views_position *positions, size_t n_positions, int64_t now_ms,
                  struct err *err);
    int (*position)(struct views *v, enum views_input input, struct buf *ret, struct err *err);
    int (*rewound)(struct views *v, enum views_input input, uint64_t n, struct err *err);
    int (*counters)(struct views *v, struct views_ledger *ret, struct err *err);

    /* changes */
    int (*poll)(struct views *v, int timeout_ms, struct views_batch *ret, struct err *err);
    int (*ack)(struct views *v, const char *token, struct err *err);
    int (*replay)(struct views *v, enum views_output output, uint64_t seq, struct err *err);

    /* asking */
    int (*columns)(struct views *v, const char *view, struct views_column **ret, size_t *ret_n,
                   struct err *err);
    int (*names)(struct views *v, struct buf *ret, struct err *err);
    int (*query)(struct views *v, const char *sql, views_query_fn fn, void *ctx, struct err *err);
    int (*pin)(struct views *v, struct err *err);
    int (*unpin)(struct views *v, struct err *err);
    int (*ledger)(struct views *v, struct views_ledger *ret, struct err *err);
};

struct views {
    const struct views_backend *backend; /* set by views_open() */
};

extern const struct views_backend views_sqlite;
extern const struct views_backend views_materialize;

#endif
