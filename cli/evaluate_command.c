/* `oxbow evaluate`: progressive validation of models on a file. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "commands.h"
#include "evaluate/evaluation.h"
#include "evaluate/table.h"
#include "evaluate_plot.h"
#include "evaluate_report.h"
#include "figures.h"
#include "options.h"

#define BAD_NAMED   10  /* rows that are named on standard error */
#define PROGRESS_MS 200 /* between two looks of the progress line */

struct evaluate_options {
    const char *data;
    const char *kind; /* NULL: regression, or binary where --positive is given */
    struct option_many models;
    struct table_options table;
    const char *metrics;
    int64_t every; /* 0: no */
    int64_t limit; /* 0: none */
    const char *plot;
    bool json;
};

struct evaluate {
    const struct evaluate_options *o;
    struct table *table;
    struct evaluation *evaluation;
    struct plot *plot;   /* NULL: none is drawn */
    uint64_t rows;       /* that were evaluated */
    uint64_t bad;        /* rows that could not be read */
    int64_t progress_ms; /* when the next progress line is due; 0: no terminal */
};

/* What is printed */

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
            .metrics = r.metrics,
            .skill = from ? r.skill : (double)NAN,
            .samples_per_second = r.samples_per_second,
        };
    }
    return n;
}

static void clear_progress(const struct evaluate *e)
{
    if (e->progress_ms)
        fputs("\r\033[K", stderr);
}

static void show_progress(struct evaluate *e)
{
    char count[FIGURE_MAX];
    int64_t now = clock_mono_ms();

    if (!e->progress_ms || now < e->progress_ms)
        return;
    e->progress_ms = now + PROGRESS_MS;
    fprintf(stderr, "\r%s rows, %.0f %% of %s\033[K", figure_count(e->rows, count),
            100 * table_progress(e->table), e->o->data);
}

static void on_every(void *ctx, struct evaluation *ev)
{
    struct evaluate *e = ctx;
    struct evaluate_row row[EVALUATION_MODELS_MAX];
    size_t n = collect(ev, row);
    char count[FIGURE_MAX];

    if (e->plot) {
        double value[PLOT_LINES];
        for (size_t i = 0; i < n; i++)
            value[i] = metric_set_get(row[i].metrics, 0);
        plot_add(e->plot, evaluation_answered(ev), value);
        if (!e->o->every)
            evaluation_set_every(ev, e->plot->every);
    }
    if (!e->o->every)
        return;
    clear_progress(e);
    if (e->o->json) {
        evaluate_print_json(row, n, false, evaluation_answered(ev), stdout);
        return;
    }
    printf("after %s answers\n", figure_count(evaluation_answered(ev), count));
    evaluate_print_table(row, n, stdout);
    putchar('\n');
}

static void print_result(const struct evaluate *e)
{
    struct evaluate_row row[EVALUATION_MODELS_MAX];
    size_t n = collect(e->evaluation, row);
    char rows[FIGURE_MAX];
    char bad[FIGURE_MAX];

    if (e->o->json) {
        evaluate_print_json(row, n, true, 0, stdout);
        return;
    }
    printf("%s: %s rows, %s that could not be read, %zu features\n\n", e->o->data,
           figure_count(e->rows, rows), figure_count(e->bad, bad),
           schema_size(table_schema(e->table)));
    evaluate_print_table(row, n, stdout);
}

/* Reading */

static void name_bad_row(struct evaluate *e, const struct err *err)
{
    clear_progress(e);
    if (e->bad++ < BAD_NAMED)
        fprintf(stderr, "oxbow evaluate: %s: %s\n", e->o->data, err->text);
    else if (e->bad == BAD_NAMED + 1)
        fprintf(stderr, "oxbow evaluate: %s: more rows that cannot be read are counted only\n",
                e->o->data);
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
        if (++e->rows % 1024 == 0)
            show_progress(e);
        rc = 0;
    }
    clear_progress(e);
    if (rc == 0 && !e->rows && !stop_requested())
        rc = err_set(err, ERR_INVALID, "no row of it can be read");
    if (rc < 0)
        return err_prefix(err, "%s", e->o->data);
    evaluation_finish(e->evaluation);
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

static int add_models(struct evaluate *e, struct err *err)
{
    const struct evaluate_options *o = e->o;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < o->models.n; i++)
        rc = add_model(e->evaluation, o->models.value[i], err);
    if (rc == 0 && !o->models.n)
        rc = o->table.kind == MODEL_CLASSIFIER
                 ? evaluation_add(e->evaluation, "logistic-regression",
                                  "[\"standard_scaler\",\"logistic_regression\"]", err)
                 : evaluation_add(e->evaluation, "linear-regression",
                                  "[\"standard_scaler\",\"linear_regression\"]", err);
    return rc;
}

