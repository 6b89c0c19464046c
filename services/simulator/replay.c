/*
 * Trips from a file: rows are read once, kept as their texts in one arena, and sorted by pick-up
 * (rows of one pick-up in the file's order).
 */
#include "simulator/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "csv/csv.h"

#define KEY_MAX   1024 /* bytes */
#define BAD_NAMED 10   /* lines that are named in the log */

/* The columns, in the order of the request's members. */
enum column {
    COL_ID,
    COL_VENDOR,
    COL_PICKUP,
    COL_PASSENGERS,
    COL_PICKUP_LON,
    COL_PICKUP_LAT,
    COL_DROPOFF_LON,
    COL_DROPOFF_LAT,
    COL_FLAG,
    COL_DROPOFF,
    N_COLUMNS,
};

enum cell { CELL_KEY, CELL_TIME, CELL_NUMBER, CELL_TEXT };

static const struct {
    const char *name;
    enum cell cell;
} columns[N_COLUMNS] = {
    [COL_ID] = {"id", CELL_KEY},
    [COL_VENDOR] = {"vendor_id", CELL_NUMBER},
    [COL_PICKUP] = {"pickup_datetime", CELL_TIME},
    [COL_PASSENGERS] = {"passenger_count", CELL_NUMBER},
    [COL_PICKUP_LON] = {"pickup_longitude", CELL_NUMBER},
    [COL_PICKUP_LAT] = {"pickup_latitude", CELL_NUMBER},
    [COL_DROPOFF_LON] = {"dropoff_longitude", CELL_NUMBER},
    [COL_DROPOFF_LAT] = {"dropoff_latitude", CELL_NUMBER},
    [COL_FLAG] = {"store_and_fwd_flag", CELL_TEXT},
    [COL_DROPOFF] = {"dropoff_datetime", CELL_TIME},
};

struct row {
    int64_t pickup_ms;
    int64_t dropoff_ms;
    size_t cells; /* in the arena: the texts of the columns that are no times, each with its NUL */
};

struct replay {
    struct trip_source base;
    struct buf arena;
    struct row *rows;
    size_t n_rows;
    size_t cap_rows;
    size_t at; /* the next to give */
};

/* Reading the file */

static int find_columns(const struct csv_field *field, size_t n, size_t where[N_COLUMNS],
                        struct err *err)
{
    for (size_t c = 0; c < N_COLUMNS; c++) {
        size_t i = 0;
        while (i < n && strcmp(field[i].text, columns[c].name) != 0)
            i++;
        if (i == n)
            return err_set(err, ERR_REFUSED,
                           "column \"%s\" is missing from the first line; the columns of Kaggle's "
                           "\"NYC Taxi Trip Duration\" (train.csv) are needed, in any order",
                           columns[c].name);
        where[c] = i;
    }
    return 0;
}

/* NULL, or what is wrong with a cell. */
static const char *check_cell(enum cell cell, const struct csv_field *f, int64_t *ret_ms)
{
    double number;

    switch (cell) {
    case CELL_KEY:
        if (f->len == 0 || f->len > KEY_MAX)
            return "is no key of 1 to 1024 bytes";
        break;
    case CELL_TIME:
        return clock_parse(f->text, f->len, ret_ms) == 0 ? NULL : "is no time YYYY-MM-DD HH:MM:SS";
    case CELL_NUMBER:
        return f->len == 0 || num_parse(f->text, f->len, &number) == 0 ? NULL : "is no number";
    case CELL_TEXT:
        break;
    }
    if (memchr(f->text, '\0', f->len) || !json_utf8_valid(f->text, f->len))
        return "is no UTF-8 text";
    return NULL;
}

static int read_row(struct replay *replay, const struct csv *csv, const struct csv_field *field,
                    const size_t where[N_COLUMNS], struct err *err)
{
    int64_t time_ms[N_COLUMNS] = {0};

    for (size_t c = 0; c < N_COLUMNS; c++) {
        const struct csv_field *f = &field[where[c]];
        const char *wrong = check_cell(columns[c].cell, f, &time_ms[c]);
        if (wrong)
            return err_set(err, ERR_INVALID, "line %" PRIu64 ", column %s: \"%.40s\" %s",
                           csv_line(csv), columns[c].name, f->text, wrong);
    }

    if (replay->n_rows == replay->cap_rows) {
        replay->cap_rows = replay->cap_rows ? 2 * replay->cap_rows : 1024;
        replay->rows = mem_realloc(replay->rows, replay->cap_rows, sizeof(*replay->rows));
    }
    replay->rows[replay->n_rows++] =
        (struct row){time_ms[COL_PICKUP], time_ms[COL_DROPOFF], replay->arena.len};
    for (size_t c = 0; c < N_COLUMNS; c++)
        if (columns[c].cell != CELL_TIME)
            buf_append(&replay->arena, field[where[c]].text, field[where[c]].len + 1);
    return 0;
}

/* Counts a line that cannot be read, and names it when it is one of the first. */
static void skip_line(struct replay *replay, const char *path, const struct err *why)
{
    if (replay->base.skipped++ < BAD_NAMED)
        log_warn("%s: %s: skipped", path, why->text);
    else if (replay->base.skipped == BAD_NAMED + 1)
        log_warn("%s: more lines that cannot be read are skipped and counted", path);
}

