/* The command line that all services share. Private to the runtime. */
#ifndef OXBOW_RUNTIME_OPTIONS_H
#define OXBOW_RUNTIME_OPTIONS_H

#include "runtime/runtime.h"

#define OPTIONS_CONFIG "config/taxi.json"

struct options {
    const char *config;   /* points into argv, or is the default */
    bool has_log_level;   /* --log-level was given */
    enum log_level level; /* what it said */
    const char *metrics;  /* --metrics; NULL: not given */
};

/*
 * Reads the command line into rt->instance and *ret, and hands the service its own options.
 * RUNTIME_GO, or the status to leave with: what there was to say has been said.
 */
int options_read(struct runtime *rt, int argc, char **argv, struct options *ret);

#endif
