/*
 * Stopping a service: SIGTERM or SIGINT asks it to finish (stop_requested()),
 * a second one leaves at once with exit status 1. SIGPIPE is ignored.
 */
#ifndef OXBOW_BASE_STOP_H
#define OXBOW_BASE_STOP_H

#include <stdbool.h>

void stop_install(void);
bool stop_requested(void);
/* As a signal would; for a program that decides by itself to finish. */
void stop_request(void);

#endif
