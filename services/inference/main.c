/* oxbow-inference: answers every request of a task with every model. The logic is in inference.c.
 */
#include "base/stop.h"
#include "inference/inference.h"
#include "runtime/runtime.h"

#define POLL_MS 100

static const struct runtime_spec spec = {
    .service = "inference",
    .metrics_port = 9403,
    .summary = "Answers the requests of a task with the newest models in the store.",
};

/* Opens, then goes on until asked to stop. A step that was begun is always finished. */
static int loop(struct runtime *rt, struct inference *inf, struct err *err)
{
    struct log_trouble trouble = {0};
    struct backoff backoff = {0};
    bool is_open = false;
    int rc = 0;

    while (rc >= 0 && !stop_requested()) {
        rc = is_open ? inference_step(inf, POLL_MS, err) : inference_open(inf, err);
        if (rc >= 0) {
            is_open = true;
            backoff_reset(&backoff);
            log_trouble_over(&trouble);
            rc = runtime_tick(rt, "running", inference_status, inf, err);
        } else if (err->retriable) {
            struct err cause = *err;

            rc = runtime_pause(rt, &trouble, "server", &cause, &backoff, err);
        }
    }
    return rc < 0 ? rc : 0;
}

static int run(struct runtime *rt)
{
    struct err err = {0};
    struct inference *inf = NULL;
    rt->transaction = rt->task->exactly_once ? rt->instance : NULL;
    int rc = runtime_connect(rt, NULL, NULL, &err);

    if (rc == 0) {
        struct inference_options options = {
            .task = rt->task,
            .sql_hash = rt->sql_hash,
            .store = rt->store,
            .bus = rt->bus,
            .tm = rt->tm,
            .member = rt->instance,
        };
        inf = inference_new(&options, &err);
        if (inf)
            runtime_observe(rt, inference_observe, inf);
        rc = inf ? loop(rt, inf, &err) : err.code;
    }
    if (rc == 0) {
        struct err ignored;
        if (runtime_beat(rt, "done", inference_status, inf, &ignored) < 0)
            log_debug("the last heartbeat: %s", ignored.text);
    }
    runtime_observe(rt, NULL, NULL);
    inference_free(inf);
    return rc < 0 ? runtime_exit_status(&err) : RUNTIME_OK;
}

int main(int argc, char **argv)
{
    return runtime_main(argc, argv, &spec, run);
}
