#include "server/http/auth.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "server/base/buffer.h"
#include "server/base/sha256.h"

enum {
    DIGEST = SHA256_TEXT - 1,
    SECRET = 32,
    LONGEST_TOKEN = 256,
    LONGEST_LINE = 512,
    MAX_KEYS = 10000
};

const char *const auth_scope_names[] = {"none", "read", "write", NULL};

struct key {
    char name[AUTH_NAME];
    char digest[SHA256_TEXT]; /* SHA-256 of the whole key, in lowercase hex */
    enum auth_scope scope;
};

struct auth {
    char *path;
    pthread_rwlock_t lock;
    struct buffer keys; /* an array of struct key */
};

/* ------------------------------------------------------------------ the file */

static bool is_name(const char *name) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    size_t length = strlen(name);
    return length > 0 && length < AUTH_NAME && strspn(name, plain) == length;
}

static bool read_digest(const char *hex, char digest[SHA256_TEXT]) {
    if (strlen(hex) != DIGEST || strspn(hex, "0123456789abcdefABCDEF") != DIGEST)
        return false;
    for (int i = 0; i <= DIGEST; i++)
        digest[i] = (char)tolower((unsigned char)hex[i]);
    return true;
}

static bool read_scope(const char *text, enum auth_scope *scope) {
    for (int i = AUTH_READ; auth_scope_names[i]; i++)
        if (strcmp(text, auth_scope_names[i]) == 0) {
            *scope = (enum auth_scope)i;
            return true;
        }
    return false;
}

/* Reads `name:sha256` or `name:sha256:scope`. NULL, or what is wrong with the line. */
static const char *read_key(char *line, struct key *key) {
    char *rest = line;
    const char *name = strsep(&rest, ":"), *digest = strsep(&rest, ":");
    if (!is_name(name))
        return "a name must be 1 to 32 letters, digits and dashes";
    if (!digest || !read_digest(digest, key->digest))
        return "after the name must come ':' and the SHA-256 of the key, 64 hex digits (not the "
               "key itself)";
    key->scope = AUTH_WRITE;
    if (rest && !read_scope(rest, &key->scope))
        return "the scope must be read or write";
    snprintf(key->name, sizeof key->name, "%s", name);
    return NULL;
}

static int count_of(const struct buffer *keys) {
    return (int)(keys->length / sizeof(struct key));
}

static bool read_lines(FILE *file, const char *path, struct buffer *keys, char *error,
                       size_t error_size) {
    static const char mark[] = "\xef\xbb\xbf"; /* a byte order mark, which some editors put first */
    char line[LONGEST_LINE];
    for (int number = 1; fgets(line, sizeof line, file); number++) {
        const bool has_mark = number == 1 && strncmp(line, mark, sizeof mark - 1) == 0;
        char *text = line + (has_mark ? sizeof mark - 1 : 0);
        if (number == 1 && (memcmp(line, "\xff\xfe", 2) == 0 || memcmp(line, "\xfe\xff", 2) == 0)) {
            snprintf(error, error_size, "%s is UTF-16: save it as UTF-8 or ASCII", path);
            return false;
        }
        text += strspn(text, " \t");
        text[strcspn(text, "#\r\n")] = '\0';
        for (size_t end = strlen(text); end > 0 && strchr(" \t", text[end - 1]); end--)
            text[end - 1] = '\0';
        if (!text[0])
            continue;
        struct key key = {0};
        const char *wrong = count_of(keys) < MAX_KEYS ? read_key(text, &key) : "too many keys";
        if (wrong) {
            snprintf(error, error_size, "%s, line %d: %s", path, number, wrong);
            return false;
        }
        buffer_append(keys, &key, sizeof key);
    }
    if (ferror(file) || keys->length == 0) {
        snprintf(error, error_size, "%s %s; make a key with: denoised key NAME >> %s", path,
                 ferror(file) ? "cannot be read" : "contains no key", path);
        return false;
    }
    return true;
}

bool auth_is_private(int fd, const char *path, char *error, size_t error_size) {
    struct stat file;
    if (fstat(fd, &file) != 0) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
        return false;
    }
    if (file.st_mode & S_IRWXO) {
        snprintf(error, error_size, "%s can be read by every user of this machine: chmod o= %s",
                 path, path);
        return false;
    }
    return true;
}

