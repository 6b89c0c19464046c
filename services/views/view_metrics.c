/* What oxbow-views tells beside its counters: the ledger, and how far its readers are behind. */
#include <math.h>

#include "service_internal.h"

void view_metrics_init(struct view_service *s)
{
    struct telemetry *tm = s->rt->tm;
    const char *const topics[VIEW_N_READERS] = {
        [VIEWS_REQUESTS] = s->inputs[VIEWS_REQUESTS],
        [VIEWS_OUTCOMES] = s->inputs[VIEWS_OUTCOMES],
        [VIEWS_PREDICTIONS] = s->inputs[VIEWS_PREDICTIONS],
        [VIEW_READER_INFERENCE] = s->outputs[VIEWS_FEATURES],
        [VIEW_READER_LEARNER] = s->outputs[VIEWS_LEARNING_QUEUE],
    };

    for (size_t i = 0; i < VIEW_N_READERS; i++) {
        const char *reader = i == VIEW_READER_INFERENCE ? "inference"
                             : i == VIEW_READER_LEARNER ? "learner"
                                                        : "views";
        const struct telemetry_label labels[] = {{"reader", reader}, {"topic", topics[i]}};
        s->lag[i] = telemetry_gauge_of(tm, "oxbow_consumer_lag_rows",
                                       "Messages of a topic that a required reader has not made "
                                       "durable progress over yet.",
                                       labels, 2);
        *s->lag[i] = (double)NAN;
    }
    s->n_dead =
        telemetry_counter(tm, "oxbow_dead_letters_total", "Messages put into dead-letters.");
    s->g_paused = telemetry_gauge(
        tm, "oxbow_views_paused",
        "1 while requests and outcomes are not read, because a reader is max_backlog rows behind.");
    s->g_outbox = telemetry_gauge(tm, "oxbow_views_outbox_rows",
                                  "Rows handed to the bus that are not known to be durable.");
}

/* Terms that the engine hides, as Materialize does with some, are left out. */
static void observe_ledger(struct view_service *s)
{
    struct views_ledger ledger;
    struct err ignored;
    const char *name;
    uint64_t value;

    if (view_service_counters(s, &ledger, &ignored) < 0)
        return;
    *s->n_dead = ledger.dead_letters;
    for (size_t i = 0; (name = views_ledger_field(&ledger, i, &value)); i++) {
        const struct telemetry_label label[] = {{"term", name}};
        double *gauge =
            telemetry_gauge_of(s->rt->tm, "oxbow_ledger_rows",
                               "Terms of the ledger's equations (docs/guarantees.md).", label, 1);
        *gauge = views_ledger_hidden(&ledger, name) ? (double)NAN : (double)value;
    }
}

void view_metrics_observe(void *ctx)
{
    struct view_service *s = ctx;
    uint64_t in_flight = 0;

    if (s->views)
        observe_ledger(s);
    for (const struct outgoing *batch = s->oldest; batch; batch = batch->next)
        in_flight += batch->in_flight;
    *s->g_outbox = (double)in_flight;
    *s->g_paused = s->paused;
}

/* Behind an input: by counting what was added and what was read where the bus counts, which is
 * cheap at any distance; else by the places. */
static int input_lag(struct view_service *s, enum views_input input,
                     const struct views_ledger *ledger, uint64_t *ret, struct err *err)
{
    struct bus_marks marks;

    if (!bus_can(s->rt->bus, BUS_COUNTS))
        return bus_places_count_after(s->rt->bus, s->inputs[input], &s->position[input], ret, err);
    int rc = bus_marks(s->rt->bus, s->inputs[input], -1, &marks, err);
    if (rc < 0)
        return rc;
    uint64_t read = views_ledger_net_read(ledger, input);
    *ret = marks.added > read ? marks.added - read : 0;
    return 0;
}

int view_metrics_lags(struct view_service *s, struct err *err)
{
    struct views_ledger ledger;
    uint64_t left;

    if (view_service_counters(s, &ledger, err) < 0)
        return err->code;
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++) {
        if (!s->have_position[i])
            continue;
        if (input_lag(s, (enum views_input)i, &ledger, &left, err) < 0)
            return err->code;
        *s->lag[i] = (double)left;
    }
    return 0;
}
