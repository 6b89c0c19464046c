/* The server over a real socket: routes, what it refuses by itself, files, token, limits. */
#include "unit/http/http_fixture.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"

#define BROWSER "Accept: text/html,application/xhtml+xml\r\n"

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    fixture_start(f, &(struct http_options){0});
    *state = f;
    return 0;
}

static int setup_with_token(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    fixture_start(f, &(struct http_options){.token = FIXTURE_TOKEN});
    *state = f;
    return 0;
}

static int setup_small(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    fixture_start(f, &(struct http_options){.max_connections = 12,
                                            .max_per_ip = 10,
                                            .idle_timeout_s = 2,
                                            .max_body_bytes = 100,
                                            .max_header_bytes = 1000});
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_stop(*state);
    test_free(*state);
    return 0;
}

/* Routes */

/* A handler gets method, path, rest, query and body, decoded. */
static void test_request(void **state)
{
    const struct fixture *f = *state;
    struct buf out = BUF_INIT;

    assert_string_equal(
        fixture_get(f, "/echo/caf%C3%A9%2F%25//./b?b=1&a=two+words%21&a=3", "", &out),
        "{\"method\":\"GET\",\"path\":\"/echo/caf\xc3\xa9/%/b\",\"rest\":\"caf\xc3\xa9/%/b\","
        "\"a\":\"two words!\",\"body\":\"\"}");
    assert_int_equal(fixture_status(&out), 200);
    assert_string_equal(fixture_header(&out, "Content-Type"), "application/json; charset=utf-8");

    fixture_ask(f,
                "POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                &out);
    assert_string_equal(fixture_body(&out, NULL),
                        "{\"method\":\"POST\",\"path\":\"/echo\",\"rest\":\"\",\"a\":null,"
                        "\"body\":\"abcde\"}");
    buf_release(&out);
}

/* HEAD is GET without the body; two requests fit on one connection. */
static void test_head_and_keep_alive(void **state)
{
    const struct fixture *f = *state;
    struct buf out = BUF_INIT;

    fixture_ask(f,
                "HEAD /number HTTP/1.1\r\nHost: localhost\r\n\r\n"
                "GET /number?n=7 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                &out);
    assert_int_equal(fixture_status(&out), 200);
    assert_string_equal(fixture_header(&out, "Content-Length"), "2");
    assert_string_equal(fixture_header(&out, "Content-Disposition"),
                        "attachment; filename=\"a _number_.txt\"");
    assert_memory_equal(fixture_body(&out, NULL), "HTTP/1.1 200", 12);
    assert_non_null(strstr(out.data, "\r\n\r\n7\n"));
    buf_release(&out);
}

/* Every answer, errors too, has the headers that keep a browser safe. */
static void test_safe_headers(void **state)
{
    static const char *const paths[] = {"/echo", "/none", "/files/none", "/%00", "/silent"};
    const struct fixture *f = *state;
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        fixture_get(f, paths[i], "", &out);
        assert_string_equal(fixture_header(&out, "Content-Security-Policy"),
                            "default-src 'self'; object-src 'none'; base-uri 'none'; "
                            "form-action 'self'; frame-ancestors 'none'");
        assert_string_equal(fixture_header(&out, "X-Content-Type-Options"), "nosniff");
        assert_string_equal(fixture_header(&out, "Referrer-Policy"), "no-referrer");
        assert_null(fixture_header(&out, "Server"));
        if (i > 0)
            assert_string_equal(fixture_header(&out, "Cache-Control"), "no-store");
    }
    buf_release(&out);
}

struct refused {
    const char *line; /* what comes before " HTTP/1.1" */
    int status;
    const char *text; /* of the error */
};

/* What no handler sees. */
static void test_refused(void **state)
{
    static const struct refused cases[] = {
        {"GET /none", 404, "{\"error\":\"there is nothing at /none\"}\n"},
        {"GET /echo/../echo", 400, "{\"error\":\"the address holds \\\"..\\\"\"}\n"},
        {"GET /echo/%2e%2E/echo", 400, "{\"error\":\"the address holds \\\"..\\\"\"}\n"},
        {"GET /echo/a%2f..%2fb", 400, "{\"error\":\"the address holds \\\"..\\\"\"}\n"},
        {"GET /echo/%5c..%5cb", 400, "{\"error\":\"the address holds \\\"..\\\"\"}\n"},
        {"GET /echo%00", 400, "{\"error\":\"the address holds a NUL\"}\n"},
        {"GET /echo?a=%00", 400, "{\"error\":\"the address holds a NUL\"}\n"},
        {"GET /echo%zz", 400, NULL},
        {"GET /echo%f", 400, NULL},
        {"GET /echo/%ff", 400, "{\"error\":\"the address is not UTF-8\"}\n"},
        {"GET /echo\\b", 400, NULL},
        {"GET echo", 400, "{\"error\":\"an address begins with '/'\"}\n"},
        {"GET http://localhost/echo", 400, "{\"error\":\"an address begins with '/'\"}\n"},
        {"DELETE /echo", 405,
         "{\"error\":\"DELETE is not for this address: use GET, HEAD, POST\"}\n"},
        {"BREW /echo", 405, "{\"error\":\"BREW is not for this address: use GET, HEAD, POST\"}\n"},
        {"GET /number?n=11", 400,
         "{\"error\":\"n is a whole number from 1 to 10, not \\\"11\\\"\"}\n"},
        {"GET /silent", 500, "{\"error\":\"the service gave no answer\"}\n"},
        {"POST /files/a", 405, "{\"error\":\"POST is not for this address: use GET, HEAD\"}\n"},
    };
    const struct fixture *f = *state;
    struct buf out = BUF_INIT;
    char request[512];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(request, sizeof(request),
                 "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", cases[i].line);
        fixture_ask(f, request, &out);
        assert_int_equal(fixture_status(&out), cases[i].status);
        if (cases[i].text)
            assert_string_equal(fixture_body(&out, NULL), cases[i].text);
        assert_int_equal(strncmp(fixture_body(&out, NULL), "{\"error\":", 9), 0);
        if (cases[i].status == 405)
            assert_non_null(fixture_header(&out, "Allow"));
    }
    buf_release(&out);
}

