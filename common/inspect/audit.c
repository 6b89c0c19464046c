/* Reading the stores for the audit. */
#include "audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/stop.h"
#include "bus/bus_places.h"
#include "state/state_read.h"

#define CONFIRMATIONS 10 /* times that an equation across stores is read again before it counts */
#define CONFIRM_MS    300
#define SETTLE_MS     200
#define STEADY_MS     5000
#define FIRST_ROW_MS  5000

/* ---- Facts ---- */

static struct facts_model *add_model(struct facts *f, const char *name, const char *version)
{
    f->model = mem_realloc(f->model, f->n_models + 1, sizeof(*f->model));
    struct facts_model *m = &f->model[f->n_models++];

    *m = (struct facts_model){.name = mem_strdup(name), .version = mem_strdup(version)};
    return m;
}

/* The newest version of each generation of one model. */
static int read_generations(struct facts *f, struct inspect *in, const char *name, struct err *err)
{
    struct store_version *v;
    size_t n;

    int rc = store_versions(in->store, name, &v, &n, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        bool newest = true;
        for (size_t k = 0; k < n && newest; k++)
            newest =
                strcmp(v[k].generation, v[i].generation) != 0 || v[k].position <= v[i].position;
        if (!newest)
            continue;
        struct facts_model *m = add_model(f, name, v[i].version);
        m->start = v[i].start;
        m->position = v[i].position;
        m->learned = v[i].learned;
        m->skipped = v[i].skipped;
    }
    store_versions_free(v, n);
    return 0;
}

/* Marks the generations that the task file asks for; adds those that have no version yet. */
static void mark_current(struct facts *f, const struct inspect *in)
{
    for (size_t i = 0; i < in->task->n_models; i++) {
        char generation[TASK_GENERATION_LEN + 1];
        bool found = false;
        task_generation(in->task, i, in->sql_hash, generation);
        for (size_t k = 0; k < f->n_models; k++) {
            struct facts_model *m = &f->model[k];
            if (strcmp(m->name, in->task->models[i].name) != 0 ||
                strncmp(m->version, generation, TASK_GENERATION_LEN) != 0)
                continue;
            m->current = true;
            found = true;
        }
        if (!found)
            add_model(f, in->task->models[i].name, "")->current = true;
    }
}

static int read_models(struct facts *f, struct inspect *in, struct err *err)
{
    struct buf names = BUF_INIT;
    struct buf name = BUF_INIT;
    struct json_value root;
    struct json_value v;
    struct json_iter it;

    int rc = store_models(in->store, &names, err);
    if (rc == 0)
        rc = json_parse(buf_str(&names), names.len, &root, err);
    if (rc == 0) {
        json_iter_init(&it, &root);
        while (rc == 0 && json_next_element(&it, &v)) {
            buf_clear(&name);
            if (json_string(&v, &name))
                rc = read_generations(f, in, buf_str(&name), err);
        }
    }
    mark_current(f, in);
    buf_release(&names);
    buf_release(&name);
    return rc;
}

/*
 * What an engine that reads the bus by itself cannot know: views keeps it on the bus. Read before
 * the engine's own counts, so that those can only be ahead.
 */
static int read_state(struct inspect *in, struct views_ledger *ret, struct err *err)
{
    const struct task *task = in->task;
    struct state state;
    uint64_t features, learning;

    if (state_read_last_seq(in->bus, task->topics.features, &features, err) < 0 ||
        state_read_last_seq(in->bus, task->topics.learning_queue, &learning, err) < 0 ||
        state_read_newest(in->bus, task->name, in->incarnation, &state, err) < 0)
        return err->code;
    views_ledger_know(ret, "features_last", features);
    views_ledger_know(ret, "learning_queue_last", learning);
    views_ledger_know(ret, "outcomes_emitted", state.last[VIEWS_LEARNING_QUEUE]);
    views_ledger_know(ret, "outcomes_bad_label", state.bad_label);
    views_ledger_know(ret, "dead_letters", state.dead_letters);
    return 0;
}

