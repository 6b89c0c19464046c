/* A metric over the answers as an SVG file: see evaluate_plot.h. */
#include "evaluate_plot.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "figures.h"

#define WIDTH  900
#define HEIGHT 420
#define LEFT   80
#define RIGHT  210
#define TOP    40
#define BOTTOM 50

#define VALUE_MAX 1e100 /* what is further from 0 is not drawn */

/* Told apart by those who see no red, too (Okabe and Ito 2008). */
static const char *const colours[] = {"#000000", "#0072b2", "#d55e00", "#009e73",
                                      "#cc79a7", "#e69f00", "#56b4e9", "#8a8a00"};
#define N_COLOURS (sizeof(colours) / sizeof(colours[0]))

static bool is_drawn(double v)
{
    return fabs(v) <= VALUE_MAX && (v == 0 || fabs(v) >= 1 / VALUE_MAX);
}

struct scale {
    double low;
    double high;
    double step; /* between two ticks */
};

void plot_add(struct plot *plot, uint64_t answered, const double *value)
{
    if (plot->n == PLOT_POINTS) {
        for (size_t i = 0; i < PLOT_POINTS / 2; i++) {
            plot->at[i] = plot->at[2 * i + 1];
            memcpy(plot->value[i], plot->value[2 * i + 1], sizeof(plot->value[i]));
        }
        plot->n = PLOT_POINTS / 2;
        plot->every *= 2;
    }
    if (plot->every > 1 && plot->n && answered < plot->at[plot->n - 1] + plot->every)
        return;
    plot->at[plot->n] = answered;
    memcpy(plot->value[plot->n++], value, plot->n_lines * sizeof(*value));
}

/* About five ticks at 1, 2 or 5 times a power of ten. */
static struct scale scale_of(double low, double high)
{
    double least = fmax(fabs(low), fabs(high)) * 1e-9; /* nearer ones look the same */
    double span = high - low > least ? high - low : least > 0 ? least : 1;
    double step = pow(10, floor(log10(span / 5)));

    if (span / step > 25)
        step *= 5;
    else if (span / step > 10)
        step *= 2;
    return (struct scale){floor(low / step) * step, ceil((low + span) / step) * step, step};
}

/*
 * The first tenth is left out of the scale where there is enough of the rest: a model that has
 * seen ten samples may be wrong by any amount, and the line leaves the frame there.
 */
static struct scale value_scale(const struct plot *plot)
{
    size_t first = plot->n >= 20 ? plot->n / 10 : 0;
    double low = (double)INFINITY;
    double high = (double)-INFINITY;

    for (size_t i = first; i < plot->n; i++)
        for (size_t k = 0; k < plot->n_lines; k++) {
            if (!is_drawn(plot->value[i][k]))
                continue;
            low = fmin(low, plot->value[i][k]);
            high = fmax(high, plot->value[i][k]);
        }
    return low <= high ? scale_of(low, high) : scale_of(0, 1);
}

static double place_x(const struct scale *s, double v)
{
    return LEFT + (v - s->low) / (s->high - s->low) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const struct scale *s, double v)
{
    return HEIGHT - BOTTOM - (v - s->low) / (s->high - s->low) * (HEIGHT - TOP - BOTTOM);
}

static void write_escaped(struct buf *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '<')
            buf_text(out, "&lt;");
        else if (*s == '&')
            buf_text(out, "&amp;");
        else
            buf_byte(out, *s);
    }
}

static void write_axes(struct buf *out, const struct scale *x, const struct scale *y)
{
    char text[FIGURE_MAX];

    for (int i = 0; y->low + i * y->step <= y->high * (1 + 1e-12) + y->step / 1e6; i++) {
        double v = y->low + i * y->step;
        buf_printf(out,
                   "<path d=\"M%d %.1fH%d\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" "
                   "text-anchor=\"end\">%.6g</text>\n",
                   LEFT, place_y(y, v), WIDTH - RIGHT, LEFT - 8, place_y(y, v) + 4,
                   fabs(v) < y->step / 1e6 ? 0 : v);
    }
    for (int i = 0; x->low + i * x->step <= x->high; i++) {
        double v = x->low + i * x->step;
        buf_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
                   place_x(x, v), HEIGHT - BOTTOM + 20, figure_count((uint64_t)v, text));
    }
    buf_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">answers</text>\n",
               (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10);
}

static void write_line(struct buf *out, const struct plot *plot, size_t k, const struct scale *x,
                       const struct scale *y)
{
    const char *colour = colours[k % N_COLOURS];
    bool is_drawing = false;

    buf_text(out, "<path clip-path=\"url(#frame)\" fill=\"none\" stroke-width=\"1.6\" d=\"");
    for (size_t i = 0; i < plot->n; i++) {
        double v = plot->value[i][k];
        if (is_drawn(v))
            buf_printf(out, "%c%.1f %.1f", is_drawing ? 'L' : 'M', place_x(x, (double)plot->at[i]),
                       fmax(-1e4, fmin(1e4, place_y(y, v))));
        is_drawing = is_drawn(v);
    }
    buf_printf(out, "\" stroke=\"%s\"/>\n", colour);
    buf_printf(out, "<text x=\"%d\" y=\"%zu\" fill=\"%s\">", WIDTH - RIGHT + 14,
               (size_t)TOP + 12 + 18 * k, colour);
    write_escaped(out, plot->name[k]);
    buf_text(out, "</text>\n");
}

int plot_write(const struct plot *plot, const char *path, const char *title, struct err *err)
{
    struct scale x = scale_of(0, plot->n ? (double)plot->at[plot->n - 1] : 1);
    struct scale y = value_scale(plot);
    struct buf out = BUF_INIT;

    x.high = plot->n ? (double)plot->at[plot->n - 1] : 1;
    buf_printf(&out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
               "font-family=\"sans-serif\" font-size=\"12\">\n"
               "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
               "<clipPath id=\"frame\"><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>"
               "</clipPath>\n<text x=\"%d\" y=\"22\" font-size=\"15\">",
               WIDTH, HEIGHT, LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM, LEFT);
    write_escaped(&out, plot->metric);
    buf_text(&out, ", ");
    write_escaped(&out, title);
    buf_text(&out, "</text>\n");
    write_axes(&out, &x, &y);
    for (size_t k = 0; k < plot->n_lines; k++)
        write_line(&out, plot, k, &x, &y);
    buf_text(&out, "</svg>\n");

    FILE *file = fopen(path, "w");
    bool is_written = file && fwrite(out.data, 1, out.len, file) == out.len;
    if (file && fclose(file) != 0)
        is_written = false;
    buf_release(&out);
    return is_written ? 0 : err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
}
