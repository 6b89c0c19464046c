/* `oxbow top`: the same as `oxbow status`, again and again. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "base/clock.h"
#include "base/stop.h"
#include "commands.h"
#include "fullscreen.h"
#include "glance.h"
#include "options.h"

#define HINT_SIZE 120

struct top_options {
    struct access_options access;
    bool once;
    double every_s;
};

struct top {
    const struct top_options *options;
    struct access access;
    bool is_open;
    struct overview *o;
    struct err err; /* of the last look */
    struct screen screen;
    struct model_table models;
};

/* ---- Looking ---- */

static void shut(struct top *top)
{
    access_release(&top->access);
    top->is_open = false;
}

/* After --fresh there is another incarnation to look at, with counts of its own. */
static void look(struct top *top)
{
    struct err *err = &top->err;
    int rc = 0;

    *err = (struct err){0};
    if (top->is_open && store_check(top->access.in.store, err) == ERR_REFUSED) {
        shut(top);
        overview_free(top->o);
        top->o = overview_new();
        *err = (struct err){0};
    }
    if (!top->is_open) {
        shut(top);
        rc = access_open_store(&top->access, &top->options->access, err);
        top->is_open = rc == 0;
    }
    if (rc == 0)
        rc = overview_look(top->o, top->access.in.store, err);
    /* A server that is away may come back at another place. */
    if (rc < 0 && top->is_open)
        top->is_open = false;
    if (rc == 0)
        *err = (struct err){0};
}

static struct glance glance_of(const struct top *top)
{
    return (struct glance){.task = top->access.task,
                           .incarnation = top->access.in.incarnation,
                           .o = top->o,
                           .away = top->err.code ? top->err.text : NULL,
                           .models = top->models};
}

static int exit_status(const struct top *top)
{
    if (top->err.code)
        return access_complain("top", &top->err);
    return overview_healthy(top->o) ? CLI_OK : CLI_FAILED;
}

/* ---- Without a terminal, or once ---- */

static int run_plain(struct top *top)
{
    /* The first frame waits for a second heartbeat, so that it has rates. */
    int64_t first_ms = clock_mono_ms() + (int64_t)(top->options->every_s * 2000);

    look(top);
    while (!top->err.code && clock_mono_ms() < first_ms && !stop_requested()) {
        clock_sleep_ms(200);
        look(top);
    }
    for (;;) {
        struct glance g = glance_of(top);
        struct buf text = BUF_INIT;
        if (!g.away || !top->options->once)
            glance_draw(&g, &top->screen, &text);
        bool is_told = fputs(buf_str(&text), stdout) >= 0 && fflush(stdout) == 0;
        buf_release(&text);
        if (top->options->once)
            return exit_status(top);
        if (!is_told || stop_requested())
            return is_told ? CLI_OK : CLI_FAILED;
        clock_sleep_ms((int64_t)(top->options->every_s * 1000));
        if (stop_requested())
            return CLI_OK;
        putchar('\n');
        look(top);
    }
}

/* ---- On a terminal ---- */

static void draw(const struct top *top, const struct fullscreen *f)
{
    char hint[HINT_SIZE];
    struct glance g = glance_of(top);
    struct buf text = BUF_INIT;
    size_t rows;
    size_t columns;

    snprintf(hint, sizeof(hint), "q quit   s sort (by %s)   up, down: models",
             model_order_word(top->models.order));
    g.hint = f->has_keys ? hint : NULL;
    fullscreen_size(f, &rows, &columns);
    glance_draw_within(&g, rows, &top->screen, &text);
    fullscreen_draw(f, buf_str(&text));
    buf_release(&text);
}

/* False when the key says to leave. */
static bool obey(struct top *top, int key)
{
    size_t n = top->o->status.n_models;

    switch (key) {
    case 'q':
    case 'Q':
    case FULLSCREEN_END:
        return false;
    case 's':
        top->models.order = (top->models.order + 1) % MODEL_ORDER_MAX;
        break;
    case FULLSCREEN_UP:
        top->models.first -= top->models.first > 0;
        break;
    case FULLSCREEN_DOWN:
        top->models.first += top->models.first + 1 < n;
        break;
    default:
        break;
    }
    return true;
}

static int run_terminal(struct top *top)
{
    struct fullscreen f;
    int64_t every_ms = (int64_t)(top->options->every_s * 1000);
    bool goes_on = true;

    look(top);
    if (top->err.code == ERR_INVALID)
        return exit_status(top);
    fullscreen_open(&f, STDIN_FILENO, STDOUT_FILENO);
    int64_t next_ms = clock_mono_ms() + every_ms;
    while (goes_on && !stop_requested()) {
        draw(top, &f);
        int64_t left_ms = next_ms - clock_mono_ms();
        int key = fullscreen_key(&f, left_ms > 0 ? (int)left_ms : 0);
        goes_on = obey(top, key);
        if (clock_mono_ms() < next_ms)
            continue;
        look(top);
        next_ms = clock_mono_ms() + every_ms;
    }
    fullscreen_close(&f);
    return CLI_OK;
}

int top_command(int argc, char **argv)
{
    struct top_options o = {.every_s = 1};
    const struct option_spec options[] = {
        ACCESS_OPTIONS(o.access),
        {"once", 0, OPTION_FLAG, NULL, "print it once and leave, as `oxbow status` does", &o.once,
         0, 0},
        {"every", 0, OPTION_NUMBER, "SECONDS", "how often (default 1)", &o.every_s, 0.2, 3600},
    };
    const struct usage usage = {
        .command = "top",
        .operands = "",
        .summary = "Shows the models, the lag, the throughput and the health of a running task, "
                   "again every\nsecond. It only reads the services' heartbeats. Keys: q quits, s "
                   "sorts the models, the arrows\nscroll them. Where the output is no terminal it "
                   "is printed again and again.",
        .options = options,
        .n_options = sizeof(options) / sizeof(options[0]),
    };

    int status = options_parse(&usage, argc, argv);
    if (status != CLI_GO)
        return status;
    stop_install();
    struct top top = {.options = &o, .o = overview_new()};
    screen_init(&top.screen, stdout);
    status = top.screen.tty && !o.once ? run_terminal(&top) : run_plain(&top);
    screen_release(&top.screen);
    overview_free(top.o);
    access_release(&top.access);
    return status;
}
