/*
 * Outgoing rows. They are stored in the transaction that makes them, handed out
 * from memory right after it, and kept for a while after they were delivered:
 * a bus that comes back without its last moments gets them again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "views/sqlite_internal.h"

#define REPLAY_ROWS    1000 /* rows of a batch that comes from the table */
#define SAMPLE_EACH_MS 500
#define DROP_CHUNK     256

static void rows_add(struct sqlite_rows *rows, enum views_output output, uint64_t seq,
                     const void *key, size_t key_len, const void *value, size_t value_len)
{
    if (rows->n == rows->cap) {
        rows->cap = rows->cap ? rows->cap * 2 : 256;
        rows->row = mem_realloc(rows->row, rows->cap, sizeof(*rows->row));
    }
    rows->row[rows->n++] = (struct sqlite_row){
        .output = output,
        .seq = seq,
        .key_at = rows->text.len,
        .key_len = key ? key_len : SIZE_MAX,
        .value_at = rows->text.len + key_len,
        .value_len = value_len,
    };
    buf_append(&rows->text, key, key_len);
    buf_append(&rows->text, value, value_len);
}

int sqlite_outbox_put(struct sqlite_views *s, enum views_output output, const char *key,
                      size_t key_len, const struct buf *value, struct err *err)
{
    static const enum sqlite_stmt_id PUT[VIEWS_N_OUTPUTS] = {
        [VIEWS_FEATURES] = SQL_FEATURES_PUT,
        [VIEWS_LEARNING_QUEUE] = SQL_LEARNING_PUT,
        [VIEWS_DEAD_LETTERS] = SQL_DEAD_PUT,
    };
    sqlite3_stmt *stmt = s->stmt[PUT[output]];
    uint64_t seq = s->now.seq[output] + 1;

    sqlite3_bind_int64(stmt, 1, (int64_t)seq);
    sqlite3_bind_text(stmt, 2, key, (int)key_len, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, value->data, (int)value->len, SQLITE_STATIC);
    if (sqlite_run(s, PUT[output], err) < 0)
        return err->code;
    s->now.seq[output] = seq;
    if (s->fresh.n == 0)
        buf_clear(&s->fresh.text);
    rows_add(&s->fresh, output, seq, key, key_len, value->data, value->len);
    return 0;
}

/* ---- Handing out ---- */

/* Gives `rows` as a batch; their bytes stay until the buffer is used again. */
static int give(struct sqlite_views *s, struct sqlite_rows *rows, struct views_batch *ret)
{
    if (s->cap_out < rows->n) {
        s->cap_out = rows->n;
        s->out = mem_realloc(s->out, s->cap_out, sizeof(*s->out));
    }
    for (size_t i = 0; i < rows->n; i++) {
        const struct sqlite_row *row = &rows->row[i];
        bool null = row->key_len == SIZE_MAX;

        s->out[i] = (struct views_row){
            .output = row->output,
            .diff = 1,
            .seq = row->seq,
            .key = null ? NULL : rows->text.data + row->key_at,
            .key_len = null ? 0 : row->key_len,
            .value = rows->text.data + row->value_at,
            .value_len = row->value_len,
        };
        s->handed[row->output] = row->seq;
    }
    ret->rows = s->out;
    ret->n = rows->n;
    ret->snapshot_complete = true;
    snprintf(ret->token, sizeof(ret->token), "%" PRIu64 " %" PRIu64 " %" PRIu64, s->handed[0],
             s->handed[1], s->handed[2]);
    rows->n = 0;
    return 1;
}

/* Rows of `output` behind the last one handed out and before `end`, from the table. */
static int read_stored(struct sqlite_views *s, enum views_output output, uint64_t end,
                       struct err *err)
{
    struct sqlite_rows *rows = &s->again;
    sqlite3_stmt *stmt = NULL;
    char sql[128];
    int rc;

    snprintf(sql, sizeof(sql),
             "SELECT seq, key, value FROM %s WHERE seq > ?1 AND seq < ?2 ORDER BY seq LIMIT %d",
             SQLITE_OUTBOX[output], REPLAY_ROWS);
    if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return sqlite_fail(s, err, "reading outgoing rows");
    sqlite3_bind_int64(stmt, 1, (int64_t)s->handed[output]);
    sqlite3_bind_int64(stmt, 2, (int64_t)end);
    rows->n = 0;
    buf_clear(&rows->text);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const void *key = sqlite3_column_text(stmt, 1);
        const void *value = sqlite3_column_text(stmt, 2);

        rows_add(rows, output, (uint64_t)sqlite3_column_int64(stmt, 0), key,
                 (size_t)sqlite3_column_bytes(stmt, 1), value,
                 (size_t)sqlite3_column_bytes(stmt, 2));
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? 0 : sqlite_fail(s, err, "reading outgoing rows");
}

/* The first row of `output` that is in memory; one past the last stored one when none is. */
static uint64_t first_fresh(const struct sqlite_views *s, enum views_output output)
{
    for (size_t i = 0; i < s->fresh.n; i++)
        if (s->fresh.row[i].output == output)
            return s->fresh.row[i].seq;
    return s->stored.seq[output] + 1;
}

int sqlite_poll(struct views *v, int timeout_ms, struct views_batch *ret, struct err *err)
{
    struct sqlite_views *s = sqlite_views(v);

    (void)timeout_ms; /* Nothing changes in this engine but by views_ingest(). */
    for (size_t i = 0; i < VIEWS_N_OUTPUTS; i++) {
        if (s->handed[i] == s->stored.seq[i])
            continue;
        uint64_t end = first_fresh(s, (enum views_output)i);
        if (s->handed[i] + 1 >= end)
            continue;
        if (read_stored(s, (enum views_output)i, end, err) < 0)
            return err->code;
        if (s->again.n)
            return give(s, &s->again, ret);
        /* Dropped after they were acknowledged: only replay of something older asks for them. */
        s->handed[i] = end - 1;
    }
    return s->fresh.n ? give(s, &s->fresh, ret) : 0;
}

