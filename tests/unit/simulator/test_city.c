/* The synthetic city: the same from the same seed, wherever one begins, and shaped as it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "simulator/city.h"
#include "simulator/schedule.h"

#define START_MS INT64_C(1451890800000)
#define HOUR_MS  INT64_C(3600000)

static struct trip_source *make_city(uint64_t seed)
{
    struct city_options options = {
        .seed = seed, .start_ms = START_MS, .regime_after_ms = 6 * HOUR_MS};

    return city_new(&options);
}

/* Appends the next event of a schedule as the text of its messages. */
static void render(struct trip_source *source, struct schedule *s, struct buf *out)
{
    const struct event *e = schedule_peek(s);
    struct cursor place = schedule_place(s, e);

    cursor_write(&place, source->identity, out);
    buf_byte(out, ' ');
    source->ops->write_key(source, e->trip.number, out);
    buf_byte(out, ' ');
    if (e->kind == EVENT_REQUEST)
        source->ops->write_request(source, &e->trip, out);
    else
        json_write_int(out, e->trip.dropoff_ms);
    buf_byte(out, '\n');
}

/* The same seed gives the same bytes, another seed gives others. */
static void test_deterministic(void **state)
{
    struct buf text[3] = {BUF_INIT, BUF_INIT, BUF_INIT};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct trip_source *city = make_city(i == 2 ? 43 : 42);
        struct schedule *s = schedule_new(city, 0);
        for (int n = 0; n < 20000; n++) {
            render(city, s, &text[i]);
            schedule_pop(s);
        }
        schedule_free(s);
        trip_source_free(city);
    }
    assert_int_equal(text[0].len, text[1].len);
    assert_memory_equal(text[0].data, text[1].data, text[0].len);
    assert_true(text[0].len != text[2].len || memcmp(text[0].data, text[2].data, text[0].len) != 0);
    for (size_t i = 0; i < 3; i++)
        buf_release(&text[i]);
}

/*
 * A new city that goes on at T publishes, byte for byte, what the uninterrupted one publishes from
 * T on, at a request or at an outcome, in the first hours as after a week.
 */
static void test_resume(void **state)
{
    static const uint64_t stops[] = {1, 2, 3, 150, 5000, 60001, 60002, 60003, 900000};
    struct trip_source *city = make_city(42);
    struct schedule *s = schedule_new(city, 0);
    struct err err = {0};
    uint64_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
        for (; n < stops[i]; n++) {
            (void)schedule_peek(s);
            schedule_pop(s);
        }
        struct trip_source *again = make_city(42);
        struct schedule *t = schedule_new(again, 0);
        assert_int_equal(schedule_seek(t, schedule_at(s), &err), 0);
        for (int k = 0; k < 3000; k++, n++) {
            struct buf a = BUF_INIT;
            struct buf b = BUF_INIT;
            if (i + 1 < sizeof(stops) / sizeof(stops[0]) && n == stops[i + 1])
                break;
            render(city, s, &a);
            render(again, t, &b);
            assert_string_equal(buf_str(&a), buf_str(&b));
            schedule_pop(s);
            schedule_pop(t);
            buf_release(&a);
            buf_release(&b);
        }
        schedule_free(t);
        trip_source_free(again);
    }
    schedule_free(s);
    trip_source_free(city);
}

/* A place that another city has published is refused, not taken for one of this. */
static void test_foreign_place(void **state)
{
    struct trip_source *city = make_city(42);
    struct schedule *s = schedule_new(city, 0);
    struct cursor place = {START_MS + HOUR_MS, EVENT_OUTCOME, 3, 3, 3, START_MS + HOUR_MS - 5};
    struct err err = {0};

    (void)state;
    assert_int_equal(schedule_seek(s, &place, &err), ERR_REFUSED);
    schedule_free(s);
    trip_source_free(city);
}

static double mean_seconds(struct trip_source *city, struct schedule *s, int64_t until_ms)
{
    double sum = 0;
    double n = 0;

    for (const struct event *e = schedule_peek(s); e->time_ms < until_ms; e = schedule_peek(s)) {
        if (e->kind == EVENT_REQUEST) {
            sum += (double)(e->trip.dropoff_ms - e->trip.pickup_ms) / 1000;
            n++;
            assert_true(e->trip.dropoff_ms > e->trip.pickup_ms);
            assert_true(e->trip.dropoff_ms - e->trip.pickup_ms <= CITY_TRIP_MAX_MS);
        }
        schedule_pop(s);
    }
    (void)city;
    return sum / n;
}

/* The change of regime makes trips longer: adapting must pay. */
static void test_regime(void **state)
{
    struct trip_source *city = make_city(42);
    struct schedule *s = schedule_new(city, 0);

    (void)state;
    mean_seconds(city, s, START_MS + 5 * HOUR_MS);
    double before = mean_seconds(city, s, START_MS + 6 * HOUR_MS);
    double after = mean_seconds(city, s, START_MS + 7 * HOUR_MS);
    assert_true(after > 1.2 * before);
    assert_true(after < 2 * before);
    schedule_free(s);
    trip_source_free(city);
}

/* A request is the JSON object that the views read, and keys have their zeros. */
static void test_request(void **state)
{
    static const char *const names[] = {
        "vendor_id",       "pickup_datetime",   "passenger_count",  "pickup_longitude",
        "pickup_latitude", "dropoff_longitude", "dropoff_latitude", "store_and_fwd_flag",
    };
    struct trip_source *city = make_city(1);
    struct buf text = BUF_INIT;
    struct json_value root;
    struct json_value value;
    struct trip trip;

    (void)state;
    for (int i = 0; i < 500; i++) {
        assert_true(city->ops->next(city, &trip));
        buf_clear(&text);
        city->ops->write_request(city, &trip, &text);
        assert_int_equal(json_parse(text.data, text.len, &root, NULL), 0);
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
            assert_true(json_get(&root, names[k], &value));
    }
    buf_clear(&text);
    city->ops->write_key(city, 1, &text);
    buf_byte(&text, ' ');
    city->ops->write_key(city, 999999999, &text);
    buf_byte(&text, ' ');
    city->ops->write_key(city, 12345678901, &text);
    assert_string_equal(text.data, "t000000001 t999999999 t12345678901");
    buf_release(&text);
    trip_source_free(city);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deterministic), cmocka_unit_test(test_resume),
        cmocka_unit_test(test_foreign_place), cmocka_unit_test(test_regime),
        cmocka_unit_test(test_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
