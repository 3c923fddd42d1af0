/*
 * client.h - the few HTTP requests that the program itself makes: healthcheck and demo.
 */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include "server/buffer.h"

/* One request to http://host:port, on a connection of its own. json: the body, or NULL. Returns the
 * status and fills body (NUL-terminated; the caller clears it); -1 if there was no answer within
 * timeout_seconds. */
int client_request(const char *host, int port, const char *method, const char *path,
                   const char *json, int timeout_seconds, struct buffer *body);

#endif