/* What is no HTTP gets an error or a closed connection, and the server goes on. */
static void test_no_http(void **state)
{
    static const char *const cases[] = {
        "\r\n\r\n\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n", /* no Host */
        "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", /* the beginning of TLS */
    };
    const struct fixture *f = *state;
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = fixture_connect(f);
        fixture_write(fd, cases[i], strlen(cases[i]));
        shutdown(fd, SHUT_WR);
        buf_clear(&out);
        assert_true(fixture_read(fd, &out, NULL)); /* some at once, some at the idle timeout */
        close(fd);
        assert_true(out.len == 0 || fixture_status(&out) >= 400);
        fixture_get(f, "/echo", "", &out);
        assert_int_equal(fixture_status(&out), 200);
    }
    buf_release(&out);
}

/* A page of another name that resolves to this machine gets nothing; nor does one of another site.
 */
static void test_host_and_origin(void **state)
{
    static const struct {
        const char *headers;
        int status;
    } cases[] = {
        {"Host: localhost\r\n", 200},
        {"Host: LOCALHOST:8501\r\n", 200},
        {"Host: 127.0.0.1:99\r\n", 200},
        {"Host: [::1]:99\r\n", 200},
        {"Host: evil.example\r\n", 403},
        {"Host: localhost.evil.example\r\n", 403},
        {"Host: 127.0.0.1.evil.example:80\r\n", 403},
        {"Host: \r\n", 403},
        {"Host: localhost:8501\r\nOrigin: http://localhost:8501\r\n", 200},
        {"Host: localhost:8501\r\nOrigin: http://localhost:8502\r\n", 403},
        {"Host: localhost:8501\r\nOrigin: http://evil.example\r\n", 403},
        {"Host: localhost:8501\r\nOrigin: null\r\n", 403},
    };
    const struct fixture *f = *state;
    struct buf out = BUF_INIT;
    char request[512];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(request, sizeof(request),
                 "POST /echo HTTP/1.1\r\n%sConnection: close\r\nContent-Length: 0\r\n\r\n",
                 cases[i].headers);
        fixture_ask(f, request, &out);
        assert_int_equal(fixture_status(&out), cases[i].status);
    }
    buf_release(&out);
}

