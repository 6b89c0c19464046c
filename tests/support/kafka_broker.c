#include "support/kafka_broker.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIP 77

static int script(const struct kafka_broker *broker, const char *command, bool with_port)
{
    char line[600];
    char port[16] = "";

    if (with_port)
        snprintf(port, sizeof(port), " %d", broker->port);
    snprintf(line, sizeof(line), "python3 %s/tests/support/kafka_broker.py %s %s%s > /dev/null",
             OXBOW_SOURCE_DIR, command, broker->dir, port);
    int status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A port that nobody listens on at the moment. */
static int free_port(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        abort();
    close(fd);
    return ntohs(addr.sin_port);
}

bool kafka_broker_start(struct kafka_broker *broker)
{
    snprintf(broker->dir, sizeof(broker->dir), "/tmp/oxbow-kafka-XXXXXX");
    if (!mkdtemp(broker->dir))
        abort();
    broker->port = free_port();
    snprintf(broker->url, sizeof(broker->url), "127.0.0.1:%d", broker->port);
    int status = script(broker, "start", true);
    if (status == 0)
        return true;
    if (status != SKIP) {
        fprintf(stderr, "kafka_broker.py start: status %d\n", status);
        abort();
    }
    kafka_broker_end(broker);
    return false;
}

void kafka_broker_stop(struct kafka_broker *broker)
{
    if (script(broker, "stop", false) != 0)
        abort();
}

void kafka_broker_kill(struct kafka_broker *broker)
{
    if (script(broker, "kill", false) != 0)
        abort();
}

void kafka_broker_restart(struct kafka_broker *broker)
{
    if (script(broker, "start", true) != 0)
        abort();
}

void kafka_broker_end(struct kafka_broker *broker)
{
    char line[100];

    script(broker, "kill", false);
    snprintf(line, sizeof(line), "rm -rf %s", broker->dir);
    if (system(line) != 0)
        fprintf(stderr, "%s stays\n", broker->dir);
}
