/* `oxbow evaluate`: progressive validation of models on a file. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/stop.h"
#include "commands.h"
#include "evaluate/evaluation.h"
#include "evaluate/table.h"
#include "evaluate_loop.h"
#include "evaluate_report.h"
#include "figures.h"
#include "options.h"

#define BAD_NAMED 10 /* rows that are named on standard error */

struct evaluate_options {
    const char *data;
    const char *config; /* with `replay`, in place of data */
    const char *replay;
    const char *kind; /* NULL: regression, or binary where --positive is given */
    struct option_many models;
    struct table_options table;
    const char *metrics;
    double threshold;        /* 0: not given */
    int64_t every;           /* 0: no */
    int64_t limit;           /* 0: none */
    int64_t window;          /* 0: no */
    double window_seconds;   /* 0: no */
    int64_t max_model_bytes; /* 0: the default */
    const char *plot;
    bool json;
};

struct evaluate {
    const struct evaluate_options *o;
    struct evaluate_report report;
    struct table *table;
    struct evaluation *evaluation;
    uint64_t rows;     /* that were evaluated */
    uint64_t bad;      /* rows that could not be read */
    uint64_t positive; /* labels above 0 */
};

/* The baseline last, as everywhere. */
static size_t collect(const struct evaluation *ev, struct evaluate_row row[EVALUATION_MODELS_MAX])
{
    size_t n = evaluation_models(ev);

    for (size_t i = 0; i < n; i++) {
        struct evaluation_result r;
        size_t from = (i + 1) % n;

        evaluation_result(ev, from, &r);
        row[i] = (struct evaluate_row){
            .name = r.name,
            .model = r.model,
            .samples_per_second = r.samples_per_second,
        };
        for (size_t span = 0; span < SCORECARD_SPANS; span++) {
            row[i].metrics[span] = r.metrics[span];
            row[i].skill[span] = from ? r.skill[span] : (double)NAN;
        }
    }
    return n;
}

static void on_every(void *ctx, struct evaluation *ev)
{
    struct evaluate *e = ctx;
    struct evaluate_row row[EVALUATION_MODELS_MAX];
    size_t n = collect(ev, row);

    evaluate_report_step(&e->report, row, n, evaluation_answered(ev));
    evaluation_set_every(ev, evaluate_report_every(&e->report));
}

/* Reading */

static void name_bad_row(struct evaluate *e, const struct err *err)
{
    evaluate_report_clear(&e->report);
    if (e->bad++ < BAD_NAMED)
        fprintf(stderr, "oxbow evaluate: %s: %s\n", e->o->data, err->text);
    else if (e->bad == BAD_NAMED + 1)
        fprintf(stderr, "oxbow evaluate: %s: more rows that cannot be read are counted only\n",
                e->o->data);
}

/* Scores of one class alone say little, and are often a mistyped --positive. */
static void note_one_class(const struct evaluate *e)
{
    const struct table_options *o = &e->o->table;

    if (o->kind != MODEL_CLASSIFIER || !e->rows || (e->positive && e->positive < e->rows))
        return;
    evaluate_report_clear(&e->report);
    fprintf(stderr, "oxbow evaluate: %s: column %s is %s in every row%s\n", e->o->data, o->target,
            e->positive ? "positive" : "negative",
            o->positive ? "; is the value of --positive as the file has it?" : "");
}

static int read_rows(struct evaluate *e, struct err *err)
{
    struct evaluation_sample sample;
    int rc = 0;

    while ((!e->o->limit || e->rows < (uint64_t)e->o->limit) && !stop_requested()) {
        rc = table_next(e->table, &sample, err);
        if (rc == ERR_INVALID) {
            name_bad_row(e, err);
            continue;
        }
        if (rc != 1)
            break;
        rc = evaluation_sample(e->evaluation, &sample, err);
        if (rc < 0) {
            err_prefix(err, "line %" PRIu64, table_line(e->table));
            break;
        }
        e->positive += sample.y > 0;
        if (++e->rows % 1024 == 0)
            evaluate_report_progress(&e->report, e->rows, table_progress(e->table));
        rc = 0;
    }
    if (rc == 0 && !e->rows && !stop_requested())
        rc = err_set(err, ERR_INVALID, "no row of it can be read");
    if (rc < 0)
        return err_prefix(err, "%s", e->o->data);
    evaluation_finish(e->evaluation);
    note_one_class(e);
    return 0;
}

/* Setting up */

