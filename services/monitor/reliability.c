/* Probabilities in bins. */
#include "monitor/reliability.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "monitor/text.h"

/* Rows whose probability lies in a bin. */
struct bin {
    size_t positives, negatives;
    double sum; /* of probabilities */
};

static double bound(int i)
{
    return (i + 1) / (double)RELIABILITY_BINS;
}

/* A bin begins with its lower bound. */
static int bin_of(double p)
{
    int i = 0;

    while (i < RELIABILITY_BINS - 1 && p >= bound(i))
        i++;
    return i;
}

static void count(const struct errors *e, size_t model, struct bin *bins)
{
    for (size_t i = 0; i < errors_kept(e); i++) {
        double p = errors_at(e, i, model);

        if (isnan(p))
            continue;
        struct bin *bin = &bins[bin_of(p)];
        if (errors_row(e, i)->label == 1)
            bin->positives++;
        else
            bin->negatives++;
        bin->sum += p;
    }
}

static void write_counts(const struct bin *bins, bool positives, struct buf *out)
{
    text_put_name(out, positives ? "positive" : "negative");
    buf_byte(out, '[');
    for (int i = 0; i < RELIABILITY_BINS; i++) {
        text_next(out);
        json_write_int(out, (int64_t)(positives ? bins[i].positives : bins[i].negatives));
    }
    buf_byte(out, ']');
}

static void write_model_scores(const struct bin *bins, struct buf *out)
{
    buf_byte(out, '{');
    write_counts(bins, true, out);
    write_counts(bins, false, out);
    buf_byte(out, '}');
}

static void write_model_reliability(const struct bin *bins, struct buf *out)
{
    buf_byte(out, '[');
    for (int i = 0; i < RELIABILITY_BINS; i++) {
        size_t n = bins[i].positives + bins[i].negatives;

        text_next(out);
        buf_byte(out, '{');
        text_put_count(out, "n", n);
        text_put_number(out, "mean", bins[i].sum / (double)n); /* 0 / 0 is NaN */
        text_put_number(out, "rate", (double)bins[i].positives / (double)n);
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
}

void reliability_write(const struct errors *e, const char *const *models, size_t n_models,
                       struct buf *out)
{
    struct bin *bins = mem_zalloc(n_models * RELIABILITY_BINS + 1, sizeof(*bins));

    for (size_t k = 0; k < n_models; k++)
        count(e, k, bins + k * RELIABILITY_BINS);
    text_put_name(out, "scores");
    buf_text(out, "{\"bounds\":[");
    for (int i = 0; i < RELIABILITY_BINS - 1; i++) {
        text_next(out);
        text_number(out, bound(i));
    }
    buf_text(out, "],\"models\":{");
    for (size_t k = 0; k < n_models; k++) {
        text_put_name(out, models[k]);
        write_model_scores(bins + k * RELIABILITY_BINS, out);
    }
    buf_text(out, "}}");
    text_put_name(out, "reliability");
    buf_byte(out, '{');
    for (size_t k = 0; k < n_models; k++) {
        text_put_name(out, models[k]);
        write_model_reliability(bins + k * RELIABILITY_BINS, out);
    }
    buf_byte(out, '}');
    free(bins);
}
