/* The ledger's equations. */
#include "equations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Fixed equations, those of one version, and those of one input. */
#define N_FIXED    8
#define PER_MODEL  4
#define MAX_ALL(n) (N_FIXED + PER_MODEL * (n) + VIEWS_N_INPUTS)

struct list {
    struct equation *e;
    size_t n;
};

void facts_release(struct facts *f)
{
    for (size_t i = 0; i < f->n_models; i++) {
        free(f->model[i].name);
        free(f->model[i].version);
    }
    free(f->model);
    *f = (struct facts){0};
}

/* ---- In flight ---- */

void facts_in_flight(const struct facts *f, struct in_flight *ret)
{
    *ret = (struct in_flight){.pending = f->ledger.requests_pending,
                              .waiting = f->ledger.outcomes_waiting};
    for (int i = 0; i < VIEWS_N_INPUTS; i++) {
        uint64_t read = views_ledger_net_read(&f->ledger, (enum views_input)i);
        ret->unread[i] = f->added[i] > read ? f->added[i] - read : 0;
        if (f->uncounted)
            ret->unread[i] = f->unread[i];
    }
    for (size_t i = 0; i < f->n_models; i++) {
        const struct facts_model *m = &f->model[i];
        if (!m->current)
            continue;
        /* A model without a version has its first one still to come, were it of no rows. */
        uint64_t left = m->version[0] ? 0 : 1;
        if (f->ledger.outcomes_emitted > m->position)
            left = f->ledger.outcomes_emitted - m->position;
        if (left > ret->unlearned)
            ret->unlearned = left;
    }
}

bool in_flight_none(const struct in_flight *f)
{
    uint64_t n = f->pending + f->waiting + f->unlearned;

    for (int i = 0; i < VIEWS_N_INPUTS; i++)
        n += f->unread[i];
    return n == 0;
}

/* ---- Making ---- */

static struct equation *add(struct list *list, const char *id, const char *subject)
{
    struct equation *e = &list->e[list->n++];

    *e = (struct equation){.id = id};
    snprintf(e->subject, sizeof(e->subject), "%s", subject);
    return e;
}

static void left(struct equation *e, const char *name, uint64_t value)
{
    e->left[e->n_left++] = (struct equation_term){.name = name, .value = value};
}

static void right(struct equation *e, const char *name, uint64_t value)
{
    e->right[e->n_right++] = (struct equation_term){.name = name, .value = value};
}

/* A member of the ledger, which the engine may hide. */
static struct equation_term known(struct equation *e, const char *name,
                                  const struct views_ledger *l, const char *field)
{
    struct equation_term term = {.name = name, .hidden = views_ledger_hidden(l, field)};

    if (!term.hidden)
        term.value = views_ledger_get(l, field);
    e->hidden = e->hidden || term.hidden;
    return term;
}

static void left_of(struct equation *e, const char *name, const struct views_ledger *l,
                    const char *field)
{
    e->left[e->n_left++] = known(e, name, l, field);
}

static void right_of(struct equation *e, const char *name, const struct views_ledger *l,
                     const char *field)
{
    e->right[e->n_right++] = known(e, name, l, field);
}

static void add_requests(struct list *list, const struct views_ledger *l)
{
    struct equation *e = add(list, "E1", "");
    left_of(e, "requests read", l, "requests_read");
    right_of(e, "new", l, "requests_new");
    right_of(e, "duplicate", l, "requests_duplicate");
    right_of(e, "dead", l, "requests_dead");

    e = add(list, "E2", "");
    left_of(e, "requests new", l, "requests_new");
    right_of(e, "predicted", l, "requests_predicted");
    right_of(e, "pending", l, "requests_pending");
    right_of(e, "expired", l, "requests_expired");
    right_of(e, "refused", l, "requests_refused");
}

static void add_predictions(struct list *list, const struct views_ledger *l)
{
    struct equation *e = add(list, "E3", "");
    left_of(e, "predictions read", l, "predictions_read");
    right_of(e, "first", l, "predictions_first");
    right_of(e, "duplicate", l, "predictions_duplicate");
    right_of(e, "orphan", l, "predictions_orphan");
    right_of(e, "dead", l, "predictions_dead");

    e = add(list, "E3", "");
    left_of(e, "predictions first", l, "predictions_first");
    right_of(e, "requests predicted", l, "requests_predicted");
}

/* The same terms either way round: what has an end must not be more than what has begun. */
static void add_fates(struct equation *e, const struct views_ledger *l, bool at_most, bool settled)
{
    void (*whole)(struct equation *, const char *, const struct views_ledger *, const char *) =
        at_most ? right_of : left_of;
    void (*part)(struct equation *, const char *, const struct views_ledger *, const char *) =
        at_most ? left_of : right_of;

    whole(e, "outcomes new", l, "outcomes_new");
    part(e, "emitted", l, "outcomes_emitted");
    part(e, "waiting", l, "outcomes_waiting");
    part(e, "expired", l, "outcomes_expired");
    part(e, "bad label", l, "outcomes_bad_label");
    part(e, "refused", l, "outcomes_refused");
    e->across = at_most;
    e->at_most = at_most && !settled;
}

