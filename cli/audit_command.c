/* `oxbow audit`: prints the equations with both sides, and what a deep look found. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "access.h"
#include "audit_deep.h"
#include "base/json.h"
#include "base/stop.h"
#include "commands.h"
#include "inspect/audit.h"
#include "options.h"
#include "screen.h"

static void print_equation(const struct screen *screen, const struct equation *e)
{
    struct buf words = BUF_INIT;
    struct buf line = BUF_INIT;
    bool holds = equation_holds(e);

    equation_words(e, &words);
    if (e->subject[0])
        buf_printf(&words, "  (%s)", e->subject);
    buf_printf(&line, "  %-3s ", e->id);
    if (e->hidden)
        screen_paint(screen, &line, SCREEN_DIM, "hidden");
    else
        screen_paint(screen, &line, holds ? SCREEN_GREEN : SCREEN_RED, holds ? "ok    " : "BROKEN");
    buf_printf(&line, " %-72s ", buf_str(&words));
    equation_figures(e, &line);
    if (!holds)
        buf_printf(&line, ": %" PRId64 " against %" PRId64, equation_left(e), equation_right(e));
    puts(buf_str(&line));
    buf_release(&words);
    buf_release(&line);
}

static void print_text(const struct audit *audit, const struct inspect *in, const char *verdict)
{
    struct screen screen;
    struct in_flight flying;
    struct buf text = BUF_INIT;

    screen_init(&screen, stdout);
    printf("task %s, incarnation %s\n", in->task->name, in->incarnation);
    bool hidden = false;
    for (size_t i = 0; i < audit->n_equations; i++) {
        print_equation(&screen, &audit->equation[i]);
        hidden = hidden || audit->equation[i].hidden;
    }
    if (hidden)
        printf("  hidden by this engine: %s does not say how often a message came, so what needs "
               "that is not checked\n",
               in->task->views);
    if (audit->facts.uncounted)
        printf("  E9  cannot be checked on the %s bus: its offsets have holes, so nobody knows how "
               "many messages there ever were\n",
               in->task->bus);
    for (size_t i = 0; i < audit->n_findings; i++) {
        buf_clear(&text);
        buf_text(&text, "  deep ");
        screen_paint(&screen, &text, audit->finding[i].holds ? SCREEN_GREEN : SCREEN_RED,
                     audit->finding[i].holds ? "ok    " : "BROKEN");
        printf("%s %s\n", buf_str(&text), audit->finding[i].text);
    }
    buf_clear(&text);
    facts_in_flight(&audit->facts, &flying);
    audit_describe_in_flight(&flying, &text);
    printf("in flight: %s\naudit: %s\n", buf_str(&text), verdict);
    buf_release(&text);
    screen_release(&screen);
}

/* "E1","E9": which equations could not be checked. */
static void append_unchecked(const struct audit *audit, struct buf *out)
{
    const char *last = "";

    buf_byte(out, '[');
    for (size_t i = 0; i < audit->n_equations; i++) {
        const struct equation *e = &audit->equation[i];
        if (!e->hidden || strcmp(e->id, last) == 0)
            continue;
        buf_printf(out, "%s\"%s\"", *last ? "," : "", e->id);
        last = e->id;
    }
    if (audit->facts.uncounted)
        buf_printf(out, "%s\"E9\"", *last ? "," : "");
    buf_byte(out, ']');
}

static void append_equation(const struct equation *e, struct buf *out)
{
    struct buf words = BUF_INIT;

    equation_words(e, &words);
    buf_printf(out, "{\"id\":\"%s\",\"subject\":", e->id);
    json_write_string(out, e->subject, strlen(e->subject));
    buf_text(out, ",\"text\":");
    json_write_string(out, words.data, words.len);
    if (e->hidden)
        buf_printf(out, ",\"left\":null,\"relation\":\"%s\",\"right\":null,\"holds\":null}",
                   e->at_most ? "<=" : "=");
    else
        buf_printf(out,
                   ",\"left\":%" PRId64 ",\"relation\":\"%s\",\"right\":%" PRId64 ",\"holds\":%s}",
                   equation_left(e), e->at_most ? "<=" : "=", equation_right(e),
                   equation_holds(e) ? "true" : "false");
    buf_release(&words);
}

