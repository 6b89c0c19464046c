/* Where a service's metrics are, and what /metrics, /healthz and /readyz say. */
#include "unit/http/http_fixture.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "runtime/scrape.h"

static _Atomic int64_t later_ns;

int64_t __real_clock_mono_ns(void);
int64_t __wrap_clock_mono_ns(void);

int64_t __wrap_clock_mono_ns(void)
{
    return __real_clock_mono_ns() + atomic_load(&later_ns);
}

/* Ports follow from service and instance, unless they are said. */
static void test_address(void **state)
{
    static const struct {
        const char *text;
        const char *instance;
        const char *address; /* NULL: refused */
    } cases[] = {
        {NULL, "views-1", "127.0.0.1:9402"},       {"", "views-1", "127.0.0.1:9402"},
        {"on", "views-3", "127.0.0.1:9422"},       {"on", "views-64", "127.0.0.1:10032"},
        {"on", "other", "127.0.0.1:9402"},         {"on", "views-x", "127.0.0.1:9402"},
        {"on", "views-0", "127.0.0.1:9402"},       {"off", "views-1", ""},
        {"0.0.0.0", "views-2", "0.0.0.0:9412"},    {"::1", "views-1", "[::1]:9402"},
        {"[::1]", "views-1", "[::1]:9402"},        {"[::1]:7", "views-2", "[::1]:7"},
        {"127.0.0.1:0", "views-2", "127.0.0.1:0"}, {"on", "views-5000", "127.0.0.1:59392"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf address = BUF_INIT;
        struct err err = {0};
        assert_int_equal(
            scrape_address(cases[i].text, "views", cases[i].instance, 9402, &address, &err), 0);
        assert_string_equal(buf_str(&address), cases[i].address);
        buf_release(&address);
    }
}

struct served {
    struct fixture http;
    struct scrape *scrape;
    struct telemetry *tm;
};

static int setup(void **state)
{
    struct served *s = test_calloc(1, sizeof(*s));
    struct err err = {0};

    s->tm = telemetry_new();
    *telemetry_counter(s->tm, "oxbow_rows_total", "Rows.") = 7;
    s->scrape = scrape_new("taxi", "views", "views-1");
    s->http.server = http_new(&(struct http_options){.listen = "127.0.0.1:0"}, &err);
    assert_non_null(s->http.server);
    scrape_add_routes(s->scrape, s->http.server);
    assert_int_equal(http_start(s->http.server, &err), 0);
    atomic_store(&later_ns, 0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct served *s = *state;

    scrape_add_routes(s->scrape, NULL);
    http_close(s->http.server);
    scrape_free(s->scrape);
    telemetry_free(s->tm);
    test_free(s);
    return 0;
}

static void update(const struct served *s, const char *state, const char *missing, bool is_looping)
{
    scrape_update(
        s->scrape, s->tm,
        &(struct scrape_state){.state = state, .missing = missing, .is_looping = is_looping});
}

/* A scrape gets what was rendered last, with the labels that all series have. */
static void test_metrics(void **state)
{
    struct served *s = *state;
    struct buf out = BUF_INIT;

    update(s, "running", NULL, true);
    const char *text = fixture_get(&s->http, "/metrics", "", &out);
    assert_string_equal(fixture_header(&out, "Content-Type"),
                        "text/plain; version=0.0.4; charset=utf-8");
    assert_non_null(strstr(text, "\noxbow_rows_total{task=\"taxi\",service=\"views\"} 7\n"));
    assert_non_null(
        strstr(text, "process_resident_memory_bytes{task=\"taxi\",service=\"views\"} "));

    *telemetry_counter(s->tm, "oxbow_rows_total", "Rows.") = 8;
    assert_non_null(strstr(fixture_get(&s->http, "/metrics", "", &out), "} 7\n"));
    update(s, "running", NULL, true);
    text = fixture_get(&s->http, "/metrics", "", &out);
    assert_non_null(strstr(text, "oxbow_rows_total{task=\"taxi\",service=\"views\"} 8\n"));
    assert_non_null(strstr(text, "oxbow_http_requests_total{task=\"taxi\",service=\"views\"} 2\n"));
    buf_release(&out);
}

/* Ready is who runs and misses nothing; otherwise it says what. */
static void test_ready(void **state)
{
    struct served *s = *state;
    struct buf out = BUF_INIT;

    fixture_get(&s->http, "/readyz", "", &out);
    assert_int_equal(fixture_status(&out), 503);
    update(s, "starting", "oxbow-views has not begun yet", false);
    assert_string_equal(
        fixture_get(&s->http, "/readyz", "", &out),
        "{\"ready\":false,\"service\":\"views\",\"instance\":\"views-1\","
        "\"state\":\"starting\",\"missing\":[\"oxbow-views has not begun yet\"]}\n");
    assert_int_equal(fixture_status(&out), 503);
    update(s, "running", "store: away", true);
    fixture_get(&s->http, "/readyz", "", &out);
    assert_int_equal(fixture_status(&out), 503);
    update(s, "running", "", true);
    assert_string_equal(fixture_get(&s->http, "/readyz", "", &out),
                        "{\"ready\":true,\"service\":\"views\",\"instance\":\"views-1\","
                        "\"state\":\"running\",\"missing\":[]}\n");
    assert_int_equal(fixture_status(&out), 200);
    update(s, "waiting", "", true); /* for those behind it: all is as it should be */
    fixture_get(&s->http, "/readyz", "", &out);
    assert_int_equal(fixture_status(&out), 200);
    update(s, "draining", "", true);
    fixture_get(&s->http, "/readyz", "", &out);
    assert_int_equal(fixture_status(&out), 503);
    buf_release(&out);
}

/* A loop that has been silent for more than 30 s hangs; one that waits to begin does not. */
static void test_health(void **state)
{
    struct served *s = *state;
    struct buf out = BUF_INIT;

    update(s, "starting", "Redis is away", false);
    atomic_store(&later_ns, INT64_C(3600000000000));
    fixture_get(&s->http, "/healthz", "", &out);
    assert_int_equal(fixture_status(&out), 200);
    update(s, "running", NULL, true);
    atomic_fetch_add(&later_ns, INT64_C(29000000000));
    fixture_get(&s->http, "/healthz", "", &out);
    assert_int_equal(fixture_status(&out), 200);
    atomic_fetch_add(&later_ns, INT64_C(2000000000));
    assert_string_equal(fixture_get(&s->http, "/healthz", "", &out),
                        "{\"healthy\":false,\"service\":\"views\",\"instance\":\"views-1\","
                        "\"state\":\"running\",\"silent_seconds\":31}\n");
    assert_int_equal(fixture_status(&out), 503);
    update(s, "running", NULL, true);
    fixture_get(&s->http, "/healthz", "", &out);
    assert_int_equal(fixture_status(&out), 200);
    buf_release(&out);
}

/* With a token only health and readiness are for everyone. */
static void test_token(void **state)
{
    struct scrape *scrape = scrape_new("taxi", "views", "views-1");
    struct err err = {0};

    (void)state;
    setenv(SCRAPE_TOKEN_ENV, "short", 1);
    assert_int_equal(scrape_listen(scrape, "127.0.0.1:0", &err), ERR_INVALID);
    assert_null(scrape_at(scrape));
    setenv(SCRAPE_TOKEN_ENV, FIXTURE_TOKEN, 1);
    assert_int_equal(scrape_listen(scrape, "127.0.0.1:0", &err), 0);
    assert_int_equal(strncmp(scrape_at(scrape), "127.0.0.1:", 10), 0);
    unsetenv(SCRAPE_TOKEN_ENV);
    struct scrape *other = scrape_new("taxi", "views", "views-2");
    assert_int_equal(scrape_listen(other, scrape_at(scrape), &err), ERR_CONFLICT);
    scrape_free(other);
    scrape_free(scrape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address),
        cmocka_unit_test_setup_teardown(test_metrics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ready, setup, teardown),
        cmocka_unit_test_setup_teardown(test_health, setup, teardown),
        cmocka_unit_test(test_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
