/*
 * The synthetic city.
 *
 * A minute's trips are made at once into `minute`: exponential gaps give the pick-ups (a Poisson
 * process whose rate is constant within a minute), then each trip draws where from, where to, and
 * how long. Pick-ups are distinct milliseconds, so that a time alone tells how many came before it.
 */
#include "simulator/city.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "simulator/rng.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   INT64_C(3600000)
#define DAY_MS    INT64_C(86400000)

#define TRIPS_A_MINUTE 120.0 /* averaged over a week, in dry weather */

#define N_ZONES        48
#define N_MANHATTAN    28 /* zones 0..27 lie along the island */
#define ZONE_LAGUARDIA 46
#define ZONE_KENNEDY   47
#define ZONE_SPREAD    0.004 /* degrees: standard deviation of an address within its zone */

#define KM_A_DEGREE_LAT 111.2
#define KM_A_DEGREE_LON 84.4 /* at New York's latitude */
#define REACH_KM        2.2  /* trips become rarer by 1/e with each so many km */

#define BOARDING_S   40.0 /* of each trip, whatever its distance */
#define DRIVER_SIGMA 0.18 /* of the logarithm of a trip's speed */
#define P_SHORT      0.004
#define P_LONG       0.010 /* less P_SHORT */

#define REGIME_SLOWDOWN 1.6
#define REGIME_SHIFT_H  3

/* What the streams of random numbers are for. */
enum purpose { PURPOSE_ZONES = 1, PURPOSE_DAY, PURPOSE_MINUTE };

struct zone {
    double lat;
    double lon;
    double traffic;     /* how many times as long a kilometre takes here */
    bool is_rebuilt;    /* slower after the change of regime */
    double to[N_ZONES]; /* cumulative probability of each destination */
};

struct ride {
    int64_t pickup_ms;
    int64_t dropoff_ms;
    double from_lat, from_lon, to_lat, to_lon;
    uint8_t vendor;
    uint8_t passengers;
    bool is_stored;
};

struct city {
    struct trip_source base;
    struct city_options options;
    struct zone zone[N_ZONES];
    double from[N_ZONES]; /* cumulative probability of each origin */

    struct ride *rides; /* of one minute */
    size_t n_rides;
    size_t cap_rides;
    size_t at;         /* the next to give */
    int64_t minute;    /* the next to make, from 0 */
    uint64_t n_before; /* trips before rides[0] */
};

/* Arrivals relative to their mean, and km/h, at the middle of each hour. */
static const double weekday_demand[24] = {0.55, 0.35, 0.25, 0.20, 0.20, 0.35, 0.75, 1.10,
                                          1.35, 1.25, 1.10, 1.10, 1.15, 1.15, 1.25, 1.15,
                                          1.00, 1.25, 1.50, 1.50, 1.40, 1.35, 1.20, 0.90};
static const double weekend_demand[24] = {1.30, 1.15, 0.95, 0.70, 0.45, 0.25, 0.30, 0.45,
                                          0.65, 0.85, 1.00, 1.10, 1.20, 1.20, 1.20, 1.20,
                                          1.15, 1.20, 1.30, 1.25, 1.10, 1.05, 1.10, 1.05};
static const double weekday_speed[24] = {29, 31, 33, 34, 35, 34, 29, 22, 16, 15, 16, 17,
                                         17, 17, 16, 15, 14, 13, 14, 17, 20, 22, 24, 27};
static const double weekend_speed[24] = {25, 25, 26, 28, 31, 34, 34, 32, 29, 26, 23, 21,
                                         20, 19, 19, 19, 19, 19, 19, 20, 21, 22, 23, 24};

/* Building the city */

static void place_zone(struct zone *z, size_t i, struct rng *rng)
{
    double across;
    double unused;

    rng_normals(rng, &across, &unused);
    if (i < N_MANHATTAN) {
        /* From the Battery to Harlem, a little to either side. */
        double along = ((double)i + 0.5) / N_MANHATTAN;
        z->lat = 40.705 + 0.115 * along + 0.003 * across;
        z->lon = -74.012 + 0.070 * along - 0.005 * across;
        z->traffic = 0.95 + 0.45 * rng_unit(rng);
    } else {
        z->lat = 40.640 + 0.140 * rng_unit(rng);
        z->lon = -73.990 + 0.150 * rng_unit(rng);
        z->traffic = 0.65 + 0.30 * rng_unit(rng);
    }
    if (i == ZONE_LAGUARDIA)
        z->lat = 40.7737, z->lon = -73.8722, z->traffic = 0.6;
    if (i == ZONE_KENNEDY)
        z->lat = 40.6446, z->lon = -73.7822, z->traffic = 0.5;
}

