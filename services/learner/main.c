/* oxbow-learner: teaches every model of a task from its learning-queue. The logic is in learning.c.
 */
#include "base/stop.h"
#include "learner/learning.h"
#include "runtime/runtime.h"

#define POLL_MS       100
#define LEASE_LOOK_MS 400  /* the longest wait between two looks at another's lease */
#define CLOSE_MS      5000 /* how long the last checkpoint may be tried */

static const struct runtime_spec spec = {
    .service = "learner",
    .metrics_port = 9404,
    .summary = "Learns the labelled rows of a task and leaves its models in the store.",
};

/* Opens the learner, then goes on until asked to stop. */
static int loop(struct runtime *rt, struct learning *l, bool *ret_open, struct err *err)
{
    struct log_trouble trouble = {0};
    struct backoff backoff = {0};
    int rc = 0;

    while (rc >= 0 && !stop_requested()) {
        rc = *ret_open ? learning_step(l, POLL_MS, err) : learning_open(l, err);
        if (rc >= 0) {
            *ret_open = true;
            backoff_reset(&backoff);
            log_trouble_over(&trouble);
            rc = runtime_tick(rt, "running", learning_status, l, err);
        } else if (err->retriable) {
            struct err cause = *err;

            if (rc == ERR_CONFLICT && backoff.wait_ms > LEASE_LOOK_MS)
                backoff.wait_ms = LEASE_LOOK_MS;
            rc = runtime_pause(rt, &trouble, rc == ERR_CONFLICT ? "lease" : "server", &cause,
                               &backoff, err);
        }
    }
    return rc < 0 ? rc : 0;
}

/* The last checkpoint; without it nothing is lost, but learned again. */
static int drain(struct runtime *rt, struct learning *l, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + CLOSE_MS;
    struct backoff backoff = {0};
    struct err ignored;
    int rc = learning_close(l, err);

    while (rc < 0 && err->retriable && clock_mono_ms() < until_ms) {
        backoff_wait(&backoff);
        rc = learning_close(l, err);
    }
    if (rc == 0 && runtime_beat(rt, "done", learning_status, l, &ignored) < 0)
        log_debug("the last heartbeat: %s", ignored.text);
    return rc;
}

static int run(struct runtime *rt)
{
    struct err err = {0};
    struct learning *l = NULL;
    bool is_open = false;
    int rc = runtime_connect(rt, NULL, NULL, &err);

    if (rc == 0) {
        struct learning_options options = {
            .task = rt->task,
            .sql_hash = rt->sql_hash,
            .store = rt->store,
            .bus = rt->bus,
            .tm = rt->tm,
            .owner = rt->instance,
        };
        l = learning_new(&options, &err);
        if (l)
            runtime_observe(rt, learning_observe, l);
        rc = l ? loop(rt, l, &is_open, &err) : err.code;
    }
    if (rc == 0 && is_open)
        rc = drain(rt, l, &err);
    runtime_observe(rt, NULL, NULL);
    learning_free(l);
    return rc < 0 ? runtime_exit_status(&err) : RUNTIME_OK;
}

int main(int argc, char **argv)
{
    return runtime_main(argc, argv, &spec, run);
}
