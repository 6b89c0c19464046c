#include "support/redis_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_TRIES 2000 /* of 5 ms */

static void fail(const char *what)
{
    fprintf(stderr, "redis_server: %s: %s\n", what, strerror(errno));
    abort();
}

bool redis_server_available(void)
{
    const char *path = getenv("PATH");
    char candidate[512];

    while (path && *path) {
        size_t n = strcspn(path, ":");
        snprintf(candidate, sizeof(candidate), "%.*s/redis-server", (int)n, path);
        if (access(candidate, X_OK) == 0)
            return true;
        path += n + (path[n] == ':');
    }
    fprintf(stderr, "SKIPPED: redis-server is not installed (apt-get install redis-server)\n");
    return false;
}

static int free_port(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
        getsockname(fd, (struct sockaddr *)&addr, &len))
        fail("finding a free port");
    close(fd);
    return ntohs(addr.sin_port);
}

/* Asks PING over the unix socket: true when the answer is +PONG, so not while it loads. */
static bool answers(const struct redis_server *s)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char reply[16] = "";
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/redis.sock", s->dir);
    bool ok = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
              send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6 &&
              read(fd, reply, sizeof(reply) - 1) > 0 && strncmp(reply, "+PONG", 5) == 0;
    close(fd);
    return ok;
}

static void write_config(const struct redis_server *s)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/redis.conf", s->dir);
    FILE *f = fopen(path, "w");
    if (!f)
        fail(path);
    fprintf(f,
            "bind 127.0.0.1\nport %d\nunixsocket %s/redis.sock\ndir %s\nlogfile %s/log\n"
            "appendonly yes\nsave \"\"\n%s\n",
            s->port, s->dir, s->dir, s->dir, s->options);
    fclose(f);
}

static void launch(struct redis_server *s)
{
    char config[128], socket_path[128];
    pid_t parent = getpid();

    snprintf(config, sizeof(config), "%s/redis.conf", s->dir);
    snprintf(socket_path, sizeof(socket_path), "%s/redis.sock", s->dir);
    unlink(socket_path);
    s->pid = fork();
    if (s->pid < 0)
        fail("fork");
    if (s->pid == 0) {
        /* It must not outlive a test that is killed. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        execlp("redis-server", "redis-server", config, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < START_TRIES; i++) {
        struct timespec pause = {0, 5000000};
        int status;

        if (answers(s))
            return;
        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            fprintf(stderr, "redis_server: it exited with status %d, see %s/log\n", status, s->dir);
            abort();
        }
        nanosleep(&pause, NULL);
    }
    fprintf(stderr, "redis_server: it does not answer, see %s/log\n", s->dir);
    abort();
}

void redis_server_start(struct redis_server *s, const char *options)
{
    memset(s, 0, sizeof(*s));
    snprintf(s->dir, sizeof(s->dir), "/tmp/oxbow-redis-XXXXXX");
    if (!mkdtemp(s->dir))
        fail(s->dir);
    s->port = free_port();
    snprintf(s->url, sizeof(s->url), "unix://%s/redis.sock", s->dir);
    snprintf(s->tcp_url, sizeof(s->tcp_url), "redis://127.0.0.1:%d", s->port);
    snprintf(s->options, sizeof(s->options), "%s", options ? options : "");
    write_config(s);
    launch(s);
}

void redis_server_kill(struct redis_server *s)
{
    if (!s->pid)
        return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

void redis_server_restart(struct redis_server *s)
{
    redis_server_kill(s);
    launch(s);
}

long long redis_server_cpu_us(const struct redis_server *s)
{
    char path[64];
    unsigned long long user = 0, system = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)s->pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    if (fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
               &system) != 2)
        user = system = 0;
    fclose(f);
    return (long long)(user + system) * 1000000 / sysconf(_SC_CLK_TCK);
}

void redis_server_stop(struct redis_server *s)
{
    char command[128];

    redis_server_kill(s);
    if (!s->dir[0])
        return;
    snprintf(command, sizeof(command), "rm -rf '%s'", s->dir);
    if (system(command) != 0)
        fprintf(stderr, "redis_server: could not remove %s\n", s->dir);
    s->dir[0] = '\0';
}
