/* The monitor's small modules: requests by key, places, marks, dead letters, health. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "learn/rng.h"
#include "monitor/dead.h"
#include "monitor/health.h"
#include "monitor/marks.h"
#include "monitor/places.h"
#include "monitor/requests.h"
#include "monitor/text.h"

/* ---- Requests ---- */

static struct request *put(struct requests *r, unsigned number)
{
    char key[32];
    int len = snprintf(key, sizeof(key), "trip-%u", number);

    return requests_put(r, key, (size_t)len);
}

static struct request *find(struct requests *r, unsigned number)
{
    char key[32];
    int len = snprintf(key, sizeof(key), "trip-%u", number);

    return requests_find(r, key, (size_t)len);
}

/* The newest are found, those before them are gone, whatever they were called. */
static void test_requests(void **state)
{
    struct requests *r = requests_new();
    const unsigned n = 3 * REQUESTS_MAX + 17;

    (void)state;
    for (unsigned i = 0; i < n; i++) {
        struct request *req = put(r, i);

        assert_true(isnan(req->label) && req->requested_ms == TIME_UNKNOWN);
        req->label = i;
        requests_keep(r, req, REQUESTS_ROW, "{}", 2);
        if (i % 1000 == 0)
            assert_true(put(r, i) == req); /* no second one */
    }
    for (unsigned i = 0; i < n; i++) {
        const struct request *req = find(r, i);

        assert_true((req != NULL) == (i >= n - REQUESTS_MAX));
        if (!req)
            continue;
        assert_true(req->label == i);
        assert_true((req->text[REQUESTS_ROW] != NULL) == (i >= n - REQUESTS_TEXTS));
    }
    assert_true(requests_newest(r, 0)->label == n - 1 && requests_newest(r, 99)->label == n - 100);
    assert_null(requests_newest(r, REQUESTS_MAX));
    requests_clear(r);
    assert_null(find(r, n - 1));
    assert_null(requests_newest(r, 0));
    put(r, 1);
    requests_free(r);
}

/* A message that is far too long is not kept, nor one of a request that is old already. */
static void test_texts(void **state)
{
    struct requests *r = requests_new();
    char *text = mem_zalloc(1, REQUESTS_TEXT_MAX + 1);
    struct request *req = put(r, 0);

    (void)state;
    requests_keep(r, req, REQUESTS_REQUEST, text, REQUESTS_TEXT_MAX + 1);
    assert_null(req->text[REQUESTS_REQUEST]);
    requests_keep(r, req, REQUESTS_REQUEST, text, REQUESTS_TEXT_MAX);
    assert_non_null(req->text[REQUESTS_REQUEST]);
    requests_keep(r, req, REQUESTS_REQUEST, "new", 3);
    assert_string_equal(req->text[REQUESTS_REQUEST], "new");
    for (unsigned i = 1; i <= REQUESTS_TEXTS; i++)
        put(r, i);
    req = find(r, 0);
    assert_null(req->text[REQUESTS_REQUEST]);
    requests_keep(r, req, REQUESTS_OUTCOME, "late", 4);
    assert_null(req->text[REQUESTS_OUTCOME]);
    free(text);
    requests_free(r);
}

/* ---- Places ---- */

static void scatter(struct places *p, struct rng *rng, size_t n, double x0, double y0)
{
    for (size_t i = 0; i < n; i++)
        places_add(p, x0 + rng_random(rng), y0 + rng_random(rng));
}

static uint64_t inside(const struct places *p)
{
    uint64_t n = 0;

    for (size_t i = 0; i < PLACES_CELLS; i++)
        n += p->cell[i];
    return n;
}

/* The box holds nearly all points, an outlier does not widen it; when the world moves,
 * the box follows. */
