/*
 * The options of a task file: one table drives the reading of the file, the
 * environment, the error texts and the listing. task_values.c reads a value by
 * its option's type; features and models have a file of their own, task_models.c.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/near.h"
#include "learn/model.h"
#include "task/task_read.h"

#define AT(field)        .offset = offsetof(struct task, field)
#define REQUIRED         .required = true
#define RANGE(low, high) .min = (low), .max = (high)
#define BILLION          1000000000

static const char *const kinds[] = {"regression", "binary_classification", NULL};
static const char *const buses[] = {"redis", "kafka", "memory", NULL};
static const char *const engines[] = {"sqlite", "materialize", NULL};
static const char *const starts[] = {
    [TASK_START_OLDEST] = "oldest", [TASK_START_NEWEST] = "newest", NULL};
static const char *const durabilities[] = {
    [TASK_DURABILITY_PROCESS] = "process", [TASK_DURABILITY_MACHINE] = "machine", NULL};
static const char *const levels[] = {[LOG_LEVEL_DEBUG] = "debug",
                                     [LOG_LEVEL_INFO] = "info",
                                     [LOG_LEVEL_WARN] = "warn",
                                     [LOG_LEVEL_ERROR] = "error",
                                     NULL};

static const char *check_topic(const char *s)
{
    size_t len = strlen(s);
    bool is_good = len >= 1 && len <= 200 && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;

    for (; *s && is_good; s++)
        is_good = isascii(*s) && (isalnum((unsigned char)*s) || strchr("._-", *s));
    return is_good ? NULL : "a topic's name: letters, digits, '.', '_' and '-', at most 200";
}

static const char *check_url(const char *s)
{
    bool is_good = (strncmp(s, "redis://", 8) == 0 && s[8]) || strncmp(s, "unix:///", 8) == 0;

    return is_good ? NULL : "redis://[user:password@]host[:port][/db] or unix:///path";
}

static const char *check_postgres_url(const char *s)
{
    bool is_good = (strncmp(s, "postgres://", 11) == 0 && s[11]) ||
                   (strncmp(s, "postgresql://", 13) == 0 && s[13]);

    return is_good ? NULL : "postgres://[user[:password]@]host[:port][/database][?sslmode=...]";
}

/* host:port[,host:port...], with nothing that would need quoting in SQL. */
static const char *check_sql_brokers(const char *s)
{
    bool is_good = *s && *s != ',' && strlen(s) < 1000;

    for (; *s && is_good; s++)
        is_good = isascii(*s) && (isalnum((unsigned char)*s) || strchr(".-_:[],", *s));
    return is_good ? NULL : "host:port, or several with commas between them";
}

static const char *check_brokers(const char *s)
{
    bool is_good = *s && strlen(s) < 4096;

    for (; *s && is_good; s++)
        is_good = isascii(*s) && isgraph((unsigned char)*s) && *s != '/';
    return is_good ? NULL : "the brokers' addresses: host:port,host:port";
}

static const char *check_prefix(const char *s)
{
    return !*s || !check_topic(s) ? NULL : "letters, digits, '.', '_' and '-', or \"\"";
}

static const char *check_path(const char *s)
{
    return *s && strlen(s) < 4096 ? NULL : "a folder's path";
}

static const char *check_file(const char *s)
{
    return *s && strlen(s) < 4096 ? NULL : "a file's path";
}

