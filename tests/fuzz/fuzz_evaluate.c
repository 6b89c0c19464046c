/*
 * Any bytes as the rows of a file: each is read or refused by its line, answers come when they are
 * due, and a baseline's log loss is a number.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate/evaluation.h"
#include "evaluate/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int is_true)
{
    if (!is_true)
        abort();
}

static void read_rows(struct table *t, struct evaluation *ev)
{
    struct evaluation_sample sample;
    struct err err = {0};
    uint64_t samples = 0;
    int rc;

    while ((rc = table_next(t, &sample, &err)) != 0 && rc != ERR_REFUSED) {
        require(rc == 1 || (rc == ERR_INVALID && strstr(err.text, "line ")));
        if (rc != 1)
            continue;
        require(isfinite(sample.y) && isfinite(sample.moment) && isfinite(sample.due));
        if (evaluation_sample(ev, &sample, &err) < 0)
            break;
        samples++;
        require(evaluation_answered(ev) + evaluation_waiting(ev) == samples);
    }
    evaluation_finish(ev);
    require(evaluation_answered(ev) == samples && evaluation_waiting(ev) == 0);
}

/* The first byte says how the file is read, the others are its rows. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = BUF_INIT;
    unsigned how = size ? data[0] : 0;
    struct err err = {0};
    struct table_options o = {.target = "y",
                              .categorical = how & 4 ? "c" : NULL,
                              .drop = how & 4 ? NULL : "c",
                              .kind = how & 1 ? MODEL_CLASSIFIER : MODEL_REGRESSOR,
                              .positive = (how & 17) == 17 ? "yes" : NULL,
                              .moment = how & 2 ? "t" : NULL,
                              .label_time = (how & 10) == 10 ? "l" : NULL,
                              .label_delay = (how & 10) == 2 ? 7 : (double)NAN};

    buf_text(&text, "t,l,a,c,y\n");
    buf_append(&text, data + (size ? 1 : 0), size ? size - 1 : 0);
    struct table *t = table_open(csv_open_memory(text.data, text.len), &o, &err);
    require(t != NULL);
    struct evaluation_options options = {.kind = o.kind,
                                         .schema = table_schema(t),
                                         .window = how & 32 ? 3 : 0,
                                         .window_seconds = (how & 34) == 34 ? 2.5 : 0};
    struct evaluation *ev = evaluation_new(&options, &err);
    struct evaluation_result r;
    const char *linear = how & 1 ? "[\"standard_scaler\",\"logistic_regression\"]"
                                 : "[\"standard_scaler\",\"linear_regression\"]";

    require(ev != NULL);
    /* Linear models take no categories. */
    require((evaluation_add(ev, "linear", linear, &err) == 0) == !(how & 4));
    if (how & 4)
        require(evaluation_add(ev, "tree",
                               how & 1 ? "[\"hoeffding_tree_classifier\"]"
                                       : "[\"hoeffding_tree_regressor\"]",
                               &err) == 0);
    read_rows(t, ev);
    evaluation_result(ev, 0, &r);
    require(!(how & 1) || metric_set_scored(r.metrics[SCORECARD_ALL]) == 0 ||
            isfinite(metric_set_loss(r.metrics[SCORECARD_ALL])));
    for (size_t i = SCORECARD_ALL + 1; i < SCORECARD_SPANS; i++)
        require(!r.metrics[i] ||
                metric_set_scored(r.metrics[i]) <=
                    (i == SCORECARD_WINDOW ? 3 : metric_set_scored(r.metrics[SCORECARD_ALL])));
    evaluation_free(ev);
    table_close(t);
    buf_release(&text);
    return 0;
}
