/* Targets, percent-encoding, UTF-8, and the route table. */
#include <criterion/criterion.h>
#include <string.h>

#include "server/base/utf8.h"
#include "server/http/router.h"

static struct arena arena;

Test(router, utf8) {
    static const char *const good[] = {"",
                                       "abc",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe2\x82",
                                      "\xff",
                                      "a\xc3(",
                                      "\xf0\x90\x80"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_assert(utf8_is_valid(good[i], strlen(good[i])), "good %zu", i);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert(!utf8_is_valid(bad[i], strlen(bad[i])), "bad %zu", i);
}

Test(router, parses_targets) {
    struct http_request request = {0};
    cr_assert_null(
        router_parse(&arena, "/a%2eb/c?x=%2f1&y=a+b%26c&empty=&flag&&z=%C3%A9=1", &request));
    cr_assert_str_eq(request.path, "/a.b/c");
    static const char *const expected[][2] = {
        {"x", "/1"}, {"y", "a b&c"}, {"empty", ""}, {"flag", ""}, {"z", "\xc3\xa9=1"}};
    cr_assert_eq(request.query_count, 5);
    for (size_t i = 0; i < 5; i++) {
        cr_assert_str_eq(request.query[i].name, expected[i][0]);
        cr_assert_str_eq(request.query[i].value, expected[i][1]);
    }
    static const char *const bad[] = {"/%",         "/%4",     "/%zz",    "/%00",
                                      "/?a=%",      "/?%ff=1", "/\xff",   "/?a=%0g",
                                      "/v1%2fjobs", "/v1/%2F", "/%2f?a=1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert(router_parse(&arena, bad[i], &request), "%s", bad[i]);
    cr_assert_null(router_parse(&arena, "/%41", &request)); /* at the very end */
    cr_assert_str_eq(request.path, "/A");
    arena_clear(&arena);
}

static enum http_next handler(struct http_exchange *exchange) {
    (void)exchange;
    return HTTP_REPLY;
}

static const struct http_route routes[] = {
    {.method = "GET", .path = "/", .handler = handler},
    {.method = "GET", .path = "/jobs", .formats = "json csv", .handler = handler},
    {.method = "POST", .path = "/jobs", .handler = handler},
    {.method = "GET", .path = "/jobs/{id}", .formats = "json", .handler = handler},
    {.method = "GET", .path = "/jobs/{id}/history", .formats = "csv", .handler = handler},
};

static int find(const char *method, const char *target, struct http_request *request, char *allow) {
    request->method = method;
    cr_assert_null(router_parse(&arena, target, request));
    const struct http_route *route = router_find(routes, 5, &arena, request, allow);
    return route ? (int)(route - routes) : -1;
}

Test(router, finds_routes) {
    struct http_request r = {0};
    char allow[ROUTER_ALLOW];
    cr_assert_eq(find("GET", "/", &r, allow), 0);
    cr_assert_eq(find("GET", "/jobs.csv", &r, allow), 1);
    cr_assert_str_eq(r.format, "csv");
    cr_assert_eq(find("POST", "/jobs", &r, allow), 2);
    cr_assert_str_eq(r.format, "");
    cr_assert_eq(find("GET", "/jobs/abc.json", &r, allow), 3);
    cr_assert_str_eq(r.ids[0], "abc");
    cr_assert_str_eq(r.format, "json");
    cr_assert_eq(find("GET", "/jobs/abc.csv", &r, allow), -1); /* no format there, and no id */
    cr_assert_str_eq(router_suffixes(routes, 5, &arena, "/jobs/abc.csv"), ".json");
    cr_assert_null(router_suffixes(routes, 5, &arena, "/jobs/abc"));
    cr_assert_null(router_suffixes(routes, 5, &arena, "/job/abc.csv"));
    cr_assert_eq(find("GET", "/jobs/x/history.csv", &r, allow), 4);
    cr_assert_str_eq(r.ids[0], "x");
    static const char *const missing[] = {"/job",
                                          "/jobs/",
                                          "//",
                                          "/jobs//history",
                                          "/jobs/x/history/",
                                          "/jobs/x/history.json",
                                          "/jobs.",
                                          "/.csv",
                                          "/jobs/.json/y"};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        cr_assert_eq(find("GET", missing[i], &r, allow), -1, "%s", missing[i]);
        cr_assert_str_eq(allow, "");
    }
    cr_assert_eq(find("DELETE", "/jobs", &r, allow), -1);
    cr_assert_str_eq(allow, "GET, HEAD, POST, OPTIONS");
    arena_clear(&arena);
}

Test(router, words) {
    cr_assert(router_has_word("json csv", "CSV", 3));
    cr_assert(!router_has_word("json csv", "cs", 2));
    cr_assert(!router_has_word(NULL, "csv", 3));
    cr_assert(!router_has_word("", "", 0));
}
