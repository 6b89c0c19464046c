/*
 * Progressive validation. Samples lie in slots from their question to their
 * answer; questions and answers are queued as steps, and each model takes a
 * block of steps at a time, so that the clock is read twice a block and a
 * model's state stays in the cache.
 */
#include "evaluate/evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define STEPS_MAX 512

struct contender {
    char *name;
    struct model *model;
    struct scorecard *scores;
    int64_t spent_ns;
};

struct step {
    size_t slot;
    bool is_answer;
};

/* An answer to come. */
struct due {
    double at;
    uint64_t number; /* of the sample */
    size_t slot;
};

struct evaluation {
    struct evaluation_options options;
    size_t width;
    struct contender contender[EVALUATION_MODELS_MAX];
    size_t n;

    double *x;           /* by slot: `width` features */
    double *y;           /* by slot */
    double *at;          /* by slot: when the answer comes */
    struct issued *said; /* by slot: one a model, up to EVALUATION_MODELS_MAX */
    size_t n_slots;
    size_t *free_slot; /* a stack */
    size_t n_free;

    struct step step[STEPS_MAX];
    size_t n_steps;

    struct due *heap; /* the earliest first */
    size_t n_heap;
    size_t cap_heap;

    uint64_t samples;
    uint64_t answered;
    double moment;
    double second; /* in the unit of the moments */
};

/* Answers to come */

static bool is_before(const struct due *a, const struct due *b)
{
    return a->at != b->at ? a->at < b->at : a->number < b->number;
}

static void heap_push(struct evaluation *ev, const struct due *due)
{
    if (ev->n_heap == ev->cap_heap) {
        ev->cap_heap = ev->cap_heap ? 2 * ev->cap_heap : 256;
        ev->heap = mem_realloc(ev->heap, ev->cap_heap, sizeof(*ev->heap));
    }

    size_t i = ev->n_heap++;
    while (i > 0 && is_before(due, &ev->heap[(i - 1) / 2])) {
        ev->heap[i] = ev->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    ev->heap[i] = *due;
}

static void heap_pop(struct evaluation *ev)
{
    const struct due *last = &ev->heap[--ev->n_heap];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= ev->n_heap)
            break;
        if (child + 1 < ev->n_heap && is_before(&ev->heap[child + 1], &ev->heap[child]))
            child++;
        if (!is_before(&ev->heap[child], last))
            break;
        ev->heap[i] = ev->heap[child];
        i = child;
    }
    ev->heap[i] = *last;
}

/* Slots */

static size_t take_slot(struct evaluation *ev)
{
    if (!ev->n_free) {
        size_t more = ev->n_slots ? ev->n_slots : STEPS_MAX;
        size_t n = ev->n_slots + more;

        ev->x = mem_realloc(ev->x, n, (ev->width + 1) * sizeof(*ev->x));
        ev->y = mem_realloc(ev->y, n, sizeof(*ev->y));
        ev->at = mem_realloc(ev->at, n, sizeof(*ev->at));
        ev->said = mem_realloc(ev->said, n, ev->n * sizeof(*ev->said));
        ev->free_slot = mem_realloc(ev->free_slot, n, sizeof(*ev->free_slot));
        for (size_t slot = n; slot-- > ev->n_slots;)
            ev->free_slot[ev->n_free++] = slot;
        ev->n_slots = n;
    }
    return ev->free_slot[--ev->n_free];
}

/* Steps */

/* `said` went out at the question, when the model had learned said->age samples. Without an
 * interval only the residual of what the model says now is known. */
static void learn(struct model *m, const double *x, double y, const struct issued *said)
{
    struct issued issued = *said;

    if (!model_has_intervals(m)) {
        model_learn_one(m, x, y, 1);
        return;
    }
    if (!issued_has_interval(said))
        issued = issued_alone(model_predict_one(m, x));
    else
        issued.age = (double)model_learned(m) - said->age;
    model_learn_issued(m, x, y, 1, &issued);
}

static void run(struct evaluation *ev, size_t model)
{
    struct contender *c = &ev->contender[model];
    int64_t start = clock_mono_ns();

    for (size_t i = 0; i < ev->n_steps; i++) {
        size_t slot = ev->step[i].slot;
        const double *x = &ev->x[slot * ev->width];
        struct issued *said = &ev->said[slot * ev->n + model];

        if (!ev->step[i].is_answer) {
            model_answer(c->model, x, said);
            said->age = (double)model_learned(c->model); /* how many it had learned then */
            continue;
        }
        scorecard_update(c->scores, ev->y[slot], said->value, ev->at[slot], ev->second);
        scorecard_update_interval(c->scores, ev->y[slot], said);
        learn(c->model, x, ev->y[slot], said);
    }
    c->spent_ns += clock_mono_ns() - start;
}

static void run_all(struct evaluation *ev)
{
    for (size_t model = 0; model < ev->n; model++)
        run(ev, model);
    for (size_t i = 0; i < ev->n_steps; i++)
        if (ev->step[i].is_answer)
            ev->free_slot[ev->n_free++] = ev->step[i].slot;
    ev->n_steps = 0;
}

