/*
 * oxbow-simulator: taxi trips as a stream of requests (pick-ups) and outcomes
 * (drop-offs), from a synthetic city or from a file of real trips, at a pace of
 * one's choice. The topics' names are those of the task file.
 */
#ifndef OXBOW_SIMULATOR_SIMULATOR_H
#define OXBOW_SIMULATOR_SIMULATOR_H

#include "runtime/runtime.h"
#include "simulator/city.h"
#include "simulator/pace.h"

/* What the command line says. Strings are borrowed. */
struct simulator_options {
    const char *replay; /* file of trips; NULL: the synthetic city */
    double speed;       /* event time runs so many times as fast as the clock */
    double rate;        /* requests a second instead; 0: by speed */
    uint64_t trips;     /* end after so many; 0: never, or with the file */
    struct city_options city;
    bool has_speed;       /* --speed was given */
    const char *for_city; /* the last option given that only the city knows, or NULL */
};

/* The defaults: the city with seed 42 at 60 times real time, changing after six hours. */
void simulator_options_init(struct simulator_options *options);

/* Takes one option of the command line (runtime_spec.option, with the options as ctx). */
int simulator_option(void *ctx, const char *name, const char *value, struct err *err);

/* The options that simulator_option() knows, for runtime_spec. */
extern const struct runtime_option simulator_option_list[];
extern const size_t simulator_n_options;

/* Runs until it is asked to stop or everything is published; the exit status. */
int simulator_run(struct runtime *rt, const struct simulator_options *options);

#endif
