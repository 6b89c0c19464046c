/* What a good task file means: defaults, overrides, paths, identity of models. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "task/task.h"
#include "task/task_read.h"

#define BASE                                                                                       \
    "\"task\": \"t\", \"key\": \"id\", \"topics\": {\"requests\": \"r\", \"outcomes\": \"o\"}"
#define REST                                                                                       \
    "\"features\": [\"a\", {\"name\": \"b\", \"kind\": \"boolean\"}], \"label\": \"y\", "          \
    "\"models\": {\"m\": [\"standard_scaler\", {\"linear_regression\": {\"l2\": 0.5}}], "          \
    "\"n\": [\"mean\"]}"
#define SMALL "{" BASE ", " REST "}"

static const char taxi_path[] = OXBOW_SOURCE_DIR "/config/taxi.json";

static char dir[] = "/tmp/oxbow-task-XXXXXX";
static char file[64];

static struct task *load_file(const char *path)
{
    struct err err;
    struct task *task = task_load(path, &err);

    if (!task)
        fail_msg("%s", err.text);
    return task;
}

static void write_file(const char *json)
{
    FILE *f = fopen(file, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(json, 1, strlen(json), f), strlen(json));
    assert_int_equal(fclose(f), 0);
}

static struct task *load(const char *json)
{
    write_file(json);
    return load_file(file);
}

/* What two tasks have to have in common when neither file nor environment says otherwise. */
static void assert_same_options(const struct task *a, const struct task *b)
{
    assert_string_equal(a->kind, b->kind);
    assert_string_equal(a->topics.predictions, b->topics.predictions);
    assert_string_equal(a->topics.features, b->topics.features);
    assert_string_equal(a->topics.learning_queue, b->topics.learning_queue);
    assert_string_equal(a->topics.dead_letters, b->topics.dead_letters);
    assert_string_equal(a->topics.drift_alarms, b->topics.drift_alarms);
    assert_string_equal(a->drift, b->drift);
    assert_string_equal(a->bus, b->bus);
    assert_string_equal(a->views, b->views);
    assert_string_equal(a->store, b->store);
    assert_string_equal(a->redis_url, b->redis_url);
    assert_string_equal(a->materialize_url, b->materialize_url);
    assert_null(a->materialize_brokers);
    assert_null(b->materialize_brokers);
    assert_true(a->dedupe_seconds == b->dedupe_seconds && a->dedupe_keys == b->dedupe_keys);
    assert_string_equal(a->data_dir, b->data_dir);
    assert_true(a->refresh_seconds == b->refresh_seconds);
    assert_true(a->refresh_rows == b->refresh_rows);
    assert_true(a->start == b->start && a->durability == b->durability);
    assert_true(a->max_backlog == b->max_backlog);
    assert_true(a->max_event_bytes == b->max_event_bytes);
    assert_true(a->retention_seconds == b->retention_seconds);
    assert_true(a->retention_rows == b->retention_rows);
    assert_true(a->stream_keep_rows == b->stream_keep_rows);
    assert_true(a->rebuild_rows == b->rebuild_rows);
    assert_true(a->reconcile_seconds == b->reconcile_seconds);
    assert_true(a->versions_kept == b->versions_kept);
    assert_true(a->max_model_bytes == b->max_model_bytes);
    assert_true(a->max_categories == b->max_categories);
    assert_true(a->score_window == b->score_window && a->log_level == b->log_level);
}

