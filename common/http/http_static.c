/*
 * Files: a folder or one file, kept in memory with its tag and its compressed form until size or
 * time of change say that it is another. Links are followed, and must end inside of the folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/http_internal.h"

#define FILE_BYTES_MAX (8 * 1024 * 1024)
#define KEPT_MAX       256 /* files in memory; above it they are read each time */
#define COMPRESS_LEVEL 9   /* once a file */

struct kept {
    char *path;
    struct timespec changed;
    struct buf plain;
    struct buf packed; /* empty where that is not smaller */
    char tag[40];
};

struct http_folder {
    char *root;   /* without links; a folder, or the one file */
    bool is_file; /* root is a file */
    struct kept *kept;
    size_t n_kept;
    pthread_mutex_t lock;
};

void http_folder_free(struct http_folder *folder)
{
    for (size_t i = 0; i < folder->n_kept; i++) {
        free(folder->kept[i].path);
        buf_release(&folder->kept[i].plain);
        buf_release(&folder->kept[i].packed);
    }
    free(folder->kept);
    free(folder->root);
    pthread_mutex_destroy(&folder->lock);
    free(folder);
}

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {
        {".html", "text/html"},
        {".css", "text/css"},
        {".js", "text/javascript"},
        {".mjs", "text/javascript"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".ico", "image/x-icon"},
        {".webp", "image/webp"},
        {".woff2", "font/woff2"},
        {".txt", "text/plain"},
        {".md", "text/plain"},
        {".map", "application/json"},
        {".webmanifest", "application/manifest+json"},
    };
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(dot, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

/* Names */

/* "a/.git/b" and ".env" are nobody's business. */
static bool has_hidden_part(const char *rest)
{
    return rest[0] == '.' || strstr(rest, "/.");
}

static bool is_inside(const char *path, const char *root)
{
    size_t len = strlen(root);

    return strncmp(path, root, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* The true path of what is asked for; NULL when it is not there, or not inside. */
static char *resolve(const struct http_folder *folder, const struct http_request *req)
{
    struct buf path = BUF_INIT;
    const char *rest = http_rest(req);

    if (folder->is_file)
        return mem_strdup(folder->root);
    if (!req->target.is_file_name || has_hidden_part(rest))
        return NULL;
    buf_printf(&path, "%s/%s", folder->root, rest);
    if (path.data[path.len - 1] == '/')
        buf_text(&path, "index.html");
    char *real = realpath(path.data, NULL);
    buf_release(&path);
    if (real && !is_inside(real, folder->root)) {
        free(real);
        return NULL;
    }
    return real;
}

/* Files */

/* Reads the file anew into `kept`; ERR_NOT_FOUND where there is none that may be read. */
static int load(const char *path, int fd, const struct stat *st, struct kept *kept)
{
    struct buf body = BUF_INIT;
    size_t size = (size_t)st->st_size;
    char *to = buf_reserve(&body, size);

    while (body.len < size) {
        ssize_t n = read(fd, to + body.len, size - body.len);
        if (n <= 0)
            break;
        body.len += (size_t)n;
    }
    to[body.len] = '\0';
    if (body.len < size) { /* it is being written just now */
        buf_release(&body);
        return ERR_NOT_FOUND;
    }
    buf_release(&kept->plain);
    buf_release(&kept->packed);
    kept->plain = body;
    kept->changed = st->st_mtim;
    http_tag_of(&kept->plain, kept->tag);
    if (http_type_is_text(type_of(path)))
        http_compress(&kept->plain, COMPRESS_LEVEL, &kept->packed);
    return 0;
}

static struct kept *find(struct http_folder *folder, const char *path)
{
    for (size_t i = 0; i < folder->n_kept; i++)
        if (strcmp(folder->kept[i].path, path) == 0)
            return &folder->kept[i];
    /* Above the bound the last place is used again and again. */
    if (folder->n_kept < KEPT_MAX) {
        folder->kept = mem_realloc(folder->kept, folder->n_kept + 1, sizeof(*folder->kept));
        folder->kept[folder->n_kept++] = (struct kept){0};
    }
    struct kept *kept = &folder->kept[folder->n_kept - 1];
    free(kept->path);
    kept->path = mem_strdup(path);
    kept->changed = (struct timespec){-1, 0};
    return kept;
}

static bool is_current(const struct kept *kept, const struct stat *st)
{
    return kept->changed.tv_sec == st->st_mtim.tv_sec &&
           kept->changed.tv_nsec == st->st_mtim.tv_nsec && kept->plain.len == (size_t)st->st_size;
}

static int reply_kept(const struct kept *kept, const struct http_request *req,
                      struct http_reply *reply)
{
    struct buf body = BUF_INIT;
    bool packed = kept->packed.len && http_takes_gzip(http_header(req, "Accept-Encoding"));
    const struct buf *source = packed ? &kept->packed : &kept->plain;

    buf_append(&body, buf_str(source), source->len);
    http_reply_body(reply, 200, type_of(kept->path), &body);
    reply->is_compressed = packed;
    memcpy(reply->tag, kept->tag, sizeof(reply->tag));
    return 0;
}

/* ERR_NOT_FOUND: there is no such file, or none that is given away. */
static int reply_file(struct http_folder *folder, const char *path, const struct http_request *req,
                      struct http_reply *reply)
{
    struct stat st;
    int rc = ERR_NOT_FOUND;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return rc;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_BYTES_MAX) {
        pthread_mutex_lock(&folder->lock);
        struct kept *kept = find(folder, path);
        rc = is_current(kept, &st) ? 0 : load(path, fd, &st, kept);
        if (rc == 0)
            rc = reply_kept(kept, req, reply);
        pthread_mutex_unlock(&folder->lock);
    }
    close(fd);
    return rc;
}

static void answer(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct http_folder *folder = ctx;
    char *path = resolve(folder, req);

    if (!path || reply_file(folder, path, req, reply) != 0)
        http_reply_error(reply, 404, "there is no file %.200s", http_path(req));
    free(path);
}

/* Routes */

static int add(struct http_server *server, const char *path, const char *root, bool is_file,
               struct err *err)
{
    struct stat st;
    char *real = realpath(root, NULL);

    if (!real || stat(real, &st) != 0 || (is_file ? !S_ISREG(st.st_mode) : !S_ISDIR(st.st_mode))) {
        free(real);
        return err_set(err, ERR_NOT_FOUND, "%s is no %s%s%s", root, is_file ? "file" : "folder",
                       errno ? ": " : "", errno ? strerror(errno) : "");
    }

    struct http_folder *folder = mem_zalloc(1, sizeof(*folder));
    folder->root = real;
    folder->is_file = is_file;
    pthread_mutex_init(&folder->lock, NULL);
    server->folders =
        mem_realloc(server->folders, server->n_folders + 1, sizeof(struct http_folder *));
    server->folders[server->n_folders++] = folder;
    http_handle(server, "GET", path, answer, folder);
    server->routes[server->n_routes - 1].is_folder = !is_file;
    return 0;
}

int http_static(struct http_server *server, const char *path, const char *dir, struct err *err)
{
    errno = 0;
    return add(server, path, dir, false, err);
}

int http_static_file(struct http_server *server, const char *path, const char *file,
                     struct err *err)
{
    errno = 0;
    return add(server, path, file, true, err);
}
