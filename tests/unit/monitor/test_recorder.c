/* What the monitor keeps over a restart, and what becomes of a damaged file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "monitor/recorder.h"
#include "unit/monitor/task_file.h"

static char dir[] = "/tmp/oxbow-recorder-XXXXXX";
static char path[64];
static char warning[700];

static void warn(const char *text)
{
    snprintf(warning, sizeof(warning), "%s", text);
}

static int make_dir(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/monitor.db", dir);
    return 0;
}

/* Removes what the tests have left; *ret_damaged: files that were set aside. */
static int empty_dir(size_t *ret_damaged)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    char file[600];

    while (d && (entry = readdir(d))) {
        if (entry->d_name[0] == '.')
            continue;
        if (ret_damaged && strstr(entry->d_name, "monitor.db.damaged-") == entry->d_name)
            ++*ret_damaged;
        snprintf(file, sizeof(file), "%s/%s", dir, entry->d_name);
        unlink(file);
    }
    return d ? closedir(d) : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    empty_dir(NULL);
    return rmdir(dir);
}

static struct monitor *new_monitor(const struct task *task)
{
    struct err err = {0};
    struct monitor *m = monitor_new(task, 0, &err);

    assert_non_null(m);
    return m;
}

static void seconds(struct recorder *r, struct monitor *m, int64_t from_ms, int n)
{
    struct buf tick = BUF_INIT;
    uint64_t id;

    for (int i = 0; i < n; i++) {
        buf_clear(&tick);
        monitor_second(m, NULL, 0, from_ms + i * 1000, recorder_point, r, &id, &tick);
        recorder_commit(r, m, from_ms + i * 1000);
    }
    buf_release(&tick);
}

/* A labelled row; both models are 5 off. */
static void label(struct monitor *m, int seq)
{
    char key[16], value[400];
    int len = snprintf(value, sizeof(value),
                       "{\"seq\":%d,\"trip_id\":\"k%d\",\"duration\":10,\"features\":{\"a\":1},"
                       "\"predictions\":{\"one\":{\"value\":15},\"two\":{\"value\":5}}}",
                       seq, seq);
    struct bus_msg msg = {.topic = "learning-queue", .key = key, .value = value};

    msg.key_len = (size_t)snprintf(key, sizeof(key), "k%d", seq);
    msg.value_len = (size_t)len;
    monitor_messages(m, &msg, 1, 0);
}

static void mark(struct monitor *m, const char *text, int64_t time_ms)
{
    struct mark of = {.kind = (char[]){"restart"},
                      .text = (char *)(uintptr_t)text,
                      .time_ms = time_ms,
                      .event_ms = 7,
                      .until_ms = INT64_MIN};

    assert_true(monitor_mark(m, &of));
}

static struct buf history(struct monitor *m)
{
    struct buf out = BUF_INIT;
    struct err err;

    assert_int_equal(monitor_write_history(m, "1h", "wall", NULL, NULL, &out, &err), 0);
    return out;
}

/* Curves, marks and the map are there again, also when nobody closed the file; the time in between
 * is an outage. */