static void print_json(const struct audit *audit, const struct inspect *in, const char *verdict)
{
    struct in_flight flying;
    struct buf out = BUF_INIT;

    facts_in_flight(&audit->facts, &flying);
    buf_printf(&out, "{\"audit\":\"%s\",\"task\":\"%s\",\"incarnation\":\"%s\",\"settled\":%s,",
               verdict, in->task->name, in->incarnation, audit->settled ? "true" : "false");
    buf_printf(&out,
               "\"in_flight\":{\"requests\":%" PRIu64 ",\"outcomes\":%" PRIu64
               ",\"predictions\":%" PRIu64 ",\"pending\":%" PRIu64 ",\"waiting\":%" PRIu64
               ",\"unlearned\":%" PRIu64 "},\"equations\":[",
               flying.unread[VIEWS_REQUESTS], flying.unread[VIEWS_OUTCOMES],
               flying.unread[VIEWS_PREDICTIONS], flying.pending, flying.waiting, flying.unlearned);
    for (size_t i = 0; i < audit->n_equations; i++) {
        if (i)
            buf_byte(&out, ',');
        append_equation(&audit->equation[i], &out);
    }
    buf_text(&out, "],\"unchecked\":");
    append_unchecked(audit, &out);
    buf_text(&out, ",\"deep\":[");
    for (size_t i = 0; i < audit->n_findings; i++) {
        buf_printf(&out, "%s{\"holds\":%s,\"text\":", i ? "," : "",
                   audit->finding[i].holds ? "true" : "false");
        json_write_string(&out, audit->finding[i].text, strlen(audit->finding[i].text));
        buf_byte(&out, '}');
    }
    buf_text(&out, "]}");
    puts(buf_str(&out));
    buf_release(&out);
}

/* What cannot be told is told as such, whatever the reason. */
static int cannot_tell(const struct err *err, bool json)
{
    if (json) {
        struct buf out = BUF_INIT;
        buf_text(&out, "{\"audit\":\"cannot tell\",\"reason\":");
        json_write_string(&out, err->text, strlen(err->text));
        buf_byte(&out, '}');
        puts(buf_str(&out));
        buf_release(&out);
    }
    fprintf(stderr, "oxbow audit: cannot tell: %s\n", err->text);
    return CLI_UNKNOWN;
}

struct audit_options {
    struct access_options access;
    bool settled;
    bool deep;
    bool json;
    int64_t timeout_s;
};

static int run(const struct audit_options *o)
{
    struct access a = {0};
    struct audit audit = {0};
    struct err err = {0};
    int status;

    stop_install();
    int rc = access_open(&a, &o->access, &err);
    if (rc == ERR_INVALID) {
        status = access_complain("audit", &err);
        goto out;
    }
    if (rc == 0)
        rc = inspect_open_views(&a.in, &err);
    if (rc == 0)
        rc = o->settled ? audit_settle(&audit, &a.in, o->timeout_s * 1000, &err)
                        : audit_judge(&audit, &a.in, false, &err);
    if (rc == 0 && o->deep)
        rc = audit_deep(&audit, &a.in, &err);
    if (rc < 0) {
        status = cannot_tell(&err, o->json);
        goto out;
    }
    bool balanced = audit_balanced(&audit);
    if (o->json)
        print_json(&audit, &a.in, balanced ? "balanced" : "broken");
    else
        print_text(&audit, &a.in, balanced ? "balanced" : "broken");
    status = balanced ? CLI_OK : CLI_FAILED;
out:
    audit_release(&audit);
    access_release(&a);
    return status;
}

int audit_command(int argc, char **argv)
{
    struct audit_options o = {.timeout_s = 60};
    const struct option_spec options[] = {
        ACCESS_OPTIONS(o.access),
        {"settled", 0, OPTION_FLAG, NULL, "wait until nothing is in flight, then demand equality",
         &o.settled, 0, 0},
        {"timeout", 0, OPTION_INT, "S", "how long --settled waits (default 60)", &o.timeout_s, 0,
         86400},
        {"deep", 0, OPTION_FLAG, NULL, "read the kept streams again and rebuild every model",
         &o.deep, 0, 0},
        {"json", 0, OPTION_FLAG, NULL, "print one JSON object", &o.json, 0, 0},
    };
    const struct usage usage = {
        .command = "audit",
        .operands = "",
        .summary =
            "Checks that no request, outcome or row was lost or counted twice, and that every\n"
            "model has learned each row once (docs/guarantees.md has the equations).\n"
            "Exit status: 0 balanced; 1 broken, naming what; 3 cannot tell, as the server is "
            "away\nor things are still in flight.",
        .options = options,
        .n_options = sizeof(options) / sizeof(options[0]),
    };

    int status = options_parse(&usage, argc, argv);
    return status == CLI_GO ? run(&o) : status;
}
