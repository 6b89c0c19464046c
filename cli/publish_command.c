/* `oxbow publish`: lines of standard input become messages of a topic. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "access.h"
#include "base/json.h"
#include "base/stop.h"
#include "commands.h"
#include "options.h"
#include "topics.h"

#define FLUSH_MS 30000

struct publish_options {
    struct access_options access;
    const char *topic;
    const char *key_field; /* NULL: the key stands before a tab */
    bool any;              /* publish what is no JSON too */
};

/* A key field may be a string or a number, whose text is the key then. */
static int key_of(const char *field, const char *line, size_t len, struct buf *key, struct err *err)
{
    struct json_value root;
    struct json_value v;

    int rc = json_parse(line, len, &root, err);
    if (rc < 0)
        return rc;
    if (!json_get(&root, field, &v) || (v.type != JSON_STRING && v.type != JSON_NUMBER))
        return err_set(err, ERR_INVALID, "there is no text or number called \"%s\"", field);
    if (v.type == JSON_STRING)
        json_string(&v, key);
    else
        buf_append(key, v.text, v.len);
    return 0;
}

static int publish_line(struct inspect *in, const struct publish_options *o, const char *line,
                        size_t len, struct err *err)
{
    struct bus_record rec = {.topic = o->topic, .partition = -1};
    struct buf key = BUF_INIT;
    struct json_value root;
    int rc = 0;

    if (o->key_field) {
        rc = key_of(o->key_field, line, len, &key, err);
        rec.value = line;
        rec.value_len = len;
    } else {
        const char *tab = memchr(line, '\t', len);
        if (!tab) {
            rc = err_set(err, ERR_INVALID,
                         "there is no tab between key and value; or name the key with --key-field");
        } else {
            buf_append(&key, line, (size_t)(tab - line));
            rec.value = tab + 1;
            rec.value_len = len - (size_t)(tab + 1 - line);
            if (!o->any)
                rc = json_parse(rec.value, rec.value_len, &root, err);
        }
    }
    if (rc == 0) {
        rec.key = buf_str(&key);
        rec.key_len = key.len;
        rc = bus_publish(in->bus, &rec, err);
    }
    buf_release(&key);
    return rc;
}

/* How many lines were published, to *ret. */
static int publish_all(struct inspect *in, const struct publish_options *o, uint64_t *ret,
                       struct err *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    uint64_t number = 0;
    int rc = 0;

    while (rc >= 0 && !stop_requested() && (len = getline(&line, &cap, stdin)) >= 0) {
        number++;
        if (len && line[len - 1] == '\n')
            len--;
        if (len && line[len - 1] == '\r')
            len--;
        if (!len)
            continue;
        rc = publish_line(in, o, line, (size_t)len, err);
        if (rc < 0)
            err_prefix(err, "line %" PRIu64, number);
        else
            ++*ret;
    }
    free(line);
    /* Lines before a bad one are messages all the same. */
    struct err flush_err;
    int flushed = bus_flush(in->bus, FLUSH_MS, rc < 0 ? &flush_err : err);
    return rc < 0 ? rc : flushed;
}

/* Rows of these are numbered by oxbow-views alone: anybody else's would keep its own out. */
static int check_topic(const struct task *task, const char *topic, struct err *err)
{
    int rc = topics_check(task, topic, err);

    if (rc == 0 && (strcmp(topic, task->topics.features) == 0 ||
                    strcmp(topic, task->topics.learning_queue) == 0))
        rc = err_set(err, ERR_INVALID, "%s is written by oxbow-views alone; publish to %s or %s",
                     topic, task->topics.requests, task->topics.outcomes);
    return rc;
}

static int run(const struct publish_options *o)
{
    struct access a = {0};
    struct err err = {0};
    uint64_t n = 0;
    int status = CLI_OK;

    stop_install();
    int rc = access_open(&a, &o->access, &err);
    if (rc == 0)
        rc = check_topic(a.task, o->topic, &err);
    if (rc == 0)
        rc = publish_all(&a.in, o, &n, &err);
    if (rc < 0)
        status = access_complain("publish", &err);
    fprintf(stderr, "oxbow publish: %" PRIu64 " messages\n", n);
    access_release(&a);
    return status;
}

int publish_command(int argc, char **argv)
{
    struct publish_options o = {0};
    const struct option_spec options[] = {
        ACCESS_OPTIONS(o.access),
        {"key-field", 0, OPTION_TEXT, "F", "lines are JSON objects, and member F is the key",
         &o.key_field, 0, 0},
        {"any", 0, OPTION_FLAG, NULL, "do not check that values are JSON", &o.any, 0, 0},
    };
    const struct usage usage = {
        .command = "publish",
        .operands = "TOPIC",
        .summary = "Publishes lines of standard input: key, tab, JSON value; or JSON objects with "
                   "--key-field.\nEnds at the first line that cannot be read; those before it are "
                   "published.",
        .options = options,
        .n_options = sizeof(options) / sizeof(options[0]),
        .operand = &o.topic,
        .n_operands = 1,
    };

    int status = options_parse(&usage, argc, argv);
    return status == CLI_GO ? run(&o) : status;
}
