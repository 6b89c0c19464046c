/*
 * Any bytes as what a client may write: a target, a form, a cookie, Accept-Encoding, If-None-Match,
 * Host. What is read holds to what http_parse.h promises; above all, no path leads upwards.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "http/http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int is_true)
{
    if (!is_true)
        abort();
}

static void check_path(const struct http_target *target)
{
    const char *path = target->path.data;
    size_t len = target->path.len;

    require(len > 0 && path[0] == '/' && strlen(path) == len && json_utf8_valid(path, len));
    require(!strstr(path, "/../"));
    require(len < 3 || strcmp(path + len - 3, "/..") != 0);
    if (!target->is_file_name)
        return;
    require(!strstr(path, "//") && !strstr(path, "/./") && !strchr(path, '\\'));
    for (size_t i = 0; i < len; i++)
        require((unsigned char)path[i] >= 0x20 && path[i] != 0x7f);
}

static void check_params(const struct http_params *params)
{
    require(params->n <= HTTP_PARAMS_MAX);
    for (size_t i = 0; i < params->n; i++) {
        const char *name = params->text.data + params->name[i];
        const char *value = http_params_get(params, name);
        require(value && value + strlen(value) < params->text.data + params->text.len);
        require(json_utf8_valid(name, strlen(name)) && json_utf8_valid(value, strlen(value)));
    }
}

/* A path that was read reads again, escaped, as itself. */
static void check_again(const struct http_target *target)
{
    static const char digits[] = "0123456789abcdef";
    struct http_target again = {0};
    struct buf escaped = BUF_INIT;
    struct err err = {0};

    for (size_t i = 0; i < target->path.len; i++) {
        char c = target->path.data[i];
        if (c == '/') {
            buf_byte(&escaped, c);
        } else {
            buf_byte(&escaped, '%');
            buf_byte(&escaped, digits[(unsigned char)c >> 4]);
            buf_byte(&escaped, digits[(unsigned char)c & 15]);
        }
    }
    require(http_target_parse(&again, escaped.data, escaped.len, &err) == 0);
    require(strcmp(again.path.data, target->path.data) == 0);
    http_target_release(&again);
    buf_release(&escaped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_target target = {0};
    struct http_params form = {0};
    struct err err = {0};
    size_t len = 0;

    /* A copy of exactly this size, so that a byte read past the end is seen. */
    char *bytes = malloc(size ? size : 1);
    if (size)
        memcpy(bytes, data, size);
    if (http_target_parse(&target, bytes, size, &err) == 0) {
        check_path(&target);
        check_params(&target.params);
        if (target.is_file_name)
            check_again(&target);
    } else {
        require(err.text[0] != '\0');
    }
    if (http_params_parse(&form, bytes, size, &err) == 0)
        check_params(&form);
    http_target_release(&target);
    http_params_release(&form);
    free(bytes);

    char *text = malloc(size + 1);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    const char *cookie = http_cookie(text, "oxbow", &len);
    require(!cookie || (cookie > text && cookie + len <= text + strlen(text)));
    if (http_takes_gzip(text))
        require(strchr(text, '*') || strcasestr(text, "gzip"));
    if (http_has_tag(text, "0123456789abcdef"))
        require(strchr(text, '*') || strstr(text, "\"0123456789abcdef\""));
    if (http_host_known(text, NULL, 0))
        require(strncasecmp(text, "localhost", 9) == 0 || strncmp(text, "127.0.0.1", 9) == 0 ||
                strncmp(text, "[::1]", 5) == 0);
    free(text);
    return 0;
}