static double zone_weight(size_t i, struct rng *rng)
{
    double u = rng_unit(rng);

    if (i < N_MANHATTAN)
        return 1 + 3 * u * u;
    return i >= ZONE_LAGUARDIA ? 0.7 : 0.15 + 0.35 * u;
}

static double street_km(double from_lat, double from_lon, double to_lat, double to_lon)
{
    return fabs(from_lat - to_lat) * KM_A_DEGREE_LAT + fabs(from_lon - to_lon) * KM_A_DEGREE_LON;
}

/* Turns weights into cumulative probabilities that end with exactly 1. */
static void cumulate(double *weights)
{
    double sum = 0;

    for (size_t i = 0; i < N_ZONES; i++) {
        sum += weights[i];
        weights[i] = sum;
    }
    for (size_t i = 0; i < N_ZONES; i++)
        weights[i] /= sum;
    weights[N_ZONES - 1] = 1;
}

static void build_zones(struct city *city)
{
    struct rng rng = rng_stream(city->options.seed, PURPOSE_ZONES, 0);
    size_t odd = rng_next(&rng) & 1;
    double weight[N_ZONES];

    for (size_t i = 0; i < N_ZONES; i++) {
        place_zone(&city->zone[i], i, &rng);
        weight[i] = zone_weight(i, &rng);
        city->from[i] = weight[i];
        city->zone[i].is_rebuilt = i % 2 == odd;
    }
    cumulate(city->from);
    for (size_t i = 0; i < N_ZONES; i++) {
        struct zone *z = &city->zone[i];
        bool is_airport = i >= ZONE_LAGUARDIA;
        for (size_t j = 0; j < N_ZONES; j++) {
            const struct zone *to = &city->zone[j];
            double km = street_km(z->lat, z->lon, to->lat, to->lon);
            /* Who goes to or from an airport goes far. */
            double reach = is_airport || j >= ZONE_LAGUARDIA ? 4 * REACH_KM : REACH_KM;
            z->to[j] = weight[j] * exp(-km / reach);
        }
        cumulate(z->to);
    }
}

/* Making a minute */

/* What all trips of a minute have in common. */
struct moment {
    double rate;  /* arrivals a minute */
    double speed; /* km/h where traffic is 1 */
    bool is_rebuilt;
};

/* Between the middles of two hours; `ms_of_day` may lie outside the day. */
static double profile_at(const double profile[24], int64_t ms_of_day)
{
    int64_t t = (ms_of_day - HOUR_MS / 2 + 2 * DAY_MS) % DAY_MS;
    size_t hour = (size_t)(t / HOUR_MS);
    double part = (double)(t % HOUR_MS) / (double)HOUR_MS;

    return profile[hour] * (1 - part) + profile[(hour + 1) % 24] * part;
}

static struct moment moment_at(const struct city *city, int64_t time_ms)
{
    const struct city_options *o = &city->options;
    int64_t day = (time_ms >= 0 ? time_ms : time_ms - DAY_MS + 1) / DAY_MS;
    int64_t of_day = time_ms - day * DAY_MS;
    int64_t day_of_week = ((day + 3) % 7 + 7) % 7; /* 1970-01-01 was a Thursday; 0 is Monday */
    bool is_weekend = day_of_week >= 5;
    struct rng rng = rng_stream(o->seed, PURPOSE_DAY, (uint64_t)day);
    double weather = rng_unit(&rng);
    struct moment m = {
        .is_rebuilt = o->regime_after_ms >= 0 && time_ms - o->start_ms >= o->regime_after_ms,
    };

    m.rate = TRIPS_A_MINUTE * profile_at(is_weekend ? weekend_demand : weekday_demand, of_day);
    if (m.is_rebuilt)
        of_day -= REGIME_SHIFT_H * HOUR_MS;
    m.speed = profile_at(is_weekend ? weekend_speed : weekday_speed, of_day);
    if (weather < 0.05) { /* snow */
        m.speed *= 0.6;
        m.rate *= 0.8;
    } else if (weather < 0.30) { /* rain */
        m.speed *= 0.8;
        m.rate *= 1.15;
    }
    return m;
}

