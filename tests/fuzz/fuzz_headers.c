/* The request target and the headers that are read here, one on each line. */
#include <string.h>

#include "api/api.h"
#include "server/base/utf8.h"
#include "server/http/access.h"
#include "server/http/content.h"
#include "server/http/router.h"
#include "tests/fuzz/fuzz.h"

enum { LINES = 5, BODY = 1000 };

/* Whatever is found is text without NUL and in UTF-8, and comes from the table. */
static void route(const char *target) {
    static const char *const methods[] = {"GET", "POST", "DELETE", "OPTIONS"};
    struct arena arena = {0};
    char allow[ROUTER_ALLOW];
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct http_request request = {.method = methods[i]};
        const char *wrong = router_parse(&arena, target, &request);
        if (wrong)
            break;
        fuzz_check(request.path[0] == '/' && utf8_is_valid(request.path, strlen(request.path)));
        for (size_t k = 0; k < request.query_count; k++)
            fuzz_check(utf8_is_valid(request.query[k].value, strlen(request.query[k].value)));
        const struct http_route *found =
            router_find(api_routes, api_route_count, &arena, &request, allow);
        fuzz_check(!found || strcmp(found->method, methods[i]) == 0);
        fuzz_check(!found || !strstr(found->path, "{id}") ||
                   (request.ids[0][0] && !strchr(request.ids[0], '/')));
        fuzz_check(!found || !request.format[0] ||
                   router_has_word(found->formats, request.format, strlen(request.format)));
    }
    arena_clear(&arena);
}

static void range(const char *text) {
    size_t first, last;
    if (content_find_range(text, BODY, &first, &last) == RANGE_ONE)
        fuzz_check(first <= last && last < BODY);
    fuzz_check(content_find_range(text, 0, &first, &last) != RANGE_ONE);
}

static void tags(const char *list) {
    size_t length = 0;
    const char *found = content_find_tag(list, "0123abcd", &length);
    fuzz_check(!found || (found >= list && found + length <= list + strlen(list)));
    content_accepts_gzip(list);
}

static void names(const char *host, const char *origin) {
    bool had_host = false; /* each allows what the one before it does */
    for (int which = ACCESS_LOOPBACK; which <= ACCESS_ANY; which++) {
        const struct access access = {.names = (enum access_names)which,
                                      .allowed_hosts = "example.org,a.example",
                                      .cors_origins = "https://a.example"};
        const bool has_host = access_has_host(&access, host);
        fuzz_check(has_host || !had_host);
        had_host = has_host;
        access_has_origin(&access, origin);
        for (int is_tls = 0; is_tls < 2; is_tls++) {
            access_may_change(&access, &(struct access_source){host, origin, NULL, NULL, is_tls});
            access_may_change(&access, &(struct access_source){host, NULL, origin, NULL, is_tls});
            access_may_change(&access, &(struct access_source){host, origin, host, host, is_tls});
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const char *lines[LINES];
    char *text = fuzz_text(bytes, size), *at = text;
    for (int i = 0; i < LINES; i++) {
        char *line = strsep(&at, "\n");
        lines[i] = line ? line : "";
    }
    if (lines[0][0] == '/') /* what http_check lets through */
        route(lines[0]);
    range(lines[1]);
    tags(lines[2]);
    names(lines[3], lines[4]);
    free(text);
    return 0;
}