/* NAME=[...], or the pipeline alone, whose name is then its learner's class. */
static int add_model(struct evaluation *ev, const char *text, struct err *err)
{
    const char *equals = strchr(text, '=');
    const char *pipeline = strpbrk(text, "[{\"");

    if (!pipeline || (equals && equals < pipeline && equals == text))
        return err_set(
            err, ERR_INVALID,
            "--model %s: write NAME='[\"standard_scaler\",\"linear_regression\"]'; `oxbow "
            "learners` lists the classes",
            text);
    if (equals && equals < pipeline) {
        char *name = mem_strndup(text, (size_t)(equals - text));
        int rc = evaluation_add(ev, name, equals + 1, err);
        free(name);
        return rc;
    }
    return evaluation_add(ev, text, text, err);
}

/* A linear model; where there are categories, which those do not take, a tree. */
static int add_default(struct evaluate *e, struct err *err)
{
    bool is_binary = e->o->table.kind == MODEL_CLASSIFIER;

    if (e->o->table.categorical)
        return evaluation_add(
            e->evaluation, "decision-tree",
            is_binary ? "[\"hoeffding_tree_classifier\"]" : "[\"hoeffding_tree_regressor\"]", err);
    if (is_binary)
        return evaluation_add(e->evaluation, "logistic-regression",
                              "[\"standard_scaler\",\"logistic_regression\"]", err);
    return evaluation_add(e->evaluation, "linear-regression",
                          "[\"standard_scaler\",\"linear_regression\"]", err);
}

static int add_models(struct evaluate *e, struct err *err)
{
    const struct evaluate_options *o = e->o;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < o->models.n; i++)
        rc = add_model(e->evaluation, o->models.value[i], err);
    if (rc == 0 && !o->models.n)
        rc = add_default(e, err);
    return rc;
}

static int begin(struct evaluate *e, struct err *err)
{
    const struct evaluate_options *o = e->o;
    struct csv *csv = csv_open(o->data, err);
    struct evaluate_row row[EVALUATION_MODELS_MAX];

    if (!csv)
        return err->code;
    e->table = table_open(csv, &o->table, err);
    if (!e->table)
        return err_prefix(err, "%s", o->data);

    struct evaluation_options options = {
        .kind = o->table.kind,
        .schema = table_schema(e->table),
        .metrics = o->metrics,
        .threshold = o->threshold,
        .window = (uint64_t)o->window,
        .window_seconds = o->window_seconds,
        .max_model_bytes = (size_t)o->max_model_bytes,
        .on_every = on_every,
        .ctx = e,
    };
    e->evaluation = evaluation_new(&options, err);
    int rc = e->evaluation ? add_models(e, err) : err->code;
    if (rc < 0)
        return rc;
    evaluate_report_begin(&e->report, row, collect(e->evaluation, row));
    evaluation_set_every(e->evaluation, evaluate_report_every(&e->report));
    return 0;
}

static int end(struct evaluate *e, struct err *err)
{
    struct evaluate_row row[EVALUATION_MODELS_MAX];
    size_t n = collect(e->evaluation, row);
    struct buf head = BUF_INIT;
    char rows[FIGURE_MAX];
    char bad[FIGURE_MAX];

    buf_printf(&head, "%s: %s rows, %s that could not be read, %zu features", e->o->data,
               figure_count(e->rows, rows), figure_count(e->bad, bad),
               schema_size(table_schema(e->table)));
    int rc = evaluate_report_end(&e->report, row, n, buf_str(&head), e->o->data, err);
    buf_release(&head);
    return rc;
}

static struct evaluate_report report_of(const struct evaluate_options *o)
{
    return (struct evaluate_report){.json = o->json,
                                    .every = (uint64_t)o->every,
                                    .path = o->plot,
                                    .window = (uint64_t)o->window,
                                    .window_seconds = o->window_seconds};
}

static int evaluate_data(const struct evaluate_options *o, struct err *err)
{
    struct evaluate e = {.o = o, .report = report_of(o)};
    int rc = begin(&e, err);

    if (rc == 0)
        rc = read_rows(&e, err);
    if (rc == 0)
        rc = end(&e, err);
    evaluate_report_release(&e.report);
    evaluation_free(e.evaluation);
    table_close(e.table);
    return rc;
}

/* A task and its trips */

static void on_loop_every(void *ctx, struct evaluate_loop *loop)
{
    struct evaluate_report *report = ctx;
    struct evaluate_row row[PLOT_LINES];
    struct evaluate_loop_counts counts;
    size_t n = evaluate_loop_rows(loop, row, PLOT_LINES);

    evaluate_loop_counts(loop, &counts);
    evaluate_report_step(report, row, n, counts.labelled);
    evaluate_loop_set_every(loop, evaluate_report_every(report));
}

