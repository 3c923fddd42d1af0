#include "server/database_name.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/store.h"

/* ------------------------------------------------------------------ URIs */

/* Is a parameter of a URI called so, perhaps with some of its letters as %41? */
static bool is_called(const char *parameter, const char *name) {
    for (; *name; name++) {
        unsigned letter = (unsigned char)*parameter;
        if (letter == '%' && isxdigit((unsigned char)parameter[1]) &&
            isxdigit((unsigned char)parameter[2]) && sscanf(parameter + 1, "%2x", &letter) == 1)
            parameter += 2;
        if (letter != (unsigned char)*name)
            return false;
        parameter++;
    }
    return *parameter == '=';
}

/* Does the part behind the scheme hold a password, as libpq reads it? */
static bool has_password(const char *rest) {
    const char *user_end = rest + strcspn(rest, "@/");
    if (*user_end == '@' && memchr(rest, ':', (size_t)(user_end - rest)))
        return true;
    for (const char *at = strchr(*user_end == '@' ? user_end : rest, '?'); at && *at;
         at += strcspn(at, "&")) {
        at++;
        if (is_called(at, "password") || is_called(at, "sslpassword"))
            return true;
    }
    return false;
}

/* With a "@" or "/" in a password, libpq would take a part of it for a host, and print that. */
static bool is_plain(const char *rest) {
    const char *user_end = rest + strcspn(rest, "@/");
    const char *host = *user_end == '@' ? user_end + 1 : rest;
    return !memchr(host, '@', strcspn(host, "?"));
}

static bool fail(char *error, size_t size, const char *source, const char *message) {
    snprintf(error, size, "%s %s", source, message);
    return false;
}

static bool check_uri(const char *rest, const char *source, char *error, size_t size) {
#ifndef WITH_POSTGRESQL
    (void)rest;
    return fail(error, size, source,
                "must be the path of a file: this program was built without PostgreSQL");
#else
    if (!is_plain(rest))
        return fail(error, size, source,
                    "has a \"@\" or \"/\" in a user, password or database: write %40 or %2F");
    if (strncmp(source, "--", 2) == 0 && has_password(rest))
        return fail(error, size, source,
                    "must not hold a password, because every user of this machine can read the "
                    "arguments of a process: put the URI into DENOISED_DATABASE, or the password "
                    "into PGPASSWORD or the file that PGPASSFILE names, and choose a new password");
    return true;
#endif
}

/* "host=db dbname=denoised", as libpq and psql take it, too: perhaps with a password in it. */
static bool is_for_libpq(const char *name) {
    const size_t word = strspn(name, "abcdefghijklmnopqrstuvwxyz_");
    return word > 0 && name[word] == '=';
}

bool database_name_check(const char *name, const char *source, char *error, size_t error_size) {
    const char *scheme = strstr(name, "://");
    if (store_names_server(name))
        return check_uri(name + sizeof STORE_POSTGRESQL - 1, source, error, error_size);
    if (scheme) /* what follows it may be secret */
        snprintf(error, error_size,
                 "%s must be the path of a file or " STORE_POSTGRESQL
                 "USER@HOST/NAME, not \"%.*s...\"",
                 source, (int)(scheme - name + 3 < 60 ? scheme - name + 3 : 60), name);
    else if (is_for_libpq(name))
        snprintf(error, error_size,
                 "%s must be the path of a file (with ./ in front if its name begins like that) "
                 "or " STORE_POSTGRESQL "USER@HOST/NAME, not \"%.*s=...\"",
                 source, (int)strcspn(name, "="), name);
    /* SQLite's other names for databases would keep nothing. */
    else if (name[0] == ':' || strncmp(name, "file:", 5) == 0)
        snprintf(error, error_size,
                 "%s must be the path of a file (./%.60s if that is its name) or " STORE_POSTGRESQL
                 "USER@HOST/NAME, not \"%.60s\"",
                 source, name, name);
    else
        return true;
    return false;
}

/* ------------------------------------------------------------------ the environment */

bool database_name_hide(void) {
    static const char *const names[] = {"DENOISED_DATABASE", "DENOISED_DATABASE_LISTEN",
                                        "PGPASSWORD"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *shown = getenv(names[i]), *kept = shown ? strdup(shown) : NULL;
        if (!shown)
            continue;
        if (!kept || setenv(names[i], kept, 1) != 0) {
            free(kept);
            return false;
        }
        free(kept); /* the environment has its own copy */
        memset(shown, '*', strlen(shown));
    }
    return true;
}
