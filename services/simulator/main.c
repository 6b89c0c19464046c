/* oxbow-simulator: see simulator.h. */
#include "simulator/simulator.h"

int main(int argc, char **argv)
{
    struct simulator_options options;
    struct runtime_spec spec = {
        .service = "simulator",
        .summary = "publishes taxi trips: a request at each pick-up, its outcome at the drop-off",
        .options = simulator_option_list,
        .n_options = simulator_n_options,
        .option = simulator_option,
        .ctx = &options,
    };
    struct runtime rt;

    simulator_options_init(&options);
    int status = runtime_init(&rt, argc, argv, &spec);
    if (status == RUNTIME_GO)
        status = simulator_run(&rt, &options);
    runtime_release(&rt);
    return status;
}