static void test_restart(void **state)
{
    struct task *task = load_task_file("");
    int64_t now_ms = clock_wall_ms() / 1000 * 1000;
    struct monitor *m = new_monitor(task);
    struct recorder *r = recorder_open(path, warn);
    struct buf blob = BUF_INIT;

    (void)state;
    warning[0] = '\0';
    recorder_restore(r, m, now_ms - 200000);
    monitor_begin(m, "11111111-1111-4111-8111-111111111111", now_ms - 200000);
    for (int i = 1; i <= 1500; i++)
        label(m, i);
    seconds(r, m, now_ms - 200000, 60);
    mark(m, "it \"died\"", now_ms - 150000);
    recorder_put(r, "other", "\0bytes", 6);
    seconds(r, m, now_ms - 140000, 1);
    struct buf before = history(m);

    /* As after kill -9: nobody ends the transaction, and the lock goes with the process. */
    char copy[400];
    snprintf(copy, sizeof(copy), "cp %s %s/copy.db && cp %s-wal %s/copy.db-wal", path, dir, path,
             dir);
    assert_int_equal(system(copy), 0);
    monitor_free(m);
    recorder_close(r);

    snprintf(copy, sizeof(copy), "%s/copy.db", dir);
    m = new_monitor(task);
    r = recorder_open(copy, warn);
    recorder_restore(r, m, now_ms);
    struct buf after = history(m);
    char *marks_before = strstr(before.data, "\"marks\"");
    char *marks_after = strstr(after.data, "\"marks\"");
    assert_non_null(marks_before);
    assert_memory_equal(before.data, after.data, (size_t)(marks_before - before.data));
    assert_non_null(strstr(marks_after, "it \\\"died\\\""));
    assert_non_null(strstr(marks_after, "\"kind\":\"outage\""));
    char id[UUID_TEXT_LEN + 1];
    monitor_incarnation(m, id);
    assert_string_equal(id, "11111111-1111-4111-8111-111111111111");
    struct buf snapshot = BUF_INIT;
    uint64_t id_of;
    monitor_write_snapshot(m, &snapshot, &id_of);
    assert_non_null(strstr(snapshot.data, "\"window\":{\"n\":1000,\"mae\":5,\"low\":5,\"high\":5,"
                                          "\"rmse\":5,\"bias\":-5}"));
    buf_release(&snapshot);
    assert_true(recorder_get(r, "other", &blob) && blob.len == 6);
    assert_false(recorder_get(r, "another", &blob));
    assert_string_equal(warning, "");
    recorder_close(r);
    monitor_free(m);
    buf_release(&before);
    buf_release(&after);
    buf_release(&blob);
    task_free(task);
    empty_dir(NULL);
}

static void write_file(const char *text, size_t len)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    fclose(f);
}

/* A file that is no database, or half of one, is set aside with a warning, and a new one begun. */
static void test_damaged(void **state)
{
    struct task *task = load_task_file("");
    struct monitor *m = new_monitor(task);
    char page[8192];
    size_t damaged = 0;

    (void)state;
    memset(page, 'x', sizeof(page));
    write_file(page, sizeof(page));
    warning[0] = '\0';
    struct recorder *r = recorder_open(path, warn);
    assert_true(recorder_keeps(r));
    assert_non_null(strstr(warning, "is damaged: set aside as"));
    seconds(r, m, clock_wall_ms(), 200);
    recorder_close(r);

    /* Its middle is overwritten. */
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, 4096, SEEK_SET), 0);
    assert_int_equal(fwrite(page, 1, sizeof(page), f), sizeof(page));
    fclose(f);
    warning[0] = '\0';
    r = recorder_open(path, warn);
    assert_true(recorder_keeps(r));
    assert_non_null(strstr(warning, "is damaged"));
    recorder_restore(r, m, clock_wall_ms());
    recorder_close(r);
    monitor_free(m);
    task_free(task);
    empty_dir(&damaged);
    assert_true(damaged >= 2);
}

/* A second monitor on the same folder keeps nothing, and says so; nor does one without a folder. */
static void test_taken(void **state)
{
    struct task *task = load_task_file("");
    struct monitor *m = new_monitor(task);
    struct recorder *one = recorder_open(path, warn);
    struct recorder *two = recorder_open(path, warn);

    (void)state;
    assert_true(recorder_keeps(one) && !recorder_keeps(two));
    assert_non_null(strstr(warning, "another oxbow-monitor keeps its curves"));
    seconds(two, m, clock_wall_ms(), 3);
    recorder_put(two, "x", "y", 1);
    recorder_restore(two, m, clock_wall_ms());
    recorder_close(one);
    recorder_close(two);

    one = recorder_open("/nowhere/monitor.db", warn);
    assert_false(recorder_keeps(one));
    assert_non_null(strstr(warning, "the curves are not kept over a restart"));
    recorder_close(one);
    monitor_free(m);
    task_free(task);
    empty_dir(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_taken),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
