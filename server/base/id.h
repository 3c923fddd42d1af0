/*
 * id.h - identifiers.
 */
#ifndef SERVER_BASE_ID_H
#define SERVER_BASE_ID_H

#include <stdbool.h>

enum { ID_LENGTH = 36 };

/* A new UUIDv7 (RFC 9562): sortable by time, and ascending within this process. */
void id_new(char id[ID_LENGTH + 1]);
bool id_valid(const char *text); /* 36 characters, lower-case hex and dashes in the right places */

#endif
