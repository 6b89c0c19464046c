/*
 * Latency histograms. Bucket 16 * octave + step holds the spans from
 * 2^(10 + octave) * (1 + step / 16) ns on; what is below 1,024 ns goes to the
 * first, what is above 2^44 ns (4.9 hours) to the last.
 */
#include <string.h>

#include "telemetry/telemetry.h"

#define STEP_BITS    4
#define STEPS        (1u << STEP_BITS) /* buckets an octave */
#define LOWEST_POWER 10                /* 2^10 ns = 1.024 us */
#define OCTAVES      (HIST_BUCKETS / STEPS)

static size_t bucket_of(uint64_t ns)
{
    if (ns < UINT64_C(1) << LOWEST_POWER)
        return 0;
    if (ns >> (LOWEST_POWER + OCTAVES))
        return HIST_BUCKETS - 1;

    unsigned power = 63 - (unsigned)__builtin_clzll(ns);
    unsigned step = (unsigned)(ns >> (power - STEP_BITS)) & (STEPS - 1);
    return (size_t)(power - LOWEST_POWER) * STEPS + step;
}

/* The width of bucket `i` in ns. */
static int64_t width(size_t i)
{
    return INT64_C(1) << (LOWEST_POWER - STEP_BITS + i / STEPS);
}

int64_t hist_bound(size_t i)
{
    return width(i) * (int64_t)(STEPS + i % STEPS + 1);
}

void hist_add(struct hist *h, int64_t ns)
{
    hist_add_many(h, ns, 1);
}

void hist_add_many(struct hist *h, int64_t ns, uint64_t n)
{
    uint64_t span = ns > 0 ? (uint64_t)ns : 0;

    h->count += n;
    h->sum_ns += span * n;
    if (n && span > h->max_ns)
        h->max_ns = span;
    h->bucket[bucket_of(span)] += n;
}

void hist_merge(struct hist *into, const struct hist *h)
{
    into->count += h->count;
    into->sum_ns += h->sum_ns;
    if (h->max_ns > into->max_ns)
        into->max_ns = h->max_ns;
    for (size_t i = 0; i < HIST_BUCKETS; i++)
        into->bucket[i] += h->bucket[i];
}

int64_t hist_percentile(const struct hist *h, double p)
{
    if (!h->count)
        return 0;

    /* The span that at least p percent of them do not exceed: number `rank` of those in order. */
    double exact = p / 100 * (double)h->count;
    uint64_t rank = exact > 1 ? (uint64_t)exact : 1;
    if ((double)rank < exact)
        rank++;
    if (rank >= h->count)
        return (int64_t)h->max_ns;

    size_t i = 0;
    for (uint64_t seen = h->bucket[0]; seen < rank && i < HIST_BUCKETS - 1;)
        seen += h->bucket[++i];

    /* The middle of the bucket is within half its width of every span in it. */
    int64_t middle = hist_bound(i) - width(i) / 2;
    return (uint64_t)middle < h->max_ns ? middle : (int64_t)h->max_ns;
}

void hist_write(const struct hist *h, struct buf *out)
{
    const char *comma = "";

    buf_printf(out, "{\"count\":%llu,\"sum_ns\":%llu,\"max_ns\":%llu,\"buckets\":[",
               (unsigned long long)h->count, (unsigned long long)h->sum_ns,
               (unsigned long long)h->max_ns);
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        if (h->bucket[i]) {
            buf_printf(out, "%s[%zu,%llu]", comma, i, (unsigned long long)h->bucket[i]);
            comma = ",";
        }
    }
    buf_text(out, "]}");
}

static bool read_count(const struct json_value *object, const char *name, uint64_t *ret)
{
    struct json_value v;
    int64_t n;

    if (!json_get(object, name, &v) || !json_int(&v, &n) || n < 0)
        return false;
    *ret = (uint64_t)n;
    return true;
}

/* One [index, count]; indexes rise. */
static bool read_bucket(const struct json_value *pair, int64_t *index, struct hist *h)
{
    struct json_iter it;
    struct json_value v;
    int64_t i;
    int64_t n;

    if (pair->type != JSON_ARRAY)
        return false;
    json_iter_init(&it, pair);
    if (!json_next_element(&it, &v) || !json_int(&v, &i) || i <= *index || i >= HIST_BUCKETS)
        return false;
    if (!json_next_element(&it, &v) || !json_int(&v, &n) || n < 0 || json_next_element(&it, &v))
        return false;
    h->bucket[i] = (uint64_t)n;
    *index = i;
    return true;
}

int hist_read(const struct json_value *v, struct hist *ret, struct err *err)
{
    struct hist h = {0};
    struct json_value buckets;
    struct json_value pair;
    struct json_iter it;
    int64_t index = -1;
    uint64_t total = 0;

    if (!read_count(v, "count", &h.count) || !read_count(v, "sum_ns", &h.sum_ns) ||
        !read_count(v, "max_ns", &h.max_ns))
        return err_set(err, ERR_INVALID, "a histogram needs count, sum_ns and max_ns, as integers");
    if (!json_get(v, "buckets", &buckets) || buckets.type != JSON_ARRAY)
        return err_set(err, ERR_INVALID, "a histogram needs buckets, an array");

    json_iter_init(&it, &buckets);
    while (json_next_element(&it, &pair))
        if (!read_bucket(&pair, &index, &h))
            return err_set(err, ERR_INVALID,
                           "a histogram's buckets are [index, count], in order, index under %d",
                           HIST_BUCKETS);
    for (size_t i = 0; i < HIST_BUCKETS; i++)
        total += h.bucket[i];
    if (total != h.count)
        return err_set(err, ERR_INVALID, "a histogram's buckets hold %llu, its count is %llu",
                       (unsigned long long)total, (unsigned long long)h.count);
    *ret = h;
    return 0;
}