static const struct task_option options[] = {
    {.name = "task",
     .type = OPTION_TEXT,
     REQUIRED,
     AT(name),
     .check = task_check_slug,
     .help = "The task's name, in Redis, in file names and on every page."},
    {.name = "kind",
     .type = OPTION_CHOICE,
     .fallback = "\"regression\"",
     AT(kind),
     .choices = kinds,
     .help = "What is predicted: a number, or which of two classes."},
    {.name = "key",
     .type = OPTION_TEXT,
     REQUIRED,
     AT(key),
     .check = task_check_column,
     .help = "The column that names a request, in every view."},
    {.name = "topics.requests",
     .type = OPTION_TEXT,
     REQUIRED,
     AT(topics.requests),
     .check = check_topic,
     .help = "Where requests come in."},
    {.name = "topics.outcomes",
     .type = OPTION_TEXT,
     REQUIRED,
     AT(topics.outcomes),
     .check = check_topic,
     .help = "Where what really happened comes in, later."},
    {.name = "topics.predictions",
     .type = OPTION_TEXT,
     .fallback = "\"predictions\"",
     AT(topics.predictions),
     .check = check_topic,
     .help = "Where predictions go out."},
    {.name = "topics.features",
     .type = OPTION_TEXT,
     .fallback = "\"features\"",
     AT(topics.features),
     .check = check_topic,
     .help = "One row a request, from views to inference."},
    {.name = "topics.learning_queue",
     .type = OPTION_TEXT,
     .fallback = "\"learning-queue\"",
     AT(topics.learning_queue),
     .check = check_topic,
     .help = "One row a labelled request, from views to the learner."},
    {.name = "topics.dead_letters",
     .type = OPTION_TEXT,
     .fallback = "\"dead-letters\"",
     AT(topics.dead_letters),
     .check = check_topic,
     .help = "What could not be read, and why."},
    {.name = "topics.drift_alarms",
     .type = OPTION_TEXT,
     .fallback = "\"drift-alarms\"",
     AT(topics.drift_alarms),
     .check = check_topic,
     .help = "Where the learner says that a model's error has changed."},
    {.name = "bus",
     .type = OPTION_CHOICE,
     .fallback = "\"redis\"",
     AT(bus),
     .choices = buses,
     .environment = "OXBOW_BUS",
     .help = "What carries the topics; \"memory\" is for tests within one process."},
    {.name = "views",
     .type = OPTION_CHOICE,
     .fallback = "\"sqlite\"",
     AT(views),
     .choices = engines,
     .environment = "OXBOW_VIEWS",
     .help = "The engine that runs the task's SQL."},
    {.name = "redis_url",
     .type = OPTION_TEXT,
     .fallback = "\"redis://127.0.0.1:6379/0\"",
     AT(redis_url),
     .check = check_url,
     .is_secret = true,
     .environment = "OXBOW_REDIS_URL",
     .help = "The Redis of the bus and of the models."},
    {.name = "kafka.brokers",
     .type = OPTION_TEXT,
     .fallback = "\"127.0.0.1:9092\"",
     AT(kafka.brokers),
     .check = check_brokers,
     .environment = "OXBOW_KAFKA_BROKERS",
     .help = "Where Kafka or Redpanda is, for bus \"kafka\": host:port,host:port."},
    {.name = "kafka.topic_prefix",
     .type = OPTION_TEXT,
     .fallback = "\"\"",
     AT(kafka.topic_prefix),
     .check = check_prefix,
     .help = "Put before the names of topics, groups and transactions."},
    {.name = "kafka.partitions",
     .type = OPTION_COUNT,
     .fallback = "3",
     AT(kafka.partitions),
     RANGE(1, 10000),
     .help = "Of topics that are made; the learning queue always has one."},
    {.name = "kafka.replication",
     .type = OPTION_COUNT,
     .fallback = "1",
     AT(kafka.replication),
     RANGE(1, 100),
     .help = "Copies of each partition of topics that are made."},
    {.name = "kafka.properties",
     .type = OPTION_PROPERTIES,
     .fallback = "{}",
     .environment = "OXBOW_KAFKA_PROPERTIES",
     .help = "Properties of librdkafka, such as those of TLS and SASL; \"@/path\" is a file's "
             "content."},
    {.name = "exactly_once",
     .type = OPTION_FLAG,
     .fallback = "false",
     AT(exactly_once),
     .help = "Predictions and consumed positions in one transaction; needs bus \"kafka\"."},
    {.name = "materialize_url",
     .type = OPTION_TEXT,
     .fallback = "\"postgres://materialize@127.0.0.1:6875/materialize\"",
     AT(materialize_url),
     .check = check_postgres_url,
     .is_secret = true,
     .environment = "OXBOW_MATERIALIZE_URL",
     .help = "Where Materialize is, with \"views\": \"materialize\"."},
    {.name = "materialize_brokers",
     .type = OPTION_TEXT,
     AT(materialize_brokers),
     .check = check_sql_brokers,
     .environment = "OXBOW_MATERIALIZE_BROKERS",
     .help = "Kafka's brokers as Materialize reaches them; null: as the bus does."},
    {.name = "data_dir",
     .type = OPTION_TEXT,
     .fallback = "\"oxbow-data\"",
     AT(data_dir),
     .check = check_path,
     .environment = "OXBOW_DATA_DIR",
     .help = "The folder of SQLite's file, from where the program runs; made when missing."},
    {.name = "sql",
     .type = OPTION_TEXT,
     AT(sql_dir),
     .check = check_path,
     .help = "The folder of the task's SQL, from this file's folder; null: ../sql/<task>/<views>."},
    {.name = "durability",
     .type = OPTION_ENUM,
     .fallback = "\"process\"",
     AT(durability),
     .choices = durabilities,
     .environment = "OXBOW_DURABILITY",
     .help = "What nothing is lost to: the death of any process, or of the machine (slower)."},
    {.name = "log_level",
     .type = OPTION_ENUM,
     .fallback = "\"info\"",
     AT(log_level),
     .choices = levels,
     .environment = "OXBOW_LOG_LEVEL",
     .help = "The least level that is logged."},
    {.name = "features",
     .type = OPTION_FEATURES,
     REQUIRED,
     .help = "The columns of view features that the models see, in this order."},
    {.name = "label",
     .type = OPTION_TEXT,
     REQUIRED,
     AT(label),
     .check = task_check_column,
     .help = "The column of view learning_queue that the models predict."},
    {.name = "label_range",
     .type = OPTION_BOUNDS,
     .fallback = "[null, null]",
     AT(label_min),
     .help = "Labels outside are counted and shown, never learned or scored."},
    {.name = "clip",
     .type = OPTION_BOUNDS,
     .fallback = "[null, null]",
     AT(clip_min),
     .help = "Predictions outside are served as the nearer end."},
    {.name = "positive",
     .type = OPTION_POSITIVE,
     .fallback = "true",
     AT(positive),
     .help = "Of a binary task: the label that is positive; others of its type are negative."},
    {.name = "threshold",
     .type = OPTION_REAL,
     .fallback = "0.5",
     AT(threshold),
     RANGE(0, 1),
     .help = "Of a binary task: probabilities above count as positive, beside those above 0.5."},
    {.name = "class_weight.positive",
     .type = OPTION_REAL,
     .fallback = "1",
     AT(class_weight[1]),
     RANGE(0, 1000000),
     .help = "Of a binary task: how much a positive label weighs when it is learned; above 0."},
    {.name = "class_weight.negative",
     .type = OPTION_REAL,
     .fallback = "1",
     AT(class_weight[0]),
     RANGE(0, 1000000),
     .help = "And a negative one."},
    {.name = "refresh_seconds",
     .type = OPTION_COUNT,
     .fallback = "30",
     AT(refresh_seconds),
     RANGE(1, 86400),
     .help = "The learner publishes its models, and inference looks, this often."},
    {.name = "refresh_rows",
     .type = OPTION_COUNT,
     .fallback = "5000",
     AT(refresh_rows),
     RANGE(1, BILLION),
     .help = "Or after so many learned rows, if that is sooner."},
    {.name = "start",
     .type = OPTION_ENUM,
     .fallback = "\"oldest\"",
     AT(start),
     .choices = starts,
     .help = "Where a new or changed model begins: the oldest row that is kept, or the next."},
    {.name = "score_window",
     .type = OPTION_COUNT,
     .fallback = "1000",
     AT(score_window),
     RANGE(1, 1000000),
     .help = "Rows of the windowed scores."},
    {.name = "drift",
     .type = OPTION_DETECTOR,
     .fallback = "{\"adwin\": {\"delta\": 0.002}}",
     AT(drift),
     .help = "What watches the error of each model as it learns: a class and its parameters."},
    {.name = "max_backlog",
     .type = OPTION_COUNT,
     .fallback = "50000",
     AT(max_backlog),
     RANGE(1, BILLION),
     .help = "Rows that may wait for a stage before those who send them wait."},
    {.name = "max_event_bytes",
     .type = OPTION_COUNT,
     .fallback = "1048576",
     AT(max_event_bytes),
     RANGE(256, 64 << 20),
     .help = "Larger events are dead letters."},
    {.name = "max_model_bytes",
     .type = OPTION_COUNT,
     .fallback = "16777216",
     AT(max_model_bytes),
     RANGE(MODEL_MIN_BYTES, 512 << 20),
     .help =
         "What a model may grow to; part of a model's identity, as it decides what it becomes."},
    {.name = "max_categories",
     .type = OPTION_COUNT,
     .fallback = "1000",
     AT(max_categories),
     RANGE(1, 1000000),
     .help = "Categories that a model keeps apart, a feature."},
    {.name = "retention.age_seconds",
     .type = OPTION_COUNT,
     .fallback = "604800",
     AT(retention_seconds),
     RANGE(1, 315360000),
     .help =
         "Rows of the view engine older than this are forgotten; their late outcomes with them."},
    {.name = "retention.rows",
     .type = OPTION_COUNT,
     .fallback = "500000",
     AT(retention_rows),
     RANGE(1, BILLION),
     .help = "And those beyond so many requests."},
    {.name = "stream_keep_rows",
     .type = OPTION_COUNT,
     .fallback = "100000",
     AT(stream_keep_rows),
     RANGE(0, BILLION),
     .help = "Messages kept on a topic after all who need them have read them."},
    {.name = "rebuild_rows",
     .type = OPTION_COUNT,
     .fallback = "200000",
     AT(rebuild_rows),
     RANGE(0, BILLION),
     .help = "The same for the learning queue: how far back a model can be built again."},
    {.name = "versions_kept",
     .type = OPTION_COUNT,
     .fallback = "20",
     AT(versions_kept),
     RANGE(1, 1000),
     .help = "Versions of a model that are kept; older ones thin out over a day."},
    {.name = "reconcile_seconds",
     .type = OPTION_COUNT,
     .fallback = "10",
     AT(reconcile_seconds),
     RANGE(1, 3600),
     .help = "Published rows are kept this long, in case a killed Redis has forgotten them."},
    {.name = "dedupe_window.seconds",
     .type = OPTION_COUNT,
     .fallback = "86400",
     AT(dedupe_seconds),
     RANGE(60, 31536000),
     .help =
         "With Materialize: a request or outcome older than this is not looked at any more, and "
         "a key that was published within it is not published again."},
    {.name = "dedupe_window.keys",
     .type = OPTION_COUNT,
     .fallback = "10000000",
     AT(dedupe_keys),
     RANGE(1000, BILLION),
     .help = "And so many keys a topic are remembered at most, of about 40 bytes each."},
    {.name = "monitor.listen",
     .type = OPTION_TEXT,
     .fallback = "\"127.0.0.1:8501\"",
     AT(monitor.listen),
     .check = task_check_listen,
     .environment = "OXBOW_MONITOR_LISTEN",
     .help = "Where oxbow-monitor's page is served: address:port; port 0 takes a free one."},
    {.name = "monitor.token_file",
     .type = OPTION_TEXT,
     AT(monitor.token_file),
     .check = check_file,
     .help = "A file with the token that visitors of the page must know; null: none."},
    {.name = "monitor.tls_certificate",
     .type = OPTION_TEXT,
     AT(monitor.tls_certificate),
     .check = check_file,
     .help = "The page's certificate (PEM); null: plain HTTP."},
    {.name = "monitor.tls_key",
     .type = OPTION_TEXT,
     AT(monitor.tls_key),
     .check = check_file,
     .help = "The certificate's key (PEM)."},
    {.name = "monitor.hosts",
     .type = OPTION_TEXT,
     AT(monitor.hosts),
     .check = task_check_hosts,
     .help = "Other host names that browsers may call the page by, with commas between them."},
    {.name = "monitor.rows_per_second",
     .type = OPTION_COUNT,
     .fallback = "2000",
     AT(monitor.rows_per_second),
     RANGE(1, 1000000),
     .help = "Messages of each topic that the monitor looks at; it skips what is beyond."},
    {.name = "monitor.noun",
     .type = OPTION_TEXT,
     .fallback = "\"request\"",
     AT(monitor.noun),
     .check = task_check_word,
     .help = "What one request is called on the page."},
    {.name = "monitor.unit",
     .type = OPTION_TEXT,
     AT(monitor.unit),
     .check = task_check_word,
     .help = "The label's unit; null: none."},
    {.name = "monitor.request_time",
     .type = OPTION_TEXT,
     AT(monitor.request_time),
     .check = task_check_member,
     .help = "The member of a request with the event's own time; null: it has none."},
    {.name = "monitor.size",
     .type = OPTION_TEXT,
     AT(monitor.size),
     .check = task_check_column,
     .help = "The feature that says how large a request is; null: none."},
    {.name = "monitor.map.from",
     .type = OPTION_PAIR,
     AT(monitor.map_from),
     .help = "The members of a request with x and y of where it begins; null: no map."},
    {.name = "monitor.map.to",
     .type = OPTION_PAIR,
     AT(monitor.map_to),
     .help = "And of where it ends; null: it stays where it is."},
    {.name = "monitor.map.moves",
     .type = OPTION_FLAG,
     .fallback = "false",
     AT(monitor.map_moves),
     .help = "The label is the time in seconds that it takes to get there."},
    {.name = "monitor.drift.reference_rows",
     .type = OPTION_COUNT,
     .fallback = "10000",
     AT(monitor.drift_reference_rows),
     RANGE(1000, 10000000),
     .help = "The first learned rows, with which later ones are compared for feature drift."},
    {.name = "monitor.drift.window_rows",
     .type = OPTION_COUNT,
     .fallback = "1000",
     AT(monitor.drift_window_rows),
     RANGE(1000, 10000000),
     .help = "So many rows at a time are compared with them; two such windows make an alarm."},
    {.name = "monitor.drift.silent",
     .type = OPTION_TEXT,
     AT(monitor.drift_silent),
     .check = task_check_features,
     .help = "Features, with commas between them, whose drift is shown and raises no alarm: those "
             "that follow the clock."},
    {.name = "models",
     .type = OPTION_MODELS,
     REQUIRED,
     .help = "Name to pipeline: preprocessors, then one learner; a baseline runs beside them."},
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

/* The whole table */

/* Where the members of the file's objects are found, by option; `text` is NULL for one not given.
 */
struct given {
    struct json_value values[N_OPTIONS];
};

static int unknown_option(struct reader *r, const char *prefix, const char *path)
{
    struct near near = {.wanted = path + strlen(prefix)};
    char names[N_OPTIONS][64];

    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (strncmp(options[i].name, prefix, strlen(prefix)) != 0)
            continue;
        snprintf(names[i], sizeof(names[i]), "%s", options[i].name + strlen(prefix));
        names[i][strcspn(names[i], ".")] = '\0';
        near_offer(&near, names[i]);
    }
    if (near.name)
        return task_refuse(r, path, "unknown option; did you mean \"%s\"?", near.name);
    return task_refuse(r, path, "unknown option; remove it (config/taxi.json shows all there are)");
}

