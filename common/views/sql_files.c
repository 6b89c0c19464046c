#include "views/sql_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SQL_MAX   (1 << 20)
#define SQL_FILES 256

void sql_files_release(struct sql_files *files)
{
    for (size_t i = 0; i < files->n; i++) {
        free(files->file[i].name);
        buf_release(&files->file[i].text);
    }
    free(files->file);
    *files = (struct sql_files){0};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sql_file *)a)->name, ((const struct sql_file *)b)->name);
}

static int read_file(const char *dir, struct sql_file *file, struct err *err)
{
    struct buf path = BUF_INIT;
    int code = 0;

    buf_printf(&path, "%s/%s", dir, file->name);
    FILE *f = fopen(path.data, "re");
    if (!f)
        code = err_set(err, ERR_IO, "cannot read %s: %s", path.data, strerror(errno));
    else {
        size_t n = fread(buf_reserve(&file->text, SQL_MAX), 1, SQL_MAX, f);
        file->text.len = n;
        file->text.data[n] = '\0';
        if (n == SQL_MAX)
            code = err_set(err, ERR_TOO_LARGE, "%s is over 1 MB", path.data);
        fclose(f);
    }
    buf_release(&path);
    return code;
}

int sql_files_read(const char *dir, struct sql_files *ret, struct err *err)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;
    int code = 0;

    if (!d)
        return err_set(err, ERR_NOT_FOUND, "cannot read the task's SQL in %s: %s", dir,
                       strerror(errno));
    ret->file = mem_zalloc(SQL_FILES, sizeof(*ret->file));
    while ((entry = readdir(d)) && ret->n < SQL_FILES) {
        size_t len = strlen(entry->d_name);
        if (len > 4 && strcmp(entry->d_name + len - 4, ".sql") == 0)
            ret->file[ret->n++].name = mem_strdup(entry->d_name);
    }
    closedir(d);
    if (ret->n == 0)
        return err_set(err, ERR_NOT_FOUND, "%s holds no .sql file", dir);
    qsort(ret->file, ret->n, sizeof(*ret->file), by_name);

    for (size_t i = 0; i < ret->n && code == 0; i++)
        code = read_file(dir, &ret->file[i], err);
    return code;
}

int sql_file_line(const struct sql_file *file, const char *at)
{
    int line = 1;

    for (const char *p = file->text.data; p < at; p++)
        line += *p == '\n';
    return line;
}