static int read_rows(struct replay *replay, const char *path, struct csv *csv, struct err *err)
{
    const struct csv_field *field;
    size_t where[N_COLUMNS];
    size_t n_header;
    size_t n;
    int rc = csv_next(csv, &field, &n_header, err);

    if (rc == 0)
        return err_set(err, ERR_REFUSED, "the file is empty");
    if (rc == 1)
        rc = find_columns(field, n_header, where, err);
    if (rc != 0)
        return rc;

    while ((rc = csv_next(csv, &field, &n, err)) != 0) {
        if (rc == 1 && n != n_header)
            rc = err_set(err, ERR_INVALID, "line %" PRIu64 ": %zu fields, but the first has %zu",
                         csv_line(csv), n, n_header);
        else if (rc == 1)
            rc = read_row(replay, csv, field, where, err);
        if (rc == ERR_INVALID)
            skip_line(replay, path, err);
        else if (rc != 0)
            return rc;
        if (replay->n_rows > REPLAY_TRIPS_MAX)
            return err_set(err, ERR_REFUSED, "more than %d trips; split the file",
                           REPLAY_TRIPS_MAX);
    }
    if (!replay->n_rows)
        return err_set(err, ERR_REFUSED, "no trip in it can be read");
    return 0;
}

static int by_pickup(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;

    if (x->pickup_ms != y->pickup_ms)
        return x->pickup_ms < y->pickup_ms ? -1 : 1;
    return (x->cells > y->cells) - (x->cells < y->cells);
}

/* The same name and size are taken for the same file. */
static int identify(struct replay *replay, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    struct stat st;

    if (stat(path, &st) != 0)
        return err_set(err, ERR_REFUSED, "%m");

    struct buf text = BUF_INIT;
    buf_printf(&text, "%s %jd", name, (intmax_t)st.st_size);
    snprintf(replay->base.identity, sizeof(replay->base.identity), "file1/%016" PRIx64,
             (uint64_t)XXH64(text.data, text.len, 0));
    buf_release(&text);
    return 0;
}

/* The source */

static struct replay *replay_of(struct trip_source *source)
{
    return (struct replay *)source;
}

static bool replay_next(struct trip_source *source, struct trip *ret)
{
    struct replay *replay = replay_of(source);

    if (replay->at == replay->n_rows)
        return false;

    const struct row *row = &replay->rows[replay->at++];
    *ret = (struct trip){replay->at, row->pickup_ms, row->dropoff_ms};
    return true;
}

static const char *cells_of(const struct replay *replay, uint64_t number)
{
    return replay->arena.data + replay->rows[number - 1].cells;
}

static void replay_write_key(struct trip_source *source, uint64_t number, struct buf *out)
{
    buf_text(out, cells_of(replay_of(source), number));
}

static void replay_write_request(struct trip_source *source, const struct trip *trip,
                                 struct buf *out)
{
    const char *cell = cells_of(replay_of(source), trip->number);
    char at[CLOCK_TEXT_LEN + 1];

    clock_format(trip->pickup_ms, at);
    for (size_t c = COL_VENDOR; c <= COL_FLAG; c++) {
        buf_byte(out, c == COL_VENDOR ? '{' : ',');
        json_write_name(out, columns[c].name);
        if (columns[c].cell == CELL_TIME) {
            buf_byte(out, '"');
            buf_append(out, at, CLOCK_TEXT_LEN);
            buf_byte(out, '"');
            continue;
        }
        cell += strlen(cell) + 1;
        if (!*cell)
            buf_text(out, "null");
        else if (columns[c].cell == CELL_NUMBER)
            buf_text(out, cell);
        else
            json_write_string(out, cell, strlen(cell));
    }
    buf_byte(out, '}');
}

static int replay_seek(struct trip_source *source, const struct cursor *after, uint64_t *ret_before,
                       struct err *err)
{
    (void)after;
    (void)err;
    replay_of(source)->at = 0;
    *ret_before = 0;
    return 0;
}

static void replay_free(struct trip_source *source)
{
    struct replay *replay = replay_of(source);

    buf_release(&replay->arena);
    free(replay->rows);
    free(replay);
}

static const struct trip_source_ops replay_ops = {
    .next = replay_next,
    .write_request = replay_write_request,
    .write_key = replay_write_key,
    .seek = replay_seek,
    .free = replay_free,
};

struct trip_source *replay_open(const char *path, struct err *err)
{
    struct csv *csv = csv_open(path, err);
    if (!csv) {
        err->code = ERR_REFUSED;
        return NULL;
    }

    struct replay *replay = mem_zalloc(1, sizeof(*replay));
    replay->base.ops = &replay_ops;
    int rc = identify(replay, path, err);
    if (rc == 0)
        rc = read_rows(replay, path, csv, err);
    csv_close(csv);
    if (rc != 0) {
        replay_free(&replay->base);
        err_prefix(err, "%s", path);
        err->code = ERR_REFUSED;
        return NULL;
    }

    qsort(replay->rows, replay->n_rows, sizeof(*replay->rows), by_pickup);
    replay->base.total = replay->n_rows;
    log_info("%s: %zu trips, %" PRIu64 " lines skipped", path, replay->n_rows,
             replay->base.skipped);
    return &replay->base;
}
