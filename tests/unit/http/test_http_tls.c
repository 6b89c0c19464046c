/* TLS, with a certificate that is made here and a GnuTLS client. */
#include "unit/http/http_fixture.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PEM_SIZE 8192

struct tls_fixture {
    struct fixture http;
    char cert[64];
    char key[64];
};

static void write_pem(const char *path, const void *pem, size_t len)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(pem, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* A self-signed certificate for localhost. */
static void make_certificate(const char *cert_path, const char *key_path)
{
    static unsigned char pem[PEM_SIZE];
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t cert;
    unsigned char serial = 1;
    size_t len = sizeof(pem);

    gnutls_x509_privkey_init(&key);
    gnutls_x509_crt_init(&cert);
    assert_int_equal(gnutls_x509_privkey_generate(
                         key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    gnutls_x509_crt_set_version(cert, 3);
    gnutls_x509_crt_set_serial(cert, &serial, 1);
    gnutls_x509_crt_set_activation_time(cert, time(NULL) - 60);
    gnutls_x509_crt_set_expiration_time(cert, time(NULL) + 3600);
    gnutls_x509_crt_set_dn(cert, "CN=localhost", NULL);
    gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_DNSNAME, "localhost", 9, 0);
    gnutls_x509_crt_set_key(cert, key);
    assert_int_equal(gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export(cert, GNUTLS_X509_FMT_PEM, pem, &len), 0);
    write_pem(cert_path, pem, len);
    len = sizeof(pem);
    assert_int_equal(gnutls_x509_privkey_export(key, GNUTLS_X509_FMT_PEM, pem, &len), 0);
    write_pem(key_path, pem, len);
    gnutls_x509_crt_deinit(cert);
    gnutls_x509_privkey_deinit(key);
}

static int setup(void **state)
{
    struct tls_fixture *f = test_calloc(1, sizeof(*f));

    snprintf(f->cert, sizeof(f->cert), "/tmp/oxbow-tls-%d.crt", getpid());
    snprintf(f->key, sizeof(f->key), "/tmp/oxbow-tls-%d.key", getpid());
    make_certificate(f->cert, f->key);
    fixture_start(&f->http, &(struct http_options){
                                .tls_cert = f->cert, .tls_key = f->key, .token = FIXTURE_TOKEN});
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct tls_fixture *f = *state;

    fixture_stop(&f->http);
    unlink(f->cert);
    unlink(f->key);
    test_free(f);
    return 0;
}

/* Sends `text` over TLS and reads to the end; false when there is no handshake. */
static bool ask_tls(const struct tls_fixture *f, const char *priorities, const char *text,
                    struct buf *out)
{
    gnutls_certificate_credentials_t trust;
    gnutls_session_t session;
    int fd = fixture_connect(&f->http);
    int rc;

    buf_clear(out);
    gnutls_certificate_allocate_credentials(&trust);
    assert_int_equal(gnutls_certificate_set_x509_trust_file(trust, f->cert, GNUTLS_X509_FMT_PEM),
                     1);
    gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
    assert_int_equal(gnutls_priority_set_direct(session, priorities, NULL), 0);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, trust);
    gnutls_session_set_verify_cert(session, "localhost", 0);
    gnutls_transport_set_int(session, fd);
    gnutls_handshake_set_timeout(session, 20000);
    do
        rc = gnutls_handshake(session);
    while (rc < 0 && !gnutls_error_is_fatal(rc));
    bool is_up = rc == 0;
    if (is_up) {
        assert_int_equal(gnutls_record_send(session, text, strlen(text)), (ssize_t)strlen(text));
        ssize_t n;
        while ((n = gnutls_record_recv(session, buf_reserve(out, 65536), 65536)) > 0) {
            out->len += (size_t)n;
            out->data[out->len] = '\0';
        }
    }
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(trust);
    close(fd);
    return is_up;
}

/* The same server, over TLS; its cookie is for TLS only. */
static void test_tls(void **state)
{
    const struct tls_fixture *f = *state;
    struct buf out = BUF_INIT;

    assert_true(ask_tls(f, "NORMAL",
                        "GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                        "Authorization: Bearer " FIXTURE_TOKEN "\r\n\r\n",
                        &out));
    assert_int_equal(fixture_status(&out), 200);
    assert_int_equal(out.data[out.len - 1], ']');
    assert_true(ask_tls(f, "NORMAL",
                        "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                        "Content-Length: 27\r\n\r\ntoken=" FIXTURE_TOKEN,
                        &out));
    assert_int_equal(fixture_status(&out), 303);
    assert_non_null(strstr(fixture_header(&out, "Set-Cookie"), "; Secure"));
    buf_release(&out);
}

/* Versions of TLS that are broken, and plain text, get nothing. */
static void test_no_tls(void **state)
{
    const struct tls_fixture *f = *state;
    struct buf out = BUF_INIT;

    assert_false(ask_tls(f, "NORMAL:-VERS-ALL:+VERS-TLS1.0:+VERS-TLS1.1:%COMPAT",
                         "GET / HTTP/1.1\r\n\r\n", &out));
    fixture_get(&f->http, "/healthz", "", &out);
    assert_null(strstr(buf_str(&out), "200"));
    assert_true(ask_tls(f, "NORMAL", "GET /healthz HTTP/1.0\r\n\r\n", &out));
    assert_non_null(strstr(out.data, " 200 "));
    buf_release(&out);
}

/* A key that does not fit its certificate is said at the start. */
static void test_wrong_key(void **state)
{
    const struct tls_fixture *f = *state;
    struct http_options options = {.listen = "127.0.0.1:0", .tls_cert = f->key, .tls_key = f->key};
    struct err err = {0};
    struct http_server *server = http_new(&options, &err);

    assert_non_null(server);
    assert_int_equal(http_start(server, &err), ERR_IO);
    assert_non_null(strstr(err.text, "does the key fit the certificate?"));
    http_close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_key, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