static void queue(struct evaluation *ev, size_t slot, bool is_answer)
{
    ev->step[ev->n_steps++] = (struct step){slot, is_answer};
    ev->answered += is_answer;

    bool is_every = is_answer && ev->options.every && ev->answered % ev->options.every == 0;
    if (is_every || ev->n_steps == STEPS_MAX)
        run_all(ev);
    if (is_every)
        ev->options.on_every(ev->options.ctx, ev);
}

/* Public functions */

struct evaluation *evaluation_new(const struct evaluation_options *options, struct err *err)
{
    struct evaluation *ev = mem_zalloc(1, sizeof(*ev));

    ev->options = *options;
    ev->width = schema_size(options->schema);
    ev->moment = (double)-INFINITY;
    if (evaluation_add(ev, EVALUATION_BASELINE,
                       options->kind == MODEL_CLASSIFIER ? "[\"prior\"]" : "[\"mean\"]", err) < 0) {
        evaluation_free(ev);
        return NULL;
    }
    return ev;
}

void evaluation_free(struct evaluation *ev)
{
    if (!ev)
        return;
    for (size_t i = 0; i < ev->n; i++) {
        free(ev->contender[i].name);
        model_free(ev->contender[i].model);
        scorecard_free(ev->contender[i].scores);
    }
    free(ev->x);
    free(ev->y);
    free(ev->at);
    free(ev->said);
    free(ev->free_slot);
    free(ev->heap);
    free(ev);
}

int evaluation_add(struct evaluation *ev, const char *name, const char *pipeline, struct err *err)
{
    struct contender c = {0};

    if (ev->n == EVALUATION_MODELS_MAX)
        return err_set(err, ERR_INVALID, "at most %d models can be evaluated at once",
                       EVALUATION_MODELS_MAX - 1);
    for (size_t i = 0; i < ev->n; i++)
        if (strcmp(ev->contender[i].name, name) == 0)
            return err_set(err, ERR_INVALID, "model \"%s\": %s", name,
                           i ? "the name is given twice"
                             : "always runs beside the others; choose another name");

    const struct scorecard_options options = {
        .kind = ev->options.kind,
        .metrics = ev->options.metrics,
        .threshold = ev->options.threshold,
        .window = ev->options.window,
        .window_seconds = ev->options.window_seconds,
    };
    c.scores = scorecard_new(&options, err);
    if (!c.scores)
        return err->code;
    c.model = model_new_of(ev->options.kind, pipeline, ev->options.schema, err);
    if (!c.model) {
        scorecard_free(c.scores);
        return err_prefix(err, "model \"%s\"", name);
    }
    if (ev->options.max_model_bytes)
        model_set_max_bytes(c.model, ev->options.max_model_bytes);
    c.name = mem_strdup(name);
    ev->contender[ev->n++] = c;
    return 0;
}

int evaluation_sample(struct evaluation *ev, const struct evaluation_sample *sample,
                      struct err *err)
{
    if (sample->moment < ev->moment)
        return err_set(err, ERR_INVALID,
                       "the moment lies before that of the row before; sort the file by it");
    ev->moment = sample->moment;
    while (ev->n_heap && ev->heap[0].at <= sample->moment) {
        size_t slot = ev->heap[0].slot;

        heap_pop(ev);
        queue(ev, slot, true);
    }

    size_t slot = take_slot(ev);
    if (ev->width) /* a schema may have no feature */
        memcpy(&ev->x[slot * ev->width], sample->x, ev->width * sizeof(*ev->x));
    ev->y[slot] = sample->y;
    ev->at[slot] = sample->is_delayed ? sample->due : sample->moment;
    ev->second = sample->second > 0 ? sample->second : 1;
    ev->samples++;
    queue(ev, slot, false);
    if (sample->is_delayed)
        heap_push(ev, &(struct due){sample->due, ev->samples, slot});
    else
        queue(ev, slot, true);
    return 0;
}

void evaluation_set_every(struct evaluation *ev, uint64_t every)
{
    ev->options.every = every;
}

void evaluation_finish(struct evaluation *ev)
{
    while (ev->n_heap) {
        size_t slot = ev->heap[0].slot;

        heap_pop(ev);
        queue(ev, slot, true);
    }
    run_all(ev);
}

size_t evaluation_models(const struct evaluation *ev)
{
    return ev->n;
}

uint64_t evaluation_answered(const struct evaluation *ev)
{
    return ev->answered;
}

size_t evaluation_waiting(const struct evaluation *ev)
{
    return ev->n_heap;
}

void evaluation_result(const struct evaluation *ev, size_t i, struct evaluation_result *ret)
{
    const struct contender *c = &ev->contender[i];
    const struct metric_set *all = scorecard_of(c->scores, SCORECARD_ALL);
    double done = (double)(metric_set_scored(all) + metric_set_unscored(all));

    *ret = (struct evaluation_result){
        .name = c->name,
        .model = c->model,
        .samples_per_second = c->spent_ns ? done / ((double)c->spent_ns / 1e9) : 0,
    };
    scorecard_compare(c->scores, ev->contender[0].scores, ret->metrics, ret->skill);
}
