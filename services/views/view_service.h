/*
 * oxbow-views: the one reader of the view engine.
 *
 * It feeds the engine with what the three input topics hold, and publishes the
 * rows that come out. A batch is one transaction of the engine: the events, the
 * input positions after them, the outgoing rows and the ledger. Rows are
 * published after their transaction, and acknowledged to the engine once the bus
 * has them; while that travels, the next batch is read and applied.
 *
 * Every time the bus was away, and at every start, both sides are compared:
 * outgoing rows that the bus does not have are published again (the bus refuses
 * those that it has), and messages that the bus has lost since they were read
 * are taken off the count of what was read.
 */
#ifndef OXBOW_VIEW_SERVICE_H
#define OXBOW_VIEW_SERVICE_H

#include "runtime/runtime.h"

/* Runs until asked to stop; gives the exit status. */
int view_service_run(struct runtime *rt);

#endif
