/*
 * The Materialize engine: opening, incarnation, queries, ledger, and the table of
 * functions. What there is beside it is drawn in materialize_internal.h.
 *
 * Materialize reads the bus's Kafka by itself, so nothing is fed to it; what it
 * has no way to know of the ledger is marked as hidden.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "views/materialize_internal.h"

#define QUERY_COLUMNS_MAX 128

/* ---- Lifecycle ---- */

/* oxbow_<task>, with '_' for what an SQL name cannot hold without quotes. */
static char *schema_name_of(const char *task)
{
    struct buf name = BUF_INIT;

    buf_text(&name, "oxbow_");
    for (; *task; task++)
        buf_byte(&name, isalnum((unsigned char)*task) ? (char)tolower((unsigned char)*task) : '_');
    return buf_detach(&name);
}

static char *copy(const char *text)
{
    return mem_strdup(text ? text : "");
}

static void mz_close(struct views *base)
{
    struct mz_views *v = mz_views(base);

    for (size_t i = 0; i < MZ_N_SUBS; i++) {
        mz_sub_stop(v, &v->sub[i]);
        mz_rows_release(&v->sub[i].open);
        mz_rows_release(&v->sub[i].closed);
    }
    mz_session_close(v, &v->main);
    pthread_mutex_destroy(&v->cancel_lock);
    for (size_t i = 0; i < v->n_features; i++)
        free(v->features[i]);
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++)
        free(v->topic_names[i]);
    free(v->features);
    free(v->url);
    free(v->schema);
    free(v->sql_dir);
    free(v->key);
    free(v->label);
    free(v->brokers);
    free(v->out);
    buf_release(&v->scratch);
    free(v);
}

static struct views *mz_open(const struct views_options *o, struct err *err)
{
    struct mz_views *v = mem_zalloc(1, sizeof(*v));

    pthread_mutex_init(&v->cancel_lock, NULL);
    v->url = copy(o->url);
    v->schema = schema_name_of(o->name ? o->name : "");
    v->sql_dir = copy(o->sql_dir);
    v->key = copy(o->key);
    v->label = copy(o->label);
    v->brokers = copy(o->brokers);
    v->n_features = o->n_features;
    v->features = mem_zalloc(o->n_features, sizeof(*v->features));
    for (size_t i = 0; i < o->n_features; i++)
        v->features[i] = mem_strdup(o->features[i]);
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++)
        v->topic_names[i] = copy(o->topic_names[i]);
    v->window_seconds = o->window_seconds;
    v->note = o->note;
    v->note_ctx = o->note_ctx;
    v->read_only = o->read_only;
    v->main.purpose = "oxbow: statements";
    v->sub[0] = (struct mz_sub){.output = VIEWS_FEATURES,
                                .view = "prediction_queue",
                                .session = {.purpose = "oxbow: prediction_queue"}};
    v->sub[1] = (struct mz_sub){.output = VIEWS_LEARNING_QUEUE,
                                .view = "learning_queue",
                                .session = {.purpose = "oxbow: learning_queue"}};

    /* A URL that cannot be read is refused here; a server that is away is waited for later. */
    char *why = NULL;
    PQconninfoOption *parsed = PQconninfoParse(v->url, &why);
    if (!parsed) {
        err_set(err, ERR_INVALID, "materialize_url: %.*s", why ? (int)strcspn(why, "\n") : 0,
                why ? why : "");
        PQfreemem(why);
        mz_close(&v->base);
        return NULL;
    }
    PQconninfoFree(parsed);
    return &v->base;
}

static void mz_cancel(struct views *base)
{
    struct mz_views *v = mz_views(base);
    char ignored[256];

    atomic_store(&v->cancelled, true);
    pthread_mutex_lock(&v->cancel_lock);
    if (v->main.cancel)
        (void)!PQcancel(v->main.cancel, ignored, sizeof(ignored));
    pthread_mutex_unlock(&v->cancel_lock);
}

/* ---- Incarnation ---- */

static int meta_get(struct mz_views *v, const char *name, char *ret, size_t size, struct err *err)
{
    struct buf sql = BUF_INIT;
    PGresult *res = NULL;

    buf_text(&sql, "SELECT value FROM oxbow_meta WHERE name = ");
    mz_quote(&sql, name);
    ret[0] = '\0';
    int code = mz_exec(v, sql.data, &res, err);
    if (code == ERR_NOT_FOUND)
        code = 0; /* nothing was ever applied here */
    else if (code == 0 && PQntuples(res))
        snprintf(ret, size, "%s", PQgetvalue(res, 0, 0));
    PQclear(res);
    buf_release(&sql);
    return code;
}