static int find_values(struct reader *r, const char *prefix, const struct json_value *object,
                       struct given *given);

/* One member, whose path is `path`: an option, or the object that several are in. */
static int find_value(struct reader *r, const char *prefix, const char *path,
                      const struct json_value *v, struct given *given)
{
    char group[128];

    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (strcmp(options[i].name, path) == 0) {
            given->values[i] = *v;
            return 0;
        }
    }

    int n = snprintf(group, sizeof(group), "%s.", path);
    for (size_t i = 0; i < N_OPTIONS && n < (int)sizeof(group); i++) {
        if (strncmp(options[i].name, group, (size_t)n) != 0)
            continue;
        if (v->type == JSON_NULL && strcmp(path, "monitor.map") == 0)
            return 0;
        if (v->type != JSON_OBJECT)
            return task_wrong_type(r, path, "an object, as in config/taxi.json", v);
        return find_values(r, group, v, given);
    }
    return unknown_option(r, prefix, path);
}

static int find_values(struct reader *r, const char *prefix, const struct json_value *object,
                       struct given *given)
{
    struct json_iter it;
    struct json_value key;
    struct json_value v;
    int code = 0;

    json_iter_init(&it, object);
    while (!code && json_next_member(&it, &key, &v)) {
        char *name = task_string(&key);
        struct buf path = BUF_INIT;

        buf_printf(&path, "%s%s", prefix, name ? name : "(a name with \\u0000)");
        if (!name || strchr(name, '.'))
            code = unknown_option(r, prefix, buf_str(&path));
        else if (task_is_repeated(object, &key))
            code = task_refuse(r, buf_str(&path), "is given twice; remove one");
        else
            code = find_value(r, prefix, buf_str(&path), &v, given);
        buf_release(&path);
        free(name);
    }
    return code;
}

