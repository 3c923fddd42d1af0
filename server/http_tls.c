/* The certificate and its key. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/http_connection.h"

enum { LARGEST_PEM = 1 << 20 };

/* Keys of a connection that the certificate's key alone cannot bring back (no RSA key exchange),
 * and ciphers that authenticate what they encrypt (no CBC). All clients since 2014 have these. */
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

bool http_load_tls(struct http_server *server, char *error, size_t error_size) {
    const struct http_config *config = &server->config;
    if (!config->tls_cert)
        return true;
    server->tls_cert = read_pem(config->tls_cert, false, error, error_size);
    if (server->tls_cert)
        server->tls_key = read_pem(config->tls_key, true, error, error_size);
    return server->tls_key;
}
