/*
 * Preloaded into redis-server: syncing takes long, so that a kill falls into it.
 * Redis then acknowledges entries that it has not written to its file yet.
 */
#include <string.h>
#include <unistd.h>

#include <errno.h>

#define SLOW_US 1500000

int fsync(int fd);
int fdatasync(int fd);

static void dawdle(void)
{
    if (strcmp(program_invocation_short_name, "redis-server") == 0)
        usleep(SLOW_US);
}

/* Nothing is synced at all: only processes are killed in these tests, never the machine. */
int fsync(int fd)
{
    (void)fd;
    dawdle();
    return 0;
}

int fdatasync(int fd)
{
    return fsync(fd);
}