static int meta_add(struct mz_views *v, const char *name, const char *value, struct err *err)
{
    struct buf sql = BUF_INIT;

    buf_text(&sql, "INSERT INTO oxbow_meta VALUES (");
    mz_quote(&sql, name);
    buf_text(&sql, ", ");
    mz_quote(&sql, value);
    buf_text(&sql, ")");
    int code = mz_exec(v, sql.data, NULL, err);
    buf_release(&sql);
    return code;
}

static int mz_incarnation(struct views *base, char ret[UUID_TEXT_LEN + 1], bool *ret_announced,
                          struct err *err)
{
    struct mz_views *v = mz_views(base);
    char announced[8], id[UUID_TEXT_LEN + 2];

    if (meta_get(v, "announced", announced, sizeof(announced), err) < 0 ||
        meta_get(v, "incarnation", id, sizeof(id), err) < 0)
        return err->code;
    if (*id && !uuid_valid(id))
        return err_set(err, ERR_CORRUPT, "schema %s: the incarnation \"%s\" is no UUID", v->schema,
                       id);
    memcpy(ret, id, UUID_TEXT_LEN);
    ret[*id ? UUID_TEXT_LEN : 0] = '\0';
    *ret_announced = strcmp(announced, "1") == 0;
    return 0;
}

static int mz_incarnation_set(struct views *base, const char *id, struct err *err)
{
    struct mz_views *v = mz_views(base);
    char old[UUID_TEXT_LEN + 1];
    bool announced;

    if (mz_incarnation(base, old, &announced, err) < 0)
        return err->code;
    if (*old && strcmp(old, id) != 0)
        return err_set(err, ERR_CONFLICT, "schema %s belongs to incarnation %s, not %s", v->schema,
                       old, id);
    if (*old)
        return 0;
    /* It comes before the first views_apply(): the topics that the sources read bear its name. */
    return mz_make_schema(v, err) < 0 ? err->code : meta_add(v, "incarnation", id, err);
}

static int mz_announce(struct views *base, struct err *err)
{
    return meta_add(mz_views(base), "announced", "1", err);
}

static int mz_wipe(struct views *base, struct err *err)
{
    struct mz_views *v = mz_views(base);
    struct buf sql = BUF_INIT;

    for (size_t i = 0; i < MZ_N_SUBS; i++)
        mz_sub_stop(v, &v->sub[i]);
    buf_text(&sql, "DROP SCHEMA IF EXISTS ");
    mz_quote_name(&sql, v->schema);
    buf_text(&sql, " CASCADE");
    int code = mz_exec(v, sql.data, NULL, err);
    buf_release(&sql);
    return code;
}

/* ---- Queries ---- */

static int give_rows(const PGresult *res, views_query_fn fn, void *ctx, struct err *err)
{
    const char *names[QUERY_COLUMNS_MAX], *values[QUERY_COLUMNS_MAX];
    int n = PQnfields(res), code = 0;

    if (n > QUERY_COLUMNS_MAX)
        return err_set(err, ERR_TOO_LARGE, "query: more than %d columns", QUERY_COLUMNS_MAX);
    for (int i = 0; i < n; i++)
        names[i] = PQfname(res, i);
    for (int row = 0; row < PQntuples(res) && code == 0; row++) {
        for (int i = 0; i < n; i++)
            values[i] = PQgetisnull(res, row, i) ? NULL : PQgetvalue(res, row, i);
        code = fn(ctx, (size_t)n, names, values);
    }
    return code;
}

static int mz_query(struct views *base, const char *sql, views_query_fn fn, void *ctx,
                    struct err *err)
{
    struct mz_views *v = mz_views(base);
    PGresult *res = NULL;

    atomic_store(&v->cancelled, false);
    int code = mz_exec(v, sql, &res, err);
    if (code == 0)
        code = give_rows(res, fn, ctx, err);
    PQclear(res);
    return code;
}

static int add_name(void *ctx, size_t n, const char *const *names, const char *const *values)
{
    (void)n;
    (void)names;
    buf_printf(ctx, "%s\n", values[0] ? values[0] : "");
    return 0;
}

