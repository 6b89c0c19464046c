/* oxbow-views: see view_service.h. */
#include "view_service.h"

int main(int argc, char **argv)
{
    static const struct runtime_spec SPEC = {
        .service = "views",
        .summary = "Turns requests, predictions and outcomes into features and labelled rows, with "
                   "the task's SQL.",
    };
    struct runtime rt;
    int status = runtime_init(&rt, argc, argv, &SPEC);

    if (status == RUNTIME_GO)
        status = view_service_run(&rt);
    runtime_release(&rt);
    return status;
}
