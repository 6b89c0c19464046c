#include "mz_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

const char *const TWO_FEATURES[2] = {"speed", "is_weekend"};

static void take_note(void *ctx, const char *text)
{
    struct fixture *f = ctx;

    buf_printf(&f->notes, "%s\n", text);
}

int mz_fixture_setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof(*f));

    f->options = (struct views_options){
        .engine = "materialize",
        .name = "taxi",
        .sql_dir = SQL_DIR,
        .key = "trip_id",
        .label = "duration",
        .features = TWO_FEATURES,
        .n_features = 2,
        .topic_names = {"pick-ups", "drop-offs", "predictions"},
        .brokers = "a:9092,b:9092",
        .window_seconds = 86400,
        .note = take_note,
        .note_ctx = f,
    };
    *state = f;
    return 0;
}

int mz_fixture_teardown(void **state)
{
    struct fixture *f = *state;

    views_close(f->views);
    mz_standin_stop(&f->server);
    buf_release(&f->notes);
    if (f->dir[0]) {
        DIR *dir = opendir(f->dir);
        const struct dirent *entry;
        char path[400];
        while (dir && (entry = readdir(dir))) {
            snprintf(path, sizeof(path), "%s/%s", f->dir, entry->d_name);
            unlink(path);
        }
        closedir(dir);
        rmdir(f->dir);
    }
    free(f);
    return 0;
}

void open_views(struct fixture *f)
{
    struct err err = {0};

    f->options.url = f->server.url;
    f->views = views_open(&f->options, &err);
    if (!f->views)
        fail_msg("views_open: %s", err.text);
}

int poll_rows(struct fixture *f, struct views_batch *ret, struct err *err)
{
    int rc;

    do {
        rc = views_poll(f->views, 20000, ret, err);
    } while (rc == 1 && ret->n == 0);
    return rc;
}

int ignore_row(void *ctx, size_t n, const char *const *names, const char *const *values)
{
    (void)ctx;
    (void)n;
    (void)names;
    (void)values;
    return 0;
}

void assert_keys(const struct views_batch *batch, const char *want)
{
    struct buf got = BUF_INIT;

    for (size_t i = 0; i < batch->n; i++)
        buf_printf(&got, "%s%.*s:%d", i ? " " : "", (int)batch->rows[i].key_len, batch->rows[i].key,
                   (int)batch->rows[i].diff);
    assert_string_equal(buf_str(&got), want);
    buf_release(&got);
}
