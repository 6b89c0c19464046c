/* Reading topic `<task>-views-state`. */
#ifndef OXBOW_STATE_STATE_READ_H
#define OXBOW_STATE_STATE_READ_H

#include "state.h"

/* "<task>-views-state", to be freed. */
char *state_topic(const char *task);

/* The newest state that is there, for those who only look; all zero when there is none. */
int state_read_newest(struct bus *bus, const char *task, const char *incarnation, struct state *ret,
                      struct err *err) MUST_CHECK;

/* The seq in the newest rows of `topic`, the greatest of all partitions; 0 when it is empty. */
int state_read_last_seq(struct bus *bus, const char *topic, uint64_t *ret,
                        struct err *err) MUST_CHECK;

#endif