/* The file that ships is good, and says what the design says. */
static void test_taxi(void **state)
{
    struct task *task = load_file(taxi_path);
    static const char *const models[] = {"linear-regression", "decision-tree", "nearest-neighbors",
                                         TASK_BASELINE};

    (void)state;
    assert_string_equal(task->name, "taxi");
    assert_string_equal(task->key, "trip_id");
    assert_string_equal(task->topics.requests, "pick-ups");
    assert_string_equal(task->topics.outcomes, "drop-offs");
    assert_string_equal(task->label, "duration");
    assert_true(task->label_min == 30 && task->label_max == 10800);
    assert_true(task->clip_min == 0 && task->clip_max == (double)INFINITY);
    assert_int_equal(schema_size(task->features), 6);
    assert_string_equal(schema_name(task->features, 1), "is_weekend");
    assert_int_equal(schema_kind(task->features, 1), FEATURE_BOOLEAN);
    assert_int_equal(schema_kind(task->features, 0), FEATURE_NUMERIC);
    assert_int_equal(task->n_models, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(task->models[i].name, models[i]);
    assert_string_equal(task->monitor.listen, "127.0.0.1:8501");
    assert_string_equal(task->monitor.noun, "trip");
    assert_string_equal(task->monitor.map_from[1], "pickup_latitude");
    assert_string_equal(task->monitor.map_to[0], "dropoff_longitude");
    assert_true(task->monitor.map_moves && !task->monitor.token_file);
    assert_int_equal(task->monitor.drift_reference_rows, 10000);
    assert_int_equal(task->monitor.drift_window_rows, 1000);
    assert_string_equal(task->monitor.drift_silent,
                        "is_weekend,avg_speed_by_hour,hour_cos,hour_sin");
    assert_string_equal(task->sql_dir, OXBOW_SOURCE_DIR "/config/../sql/taxi/sqlite");
    task_free(task);
}

/* Each option in the file that ships has the value that it would have without it. */
static void test_taxi_defaults(void **state)
{
    struct task *taxi = load_file(taxi_path);
    struct task *small = load(SMALL);

    (void)state;
    assert_same_options(taxi, small);
    assert_true(small->label_min == -(double)INFINITY && small->label_max == (double)INFINITY);
    assert_true(small->clip_min == -(double)INFINITY && small->clip_max == (double)INFINITY);
    task_free(taxi);
    task_free(small);
}

/* A page without a map, by default and when the file says so. */
static void test_no_map(void **state)
{
    struct task *small = load(SMALL);
    struct task *null = load("{" BASE ", " REST ", \"monitor\": {\"map\": null, \"unit\": null}}");

    (void)state;
    assert_null(small->monitor.map_from[0]);
    assert_string_equal(small->monitor.noun, "request");
    assert_null(null->monitor.map_from[0]);
    assert_null(null->monitor.unit);
    assert_null(null->monitor.drift_silent);
    task_free(small);
    task_free(null);
}

/* Every option that there is can be seen in the file that ships. */
static void test_taxi_is_complete(void **state)
{
    struct task named = {.file = (char *)(uintptr_t)taxi_path};
    struct err err;
    struct reader reader = {.task = &named, .err = &err};
    struct buf text = BUF_INIT;
    struct buf listing = BUF_INIT;
    struct json_value root;
    char *rest;
    size_t n = 0;

    (void)state;
    assert_int_equal(task_read_text(&reader, &text), 0);
    assert_int_equal(json_parse(text.data, text.len, &root, &err), 0);
    task_describe_options(&listing);
    for (char *line = strtok_r(listing.data, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        struct json_value v = root;
        char *parts;

        if (line[2] == ' ')
            continue; /* an option's second line */
        char *name = line + 2;
        name[strcspn(name, " ")] = '\0';
        n++;
        for (char *part = strtok_r(name, ".", &parts); part; part = strtok_r(NULL, ".", &parts))
            if (!json_get(&v, part, &v))
                fail_msg("config/taxi.json does not show %s", part);
    }
    assert_true(n > 30);
    buf_release(&text);
    buf_release(&listing);
}

/* What the file gives is what the struct has. */
static void test_given(void **state)
{
    struct task *task =
        load("{" BASE ", " REST ", \"bus\": \"memory\", \"redis_url\": \"unix:///tmp/r.sock\", "
             "\"data_dir\": \"/var/x\", \"start\": \"newest\", \"durability\": \"machine\", "
             "\"log_level\": \"debug\", \"refresh_seconds\": 1, \"retention\": {\"rows\": 9}, "
             "\"clip\": [null, 5.5], \"label_range\": [-1e3, null]}");

    (void)state;
    assert_string_equal(task->bus, "memory");
    assert_string_equal(task->store, "memory");
    assert_string_equal(task->redis_url, "unix:///tmp/r.sock");
    assert_string_equal(task->data_dir, "/var/x");
    assert_int_equal(task->start, TASK_START_NEWEST);
    assert_int_equal(task->durability, TASK_DURABILITY_MACHINE);
    assert_int_equal(task->log_level, LOG_LEVEL_DEBUG);
    assert_true(task->refresh_seconds == 1 && task->retention_rows == 9);
    assert_true(task->retention_seconds == 604800);
    assert_true(task->clip_min == -(double)INFINITY && task->clip_max == 5.5);
    assert_true(task->label_min == -1000 && task->label_max == (double)INFINITY);
    task_free(task);
}

/* The environment wins over the file; a variable that is empty is as if it were not set. */
static void test_environment(void **state)
{
    (void)state;
    setenv("OXBOW_BUS", "memory", 1);
    setenv("OXBOW_VIEWS", "", 1);
    setenv("OXBOW_REDIS_URL", "redis://:p\"w@h:1/2", 1);
    setenv("OXBOW_DATA_DIR", "/d", 1);
    setenv("OXBOW_DURABILITY", "machine", 1);
    setenv("OXBOW_LOG_LEVEL", "error", 1);
    struct task *task = load("{" BASE ", " REST ", \"bus\": \"redis\", \"data_dir\": \"/e\"}");
    assert_string_equal(task->bus, "memory");
    assert_string_equal(task->views, "sqlite");
    assert_string_equal(task->redis_url, "redis://:p\"w@h:1/2");
    assert_string_equal(task->data_dir, "/d");
    assert_int_equal(task->durability, TASK_DURABILITY_MACHINE);
    assert_int_equal(task->log_level, LOG_LEVEL_ERROR);
    task_free(task);
    unsetenv("OXBOW_BUS");
    unsetenv("OXBOW_VIEWS");
    unsetenv("OXBOW_REDIS_URL");
    unsetenv("OXBOW_DATA_DIR");
    unsetenv("OXBOW_DURABILITY");
    unsetenv("OXBOW_LOG_LEVEL");
}

/* Comments of both kinds are blanks wherever a blank may be, and text inside strings. */
static void test_comments(void **state)
{
    struct task *task = load("\xEF\xBB\xBF// first\n/* { */{" BASE ", /**/" REST
                             ", \"data_dir\": \"a//b/*c*/\" /* * / ** */ } // last");

    (void)state;
    assert_string_equal(task->data_dir, "a//b/*c*/");
    task_free(task);
}

/* Where the SQL is: what the file says, from the file's folder on, or beside that folder. */
static void test_sql_dir(void **state)
{
    struct task *task = load("{" BASE ", " REST ", \"sql\": \"here/sql\"}");
    char expected[128];

    (void)state;
    snprintf(expected, sizeof(expected), "%s/here/sql", dir);
    assert_string_equal(task->sql_dir, expected);
    task_free(task);

    task = load("{" BASE ", " REST ", \"sql\": \"/abs\"}");
    assert_string_equal(task->sql_dir, "/abs");
    task_free(task);

    snprintf(expected, sizeof(expected), "%s/../sql/t/sqlite", dir);
    task = load("{" BASE ", " REST ", \"sql\": null}");
    assert_string_equal(task->sql_dir, expected);
    task_free(task);
}

/* The models are in the file's order, the baseline last, each with all its parameters. */
static void test_models(void **state)
{
    struct task *task = load(SMALL);

    (void)state;
    assert_int_equal(task->n_models, 3);
    assert_string_equal(task->models[0].name, "m");
    assert_string_equal(task->models[0].pipeline,
                        "[\"standard_scaler\", {\"linear_regression\": {\"l2\": 0.5}}]");
    assert_non_null(strstr(task->models[0].canonical, "\"l2\":0.5"));
    assert_non_null(strstr(task->models[0].canonical, "\"intercept_lr\":"));
    assert_string_equal(task->models[2].name, TASK_BASELINE);
    assert_string_equal(task->models[2].pipeline, "[\"mean\"]");
    task_free(task);
}

/* Clip keeps a prediction within its ends, and leaves what is no number alone. */
static void test_clip(void **state)
{
    struct task task = {.clip_min = 0, .clip_max = (double)INFINITY};

    (void)state;
    assert_true(task_clip(&task, -3) == 0);
    assert_true(task_clip(&task, 3) == 3);
    assert_true(task_clip(&task, (double)INFINITY) == (double)INFINITY);
    assert_true(isnan(task_clip(&task, (double)NAN)));
    task.clip_max = 2;
    assert_true(task_clip(&task, (double)INFINITY) == 2);
}

/* A binary task: its options, its baseline, and that its models must be classifiers. */
static void test_binary(void **state)
{
    static const char json[] =
        "{" BASE ", \"kind\": \"binary_classification\", \"positive\": \"fraud\", "
        "\"class_weight\": {\"positive\": 5}, \"features\": [\"a\"], \"label\": \"y\", "
        "\"models\": {\"m\": [\"logistic_regression\"]}}";
    struct task *task = load(json);
    struct err err = {0};
    double label = -1;

    (void)state;
    assert_true(task->is_binary && task->threshold == 0.5);
    assert_string_equal(task->models[task->n_models - 1].canonical, "[{\"prior\":{}}]");
    assert_true(task_weight(task, 1) == 5 && task_weight(task, 0) == 1);
    assert_true(label_of_text(task_positive(task), "fraud", 5, &label) && label == 1);
    assert_true(label_of_text(task_positive(task), "no", 2, &label) && label == 0);
    assert_false(label_of_number(task_positive(task), 1, &label));
    task_free(task);
    write_file("{" BASE ", " REST ", \"kind\": \"binary_classification\"}");
    assert_null(task_load(file, &err));
    assert_non_null(strstr(err.text, "models.m[1].linear_regression: is a regressor, and the task "
                                     "needs a classifier; write one of prior"));
    task = load(SMALL);
    assert_null(task_positive(task));
    assert_true(task_weight(task, 1) == 1);
    task_free(task);
}

/* A label can be learned when it is finite and within its range, ends included. */
static void test_label_ok(void **state)
{
    struct task task = {.label_min = 30, .label_max = 10800};

    (void)state;
    assert_true(task_label_ok(&task, 30) && task_label_ok(&task, 10800));
    assert_false(task_label_ok(&task, 29.999) || task_label_ok(&task, 10800.1));
    assert_false(task_label_ok(&task, (double)NAN));
    task.label_max = (double)INFINITY;
    assert_false(task_label_ok(&task, (double)INFINITY));
}

static void generation_of(const char *json, size_t model, uint64_t sql_hash, char *ret)
{
    struct task *task = load(json);

    task_generation(task, model, sql_hash, ret);
    assert_int_equal(strlen(ret), TASK_GENERATION_LEN);
    assert_int_equal(strspn(ret, "0123456789abcdef"), TASK_GENERATION_LEN);
    task_free(task);
}

/* Spelling out a default, and whatever has no part in a model's bytes, keeps its lineage. */
static void test_generation_same(void **state)
{
    static const char *const same[] = {
        SMALL,
        "/* comment */ {" BASE ", " REST "}",
        "{" BASE ", " REST ", \"max_model_bytes\": 16777216, \"clip\": [null, null]}",
        "{" BASE ", " REST ", \"refresh_seconds\": 5, \"durability\": \"machine\"}",
        "{" BASE ", " REST ", \"max_categories\": 7}",
        "{" BASE ", " REST ", \"drift\": {\"page_hinkley\": {\"threshold\": 900}}}",
        "{" BASE ", " REST ", \"drift\": null}",
        "{\"task\": \"u\", \"key\": \"k\", \"topics\": {\"requests\": \"1\", \"outcomes\": \"2\"}, "
        "\"label\": \"y\", \"features\": [{\"name\": \"a\", \"kind\": \"numeric\"}, {\"kind\": "
        "\"boolean\", \"name\": \"b\"}], \"models\": {\"other-name\": [{\"standard_scaler\": {}}, "
        "{\"linear_regression\": {\"l2\": 5e-1}}]}}",
    };
    char first[TASK_GENERATION_LEN + 1];
    char again[TASK_GENERATION_LEN + 1];

    (void)state;
    generation_of(same[0], 0, 1, first);
    for (size_t i = 1; i < sizeof(same) / sizeof(same[0]); i++) {
        generation_of(same[i], 0, 1, again);
        assert_string_equal(again, first);
    }
}

#define TASK_WITH(features, label, model, more)                                                    \
    "{" BASE ", \"features\": " features ", \"label\": \"" label "\", \"models\": {\"m\": " model  \
    "}" more "}"

/* Whatever decides what a model becomes begins a lineage of its own. */
static void test_generation_differs(void **state)
{
    static const char *const different[] = {
        TASK_WITH("[\"a\", \"b\"]", "y", "[\"linear_regression\"]", ""),
        TASK_WITH("[\"b\", \"a\"]", "y", "[\"linear_regression\"]", ""),
        TASK_WITH("[\"a\"]", "y", "[\"linear_regression\"]", ""),
        TASK_WITH("[\"a\", {\"name\": \"b\", \"kind\": \"boolean\"}]", "y",
                  "[\"linear_regression\"]", ""),
        TASK_WITH("[\"a\", \"b\"]", "z", "[\"linear_regression\"]", ""),
        TASK_WITH("[\"a\", \"b\"]", "y", "[\"mean\"]", ""),
        TASK_WITH("[\"a\", \"b\"]", "y", "[\"standard_scaler\", \"linear_regression\"]", ""),
        TASK_WITH("[\"a\", \"b\"]", "y", "[{\"linear_regression\": {\"l2\": 0.1}}]", ""),
        TASK_WITH("[\"a\", \"b\"]", "y", "[\"linear_regression\"]", ", \"clip\": [0, null]"),
        TASK_WITH("[\"a\", \"b\"]", "y", "[\"linear_regression\"]", ", \"label_range\": [0, null]"),
        TASK_WITH("[\"a\", \"b\"]", "y", "[\"linear_regression\"]", ", \"max_model_bytes\": 65536"),
    };
    enum { N = sizeof(different) / sizeof(different[0]) };
    char all[N + 1][TASK_GENERATION_LEN + 1];

    (void)state;
    for (size_t i = 0; i < N; i++)
        generation_of(different[i], 0, 1, all[i]);
    generation_of(different[0], 0, 2, all[N]);
    for (size_t i = 0; i <= N; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(all[i], all[j]);
}

/* The identity's form is for ever: another hash would begin every lineage again. */
static void test_generation_known(void **state)
{
    struct schema *features = schema_new();
    struct task_model model = {.canonical = (char *)(uintptr_t) "[{\"mean\":{}}]"};
    struct task task = {.features = features,
                        .label = (char *)(uintptr_t) "y",
                        .label_min = 30,
                        .label_max = 10800,
                        .clip_min = 0,
                        .clip_max = (double)INFINITY,
                        .max_model_bytes = 16777216,
                        .models = &model,
                        .n_models = 1};
    char generation[TASK_GENERATION_LEN + 1];

    (void)state;
    assert_int_equal(schema_add(features, "a", FEATURE_NUMERIC, NULL), 0);
    task_generation(&task, 0, 0x0123456789abcdef, generation);
    assert_string_equal(generation, "51a6719da9c55752");
    schema_free(features);
}

static void write_sql(const char *sql_dir, const char *name, const char *text)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%s", sql_dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void remove_sql(const char *sql_dir, const char *name)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%s", sql_dir, name);
    assert_int_equal(unlink(path), 0);
}

/* The SQL's hash depends on the .sql files' names and bytes, and on nothing else in the folder. */
static void test_sql_hash(void **state)
{
    char sql_dir[96];
    struct task task = {.file = file, .sql_dir = sql_dir};
    struct err err;
    uint64_t hash[5];

    (void)state;
    snprintf(sql_dir, sizeof(sql_dir), "%s/sql", dir);
    assert_int_equal(task_sql_hash(&task, &hash[0], &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, sql_dir));
    assert_int_equal(mkdir(sql_dir, 0700), 0);
    assert_int_equal(task_sql_hash(&task, &hash[0], &err), ERR_NOT_FOUND);

    write_sql(sql_dir, "02_b.sql", "select 2");
    write_sql(sql_dir, "01_a.sql", "select 1");
    assert_int_equal(task_sql_hash(&task, &hash[0], &err), 0);
    write_sql(sql_dir, "README.md", "no SQL");
    write_sql(sql_dir, ".03.sql", "hidden");
    assert_int_equal(task_sql_hash(&task, &hash[1], &err), 0);
    assert_true(hash[0] == hash[1]);

    write_sql(sql_dir, "01_a.sql", "select 1 ");
    assert_int_equal(task_sql_hash(&task, &hash[2], &err), 0);
    write_sql(sql_dir, "01_a.sql", "select 1");
    write_sql(sql_dir, "03_c.sql", "");
    assert_int_equal(task_sql_hash(&task, &hash[3], &err), 0);
    remove_sql(sql_dir, "03_c.sql");
    assert_int_equal(task_sql_hash(&task, &hash[4], &err), 0);
    assert_true(hash[0] != hash[2] && hash[0] != hash[3] && hash[2] != hash[3]);
    assert_true(hash[0] == hash[4]);

    remove_sql(sql_dir, "01_a.sql");
    remove_sql(sql_dir, "02_b.sql");
    remove_sql(sql_dir, "README.md");
    remove_sql(sql_dir, ".03.sql");
    assert_int_equal(rmdir(sql_dir), 0);
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
        cmocka_unit_test(test_taxi),
        cmocka_unit_test(test_taxi_defaults),
        cmocka_unit_test(test_no_map),
        cmocka_unit_test(test_taxi_is_complete),
        cmocka_unit_test(test_given),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_sql_dir),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_clip),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_label_ok),
        cmocka_unit_test(test_generation_same),
        cmocka_unit_test(test_generation_differs),
        cmocka_unit_test(test_generation_known),
        cmocka_unit_test(test_sql_hash),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
