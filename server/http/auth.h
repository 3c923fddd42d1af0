/*
 * auth.h - who may use the service: a file of API keys.
 *
 * A key is a bearer token, `dn_NAME_` and 43 random characters (256 bits). The file holds one line
 * `name:sha256:scope` per key, never the key itself: nobody can guess a random key from its digest,
 * so no slow hash is needed. `#` starts a comment.
 */
#ifndef SERVER_HTTP_AUTH_H
#define SERVER_HTTP_AUTH_H

#include <stdbool.h>
#include <stddef.h>

enum auth_scope { AUTH_NONE, AUTH_READ, AUTH_WRITE }; /* each includes the ones before it */
extern const char *const auth_scope_names[];          /* "none", "read", "write", NULL */

enum { AUTH_NAME = 33, AUTH_KEY = 88, AUTH_LINE = 128 };

struct auth;

/* Reads the file. NULL, and a message that names the line and the fix, if it is unreadable,
 * readable by others, malformed, or without any key. */
struct auth *auth_open(const char *path, char *error, size_t error_size);
void auth_close(struct auth *auth);
/* Reads the file again. False and a message: the old keys stay valid. Any thread. */
bool auth_reload(struct auth *auth, char *error, size_t error_size);
int auth_count(struct auth *auth);

/* What the Authorization header (NULL: none) allows; AUTH_NONE for an unknown key. Takes as long
 * for a wrong key as for a right one. name: the name of the key, for the log; "" if there is
 * none. */
enum auth_scope auth_check(struct auth *auth, const char *authorization, char name[AUTH_NAME]);

/* Creates a key and its line for the file. False: the name is invalid, or there is no
 * randomness. */
bool auth_new_key(const char *name, enum auth_scope scope, char key[AUTH_KEY],
                  char line[AUTH_LINE]);

/* False, and a message with the fix, if users other than the owner and the group may read the
 * file. */
bool auth_is_private(int fd, const char *path, char *error, size_t error_size);

#endif