static int read_environment(struct reader *r, const struct task_option *o)
{
    const char *text = o->environment ? getenv(o->environment) : NULL;
    struct buf quoted = BUF_INIT;
    struct json_value v;

    if (!text || !*text)
        return 0;
    json_write_string(&quoted, text, strlen(text));
    int code = json_parse(quoted.data, quoted.len, &v, r->err);
    if (!code)
        code = task_read_value(r, o, o->environment, &v);
    buf_release(&quoted);
    return code;
}

static int read_option(struct reader *r, const struct task_option *o, struct json_value *v)
{
    int code = 0;

    if (!v->text && o->required)
        return task_refuse(r, o->name, "is missing. %s", o->help);
    if (v->type == JSON_NULL && !o->required && !o->fallback)
        v->text = NULL; /* null is how the file says that it leaves an option to us */
    if (!v->text && o->fallback)
        code = json_parse(o->fallback, strlen(o->fallback), v, r->err);
    if (!code && v->text)
        code = task_read_value(r, o, o->name, v);
    return code ? code : read_environment(r, o);
}

int task_read_options(struct reader *r, const struct json_value *root)
{
    struct given given = {.values = {{0}}};

    if (root->type != JSON_OBJECT)
        return task_wrong_type(r, "the file", "an object, { ... }, as in config/taxi.json", root);

    int code = find_values(r, "", root, &given);
    for (size_t i = 0; i < N_OPTIONS && !code; i++)
        code = read_option(r, &options[i], &given.values[i]);
    return code;
}

/* The listing */

void task_describe_options(struct buf *out)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct task_option *o = &options[i];

        buf_printf(out, "  %-22s %s\n", o->name, o->help);
        buf_printf(out, "  %-22s ", "");
        if (o->choices) {
            task_list_choices(o->choices, out);
            buf_text(out, "; ");
        }
        if (o->type == OPTION_COUNT || o->type == OPTION_REAL)
            buf_printf(out, "%lld to %lld; ", (long long)o->min, (long long)o->max);
        if (o->required)
            buf_text(out, "required");
        else
            buf_printf(out, "default %s", o->fallback ? o->fallback : "null");
        if (o->environment)
            buf_printf(out, "; %s overrides it", o->environment);
        buf_byte(out, '\n');
    }
}
