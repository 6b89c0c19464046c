/*
 * Scores as JSON. Doubles are the shortest text that reads back the same;
 * those that JSON cannot say (a diverging model squares its way to infinity)
 * are the strings "inf", "-inf" and "nan".
 */
#include "learner/scores.h"

#include <math.h>
#include <string.h>

#include "base/json.h"

#define N_METRICS 6 /* doubles of struct metrics */

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

static void write_metrics(struct buf *out, const char *name, const struct metrics *m)
{
    struct metrics copy = *m;
    double *fields[N_METRICS];

    metrics_fields(&copy, fields);
    json_write_name(out, name);
    for (size_t i = 0; i < N_METRICS; i++) {
        buf_byte(out, i ? ',' : '[');
        write_exact(out, *fields[i]);
    }
    buf_byte(out, ']');
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

static bool read_metrics(const struct json_value *state, const char *name, struct metrics *ret)
{
    struct json_value list;
    struct json_value v;
    struct json_iter it;
    double *fields[N_METRICS];
    size_t n = 0;

    if (!json_get(state, name, &list) || list.type != JSON_ARRAY)
        return false;
    metrics_fields(ret, fields);
    json_iter_init(&it, &list);
    while (json_next_element(&it, &v))
        if (n == N_METRICS || !read_exact(&v, fields[n++]))
            return false;
    return n == N_METRICS && ret->n >= 0;
}

static bool read_window(const struct json_value *state, struct metrics_window *ret)
{
    struct json_value list;
    struct json_value v;
    struct json_iter it;

    if (!json_get(state, "window", &list) || list.type != JSON_ARRAY)
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

/* Public functions */

void scores_init(struct scores *s, size_t window)
{
    *s = (struct scores){.all = {.n = 0}};
    metrics_window_init(&s->window, window);
}

void scores_release(struct scores *s)
{
    metrics_window_release(&s->window);
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
}

void scores_write(const struct scores *s, struct buf *out)
{
    buf_byte(out, '{');
    scores_write_members(s, out);
    buf_text(out, ",\"state\":{");
    write_metrics(out, "all", &s->all);
    buf_byte(out, ',');
    write_metrics(out, "served", &s->served);
    buf_text(out, ",\"window\":[");
    for (size_t i = 0; i < s->window.count; i++) {
        if (i)
            buf_byte(out, ',');
        write_exact(out, metrics_window_error(&s->window, i));
    }
    buf_text(out, "]}}");
}

int scores_read(struct scores *s, const char *text, struct err *err)
{
    struct json_value root;
    struct json_value state;

    if (json_parse(text, strlen(text), &root, err) < 0)
        return err_set(err, ERR_CORRUPT, "its scores are not JSON");
    if (!json_get(&root, "state", &state) || !read_metrics(&state, "all", &s->all) ||
        !read_metrics(&state, "served", &s->served) || !read_window(&state, &s->window))
        return err_set(err, ERR_CORRUPT, "its scores lack the state to go on from");
    return 0;
}
