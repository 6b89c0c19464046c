/* Rows of views. */
#include "monitor/view_rows.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "inspect/inspect.h"
#include "monitor/text.h"

#define KEPT 32 /* answers */

struct answer {
    char *name;
    int64_t time_ms;
    struct buf json;
};

struct view_rows {
    const struct task *task;
    pthread_mutex_t query; /* held while the engine is asked */
    pthread_mutex_t lock;  /* of the answers */
    struct answer answer[KEPT];
    size_t n;
};

struct view_rows *view_rows_new(const struct task *task)
{
    struct view_rows *v = mem_zalloc(1, sizeof(*v));

    v->task = task;
    pthread_mutex_init(&v->query, NULL);
    pthread_mutex_init(&v->lock, NULL);
    return v;
}

static void answer_release(struct answer *answer)
{
    free(answer->name);
    buf_release(&answer->json);
}

void view_rows_free(struct view_rows *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->n; i++)
        answer_release(&v->answer[i]);
    pthread_mutex_destroy(&v->query);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

/* ---- Kept answers ---- */

static bool get_kept(struct view_rows *v, const char *name, struct buf *out)
{
    bool found = false;

    pthread_mutex_lock(&v->lock);
    for (size_t i = 0; i < v->n && !found; i++) {
        const struct answer *answer = &v->answer[i];

        found = strcmp(answer->name, name) == 0 &&
                clock_wall_ms() - answer->time_ms < VIEW_ROWS_KEPT_MS;
        if (found)
            buf_append(out, buf_str(&answer->json), answer->json.len);
    }
    pthread_mutex_unlock(&v->lock);
    return found;
}

static void keep(struct view_rows *v, const char *name, const struct buf *json)
{
    size_t at = 0;

    pthread_mutex_lock(&v->lock);
    /* The same view's, else a new place, else the oldest's. */
    while (at < v->n && strcmp(v->answer[at].name, name) != 0)
        at++;
    if (at == KEPT) {
        at = 0;
        for (size_t i = 1; i < KEPT; i++)
            if (v->answer[i].time_ms < v->answer[at].time_ms)
                at = i;
    }
    if (at == v->n)
        v->n++;
    else
        answer_release(&v->answer[at]);
    v->answer[at] = (struct answer){.name = mem_strdup(name), .time_ms = clock_wall_ms()};
    buf_append(&v->answer[at].json, buf_str(json), json->len);
    pthread_mutex_unlock(&v->lock);
}

/* ---- Asking ---- */

struct rows {
    const char *key; /* the key's column: text, whatever it looks like */
    struct buf *out;
    size_t n;
    bool more;
};

static void write_value(const char *value, bool is_key, struct buf *out)
{
    double number;

    text_next(out);
    if (value && !is_key && num_parse(value, strlen(value), &number) == 0)
        buf_text(out, value);
    else
        text_string(out, value);
}

static int on_row(void *ctx, size_t n, const char *const *names, const char *const *values)
{
    struct rows *rows = ctx;

    if (rows->n++ == VIEW_ROWS_MAX) {
        rows->more = true;
        return 0;
    }
    text_next(rows->out);
    buf_byte(rows->out, '[');
    for (size_t i = 0; i < n; i++)
        write_value(values[i], strcmp(names[i], rows->key) == 0, rows->out);
    buf_byte(rows->out, ']');
    return 0;
}

/* True when the name stands among those, one a line. It is then a name that the task's own SQL
 * has, and may stand in quotes. */
static bool is_listed(const struct buf *names, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = buf_str(names); *at; at = strchr(at, '\n') + 1)
        if (strncmp(at, name, len) == 0 && at[len] == '\n')
            return len > 0 && !strchr(name, '"');
    return false;
}

static int refuse(const char *name, struct buf *names, struct err *err)
{
    for (char *at = names->data; at && *at; at++)
        if (*at == '\n')
            *at = at[1] ? ',' : '\0';
    return err_set(err, ERR_NOT_FOUND, "the task's SQL has no view \"%.64s\"; it has %s", name,
                   buf_str(names));
}

static int write_columns(struct views *views, const char *name, struct buf *out, struct err *err)
{
    struct views_column *columns;
    size_t n;
    int rc = views_columns(views, name, &columns, &n, err);

    if (rc < 0)
        return rc;
    text_put_name(out, "columns");
    buf_byte(out, '[');
    for (size_t i = 0; i < n; i++) {
        text_next(out);
        text_string(out, columns[i].name);
    }
    buf_byte(out, ']');
    views_columns_free(columns, n);
    return 0;
}

static int read_view(struct views *views, const char *key, const char *name, struct buf *out,
                     struct err *err)
{
    struct rows rows = {.key = key, .out = out};
    struct buf names = BUF_INIT, sql = BUF_INIT;
    int rc = views_names(views, &names, err);

    if (rc == 0 && !is_listed(&names, name))
        rc = refuse(name, &names, err);
    if (rc == 0) {
        buf_byte(out, '{');
        text_put_string(out, "view", name);
        text_put_time(out, "time_ms", clock_wall_ms());
        rc = write_columns(views, name, out, err);
    }
    if (rc == 0) {
        text_put_name(out, "rows");
        buf_byte(out, '[');
        buf_printf(&sql, "SELECT * FROM \"%s\" LIMIT %d", name, VIEW_ROWS_MAX + 1);
        rc = views_query(views, buf_str(&sql), on_row, &rows, err);
        buf_byte(out, ']');
        text_put_bool(out, "more", rows.more);
        buf_byte(out, '}');
    }
    buf_release(&names);
    buf_release(&sql);
    return rc;
}

int view_rows_get(struct view_rows *v, const char *name, struct buf *out, struct err *err)
{
    struct inspect in = {0};
    struct buf json = BUF_INIT;

    if (get_kept(v, name, out))
        return 0;
    if (pthread_mutex_trylock(&v->query) != 0)
        return err_set_retriable(err, ERR_TIMEOUT,
                                 "another view is being read; try again in a moment");
    int rc = inspect_open_store(&in, v->task, "oxbow-monitor-views", err);
    if (rc == 0)
        rc = inspect_open_views(&in, err);
    if (rc == 0)
        rc = read_view(in.views, v->task->key, name, &json, err);
    inspect_release(&in);
    if (rc == 0) {
        keep(v, name, &json);
        buf_append(out, buf_str(&json), json.len);
    }
    pthread_mutex_unlock(&v->query);
    buf_release(&json);
    return rc;
}
