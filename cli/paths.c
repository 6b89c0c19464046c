/* Paths, locks and small files. */
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define SMALL_FILE 65536

int paths_beside_program(char *ret, size_t size, const char *name)
{
    char self[PATHS_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n <= 0)
        return ERR_IO;
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    n = snprintf(ret, size, "%s/%s", self, name);
    return n > 0 && (size_t)n < size ? 0 : ERR_TOO_LARGE;
}

int paths_make_dir(const char *path, struct err *err)
{
    char *copy = mem_strdup(path);
    int rc = 0;

    for (char *p = copy + 1; rc == 0; p++) {
        if (*p != '/' && *p)
            continue;
        char end = *p;
        *p = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            rc = err_set(err, ERR_IO, "cannot make the folder %s: %s", copy, strerror(errno));
        *p = end;
        if (!end)
            break;
    }
    free(copy);
    return rc;
}

int paths_lock(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0)
        return err_set(err, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    int reason = errno;
    close(fd);
    if (reason == EWOULDBLOCK)
        return err_set(err, ERR_REFUSED, "another process holds %s", path);
    return err_set(err, ERR_IO, "cannot lock %s: %s", path, strerror(reason));
}

int paths_read(const char *path, struct buf *ret, struct err *err)
{
    FILE *f = fopen(path, "re");

    if (!f)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot open %s: %s", path,
                       strerror(errno));
    ret->len += fread(buf_reserve(ret, SMALL_FILE), 1, SMALL_FILE, f);
    ret->data[ret->len] = '\0';
    bool bad = ferror(f);
    fclose(f);
    return bad ? err_set(err, ERR_IO, "cannot read %s", path) : 0;
}

int paths_write(const char *path, const char *text, struct err *err)
{
    struct buf fresh = BUF_INIT;
    int rc = 0;

    buf_printf(&fresh, "%s.new", path);
    FILE *f = fopen(buf_str(&fresh), "we");
    bool bad = !f || fputs(text, f) < 0;
    if (f && fclose(f) != 0)
        bad = true;
    if (bad || rename(buf_str(&fresh), path) != 0)
        rc = err_set(err, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    buf_release(&fresh);
    return rc;
}
