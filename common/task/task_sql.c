/* The hash of a task's SQL, which is part of what its models are. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/buf.h"
#include "task/task.h"

static int is_sql(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 4 && strcmp(entry->d_name + len - 4, ".sql") == 0;
}

/* By bytes: the order of alphasort() depends on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Appends the name and the bytes, each with its length before it. */
static int append_file(const char *dir, const char *name, struct buf *all, struct err *err)
{
    struct buf path = BUF_INIT;
    struct buf text = BUF_INIT;
    int code = 0;
    size_t n;

    buf_printf(&path, "%s/%s", dir, name);
    FILE *file = fopen(buf_str(&path), "rb");
    if (file) {
        while ((n = fread(buf_reserve(&text, 65536), 1, 65536, file)) > 0)
            text.len += n;
    }
    if (!file || ferror(file))
        code = err_set(err, ERR_IO, "%s: cannot be read: %s", buf_str(&path), strerror(errno));
    if (file)
        fclose(file);

    if (!code) {
        buf_printf(all, "%zu:%s%zu:", strlen(name), name, text.len);
        buf_append(all, text.data, text.len);
    }
    buf_release(&path);
    buf_release(&text);
    return code;
}

int task_sql_hash(const struct task *task, uint64_t *ret, struct err *err)
{
    struct dirent **entries = NULL;
    struct buf all = BUF_INIT;
    int n = scandir(task->sql_dir, &entries, is_sql, by_name);
    int code = 0;

    if (n < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
                       "%s: cannot be read: %s; the task's SQL belongs there, or say \"sql\" in %s",
                       task->sql_dir, strerror(errno), task->file);
    if (n == 0)
        code = err_set(err, ERR_NOT_FOUND, "%s: has no .sql file; the task's SQL belongs there",
                       task->sql_dir);
    for (int i = 0; i < n; i++) {
        if (!code)
            code = append_file(task->sql_dir, entries[i]->d_name, &all, err);
        free(entries[i]);
    }
    free(entries);
    if (!code)
        *ret = XXH64(buf_str(&all), all.len, 0);
    buf_release(&all);
    return code;
}
