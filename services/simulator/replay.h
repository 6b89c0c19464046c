/*
 * Trips from a CSV file with the columns of Kaggle's "NYC Taxi Trip Duration",
 * in any order, more than these allowed:
 *
 *   id vendor_id pickup_datetime dropoff_datetime passenger_count
 *   pickup_longitude pickup_latitude dropoff_longitude dropoff_latitude
 *   store_and_fwd_flag
 *
 * Rows need not be sorted. The whole file is held in memory, about 130 bytes a
 * trip. Numbers are passed on as the file spells them, empty cells as null. A
 * row that cannot be read is named in the log by line and column, counted and
 * left out; only the first few are named.
 */
#ifndef OXBOW_SIMULATOR_REPLAY_H
#define OXBOW_SIMULATOR_REPLAY_H

#include "simulator/trip.h"

#define REPLAY_TRIPS_MAX 20000000

/*
 * NULL with ERR_REFUSED when the file cannot be opened or read to its end, has no such columns, no
 * trip that can be read, or too many.
 */
struct trip_source *replay_open(const char *path, struct err *err) MUST_CHECK;

#endif