static bool read_keys(const char *path, struct buffer *keys, char *error, size_t error_size) {
    FILE *file = fopen(path, "re");
    if (!file) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
        return false;
    }
    const bool read = auth_is_private(fileno(file), path, error, error_size) &&
                      read_lines(file, path, keys, error, error_size);
    fclose(file);
    if (!read)
        buffer_clear(keys);
    return read;
}

/* ------------------------------------------------------------------ the keys in use */

struct auth *auth_open(const char *path, char *error, size_t error_size) {
    struct auth *auth = calloc(1, sizeof *auth);
    if (!auth || !(auth->path = strdup(path))) {
        snprintf(error, error_size, "out of memory");
        free(auth);
        return NULL;
    }
    pthread_rwlock_init(&auth->lock, NULL);
    if (read_keys(path, &auth->keys, error, error_size))
        return auth;
    auth_close(auth);
    return NULL;
}

void auth_close(struct auth *auth) {
    if (!auth)
        return;
    pthread_rwlock_destroy(&auth->lock);
    buffer_clear(&auth->keys);
    free(auth->path);
    free(auth);
}

bool auth_reload(struct auth *auth, char *error, size_t error_size) {
    struct buffer fresh = {0};
    if (!read_keys(auth->path, &fresh, error, error_size))
        return false;
    pthread_rwlock_wrlock(&auth->lock);
    struct buffer old = auth->keys;
    auth->keys = fresh;
    pthread_rwlock_unlock(&auth->lock);
    buffer_clear(&old);
    return true;
}

int auth_count(struct auth *auth) {
    pthread_rwlock_rdlock(&auth->lock);
    const int count = count_of(&auth->keys);
    pthread_rwlock_unlock(&auth->lock);
    return count;
}

/* The token of "Bearer TOKEN"; "" if there is none. */
static const char *token_of(const char *authorization) {
    static const char scheme[] = "Bearer ";
    if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return "";
    const char *token = authorization + sizeof scheme - 1;
    return token + strspn(token, " ");
}

/* Takes the same time wherever the digests differ. */
static bool same_digest(const char *a, const char *b) {
    unsigned char difference = 0;
    for (int i = 0; i < DIGEST; i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return difference == 0;
}

enum auth_scope auth_check(struct auth *auth, const char *authorization, char name[AUTH_NAME]) {
    const char *token = token_of(authorization);
    char digest[SHA256_TEXT];
    enum auth_scope scope = AUTH_NONE;
    name[0] = '\0';
    if (!token[0])
        return AUTH_NONE;
    sha256_text(token, strnlen(token, LONGEST_TOKEN), digest);
    /* Every key is compared, found or not, so that the time reveals nothing. */
    pthread_rwlock_rdlock(&auth->lock);
    const struct key *keys = (const void *)auth->keys.data;
    for (int i = 0; i < count_of(&auth->keys); i++) {
        if (!same_digest(keys[i].digest, digest))
            continue;
        scope = keys[i].scope;
        memcpy(name, keys[i].name, AUTH_NAME);
    }
    pthread_rwlock_unlock(&auth->lock);
    return scope;
}

/* ------------------------------------------------------------------ new keys */

/* base64url (RFC 4648), without padding. */
static char *base64url(const unsigned char *bytes, size_t count, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    int held = 0;
    for (size_t i = 0; i < count; i++) {
        bits = bits << 8 | bytes[i];
        for (held += 8; held >= 6; held -= 6)
            *out++ = digits[bits >> (held - 6) & 63];
    }
    if (held > 0)
        *out++ = digits[bits << (6 - held) & 63];
    *out = '\0';
    return out;
}

bool auth_new_key(const char *name, enum auth_scope scope, char key[AUTH_KEY],
                  char line[AUTH_LINE]) {
    unsigned char secret[SECRET];
    char digest[SHA256_TEXT];
    if (!is_name(name) || getrandom(secret, sizeof secret, 0) != sizeof secret)
        return false;
    base64url(secret, sizeof secret, key + snprintf(key, AUTH_KEY, "dn_%s_", name));
    sha256_text(key, strlen(key), digest);
    snprintf(line, AUTH_LINE, "%s:%s:%s", name, digest, auth_scope_names[scope]);
    return true;
}
