/*
 * Scores as JSON. Doubles are the shortest text that reads back the same;
 * those that JSON cannot say (a diverging model squares its way to infinity)
 * are the strings "inf", "-inf" and "nan".
 */
#include "learner/scores.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "learn/model.h"

#define N_METRICS      6  /* doubles of struct metrics */
#define N_LABEL_FIELDS 11 /* doubles of struct label_scores that are kept */

#define N_INTERVAL_FIELDS 3 /* of struct interval_scores */

/* The state of `m`, in the order in which it is stored. */
static void metrics_fields(struct metrics *m, double *ret[N_METRICS])
{
    ret[0] = &m->n;
    ret[1] = &m->mae;
    ret[2] = &m->mse;
    ret[3] = &m->y_mean;
    ret[4] = &m->y_s;
    ret[5] = &m->rss;
}

/* Writing */

static void write_exact(struct buf *out, double v)
{
    if (isfinite(v))
        json_write_number(out, v);
    else
        buf_text(out, isnan(v) ? "\"nan\"" : v > 0 ? "\"inf\"" : "\"-inf\"");
}

static void write_list(struct buf *out, const char *name, double *const *fields, size_t n)
{
    json_write_name(out, name);
    for (size_t i = 0; i < n; i++) {
        buf_byte(out, i ? ',' : '[');
        write_exact(out, *fields[i]);
    }
    buf_byte(out, ']');
}

static void write_metrics(struct buf *out, const char *name, const struct metrics *m)
{
    struct metrics copy = *m;
    double *fields[N_METRICS];

    metrics_fields(&copy, fields);
    write_list(out, name, fields, N_METRICS);
}

/* `v`, or null when there is nothing to be the score of. */
static void write_member(struct buf *out, const char *name, bool is_known, double v)
{
    if (out->len && out->data[out->len - 1] != '{')
        buf_byte(out, ',');
    json_write_name(out, name);
    if (is_known)
        json_write_number(out, v);
    else
        buf_text(out, "null");
}

/* Reading */

static bool read_exact(const struct json_value *v, double *ret)
{
    if (json_is(v, "inf", 3))
        *ret = (double)INFINITY;
    else if (json_is(v, "-inf", 4))
        *ret = (double)-INFINITY;
    else if (json_is(v, "nan", 3))
        *ret = (double)NAN;
    else
        return json_number(v, ret);
    return true;
}

static bool read_list(const struct json_value *state, const char *name, double *const *fields,
                      size_t n)
{
    struct json_value list;
    struct json_value v;
    struct json_iter it;
    size_t i = 0;

    if (!json_get(state, name, &list) || list.type != JSON_ARRAY)
        return false;
    json_iter_init(&it, &list);
    while (json_next_element(&it, &v))
        if (i == n || !read_exact(&v, fields[i++]))
            return false;
    return i == n;
}

static bool read_metrics(const struct json_value *state, const char *name, struct metrics *ret)
{
    double *fields[N_METRICS];

    metrics_fields(ret, fields);
    return read_list(state, name, fields, N_METRICS) && ret->n >= 0;
}

static bool read_window(const struct json_value *state, const char *name,
                        struct metrics_window *ret)
{
    struct json_value list;
    struct json_value v;
    struct json_iter it;

    if (!json_get(state, name, &list) || list.type != JSON_ARRAY)
        return false;
    json_iter_init(&it, &list);
    while (json_next_element(&it, &v)) {
        double error;

        if (!read_exact(&v, &error))
            return false;
        metrics_window_push(ret, error);
    }
    return true;
}

/* Labels of a binary task: their scores, and their state as it lies in memory. */

static void write_labels(struct buf *out, const char *name, const struct metrics_labels *m)
{
    bool is_any = m->tp + m->fp + m->tn + m->fn > 0;

    buf_byte(out, ',');
    json_write_name(out, name);
    buf_byte(out, '{');
    write_member(out, "accuracy", is_any, metrics_accuracy(m));
    write_member(out, "precision", is_any, metrics_precision(m));
    write_member(out, "recall", is_any, metrics_recall(m));
    write_member(out, "f1", is_any, metrics_f1(m));
    buf_byte(out, '}');
}