static void test_places(void **state)
{
    struct places *p = mem_zalloc(1, sizeof(*p));
    struct rng rng;
    double box[4];

    (void)state;
    rng_seed(&rng, 1);
    assert_false(places_box(p, box));
    scatter(p, &rng, 200, 10, 20);
    places_add(p, 1e6, -1e6);
    places_add(p, (double)NAN, 1);
    assert_true(places_box(p, box) && box[0] > 9 && box[2] < 13 && !p->has_box);
    scatter(p, &rng, 5000, 10, 20);
    assert_true(p->has_box && box[0] > 9 && box[3] < 23);
    assert_true(inside(p) > 5100);

    struct buf out = BUF_INIT;
    struct places *again = mem_zalloc(1, sizeof(*again));
    places_save(p, &out);
    assert_true(places_load(again, out.data, out.len));
    assert_int_equal(inside(again), inside(p));
    assert_false(places_load(again, out.data, out.len - 1));
    memset(out.data, 0xff, 8);
    assert_false(places_load(again, out.data, out.len));
    buf_release(&out);
    free(again);

    scatter(p, &rng, 2 * PLACES_LEARN, 40, 20);
    assert_true(places_box(p, box) && box[2] > 40.9); /* the old world may be in it too */
    free(p);
}

/* Before the box is found the points so far make one; a single point has one too. */
static void test_first_place(void **state)
{
    struct places *p = mem_zalloc(1, sizeof(*p));
    struct buf out = BUF_INIT;

    (void)state;
    buf_byte(&out, '{');
    places_write(p, &out);
    assert_non_null(strstr(out.data, "\"box\":null"));
    places_add(p, -73.98, 40.75);
    buf_clear(&out);
    buf_byte(&out, '{');
    places_write(p, &out);
    assert_non_null(strstr(out.data, "\"cells\":[[4656,1]]")); /* the middle */
    buf_release(&out);
    free(p);
}

/* ---- Marks ---- */

static void test_marks(void **state)
{
    struct marks *m = mem_zalloc(1, sizeof(*m));
    struct mark mark = {.kind = (char[]){"restart"},
                        .text = (char[]){"it \"died\""},
                        .event_ms = TIME_UNKNOWN,
                        .until_ms = TIME_UNKNOWN};
    struct buf out = BUF_INIT;

    (void)state;
    for (int i = 0; i < 3 * MARKS_MAX; i++) {
        mark.time_ms = i;
        assert_true(marks_add(m, &mark));
        assert_false(marks_add(m, &mark));
    }
    assert_int_equal(marks_first(m), 2 * MARKS_MAX);
    marks_write_from(m, 3 * MARKS_MAX - 2, true, &out);
    assert_string_equal(buf_str(&out),
                        "[{\"id\":\"restart##599\",\"kind\":\"restart\",\"model\":null,"
                        "\"feature\":null,\"time_ms\":599,\"event_ms\":null,\"text\":\"it "
                        "\\\"died\\\"\"},{\"id\":\"restart##598\",\"kind\":\"restart\",\"model\":"
                        "null,\"feature\":null,\"time_ms\":598,\"event_ms\":null,\"text\":\"it "
                        "\\\"died\\\"\"}]");
    buf_release(&out);
    marks_release(m);
    free(m);
}

/* ---- Dead letters ---- */

static void test_dead(void **state)
{
    struct dead *d = mem_zalloc(1, sizeof(*d));
    struct buf out = BUF_INIT;
    char text[200];

    (void)state;
    for (int i = 0; i < 5; i++) {
        int len = snprintf(text, sizeof(text),
                           "{\"topic\":\"pick-ups\",\"reason\":\"no key\",\"service\":\"views\","
                           "\"key\":null,\"position\":\"%d-0\",\"value\":\"v%d\"}",
                           i, i);
        dead_add(d, text, (size_t)len, i);
    }
    dead_add(d, "not json", 8, 9);
    dead_add(d, NULL, 0, 10);
    for (int i = 0; i < DEAD_REASONS_MAX; i++) {
        int len = snprintf(text, sizeof(text), "{\"reason\":\"r%d\",\"service\":\"learner\"}", i);
        dead_add(d, text, (size_t)len, 11);
    }
    dead_write(d, 71, &out);
    assert_non_null(strstr(out.data, "{\"total\":71,\"seen\":71,\"others\":2,\"reasons\":["
                                     "{\"reason\":\"no key\",\"service\":\"views\",\"topic\":"
                                     "\"pick-ups\",\"count\":5,\"last_ms\":4,\"example\":{\"key\":"
                                     "null,\"position\":\"4-0\",\"value\":\"v4\"}},"
                                     "{\"reason\":\"a message that is no dead letter\""));
    buf_release(&out);
    dead_clear(d);
    free(d);
}

