/* What the task file's reader refuses, and how it says so: one line a kind of error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "task/task.h"

/* The members of a small good file, to be joined with commas. */
#define NAME     "\"task\": \"t\""
#define KEY      "\"key\": \"id\""
#define TOPICS   "\"topics\": {\"requests\": \"r\", \"outcomes\": \"o\"}"
#define FEATURES "\"features\": [\"a\", \"b\"]"
#define LABEL    "\"label\": \"y\""
#define MODELS   "\"models\": {\"m\": [\"linear_regression\"]}"
#define AND      ", "
#define REST     NAME AND KEY AND FEATURES AND LABEL AND MODELS
#define ALL      REST AND TOPICS
#define WITH(x)  "{" ALL AND x "}"
#define BINARY(x)                                                                                  \
    "{" NAME AND KEY AND TOPICS AND FEATURES AND LABEL AND                                         \
    "\"kind\": \"binary_classification\", \"models\": {\"m\": [\"prior\"]}, " x "}"

struct bad {
    const char *json;
    const char *error; /* what comes after "<file>: " */
};

static char dir[] = "/tmp/oxbow-task-XXXXXX";
static char file[64];

static void write_file(const char *text, size_t len)
{
    FILE *f = fopen(file, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* Loading this text fails with exactly `error` after the file's name. */
static void check(const char *json, const char *error)
{
    struct err err = {0};
    char expected[600];

    write_file(json, strlen(json));
    struct task *task = task_load(file, &err);
    if (task)
        fail_msg("accepted: %s", json);
    snprintf(expected, sizeof(expected), "%s: %s", file, error);
    if (strcmp(err.text, expected) != 0)
        fail_msg("%s:\n  says %s\n  not  %s", json, err.text, expected);
    assert_true(err.code < 0);
    assert_null(strchr(err.text, '\n'));
}

static void check_all(const struct bad *bad, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check(bad[i].json, bad[i].error);
}

#define CHECK_ALL(bad) check_all(bad, sizeof(bad) / sizeof((bad)[0]))

/* Text that is not JSON is refused with line and column, in characters, and what was expected. */
static void test_syntax(void **state)
{
    static const struct bad bad[] = {
        {"", "line 1, column 1: expected a value, but the file ends here"},
        {"{\n  \"task\" \"t\"\n}", "line 2, column 10: expected ':', found '\"'"},
        {"{\"task\": \"\xC3\xA9\xC3\xA9\" x}", "line 1, column 15: expected ',' or '}', found 'x'"},
        {"{\"a\": 1,\n}", "line 2, column 1: a comma before '}'; remove it"},
        {"{\"a\": [1, /* two */ ]}", "line 1, column 21: a comma before ']'; remove it"},
        {"{\n/* never\nclosed", "line 2, column 1: a comment that nothing closes"},
        {"{\"a\": 1} // end\n}", "line 2, column 1: expected the end, found '}'"},
        {"{\"a\": tru}", "line 1, column 7: expected a value, found 't'"},
        {"{\"a\": \"// no comment\n",
         "line 1, column 21: expected no control character in a string"},
        {"{\"a", "line 1, column 2: expected a string with a closing quote, found '\"'"},
    };

    (void)state;
    CHECK_ALL(bad);
}

/* A file that is no object, or lacks what has no default, is refused with what to write. */
static void test_missing(void **state)
{
    static const struct bad bad[] = {
        {"[]", "the file: is a list; write an object, { ... }, as in config/taxi.json"},
        {"{}", "task: is missing. The task's name, in Redis, in file names and on every page."},
        {"{" REST "}", "topics.requests: is missing. Where requests come in."},
        {"{" NAME AND KEY AND TOPICS AND FEATURES AND LABEL "}",
         "models: is missing. Name to pipeline: preprocessors, then one learner; a baseline runs "
         "beside them."},
    };

    (void)state;
    CHECK_ALL(bad);
}

/* An unknown option is refused, with the one that was probably meant. */
static void test_unknown(void **state)
{
    static const struct bad bad[] = {
        {WITH("\"refresh_second\": 3"),
         "refresh_second: unknown option; did you mean \"refresh_seconds\"?"},
        {WITH("\"retention\": {\"row\": 3}"),
         "retention.row: unknown option; did you mean \"rows\"?"},
        {WITH("\"retentoin\": {}"), "retentoin: unknown option; did you mean \"retention\"?"},
        {WITH("\"colour_of_it\": 1"), "colour_of_it: unknown option; remove it (config/taxi.json "
                                      "shows all there are)"},
        {WITH("\"a\\nb\\u0000\": 1"), "(a name with \\u0000): unknown option; remove it "
                                      "(config/taxi.json shows all there are)"},
        {WITH("\"new\\nline\\u007f\": 1"), "new line : unknown option; remove it "
                                           "(config/taxi.json shows all there are)"},
        {WITH("\"retention.rows\": 1"),
         "retention.rows: unknown option; did you mean \"retention\"?"},
    };

    (void)state;
    CHECK_ALL(bad);
}

/* The detector is spelled as a model is, and refused with the place within. */
static void test_drift(void **state)
{
    static const struct bad bad[] = {
        {WITH("\"drift\": \"adwn\""),
         "drift: unknown class \"adwn\"; did you mean \"adwin\"? Known: adwin, page_hinkley, "
         "kswin, ddm, no_drift"},
        {WITH("\"drift\": \"ddm\""),
         "drift: ddm is for errors from 0 to 1, those of binary_classification; write adwin, "
         "page_hinkley or kswin"},
        {WITH("\"drift\": {\"adwin\": {\"delt\": 1}}"),
         "drift.adwin.delt: adwin has no parameter of that name; did you mean \"delta\"? Known: "
         "delta, clock, max_buckets, min_window_length, grace_period"},
        {WITH("\"drift\": {\"adwin\": {\"clock\": 0}}"),
         "drift.adwin.clock: write a whole number from 1 to 1000000"},
        {WITH("\"drift\": 5"), "drift: write \"class\" or {\"class\": {parameters}}"},
        {WITH("\"drift\": \"linear_regression\""),
         "drift: unknown class \"linear_regression\". Known: adwin, page_hinkley, kswin, ddm, "
         "no_drift"},
    };

    (void)state;
    CHECK_ALL(bad);
}

/* An option that is given twice says nothing certain. */
static void test_twice(void **state)
{
    static const struct bad bad[] = {
        {WITH(LABEL), "label: is given twice; remove one"},
        {WITH("\"retention\": {\"rows\": 1, \"\\u0072ows\": 2}"),
         "retention.rows: is given twice; remove one"},
        {"{" NAME AND KEY AND TOPICS AND FEATURES AND LABEL AND
         "\"models\": {\"m\": [\"mean\"], \"m\": [\"mean\"]}}",
         "models.m: is given twice; remove one"},
    };

    (void)state;
    CHECK_ALL(bad);
}

/* A value of the wrong type is shown, with what to write. */
static void test_types(void **state)
{
    static const struct bad bad[] = {
        {WITH("\"refresh_seconds\": \"30\""),
         "refresh_seconds: is \"30\"; write a whole number from 1 to 86400, such as 30"},
        {WITH("\"refresh_seconds\": 1.5"),
         "refresh_seconds: is 1.5; write a whole number from 1 to 86400, such as 30"},
        {WITH("\"refresh_rows\": {}"),
         "refresh_rows: is an object; write a whole number from 1 to 1000000000, such as 5000"},
        {WITH("\"data_dir\": 7"), "data_dir: is 7; write a text in quotes"},
        {WITH("\"data_dir\": null"), "data_dir: is null; write a text in quotes"},
        {WITH("\"data_dir\": \"a\\u0000b\""), "data_dir: is \"a\\u0000b\"; write a text in quotes"},
        {WITH("\"bus\": 1"), "bus: is 1; write \"redis\", \"kafka\" or \"memory\""},
        {WITH("\"retention\": 1"), "retention: is 1; write an object, as in config/taxi.json"},
        {"{" REST AND "\"topics\": [\"r\"]}",
         "topics: is a list; write an object, as in config/taxi.json"},
        {WITH("\"clip\": 5"), "clip: write [least, greatest], with null for no limit, such as "
                              "[0, null]"},
        {WITH("\"clip\": [5]"), "clip: write [least, greatest], with null for no limit, such as "
                                "[0, null]"},
        {WITH("\"clip\": [1, 2, 3]"), "clip: write [least, greatest], with null for no limit, "
                                      "such as [0, null]"},
    };

    (void)state;
    CHECK_ALL(bad);
}

/* What the monitor is told must fit together, and the rest of the file. */
static void test_monitor(void **state)
{
    static const struct bad bad[] = {
        {WITH("\"monitor\": 1"), "monitor: is 1; write an object, as in config/taxi.json"},
        {WITH("\"monitor\": {\"nuon\": \"trip\"}"),
         "monitor.nuon: unknown option; did you mean \"noun\"?"},
        {WITH("\"monitor\": {\"listen\": \"8501\"}"),
         "monitor.listen: is \"8501\"; write address:port, such as 127.0.0.1:8501"},
        {WITH("\"monitor\": {\"listen\": \"localhost:99999\"}"),
         "monitor.listen: is \"localhost:99999\"; write address:port, such as 127.0.0.1:8501"},
        {WITH("\"monitor\": {\"size\": \"weight\"}"),
         "monitor.size: is none of the features; name one of them, or null"},
        {WITH("\"monitor\": {\"map\": {\"from\": [\"x\"]}}"),
         "monitor.map.from: write the names of two members of the request's message, x and y, such "
         "as [\"pickup_longitude\", \"pickup_latitude\"]"},
        {WITH("\"monitor\": {\"map\": {\"from\": [\"x\", \"y\", \"z\"]}}"),
         "monitor.map.from: write the names of two members of the request's message, x and y, such "
         "as [\"pickup_longitude\", \"pickup_latitude\"]"},
        {WITH("\"monitor\": {\"map\": {\"to\": [\"x\", \"y\"]}}"),
         "monitor.map.from: is missing: \"to\" is where a request ends"},
        {WITH("\"monitor\": {\"map\": {\"from\": [\"x\", \"y\"], \"moves\": true}}"),
         "monitor.map.moves: is true, so \"from\" and \"to\" must say from where to where"},
        {WITH("\"monitor\": {\"tls_key\": \"k.pem\"}"),
         "monitor.tls_certificate: is missing: certificate and key go together"},
        {WITH("\"monitor\": {\"drift\": {\"window_rows\": 999}}"),
         "monitor.drift.window_rows: is 999; write a whole number from 1000 to 10000000, such as "
         "1000"},
        {WITH("\"monitor\": {\"drift\": {\"silent\": \"a, b\"}}"),
         "monitor.drift.silent: names \" b\", which is none of the features; write names of "
         "features with commas and no spaces between them, or null"},
        {WITH("\"monitor\": {\"rows_per_second\": 0}"),
         "monitor.rows_per_second: is 0; write a whole number from 1 to 1000000, such as 2000"},
    };

    (void)state;
    CHECK_ALL(bad);
}

/* A value out of range is refused with the range. */
static void test_ranges(void **state)
{
    static const struct bad bad[] = {
        {WITH("\"refresh_seconds\": 0"),
         "refresh_seconds: is 0; write a whole number from 1 to 86400, such as 30"},
        {WITH("\"versions_kept\": 100000"),
         "versions_kept: is 100000; write a whole number from 1 to 1000, such as 20"},
        {WITH("\"stream_keep_rows\": -1"),
         "stream_keep_rows: is -1; write a whole number from 0 to 1000000000, such as 100000"},
        {WITH("\"clip\": [2, 2]"), "clip: the first of the two must be less than the second"},
        {WITH("\"label_range\": [3, -1]"),
         "label_range: the first of the two must be less than the second"},
    };

    (void)state;
    CHECK_ALL(bad);
}

/* A value that is not among the known ones is refused with them; one to come is told apart. */
static void test_choices(void **state)
{
    static const struct bad bad[] = {
        {WITH("\"kind\": \"binary\""),
         "kind: is \"binary\"; write \"regression\" or \"binary_classification\""},
        {WITH("\"threshold\": 2"), "threshold: is 2; write a number from 0 to 1, such as 0.5"},
        {WITH("\"threshold\": 0.2"),
         "threshold: is for \"kind\": \"binary_classification\"; remove it"},
        {WITH("\"positive\": \"\""), "positive: is \"\"; write a text that is not empty"},
        {WITH("\"positive\": [1]"),
         "positive: is a list; write the label that is positive: true, a number or a text"},
        {WITH("\"class_weight\": {\"positive\": 3}"),
         "class_weight: is for \"kind\": \"binary_classification\"; remove it"},
        {BINARY("\"class_weight\": {\"negative\": 0}"),
         "class_weight: must be above 0, or nothing would be learned"},
        {BINARY("\"clip\": [0, 1]"), "clip: is for a regression; remove it"},
        {BINARY("\"label_range\": [0, 1]"), "label_range: is for a regression; remove it"},
        {WITH("\"views\": \"materialize\""),
         "views: \"materialize\" needs the kafka bus, which it reads by itself; write \"bus\": "
         "\"kafka\", or \"views\": \"sqlite\""},
        {WITH("\"materialize_url\": \"redis://x\""),
         "materialize_url: is no such address; write "
         "postgres://[user[:password]@]host[:port][/database][?sslmode=...]"},
        {WITH("\"materialize_brokers\": \"a b\""),
         "materialize_brokers: is \"a b\"; write host:port, or several with commas between them"},
        {WITH("\"bus\": \"rediz\""), "bus: \"rediz\" is not known; did you mean \"redis\"? Write "
                                     "\"redis\", \"kafka\" or \"memory\""},
        {WITH("\"start\": \"now\""), "start: is \"now\"; write \"oldest\" or \"newest\""},
        {WITH("\"durability\": \"x\""), "durability: is \"x\"; write \"process\" or \"machine\""},
        {WITH("\"log_level\": \"warning\""), "log_level: \"warning\" is not known; did you mean "
                                             "\"warn\"? Write \"debug\", \"info\", \"warn\" or "
                                             "\"error\""},
    };

    (void)state;
    CHECK_ALL(bad);
}

/* Names have to be fit for Redis, SQL and a topic. */
static void test_names(void **state)
{
    static const struct bad bad[] = {
        {"{\"task\": \"Taxi 1\"}",
         "task: is \"Taxi 1\"; write a name of a-z, 0-9 and -, at most 63 letters, such as "
         "\"linear-regression\""},
        {"{" NAME AND "\"key\": \"trip-id\"}",
         "key: is \"trip-id\"; write the name of a column: letters, digits and _, not a digit "
         "first, at most 63 letters"},
        {"{" REST AND "\"topics\": {\"requests\": \"a b\", \"outcomes\": \"o\"}}",
         "topics.requests: is \"a b\"; write a topic's name: letters, digits, '.', '_' and '-', at "
         "most 200"},
        {"{" REST AND "\"topics\": {\"requests\": \"x\", \"outcomes\": \"x\"}}",
         "topics.outcomes: is \"x\", as topics.requests is; choose another"},
        {"{" REST AND "\"topics\": {\"requests\": \"x\", \"outcomes\": \"features\"}}",
         "topics.features: is \"features\", as topics.outcomes is; choose another"},
        {WITH("\"kafka\": {\"topic_prefix\": \"a:b\"}"),
         "kafka.topic_prefix: is \"a:b\"; write letters, digits, '.', '_' and '-', or \"\""},
        {WITH("\"kafka\": {\"properties\": {\"a\": []}}"),
         "kafka.properties.a: write \"name\": \"value\", as librdkafka's CONFIGURATION.md has "
         "them"},
        {WITH("\"kafka\": {\"properties\": {\"a\": 1, \"a\": 2}}"),
         "kafka.properties.a: is given twice; remove one"},
        {WITH("\"exactly_once\": true"),
         "exactly_once: needs bus \"kafka\", which has transactions; write false"},
        {WITH("\"exactly_once\": 1"), "exactly_once: is 1; write true or false"},
        {WITH("\"redis_url\": \"http://:secret@x\""),
         "redis_url: is no such address; write redis://[user:password@]host[:port][/db] or "
         "unix:///path"},
    };

    (void)state;
    CHECK_ALL(bad);
}

#define WITH_FEATURES(x) "{" NAME AND KEY AND TOPICS AND LABEL AND MODELS AND "\"features\": " x "}"

/* Features are columns, each once, and neither the key nor the answer. */
static void test_features(void **state)
{
    static const struct bad bad[] = {
        {WITH_FEATURES("\"a\""),
         "features: write a list of columns, such as [\"distance\", \"hour\"]"},
        {WITH_FEATURES("[]"), "features: is empty; name at least one column"},
        {WITH_FEATURES("[1]"),
         "features[0]: write \"column\" or {\"name\": \"column\", \"kind\": \"boolean\"}"},
        {WITH_FEATURES("[\"a\", {\"kind\": \"boolean\"}]"),
         "features[1]: write \"column\" or {\"name\": \"column\", \"kind\": \"boolean\"}"},
        {WITH_FEATURES("[\"a b\"]"), "features[0]: write the name of a column: letters, digits and "
                                     "_, not a digit first, at most 63 letters"},
        {WITH_FEATURES("[{\"name\": \"a\", \"kind\": \"bolean\"}]"),
         "features[0].kind: is \"bolean\"; did you mean \"boolean\"? Or write \"numeric\", "
         "\"boolean\" or \"categorical\""},
        {WITH_FEATURES("[{\"name\": \"a\", \"kind\": 3}]"),
         "features[0].kind: is 3; write \"numeric\", \"boolean\" or \"categorical\""},
        {WITH_FEATURES("[{\"name\": \"a\", \"knd\": \"boolean\"}]"),
         "features[0].knd: unknown option; did you mean \"kind\"?"},
        {WITH_FEATURES("[{\"name\": \"a\", \"default\": 0}]"),
         "features[0].default: unknown option; a feature has \"name\" and \"kind\""},
        {WITH_FEATURES("[{\"name\": \"a\", \"name\": \"b\"}]"),
         "features[0].name: is given twice; remove one"},
        {WITH_FEATURES("[\"id\"]"),
         "features[0]: is the key, which is another one in every row; remove it"},
        {WITH_FEATURES("[\"a\", \"y\"]"), "label: is one of the features: the models would be told "
                                          "the answer; remove it from features"},
        {"{" NAME AND KEY AND TOPICS AND FEATURES AND MODELS AND "\"label\": \"id\"}",
         "label: is the key; name the column of what really happened"},
    };
    struct err err;

    (void)state;
    CHECK_ALL(bad);

    /* The schema's own words, after the place. */
    static const char twice[] = WITH_FEATURES("[\"a\", \"a\"]");
    write_file(twice, sizeof(twice) - 1);
    assert_null(task_load(file, &err));
    assert_non_null(strstr(err.text, ".json: features[1]: "));
}

#define WITH_MODELS(x) "{" NAME AND KEY AND TOPICS AND FEATURES AND LABEL AND "\"models\": " x "}"

/* Models have good names of their own and pipelines; there is at least one. */
static void test_models(void **state)
{
    static const struct bad bad[] = {
        {WITH_MODELS("[]"),
         "models: write {\"name\": pipeline, ...}, such as "
         "{\"linear-regression\": [\"standard_scaler\", \"linear_regression\"]}"},
        {WITH_MODELS("{}"), "models: is empty; name at least one model"},
        {WITH_MODELS("{\"My Model\": [\"mean\"]}"),
         "models: \"My Model\": write a name of a-z, 0-9 and -, at most 63 letters, such as "
         "\"linear-regression\""},
        {WITH_MODELS("{\"baseline\": [\"mean\"]}"),
         "models.baseline: is the name of the model that always runs beside the others; choose "
         "another"},
        {WITH_MODELS("{\"m\": \"mean\"}"), "models.m: write a pipeline, such as "
                                           "[\"standard_scaler\", \"linear_regression\"]"},
    };

    (void)state;
    CHECK_ALL(bad);
}

/* A pipeline's own errors come with their place in the whole file. */
static void test_pipelines(void **state)
{
    static const struct {
        const char *models;
        const char *place; /* the error begins with it */
        const char *says;  /* and has this in it */
    } bad[] = {
        {"{\"m\": [\"standard_scaler\", {\"linear_regression\": {\"l3\": 1}}]}",
         "models.m[1].linear_regression.l3: ", "did you mean \"l2\"?"},
        {"{\"m\": [\"linear_regresion\"]}", "models.m[0]: ", "did you mean \"linear_regression\"?"},
        {"{\"m\": [{\"linear_regression\": {\"l2\": \"much\"}}]}",
         "models.m[0].linear_regression.l2: ", "write a number"},
        {"{\"m\": [{\"linear_regression\": {\"l2\": -1}}]}",
         "models.m[0].linear_regression.l2: ", "write a number"},
        {"{\"m\": [\"standard_scaler\"]}", "models.m[0].standard_scaler: ", "learner"},
        {"{\"m\": []}", "models.m: ", "pipeline"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buf text = BUF_INIT;
        struct err err = {0};
        char begin[200];

        buf_printf(&text, "{%s, \"models\": %s}", NAME AND KEY AND TOPICS AND FEATURES AND LABEL,
                   bad[i].models);
        write_file(text.data, text.len);
        assert_null(task_load(file, &err));
        snprintf(begin, sizeof(begin), "%s: %s", file, bad[i].place);
        if (strncmp(err.text, begin, strlen(begin)) != 0 || !strstr(err.text, bad[i].says))
            fail_msg("%s\n  says %s\n  not  %s ... %s", bad[i].models, err.text, begin,
                     bad[i].says);
        buf_release(&text);
    }
}

/* 64 models are loaded, the 65th is refused by name. */
static void test_too_many_models(void **state)
{
    (void)state;
    for (int n = 64; n <= 65; n++) {
        struct buf text = BUF_INIT;
        struct err err = {0};

        buf_printf(&text, "{%s, \"models\": {", NAME AND KEY AND TOPICS AND FEATURES AND LABEL);
        for (int i = 0; i < n; i++)
            buf_printf(&text, "%s\"m%d\": [\"mean\"]", i ? ", " : "", i);
        buf_text(&text, "}}");
        write_file(text.data, text.len);
        struct task *task = task_load(file, &err);
        if (n == 64) {
            assert_non_null(task);
            assert_int_equal(task->n_models, 65);
        } else {
            assert_null(task);
            assert_non_null(strstr(err.text, "models.m64: is one too many; a task has at most 64"));
        }
        task_free(task);
        buf_release(&text);
    }
}

/* A bad value in the environment is named by its variable. */
static void test_environment(void **state)
{
    static const struct {
        const char *variable;
        const char *value;
        const char *error;
    } bad[] = {
        {"OXBOW_BUS", "pigeon",
         "OXBOW_BUS: is \"pigeon\"; write \"redis\", \"kafka\" or \"memory\""},
        {"OXBOW_VIEWS", "sqlit",
         "OXBOW_VIEWS: \"sqlit\" is not known; did you mean \"sqlite\"? Write \"sqlite\" or "
         "\"materialize\""},
        {"OXBOW_REDIS_URL", "localhost:6379",
         "OXBOW_REDIS_URL: is no such address; write redis://[user:password@]host[:port][/db] "
         "or unix:///path"},
        {"OXBOW_KAFKA_BROKERS", "kafka://x:1",
         "OXBOW_KAFKA_BROKERS: is \"kafka://x:1\"; write the brokers' addresses: "
         "host:port,host:port"},
        {"OXBOW_KAFKA_PROPERTIES", "a=b;secret",
         "OXBOW_KAFKA_PROPERTIES: write name=value;name=value"},
        {"OXBOW_DURABILITY", "disk\n",
         "OXBOW_DURABILITY: is \"disk\\n\"; write \"process\" or \"machine\""},
        {"OXBOW_LOG_LEVEL", "INFO",
         "OXBOW_LOG_LEVEL: is \"INFO\"; write \"debug\", \"info\", "
         "\"warn\" or \"error\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        setenv(bad[i].variable, bad[i].value, 1);
        check("{" ALL "}", bad[i].error);
        unsetenv(bad[i].variable);
    }
}

/* A file that is not there, or is no file, or far too large, is named with the reason. */
static void test_files(void **state)
{
    struct err err;
    size_t n = (1 << 20) + 1;

    (void)state;
    assert_null(task_load("/no/such/file.json", &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.text, "/no/such/file.json: cannot be read: No such file or directory; "
                                  "name a task file such as config/taxi.json");
    assert_null(task_load(dir, &err));
    assert_int_equal(err.code, ERR_IO);

    char *spaces = malloc(n);
    memset(spaces, ' ', n);
    write_file(spaces, n);
    free(spaces);
    assert_null(task_load(file, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

/* Whatever byte a good file is cut at, and without a struct for the error, nothing is leaked. */
static void test_cut(void **state)
{
    static const char text[] = WITH("\"retention\": {\"rows\": 5}, \"clip\": [0, null]");

    (void)state;
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        write_file(text, len);
        assert_null(task_load(file, NULL));
    }
}

static int setup(void **state)
{
    (void)state;
    unsetenv("OXBOW_BUS");
    unsetenv("OXBOW_VIEWS");
    unsetenv("OXBOW_REDIS_URL");
    unsetenv("OXBOW_DATA_DIR");
    unsetenv("OXBOW_DURABILITY");
    unsetenv("OXBOW_LOG_LEVEL");
    if (!mkdtemp(dir))
        return -1;
    snprintf(file, sizeof(file), "%s/task.json", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax),      cmocka_unit_test(test_missing),
        cmocka_unit_test(test_unknown),     cmocka_unit_test(test_drift),
        cmocka_unit_test(test_twice),       cmocka_unit_test(test_types),
        cmocka_unit_test(test_monitor),     cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_choices),     cmocka_unit_test(test_names),
        cmocka_unit_test(test_features),    cmocka_unit_test(test_models),
        cmocka_unit_test(test_pipelines),   cmocka_unit_test(test_too_many_models),
        cmocka_unit_test(test_environment), cmocka_unit_test(test_files),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
