/*
 * A small world for tests of services: a task on the memory backends, the rows
 * that oxbow-views would publish, and a look at what came out. Each service
 * under test has a peer of its own (a bus, a store, its counters), as if it
 * were a process.
 *
 * Everything asserts: a function that returns has succeeded.
 */
#ifndef OXBOW_TESTS_INTEGRATION_WORLD_H
#define OXBOW_TESTS_INTEGRATION_WORLD_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "bus/bus.h"
#include "inference/inference.h"
#include "learner/learning.h"
#include "rows/row.h"
#include "store/store.h"
#include "task/task.h"
#include "telemetry/telemetry.h"

#define WORLD_SQL    UINT64_C(42) /* the hash of the SQL that is not there */
#define WORLD_LEASE  60           /* ms: a dead learner's lease runs out soon */
#define WORLD_LINEAR "[\"standard_scaler\", \"linear_regression\"]"
#define WORLD_TREE   "[\"standard_scaler\", {\"hoeffding_tree_regressor\": {\"grace_period\": 50}}]"
#define WORLD_NEAR   "[\"standard_scaler\", {\"knn_regressor\": {\"window_size\": 40}}]"

struct peer {
    struct store *store;
    struct bus *bus;
    struct telemetry *tm;
};

struct world {
    char dir[64]; /* of the task file */
    char name[32];
    char incarnation[UUID_TEXT_LEN + 1];
    const char *backend; /* of bus and store: "memory", or "redis" at `url` */
    const char *url;
    struct task *task;
    struct peer views; /* publishes the rows, looks at the rest */
};

/* Models "one" and "two" with these pipelines; `more` is further members of the task file: ", ...".
 */
void world_open(struct world *w, const char *one, const char *two, const char *more);
/* The same on a Redis server; `url` must outlive the world. */
void world_open_redis(struct world *w, const char *url, const char *one, const char *two,
                      const char *more);
void world_close(struct world *w);
/* Waits until the views peer has its server again. */
void world_reach(struct world *w);

/* The same world under another task file; w->task is replaced. */
void world_reload(struct world *w, const char *one, const char *two, const char *more);

void world_peer_open(struct world *w, struct peer *p);
void world_peer_close(struct peer *p);

/* ---- Rows: number `i` always has the same features and label ---- */

void world_features_text(uint64_t i, struct buf *out); /* the object */
double world_label(uint64_t i);
void world_row_text(uint64_t i, struct buf *out); /* a row of learning-queue with seq `i` */

/* Publishes rows first..last of learning-queue. */
void world_queue(struct world *w, uint64_t first, uint64_t last);
/* Publishes a request to features with seq `i`. */
void world_request(struct world *w, uint64_t i);
/* Any message. */
void world_publish(struct world *w, const char *topic, const char *key, const char *value);

/* The fold of rows 1..last into model `i`, made without any service; fold_free(). */
struct fold *world_fold(struct world *w, size_t i, uint64_t last);

/* ---- Services ---- */

struct learning *world_learning(struct world *w, struct peer *p);
/* Opens it, waiting for a dead learner's lease to run out. */
void world_learning_open(struct learning *l);
/* Steps until every model has reached `seq`. */
void world_learn_until(struct world *w, struct learning *l, uint64_t seq);

struct inference *world_inference(struct world *w, struct peer *p);

/* ---- Looking ---- */

void world_generation(struct world *w, size_t i, char ret[TASK_GENERATION_LEN + 1]);
/* The newest version of model `i`'s generation; store_version_release(). */
void world_head(struct world *w, size_t i, struct store_version *ret);
/* What is served as model `i`: a name; free(). NULL when nothing is. */
char *world_serving(struct world *w, size_t i);
/* All messages of a topic: values, one a line, in order; returns their number. */
size_t world_topic(struct world *w, const char *topic, struct buf *out);
/* A counter of a peer. */
uint64_t world_counter(struct peer *p, const char *name);
/* Publishes `blob` as a version of model `i` at `position`, as a learner that has gone wrong would.
 */
void world_plant(struct world *w, size_t i, const char *generation, uint64_t position,
                 const void *blob, size_t len);

#endif