static int mz_names(struct views *base, struct buf *ret, struct err *err)
{
    struct buf sql = BUF_INIT;

    buf_text(&sql, "SELECT table_name FROM information_schema.tables WHERE table_schema = ");
    mz_quote(&sql, mz_views(base)->schema);
    buf_text(&sql, " AND table_type IN ('VIEW', 'MATERIALIZED VIEW') ORDER BY table_name");
    int code = mz_query(base, buf_str(&sql), add_name, ret, err);
    buf_release(&sql);
    return code;
}

static int mz_pin(struct views *base, struct err *err)
{
    return mz_exec(mz_views(base), "BEGIN", NULL, err);
}

static int mz_unpin(struct views *base, struct err *err)
{
    return mz_exec(mz_views(base), "COMMIT", NULL, err);
}

static const char *type_name(Oid type)
{
    static const struct {
        Oid oid;
        const char *name;
    } TYPES[] = {
        {16, "boolean"},           {20, "bigint"},      {21, "smallint"},
        {23, "integer"},           {25, "text"},        {700, "real"},
        {701, "double precision"}, {1114, "timestamp"}, {1184, "timestamp with time zone"},
        {1700, "numeric"},         {3802, "jsonb"},
    };

    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++)
        if (TYPES[i].oid == type)
            return TYPES[i].name;
    return "";
}

static int mz_columns(struct views *base, const char *view, struct views_column **ret,
                      size_t *ret_n, struct err *err)
{
    struct mz_views *v = mz_views(base);
    struct buf sql = BUF_INIT;
    PGresult *res = NULL;

    buf_text(&sql, "SELECT * FROM ");
    mz_quote_name(&sql, view);
    buf_text(&sql, " LIMIT 0");
    int code = mz_exec(v, sql.data, &res, err);
    buf_release(&sql);
    if (code == ERR_NOT_FOUND || code == ERR_DEPENDENCY_DROPPED)
        return err_set(err, ERR_NOT_FOUND, "there is no view \"%s\": define it in %s", view,
                       v->sql_dir);
    if (code < 0)
        return code;
    size_t n = (size_t)PQnfields(res);
    struct views_column *columns = mem_zalloc(n ? n : 1, sizeof(*columns));
    for (size_t i = 0; i < n; i++) {
        columns[i].name = mem_strdup(PQfname(res, (int)i));
        columns[i].type = mem_strdup(type_name(PQftype(res, (int)i)));
    }
    PQclear(res);
    *ret = columns;
    *ret_n = n;
    return 0;
}

/* ---- Ledger ---- */

static bool is_ledger_field(const char *name)
{
    static const struct views_ledger none;
    const char *field;

    for (size_t i = 0; (field = views_ledger_field(&none, i, NULL)); i++)
        if (strcmp(field, name) == 0)
            return true;
    return false;
}

static int know_columns(void *ctx, size_t n, const char *const *names, const char *const *values)
{
    int64_t count;

    for (size_t i = 0; i < n; i++)
        if (values[i] && is_ledger_field(names[i]) &&
            num_parse_int(values[i], strlen(values[i]), &count) == 0 && count >= 0)
            views_ledger_know(ctx, names[i], (uint64_t)count);
    return 0;
}

/* The columns of view `ledger`, where the task's SQL has one, are what is known. */
static int mz_ledger(struct views *base, struct views_ledger *ret, struct err *err)
{
    struct views_ledger ledger;

    views_ledger_hide_all(&ledger);
    int code = mz_query(base, "SELECT * FROM ledger", know_columns, &ledger, err);
    if (code < 0 && code != ERR_NOT_FOUND)
        return code;
    *ret = ledger;
    return 0;
}

const struct views_backend views_materialize = {
    .name = "materialize",

    .open = mz_open,
    .close = mz_close,
    .apply = mz_apply,
    .cancel = mz_cancel,

    .incarnation = mz_incarnation,
    .incarnation_set = mz_incarnation_set,
    .announce = mz_announce,
    .wipe = mz_wipe,

    .ingest = NULL,
    .position = NULL,
    .rewound = NULL,
    .counters = NULL,

    .poll = mz_poll,
    .ack = mz_ack,
    .replay = mz_replay,

    .columns = mz_columns,
    .names = mz_names,
    .query = mz_query,
    .pin = mz_pin,
    .unpin = mz_unpin,
    .ledger = mz_ledger,
};