/* Another address of the loopback is known by itself. */
static void test_own_address(void **state)
{
    struct fixture f = {.server = NULL};
    struct buf out = BUF_INIT;
    char request[128];

    (void)state;
    fixture_start(&f, &(struct http_options){.listen = "127.0.0.9:0"});
    snprintf(request, sizeof(request),
             "GET /echo HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", http_address(f.server));
    fixture_ask(&f, request, &out);
    assert_int_equal(fixture_status(&out), 200);
    fixture_stop(&f);
    buf_release(&out);
}

/* Tags and compression */

static void unzip(const char *data, size_t len, struct buf *out)
{
    z_stream z = {0};
    char *to = buf_reserve(out, 1 << 20);

    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)len;
    z.next_out = (Bytef *)to;
    z.avail_out = 1 << 20;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    out->len = (1 << 20) - z.avail_out;
    inflateEnd(&z);
}

/* Larger text is compressed where the client takes it, and comes once as long as it is the same. */
static void test_tag_and_gzip(void **state)
{
    const struct fixture *f = *state;
    struct buf plain = BUF_INIT;
    struct buf packed = BUF_INIT;
    struct buf body = BUF_INIT;
    char header[128];
    size_t len;

    fixture_get(f, "/large", "", &plain);
    assert_null(fixture_header(&plain, "Content-Encoding"));
    snprintf(header, sizeof(header), "If-None-Match: \"x\", %s\r\n",
             fixture_header(&plain, "ETag"));
    fixture_get(f, "/large", "Accept-Encoding: deflate, gzip;q=0.5\r\n", &packed);
    assert_string_equal(fixture_header(&packed, "Content-Encoding"), "gzip");
    assert_string_equal(fixture_header(&packed, "Vary"), "Accept-Encoding");
    assert_true(packed.len < plain.len / 10);
    const char *data = fixture_body(&packed, &len);
    unzip(data, len, &body);
    assert_int_equal(body.len, strlen(fixture_body(&plain, NULL)));
    assert_memory_equal(body.data, fixture_body(&plain, NULL), body.len);

    fixture_get(f, "/large", header, &packed);
    assert_int_equal(fixture_status(&packed), 304);
    assert_string_equal(fixture_body(&packed, NULL), "");
    fixture_get(f, "/large", "Accept-Encoding: gzip;q=0\r\n", &packed);
    assert_null(fixture_header(&packed, "Content-Encoding"));
    buf_release(&plain);
    buf_release(&packed);
    buf_release(&body);
}

/* Files */

