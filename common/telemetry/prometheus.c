/* Metrics as Prometheus reads them: text, version 0.0.4. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "telemetry/telemetry_internal.h"

/* Where a struct hist is cut: 2^power ns. Each is a bound between two of its buckets. */
static const int cut_power[] = {18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 30, 32, 34, 36, 38};

#define N_CUTS (sizeof(cut_power) / sizeof(cut_power[0]))

struct common {
    const struct telemetry_label *labels;
    size_t n;
};

/* Pieces */

static void write_number(double v, struct buf *out)
{
    char text[NUM_TEXT_MAX];

    if (isnan(v)) {
        buf_text(out, "NaN");
    } else if (isinf(v)) {
        buf_text(out, v < 0 ? "-Inf" : "+Inf");
    } else {
        num_format(v, text);
        buf_text(out, text);
    }
}

/* `help` keeps to one line. */
static void write_head(const char *name, const char *type, const char *help, struct buf *out)
{
    buf_printf(out, "# HELP %s ", name);
    for (const char *c = help; *c; c++) {
        if (*c == '\\')
            buf_text(out, "\\\\");
        else if (*c == '\n')
            buf_text(out, "\\n");
        else
            buf_byte(out, *c);
    }
    buf_printf(out, "\n# TYPE %s %s\n", name, type);
}

static void write_label(const char *name, const char *value, struct buf *out)
{
    if (out->data[out->len - 1] != '{')
        buf_byte(out, ',');
    buf_text(out, name);
    buf_text(out, "=\"");
    for (const char *c = value; *c; c++) {
        if (*c == '\\')
            buf_text(out, "\\\\");
        else if (*c == '"')
            buf_text(out, "\\\"");
        else if (*c == '\n')
            buf_text(out, "\\n");
        else
            buf_byte(out, *c);
    }
    buf_byte(out, '"');
}

/* `name_suffix{labels} `; `le` may be NULL, `s` too. */
static void write_series(const char *name, const char *suffix, const struct common *common,
                         const struct series *s, const char *le, struct buf *out)
{
    size_t n_own = s ? s->n_labels : 0;

    buf_text(out, name);
    buf_text(out, suffix);
    if (common->n + n_own > 0 || le) {
        buf_byte(out, '{');
        for (size_t i = 0; i < common->n; i++)
            write_label(common->labels[i].name, common->labels[i].value, out);
        for (size_t i = 0; i < n_own; i++)
            write_label(s->label[i].name, s->label[i].value, out);
        if (le)
            write_label("le", le, out);
        buf_byte(out, '}');
    }
    buf_byte(out, ' ');
}

static void write_count(const char *name, const char *suffix, const struct common *common,
                        const struct series *s, const char *le, uint64_t n, struct buf *out)
{
    write_series(name, suffix, common, s, le, out);
    buf_printf(out, "%llu\n", (unsigned long long)n);
}

/* Histograms */

static void write_hist(const char *name, const struct common *common, const struct series *s,
                       struct buf *out)
{
    const struct hist *h = s->value.hist;
    uint64_t below = 0;
    size_t bucket = 0;

    for (size_t i = 0; i < N_CUTS; i++) {
        int64_t cut_ns = INT64_C(1) << cut_power[i];
        char le[NUM_TEXT_MAX];

        while (bucket < HIST_BUCKETS && hist_bound(bucket) <= cut_ns)
            below += h->bucket[bucket++];
        num_format((double)cut_ns / 1e9, le);
        write_count(name, "_bucket", common, s, le, below, out);
    }
    write_count(name, "_bucket", common, s, "+Inf", h->count, out);
    write_series(name, "_sum", common, s, NULL, out);
    write_number((double)h->sum_ns / 1e9, out);
    buf_byte(out, '\n');
    write_count(name, "_count", common, s, NULL, h->count, out);
}

static void write_values(const char *name, const struct common *common, const struct series *s,
                         struct buf *out)
{
    const struct value_hist *h = s->value.values;
    uint64_t below = 0;