static void add_outcomes(struct list *list, const struct facts *f, bool settled)
{
    const struct views_ledger *l = &f->ledger;
    struct equation *e = add(list, "E4", "");
    left_of(e, "outcomes read", l, "outcomes_read");
    right_of(e, "new", l, "outcomes_new");
    right_of(e, "duplicate", l, "outcomes_duplicate");
    right_of(e, "dead", l, "outcomes_dead");

    add_fates(add(list, "E5", ""), l, f->apart, settled);
}

static void add_published(struct list *list, const struct facts *f, bool settled)
{
    const struct views_ledger *l = &f->ledger;
    struct equation *e = add(list, "E6", "");

    if (!f->apart) {
        left_of(e, "emitted", l, "outcomes_emitted");
        right_of(e, "last of learning-queue", l, "learning_queue_last");
        e = add(list, "E6", "");
        left_of(e, "requests new", l, "requests_new");
        left_of(e, "refused", l, "requests_refused");
        e->left[1].minus = true;
        right_of(e, "last of features", l, "features_last");
        return;
    }
    left_of(e, "last of learning-queue", l, "learning_queue_last");
    right_of(e, "emitted", l, "outcomes_emitted");
    e->across = true;
    e->at_most = !settled;
    e = add(list, "E6", "");
    left_of(e, "last of features", l, "features_last");
    right_of(e, "requests new", l, "requests_new");
    right_of(e, "refused", l, "requests_refused");
    e->right[1].minus = true;
    e->across = true;
    e->at_most = !settled;
}

static void add_model(struct list *list, const struct facts *f, const struct facts_model *m,
                      bool settled)
{
    char subject[160];

    snprintf(subject, sizeof(subject), "%s %s", m->name, m->version);
    struct equation *e = add(list, "E7", subject);
    left(e, "learned", m->learned);
    left(e, "skipped", m->skipped);
    right(e, "position", m->position);
    right(e, "start", m->start);
    e->right[1].minus = true;

    e = add(list, "E8", subject);
    left(e, "start", m->start);
    right(e, "position", m->position);
    e->at_most = true;

    e = add(list, "E8", subject);
    left(e, "position", m->position);
    right(e, "emitted", f->ledger.outcomes_emitted);
    e->at_most = !settled || !m->current;
    e->across = true;

    if (!m->current || !f->queue_first)
        return;
    e = add(list, "E8", subject);
    left(e, "trimmed up to", f->queue_first - 1);
    right(e, "position", m->position);
    e->at_most = true;
    e->across = true;
}

struct equation *equations_make(const struct facts *f, bool settled, size_t *ret_n)
{
    static const char *const read[VIEWS_N_INPUTS] = {[VIEWS_REQUESTS] = "requests read",
                                                     [VIEWS_OUTCOMES] = "outcomes read",
                                                     [VIEWS_PREDICTIONS] = "predictions read"};
    struct list list = {.e = mem_zalloc(MAX_ALL(f->n_models), sizeof(struct equation))};

    add_requests(&list, &f->ledger);
    add_predictions(&list, &f->ledger);
    add_outcomes(&list, f, settled);
    add_published(&list, f, settled);
    for (size_t i = 0; i < f->n_models; i++)
        if (f->model[i].version[0])
            add_model(&list, f, &f->model[i], settled);
    for (int i = 0; i < VIEWS_N_INPUTS && !f->uncounted; i++) {
        struct equation *e = add(&list, "E9", f->topic[i]);
        left(e, read[i],
             views_ledger_net_read(&f->ledger, (enum views_input)i) + f->ledger.rewound[i]);
        left(e, "rewound", f->ledger.rewound[i]);
        e->left[1].minus = true;
        right(e, "added", f->added[i]);
        e->at_most = !settled;
        e->across = true;
    }
    *ret_n = list.n;
    return list.e;
}

/* ---- Judging and showing ---- */

static int64_t sum(const struct equation_term *term, size_t n)
{
    int64_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += term[i].minus ? -(int64_t)term[i].value : (int64_t)term[i].value;
    return total;
}

int64_t equation_left(const struct equation *e)
{
    return sum(e->left, e->n_left);
}

int64_t equation_right(const struct equation *e)
{
    return sum(e->right, e->n_right);
}

bool equation_holds(const struct equation *e)
{
    int64_t l = equation_left(e);
    int64_t r = equation_right(e);

    return e->hidden || (e->at_most ? l <= r : l == r);
}

static void words(const struct equation_term *term, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_text(out, term[i].minus ? " - " : " + ");
        buf_text(out, term[i].name);
    }
}

static void figures(const struct equation_term *term, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_text(out, term[i].minus ? " - " : " + ");
        if (term[i].hidden)
            buf_text(out, "hidden");
        else
            buf_printf(out, "%llu", (unsigned long long)term[i].value);
    }
}

void equation_words(const struct equation *e, struct buf *out)
{
    words(e->left, e->n_left, out);
    buf_text(out, e->at_most ? " <= " : " = ");
    words(e->right, e->n_right, out);
}

void equation_figures(const struct equation *e, struct buf *out)
{
    figures(e->left, e->n_left, out);
    buf_text(out, e->at_most ? " <= " : " = ");
    figures(e->right, e->n_right, out);
}
