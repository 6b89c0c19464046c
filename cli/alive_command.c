/* `oxbow alive`: whether a service's heartbeat is in the store. What health checks call. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "base/clock.h"
#include "base/mem.h"
#include "commands.h"
#include "inspect/status.h"
#include "options.h"

static const struct status_service *find(const struct status *s, const char *instance)
{
    for (size_t i = 0; i < s->n_services; i++)
        if (strcmp(s->service[i].instance, instance) == 0)
            return &s->service[i];
    return NULL;
}

/* A heartbeat outlives its service by some seconds; one that has left says so in its last. */
static int judge(const struct status_service *service, const char *instance)
{
    if (!service) {
        fprintf(stderr, "oxbow alive: %s has no heartbeat\n", instance);
        return CLI_FAILED;
    }
    printf("%s %s, %" PRId64 " ms ago\n", instance, service->state,
           clock_wall_ms() - service->time_ms);
    return strcmp(service->state, "done") == 0 ? CLI_FAILED : CLI_OK;
}

int alive_command(int argc, char **argv)
{
    struct access_options o = {0};
    struct access a = {0};
    struct err err = {0};
    const char *instance = NULL;
    const struct option_spec options[] = {
        ACCESS_OPTIONS(o),
    };
    const struct usage usage = {
        .command = "alive",
        .operands = "INSTANCE",
        .summary = "Looks for the heartbeat of one service (\"views-1\"), which it renews every "
                   "second and\nwhich is forgotten after five. Exit status: 0 it is there, 1 it "
                   "is not, 3 the store is away.",
        .options = options,
        .n_options = sizeof(options) / sizeof(options[0]),
        .operand = &instance,
        .n_operands = 1,
    };

    int status = options_parse(&usage, argc, argv);
    if (status != CLI_GO)
        return status;
    struct status *s = mem_zalloc(1, sizeof(*s));
    struct status_lag *lag = mem_zalloc(1, sizeof(*lag));
    int rc = access_open_store(&a, &o, &err);
    if (rc == 0)
        rc = status_read(a.in.store, s, lag, &err);
    status = rc < 0 ? access_complain("alive", &err) : judge(find(s, instance), instance);
    free(lag);
    free(s);
    access_release(&a);
    return status;
}