/* ---- Health ---- */

static void beat(struct beats *b, const char *instance, int64_t started_ms, int64_t time_ms,
                 const char *doing)
{
    struct beat *beat = &b->beat[b->n++];

    *beat = (struct beat){.started_ms = started_ms, .time_ms = time_ms};
    snprintf(beat->instance, sizeof(beat->instance), "%s", instance);
    snprintf(beat->service, sizeof(beat->service), "views");
    snprintf(beat->state, sizeof(beat->state), "%s", doing);
}

static void count(void *ctx, const struct health_service *service)
{
    assert_string_equal(service->beat.instance, "a");
    ++*(int *)ctx;
}

static const char *state_of(const struct health *h, size_t i, int64_t now_ms)
{
    return health_state_name(health_state(&h->service[i], now_ms));
}

static void test_health(void **state)
{
    struct health *h = mem_zalloc(1, sizeof(*h));
    struct beats *b = mem_zalloc(1, sizeof(*b));
    int restarts = 0;

    (void)state;
    beat(b, "a", 5, 1000, "running");
    beat(b, "b", 6, 1000, "running");
    health_update(h, b, 1000, count, &restarts);
    assert_string_equal(state_of(h, 0, 1000), "up");
    assert_int_equal(health_since(&h->service[0], 1000), 5);

    /* a beats on, b is quiet: silent, then gone from the store: down. */
    b->n = 0;
    beat(b, "a", 5, 5000, "running");
    beat(b, "b", 6, 1000, "running");
    health_update(h, b, 5000, count, &restarts);
    assert_string_equal(state_of(h, 0, 5000), "up");
    assert_string_equal(state_of(h, 1, 5000), "silent");
    assert_string_equal(state_of(h, 1, 60000), "silent"); /* the store has not forgotten it */
    b->n = 1;
    b->beat[0].time_ms = 6500;
    health_update(h, b, 6500, count, &restarts);
    assert_string_equal(state_of(h, 1, 6500), "down");
    assert_int_equal(health_since(&h->service[1], 6500), 1000);
    assert_true(health_is_up(h, "views", 6500) && !health_is_up(h, "learner", 6500));

    /* a begins anew: restarted for a minute. */
    b->beat[0].started_ms = 7000;
    b->beat[0].time_ms = 7100;
    assert_int_equal(restarts, 0);
    health_update(h, b, 7100, count, &restarts);
    assert_int_equal(restarts, 1);
    assert_string_equal(state_of(h, 0, 7200), "restarted");
    b->beat[0].time_ms = 70000;
    health_update(h, b, 70000, count, &restarts);
    assert_string_equal(state_of(h, 0, 70000), "up");

    /* It says goodbye: done, for good. b is forgotten after an hour. */
    snprintf(b->beat[0].state, sizeof(b->beat[0].state), "done");
    b->beat[0].time_ms = 71000;
    health_update(h, b, 71000, count, &restarts);
    b->n = 0;
    health_update(h, b, 90000, count, &restarts);
    assert_string_equal(state_of(h, 0, 90000), "done");
    health_update(h, b, 1000 + HEALTH_FORGET_MS, count, &restarts);
    assert_int_equal(h->n, 1);
    free(h);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests), cmocka_unit_test(test_texts),
        cmocka_unit_test(test_places),   cmocka_unit_test(test_first_place),
        cmocka_unit_test(test_marks),    cmocka_unit_test(test_dead),
        cmocka_unit_test(test_health),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