static void on_loop_batch(void *ctx, const struct evaluate_loop *loop)
{
    struct evaluate_loop_counts counts;

    evaluate_loop_counts(loop, &counts);
    evaluate_report_progress(ctx, counts.requests, (double)counts.requests / (double)counts.total);
}

static int end_loop(struct evaluate_report *report, const struct evaluate_options *o,
                    const struct evaluate_loop *loop, struct err *err)
{
    struct evaluate_row row[PLOT_LINES];
    size_t n = evaluate_loop_rows(loop, row, PLOT_LINES);
    struct evaluate_loop_counts counts;
    struct buf head = BUF_INIT;
    char text[4][FIGURE_MAX];

    evaluate_loop_counts(loop, &counts);
    buf_printf(&head, "%s: %s requests, %s lines that could not be read; %s labels, %s bad labels",
               o->replay, figure_count(counts.requests, text[0]),
               figure_count(counts.bad_lines, text[1]), figure_count(counts.labelled, text[2]),
               figure_count(counts.bad_labels, text[3]));
    if (counts.requests > counts.labelled + counts.bad_labels)
        buf_printf(&head, ", %s without a label",
                   figure_count(counts.requests - counts.labelled - counts.bad_labels, text[0]));
    if (counts.dead)
        buf_printf(&head, "; %s dead letters", figure_count(counts.dead, text[0]));
    int rc = evaluate_report_end(report, row, n, buf_str(&head), o->replay, err);
    buf_release(&head);
    return rc;
}

static int evaluate_replay(const struct evaluate_options *o, struct err *err)
{
    struct evaluate_report report = report_of(o);
    struct evaluate_loop_options options = {
        .config = o->config,
        .replay = o->replay,
        .metrics = o->metrics,
        .window = (uint64_t)o->window,
        .window_seconds = o->window_seconds,
        .limit = (uint64_t)o->limit,
        .on_every = on_loop_every,
        .on_batch = on_loop_batch,
        .ctx = &report,
    };
    struct evaluate_loop *loop = evaluate_loop_new(&options, err);
    struct evaluate_row row[PLOT_LINES];

    if (!loop)
        return err->code;
    evaluate_report_begin(&report, row, evaluate_loop_rows(loop, row, PLOT_LINES));
    evaluate_loop_set_every(loop, evaluate_report_every(&report));
    int rc = evaluate_loop_run(loop, err);
    if (rc == 0)
        rc = end_loop(&report, o, loop, err);
    evaluate_report_release(&report);
    evaluate_loop_free(loop);
    return rc;
}

/* The command */

static int run(const struct evaluate_options *o)
{
    struct err err = {0};

    stop_install();
    int rc = o->replay ? evaluate_replay(o, &err) : evaluate_data(o, &err);
    if (rc < 0) {
        fprintf(stderr, "oxbow evaluate: %s\n", err.text);
        return rc == ERR_IO ? CLI_FAILED : CLI_REFUSED;
    }
    if (stop_requested()) {
        fputs("oxbow evaluate: stopped before the end\n", stderr);
        return CLI_FAILED;
    }
    return CLI_OK;
}

/* What the options say wrong together, or NULL. */
static const char *check(struct evaluate_options *o)
{
    bool has_delay = !isnan(o->table.label_delay);

    if (o->config || o->replay) {
        if (!o->replay)
            return "--config needs --replay FILE: the trips to evaluate the task on";
        if (o->data || o->table.target || o->table.features || o->table.drop || o->kind ||
            o->table.categorical || o->table.positive || o->models.n || o->table.moment ||
            has_delay || o->table.label_time || o->threshold > 0 || o->max_model_bytes)
            return "with --replay the task file says what is predicted, from what and by which "
                   "models; leave out --data, --target, --model and what goes with them";
        return NULL;
    }
    if (!o->data)
        return "--data FILE.csv is missing; or --config FILE --replay FILE";
    if (!o->table.target)
        return "--target COLUMN is missing: what is to be predicted";
    if (!o->kind)
        o->kind = o->table.positive ? "binary" : "regression";
    if (strcmp(o->kind, "binary") != 0 && strcmp(o->kind, "regression") != 0)
        return "--kind: write regression or binary";
    o->table.kind = strcmp(o->kind, "binary") == 0 ? MODEL_CLASSIFIER : MODEL_REGRESSOR;
    if (o->threshold > 0 && o->table.kind != MODEL_CLASSIFIER)
        return "--threshold goes with --kind binary";
    if (o->table.positive && o->table.kind != MODEL_CLASSIFIER)
        return "--positive goes with --kind binary";
    if (has_delay && o->table.label_time)
        return "give --label-delay or --label-time, not both";
    if (o->table.moment && !has_delay && !o->table.label_time)
        return "--moment needs --label-delay SECONDS or --label-time COLUMN";
    if (!o->table.moment && (has_delay || o->table.label_time))
        return "--label-delay and --label-time need --moment COLUMN";
    if (o->window_seconds > 0 && !o->table.moment)
        return "--window-seconds needs --moment COLUMN: without it nothing says when an answer "
               "came";
    return NULL;
}

