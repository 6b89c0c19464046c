/* The names of a task's topics. */
#include "topics.h"

#include <string.h>

#include "base/near.h"

int topics_check(const struct task *task, const char *topic, struct err *err)
{
    const char *const known[] = {task->topics.requests,       task->topics.outcomes,
                                 task->topics.predictions,    task->topics.features,
                                 task->topics.learning_queue, task->topics.dead_letters,
                                 task->topics.drift_alarms};
    struct near near = {.wanted = topic};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i], topic) == 0)
            return 0;
        near_offer(&near, known[i]);
    }
    if (near.name)
        return err_set(err, ERR_INVALID, "there is no topic %s; did you mean %s?", topic,
                       near.name);
    return err_set(err, ERR_INVALID,
                   "there is no topic %s; there are %s, %s, %s, %s, %s, %s and %s", topic, known[0],
                   known[1], known[2], known[3], known[4], known[5], known[6]);
}
