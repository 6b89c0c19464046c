/*
 * A synthetic city with the extent of New York, whose taxi trips never end.
 *
 * Zones attract trips by weight and distance; arrivals follow the hour and the
 * day of the week; a trip takes its street distance at a speed that depends on
 * the hour, the day, the weather, the two zones and the driver. Six in a
 * thousand take three to ten times as long; four in a thousand are over in
 * less than half a minute, which no label range should accept.
 *
 * After `regime_after_ms` the city changes: roads in half of the zones become
 * 1.6 times as slow, and traffic peaks three hours later. A model that stops
 * learning is wrong from then on.
 *
 * All of it follows from the options: minute m of the city is made from
 * (seed, m) alone, so that a run that goes on somewhere makes again only the
 * four hours before that, which is the longest that a trip may take.
 */
#ifndef OXBOW_SIMULATOR_CITY_H
#define OXBOW_SIMULATOR_CITY_H

#include "simulator/trip.h"

#define CITY_TRIP_MAX_MS INT64_C(14400000)

struct city_options {
    uint64_t seed;
    int64_t start_ms;        /* event time of the first minute */
    int64_t regime_after_ms; /* event time from the start to the change; negative: never */
};

struct trip_source *city_new(const struct city_options *options);

#endif
