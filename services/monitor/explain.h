/*
 * Why a prediction is what it is: asks the stored version that answered, and keeps
 * the models that were asked last. It has a connection of its own to the store, made
 * when it is first needed, and locks of its own: an answer takes milliseconds, and
 * nothing else of the monitor waits for it. While the store does not answer, one
 * question waits for it, others are refused after a second, and models that are kept
 * go on explaining.
 */
#ifndef OXBOW_MONITOR_EXPLAIN_H
#define OXBOW_MONITOR_EXPLAIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "task/task.h"

#define EXPLAIN_MODELS 4 /* kept loaded: at most max_model_bytes each */

struct explainer;

/* What was answered to a request, from its message on `predictions`. */
struct explain_question {
    const char *incarnation;    /* the task's life that it belongs to */
    const char *model;          /* its name in the task file */
    const char *version;        /* that answered */
    struct json_value features; /* the object that it answered to */
    double served;              /* as it went out; NaN: null */
};

/*
 * Borrows `task`; `sql_hash` as in task_generation(). ERR_UNSUPPORTED: it has features that cannot
 * be read (row.h).
 */
struct explainer *explainer_new(const struct task *task, uint64_t sql_hash,
                                struct err *err) MUST_CHECK;
void explainer_free(struct explainer *e); /* NULL is fine */

/*
 * Appends the JSON object of `GET /api/explain`: the explanation, or `{"available": false,
 * "reason": ...}` when the version is gone, is of other features, or is of a class that cannot
 * explain. ERR_NOT_FOUND: the task file has no such model; ERR_INVALID: the features cannot be
 * read; ERR_DISCONNECTED or ERR_TIMEOUT: the store is away. From any thread.
 */
int explainer_answer(struct explainer *e, const struct explain_question *q, struct buf *out,
                     struct err *err) MUST_CHECK;

/* Appends model_inspect() of a stored version. ERR_NOT_FOUND: it is gone, or there is no such
 * model; other errors as above. From any thread. */
int explainer_inspect(struct explainer *e, const char *incarnation, const char *model,
                      const char *version, struct buf *out, struct err *err) MUST_CHECK;

#endif