static size_t pick(const double *cumulative, double u)
{
    size_t low = 0;
    size_t high = N_ZONES - 1;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (u <= cumulative[mid])
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

/* Six decimals, as meters record them: ten centimetres. */
static double round_degree(double degrees)
{
    return nearbyint(degrees * 1e6) / 1e6;
}

static uint8_t passengers(double u)
{
    static const double cumulative[] = {0.710, 0.855, 0.895, 0.915, 0.968};
    uint8_t n = 1;

    while (n <= 5 && u > cumulative[n - 1])
        n++;
    return n;
}

static double ride_seconds(const struct moment *m, const struct zone *from, const struct zone *to,
                           double km, struct rng *rng)
{
    double noise;
    double wait;
    rng_normals(rng, &noise, &wait);

    double slow = (from->traffic + to->traffic) / 2;
    if (m->is_rebuilt)
        slow *= (from->is_rebuilt + to->is_rebuilt) * (REGIME_SLOWDOWN - 1) / 2 + 1;
    double seconds =
        BOARDING_S * exp(0.3 * wait) + km / m->speed * slow * exp(DRIVER_SIGMA * noise) * 3600;

    double kind = rng_unit(rng);
    double u = rng_unit(rng);
    if (kind < P_SHORT)
        return 2 + 26 * u;
    if (kind < P_LONG)
        seconds *= 3 + 7 * u;
    return seconds;
}

static struct ride make_ride(const struct city *city, const struct moment *m, struct rng *rng)
{
    const struct zone *from = &city->zone[pick(city->from, rng_unit(rng))];
    const struct zone *to = &city->zone[pick(from->to, rng_unit(rng))];
    double jitter[4];
    rng_normals(rng, &jitter[0], &jitter[1]);
    rng_normals(rng, &jitter[2], &jitter[3]);

    struct ride r = {
        .from_lat = round_degree(from->lat + ZONE_SPREAD * jitter[0]),
        .from_lon = round_degree(from->lon + ZONE_SPREAD * jitter[1]),
        .to_lat = round_degree(to->lat + ZONE_SPREAD * jitter[2]),
        .to_lon = round_degree(to->lon + ZONE_SPREAD * jitter[3]),
        .vendor = rng_unit(rng) < 0.465 ? 1 : 2,
        .passengers = passengers(rng_unit(rng)),
        .is_stored = rng_unit(rng) < 0.0055,
    };
    double km = street_km(r.from_lat, r.from_lon, r.to_lat, r.to_lon);
    double ms = ride_seconds(m, from, to, km, rng) * 1000;
    r.dropoff_ms = ms < (double)CITY_TRIP_MAX_MS ? (int64_t)ms : CITY_TRIP_MAX_MS;
    return r;
}

static void make_minute(struct city *city)
{
    int64_t start_ms = city->options.start_ms + city->minute * MINUTE_MS;
    struct rng rng = rng_stream(city->options.seed, PURPOSE_MINUTE, (uint64_t)city->minute);
    struct moment m = moment_at(city, start_ms);
    double t = 0;
    int64_t last_ms = -1;

    city->n_before += city->n_rides;
    city->n_rides = 0;
    city->at = 0;
    city->minute++;
    for (;;) {
        t -= log(rng_unit(&rng)) * (double)MINUTE_MS / m.rate;
        int64_t ms = t < (double)MINUTE_MS ? (int64_t)t : MINUTE_MS;
        if (ms <= last_ms)
            ms = last_ms + 1;
        if (ms >= MINUTE_MS)
            return;
        last_ms = ms;
        if (city->n_rides == city->cap_rides) {
            city->cap_rides = city->cap_rides ? 2 * city->cap_rides : 256;
            city->rides = mem_realloc(city->rides, city->cap_rides, sizeof(*city->rides));
        }
        struct ride r = make_ride(city, &m, &rng);
        r.pickup_ms = start_ms + ms;
        r.dropoff_ms += r.pickup_ms;
        city->rides[city->n_rides++] = r;
    }
}

/* The source */

static struct city *city_of(struct trip_source *source)
{
    return (struct city *)source;
}

static bool city_next(struct trip_source *source, struct trip *ret)
{
    struct city *city = city_of(source);

    while (city->at == city->n_rides)
        make_minute(city);

    const struct ride *r = &city->rides[city->at++];
    *ret = (struct trip){city->n_before + city->at, r->pickup_ms, r->dropoff_ms};
    return true;
}

/* Appends a string that is written in the program. */
#define PUT(out, text) buf_append(out, text, sizeof(text) - 1)

static void city_write_request(struct trip_source *source, const struct trip *trip, struct buf *out)
{
    struct city *city = city_of(source);
    const struct ride *r = &city->rides[trip->number - city->n_before - 1];
    char at[CLOCK_TEXT_LEN + 1];

    clock_format(r->pickup_ms, at);
    PUT(out, "{\"vendor_id\":");
    buf_byte(out, (char)('0' + r->vendor));
    PUT(out, ",\"pickup_datetime\":\"");
    buf_append(out, at, CLOCK_TEXT_LEN);
    PUT(out, "\",\"passenger_count\":");
    buf_byte(out, (char)('0' + r->passengers));
    PUT(out, ",\"pickup_longitude\":");
    json_write_number(out, r->from_lon);
    PUT(out, ",\"pickup_latitude\":");
    json_write_number(out, r->from_lat);
    PUT(out, ",\"dropoff_longitude\":");
    json_write_number(out, r->to_lon);
    PUT(out, ",\"dropoff_latitude\":");
    json_write_number(out, r->to_lat);
    PUT(out, ",\"store_and_fwd_flag\":\"");
    buf_byte(out, r->is_stored ? 'Y' : 'N');
    PUT(out, "\"}");
}

/* "t000000123": nine digits, more when there are more. */
static void city_write_key(struct trip_source *source, uint64_t number, struct buf *out)
{
    (void)source;
    buf_byte(out, 't');
    for (uint64_t limit = 100000000; limit > 1 && number < limit; limit /= 10)
        buf_byte(out, '0');
    json_write_int(out, (int64_t)number);
}

/* The minute that a time lies in, from 0; 0 for what lies before the start. */
static int64_t minute_of(const struct city *city, int64_t time_ms)
{
    int64_t since_ms = time_ms - city->options.start_ms;

    return since_ms < 0 ? 0 : since_ms / MINUTE_MS;
}

/*
 * The cursor says how many requests there were up to the last one's time, and making the minutes
 * before it again says how many of those are in them: the difference numbers the first.
 */
static int city_seek(struct trip_source *source, const struct cursor *after, uint64_t *ret_before,
                     struct err *err)
{
    struct city *city = city_of(source);
    int64_t first = 0;
    uint64_t n_again = 0;

    city->n_rides = city->at = city->n_before = 0;
    if (after->number) {
        int64_t last = minute_of(city, after->request_ms);
        first = minute_of(city, after->time_ms - CITY_TRIP_MAX_MS);
        bool is_far = first > last; /* no trip may take that long */
        for (city->minute = first; city->minute <= last;) {
            make_minute(city);
            for (size_t i = 0; i < city->n_rides; i++)
                n_again += city->rides[i].pickup_ms <= after->request_ms;
        }
        if (is_far || n_again > after->requests || (first == 0 && n_again < after->requests))
            return err_set(err, ERR_REFUSED,
                           "the stream's place does not fit simulation %s; start over with --fresh",
                           source->identity);
    }

    city->n_rides = city->at = 0;
    city->minute = first;
    city->n_before = after->requests - n_again;
    *ret_before = city->n_before;
    return 0;
}

static void city_free(struct trip_source *source)
{
    struct city *city = city_of(source);

    free(city->rides);
    free(city);
}

static const struct trip_source_ops city_ops = {
    .next = city_next,
    .write_request = city_write_request,
    .write_key = city_write_key,
    .seek = city_seek,
    .free = city_free,
};

struct trip_source *city_new(const struct city_options *options)
{
    struct city *city = mem_zalloc(1, sizeof(*city));

    city->base.ops = &city_ops;
    city->options = *options;
    snprintf(city->base.identity, sizeof(city->base.identity), "city1/%llu/%lld/%lld",
             (unsigned long long)options->seed, (long long)(options->start_ms / 1000),
             (long long)(options->regime_after_ms < 0 ? -1 : options->regime_after_ms / 1000));
    build_zones(city);
    return &city->base;
}