int sqlite_ack(struct views *v, const char *token, struct err *err)
{
    struct sqlite_views *s = sqlite_views(v);
    uint64_t seq[VIEWS_N_OUTPUTS];

    if (sscanf(token, "%" SCNu64 " %" SCNu64 " %" SCNu64, &seq[0], &seq[1], &seq[2]) != 3)
        return err_set(err, ERR_INVALID, "\"%s\" is no token of this engine", token);
    for (size_t i = 0; i < VIEWS_N_OUTPUTS; i++) {
        if (seq[i] > s->stored.seq[i])
            return err_set(err, ERR_INVALID, "token \"%s\" is ahead of %s (%" PRIu64 ")", token,
                           SQLITE_OUTBOX[i], s->stored.seq[i]);
        if (seq[i] > s->acked[i])
            s->acked[i] = seq[i];
    }
    return 0;
}

int sqlite_replay(struct views *v, enum views_output output, uint64_t seq, struct err *err)
{
    struct sqlite_views *s = sqlite_views(v);
    char sql[96];
    int64_t oldest;

    if (seq == VIEWS_SEQ_ACKED)
        seq = s->acked[output];
    if (seq > s->stored.seq[output])
        return err_set(err, ERR_REFUSED,
                       "%s has rows up to seq %" PRIu64 ", but %s gave only %" PRIu64
                       ": it is an older copy; restore the newest one, or start with --fresh",
                       SQLITE_OUTBOX[output] + sizeof("outbox_") - 1, seq, s->path,
                       s->stored.seq[output]);
    if (seq == s->stored.seq[output]) {
        s->handed[output] = seq;
        return 0;
    }
    snprintf(sql, sizeof(sql), "SELECT min(seq) FROM %s", SQLITE_OUTBOX[output]);
    if (sqlite_int(s, sql, 0, &oldest, err) < 0)
        return err->code;
    if ((uint64_t)oldest > seq + 1)
        return err_set(err, ERR_HISTORY_EXPIRED,
                       "the bus ends at seq %" PRIu64 " of %s, but rows before %" PRId64
                       " are kept no longer",
                       seq, SQLITE_OUTBOX[output] + sizeof("outbox_") - 1, oldest);
    s->handed[output] = seq;
    return 0;
}

/* ---- Forgetting ---- */

static void sample(struct sqlite_views *s, int64_t now_ms)
{
    size_t last = (s->first_sample + s->n_samples + SQLITE_ACK_SAMPLES - 1) % SQLITE_ACK_SAMPLES;
    int64_t each = s->reconcile_ms / (SQLITE_ACK_SAMPLES - 2);

    if (each < SAMPLE_EACH_MS)
        each = SAMPLE_EACH_MS;
    if (s->n_samples && now_ms - s->samples[last].at_ms < each)
        return;
    if (s->n_samples == SQLITE_ACK_SAMPLES)
        return;
    size_t next = (s->first_sample + s->n_samples++) % SQLITE_ACK_SAMPLES;
    s->samples[next].at_ms = now_ms;
    memcpy(s->samples[next].acked, s->acked, sizeof(s->acked));
}

static int drop_delivered(struct sqlite_views *s, enum views_output output, size_t limit,
                          struct err *err)
{
    char sql[96];
    uint64_t last = s->now.seq[output], to = s->droppable[output];

    /* The newest row always stays: its seq is where numbering goes on after a restart. */
    if (last && to >= last)
        to = last - 1;
    /* In chunks, and in step with what comes in. */
    if (to < s->now.dropped[output] + DROP_CHUNK)
        return 0;
    if (to > s->now.dropped[output] + DROP_CHUNK + 2 * limit)
        to = s->now.dropped[output] + DROP_CHUNK + 2 * limit;
    snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE seq <= %" PRIu64, SQLITE_OUTBOX[output], to);
    if (sqlite_exec(s, sql, err) < 0)
        return err->code;
    s->now.dropped[output] = to;
    return 0;
}

static int note_acked(struct sqlite_views *s, enum views_output output, struct err *err)
{
    char name[16], value[24];

    if (s->acked[output] == s->now.acked[output])
        return 0;
    snprintf(name, sizeof(name), "acked_%d", (int)output);
    snprintf(value, sizeof(value), "%" PRIu64, s->acked[output]);
    if (sqlite_meta_put(s, name, value, err) < 0)
        return err->code;
    s->now.acked[output] = s->acked[output];
    return 0;
}

int sqlite_outbox_trim(struct sqlite_views *s, size_t limit, int64_t now_ms, struct err *err)
{
    sample(s, now_ms);
    while (s->n_samples && s->samples[s->first_sample].at_ms <= now_ms - s->reconcile_ms) {
        memcpy(s->droppable, s->samples[s->first_sample].acked, sizeof(s->droppable));
        s->first_sample = (s->first_sample + 1) % SQLITE_ACK_SAMPLES;
        s->n_samples--;
    }
    for (size_t i = 0; i < VIEWS_N_OUTPUTS; i++)
        if (drop_delivered(s, (enum views_output)i, limit, err) < 0 ||
            note_acked(s, (enum views_output)i, err) < 0)
            return err->code;
    return 0;
}
