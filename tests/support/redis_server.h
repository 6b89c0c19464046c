/*
 * A private redis-server for one test program: on a unix socket and a free
 * port, in a directory of its own under /tmp. It is killed when the program
 * dies, however that happens; the directory is removed by redis_server_stop().
 */
#ifndef OXBOW_TESTS_SUPPORT_REDIS_SERVER_H
#define OXBOW_TESTS_SUPPORT_REDIS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct redis_server {
    char dir[64];
    char url[128];    /* unix://<dir>/redis.sock */
    char tcp_url[64]; /* redis://127.0.0.1:<port> */
    int port;
    pid_t pid;          /* 0 when it is not running */
    char options[1024]; /* more lines for its configuration */
};

/* True when there is a redis-server to start. When not, says so on stderr: the test is to be
 * skipped. */
bool redis_server_available(void);

/*
 * Starts it with appendonly yes and `options` (lines of redis.conf, NULL for none), and waits until
 * it answers. Aborts the program when it cannot be started.
 */
void redis_server_start(struct redis_server *s, const char *options);

/* Kills it as by kill -9, and waits until it is gone. The data stay. */
void redis_server_kill(struct redis_server *s);

/* Starts it again on the same data and the same port; waits until it has loaded them. */
void redis_server_restart(struct redis_server *s);

/* The CPU time that it has used, in microseconds. */
long long redis_server_cpu_us(const struct redis_server *s);

/* Kills it and removes its directory. */
void redis_server_stop(struct redis_server *s);

#endif