/* Both halves of the ledger: each member is known to one side only. */
static int read_ledger_apart(struct facts *f, struct inspect *in, struct err *err)
{
    struct views_ledger ours;
    const char *name;

    views_ledger_hide_all(&ours);
    if (read_state(in, &ours, err) < 0 || views_ledger(in->views, &f->ledger, err) < 0)
        return err->code;
    for (size_t i = 0; (name = views_ledger_field(&ours, i, NULL)); i++)
        if (!views_ledger_hidden(&ours, name))
            views_ledger_know(&f->ledger, name, views_ledger_get(&ours, name));
    f->apart = true;
    return 0;
}

static int read_ledger(struct facts *f, struct inspect *in, struct err *err)
{
    if (!views_is_fed(in->views))
        return read_ledger_apart(f, in, err);

    int rc = views_pin(in->views, err);

    if (rc < 0)
        return rc;
    rc = views_ledger(in->views, &f->ledger, err);
    int unpinned = views_unpin(in->views, rc == 0 ? err : NULL);
    return rc < 0 ? rc : unpinned;
}

/* What lies behind views' own place, where the bus cannot say how much there ever was. */
static int read_unread(struct facts *f, struct inspect *in, enum views_input input, struct err *err)
{
    struct bus_places places = BUS_PLACES_INIT;
    struct buf text = BUF_INIT;
    bool at_end = true;

    int rc = views_position(in->views, input, &text, err);
    if (rc == 0)
        rc = bus_places_parse(in->bus, buf_str(&text), &places, err);
    if (rc == 0)
        rc = bus_places_at_end(in->bus, f->topic[input], &places, &at_end, err);
    if (rc == 0 && !at_end)
        rc = bus_places_count_after(in->bus, f->topic[input], &places, &f->unread[input], err);
    if (rc == 0 && !at_end && !f->unread[input])
        f->unread[input] = 1; /* it has come in between */
    bus_places_release(&places);
    buf_release(&text);
    return rc;
}

static int read_bus(struct facts *f, struct inspect *in, struct err *err)
{
    f->topic[VIEWS_REQUESTS] = in->task->topics.requests;
    f->topic[VIEWS_OUTCOMES] = in->task->topics.outcomes;
    f->topic[VIEWS_PREDICTIONS] = in->task->topics.predictions;
    if (f->apart) {
        f->uncounted = true; /* nor is it known how much was read */
        return 0;
    }
    for (int i = 0; i < VIEWS_N_INPUTS; i++) {
        struct bus_marks marks;
        f->uncounted = !bus_can(in->bus, BUS_COUNTS);
        int rc = f->uncounted ? read_unread(f, in, (enum views_input)i, err)
                              : bus_marks(in->bus, f->topic[i], -1, &marks, err);
        if (rc < 0)
            return rc;
        if (!f->uncounted)
            f->added[i] = marks.added;
    }
    return 0;
}

/* The seq of the oldest kept row of learning-queue. Trimming only moves it on, so it is read before
 * the heads. */
static int read_queue_first(struct facts *f, struct inspect *in, struct err *err)
{
    const char *topic = in->task->topics.learning_queue;
    const struct bus_msg *msg;
    struct bus_msg last;

    int rc = bus_last(in->bus, topic, 0, &last, err);
    if (rc < 0)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    struct bus_reader *r = bus_reader_open(in->bus, err);
    if (!r)
        return err->code;
    rc = bus_reader_assign(r, topic, 0, &BUS_POS_OLDEST, err);
    if (rc >= 0)
        rc = bus_poll(r, 1, FIRST_ROW_MS, &msg, err);
    if (rc > 0) {
        struct json_value row;
        struct json_value v;
        int64_t seq;
        if (json_parse(msg->value, msg->value_len, &row, err) < 0 || !json_get(&row, "seq", &v) ||
            !json_int(&v, &seq) || seq < 1)
            rc = err_set(err, ERR_CORRUPT, "the oldest row of %s has no seq", topic);
        else
            f->queue_first = (uint64_t)seq;
    }
    bus_reader_close(r);
    return rc < 0 ? rc : 0;
}

int audit_read(struct audit *audit, struct inspect *in, bool settled, struct err *err)
{
    struct facts *f = &audit->facts;

    audit_release(audit);
    /* Downstream first: what lies upstream can only have grown since. */
    int rc = read_queue_first(f, in, err);
    if (rc == 0)
        rc = read_models(f, in, err);
    if (rc == 0)
        rc = read_ledger(f, in, err);
    if (rc == 0)
        rc = read_bus(f, in, err);
    if (rc < 0)
        return rc;
    audit->settled = settled;
    audit->equation = equations_make(f, settled, &audit->n_equations);
    return 0;
}

