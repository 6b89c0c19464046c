/* `oxbow tail`: prints the messages of a topic as they come. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "access.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/stop.h"
#include "commands.h"
#include "options.h"
#include "topics.h"

#define POLL_MESSAGES 500
#define POLL_MS       200

struct tail_options {
    struct access_options access;
    const char *topic;
    const char *from;
    const char *key;
    int64_t n; /* 0: without end */
    bool json;
};

static void append_bytes(struct buf *out, const char *data, size_t len, bool json)
{
    if (json && !data)
        buf_text(out, "null");
    else if (json)
        json_write_string(out, data, len);
    else
        buf_append(out, data ? data : "", data ? len : 0);
}

/* The value is part of the object when it is JSON itself, else a string. */
static void append_value(struct buf *out, const struct bus_msg *msg)
{
    struct json_value v;

    if (msg->value && json_parse(msg->value, msg->value_len, &v, NULL) == 0)
        buf_append(out, v.text, v.len);
    else
        append_bytes(out, msg->value, msg->value_len, true);
}

static void print(const struct bus *bus, const struct bus_msg *msg, bool json)
{
    struct buf line = BUF_INIT;

    if (json) {
        buf_text(&line, "{\"position\":\"");
        bus_msg_place(bus, msg, &line);
        buf_printf(&line, "\",\"time_ms\":%" PRId64 ",\"key\":", msg->time_ms);
        append_bytes(&line, msg->key, msg->key_len, true);
        buf_text(&line, ",\"value\":");
        append_value(&line, msg);
        buf_byte(&line, '}');
    } else {
        append_bytes(&line, msg->key, msg->key_len, false);
        buf_byte(&line, '\t');
        append_bytes(&line, msg->value, msg->value_len, false);
    }
    buf_byte(&line, '\n');
    fwrite(line.data, 1, line.len, stdout);
    buf_release(&line);
}

static bool is_wanted(const struct tail_options *o, const struct bus_msg *msg)
{
    return !o->key || (msg->key && msg->key_len == strlen(o->key) &&
                       memcmp(msg->key, o->key, msg->key_len) == 0);
}

static int assign(struct bus_reader *r, const struct tail_options *o, struct err *err)
{
    bool oldest = strcmp(o->from, "oldest") == 0;

    return bus_reader_assign(r, o->topic, -1, oldest ? &BUS_POS_OLDEST : &BUS_POS_NEWEST, err);
}

static int follow(struct inspect *in, struct bus_reader *r, const struct tail_options *o,
                  struct err *err)
{
    struct backoff backoff = {0};
    bool away = false;
    int64_t printed = 0;

    int rc = assign(r, o, err);
    while (!stop_requested() && (!o->n || printed < o->n)) {
        const struct bus_msg *msg;
        if (rc >= 0)
            rc = bus_poll(r, POLL_MESSAGES, POLL_MS, &msg, err);
        if (rc < 0 && !err->retriable)
            return rc;
        if (rc < 0) {
            if (!away)
                fprintf(stderr, "oxbow tail: %s; trying again\n", err->text);
            away = true;
            backoff_wait(&backoff);
            rc = 0;
            continue;
        }
        away = false;
        backoff_reset(&backoff);
        for (int i = 0; i < rc && (!o->n || printed < o->n); i++) {
            if (!is_wanted(o, &msg[i]))
                continue;
            print(in->bus, &msg[i], o->json);
            printed++;
        }
        if (fflush(stdout) != 0)
            return 0; /* nobody reads any more */
    }
    return 0;
}

static int run(const struct tail_options *o)
{
    struct access a = {0};
    struct bus_reader *r = NULL;
    struct err err = {0};
    int status = CLI_OK;

    stop_install();
    int rc = access_open(&a, &o->access, &err);
    if (rc == 0)
        rc = topics_check(a.task, o->topic, &err);
    if (rc == 0) {
        r = bus_reader_open(a.in.bus, &err);
        rc = r ? follow(&a.in, r, o, &err) : err.code;
    }
    if (rc < 0)
        status = access_complain("tail", &err);
    bus_reader_close(r);
    access_release(&a);
    return status;
}

int tail_command(int argc, char **argv)
{
    struct tail_options o = {.from = "newest"};
    const struct option_spec options[] = {
        ACCESS_OPTIONS(o.access),
        {"from", 0, OPTION_TEXT, "oldest|newest", "where to begin (default newest)", &o.from, 0, 0},
        {"count", 'n', OPTION_INT, "N", "end after N messages", &o.n, 1, 1e15},
        {"key", 0, OPTION_TEXT, "K", "only messages with this key", &o.key, 0, 0},
        {"json", 0, OPTION_FLAG, NULL, "an object a line, with position and time", &o.json, 0, 0},
    };
    const struct usage usage = {
        .command = "tail",
        .operands = "TOPIC",
        .summary =
            "Prints the messages of a topic as they come: key, tab, value.\nThe topics are "
            "those of the task file, and features, learning-queue, dead-letters and drift-alarms.",
        .options = options,
        .n_options = sizeof(options) / sizeof(options[0]),
        .operand = &o.topic,
        .n_operands = 1,
    };

    int status = options_parse(&usage, argc, argv);
    if (status != CLI_GO)
        return status;
    if (strcmp(o.from, "oldest") != 0 && strcmp(o.from, "newest") != 0) {
        fprintf(stderr, "oxbow tail: --from %s: write oldest or newest\n", o.from);
        return CLI_REFUSED;
    }
    return run(&o);
}