static void write_binary(const struct scores *s, struct buf *out)
{
    write_member(out, "log_loss", s->labels.n > 0, s->labels.log_loss);
    write_member(out, "log_loss_window", s->log_losses.count > 0,
                 metrics_window_mae(&s->log_losses));
    write_member(out, "log_loss_served", s->labels_served.n > 0, s->labels_served.log_loss);
    write_member(out, "unscored", true, s->labels.unscored);
    write_member(out, "threshold", true, s->threshold);
    write_labels(out, "argmax", &s->labels.argmax);
    write_labels(out, "at_threshold", &s->labels.threshold);
    write_labels(out, "argmax_served", &s->labels_served.argmax);
    write_labels(out, "at_threshold_served", &s->labels_served.threshold);
}

/* The state of `m`, in the order in which it is stored. */
static void label_fields(struct label_scores *m, double *ret[N_LABEL_FIELDS])
{
    struct metrics_labels *of[] = {&m->argmax, &m->threshold};
    size_t n = 0;

    for (size_t i = 0; i < 2; i++) {
        ret[n++] = &of[i]->tp;
        ret[n++] = &of[i]->fp;
        ret[n++] = &of[i]->tn;
        ret[n++] = &of[i]->fn;
    }
    ret[n++] = &m->n;
    ret[n++] = &m->unscored;
    ret[n++] = &m->log_loss;
}

static void write_label_state(struct buf *out, const char *name, const struct label_scores *m)
{
    struct label_scores copy = *m;
    double *fields[N_LABEL_FIELDS];

    label_fields(&copy, fields);
    buf_byte(out, ',');
    write_list(out, name, fields, N_LABEL_FIELDS);
}

static bool read_label_state(const struct json_value *state, const char *name,
                             struct label_scores *ret)
{
    double *fields[N_LABEL_FIELDS];

    label_fields(ret, fields);
    return read_list(state, name, fields, N_LABEL_FIELDS);
}

static void write_window(struct buf *out, const char *name, const struct metrics_window *w)
{
    buf_byte(out, ',');
    json_write_name(out, name);
    buf_byte(out, '[');
    for (size_t i = 0; i < w->count; i++) {
        if (i)
            buf_byte(out, ',');
        write_exact(out, metrics_window_error(w, i));
    }
    buf_byte(out, ']');
}

static void update_labels(struct label_scores *m, bool y, double p, double threshold)
{
    if (isnan(p)) {
        m->unscored += 1;
        return;
    }
    metrics_labels_update(&m->argmax, y, model_label(p));
    metrics_labels_update(&m->threshold, y, p > threshold);
    m->n += 1;
    m->log_loss += 1 / m->n * (metrics_log_loss_of(y, p) - m->log_loss);
}

/* Intervals */

static void write_intervals(const struct scores *s, struct buf *out)
{
    write_member(out, "interval_coverage", true, scores_coverage(s));
    write_member(out, "interval_coverage_window", true, scores_coverage_window(s));
    write_member(out, "interval_width", true, s->intervals.width);
    write_member(out, "n_intervals", true, s->intervals.n);
}

static void interval_fields(struct interval_scores *m, double *ret[N_INTERVAL_FIELDS])
{
    ret[0] = &m->n;
    ret[1] = &m->inside;
    ret[2] = &m->width;
}

static void write_interval_state(struct buf *out, const struct interval_scores *m)
{
    struct interval_scores copy = *m;
    double *fields[N_INTERVAL_FIELDS];

    interval_fields(&copy, fields);
    buf_byte(out, ',');
    write_list(out, "intervals", fields, N_INTERVAL_FIELDS);
    write_window(out, "covered", &m->window);
}

/* A version that was stored before its first interval, or by a release without, has none. */
static bool read_interval_state(const struct json_value *state, struct interval_scores *ret)
{
    struct json_value list;
    double *fields[N_INTERVAL_FIELDS];

    if (!json_get(state, "intervals", &list))
        return true;
    interval_fields(ret, fields);
    return read_list(state, "intervals", fields, N_INTERVAL_FIELDS) && ret->n > 0 &&
           read_window(state, "covered", &ret->window);
}

/* Public functions */

void scores_init(struct scores *s, size_t window)
{
    *s = (struct scores){.all = {.n = 0}};
    metrics_window_init(&s->window, window);
    metrics_window_init(&s->intervals.window, window);
}

