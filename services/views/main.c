/* oxbow-views: see view_service.h. */
#include "view_service.h"

int main(int argc, char **argv)
{
    static const struct runtime_spec SPEC = {
        .service = "views",
        .metrics_port = 9402,
        .summary = "Turns requests, predictions and outcomes into features and labelled rows, with "
                   "the task's SQL.",
    };

    return runtime_main(argc, argv, &SPEC, view_service_run);
}