    for (size_t i = 0; i < h->n_bounds; i++) {
        char le[NUM_TEXT_MAX];

        below += h->count[i];
        num_format(h->bound[i], le);
        write_count(name, "_bucket", common, s, le, below, out);
    }
    below += h->count[h->n_bounds];
    write_count(name, "_bucket", common, s, "+Inf", below, out);
    write_series(name, "_sum", common, s, NULL, out);
    write_number(h->sum, out);
    buf_byte(out, '\n');
    write_count(name, "_count", common, s, NULL, below, out);
}

/* Families */

static const char *const type_names[] = {
    [METRIC_COUNTER] = "counter",
    [METRIC_GAUGE] = "gauge",
    [METRIC_HIST] = "histogram",
    [METRIC_VALUES] = "histogram",
};

static void write_family(const struct family *f, const struct common *common, struct buf *out)
{
    write_head(f->name, type_names[f->kind], f->help, out);
    for (size_t i = 0; i < f->n; i++) {
        const struct series *s = f->series[i];

        switch (f->kind) {
        case METRIC_COUNTER:
            write_count(f->name, "", common, s, NULL, s->value.counter, out);
            break;
        case METRIC_GAUGE:
            if (isnan(s->value.gauge))
                break;
            write_series(f->name, "", common, s, NULL, out);
            write_number(s->value.gauge, out);
            buf_byte(out, '\n');
            break;
        case METRIC_HIST:
            write_hist(f->name, common, s, out);
            break;
        case METRIC_VALUES:
            write_values(f->name, common, s, out);
            break;
        }
    }
}

void prometheus_write(const struct telemetry *t, const struct telemetry_label *labels, size_t n,
                      struct buf *out)
{
    const struct common common = {labels, n};

    for (size_t i = 0; i < t->n; i++)
        write_family(&t->families[i], &common, out);
}

/* The process */

static void write_one(const char *name, const char *type, const char *help,
                      const struct common *common, double value, struct buf *out)
{
    if (isnan(value))
        return;
    write_head(name, type, help, out);
    write_series(name, "", common, NULL, NULL, out);
    write_number(value, out);
    buf_byte(out, '\n');
}

/* Pages of address space and of memory; NaN where /proc is not there. */
static void read_statm(double *virtual_bytes, double *resident_bytes)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long total;
    unsigned long resident;

    if (!f)
        return;
    if (fscanf(f, "%lu %lu", &total, &resident) == 2) {
        double page = (double)sysconf(_SC_PAGESIZE);
        *virtual_bytes = (double)total * page;
        *resident_bytes = (double)resident * page;
    }
    fclose(f);
}

static double open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    int n = -1; /* the directory itself is open too */

    if (!dir)
        return (double)NAN;
    while ((entry = readdir(dir)))
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* When the process began, in seconds since 1970: what /proc says in ticks since the boot. */
static double start_time(void)
{
    unsigned long long ticks = 0;
    struct timespec wall;
    struct timespec boot;
    FILE *f = fopen("/proc/self/stat", "re");
    char text[1024];

    if (!f)
        return (double)NAN;
    size_t len = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[len] = '\0';
    const char *at = strrchr(text, ')'); /* the name before it may hold anything */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at || sscanf(at, "%llu", &ticks) != 1)
        return (double)NAN;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    return (double)wall.tv_sec - (double)boot.tv_sec + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

void prometheus_write_process(const struct telemetry_label *labels, size_t n, struct buf *out)
{
    const struct common common = {labels, n};
    double virtual_bytes = (double)NAN;
    double resident_bytes = (double)NAN;
    struct rlimit files;
    struct timespec cpu;
    static double started; /* the same text each time, whatever the clocks do */

    if (started == 0)
        started = start_time();
    read_statm(&virtual_bytes, &resident_bytes);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    write_one("process_cpu_seconds_total", "counter", "Time on the CPU, user and system.", &common,
              (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9, out);
    write_one("process_resident_memory_bytes", "gauge", "Memory in use.", &common, resident_bytes,
              out);
    write_one("process_virtual_memory_bytes", "gauge", "Address space.", &common, virtual_bytes,
              out);
    write_one("process_open_fds", "gauge", "Open files and sockets.", &common, open_files(), out);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        write_one("process_max_fds", "gauge", "Open files and sockets that it may have.", &common,
                  (double)files.rlim_cur, out);
    write_one("process_start_time_seconds", "gauge", "When it began, since 1970.", &common, started,
              out);
}
