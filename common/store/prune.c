/*
 * Which versions are forgotten. Hours are counted back from the newest version, not from now: so
 * the choice depends on what is stored alone, and a learner that was away for a week does not lose
 * its last day.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_backend.h"

#define HOUR_MS    3600000
#define KEEP_HOURS 24

/* How many versions of the same generation were published after v[i]; whether one of them in the
 * same hour. */
static size_t newer_of_generation(const struct store_version *v, size_t n, size_t i,
                                  bool *ret_same_hour)
{
    size_t newer = 0;

    *ret_same_hour = false;
    for (size_t j = i + 1; j < n; j++) {
        if (strcmp(v[j].generation, v[i].generation) != 0)
            continue;
        newer++;
        if (v[j].time_ms / HOUR_MS == v[i].time_ms / HOUR_MS)
            *ret_same_hour = true;
    }
    return newer;
}

void store_prune_choose(const struct store_version *v, size_t n, size_t keep, const char *serving,
                        struct store_names *ret)
{
    int64_t newest_ms = 0;

    for (size_t i = 0; i < n; i++)
        if (v[i].time_ms > newest_ms)
            newest_ms = v[i].time_ms;
    for (size_t i = 0; i < n; i++) {
        bool same_hour;
        size_t newer = newer_of_generation(v, n, i, &same_hour);
        bool of_the_day = v[i].time_ms > newest_ms - (int64_t)KEEP_HOURS * HOUR_MS;

        if (newer == 0 || newer < keep || strcmp(v[i].version, serving) == 0)
            continue;
        if (!same_hour && of_the_day)
            continue;
        store_names_add(ret, v[i].version, strlen(v[i].version));
    }
}
