/* The audit's thread. */
#include "monitor/auditor.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "inspect/audit.h"
#include "inspect/inspect.h"
#include "monitor/text.h"

struct auditor {
    const struct task *task;
    struct monitor *monitor;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool asked, stop;
};

/* ---- One audit ---- */

static void write_equation(const struct equation *e, struct buf *out)
{
    struct buf words = BUF_INIT, figures = BUF_INIT;

    equation_words(e, &words);
    equation_figures(e, &figures);
    text_next(out);
    buf_byte(out, '{');
    text_put_string(out, "id", e->id);
    text_put_string(out, "subject", e->subject);
    text_put_string(out, "words", buf_str(&words));
    text_put_string(out, "figures", buf_str(&figures));
    text_put_bool(out, "holds", equation_holds(e));
    text_put_bool(out, "hidden", e->hidden);
    buf_byte(out, '}');
    buf_release(&words);
    buf_release(&figures);
}

/* The first equation that fails, in words; else how many there are. */
static void describe(const struct audit *audit, struct buf *out)
{
    size_t hidden = 0;

    for (size_t i = 0; i < audit->n_equations; i++) {
        const struct equation *e = &audit->equation[i];

        hidden += e->hidden;
        if (equation_holds(e))
            continue;
        buf_printf(out, "%s is broken: %s%s", e->id, e->subject, *e->subject ? ": " : "");
        equation_words(e, out);
        buf_text(out, " is ");
        equation_figures(e, out);
        return;
    }
    buf_printf(out, "%zu equations hold", audit->n_equations - hidden);
    if (hidden)
        buf_printf(out, ", %zu are hidden by the engine", hidden);
}

static void report(struct monitor *m, const struct audit *audit, const struct err *failure)
{
    int64_t now_ms = clock_wall_ms();
    const char *state = failure ? "unknown" : audit_balanced(audit) ? "balanced" : "broken";
    struct buf text = BUF_INIT, json = BUF_INIT, flying = BUF_INIT;

    if (failure) {
        buf_printf(&text, "cannot be told: %s", failure->text);
    } else {
        struct in_flight in_flight;

        describe(audit, &text);
        facts_in_flight(&audit->facts, &in_flight);
        audit_describe_in_flight(&in_flight, &flying);
    }
    buf_byte(&json, '{');
    text_put_string(&json, "state", state);
    text_put_time(&json, "time_ms", now_ms);
    text_put_string(&json, "text", buf_str(&text));
    text_put_string(&json, "in_flight", failure ? NULL : buf_str(&flying));
    text_put_name(&json, "equations");
    buf_byte(&json, '[');
    for (size_t i = 0; !failure && i < audit->n_equations; i++)
        write_equation(&audit->equation[i], &json);
    buf_text(&json, "]}");
    monitor_audit(m, state, buf_str(&text), buf_str(&json), now_ms);
    buf_release(&text);
    buf_release(&json);
    buf_release(&flying);
}

static void audit_once(struct auditor *a)
{
    struct inspect in = {0};
    struct audit audit = {0};
    struct err err = {0};
    int rc = inspect_open_store(&in, a->task, "oxbow-monitor-audit", &err);

    if (rc == 0)
        rc = inspect_open_bus(&in, &err);
    if (rc == 0)
        rc = inspect_open_views(&in, &err);
    if (rc == 0)
        rc = audit_judge(&audit, &in, false, &err);
    report(a->monitor, &audit, rc < 0 ? &err : NULL);
    audit_release(&audit);
    inspect_release(&in);
}

/* ---- The thread ---- */

static void wait_until(struct auditor *a, int64_t wall_ms)
{
    struct timespec until = {.tv_sec = wall_ms / 1000, .tv_nsec = wall_ms % 1000 * 1000000};

    pthread_cond_timedwait(&a->wake, &a->lock, &until);
}

static void *run(void *arg)
{
    struct auditor *a = arg;
    int64_t last_ms = 0;
    uint64_t n = 0;

    pthread_mutex_lock(&a->lock);
    while (!a->stop) {
        bool soon = a->asked || n < AUDITOR_FIRST;
        int64_t due_ms = last_ms + (soon ? AUDITOR_LEAST_MS : AUDITOR_EVERY_MS);

        if (clock_wall_ms() < due_ms) {
            wait_until(a, due_ms);
            continue;
        }
        a->asked = false;
        pthread_mutex_unlock(&a->lock);
        audit_once(a);
        n++;
        last_ms = clock_wall_ms();
        pthread_mutex_lock(&a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

struct auditor *auditor_start(const struct task *task, struct monitor *m, struct err *err)
{
    struct auditor *a = mem_zalloc(1, sizeof(*a));

    a->task = task;
    a->monitor = m;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->wake, NULL);
    if (pthread_create(&a->thread, NULL, run, a) == 0)
        return a;
    pthread_cond_destroy(&a->wake);
    pthread_mutex_destroy(&a->lock);
    free(a);
    err_set(err, ERR_IO, "no thread to be had for the audit");
    return NULL;
}

void auditor_ask(struct auditor *a)
{
    pthread_mutex_lock(&a->lock);
    a->asked = true;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->lock);
}

void auditor_stop(struct auditor *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    a->stop = true;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    pthread_cond_destroy(&a->wake);
    pthread_mutex_destroy(&a->lock);
    free(a);
}
