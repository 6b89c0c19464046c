/* The simulator's own options. */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "simulator/simulator.h"

#define START_MS     INT64_C(1451890800000) /* 2016-01-04T07:00:00.000Z, a Monday */
#define HOUR_MS      INT64_C(3600000)
#define DURATION_MAX 1e12 /* ms: 31 years */
#define PACE_MAX     1e9

const struct runtime_option simulator_option_list[] = {
    {"replay", "FILE",
     "trips from a CSV file (plain or gzipped) with the columns of Kaggle's NYC Taxi Trip "
     "Duration, instead of the synthetic city"},
    {"speed", "X", "event time runs X times as fast as real time (default 60)"},
    {"rate", "R", "R requests a second instead, whatever their own times"},
    {"trips", "N", "end after N trips and their outcomes (default 0: the file's end, or never)"},
    {"seed", "N", "the city's seed (default 42)"},
    {"start-date", "TIME",
     "where the city's event time begins: YYYY-MM-DD, or \"YYYY-MM-DD HH:MM:SS\" "
     "(default 2016-01-04 07:00:00)"},
    {"regime-after", "SPAN",
     "event time until the city changes (half of its zones 1.6 times as slow, traffic peaks 3 "
     "hours later): 90m, 6h, 2d, or off (default 6h)"},
};
const size_t simulator_n_options = sizeof(simulator_option_list) / sizeof(simulator_option_list[0]);

void simulator_options_init(struct simulator_options *options)
{
    *options = (struct simulator_options){
        .speed = 60,
        .city = {.seed = 42, .start_ms = START_MS, .regime_after_ms = 6 * HOUR_MS},
    };
}

static int read_positive(const char *value, double *ret, struct err *err)
{
    double v;

    if (num_parse(value, strlen(value), &v) != 0 || v <= 0 || v > PACE_MAX)
        return err_set(err, ERR_INVALID, "\"%s\": write a number above 0, at most 1e9", value);
    *ret = v;
    return 0;
}

static int read_count(const char *value, uint64_t *ret, struct err *err)
{
    int64_t v;

    if (num_parse_int(value, strlen(value), &v) != 0 || v < 0)
        return err_set(err, ERR_INVALID, "\"%s\": write a whole number, 0 or more", value);
    *ret = (uint64_t)v;
    return 0;
}

static int read_time(const char *value, int64_t *ret, struct err *err)
{
    struct buf text = BUF_INIT;
    bool is_date = strlen(value) == 10;

    buf_printf(&text, "%s%s", value, is_date ? " 00:00:00" : "");
    int rc = clock_parse(buf_str(&text), text.len, ret);
    buf_release(&text);
    if (rc != 0)
        return err_set(err, ERR_INVALID, "\"%s\": write YYYY-MM-DD or \"YYYY-MM-DD HH:MM:SS\"",
                       value);
    return 0;
}

/* Milliseconds; -1 for "off". */
static int read_span(const char *value, int64_t *ret, struct err *err)
{
    static const char units[] = "smhd";
    static const double unit_ms[] = {1e3, 60e3, 3600e3, 86400e3};
    size_t len = strlen(value);
    double v = -1;

    if (strcmp(value, "off") == 0) {
        *ret = -1;
        return 0;
    }

    const char *unit = len > 1 ? strchr(units, value[len - 1]) : NULL;
    if (!unit || num_parse(value, len - 1, &v) != 0 || v < 0 ||
        v * unit_ms[unit - units] > DURATION_MAX)
        return err_set(err, ERR_INVALID, "\"%s\": write a span such as 90m, 6h or 2d, or off",
                       value);
    /* Whole seconds, which is what the simulation's name says. */
    *ret = llround(v * unit_ms[unit - units] / 1000) * 1000;
    return 0;
}

int simulator_option(void *ctx, const char *name, const char *value, struct err *err)
{
    struct simulator_options *o = ctx;

    if (strcmp(name, "replay") == 0) {
        o->replay = value;
        return 0;
    }
    if (strcmp(name, "speed") == 0) {
        o->has_speed = true;
        return read_positive(value, &o->speed, err);
    }
    if (strcmp(name, "rate") == 0)
        return read_positive(value, &o->rate, err);
    if (strcmp(name, "trips") == 0)
        return read_count(value, &o->trips, err);

    o->for_city = name;
    if (strcmp(name, "seed") == 0)
        return read_count(value, &o->city.seed, err);
    if (strcmp(name, "start-date") == 0)
        return read_time(value, &o->city.start_ms, err);
    return read_span(value, &o->city.regime_after_ms, err);
}
