/* The bus against a server that misbehaves: a thread that says the same whatever it is asked. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "contract/bus_fixture.h"

#define GREETING "+OK\r\n+PONG\r\n" /* to CLIENT SETNAME and PING */

struct fake {
    char path[64];
    char url[80];
    int listener;
    const char *first; /* what it says to the first bytes of each connection */
    const char *next;  /* and to all that follow; "" is silence */
    pthread_t thread;
};

static void *fake_serve(void *arg)
{
    const struct fake *fake = arg;
    int fd;

    while ((fd = accept(fake->listener, NULL, NULL)) >= 0) {
        const char *say = fake->first;
        char in[4096];

        while (read(fd, in, sizeof(in)) > 0) {
            if (send(fd, say, strlen(say), MSG_NOSIGNAL) < 0)
                break;
            say = fake->next;
        }
        close(fd);
    }
    return NULL;
}

static void fake_start(struct fake *fake, const char *first, const char *next)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char dir[] = "/tmp/oxbow-fake-XXXXXX";

    assert_non_null(mkdtemp(dir));
    snprintf(fake->path, sizeof(fake->path), "%s/sock", dir);
    snprintf(fake->url, sizeof(fake->url), "unix://%s", fake->path);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", fake->path);
    fake->first = first;
    fake->next = next;
    fake->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fake->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fake->listener, 8), 0);
    assert_int_equal(pthread_create(&fake->thread, NULL, fake_serve, fake), 0);
}

/* The bus is closed before, so that no connection is left. */
static void fake_stop(struct fake *fake)
{
    shutdown(fake->listener, SHUT_RDWR);
    pthread_join(fake->thread, NULL);
    close(fake->listener);
    unlink(fake->path);
    *strrchr(fake->path, '/') = '\0';
    rmdir(fake->path);
}

static struct bus *open_on(const struct fake *fake, struct deliveries *told)
{
    struct bus_fixture f = {.prefix = "p:"};
    struct redis_server real = fixture_server;

    snprintf(fixture_server.url, sizeof(fixture_server.url), "%s", fake->url);
    fixture_timeout_ms = "100";
    struct bus *bus = bus_fixture_open(&f, told);
    fixture_timeout_ms = NULL;
    fixture_server = real;
    return bus;
}

/* A server that is loading its data is away, for every call, and says so. */
static void a_loading_server_is_away(void **state)
{
    struct fake fake;
    struct err err;
    struct bus_record rec = {.topic = "t"};

    (void)state;
    fake_start(&fake, "+OK\r\n-LOADING Redis is loading the dataset in memory\r\n", "");
    struct bus *bus = open_on(&fake, NULL);
    assert_int_equal(bus_ping(bus, &err), ERR_DISCONNECTED);
    assert_true(err.retriable);
    assert_non_null(strstr(err.text, "LOADING"));
    assert_int_equal(bus_publish(bus, &rec, &err), ERR_DISCONNECTED);
    bus_close(bus);
    fake_stop(&fake);
}

/* A server that falls silent is given up after timeout_ms, by publishers, readers and members. */
static void a_silent_server_is_given_up(void **state)
{
    struct deliveries told = {0};
    struct bus_record rec = {.topic = "t"};
    const char *topic = "t";
    const struct bus_msg *m;
    struct fake fake;
    struct err err;

    (void)state;
    fake_start(&fake, GREETING, "");
    struct bus *bus = open_on(&fake, &told);
    assert_int_equal(bus_publish(bus, &rec, &err), 0);
    assert_int_equal(bus_flush(bus, 1, &err), ERR_TIMEOUT);
    assert_int_equal(told.failed, 0);
    int rc;
    while ((rc = bus_flush(bus, 50, &err)) == ERR_TIMEOUT)
        continue;
    assert_int_equal(rc, ERR_DISCONNECTED);
    assert_int_equal(told.failed, 1);
    assert_int_equal(bus_ping(bus, &err), ERR_DISCONNECTED);
    struct bus_reader *r = bus_reader_open(bus, &err);
    assert_int_equal(bus_reader_assign(r, "t", 0, &BUS_POS_OLDEST, &err), ERR_DISCONNECTED);
    bus_reader_close(r);
    r = bus_group_join(bus, "g", "m", &topic, 1, 0, NULL, NULL, &err);
    assert_int_equal(bus_poll(r, 1, 0, &m, &err), ERR_DISCONNECTED);
    bus_reader_close(r);
    bus_close(bus);
    fake_stop(&fake);
}

/* What is no Redis at all is an error that names the place, and no crash. */
static void nonsense_is_disconnected(void **state)
{
    static const char *const said[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "*1000000000\r\n",
                                       "$-7\r\n", "+OK\r\n$99999999999999999999\r\n"};
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        struct fake fake;
        fake_start(&fake, said[i], "");
        struct bus *bus = open_on(&fake, NULL);
        assert_int_equal(bus_ping(bus, &err), ERR_DISCONNECTED);
        assert_non_null(strstr(err.text, fake.path));
        bus_close(bus);
        fake_stop(&fake);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_loading_server_is_away),
    cmocka_unit_test(a_silent_server_is_given_up),
    cmocka_unit_test(nonsense_is_disconnected),
};

int run_fake_tests(void)
{
    return cmocka_run_group_tests_name("bus on servers that misbehave", tests, NULL, NULL);
}
