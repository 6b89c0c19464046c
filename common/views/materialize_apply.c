/*
 * Bringing the task's objects up to date.
 *
 * Every object has the hash of its text in table oxbow_objects. One that is there
 * with the same hash stays; one whose text has changed is dropped, with all that
 * depends on it, and made again, and what depended on it follows as its turn
 * comes. Materialize has no transaction around such statements, so each step
 * leaves a state from which the next run goes on: a record is deleted before its
 * object is dropped, and written after its object was made.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/materialize_internal.h"
#include "views/views_check.h"

/* What the server has. */
struct present {
    PGresult *objects; /* name, type */
    PGresult *records; /* name, hash */
};

static void present_release(struct present *p)
{
    PQclear(p->objects);
    PQclear(p->records);
    *p = (struct present){0};
}

static int present_read(struct mz_views *v, struct present *p, struct err *err)
{
    struct buf sql = BUF_INIT;

    present_release(p);
    buf_text(&sql, "SELECT o.name, o.type FROM mz_catalog.mz_objects o"
                   " JOIN mz_catalog.mz_schemas s ON s.id = o.schema_id"
                   " JOIN mz_catalog.mz_databases d ON d.id = s.database_id"
                   " WHERE d.name = current_database() AND s.name = ");
    mz_quote(&sql, v->schema);
    int code = mz_exec(v, sql.data, &p->objects, err);
    if (code == 0)
        code = mz_exec(v, "SELECT name, hash FROM oxbow_objects ORDER BY name", &p->records, err);
    buf_release(&sql);
    return code;
}

/* The second column of the row whose first is `name`; NULL without one. */
static const char *find(const PGresult *res, const char *name)
{
    for (int i = 0; i < PQntuples(res); i++)
        if (strcmp(PQgetvalue(res, i, 0), name) == 0)
            return PQgetvalue(res, i, 1);
    return NULL;
}

static void note(const struct mz_views *v, const char *what, const char *name, const char *why)
{
    char text[200];

    if (!v->note)
        return;
    snprintf(text, sizeof(text), "%s %.80s%s", what, name, why);
    v->note(v->note_ctx, text);
}

static int forget(struct mz_views *v, const char *name, struct err *err)
{
    struct buf sql = BUF_INIT;

    buf_text(&sql, "DELETE FROM oxbow_objects WHERE name = ");
    mz_quote(&sql, name);
    int code = mz_exec(v, sql.data, NULL, err);
    buf_release(&sql);
    return code;
}

static int drop(struct mz_views *v, const char *name, const char *type, struct err *err)
{
    struct buf sql = BUF_INIT;

    if (forget(v, name, err) < 0)
        return err->code;
    buf_printf(&sql, "DROP %s IF EXISTS ",
               strcmp(type, "materialized-view") == 0 ? "MATERIALIZED VIEW" : type);
    mz_quote_name(&sql, name);
    buf_text(&sql, " CASCADE");
    int code = mz_exec(v, sql.data, NULL, err);
    buf_release(&sql);
    return code;
}

static int create(struct mz_views *v, const struct mz_object *o, struct err *err)
{
    struct buf sql = BUF_INIT;
    int code = mz_exec(v, o->sql, NULL, err);

    if (code < 0) {
        /* A topic or a broker that is not there yet is worth waiting for; wrong SQL is not. */
        if (code == ERR_DATAFLOW) {
            err->code = code = ERR_IO;
            err->retriable = true;
        } else if (code == ERR_NOT_FOUND || code == ERR_DEPENDENCY_DROPPED)
            err->code = code = ERR_INVALID;
        err_prefix(err, "%s/%s: the statement at line %d", v->sql_dir, o->file->name, o->line);
        return code;
    }
    buf_text(&sql, "INSERT INTO oxbow_objects VALUES (");
    mz_quote(&sql, o->kind);
    buf_text(&sql, ", ");
    mz_quote(&sql, o->name);
    buf_text(&sql, ", ");
    mz_quote(&sql, o->hash);
    buf_text(&sql, ")");
    code = mz_exec(v, sql.data, NULL, err);
    buf_release(&sql);
    return code;
}

