/* The certificate and its key. */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/http/connection.h"

enum { LARGEST_PEM = 1 << 20 };

/* Connections whose keys the certificate's key alone cannot recover (no RSA key exchange), and
 * ciphers that authenticate what they encrypt (no CBC). All clients since 2014 support these. */
const char *const http_tls_priorities =
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:"
    "+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM:-MAC-ALL:+AEAD:-GROUP-ALL:+GROUP-X25519:"
    "+GROUP-SECP256R1:+GROUP-SECP384R1";

static char *read_pem(const char *path, bool is_secret, char *error, size_t error_size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = NULL;
    if (is_secret && !auth_is_private(fd, path, error, error_size))
        goto done;
    text = calloc(1, LARGEST_PEM);
    ssize_t length = text ? read(fd, text, LARGEST_PEM - 1) : -1;
    if (length < 0 || !strstr(text, "-----BEGIN ")) {
        snprintf(error, error_size, "%s is not a PEM file", path);
        free(text);
        text = NULL;
    }
done:
    close(fd);
    return text;
}

/* As libmicrohttpd will load them. */
static bool is_pair(const char *cert, const char *key) {
    const gnutls_datum_t texts[] = {{(unsigned char *)cert, (unsigned)strlen(cert)},
                                    {(unsigned char *)key, (unsigned)strlen(key)}};
    gnutls_certificate_credentials_t credentials;
    if (gnutls_certificate_allocate_credentials(&credentials) < 0)
        return false;
    const int code =
        gnutls_certificate_set_x509_key_mem(credentials, &texts[0], &texts[1], GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(credentials);
    return code >= 0;
}

bool http_tls_load(struct http_tls *tls, const char *cert, const char *key, char *error,
                   size_t error_size) {
    *tls = (struct http_tls){0};
    if (!cert)
        return true;
    tls->cert = read_pem(cert, false, error, error_size);
    if (tls->cert)
        tls->key = read_pem(key, true, error, error_size);
    if (tls->key && is_pair(tls->cert, tls->key))
        return true;
    if (tls->key)
        snprintf(error, error_size, "%s and %s are not a certificate and its key", cert, key);
    http_tls_clear(tls);
    return false;
}

void http_tls_clear(struct http_tls *tls) {
    free(tls->cert);
    if (tls->key)
        explicit_bzero(tls->key, strlen(tls->key));
    free(tls->key);
    *tls = (struct http_tls){0};
}
