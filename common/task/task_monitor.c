/* The section "monitor" of a task file: what oxbow-monitor shows, and where. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "learn/schema.h"
#include "task/task_read.h"

/* ---- Texts ---- */

const char *task_check_listen(const char *s)
{
    const char *colon = strrchr(s, ':');
    int64_t port;

    if (!colon || colon == s || strlen(s) > 200 ||
        num_parse_int(colon + 1, strlen(colon + 1), &port) != 0 || port < 0 || port > 65535)
        return "address:port, such as 127.0.0.1:8501";
    return NULL;
}

const char *task_check_hosts(const char *s)
{
    bool is_good = *s && strlen(s) < 1000;

    for (; *s && is_good; s++)
        is_good = isascii(*s) && (isalnum((unsigned char)*s) || strchr(".-_:[],", *s));
    return is_good ? NULL : "host names with commas between them";
}

static bool is_shown(const char *s, size_t max)
{
    bool is_good = *s && strlen(s) <= max;

    for (; *s && is_good; s++)
        is_good = (unsigned char)*s >= 0x20 && *s != 0x7F;
    return is_good;
}

const char *task_check_member(const char *s)
{
    return is_shown(s, 200) ? NULL : "the name of a member of the request's message";
}

const char *task_check_word(const char *s)
{
    return is_shown(s, 40) ? NULL : "a word of at most 40 bytes";
}

const char *task_check_features(const char *s)
{
    return is_shown(s, 16384) ? NULL : "names of features with commas between them";
}

/* ---- Values ---- */

int task_read_pair(struct reader *r, const char *path, const struct json_value *v, char **pair)
{
    struct json_value element;
    struct json_iter it;
    char *name[2] = {NULL, NULL};
    size_t n = 0;
    bool is_good = v->type == JSON_ARRAY;

    json_iter_init(&it, v);
    while (is_good && json_next_element(&it, &element)) {
        char *text = n < 2 ? task_string(&element) : NULL;

        is_good = text && !task_check_member(text);
        if (is_good)
            name[n++] = text;
        else
            free(text);
    }
    if (!is_good || n != 2) {
        free(name[0]);
        free(name[1]);
        return task_refuse(r, path,
                           "write the names of two members of the request's message, x and y, such "
                           "as [\"pickup_longitude\", \"pickup_latitude\"]");
    }
    pair[0] = name[0];
    pair[1] = name[1];
    return 0;
}

static int check_silent(struct reader *r)
{
    const char *s = r->task->monitor.drift_silent;

    while (s) {
        size_t len = strcspn(s, ",");

        if (schema_find(r->task->features, s, len) < 0)
            return task_refuse(r, "monitor.drift.silent",
                               "names \"%.*s\", which is none of the features; write names of "
                               "features with commas and no spaces between them, or null",
                               len < 80 ? (int)len : 80, s);
        s = s[len] ? s + len + 1 : NULL;
    }
    return 0;
}

int task_check_monitor(struct reader *r)
{
    const struct task_monitor *m = &r->task->monitor;

    if (m->size && schema_find(r->task->features, m->size, strlen(m->size)) < 0)
        return task_refuse(r, "monitor.size", "is none of the features; name one of them, or null");
    if (m->map_to[0] && !m->map_from[0])
        return task_refuse(r, "monitor.map.from", "is missing: \"to\" is where a request ends");
    if (m->map_moves && !m->map_to[0])
        return task_refuse(r, "monitor.map.moves",
                           "is true, so \"from\" and \"to\" must say from where to where");
    if (!m->tls_certificate != !m->tls_key)
        return task_refuse(r, m->tls_key ? "monitor.tls_certificate" : "monitor.tls_key",
                           "is missing: certificate and key go together");
    return check_silent(r);
}

void task_monitor_release(struct task_monitor *monitor)
{
    free(monitor->listen);
    free(monitor->token_file);
    free(monitor->tls_certificate);
    free(monitor->tls_key);
    free(monitor->hosts);
    free(monitor->noun);
    free(monitor->unit);
    free(monitor->request_time);
    free(monitor->size);
    free(monitor->drift_silent);
    for (int i = 0; i < 2; i++) {
        free(monitor->map_from[i]);
        free(monitor->map_to[i]);
    }
}
