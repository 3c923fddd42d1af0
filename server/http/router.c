#include "server/http/router.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/base/utf8.h"

/* ------------------------------------------------------------------ the request target */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Makes a decoded copy; NULL if the percent-encoding is wrong. */
static const char *decode(struct arena *arena, const char *text, size_t length,
                          bool plus_is_space) {
    char *out = arena_copy(arena, text, length);
    if (!out)
        return NULL;
    char *end = out;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%') {
            int high = length - i > 2 ? hex_digit(text[i + 1]) : -1;
            int low = length - i > 2 ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0 || (high | low) == 0)
                return NULL;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        *end++ = c;
    }
    *end = '\0';
    return utf8_is_valid(out, (size_t)(end - out)) ? out : NULL;
}

const char *router_parse(struct arena *arena, const char *target, struct http_request *request) {
    size_t path_length = strcspn(target, "?");
    /* A proxy that filters paths sees one segment in /v1%2fjobs, so this must not become two. No id
     * has a slash. */
    if (memmem(target, path_length, "%2f", 3) || memmem(target, path_length, "%2F", 3))
        return "the path has an encoded slash, %2F";
    request->path = decode(arena, target, path_length, false);
    if (!request->path)
        return "the path is not valid percent-encoded UTF-8";
    const char *at = target + path_length;
    request->query_count = 0;
    while (*at) {
        at++; /* '?' or '&' */
        size_t length = strcspn(at, "&");
        if (length > 0) {
            if (request->query_count == HTTP_MAX_PARAMS)
                return "too many query parameters";
            size_t name = strcspn(at, "=&");
            size_t value = name < length ? name + 1 : name;
            struct http_param *param = &request->query[request->query_count++];
            param->name = decode(arena, at, name, true);
            param->value = decode(arena, at + value, length - value, true);
            if (!param->name || !param->value)
                return "the query is not valid percent-encoded UTF-8";
        }
        at += length;
    }
    return NULL;
}

/* ------------------------------------------------------------------ the route table */

bool router_has_word(const char *words, const char *word, size_t length) {
    while (words && *words) {
        size_t each = strcspn(words, " ");
        if (each == length && strncasecmp(words, word, length) == 0)
            return true;
        words += each + strspn(words + each, " ");
    }
    return false;
}

/* Like router_has_word, but paths are case-sensitive. */
static bool has_format(const char *formats, const char *suffix, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (suffix[i] >= 'A' && suffix[i] <= 'Z')
            return false;
    return router_has_word(formats, suffix, length);
}

/* Matches one path segment against the pattern's; `last` ones may end in a format. */
static bool match_segment(const struct http_route *route, struct arena *arena, const char *pattern,
                          size_t pattern_length, const char *segment, size_t length, bool last,
                          struct http_request *request, size_t *id_count) {
    if (last && route->formats) {
        size_t dot = length;
        while (dot > 0 && segment[dot - 1] != '.')
            dot--;
        if (dot > 1 && has_format(route->formats, segment + dot, length - dot)) {
            request->format = arena_copy(arena, segment + dot, length - dot);
            length = dot - 1;
        }
    }
    if (pattern[0] == '{') {
        /* no id has a dot: this is the suffix of an unknown format */
        if (length == 0 || *id_count == HTTP_MAX_PATH_IDS || (last && memchr(segment, '.', length)))
            return false;
        request->ids[(*id_count)++] = arena_copy(arena, segment, length);
        return true;
    }
    return pattern_length == length && memcmp(pattern, segment, length) == 0;
}

static bool match(const struct http_route *route, struct arena *arena,
                  struct http_request *request) {
    const char *pattern = route->path, *path = request->path;
    size_t id_count = 0;
    request->format = "";
    request->formats = route->formats ? route->formats : "";
    for (;;) {
        if (*pattern != '/' || *path != '/')
            return *pattern == *path; /* both at their end */
        pattern++, path++;
        size_t a = strcspn(pattern, "/"), b = strcspn(path, "/");
        if (!match_segment(route, arena, pattern, a, path, b, path[b] == '\0', request, &id_count))
            return false;
        pattern += a, path += b;
    }
}

const struct http_route *router_find(const struct http_route *routes, size_t count,
                                     struct arena *arena, struct http_request *request,
                                     char allow[ROUTER_ALLOW]) {
    int used = 0;
    allow[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (!match(&routes[i], arena, request))
            continue;
        if (strcmp(routes[i].method, request->method) == 0)
            return &routes[i];
        bool get = strcmp(routes[i].method, "GET") == 0;
        used += snprintf(allow + used, ROUTER_ALLOW - (size_t)used, "%s%s%s", used ? ", " : "",
                         routes[i].method, get ? ", HEAD" : "");
        if (used >= ROUTER_ALLOW)
            used = ROUTER_ALLOW - 1;
    }
    if (used > 0)
        snprintf(allow + used, ROUTER_ALLOW - (size_t)used, ", OPTIONS");
    return NULL;
}

/* "json csv" as ".json, .csv". */
static const char *suffixes(struct arena *arena, const char *formats) {
    const char *list = "";
    while (*formats && list) {
        const size_t each = strcspn(formats, " ");
        list = arena_format(arena, "%s%s.%.*s", list, *list ? ", " : "", (int)each, formats);
        formats += each + strspn(formats + each, " ");
    }
    return list;
}

const char *router_suffixes(const struct http_route *routes, size_t count, struct arena *arena,
                            const char *path) {
    const char *dot = strrchr(path, '.');
    struct http_request plain = {0};
    if (!dot || strchr(dot, '/'))
        return NULL;
    plain.path = arena_copy(arena, path, (size_t)(dot - path));
    for (size_t i = 0; plain.path && i < count; i++)
        if (routes[i].formats && match(&routes[i], arena, &plain))
            return suffixes(arena, routes[i].formats);
    return NULL;
}
