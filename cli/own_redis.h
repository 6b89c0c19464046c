/*
 * A redis-server of one's own for `--with-redis`: everything it needs to know
 * is in <data_dir>/redis, its port in <data_dir>/redis.port, so that a second
 * start finds the same data at the same place.
 */
#ifndef OXBOW_CLI_OWN_REDIS_H
#define OXBOW_CLI_OWN_REDIS_H

#include <stddef.h>

#include "base/err.h"

#define OWN_REDIS_MAX_ARGS 40

struct own_redis {
    int port;
    char url[48];                       /* redis://127.0.0.1:<port>/0 */
    char *argv[OWN_REDIS_MAX_ARGS + 1]; /* NULL-terminated; its words are owned */
};

/* The port that was remembered, or 0. */
int own_redis_remembered_port(const char *data_dir);

/*
 * Chooses the port (the remembered one when it is free), makes the folders and the command line.
 * `always`: synced before it is acknowledged, for durability: machine.
 */
int own_redis_prepare(struct own_redis *r, const char *data_dir, int always,
                      struct err *err) MUST_CHECK;
void own_redis_release(struct own_redis *r);

#endif
