/* The command line that all services share. Private to the runtime. */
#ifndef OXBOW_RUNTIME_OPTIONS_H
#define OXBOW_RUNTIME_OPTIONS_H

#include "runtime/runtime.h"

#define OPTIONS_CONFIG "config/taxi.json"

/*
 * Reads the command line into rt->instance and the log's level, and hands the service its own
 * options. *ret_config points into argv or is the default. RUNTIME_GO, or the status to leave with:
 * what there was to say has been said.
 */
int options_read(struct runtime *rt, int argc, char **argv, const char **ret_config);

#endif