/* Files come with their type, from memory, and anew when they have changed. */
static void test_files(void **state)
{
    const struct fixture *f = *state;
    struct buf out = BUF_INIT;
    struct buf css = BUF_INIT;
    char path[128];

    for (int i = 0; i < 500; i++)
        buf_text(&css, ".a { color: red }\n");
    snprintf(path, sizeof(path), "%s/sub", f->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    fixture_file(f, "index.html", "<p>hello");
    fixture_file(f, "sub/a.css", css.data);

    assert_string_equal(fixture_get(f, "/files/", "", &out), "<p>hello");
    assert_string_equal(fixture_header(&out, "Content-Type"), "text/html; charset=utf-8");
    assert_string_equal(fixture_header(&out, "Cache-Control"), "no-cache");
    assert_string_equal(fixture_get(f, "/files/sub/a.css", "", &out), css.data);
    assert_string_equal(fixture_header(&out, "Content-Type"), "text/css; charset=utf-8");
    fixture_get(f, "/files/sub/a.css", "Accept-Encoding: gzip\r\n", &out);
    assert_string_equal(fixture_header(&out, "Content-Encoding"), "gzip");
    fixture_file(f, "sub/a.css", "p {}");
    assert_string_equal(fixture_get(f, "/files/sub/a.css", "", &out), "p {}");
    buf_release(&out);
    buf_release(&css);
}

/* Nothing but the regular files below the folder is given away. */
static void test_file_escapes(void **state)
{
    static const char *const paths[] = {
        "/files/link",
        "/files/inside/../../etc/passwd",
        "/files/%2e%2e/etc/passwd",
        "/files/out/x",
        "/files//etc/passwd",
        "/files/..%2f..%2fetc/passwd",
        "/files/.hidden",
        "/files/sub%2fa.txt",
        "/files/%5c..%5cetc",
        "/files/sub",
        "/files/sub/",
        "/files/a.txt%00.html",
        "/files/fifo",
        "/files/a.txt/",
        "/files/\xc0\xae\xc0\xae/",
        "/files/sub/.h/a",
        "/files",
    };
    const struct fixture *f = *state;
    struct buf out = BUF_INIT;
    char path[128];
    char target[128];

    snprintf(path, sizeof(path), "%s/sub", f->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    fixture_file(f, "sub/a.txt", "inside");
    fixture_file(f, "a.txt", "inside");
    fixture_file(f, ".hidden", "secret");
    snprintf(path, sizeof(path), "%s/sub/.h", f->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    fixture_file(f, "sub/.h/a", "secret");
    snprintf(path, sizeof(path), "%s/link", f->folder);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    snprintf(path, sizeof(path), "%s/out", f->folder);
    assert_int_equal(symlink("..", path), 0);
    snprintf(path, sizeof(path), "%s/fifo", f->folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof(path), "%s/within", f->folder);
    snprintf(target, sizeof(target), "%s/sub/a.txt", f->folder);
    assert_int_equal(symlink(target, path), 0);

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        fixture_get(f, paths[i], "", &out);
        assert_true(fixture_status(&out) == 404 || fixture_status(&out) == 400);
        assert_null(strstr(out.data, "secret"));
        assert_null(strstr(out.data, "root:"));
    }
    assert_string_equal(fixture_get(f, "/files/within", "", &out), "inside");
    buf_release(&out);
}

/* Token */

/* Without the token there is nothing but health and the form. */
static void test_token(void **state)
{
    const struct fixture *f = *state;
    struct buf out = BUF_INIT;
    struct http_stats stats;

    fixture_get(f, "/echo", "", &out);
    assert_int_equal(fixture_status(&out), 401);
    assert_non_null(fixture_header(&out, "WWW-Authenticate"));
    fixture_get(f, "/none", "", &out);
    assert_int_equal(fixture_status(&out), 401);
    fixture_get(f, "/stream", "", &out);
    assert_int_equal(fixture_status(&out), 401);
    fixture_get(f, "/files/a", "Authorization: Bearer " FIXTURE_TOKEN "x\r\n", &out);
    assert_int_equal(fixture_status(&out), 401);
    fixture_get(f, "/echo?token=" FIXTURE_TOKEN, "", &out);
    assert_int_equal(fixture_status(&out), 401);
    fixture_get(f, "/echo", "Authorization: bearer " FIXTURE_TOKEN "\r\n", &out);
    assert_int_equal(fixture_status(&out), 200);
    fixture_get(f, "/healthz", "", &out);
    assert_int_equal(fixture_status(&out), 200);
    fixture_get(f, "/echo", BROWSER, &out);
    assert_int_equal(fixture_status(&out), 303);
    assert_string_equal(fixture_header(&out, "Location"), "/login");
    assert_non_null(strstr(fixture_get(f, "/login", BROWSER, &out), "method=\"post\""));
    http_stats(f->server, &stats);
    assert_int_equal(stats.unauthorized, 5);
    buf_release(&out);
}

static void post_login(const struct fixture *f, const char *body, const char *headers,
                       struct buf *out)
{
    char request[512];

    snprintf(request, sizeof(request),
             "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s"
             "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n%s",
             headers, strlen(body), body);
    fixture_ask(f, request, out);
}

/* One POST of the token gives a cookie that opens everything, also after a restart. */
static void test_login(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT;
    char cookie[256];
    char header[300];

    post_login(f, "token=wrong-token-wrong", "", &out);
    assert_int_equal(fixture_status(&out), 401);
    assert_null(fixture_header(&out, "Set-Cookie"));
    post_login(f, "token=" FIXTURE_TOKEN, "Origin: http://evil.example\r\n", &out);
    assert_int_equal(fixture_status(&out), 403);
    post_login(f, "a=b&token=" FIXTURE_TOKEN, "", &out);
    assert_int_equal(fixture_status(&out), 303);
    assert_string_equal(fixture_header(&out, "Location"), "/");
    snprintf(cookie, sizeof(cookie), "%s", fixture_header(&out, "Set-Cookie"));
    assert_non_null(strstr(cookie, "; HttpOnly; SameSite=Strict"));
    assert_null(strstr(cookie, "Secure"));
    assert_null(strstr(out.data, FIXTURE_TOKEN));

    *strchr(cookie, ';') = '\0';
    snprintf(header, sizeof(header), "Cookie: other=1; %s\r\n", cookie);
    fixture_get(f, "/echo", header, &out);
    assert_int_equal(fixture_status(&out), 200);
    header[strlen(header) - 3] ^= 1;
    fixture_get(f, "/echo", header, &out);
    assert_int_equal(fixture_status(&out), 401);
    buf_release(&out);
}

/* Limits */

/* Bodies and headers over the limit are refused, with and without a stated length. */
static void test_sizes(void **state)
{
    const struct fixture *f = *state;
    struct buf request = BUF_INIT;
    struct buf out = BUF_INIT;

    fixture_ask(f, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 101\r\n\r\n", &out);
    assert_int_equal(fixture_status(&out), 413);
    assert_string_equal(fixture_body(&out, NULL),
                        "{\"error\":\"the request's body takes more than 100 bytes\"}\n");

    buf_text(&request, "POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 11; i++)
        buf_text(&request, "a\r\n0123456789\r\n");
    buf_text(&request, "0\r\n\r\n");
    fixture_ask(f, request.data, &out);
    assert_int_equal(fixture_status(&out), 413);

    buf_clear(&request);
    buf_printf(&request, "Long: %01200d\r\n", 0);
    fixture_get(f, "/echo", request.data, &out);
    assert_int_equal(fixture_status(&out), 431);

    /* Far beyond: the library below answers, or closes. */
    buf_clear(&request);
    buf_printf(&request, "Long: %0200000d\r\n", 0);
    fixture_get(f, "/echo", request.data, &out);
    assert_true(out.len == 0 || fixture_status(&out) == 431);
    buf_clear(&request);
    buf_printf(&request, "/%0200000d", 0);
    fixture_get(f, request.data, "", &out);
    assert_true(out.len == 0 || fixture_status(&out) == 414);

    fixture_get(f, "/echo", "", &out);
    assert_int_equal(fixture_status(&out), 200);
    buf_release(&request);
    buf_release(&out);
}

/* A client that trickles its request is shut out after the idle timeout, though it never is idle.
 */
static void test_trickle(void **state)
{
    static const char request[] = "GET /echo HTTP/1.1\r\nHost: localhost\r\nSlow: ";
    const struct fixture *f = *state;
    struct pollfd poll_fd = {.events = POLLIN};
    char byte[2] = "x";

    poll_fd.fd = fixture_connect(f);
    fixture_write(poll_fd.fd, request, sizeof(request) - 1);
    int64_t end_ms = clock_mono_ms() + 20000;
    while (poll(&poll_fd, 1, 100) == 0 && clock_mono_ms() < end_ms)
        fixture_write(poll_fd.fd, byte, 1);
    assert_true(clock_mono_ms() < end_ms);
    assert_true(recv(poll_fd.fd, byte, 1, 0) <= 0);
    close(poll_fd.fd);
}

/* One address has its share of connections; the next ones are closed, and there is place again once
 * others have gone. */
static void test_many_connections(void **state)
{
    const struct fixture *f = *state;
    struct buf out = BUF_INIT;
    int fd[40];
    int open = 0;

    for (size_t i = 0; i < 40; i++) {
        static const char request[] = "GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n";
        fd[i] = fixture_connect(f);
        buf_clear(&out);
        fixture_write(fd[i], request, sizeof(request) - 1);
        open += fixture_read(fd[i], &out, "}");
    }
    assert_true(open >= 1 && open <= 12);
    for (size_t i = 0; i < 40; i++)
        close(fd[i]);
    for (int i = 0; i < 100; i++) {
        fixture_get(f, "/echo", "", &out);
        if (fixture_status(&out) == 200)
            break;
        clock_sleep_ms(100);
    }
    assert_int_equal(fixture_status(&out), 200);
    buf_release(&out);
}

/* Options */

/* What cannot be served is refused, with what to write instead. */
static void test_options(void **state)
{
    static const struct {
        struct http_options options;
        int code;
        const char *text;
    } cases[] = {
        {{.listen = NULL}, ERR_INVALID, "is no address to listen on"},
        {{.listen = "8501"}, ERR_INVALID, "write ADDRESS:PORT"},
        {{.listen = ":8501"}, ERR_INVALID, "names no address"},
        {{.listen = "127.0.0.1:99999"}, ERR_INVALID, "write ADDRESS:PORT"},
        {{.listen = "::1:8501"}, ERR_INVALID, "written [::1]:8501"},
        {{.listen = "no such host.invalid:1"}, ERR_INVALID, "cannot listen on"},
        {{.listen = "127.0.0.1:0", .token = "short"}, ERR_INVALID, "the token has 5 characters"},
        {{.listen = "127.0.0.1:0", .token = "with a blank in its middle"}, ERR_INVALID, "visible"},
        {{.listen = "127.0.0.1:0", .tls_cert = "/nowhere"}, ERR_INVALID, "the key is missing"},
        {{.listen = "127.0.0.1:0", .tls_cert = "/nowhere", .tls_key = "/nowhere"},
         ERR_IO,
         "cannot read /nowhere"},
        {{.listen = "127.0.0.1:0", .tls_cert = "/etc/passwd", .tls_key = "/etc/passwd"},
         ERR_INVALID,
         "is no PEM file"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = {0};
        assert_null(http_new(&cases[i].options, &err));
        assert_int_equal(err.code, cases[i].code);
        assert_non_null(strstr(err.text, cases[i].text));
    }
}

/* A port that is taken is said as such; a folder that is not there too. */
static void test_conflict(void **state)
{
    const struct fixture *f = *state;
    struct http_options options = {.listen = http_address(f->server)};
    struct err err = {0};

    assert_null(http_new(&options, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    options.listen = "[::1]:0";
    struct http_server *other = http_new(&options, &err);
    if (other) { /* a machine may have no IPv6 */
        assert_int_equal(strncmp(http_address(other), "[::1]:", 6), 0);
        assert_int_equal(http_static(other, "/x/", "/nowhere", &err), ERR_NOT_FOUND);
        assert_int_equal(http_static_file(other, "/x", "/", &err), ERR_NOT_FOUND);
    }
    http_close(other);
    http_close(NULL);
}

/* A token comes out of a file or the environment; the error never shows it. */
static void test_read_token(void **state)
{
    const struct fixture *f = *state;
    struct buf token = BUF_INIT;
    struct err err = {0};
    char path[128];

    fixture_file(f, "token", FIXTURE_TOKEN "\n");
    snprintf(path, sizeof(path), "%s/token", f->folder);
    assert_int_equal(http_read_token(path, NULL, &token, &err), 0);
    assert_string_equal(buf_str(&token), FIXTURE_TOKEN);
    fixture_file(f, "token", "\n");
    buf_clear(&token);
    assert_int_equal(http_read_token(path, NULL, &token, &err), ERR_INVALID);
    assert_int_equal(http_read_token("/nowhere", NULL, &token, &err), ERR_IO);
    setenv("OXBOW_TEST_TOKEN", FIXTURE_TOKEN, 1);
    assert_int_equal(http_read_token(NULL, "OXBOW_TEST_TOKEN", &token, &err), 0);
    assert_string_equal(buf_str(&token), FIXTURE_TOKEN);
    buf_clear(&token);
    unsetenv("OXBOW_TEST_TOKEN");
    assert_int_equal(http_read_token(NULL, "OXBOW_TEST_TOKEN", &token, &err), 0);
    assert_string_equal(buf_str(&token), "");
    buf_release(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head_and_keep_alive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_safe_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_http, setup_small, teardown),
        cmocka_unit_test_setup_teardown(test_host_and_origin, setup, teardown),
        cmocka_unit_test(test_own_address),
        cmocka_unit_test_setup_teardown(test_tag_and_gzip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_escapes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_token, setup_with_token, teardown),
        cmocka_unit_test_setup_teardown(test_login, setup_with_token, teardown),
        cmocka_unit_test_setup_teardown(test_sizes, setup_small, teardown),
        cmocka_unit_test_setup_teardown(test_trickle, setup_small, teardown),
        cmocka_unit_test_setup_teardown(test_many_connections, setup_small, teardown),
        cmocka_unit_test(test_options),
        cmocka_unit_test_setup_teardown(test_conflict, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_token, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
