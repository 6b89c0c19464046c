/* The command line and the port of a redis-server of one's own. */
#include "own_redis.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "paths.h"

static void port_file(struct buf *out, const char *data_dir)
{
    buf_printf(out, "%s/redis.port", data_dir);
}

int own_redis_remembered_port(const char *data_dir)
{
    struct buf path = BUF_INIT;
    struct buf text = BUF_INIT;
    int64_t port = 0;

    port_file(&path, data_dir);
    if (paths_read(buf_str(&path), &text, NULL) != 0 ||
        num_parse_int(buf_str(&text), strcspn(buf_str(&text), "\n"), &port) != 0 || port < 1 ||
        port > 65535)
        port = 0;
    buf_release(&path);
    buf_release(&text);
    return (int)port;
}

/* Binds `port` (0: any) on the loopback for a moment. Returns the port, or 0 when it is taken. */
static int try_port(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t len = sizeof(address);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return 0;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    int got = 0;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        got = ntohs(address.sin_port);
    close(fd);
    return got;
}

static int choose_port(struct own_redis *r, const char *data_dir, struct err *err)
{
    struct buf path = BUF_INIT;
    int remembered = own_redis_remembered_port(data_dir);
    int rc = 0;

    /* A server that was killed a moment ago may still hold it. */
    for (int i = 0; remembered && !r->port && i < 20; i++) {
        if (i)
            clock_sleep_ms(100);
        r->port = try_port(remembered);
    }
    if (!r->port)
        r->port = try_port(0);
    if (!r->port) {
        rc =
            err_set(err, ERR_IO, "no free port for redis-server on 127.0.0.1: %s", strerror(errno));
    } else if (r->port != remembered) {
        char text[NUM_TEXT_MAX + 1];
        size_t n = num_format_int(r->port, text);
        memcpy(text + n, "\n", 2);
        port_file(&path, data_dir);
        rc = paths_write(buf_str(&path), text, err);
        buf_release(&path);
    }
    return rc;
}

int own_redis_prepare(struct own_redis *r, const char *data_dir, int always, struct err *err)
{
    struct buf dir = BUF_INIT;

    *r = (struct own_redis){0};
    buf_printf(&dir, "%s/redis", data_dir);
    int rc = paths_make_dir(buf_str(&dir), err);
    if (rc == 0)
        rc = choose_port(r, data_dir, err);
    if (rc == 0) {
        char port[NUM_TEXT_MAX];
        num_format_int(r->port, port);
        snprintf(r->url, sizeof(r->url), "redis://127.0.0.1:%d/0", r->port);
        const char *const words[] = {
            "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", buf_str(&dir),
            "--appendonly", "yes", "--appendfsync", always ? "always" : "everysec",
            /* The append-only file is rewritten when it has doubled; no snapshots beside it. */
            "--auto-aof-rewrite-percentage", "100", "--auto-aof-rewrite-min-size", "64mb", "--save",
            "", "--maxmemory", "0", "--daemonize", "no", "--databases", "1", "--loglevel",
            "warning"};
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            r->argv[i] = mem_strdup(words[i]);
    }
    buf_release(&dir);
    return rc;
}

void own_redis_release(struct own_redis *r)
{
    for (size_t i = 0; r->argv[i]; i++)
        free(r->argv[i]);
    *r = (struct own_redis){0};
}
