/* The server's life: options, the listening socket, start and end. */
#include "http/http.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "http/http_internal.h"

#define CONNECTIONS     256
#define PER_IP          128
#define BODY_BYTES      (64 * 1024)
#define HEADER_BYTES    (16 * 1024)
#define IDLE_TIMEOUT_S  30
#define BACKLOG         128
#define PEM_BYTES_MAX   (256 * 1024)
#define TOKEN_BYTES_MAX 4096

/* Files */

/* The whole of a file of at most `max` bytes. */
static int read_file(const char *path, size_t max, struct buf *out, struct err *err)
{
    FILE *f = fopen(path, "re");

    if (!f)
        return err_set(err, ERR_IO, "cannot read %s: %s", path, strerror(errno));
    char *to = buf_reserve(out, max + 1);
    size_t n = fread(to, 1, max + 1, f);
    bool failed = ferror(f);
    fclose(f);
    if (failed)
        return err_set(err, ERR_IO, "cannot read %s", path);
    if (n > max)
        return err_set(err, ERR_INVALID, "%s is larger than %zu bytes", path, max);
    to[n] = '\0';
    out->len += n;
    if (strlen(buf_str(out)) != out->len)
        return err_set(err, ERR_INVALID, "%s holds a NUL: it is no text file", path);
    return 0;
}

int http_read_token(const char *file, const char *env, struct buf *ret, struct err *err)
{
    if (file) {
        struct buf text = BUF_INIT;
        int rc = read_file(file, TOKEN_BYTES_MAX, &text, err);
        if (rc == 0) {
            while (text.len > 0 && strchr("\r\n", text.data[text.len - 1]))
                text.len--;
            if (text.len == 0)
                rc = err_set(err, ERR_INVALID, "%s is empty: it should hold the token", file);
            else
                buf_append(ret, text.data, text.len);
        }
        buf_release(&text);
        return rc;
    }

    const char *value = env ? getenv(env) : NULL;
    if (value && value[0])
        buf_text(ret, value);
    return 0;
}

/* Listening */

/* "HOST:PORT" or "[HOST]:PORT", in two. */
static int split_address(const char *text, char *host, size_t size, int64_t *port, struct err *err)
{
    const char *colon = text ? strrchr(text, ':') : NULL;

    if (!colon || num_parse_int(colon + 1, strlen(colon + 1), port) != 0 || *port < 0 ||
        *port > 65535)
        return err_set(err, ERR_INVALID,
                       "\"%s\" is no address to listen on: write ADDRESS:PORT, as 127.0.0.1:8501 "
                       "or [::1]:8501",
                       text ? text : "");

    size_t len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    } else if (memchr(text, ':', len)) {
        return err_set(err, ERR_INVALID, "an IPv6 address to listen on is written [%.*s]:%d",
                       (int)len, text, (int)*port);
    }
    if (len == 0 || len >= size)
        return err_set(err, ERR_INVALID,
                       "\"%s\" names no address to listen on: 127.0.0.1 for this machine only, "
                       "0.0.0.0 for all of its networks",
                       text);
    memcpy(host, text, len);
    host[len] = '\0';
    return 0;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (const void *)address;
    return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static int bound_port(int fd)
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof(bound);

    if (getsockname(fd, (struct sockaddr *)&bound, &len) != 0)
        return -1;
    if (bound.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)&bound)->sin_port);
    return ntohs(((const struct sockaddr_in6 *)(const void *)&bound)->sin6_port);
}

