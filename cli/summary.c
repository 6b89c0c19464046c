/* The summary of a run. */
#include "summary.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "figures.h"
#include "inspect/audit.h"
#include "version_scores.h"

struct summary_model {
    char *name;
    struct store_version head; /* all NULL when it has none */
    struct version_scores scores;
};

struct summary {
    const char *verdict;
    struct err err; /* why it cannot be told */
    struct views_ledger ledger;
    struct summary_model *model;
    size_t n_models;
    struct buf broken; /* the equations that fail, a line each */
};

static int read_models(struct summary *s, struct inspect *in, struct err *err)
{
    s->model = mem_zalloc(in->task->n_models, sizeof(*s->model));
    for (size_t i = 0; i < in->task->n_models; i++) {
        struct summary_model *m = &s->model[s->n_models++];
        char generation[TASK_GENERATION_LEN + 1];
        m->name = mem_strdup(in->task->models[i].name);
        task_generation(in->task, i, in->sql_hash, generation);
        int rc = store_head(in->store, m->name, generation, &m->head, err);
        if (rc < 0)
            m->head = (struct store_version){0};
        if (rc < 0 && rc != ERR_NOT_FOUND && rc != ERR_CORRUPT)
            return rc;
        version_scores_read(m->head.scores, &m->scores);
    }
    return 0;
}

static void note_broken(struct summary *s, const struct audit *audit)
{
    for (size_t i = 0; i < audit->n_equations; i++) {
        const struct equation *e = &audit->equation[i];
        if (equation_holds(e))
            continue;
        buf_printf(&s->broken, "  broken: %s %s: ", e->id, e->subject);
        equation_words(e, &s->broken);
        buf_text(&s->broken, ": ");
        equation_figures(e, &s->broken);
        buf_byte(&s->broken, '\n');
    }
}

static int read_all(struct summary *s, struct access *a, const struct access_options *options,
                    bool settled, struct err *err)
{
    struct audit audit = {0};

    int rc = access_open(a, options, err);
    if (rc == 0)
        rc = inspect_open_views(&a->in, err);
    if (rc == 0)
        rc = audit_judge(&audit, &a->in, settled, err);
    if (rc == 0) {
        s->ledger = audit.facts.ledger;
        s->verdict = audit_balanced(&audit) ? "balanced" : "broken";
        note_broken(s, &audit);
        rc = read_models(s, &a->in, err);
    }
    audit_release(&audit);
    return rc;
}

struct summary *summary_read(const struct access_options *access, bool settled)
{
    struct summary *s = mem_zalloc(1, sizeof(*s));
    struct access a = {0};

    if (read_all(s, &a, access, settled, &s->err) < 0)
        s->verdict = "cannot tell";
    access_release(&a);
    return s;
}

void summary_free(struct summary *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_models; i++) {
        free(s->model[i].name);
        store_version_release(&s->model[i].head);
    }
    free(s->model);
    buf_release(&s->broken);
    free(s);
}

const char *summary_audit(const struct summary *s)
{
    return s->verdict;
}

static uint64_t dead(const struct views_ledger *l)
{
    return l->requests_dead + l->outcomes_dead + l->predictions_dead;
}

/* Of the baseline: the last of the task's models. */
static double skill(const struct summary *s, const struct summary_model *m)
{
    double baseline = version_scores_loss(&s->model[s->n_models - 1].scores);

    return baseline > 0 ? 1 - version_scores_loss(&m->scores) / baseline : (double)NAN;
}

static void json_number_member(struct buf *out, const char *name, double v)
{
    buf_byte(out, ',');
    json_write_name(out, name);
    json_write_number(out, v);
}

void summary_json(const struct summary *s, struct buf *out)
{
    const struct views_ledger *l = &s->ledger;
    bool first = true;

    buf_printf(out,
               "{\"requests\":%" PRIu64 ",\"predicted\":%" PRIu64 ",\"outcomes\":%" PRIu64
               ",\"bad_labels\":%" PRIu64 ",\"dead\":%" PRIu64 ",\"audit\":\"%s\",\"models\":{",
               l->requests_new, l->requests_predicted, l->outcomes_new, l->outcomes_bad_label,
               dead(l), s->verdict);
    for (size_t i = 0; i < s->n_models; i++) {
        const struct summary_model *m = &s->model[i];
        if (!m->head.version)
            continue;
        if (!first)
            buf_byte(out, ',');
        first = false;
        json_write_string(out, m->name, strlen(m->name));
        buf_text(out, ":{\"class\":");
        json_write_string(out, m->head.class_name, strlen(m->head.class_name));
        buf_printf(out, ",\"version\":\"%s\",\"learned\":%" PRIu64, m->head.version,
                   m->head.learned);
        json_number_member(out, "mae", m->scores.mae);
        json_number_member(out, "mae_served", m->scores.mae_served);
        json_number_member(out, "rmse", m->scores.rmse);
        if (m->scores.is_binary) {
            json_number_member(out, "log_loss", m->scores.log_loss);
            json_number_member(out, "log_loss_served", m->scores.log_loss_served);
        }
        json_number_member(out, "skill", skill(s, m));
        buf_byte(out, '}');
    }
    buf_text(out, "}}");
}

/* Two decimals of a MAE, four of a log loss; the last figure is the RMSE, of P(positive), too. */
static void append_model(const struct summary *s, const struct summary_model *m, struct buf *out)
{
    const struct version_scores *scores = &m->scores;
    int decimals = scores->is_binary ? 4 : 2;
    char learned[FIGURE_MAX];
    char loss[FIGURE_MAX];
    char served[FIGURE_MAX];
    char rmse[FIGURE_MAX];
    char percent[FIGURE_MAX];

    buf_printf(out, "  %-19s %-25s %10s %10s %10s %10s %8s  %s\n", m->name, m->head.class_name,
               figure_count(m->head.learned, learned),
               figure_number(version_scores_loss(scores), decimals, loss),
               figure_number(scores->is_binary ? scores->log_loss_served : scores->mae_served,
                             decimals, served),
               figure_number(scores->rmse, decimals, rmse),
               figure_number(100 * skill(s, m), 1, percent), m->head.version);
}

void summary_text(const struct summary *s, struct buf *out)
{
    const struct views_ledger *l = &s->ledger;
    char a[FIGURE_MAX];
    char b[FIGURE_MAX];
    char c[FIGURE_MAX];
    char d[FIGURE_MAX];
    char e[FIGURE_MAX];

    buf_printf(out, "\n%s requests, %s predicted; %s outcomes, %s bad labels; %s dead letters\n",
               figure_count(l->requests_new, a), figure_count(l->requests_predicted, b),
               figure_count(l->outcomes_new, c), figure_count(l->outcomes_bad_label, d),
               figure_count(dead(l), e));
    buf_printf(out, "audit: %s%s%s\n%s", s->verdict, s->err.code ? ": " : "", s->err.text,
               buf_str(&s->broken));
    if (s->n_models)
        buf_printf(out, "\n  %-19s %-25s %10s %10s %10s %10s %8s  %s\n", "model", "class",
                   "learned", figure_loss_name(s->model[s->n_models - 1].scores.is_binary),
                   "served", "RMSE", "skill %", "version");
    for (size_t i = 0; i < s->n_models; i++)
        if (s->model[i].head.version)
            append_model(s, &s->model[i], out);
}
