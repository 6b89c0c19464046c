/* `oxbow models`: the versions of every model, as the store has them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "access.h"
#include "base/clock.h"
#include "base/json.h"
#include "commands.h"
#include "figures.h"
#include "options.h"
#include "version_scores.h"

struct generation {
    const struct store_version *newest;
    size_t kept;
    bool current;
    bool serving;
};

static void append_generation(const struct generation *g, const struct version_scores *s,
                              double skill, struct buf *out)
{
    const struct store_version *v = g->newest;

    buf_text(out, "{\"model\":");
    json_write_string(out, v->model, strlen(v->model));
    buf_printf(out,
               ",\"generation\":\"%s\",\"version\":\"%s\",\"class\":\"%s\",\"serving\":%s,"
               "\"current\":%s,\"learned\":%" PRIu64 ",\"skipped\":%" PRIu64 ",\"start\":%" PRIu64
               ",\"position\":%" PRIu64 ",\"kept_versions\":%zu,\"age_ms\":%" PRId64,
               v->generation, v->version, v->class_name, g->serving ? "true" : "false",
               g->current ? "true" : "false", v->learned, v->skipped, v->start, v->position,
               g->kept, clock_wall_ms() - v->time_ms);
    const struct {
        const char *name;
        double value;
    } number[] = {{"mae", s->mae},
                  {"mae_window", s->mae_window},
                  {"mae_served", s->mae_served},
                  {"rmse", s->rmse},
                  {"skill", skill},
                  {"log_loss", s->log_loss},
                  {"log_loss_window", s->log_loss_window},
                  {"log_loss_served", s->log_loss_served}};
    size_t n = sizeof(number) / sizeof(number[0]);

    for (size_t i = 0; i < (s->is_binary ? n : n - 3); i++) {
        buf_byte(out, ',');
        json_write_name(out, number[i].name);
        json_write_number(out, number[i].value);
    }
    buf_text(out, ",\"parameters\":");
    buf_text(out, v->parameters && v->parameters[0] ? v->parameters : "null");
    buf_byte(out, '}');
}

static void print_generation(const struct generation *g, const struct version_scores *s,
                             double skill)
{
    const struct store_version *v = g->newest;
    char age[FIGURE_MAX];
    char all[FIGURE_MAX];
    char window[FIGURE_MAX];
    char served[FIGURE_MAX];
    char percent[FIGURE_MAX];

    printf("%-20s %-25s %-26s %9" PRIu64 " %8s %9s %9s %9s %7s %5zu  %s%s\n", v->model, v->version,
           v->class_name, v->learned, figure_age(clock_wall_ms() - v->time_ms, age),
           figure_loss(version_scores_loss(s), s->is_binary, all),
           figure_loss(s->is_binary ? s->log_loss_window : s->mae_window, s->is_binary, window),
           figure_loss(s->is_binary ? s->log_loss_served : s->mae_served, s->is_binary, served),
           figure_number(skill * 100, 1, percent), g->kept, g->serving ? "serving" : "",
           g->current ? "" : " (of another task file)");
}

/* The newest version that is not of an older generation tells the baseline's error. */
static double baseline_loss(struct inspect *in)
{
    char generation[TASK_GENERATION_LEN + 1];
    struct store_version v = {0};
    struct err err;
    double loss = (double)NAN;

    task_generation(in->task, in->task->n_models - 1, in->sql_hash, generation);
    if (store_head(in->store, TASK_BASELINE, generation, &v, &err) == 0) {
        struct version_scores s;
        version_scores_read(v.scores, &s);
        loss = version_scores_loss(&s);
        store_version_release(&v);
    }
    return loss;
}

static bool is_current(const struct inspect *in, const struct store_version *v)
{
    char generation[TASK_GENERATION_LEN + 1];

    for (size_t i = 0; i < in->task->n_models; i++) {
        if (strcmp(in->task->models[i].name, v->model) != 0)
            continue;
        task_generation(in->task, i, in->sql_hash, generation);
        return strcmp(generation, v->generation) == 0;
    }
    return false;
}

static int list_model(struct inspect *in, const char *name, double baseline, struct buf *json,
                      struct err *err)
{
    struct buf serving = BUF_INIT;
    struct store_version *v;
    size_t n;

    int rc = store_serving(in->store, name, &serving, err);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    rc = store_versions(in->store, name, &v, &n, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct generation g = {.newest = &v[i], .current = is_current(in, &v[i])};
        struct version_scores s;
        bool newest = true;
        for (size_t k = 0; k < n; k++) {
            if (strcmp(v[k].generation, v[i].generation) != 0)
                continue;
            g.kept++;
            g.serving = g.serving || strcmp(v[k].version, buf_str(&serving)) == 0;
            newest = newest && v[k].position <= v[i].position;
        }
        if (!newest)
            continue;
        version_scores_read(v[i].scores, &s);
        double skill = 1 - version_scores_loss(&s) / baseline;
        if (json) {
            if (json->len > 1)
                buf_byte(json, ',');
            append_generation(&g, &s, skill, json);
        } else {
            print_generation(&g, &s, skill);
        }
    }
    if (rc == 0)
        store_versions_free(v, n);
    buf_release(&serving);
    return rc;
}

static int list(struct inspect *in, struct buf *json, struct err *err)
{
    struct buf names = BUF_INIT;
    struct buf name = BUF_INIT;
    struct json_value root;
    struct json_value v;
    struct json_iter it;
    double baseline = baseline_loss(in);

    int rc = store_models(in->store, &names, err);
    if (rc == 0)
        rc = json_parse(buf_str(&names), names.len, &root, err);
    if (rc == 0) {
        if (!json)
            printf("%-20s %-25s %-26s %9s %8s %9s %9s %9s %7s %5s\n", "model", "version", "class",
                   "learned", "age", "loss", "last", "served", "skill %", "kept");
        json_iter_init(&it, &root);
        while (rc == 0 && json_next_element(&it, &v)) {
            buf_clear(&name);
            if (json_string(&v, &name))
                rc = list_model(in, buf_str(&name), baseline, json, err);
        }
    }
    buf_release(&names);
    buf_release(&name);
    return rc;
}

int models_command(int argc, char **argv)
{
    struct access_options o = {0};
    struct access a = {0};
    struct buf text = BUF_INIT;
    struct err err = {0};
    bool json = false;
    const struct option_spec options[] = {
        ACCESS_OPTIONS(o),
        {"json", 0, OPTION_FLAG, NULL, "print a JSON array", &json, 0, 0},
    };
    const struct usage usage = {
        .command = "models",
        .operands = "",
        .summary =
            "Lists each generation of each model: its newest version, class, rows learned, "
            "age and scores.\nloss: the mean absolute error, or the log loss of two classes; "
            "last: of the last rows; served: of the predictions that users got. skill: "
            "1 - loss / the baseline's loss.",
        .options = options,
        .n_options = sizeof(options) / sizeof(options[0]),
    };

    int status = options_parse(&usage, argc, argv);
    if (status != CLI_GO)
        return status;
    status = CLI_OK;
    buf_byte(&text, '[');
    int rc = access_open(&a, &o, &err);
    if (rc == 0)
        rc = list(&a.in, json ? &text : NULL, &err);
    if (rc < 0)
        status = access_complain("models", &err);
    else if (json)
        printf("%s]\n", buf_str(&text));
    buf_release(&text);
    access_release(&a);
    return status;
}