/* A bound, listening socket of that address; -1 with errno. */
static int listen_on(const struct addrinfo *info)
{
    static const int on = 1;
    static const int off = 0;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;

    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int open_socket(struct http_server *server, const char *text, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *info = NULL;
    struct buf address = BUF_INIT;
    char host[256];
    char service[NUM_TEXT_MAX];
    int64_t port;

    int rc = split_address(text, host, sizeof(host), &port, err);
    if (rc != 0)
        return rc;
    num_format_int(port, service);
    int failed = getaddrinfo(host, service, &hints, &info);
    if (failed != 0)
        return err_set(err, ERR_INVALID, "cannot listen on %s: %s", text, gai_strerror(failed));

    server->is_loopback = is_loopback(info->ai_addr);
    server->fd = listen_on(info);
    freeaddrinfo(info);
    if (server->fd < 0)
        return err_set(err, errno == EADDRINUSE ? ERR_CONFLICT : ERR_IO, "cannot listen on %s: %s",
                       text, strerror(errno));
    server->port = bound_port(server->fd);
    buf_printf(&address, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, server->port);
    server->address = buf_detach(&address);
    if (server->is_loopback) { /* whatever of 127.0.0.0/8 it is */
        server->hosts[server->n_hosts++] =
            mem_strndup(server->address, (size_t)(strrchr(server->address, ':') - server->address));
    }
    return 0;
}

/* Options */

static char *copied(const char *s)
{
    return s && s[0] ? mem_strdup(s) : NULL;
}

static int read_pem(const char *path, char **ret, struct err *err)
{
    struct buf text = BUF_INIT;
    int rc = read_file(path, PEM_BYTES_MAX, &text, err);

    if (rc == 0 && !strstr(buf_str(&text), "-----BEGIN "))
        rc = err_set(err, ERR_INVALID, "%s is no PEM file", path);
    if (rc == 0)
        *ret = buf_detach(&text);
    buf_release(&text);
    return rc;
}

static int read_tls(struct http_server *server, const struct http_options *options, struct err *err)
{
    bool has_cert = options->tls_cert && options->tls_cert[0];
    bool has_key = options->tls_key && options->tls_key[0];

    if (has_cert != has_key)
        return err_set(err, ERR_INVALID,
                       "TLS needs both, a certificate and its key: the %s is missing",
                       has_cert ? "key" : "certificate");
    if (!has_cert)
        return 0;
    int rc = read_pem(options->tls_cert, &server->tls_cert, err);
    return rc != 0 ? rc : read_pem(options->tls_key, &server->tls_key, err);
}

static void take_limits(struct http_server *server, const struct http_options *o)
{
    server->max_connections = o->max_connections ? o->max_connections : CONNECTIONS;
    server->max_per_ip = o->max_per_ip ? o->max_per_ip : PER_IP;
    server->max_body_bytes = o->max_body_bytes ? o->max_body_bytes : BODY_BYTES;
    server->max_header_bytes = o->max_header_bytes ? o->max_header_bytes : HEADER_BYTES;
    server->idle_timeout_s = o->idle_timeout_s ? o->idle_timeout_s : IDLE_TIMEOUT_S;
    server->threads = o->threads ? o->threads : 1;
}

struct http_server *http_new(const struct http_options *options, struct err *err)
{
    struct http_server *server = mem_zalloc(1, sizeof(*server));
    pthread_condattr_t monotonic;

    server->fd = -1;
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->clock_wakes, &monotonic);
    pthread_condattr_destroy(&monotonic);

    take_limits(server, options);
    server->name = copied(options->name);
    server->hosts = mem_zalloc(options->n_hosts + 2, sizeof(*server->hosts));
    for (size_t i = 0; i < options->n_hosts; i++)
        server->hosts[server->n_hosts++] = mem_strdup(options->hosts[i]);

    int rc = read_tls(server, options, err);
    if (rc == 0)
        rc = open_socket(server, options->listen, err);
    if (rc == 0)
        rc = http_auth_init(server, options->token, err);
    if (rc != 0) {
        http_close(server);
        return NULL;
    }
    return server;
}

int http_start(struct http_server *server, struct err *err)
{
    return http_daemon_start(server, err);
}

void http_close(struct http_server *server)
{
    if (!server)
        return;
    http_daemon_stop(server);
    if (server->fd >= 0)
        close(server->fd);
    for (size_t i = 0; i < server->n_channels; i++)
        http_channel_free(server->channels[i]);
    for (size_t i = 0; i < server->n_folders; i++)
        http_folder_free(server->folders[i]);
    for (size_t i = 0; i < server->n_routes; i++)
        free(server->routes[i].path);
    for (size_t i = 0; i < server->n_hosts; i++)
        free(server->hosts[i]);
    free(server->channels);
    free(server->folders);
    free(server->routes);
    free(server->hosts);
    free(server->name);
    free(server->address);
    free(server->token);
    free(server->cookie_name);
    free(server->tls_cert);
    free(server->tls_key);
    pthread_cond_destroy(&server->clock_wakes);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

int http_port(const struct http_server *server)
{
    return server->port;
}

const char *http_address(const struct http_server *server)
{
    return server->address;
}

void http_stats(const struct http_server *server, struct http_stats *ret)
{
    *ret = (struct http_stats){
        .requests = atomic_load(&server->requests),
        .client_errors = atomic_load(&server->client_errors),
        .server_errors = atomic_load(&server->server_errors),
        .unauthorized = atomic_load(&server->unauthorized),
        .streams_dropped = atomic_load(&server->streams_dropped),
        .connections = atomic_load(&server->connections),
        .streams = atomic_load(&server->streams),
    };
}
