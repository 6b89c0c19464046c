/*
 * The two subscriptions: rows are collected until a progress row closes their
 * timestamp, then handed out as a batch whose token is the frontiers of both.
 *
 * A subscription that was acknowledged up to frontier F holds everything before
 * F; it goes on with AS OF F - 1 and no snapshot, which gives what changed at F
 * and later. That needs history, which prediction_queue has none of: it always
 * begins with a snapshot, which is what has no prediction yet, and the caller
 * drops what it has published already.
 *
 * libpq reads rows one by one (single-row mode); nothing here blocks but
 * connecting.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "views/materialize_internal.h"

#define SLICE_MS 100 /* the longest wait between two looks at the cancel flag */

void mz_sub_stop(struct mz_views *v, struct mz_sub *sub)
{
    mz_session_close(v, &sub->session);
    sub->running = false;
    sub->open.n = 0;
    buf_clear(&sub->open.text);
    free(sub->role);
    sub->role = NULL;
    sub->as_of = 0;
    sub->complete = false;
}

static int fail(struct mz_views *v, struct mz_sub *sub, const PGresult *res, struct err *err)
{
    char doing[80];

    snprintf(doing, sizeof(doing), "SUBSCRIBE to %s", sub->view);
    mz_fail(v, sub->session.conn, res, doing, err);
    /* A view that is not there was dropped, and is to be made again. */
    if (err->code == ERR_NOT_FOUND)
        err->code = ERR_DEPENDENCY_DROPPED;
    mz_sub_stop(v, sub);
    return err->code;
}

static int start(struct mz_views *v, struct mz_sub *sub, struct err *err)
{
    struct buf sql = BUF_INIT;

    if (mz_session_open(v, &sub->session, err) < 0)
        return err->code;
    buf_printf(&sql, "SUBSCRIBE TO %s WITH (PROGRESS", sub->view);
    if (sub->acked) {
        buf_printf(&sql, ", SNAPSHOT = false) AS OF %" PRId64, sub->acked - 1);
        sub->complete = true;
    } else
        buf_text(&sql, ")");
    sub->frontier = sub->given = sub->acked;
    int sent = PQsendQuery(sub->session.conn, sql.data);
    if (sent)
        sent = PQsetSingleRowMode(sub->session.conn);
    buf_release(&sql);
    if (!sent)
        return fail(v, sub, NULL, err);
    sub->running = true;
    return 0;
}

/* ---- Rows ---- */

/*
 * The first progress says where a snapshot is taken, the next one that it is through. Only then is
 * there a frontier: going on from before it, without a snapshot, would leave out what is in it.
 */
static void progress(struct mz_sub *sub, int64_t ts)
{
    if (!sub->as_of)
        sub->as_of = ts;
    else if (ts > sub->as_of)
        sub->complete = true;
    if (sub->complete && ts > sub->frontier)
        sub->frontier = ts;
}

static int take_row(struct mz_views *v, struct mz_sub *sub, const PGresult *res, struct err *err)
{
    bool progressed = false;
    int64_t ts = 0;

    if (!sub->role && mz_sub_describe(v, sub, res, err) < 0)
        return err->code;
    for (size_t i = 0; i < sub->n_columns; i++) {
        const char *text = PQgetvalue(res, 0, (int)i);
        if (sub->role[i] == MZ_PROGRESSED)
            progressed = *text == 't';
        else if (sub->role[i] == MZ_TIMESTAMP &&
                 (num_parse_int(text, (size_t)PQgetlength(res, 0, (int)i), &ts) || ts <= 0))
            return err_set(err, ERR_DATAFLOW, "SUBSCRIBE to %s: mz_timestamp is \"%.40s\"",
                           sub->view, text);
    }
    if (!progressed)
        return mz_sub_add(v, sub, res, ts, err);
    progress(sub, ts);
    return 0;
}

/* Takes the rows that are there, until enough are for a batch. */
static int drain(struct mz_views *v, struct mz_sub *sub, struct err *err)
{
    PGconn *conn = sub->session.conn;

    if (!PQconsumeInput(conn))
        return fail(v, sub, NULL, err);
    while (!PQisBusy(conn) && sub->open.text.len < MZ_OPEN_MAX) {
        PGresult *res = PQgetResult(conn);
        if (PQresultStatus(res) != PGRES_SINGLE_TUPLE) {
            int code;
            if (res && PQresultStatus(res) == PGRES_FATAL_ERROR)
                code = fail(v, sub, res, err);
            else {
                code = err_set_retriable(err, ERR_DISCONNECTED, "SUBSCRIBE to %s has ended",
                                         sub->view);
                mz_sub_stop(v, sub);
            }
            PQclear(res);
            return code;
        }
        int code = take_row(v, sub, res, err);
        PQclear(res);
        if (code < 0) {
            mz_sub_stop(v, sub);
            return code;
        }
    }
    return 0;
}

