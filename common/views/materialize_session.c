/* Connections to Materialize, and what its errors mean. */
#include <stdlib.h>
#include <string.h>

#include "views/materialize_internal.h"

/* The first line of what libpq says, without its "ERROR:  ". */
static void message_of(const PGconn *conn, const PGresult *res, char *out, size_t size)
{
    const char *text = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    size_t len = 0;

    if (!text)
        text = PQerrorMessage(conn);
    for (; *text && *text != '\n' && len + 1 < size; text++)
        out[len++] = *text;
    out[len] = '\0';
}

static bool is_class(const char *state, const char *class)
{
    return strncmp(state, class, 2) == 0;
}

static bool says_expired(const char *text)
{
    /* Its words have changed once already; both are current somewhere. */
    return strstr(text, "could not find a valid timestamp") ||
           strstr(text, "not valid for all inputs");
}

int mz_fail(struct mz_views *v, const PGconn *conn, const PGresult *res, const char *doing,
            struct err *err)
{
    const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    char text[300];

    message_of(conn, res, text, sizeof(text));
    if (!state)
        return err_set_retriable(err, ERR_DISCONNECTED, "%s: Materialize: %s", doing,
                                 *text ? text : "the connection was lost");
    if (strcmp(state, "57014") == 0)
        return err_set(err, ERR_CANCELLED, "%s: cancelled", doing);
    if (says_expired(text))
        return err_set(err, ERR_HISTORY_EXPIRED, "%s: %s", doing, text);
    if (strcmp(state, "53200") == 0)
        return err_set_retriable(err, ERR_DISCONNECTED, "%s: Materialize: %s", doing, text);
    if (strcmp(state, "42704") == 0 || strstr(text, "was dropped"))
        return err_set(err, ERR_DEPENDENCY_DROPPED, "%s: %s", doing, text);
    if (strcmp(state, "42P01") == 0 || strstr(text, "unknown catalog item"))
        return err_set(err, ERR_NOT_FOUND, "%s: %s", doing, text);
    if (is_class(state, "28") || is_class(state, "3D"))
        return err_set(err, ERR_REFUSED, "%s: Materialize: %s: correct materialize_url", doing,
                       text);
    if (is_class(state, "08") || is_class(state, "57") || is_class(state, "53"))
        return err_set_retriable(err, ERR_DISCONNECTED, "%s: Materialize: %s", doing, text);
    if (is_class(state, "40"))
        return err_set_retriable(err, ERR_CONFLICT, "%s: Materialize: %s", doing, text);
    if (is_class(state, "22") || is_class(state, "XX"))
        return err_set_retriable(err, ERR_DATAFLOW, "%s: Materialize cannot evaluate a row: %s",
                                 doing, text);
    (void)v;
    return err_set(err, ERR_INVALID, "%s: %s", doing, text);
}

static int set_up(struct mz_views *v, struct mz_session *s, struct err *err)
{
    struct buf path = BUF_INIT;

    buf_text(&path, "SET search_path = ");
    mz_quote_name(&path, v->schema);
    const char *const settings[] = {
        "SET idle_in_transaction_session_timeout = 0",
        buf_str(&path),
        /* The latest that is there, in place of waiting for the next tick. */
        v->read_only ? "SET transaction_isolation = 'serializable'" : NULL,
    };
    int code = 0;

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]) && code == 0; i++) {
        if (!settings[i])
            continue;
        PGresult *res = PQexec(s->conn, settings[i]);
        if (PQresultStatus(res) != PGRES_COMMAND_OK)
            code = mz_fail(v, s->conn, res, settings[i], err);
        PQclear(res);
    }
    buf_release(&path);
    return code;
}

static int cannot_connect(const PGconn *conn, struct err *err)
{
    char text[300];

    message_of(conn, NULL, text, sizeof(text));
    if (strstr(text, "authentication failed") || strstr(text, "no password supplied") ||
        (strstr(text, "database") && strstr(text, "does not exist")))
        return err_set(err, ERR_REFUSED, "Materialize: %s: correct materialize_url", text);
    return err_set_retriable(err, ERR_DISCONNECTED, "Materialize: %s", text);
}

/* "already exists, skipping" and the like: libpq would print them. */
static void ignore_notice(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

int mz_session_open(struct mz_views *v, struct mz_session *s, struct err *err)
{
    /* The last one wins, so what the URL says comes behind our defaults. */
    const char *const names[] = {"application_name",
                                 "connect_timeout",
                                 "keepalives_idle",
                                 "keepalives_interval",
                                 "keepalives_count",
                                 "dbname",
                                 NULL};
    const char *const values[] = {s->purpose, "10", "15", "5", "3", v->url, NULL};

    if (s->conn && PQstatus(s->conn) == CONNECTION_OK)
        return 0;
    mz_session_close(v, s);
    s->conn = PQconnectdbParams(names, values, 1);
    if (PQstatus(s->conn) != CONNECTION_OK) {
        cannot_connect(s->conn, err);
        mz_session_close(v, s);
        return err->code;
    }
    PQsetErrorVerbosity(s->conn, PQERRORS_TERSE);
    PQsetNoticeProcessor(s->conn, ignore_notice, NULL);
    if (set_up(v, s, err) < 0) {
        mz_session_close(v, s);
        return err->code;
    }
    pthread_mutex_lock(&v->cancel_lock);
    s->cancel = PQgetCancel(s->conn);
    pthread_mutex_unlock(&v->cancel_lock);
    return 0;
}

void mz_session_close(struct mz_views *v, struct mz_session *s)
{
    pthread_mutex_lock(&v->cancel_lock);
    PQfreeCancel(s->cancel);
    s->cancel = NULL;
    pthread_mutex_unlock(&v->cancel_lock);
    PQfinish(s->conn);
    s->conn = NULL;
}

int mz_exec(struct mz_views *v, const char *sql, PGresult **ret, struct err *err)
{
    if (mz_session_open(v, &v->main, err) < 0)
        return err->code;
    PGresult *res = PQexec(v->main.conn, sql);
    ExecStatusType status = PQresultStatus(res);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        char doing[80];
        size_t n = strcspn(sql, "\n(");
        snprintf(doing, sizeof(doing), "%.*s", (int)(n < sizeof(doing) ? n : sizeof(doing) - 1),
                 sql);
        mz_fail(v, v->main.conn, res, doing, err);
        PQclear(res);
        return err->code;
    }
    if (ret)
        *ret = res;
    else
        PQclear(res);
    return 0;
}

static void quote(struct buf *sql, const char *text, char mark)
{
    buf_byte(sql, mark);
    for (; *text; text++) {
        if (*text == mark)
            buf_byte(sql, mark);
        buf_byte(sql, *text);
    }
    buf_byte(sql, mark);
}

void mz_quote(struct buf *sql, const char *text)
{
    quote(sql, text, '\'');
}

void mz_quote_name(struct buf *sql, const char *name)
{
    quote(sql, name, '"');
}