int evaluate_command(int argc, char **argv)
{
    struct evaluate_options o = {.table.label_delay = (double)NAN};
    const struct option_spec options[] = {
        {"data", 0, OPTION_TEXT, "FILE", "CSV, also gzipped; the first line names the columns",
         &o.data, 0, 0},
        {"config", 0, OPTION_TEXT, "FILE",
         "a task file (default config/taxi.json), with --replay:", &o.config, 0, 0},
        {"replay", 0, OPTION_TEXT, "FILE", "its SQL and models on these trips, in this process",
         &o.replay, 0, 0},
        {"target", 0, OPTION_TEXT, "COL", "the column to predict", &o.table.target, 0, 0},
        {"features", 0, OPTION_TEXT, "A,B", "the columns to predict from (default: all others)",
         &o.table.features, 0, 0},
        {"drop", 0, OPTION_TEXT, "X,Y", "columns that are no features", &o.table.drop, 0, 0},
        {"categorical", 0, OPTION_TEXT, "C,D", "features that are names, and no numbers",
         &o.table.categorical, 0, 0},
        {"kind", 0, OPTION_TEXT, "KIND", "regression (default) or binary", &o.kind, 0, 0},
        {"positive", 0, OPTION_TEXT, "VALUE", "the target's positive value (default: 1 or true)",
         &o.table.positive, 0, 0},
        {"model", 0, OPTION_MANY, "NAME=[..]", "a pipeline; may be given several times", &o.models,
         0, 0},
        {"moment", 0, OPTION_TEXT, "COL", "when the question was asked: seconds, or a time",
         &o.table.moment, 0, 0},
        {"label-delay", 0, OPTION_NUMBER, "SECONDS", "the answer comes so long after the moment",
         &o.table.label_delay, 0, 1e12},
        {"label-time", 0, OPTION_TEXT, "COL", "or at the time in this column", &o.table.label_time,
         0, 0},
        {"metrics", 0, OPTION_TEXT, "M,N",
         "regression: mae,rmse,r2 (default), mse, rmsle, smape, mape", &o.metrics, 0, 0},
        {"threshold", 0, OPTION_NUMBER, "X", "of the metrics ..._at_threshold (default 0.5)",
         &o.threshold, 1e-9, 1},
        {"window", 0, OPTION_INT, "N", "also the scores of the last N answers", &o.window, 1, 1e9},
        {"window-seconds", 0, OPTION_NUMBER, "S", "and of the answers of the last S seconds",
         &o.window_seconds, 1e-3, 1e12},
        {"max-model-bytes", 0, OPTION_INT, "N", "what each model may take (default 16 MiB)",
         &o.max_model_bytes, MODEL_MIN_BYTES, 1e12},
        {"every", 0, OPTION_INT, "N", "also print the scores after every N answers", &o.every, 1,
         1e15},
        {"limit", 0, OPTION_INT, "N", "only the first N rows", &o.limit, 1, 1e15},
        {"plot", 0, OPTION_TEXT, "FILE.svg",
         "draw the first metric (over the window, if there is one)", &o.plot, 0, 0},
        {"json", 0, OPTION_FLAG, NULL, "print one JSON object a model on a line", &o.json, 0, 0},
    };
    const struct usage usage = {
        .command = "evaluate",
        .operands = "",
        .summary = "Progressive validation: every row is predicted, and learned when its answer "
                   "comes, by the code of the\nservices; the scores are those of River's "
                   "evaluate.progressive_val_score(). A baseline (the mean,\nor the share of "
                   "positives) runs beside the models; skill is 1 - error / its error, of mae or "
                   "log_loss.\nMetrics of --kind binary: accuracy,f1,log_loss,roc_auc (default), "
                   "balanced_accuracy, precision, recall,\nroc_auc_exact, pr_auc (both of the last "
                   "1,000), mcc, cohen_kappa, kappa_t; accuracy, "
                   "precision, recall, f1 also with\n_at_threshold.",
        .options = options,
        .n_options = sizeof(options) / sizeof(options[0]),
    };

    int status = options_parse(&usage, argc, argv);
    if (status != CLI_GO)
        return status;
    const char *wrong = check(&o);
    if (wrong) {
        fprintf(stderr, "oxbow evaluate: %s\n", wrong);
        return CLI_REFUSED;
    }
    return run(&o);
}