static bool is_ready(const struct mz_sub *sub)
{
    return sub->frontier > sub->given || sub->open.text.len >= MZ_OPEN_MAX;
}

/* ---- Batches ---- */

static void add_out(struct mz_views *v, const struct mz_sub *sub, struct views_batch *ret)
{
    const char *text = sub->closed.text.data;

    for (size_t i = 0; i < sub->closed.n; i++) {
        const struct mz_row *row = &sub->closed.row[i];
        v->out[ret->n++] = (struct views_row){
            .output = sub->output,
            .diff = row->diff,
            .key = text + row->key_at,
            .key_len = row->key_len,
            .value = text + row->value_at,
            .value_len = row->value_len,
        };
    }
}

/*
 * Closed timestamps, or, of one that is too large to be held, what has come of it: then the
 * frontier stays behind it.
 */
static int give(struct mz_views *v, struct views_batch *ret)
{
    size_t n = 0;

    *ret = (struct views_batch){.snapshot_complete = true, .frontier_ms = INT64_MAX};
    for (size_t i = 0; i < MZ_N_SUBS; i++) {
        struct mz_sub *sub = &v->sub[i];
        bool too_large = sub->frontier <= sub->given && sub->open.text.len >= MZ_OPEN_MAX;

        mz_sub_close_rows(sub, too_large ? INT64_MAX : sub->frontier);
        sub->given = sub->frontier;
        n += sub->closed.n;
        ret->snapshot_complete = ret->snapshot_complete && sub->complete;
        if (sub->given < ret->frontier_ms)
            ret->frontier_ms = sub->given;
    }
    if (v->cap_out < n) {
        v->cap_out = n;
        v->out = mem_realloc(v->out, n, sizeof(*v->out));
    }
    for (size_t i = 0; i < MZ_N_SUBS; i++)
        add_out(v, &v->sub[i], ret);
    ret->rows = v->out;
    snprintf(ret->token, sizeof(ret->token), "%" PRId64 " %" PRId64, v->sub[0].given,
             v->sub[1].given);
    return 1;
}

static int wait_for_input(struct mz_views *v, int timeout_ms, struct err *err)
{
    struct pollfd fds[MZ_N_SUBS];

    for (size_t i = 0; i < MZ_N_SUBS; i++)
        fds[i] = (struct pollfd){.fd = PQsocket(v->sub[i].session.conn), .events = POLLIN};
    if (poll(fds, MZ_N_SUBS, timeout_ms) < 0 && errno != EINTR)
        return err_set(err, ERR_IO, "poll: %s", strerror(errno));
    return 0;
}

int mz_poll(struct views *base, int timeout_ms, struct views_batch *ret, struct err *err)
{
    struct mz_views *v = mz_views(base);
    int64_t deadline = clock_mono_ms() + timeout_ms;

    if (v->read_only)
        return err_set(err, ERR_UNSUPPORTED, "this handle only asks");
    for (;;) {
        bool ready = false;

        if (atomic_exchange(&v->cancelled, false))
            return err_set(err, ERR_CANCELLED, "cancelled");
        for (size_t i = 0; i < MZ_N_SUBS; i++) {
            struct mz_sub *sub = &v->sub[i];
            if ((!sub->running && start(v, sub, err) < 0) || drain(v, sub, err) < 0)
                return err->code;
            ready = ready || is_ready(sub);
        }
        if (ready)
            return give(v, ret);
        int64_t left = deadline - clock_mono_ms();
        if (left <= 0)
            return 0;
        if (wait_for_input(v, (int)(left < SLICE_MS ? left : SLICE_MS), err) < 0)
            return err->code;
    }
}

/* ---- Tokens ---- */

int mz_ack(struct views *base, const char *token, struct err *err)
{
    struct mz_views *v = mz_views(base);
    int64_t frontier[MZ_N_SUBS];

    if (sscanf(token, "%" SCNd64 " %" SCNd64, &frontier[0], &frontier[1]) != MZ_N_SUBS ||
        frontier[0] < 0 || frontier[1] < 0)
        return err_set(err, ERR_INVALID, "\"%s\" is no token of this engine", token);
    for (size_t i = 0; i < MZ_N_SUBS; i++)
        if (v->sub[i].output == VIEWS_LEARNING_QUEUE)
            v->sub[i].acked = frontier[i];
    return 0;
}

int mz_replay(struct views *base, enum views_output output, uint64_t seq, struct err *err)
{
    struct mz_views *v = mz_views(base);

    if (seq != 0 && seq != VIEWS_SEQ_ACKED)
        return err_set(err, ERR_UNSUPPORTED, "Materialize does not number its rows");
    for (size_t i = 0; i < MZ_N_SUBS; i++) {
        struct mz_sub *sub = &v->sub[i];
        if (sub->output != output)
            continue;
        mz_sub_stop(v, sub);
        if (seq == 0)
            sub->acked = 0;
        sub->frontier = sub->given = sub->acked;
    }
    return 0;
}