void scores_set_binary(struct scores *s, double threshold)
{
    s->is_binary = true;
    s->threshold = threshold;
    metrics_window_init(&s->log_losses, s->window.size);
}

void scores_release(struct scores *s)
{
    metrics_window_release(&s->window);
    metrics_window_release(&s->intervals.window);
    if (s->is_binary)
        metrics_window_release(&s->log_losses);
}

void scores_update(struct scores *s, double label, double predicted, double served)
{
    if (isfinite(predicted)) {
        metrics_update(&s->all, label, predicted);
        metrics_window_update(&s->window, label, predicted);
    }
    if (isfinite(served))
        metrics_update(&s->served, label, served);
}

void scores_update_labels(struct scores *s, double label, double predicted, double served)
{
    update_labels(&s->labels, label == 1, predicted, s->threshold);
    if (!isnan(predicted))
        metrics_window_push(&s->log_losses, metrics_log_loss_of(label == 1, predicted));
    update_labels(&s->labels_served, label == 1, served, s->threshold);
}

void scores_update_interval(struct scores *s, double label, const struct issued *served)
{
    struct interval_scores *m = &s->intervals;
    bool is_inside;

    if (!issued_has_interval(served))
        return;
    is_inside = served->low <= label && label <= served->high;
    m->n += 1;
    m->inside += is_inside;
    m->width += 1 / m->n * ((served->high - served->low) - m->width);
    metrics_window_push(&m->window, is_inside);
}

double scores_coverage(const struct scores *s)
{
    return s->intervals.inside / s->intervals.n; /* 0 / 0 is NaN */
}

double scores_coverage_window(const struct scores *s)
{
    return s->intervals.window.count ? metrics_window_mae(&s->intervals.window) : (double)NAN;
}

void scores_write_members(const struct scores *s, struct buf *out)
{
    bool is_any = s->all.n > 0;
    bool is_served = s->served.n > 0;

    write_member(out, "mae", is_any, metrics_mae(&s->all));
    write_member(out, "rmse", is_any, metrics_rmse(&s->all));
    write_member(out, "r2", is_any, metrics_r2(&s->all));
    write_member(out, "n", true, s->all.n);
    write_member(out, "mae_window", s->window.count > 0, metrics_window_mae(&s->window));
    write_member(out, "window", true, (double)s->window.count);
    write_member(out, "mae_served", is_served, metrics_mae(&s->served));
    write_member(out, "rmse_served", is_served, metrics_rmse(&s->served));
    write_member(out, "n_served", true, s->served.n);
    if (s->is_binary)
        write_binary(s, out);
    if (s->intervals.n > 0)
        write_intervals(s, out);
}

void scores_write(const struct scores *s, struct buf *out)
{
    buf_byte(out, '{');
    scores_write_members(s, out);
    buf_text(out, ",\"state\":{");
    write_metrics(out, "all", &s->all);
    buf_byte(out, ',');
    write_metrics(out, "served", &s->served);
    if (s->is_binary) {
        write_label_state(out, "labels", &s->labels);
        write_label_state(out, "labels_served", &s->labels_served);
        write_window(out, "log_losses", &s->log_losses);
    }
    if (s->intervals.n > 0)
        write_interval_state(out, &s->intervals);
    write_window(out, "window", &s->window);
    buf_text(out, "}}");
}

int scores_read(struct scores *s, const char *text, struct err *err)
{
    struct json_value root;
    struct json_value state;

    if (json_parse(text, strlen(text), &root, err) < 0)
        return err_set(err, ERR_CORRUPT, "its scores are not JSON");
    if (!json_get(&root, "state", &state) || !read_metrics(&state, "all", &s->all) ||
        !read_metrics(&state, "served", &s->served) || !read_window(&state, "window", &s->window))
        return err_set(err, ERR_CORRUPT, "its scores lack the state to go on from");
    if (s->is_binary && (!read_label_state(&state, "labels", &s->labels) ||
                         !read_label_state(&state, "labels_served", &s->labels_served) ||
                         !read_window(&state, "log_losses", &s->log_losses)))
        return err_set(err, ERR_CORRUPT, "its scores lack the state of the labels");
    if (!read_interval_state(&state, &s->intervals))
        return err_set(err, ERR_CORRUPT, "its scores lack the state of the intervals");
    return 0;
}
