/*
 * Publishes the events of a schedule to the bus, in their order, and knows
 * where to go on after a crash, of this program or of the server.
 *
 * Every message carries its place as header `cursor`. After a start or a lost
 * connection the later of the two topics' last cursors is the place: messages
 * go out in order on one connection, so what a server has is a prefix of them.
 * A message that the server would not take (out of memory, say) while it took
 * a later one is the exception: it leaves a hole, so publishing goes back to it
 * at once, and what came behind it is published twice, which readers know by
 * its key. Only a kill between the two would leave the hole.
 *
 * Where the bus keeps order within a partition only (Kafka), each partition has
 * a prefix of what belongs there: publishing goes back to the oldest of the
 * partitions' last cursors, and passes over what its partition has already.
 *
 * Order of calls: (sync → publish*)*, and sync again when failure() says so.
 */
#ifndef OXBOW_SIMULATOR_PUBLISHER_H
#define OXBOW_SIMULATOR_PUBLISHER_H

#include "bus/bus.h"
#include "simulator/schedule.h"

/* Messages whose fate is not known, at most. */
#define PUBLISHER_IN_FLIGHT 4096

struct publisher;

/* Borrows all; the topics' names are those of the requests and of the outcomes. */
struct publisher *publisher_new(struct trip_source *source, struct schedule *schedule,
                                const char *requests, const char *outcomes);
void publisher_free(struct publisher *p); /* NULL is fine */

/* The bus's delivery callback, with the publisher as its ctx. */
void publisher_delivered(void *ctx, void *opaque, int result, const struct bus_pos *pos,
                         const struct err *err);

/*
 * Moves the schedule to just after what the bus holds. ERR_DISCONNECTED and the like are retriable;
 * ERR_REFUSED: the topics were filled by another source.
 */
int publisher_sync(struct publisher *p, struct bus *bus, struct err *err) MUST_CHECK;

/* True when there is room for another message in flight. */
bool publisher_has_room(const struct publisher *p);

/*
 * Queues the schedule's next event, which there must be. On error, and always while there is a
 * failure(), the schedule does not move.
 */
int publisher_publish(struct publisher *p, struct bus *bus, struct err *err) MUST_CHECK;

/* Why publishing must stop until the next sync; NULL when nothing has failed. */
const struct err *publisher_failure(const struct publisher *p);

/* Messages that were delivered since the beginning. */
uint64_t publisher_delivered_count(const struct publisher *p);

#endif
