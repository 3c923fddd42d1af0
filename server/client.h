/*
 * client.h - the few HTTP requests that the program itself makes: healthcheck and demo.
 */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include <stdbool.h>

#include "server/base/buffer.h"

struct client_server {
    const char *host;
    int port;
    bool tls; /* the certificate is not checked: this program talks to itself */
};

/* Makes one request on a new connection. json: the body, or NULL. Returns the status and fills body
 * (followed by a NUL; the caller clears it); -1 if there was no complete response within
 * timeout_seconds. */
int client_request(const struct client_server *server, const char *method, const char *path,
                   const char *json, int timeout_seconds, struct buffer *body);

#endif
