/* oxbow-simulator: see simulator.h. */
#include "simulator/simulator.h"

static int run(struct runtime *rt)
{
    return simulator_run(rt, rt->spec->ctx);
}

int main(int argc, char **argv)
{
    struct simulator_options options;
    struct runtime_spec spec = {
        .service = "simulator",
        .metrics_port = 9401,
        .summary = "publishes taxi trips: a request at each pick-up, its outcome at the drop-off",
        .options = simulator_option_list,
        .n_options = simulator_n_options,
        .option = simulator_option,
        .ctx = &options,
    };

    simulator_options_init(&options);
    return runtime_main(argc, argv, &spec, run);
}