static void begin_plot(struct evaluate *e)
{
    struct evaluate_row row[EVALUATION_MODELS_MAX];

    e->plot = mem_zalloc(1, sizeof(*e->plot));
    e->plot->n_lines = collect(e->evaluation, row);
    for (size_t i = 0; i < e->plot->n_lines; i++)
        e->plot->name[i] = row[i].name;
    e->plot->metric = metric_set_info(row[0].metrics, 0)->name;
    e->plot->every = e->o->every ? (uint64_t)e->o->every : 10;
}

static int begin(struct evaluate *e, struct err *err)
{
    const struct evaluate_options *o = e->o;
    struct csv *csv = csv_open(o->data, err);

    if (!csv)
        return err->code;
    e->table = table_open(csv, &o->table, err);
    if (!e->table)
        return err_prefix(err, "%s", o->data);

    struct evaluation_options options = {
        .kind = o->table.kind,
        .schema = table_schema(e->table),
        .metrics = o->metrics,
        .every = o->every  ? (uint64_t)o->every
                 : o->plot ? 10
                           : 0,
        .on_every = on_every,
        .ctx = e,
    };
    e->evaluation = evaluation_new(&options, err);
    int rc = e->evaluation ? add_models(e, err) : err->code;
    if (rc == 0 && o->plot)
        begin_plot(e);
    e->progress_ms = isatty(STDERR_FILENO) ? clock_mono_ms() + PROGRESS_MS : 0;
    return rc;
}

static int run(const struct evaluate_options *o)
{
    struct evaluate e = {.o = o};
    struct err err = {0};
    int status = CLI_OK;

    stop_install();
    int rc = begin(&e, &err);
    if (rc == 0)
        rc = read_rows(&e, &err);
    if (rc == 0)
        print_result(&e);
    if (rc == 0 && e.plot)
        rc = plot_write(e.plot, o->plot, o->data, &err);
    if (rc == 0 && stop_requested()) {
        fprintf(stderr, "oxbow evaluate: stopped after %" PRIu64 " rows\n", e.rows);
        status = CLI_FAILED;
    }
    if (rc < 0) {
        fprintf(stderr, "oxbow evaluate: %s\n", err.text);
        status = rc == ERR_IO ? CLI_FAILED : CLI_REFUSED;
    }
    evaluation_free(e.evaluation);
    table_close(e.table);
    free(e.plot);
    return status;
}

/* What the options say wrong together, or NULL. */
static const char *check(struct evaluate_options *o)
{
    bool has_delay = !isnan(o->table.label_delay);

    if (!o->data)
        return "--data FILE.csv is missing";
    if (!o->table.target)
        return "--target COLUMN is missing: what is to be predicted";
    if (!o->kind)
        o->kind = o->table.positive ? "binary" : "regression";
    if (strcmp(o->kind, "binary") != 0 && strcmp(o->kind, "regression") != 0)
        return "--kind: write regression or binary";
    o->table.kind = strcmp(o->kind, "binary") == 0 ? MODEL_CLASSIFIER : MODEL_REGRESSOR;
    if (o->table.positive && o->table.kind != MODEL_CLASSIFIER)
        return "--positive goes with --kind binary";
    if (has_delay && o->table.label_time)
        return "give --label-delay or --label-time, not both";
    if (o->table.moment && !has_delay && !o->table.label_time)
        return "--moment needs --label-delay SECONDS or --label-time COLUMN";
    if (!o->table.moment && (has_delay || o->table.label_time))
        return "--label-delay and --label-time need --moment COLUMN";
    return NULL;
}

int evaluate_command(int argc, char **argv)
{
    struct evaluate_options o = {.table.label_delay = (double)NAN};
    const struct option_spec options[] = {
        {"data", 0, OPTION_TEXT, "FILE", "CSV, also gzipped; the first line names the columns",
         &o.data, 0, 0},
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
        {"every", 0, OPTION_INT, "N", "also print the scores after every N answers", &o.every, 1,
         1e15},
        {"limit", 0, OPTION_INT, "N", "only the first N rows", &o.limit, 1, 1e15},
        {"plot", 0, OPTION_TEXT, "FILE.svg", "draw the first metric over the answers", &o.plot, 0,
         0},
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
                   "1,000), mcc, cohen_kappa, kappa_t.",
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
