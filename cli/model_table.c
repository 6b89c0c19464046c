/* The models as a table. */
#include "model_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"

const char *model_order_word(enum model_order order)
{
    static const char *const word[MODEL_ORDER_MAX] = {[MODEL_ORDER_FILE] = "task file",
                                                      [MODEL_ORDER_ERROR] = "error",
                                                      [MODEL_ORDER_LEARNED] = "learned"};

    return word[order];
}

/* ---- Order ---- */

/* Models without an error come last; those alike as the file has them. */
static int compare_error(const void *left, const void *right)
{
    const struct status_model *a = *(const struct status_model *const *)left;
    const struct status_model *b = *(const struct status_model *const *)right;
    double error_a = status_loss(a, STATUS_WINDOW);
    double error_b = status_loss(b, STATUS_WINDOW);

    error_a = isfinite(error_a) ? error_a : (double)INFINITY;
    error_b = isfinite(error_b) ? error_b : (double)INFINITY;
    if (error_a < error_b || error_a > error_b)
        return error_a < error_b ? -1 : 1;
    return a < b ? -1 : a > b;
}

static int compare_learned(const void *left, const void *right)
{
    const struct status_model *a = *(const struct status_model *const *)left;
    const struct status_model *b = *(const struct status_model *const *)right;

    if (a->learned != b->learned)
        return a->learned > b->learned ? -1 : 1;
    return a < b ? -1 : a > b;
}

static void put_in_order(const struct status *s, enum model_order order,
                         const struct status_model **ret)
{
    for (size_t i = 0; i < s->n_models; i++)
        ret[i] = &s->model[i];
    if (order == MODEL_ORDER_ERROR)
        qsort(ret, s->n_models, sizeof(*ret), compare_error);
    else if (order == MODEL_ORDER_LEARNED)
        qsort(ret, s->n_models, sizeof(*ret), compare_learned);
}

/* ---- Drawing ---- */

/* `a1b2c3..-1234`: the generation's beginning is enough to see it change. */
static void short_version(const char *version, char *out, size_t size)
{
    const char *dash = strchr(version, '-');

    if (dash && dash - version > 6)
        snprintf(out, size, "%.6s..%s", version, dash);
    else
        snprintf(out, size, "%s", version[0] ? version : "-");
}

static void draw_model(const struct status *s, const struct status_model *m,
                       const struct screen *screen, struct buf *out)
{
    bool is_best = m == status_best(s);
    char line[320];
    char version[80];
    char learned[FIGURE_MAX];
    char window[FIGURE_MAX];
    char all[FIGURE_MAX];
    char served[FIGURE_MAX];
    char percent[FIGURE_MAX];

    short_version(m->version, version, sizeof(version));
    snprintf(line, sizeof(line), " %-19s %9s %9s %9s %9s %8s  %-15s %s%s%s\n", m->name,
             figure_count(m->learned, learned),
             figure_loss(status_loss(m, STATUS_WINDOW), m->is_binary, window),
             figure_loss(status_loss(m, STATUS_ALL), m->is_binary, all),
             figure_loss(status_loss(m, STATUS_SERVED), m->is_binary, served),
             figure_number(100 * status_skill(s, m, STATUS_ALL), 1, percent), version,
             m->class_name, is_best ? ", best" : "", m->caught_up ? "" : ", catching up");
    screen_paint(screen, out, is_best ? SCREEN_GREEN : SCREEN_PLAIN, line);
}

void model_table_draw(const struct status *s, const struct model_table *table,
                      const struct screen *screen, struct buf *out)
{
    const struct status_model *model[STATUS_MAX_MODELS];
    size_t rows = table->rows ? table->rows : s->n_models;
    bool is_binary = s->n_models && s->model[0].is_binary;
    char head[160];

    snprintf(head, sizeof(head), " %-19s %9s %9s %9s %9s %8s  %-15s %s\n", "model", "learned",
             is_binary ? "loss last" : "MAE last", is_binary ? "loss all" : "MAE all", "served",
             "skill %", "version", "class");
    screen_paint(screen, out, SCREEN_DIM, head);
    put_in_order(s, table->order, model);
    size_t shown = 0;
    for (size_t i = table->first; i < s->n_models && shown < rows; i++, shown++)
        draw_model(s, model[i], screen, out);
    if (!s->n_models)
        screen_paint(screen, out, SCREEN_DIM, " no model yet\n");
    if (shown < s->n_models) {
        snprintf(head, sizeof(head), " %zu to %zu of %zu models\n", table->first + (shown > 0),
                 table->first + shown, s->n_models);
        screen_paint(screen, out, SCREEN_DIM, head);
    }
}
