/* Stopping: the handler sets a flag and nothing else. */
#include "base/stop.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t is_requested;
static volatile sig_atomic_t is_signalled;

static void on_signal(int sig)
{
    (void)sig;
    if (is_signalled)
        _exit(1);
    is_signalled = 1;
    is_requested = 1;
}

void stop_install(void)
{
    /* Without SA_RESTART, so that a wait ends at once. */
    struct sigaction action = {.sa_handler = on_signal};

    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

bool stop_requested(void)
{
    return is_requested;
}

void stop_request(void)
{
    is_requested = 1;
}