/* ---- Judging ---- */

/* True when something fails, and all that fails compares several stores. */
static bool is_doubtful(const struct audit *audit)
{
    bool fails = false;

    for (size_t i = 0; i < audit->n_equations; i++) {
        if (equation_holds(&audit->equation[i]))
            continue;
        if (!audit->equation[i].across)
            return false;
        fails = true;
    }
    return fails;
}

int audit_judge(struct audit *audit, struct inspect *in, bool settled, struct err *err)
{
    int rc = audit_read(audit, in, settled, err);

    for (int i = 0; rc == 0 && i < CONFIRMATIONS && is_doubtful(audit) && !stop_requested(); i++) {
        clock_sleep_ms(CONFIRM_MS);
        rc = audit_read(audit, in, settled, err);
    }
    return rc;
}

/*
 * An engine that reads the bus by itself does not say what it has still to read: it counts as
 * having read all when nothing has changed for a while.
 */
struct steady {
    struct views_ledger ledger;
    int64_t since_ms; /* 0: not seen yet */
};

static bool is_steady(struct steady *s, const struct facts *f)
{
    int64_t now = clock_mono_ms();

    if (!f->apart)
        return true;
    if (!s->since_ms || memcmp(&s->ledger, &f->ledger, sizeof(s->ledger)) != 0) {
        s->ledger = f->ledger;
        s->since_ms = now;
    }
    return now - s->since_ms >= STEADY_MS;
}

int audit_settle(struct audit *audit, struct inspect *in, int64_t timeout_ms, struct err *err)
{
    int64_t deadline = clock_mono_ms() + timeout_ms;
    struct steady steady = {.since_ms = 0};

    for (;;) {
        struct in_flight flying;
        int rc = audit_read(audit, in, true, err);
        if (rc < 0 && !err->retriable)
            return rc;
        if (rc == 0) {
            facts_in_flight(&audit->facts, &flying);
            if (is_steady(&steady, &audit->facts) && in_flight_none(&flying))
                return audit_judge(audit, in, true, err);
        }
        if (stop_requested())
            return err_set(err, ERR_CANCELLED, "asked to stop");
        if (clock_mono_ms() >= deadline) {
            if (rc < 0)
                return rc;
            struct buf text = BUF_INIT;
            audit_describe_in_flight(&flying, &text);
            err_set(err, ERR_TIMEOUT, "not settled: %s", buf_str(&text));
            buf_release(&text);
            return err->code;
        }
        clock_sleep_ms(SETTLE_MS);
    }
}

bool audit_balanced(const struct audit *audit)
{
    for (size_t i = 0; i < audit->n_equations; i++)
        if (!equation_holds(&audit->equation[i]))
            return false;
    for (size_t i = 0; i < audit->n_findings; i++)
        if (!audit->finding[i].holds)
            return false;
    return true;
}

void audit_find(struct audit *audit, bool holds, const char *fmt, ...)
{
    va_list ap;

    audit->finding = mem_realloc(audit->finding, audit->n_findings + 1, sizeof(*audit->finding));
    struct finding *finding = &audit->finding[audit->n_findings++];
    finding->holds = holds;
    va_start(ap, fmt);
    vsnprintf(finding->text, sizeof(finding->text), fmt, ap);
    va_end(ap);
}

void audit_release(struct audit *audit)
{
    free(audit->equation);
    free(audit->finding);
    facts_release(&audit->facts);
    *audit = (struct audit){0};
}

void audit_describe_in_flight(const struct in_flight *f, struct buf *out)
{
    const struct {
        const char *what;
        uint64_t n;
    } part[] = {
        {"requests not read", f->unread[VIEWS_REQUESTS]},
        {"outcomes not read", f->unread[VIEWS_OUTCOMES]},
        {"predictions not read", f->unread[VIEWS_PREDICTIONS]},
        {"requests without a prediction", f->pending},
        {"outcomes waiting", f->waiting},
        {"rows to learn", f->unlearned},
    };
    size_t start = out->len;

    for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
        if (part[i].n)
            buf_printf(out, "%s%llu %s", out->len > start ? ", " : "",
                       (unsigned long long)part[i].n, part[i].what);
    if (out->len == start)
        buf_text(out, "nothing");
}
