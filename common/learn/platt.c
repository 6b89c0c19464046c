/* A sigmoid over scores: see platt.h. */
#include "learn/platt.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define LEAST_P       1e-6
#define RIDGE         1e-6  /* added to the diagonal: equal scores say nothing of slope by itself */
#define HALVED_MOST   40    /* a step, at most */
#define LEAST_DECLINE 1e-4  /* of what the gradient promises */
#define NEAR          1e-10 /* of the least loss, a sample: there a fit is done */

/* The window */

static const struct platt_sample *sample_at(const struct platt_window *w, size_t i)
{
    size_t at = w->first + i;

    return &w->at[at < w->capacity ? at : at - w->capacity];
}

void platt_window_release(struct platt_window *w)
{
    free(w->at);
    *w = (struct platt_window){.size = w->size};
}

static void drop_oldest(struct platt_window *w)
{
    w->n_positive -= sample_at(w, 0)->positive;
    w->first = w->first + 1 < w->capacity ? w->first + 1 : 0;
    w->n--;
}

/* The same samples in a ring of another capacity, which is at least n. */
static void set_capacity(struct platt_window *w, size_t capacity)
{
    struct platt_sample *at = mem_zalloc(capacity, sizeof(*at));

    for (size_t i = 0; i < w->n; i++)
        at[i] = *sample_at(w, i);
    free(w->at);
    w->at = at;
    w->capacity = capacity;
    w->first = 0;
}

static size_t larger_capacity(const struct platt_window *w)
{
    size_t capacity = w->capacity < 16 ? 16 : 2 * w->capacity;

    return capacity < w->size ? capacity : w->size;
}

void platt_window_push(struct platt_window *w, double score, bool positive)
{
    size_t at;

    if (w->n == w->size)
        drop_oldest(w);
    if (w->n == w->capacity)
        set_capacity(w, larger_capacity(w));
    at = w->first + w->n;
    w->at[at < w->capacity ? at : at - w->capacity] = (struct platt_sample){score, positive};
    w->n++;
    w->n_positive += positive;
}

void platt_window_resize(struct platt_window *w, size_t size)
{
    while (w->n > size)
        drop_oldest(w);
    if (w->capacity > size)
        set_capacity(w, size);
    w->size = size;
}

size_t platt_window_bytes(size_t n)
{
    return n * sizeof(struct platt_sample);
}

void platt_window_save(const struct platt_window *w, struct buf *out)
{
    blob_write_u64(out, w->n);
    for (size_t i = 0; i < w->n; i++) {
        blob_write_f64(out, sample_at(w, i)->score);
        blob_write_u8(out, sample_at(w, i)->positive);
    }
}

void platt_window_load(struct platt_window *w, struct blob_reader *in)
{
    size_t n = blob_read_count(in, sizeof(double) + 1, w->size);

    for (size_t i = 0; i < n; i++) {
        double score = blob_read_f64(in);
        uint8_t positive = blob_read_u8(in);

        if (!isfinite(score) || positive > 1) {
            blob_fail(in, "a score in the window of a calibration is not one");
            return;
        }
        platt_window_push(w, score, positive);
    }
}

/* Fitting */

double platt_score(double p)
{
    p = fmin(fmax(p, LEAST_P), 1 - LEAST_P);
    return log(p / (1 - p));
}

static double sigmoid(double z)
{
    return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

double platt_probability(const struct platt *fit, double score)
{
    return sigmoid(fit->slope * score + fit->intercept);
}

/* What the labels are smoothed to. */
struct targets {
    double of[2]; /* of a negative, of a positive one */
};

static struct targets targets_of(const struct platt_window *w)
{
    double positive = (double)w->n_positive;
    double negative = (double)(w->n - w->n_positive);

    return (struct targets){{1 / (negative + 2), (positive + 1) / (positive + 2)}};
}

static double loss_of(const struct platt *fit, const struct platt_window *w, struct targets t)
{
    double sum = 0;

    for (size_t i = 0; i < w->n; i++) {
        const struct platt_sample *s = sample_at(w, i);
        double z = fit->slope * s->score + fit->intercept;

        sum += log1p(exp(-fabs(z))) + (z >= 0 ? z : 0) - t.of[s->positive] * z;
    }
    return sum;
}

/* Where Newton's method goes, in slope and intercept. */
struct newton {
    double direction[2];
    double slope; /* of the loss in that direction: below 0 by twice what is left to gain, or so */
};

static struct newton newton_at(const struct platt *fit, const struct platt_window *w,
                               struct targets t)
{
    struct newton at;
    double gradient[2] = {0, 0};
    double ss = RIDGE;
    double si = 0;
    double ii = RIDGE;

    for (size_t i = 0; i < w->n; i++) {
        const struct platt_sample *s = sample_at(w, i);
        double p = platt_probability(fit, s->score);
        double v = p * (1 - p);
        double d = p - t.of[s->positive];

        ss += v * s->score * s->score;
        si += v * s->score;
        ii += v;
        gradient[0] += d * s->score;
        gradient[1] += d;
    }
    double determinant = ss * ii - si * si;
    at.direction[0] = -(ii * gradient[0] - si * gradient[1]) / determinant;
    at.direction[1] = -(ss * gradient[1] - si * gradient[0]) / determinant;
    at.slope = gradient[0] * at.direction[0] + gradient[1] * at.direction[1];
    return at;
}

/* Goes that way, half as far as long as that is too far; false when no step is short enough. */
static bool step(struct platt *fit, double *loss, const struct newton *at,
                 const struct platt_window *w, struct targets t)
{
    double far = 1;

    for (int halved = 0; halved < HALVED_MOST; halved++, far /= 2) {
        struct platt next = {fit->slope + far * at->direction[0],
                             fit->intercept + far * at->direction[1]};
        double found = loss_of(&next, w, t);

        if (found < *loss + LEAST_DECLINE * far * at->slope) {
            *fit = next;
            *loss = found;
            return true;
        }
    }
    return false;
}

void platt_fit(struct platt *fit, const struct platt_window *w)
{
    struct targets t = targets_of(w);
    double loss = loss_of(fit, w, t);

    for (int i = 0; i < PLATT_STEPS; i++) {
        struct newton at = newton_at(fit, w, t);

        if (!(-at.slope > NEAR * (double)w->n) || !step(fit, &loss, &at, w, t))
            return;
    }
}