static int bring_up(struct mz_views *v, const struct mz_object *o, struct present *have,
                    bool *ret_changed, struct err *err)
{
    const char *type = find(have->objects, o->name);
    const char *hash = find(have->records, o->name);

    if (type && hash && strcmp(hash, o->hash) == 0)
        return 0;
    *ret_changed = true;
    if (type) {
        note(v, "dropping", o->name,
             hash ? ": its SQL has changed; what depends on it is made again too"
                  : ": it is not known what it was made of");
        if (drop(v, o->name, type, err) < 0)
            return err->code;
    } else if (hash && forget(v, o->name, err) < 0)
        return err->code;
    note(v, "making", o->name, "");
    if (create(v, o, err) < 0)
        return err->code;
    /* Dropping has taken others along. */
    return type ? present_read(v, have, err) : 0;
}

static bool is_asked_for(const struct mz_objects *objects, const char *name)
{
    for (size_t i = 0; i < objects->n; i++)
        if (strcmp(objects->object[i].name, name) == 0)
            return true;
    return false;
}

/* Drops what was made once and stands in no file any longer. */
static int drop_leftovers(struct mz_views *v, const struct mz_objects *objects,
                          struct present *have, bool *ret_changed, struct err *err)
{
    for (int i = 0; i < PQntuples(have->records); i++) {
        const char *name = PQgetvalue(have->records, i, 0);
        const char *type = find(have->objects, name);

        if (is_asked_for(objects, name))
            continue;
        *ret_changed = true;
        note(v, "dropping", name, ": it is in no file any longer");
        int code = type ? drop(v, name, type, err) : forget(v, name, err);
        if (code < 0)
            return code;
    }
    return 0;
}

int mz_make_schema(struct mz_views *v, struct err *err)
{
    struct buf sql = BUF_INIT;

    buf_text(&sql, "CREATE SCHEMA IF NOT EXISTS ");
    mz_quote_name(&sql, v->schema);
    int code = mz_exec(v, sql.data, NULL, err);
    buf_release(&sql);
    if (code == 0)
        code = mz_exec(v,
                       "CREATE TABLE IF NOT EXISTS oxbow_objects (kind text, name text,"
                       " hash text)",
                       NULL, err);
    if (code == 0)
        code =
            mz_exec(v, "CREATE TABLE IF NOT EXISTS oxbow_meta (name text, value text)", NULL, err);
    return code;
}

static int check_views(struct mz_views *v, struct err *err)
{
    const struct views_needs needs = {
        .features_view = "prediction_queue",
        .sql_dir = v->sql_dir,
        .key = v->key,
        .label = v->label,
        .features = (const char *const *)v->features,
        .n_features = v->n_features,
    };

    int code = views_check_columns(&v->base, &needs, err);
    return code == ERR_NOT_FOUND ? (err->code = ERR_INVALID) : code;
}

/* Leftovers go first: a name may have moved to another file, and what depends on them has too. */
static int bring_all_up(struct mz_views *v, const struct mz_objects *objects, bool *ret_changed,
                        struct err *err)
{
    struct present have = {0};
    int code = present_read(v, &have, err);

    if (code == 0)
        code = drop_leftovers(v, objects, &have, ret_changed, err);
    if (code == 0 && *ret_changed)
        code = present_read(v, &have, err);
    for (size_t i = 0; i < objects->n && code == 0; i++)
        code = bring_up(v, &objects->object[i], &have, ret_changed, err);
    present_release(&have);
    return code;
}

int mz_apply(struct views *base, bool *ret_changed, struct err *err)
{
    struct mz_views *v = mz_views(base);
    struct sql_files files = {0};
    struct mz_objects objects = {0};
    bool changed = false;
    int code = sql_files_read(v->sql_dir, &files, err);

    if (code == 0)
        code = mz_objects_parse(v, &files, &objects, err);
    if (code == 0)
        code = mz_make_schema(v, err);
    if (code == 0)
        code = bring_all_up(v, &objects, &changed, err);
    if (code == 0)
        code = check_views(v, err);
    if (code == 0 && ret_changed)
        *ret_changed = changed;
    mz_objects_release(&objects);
    sql_files_release(&files);
    return code;
}
