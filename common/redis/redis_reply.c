#include "redis/redis_reply.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CHUNK_MIN    ((size_t)64 << 10)
#define CHUNK_KEEP   ((size_t)4 << 20)
#define ELEMENTS_MAX ((size_t)1 << 26) /* more than this in one array is no sane answer */

struct redis_chunk {
    struct redis_chunk *older;
    size_t size;
    size_t used;
    alignas(max_align_t) char data[];
};

static struct redis_chunk *chunk_new(size_t size, struct redis_chunk *older)
{
    struct redis_chunk *chunk = mem_alloc(sizeof(*chunk) + size);

    chunk->older = older;
    chunk->size = size;
    chunk->used = 0;
    return chunk;
}

void *redis_arena_alloc(struct redis_arena *a, size_t size)
{
    const size_t align = alignof(max_align_t);
    struct redis_chunk *chunk = a->chunks;

    size = (size + align - 1) & ~(align - 1);
    if (!chunk || chunk->size - chunk->used < size) {
        size_t want = chunk && chunk->size < CHUNK_KEEP ? chunk->size * 2 : CHUNK_MIN;

        if (chunk)
            a->total += chunk->used;
        chunk = chunk_new(want < size ? size : want, chunk);
        a->chunks = chunk;
    }
    void *p = chunk->data + chunk->used;
    chunk->used += size;
    return p;
}

void redis_arena_release(struct redis_arena *a)
{
    while (a->chunks) {
        struct redis_chunk *older = a->chunks->older;

        free(a->chunks);
        a->chunks = older;
    }
    a->total = 0;
}

void redis_arena_reset(struct redis_arena *a)
{
    struct redis_chunk *chunk = a->chunks;

    if (!chunk)
        return;
    if (!chunk->older && chunk->size <= CHUNK_KEEP) {
        chunk->used = 0;
        return;
    }
    size_t want = a->total + chunk->used;
    redis_arena_release(a);
    if (want > CHUNK_KEEP)
        want = CHUNK_KEEP;
    a->chunks = chunk_new(want < CHUNK_MIN ? CHUNK_MIN : want, NULL);
}

/* ---- The functions that hiredis' parser calls ---- */

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

/* Makes an object with `extra` bytes behind it, and hangs it into its parent. */
static redisReply *object_new(const redisReadTask *task, size_t extra)
{
    redisReply *r = redis_arena_alloc(task->privdata, sizeof(*r) + extra);

    memset(r, 0, sizeof(*r));
    r->type = task->type;
    if (task->parent) {
        redisReply *parent = task->parent->obj;
        parent->element[task->idx] = r;
    }
    return r;
}

static void *create_string(const redisReadTask *task, char *s, size_t len)
{
    redisReply *r = object_new(task, len + 1);

    r->str = (char *)(r + 1);
    r->len = len;
    memcpy(r->str, s, len);
    r->str[len] = '\0';
    return r;
}

static void *create_array(const redisReadTask *task, element_count n)
{
    if ((size_t)n > ELEMENTS_MAX)
        return NULL;
    redisReply *r = object_new(task, (size_t)n * sizeof(r->element[0]));

    r->elements = (size_t)n;
    r->element = (redisReply **)(void *)(r + 1);
    if (n)
        memset(r->element, 0, (size_t)n * sizeof(r->element[0]));
    return r;
}

static void *create_integer(const redisReadTask *task, long long value)
{
    redisReply *r = object_new(task, 0);

    r->integer = value;
    return r;
}

static void *create_nil(const redisReadTask *task)
{
    redisReply *r = object_new(task, 0);

    r->type = REDIS_REPLY_NIL; /* a null array's task says array */
    return r;
}

static void free_object(void *r)
{
    (void)r; /* lives in the arena */
}

static redisReplyObjectFunctions arena_functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
};

redisReader *redis_reply_reader_new(struct redis_arena *a)
{
    redisReader *reader = redisReaderCreateWithFunctions(&arena_functions);

    if (!reader)
        abort();
    reader->privdata = a;
    reader->maxbuf = 0; /* keep the read buffer between replies */
    return reader;
}

/* ---- Looking into replies ---- */

const redisReply *redis_reply_get(const redisReply *map, const char *name)
{
    if (!map || map->type != REDIS_REPLY_ARRAY)
        return NULL;
    for (size_t i = 0; i + 1 < map->elements; i += 2) {
        const redisReply *r = map->element[i];

        if (r->str && strcmp(r->str, name) == 0)
            return map->element[i + 1];
    }
    return NULL;
}

int64_t redis_reply_int(const redisReply *r)
{
    if (!r)
        return 0;
    if (r->type == REDIS_REPLY_INTEGER)
        return r->integer;
    return r->str ? strtoll(r->str, NULL, 10) : 0;
}

const char *redis_reply_text(const redisReply *r)
{
    return r && r->str ? r->str : "";
}

bool redis_reply_is_error(const redisReply *r, const char *prefix)
{
    return r && r->type == REDIS_REPLY_ERROR && strncmp(r->str, prefix, strlen(prefix)) == 0;
}

int redis_reply_error(const redisReply *r, const char *subject, struct err *err)
{
    static const char *const away[] = {"LOADING",     "READONLY", "MASTERDOWN",
                                       "CLUSTERDOWN", "TRYAGAIN", "BUSY ",
                                       "MISCONF",     "OOM",      "NOREPLICAS"};
    const char *sep = subject ? ": " : "";

    if (!r || r->type != REDIS_REPLY_ERROR)
        return 0;
    if (!subject)
        subject = "";
    for (size_t i = 0; i < sizeof(away) / sizeof(away[0]); i++)
        if (redis_reply_is_error(r, away[i]))
            return err_set_retriable(err, ERR_DISCONNECTED, "%s%sRedis cannot serve now: %s",
                                     subject, sep, r->str);
    if (redis_reply_is_error(r, "WRONGTYPE"))
        return err_set(
            err, ERR_REFUSED,
            "%s%sthe key holds something else than expected: delete it or choose another "
            "name (%s)",
            subject, sep, r->str);
    if (redis_reply_is_error(r, "NOAUTH") || redis_reply_is_error(r, "WRONGPASS"))
        return err_set(err, ERR_REFUSED,
                       "Redis wants a user and password: write redis://user:password@host (%s)",
                       r->str);
    if (redis_reply_is_error(r, "ERR unknown command"))
        return err_set(err, ERR_UNSUPPORTED, "%s%sRedis 7.0 or newer is needed: %s", subject, sep,
                       r->str);
    return err_set(err, ERR_REFUSED, "%s%sRedis answers: %s", subject, sep, r->str);
}
