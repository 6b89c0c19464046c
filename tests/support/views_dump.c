/*
 * Runs the SQLite engine for tests that are written in Python: commands on
 * standard input, a line each, answers on standard output.
 *
 *   event INPUT TIME_MS KEY VALUE   INPUT 0 requests, 1 outcomes, 2 predictions; KEY and VALUE in
 *                                   hex, "-" for null
 *   query SQL                       each row as a JSON array of texts and nulls, then "."
 *   names SQL                       the columns' names as a JSON array
 *   rows                            what was given out so far, [output, value] a line, then "."
 *   ledger                          a JSON object
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "views/views.h"

static void die(const char *doing, const struct err *err)
{
    fprintf(stderr, "views_dump: %s: %s\n", doing, err->text);
    exit(1);
}

static int nibble(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = strchr(digits, c);

    return at && *at ? (int)(at - digits) : 0;
}

/* NULL for "-"; else the bytes, to be freed. */
static char *from_hex(const char *hex, size_t *ret_len)
{
    if (strcmp(hex, "-") == 0)
        return NULL;
    size_t len = strlen(hex) / 2;
    char *out = mem_alloc(len + 1);
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    out[len] = '\0';
    *ret_len = len;
    return out;
}

static void feed(struct views *v, char *line)
{
    struct err err = {0};
    char *save = NULL;
    char *input = strtok_r(line, " ", &save), *time = strtok_r(NULL, " ", &save);
    char *key = strtok_r(NULL, " ", &save), *value = strtok_r(NULL, " ", &save);
    struct views_event ev = {.input = (enum views_input)atoi(input), .time_ms = atoll(time)};

    char *key_bytes = from_hex(key, &ev.key_len);
    char *value_bytes = from_hex(value ? value : "", &ev.value_len);
    ev.key = key_bytes;
    ev.value = value_bytes;
    if (views_ingest(v, &ev, 1, NULL, 0, ev.time_ms, &err) < 0)
        die("event", &err);
    free(key_bytes);
    free(value_bytes);
}

static void print_texts(size_t n, const char *const *texts)
{
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < n; i++) {
        buf_byte(&out, i ? ',' : '[');
        if (texts[i])
            json_write_string(&out, texts[i], strlen(texts[i]));
        else
            buf_text(&out, "null");
    }
    buf_byte(&out, ']');
    puts(buf_str(&out));
    buf_release(&out);
}

static int print_row(void *ctx, size_t n, const char *const *names, const char *const *values)
{
    if (ctx) {
        print_texts(n, names);
        return 1; /* one is enough */
    }
    print_texts(n, values);
    return 0;
}

static void print_rows(struct views *v)
{
    struct views_batch batch;
    struct err err = {0};

    while (views_poll(v, 0, &batch, &err) == 1)
        for (size_t i = 0; i < batch.n; i++)
            printf("[%d,%.*s]\n", (int)batch.rows[i].output, (int)batch.rows[i].value_len,
                   batch.rows[i].value);
    puts(".");
}

static void print_ledger(struct views *v)
{
    struct views_ledger ledger;
    struct err err = {0};
    const char *name;
    uint64_t value;

    if (views_ledger(v, &ledger, &err) < 0)
        die("ledger", &err);
    for (size_t i = 0; (name = views_ledger_field(&ledger, i, &value)); i++)
        printf("%s\"%s\":%" PRIu64, i ? "," : "{", name, value);
    puts("}");
}

int main(int argc, char **argv)
{
    static const char *const FEATURES[] = {"passenger_count",   "is_weekend", "l1_distance",
                                           "avg_speed_by_hour", "hour_cos",   "hour_sin"};
    struct views_options options = {
        .engine = "sqlite",
        .url = ":memory:",
        .sql_dir = argc > 1 ? argv[1] : "",
        .key = "trip_id",
        .label = "duration",
        .features = FEATURES,
        .n_features = sizeof(FEATURES) / sizeof(FEATURES[0]),
        .topic_names = {"pick-ups", "drop-offs", "predictions"},
        .label_min = 30,
        .label_max = 10800,
        .max_event_bytes = 1 << 20,
        .retention_seconds = 86400L * 365,
        .retention_rows = 1000000,
        .reconcile_ms = 1000000000,
    };
    struct err err = {0};
    char *line = NULL;
    size_t cap = 0;

    struct views *v = views_open(&options, &err);
    if (!v || views_apply(v, NULL, &err) < 0)
        die("opening", &err);
    while (getline(&line, &cap, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "event ", 6) == 0)
            feed(v, line + 6);
        else if (strncmp(line, "query ", 6) == 0) {
            if (views_query(v, line + 6, print_row, NULL, &err) < 0)
                die(line, &err);
            puts(".");
        } else if (strncmp(line, "names ", 6) == 0)
            (void)!views_query(v, line + 6, print_row, v, &err);
        else if (strcmp(line, "rows") == 0)
            print_rows(v);
        else if (strcmp(line, "ledger") == 0)
            print_ledger(v);
        fflush(stdout);
    }
    free(line);
    views_close(v);
    return 0;
}
