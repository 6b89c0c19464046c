/*
 * The task's files as objects: split at semicolons, placeholders filled in, kind
 * and name read off, hashed. No more of SQL is understood than comments, quotes
 * and the words behind CREATE.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "views/materialize_internal.h"

/* ---- Walking ---- */

/* Behind the space and comments at `p`. */
static const char *skip_space(const char *p)
{
    for (;;) {
        if (isspace((unsigned char)*p))
            p++;
        else if (p[0] == '-' && p[1] == '-')
            p += strcspn(p, "\n");
        else if (p[0] == '/' && p[1] == '*') {
            const char *end = strstr(p + 2, "*/");
            p = end ? end + 2 : p + strlen(p);
        } else
            return p;
    }
}

/* Behind the quoted text, comment or single character at `p`. */
static const char *skip_token(const char *p)
{
    const char *next = skip_space(p);

    if (next != p)
        return next;
    if (*p != '\'' && *p != '"')
        return p + 1;
    const char *end = strchr(p + 1, *p);
    return end ? end + 1 : p + strlen(p);
}

/* Takes `word` (upper case) at *p if it is there, whatever its case. */
static bool take_word(const char **p, const char *word)
{
    size_t len = strlen(word);

    if (strncasecmp(*p, word, len) != 0 || isalnum((unsigned char)(*p)[len]) || (*p)[len] == '_')
        return false;
    *p = skip_space(*p + len);
    return true;
}

static char *take_name(const char **p)
{
    size_t len = 0;

    while (isalnum((unsigned char)(*p)[len]) || (*p)[len] == '_')
        len++;
    char *name = len ? mem_strndup(*p, len) : NULL;
    *p += len;
    return name;
}

/* ---- Placeholders ---- */

/* 'a:9092', 'b:9092' */
static void write_brokers(const char *brokers, struct buf *out)
{
    while (*brokers) {
        size_t len = strcspn(brokers, ",");
        char *one = mem_strndup(brokers, len);
        mz_quote(out, one);
        free(one);
        brokers += len;
        if (*brokers == ',') {
            buf_text(out, ", ");
            brokers++;
        }
    }
}

/* Topic names hold nothing that would need quoting: bus.c sees to that. */
static bool write_placeholder(const struct mz_views *v, const char *name, size_t len,
                              struct buf *out)
{
    static const char *const topics[VIEWS_N_INPUTS] = {
        [VIEWS_REQUESTS] = "topic_requests",
        [VIEWS_OUTCOMES] = "topic_outcomes",
        [VIEWS_PREDICTIONS] = "topic_predictions",
    };

    for (size_t i = 0; i < VIEWS_N_INPUTS; i++)
        if (strlen(topics[i]) == len && memcmp(topics[i], name, len) == 0) {
            buf_text(out, v->topic_names[i]);
            return true;
        }
    if (len == strlen("brokers") && memcmp(name, "brokers", len) == 0)
        write_brokers(v->brokers, out);
    else if (len == strlen("window_seconds") && memcmp(name, "window_seconds", len) == 0)
        buf_printf(out, "%" PRId64, v->window_seconds);
    else
        return false;
    return true;
}

/* The statement's text without comments and with placeholders filled in. */
static int expand(const struct mz_views *v, const char *from, const char *end, struct buf *out,
                  struct err *err)
{
    char quoted = '\0';

    while (from < end) {
        const char *next = quoted ? from : skip_space(from);
        if (next != from) {
            buf_byte(out, memchr(from, '\n', (size_t)(next - from)) ? '\n' : ' ');
            from = next;
            continue;
        }
        if (from[0] == '$' && from[1] == '{') {
            size_t len = strcspn(from + 2, "}");
            if (from + 2 + len >= end || !write_placeholder(v, from + 2, len, out))
                return err_set(err, ERR_INVALID,
                               "there is no placeholder ${%.*s}; there are ${brokers}, "
                               "${topic_requests}, ${topic_outcomes}, ${topic_predictions} and "
                               "${window_seconds}",
                               (int)(len < 60 ? len : 60), from + 2);
            from += len + 3;
            continue;
        }
        if (quoted ? *from == quoted : *from == '\'' || *from == '"')
            quoted = quoted ? '\0' : *from;
        buf_byte(out, *from++);
    }
    return 0;
}

/* ---- Objects ---- */

static const char *take_kind(const char **p)
{
    static const char *const KINDS[] = {"CONNECTION", "SOURCE", "VIEW", "INDEX"};

    if (take_word(p, "MATERIALIZED"))
        return take_word(p, "VIEW") ? "MATERIALIZED VIEW" : NULL;
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++)
        if (take_word(p, KINDS[i]))
            return KINDS[i];
    return NULL;
}

static int parse_statement(struct mz_views *v, const struct sql_file *file, const char *from,
                           const char *end, struct mz_objects *ret, struct err *err)
{
    struct mz_object o = {.file = file, .line = sql_file_line(file, from)};
    struct buf sql = BUF_INIT;
    const char *p = from;

    if (take_word(&p, "CREATE"))
        o.kind = take_kind(&p);
    if (o.kind)
        o.name = take_name(&p);
    int code = 0;
    if (!o.name)
        code = err_set(err, ERR_INVALID,
                       "write CREATE, then CONNECTION, SOURCE, VIEW, MATERIALIZED VIEW or INDEX, "
                       "then a plain name");
    else
        code = expand(v, from, end, &sql, err);
    for (size_t i = 0; i < ret->n && code == 0; i++)
        if (strcmp(ret->object[i].name, o.name) == 0)
            code = err_set(err, ERR_INVALID, "%s is defined twice", o.name);
    if (code < 0) {
        err_prefix(err, "%s/%s: the statement at line %d", v->sql_dir, file->name, o.line);
        free(o.name);
        buf_release(&sql);
        return code;
    }
    snprintf(o.hash, sizeof(o.hash), "%016" PRIx64, (uint64_t)XXH64(sql.data, sql.len, 0));
    o.sql = buf_detach(&sql);
    ret->object = mem_realloc(ret->object, ret->n + 1, sizeof(*ret->object));
    ret->object[ret->n++] = o;
    return 0;
}

int mz_objects_parse(struct mz_views *v, const struct sql_files *files, struct mz_objects *ret,
                     struct err *err)
{
    for (size_t i = 0; i < files->n; i++) {
        const char *p = skip_space(buf_str(&files->file[i].text));

        while (*p) {
            const char *from = p;
            while (*p && *p != ';')
                p = skip_token(p);
            if (parse_statement(v, &files->file[i], from, p, ret, err) < 0)
                return err->code;
            p = skip_space(*p ? p + 1 : p);
        }
    }
    return 0;
}

void mz_objects_release(struct mz_objects *objects)
{
    for (size_t i = 0; i < objects->n; i++) {
        free(objects->object[i].name);
        free(objects->object[i].sql);
    }
    free(objects->object);
    *objects = (struct mz_objects){0};
}
