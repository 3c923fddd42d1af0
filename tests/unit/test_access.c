/* Which names and origins pass, how often, and which keys. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/rate.h"
#include "server/http/access.h"
#include "server/http/auth.h"

Test(access, hosts) {
    static const struct {
        const char *host;
        bool loopback, addresses, listed, any;
    } rows[] = {
        {"localhost", true, true, true, true},
        {"LOCALHOST:8080", true, true, true, true},
        {"127.0.0.1:8080", true, true, true, true},
        {"[::1]:8080", true, true, true, true},
        {"192.168.1.5:8080", false, true, false, true},
        {"[2001:db8::1]", false, true, false, true},
        {"a.example", false, false, true, true},
        {"A.Example:443", false, false, true, true},
        {"b.example", false, false, true, true},
        {"c.example", false, false, false, true},
        {"localhost.c.example", false, false, false, true},
        {"127.0.0.1.c.example", false, false, false, true},
        {"a.example.", false, false, true, true},
        {"a.example..", false, false, false, true},
        {"localhost.", true, true, true, true},
        {"app.localhost", true, true, true, true},
        {"a.b.LOCALHOST.:80", true, true, true, true},
        {".localhost", false, false, false, true},
        {"mylocalhost", false, false, false, true},
        {"127.4.5.6:80", true, true, true, true},
        {"[::ffff:127.0.0.1]", true, true, true, true},
        {"[::ffff:10.0.0.1]", false, true, false, true},
        {".", false, false, false, true},
        {"", false, false, false, false},
        {":8080", false, false, false, false},
        {"localhost:x", false, false, false, false},
        {"localhost:80:80", false, false, false, false},
        {"[::1", false, false, false, false},
        {"[::1]x", false, false, false, false},
        {"[]", false, false, false, true},
        {"[localhost]", false, false, false, true},
        {",", false, false, false, true},
    };
    const struct access loopback = {.names = ACCESS_LOOPBACK};
    const struct access addresses = {.names = ACCESS_ADDRESSES};
    const struct access listed = {.names = ACCESS_LOOPBACK,
                                  .allowed_hosts = "a.example, b.example"};
    const struct access any = {.names = ACCESS_ANY}, star = {.allowed_hosts = "*"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *host = rows[i].host;
        cr_expect_eq(access_has_host(&loopback, host), rows[i].loopback, "%s", host);
        cr_expect_eq(access_has_host(&addresses, host), rows[i].addresses, "%s", host);
        cr_expect_eq(access_has_host(&listed, host), rows[i].listed, "%s", host);
        cr_expect_eq(access_has_host(&any, host), rows[i].any, "%s", host);
        cr_expect_eq(access_has_host(&star, host), rows[i].any, "%s", host);
    }
}

Test(access, origins) {
    static const struct {
        const char *origin, *site, *referer;
        bool none, list, star, tls; /* tls: as none, over https */
    } rows[] = {
        {NULL, NULL, NULL, true, true, true, true}, /* curl */
        {NULL, "same-origin", NULL, true, true, true, true},
        {NULL, "none", NULL, true, true, true, true},
        {NULL, "cross-site", NULL, false, false, false, false},
        {NULL, "same-site", NULL, false, false, false, false},
        {NULL, "nonsense", NULL, false, false, false, false},
        {"http://here:8080", NULL, NULL, true, true, true, false},
        {"HTTP://HERE:8080", NULL, NULL, true, true, true, false},
        {"https://here:8080", NULL, NULL, true, true, true, true}, /* a proxy ended TLS */
        {"ftp://here:8080", NULL, NULL, false, false, true, false},
        {"chrome-extension://here:8080", NULL, NULL, false, false, true, false},
        {"://here:8080", NULL, NULL, false, false, true, false},
        {"here:8080", NULL, NULL, false, false, true, false},
        {"xhttp://here:8080", NULL, NULL, false, false, true, false},
        {"http://here:8080/", NULL, NULL, false, false, true, false},
        {"http://here", NULL, NULL, false, false, true, false},
        {"http://here:80801", NULL, NULL, false, false, true, false},
        {"null", NULL, NULL, false, false, true, false},
        {"", NULL, NULL, false, false, true, false},
        {"https://a.example", NULL, NULL, false, true, true, false},
        {"https://a.example", "cross-site", NULL, false, true, true, false},
        {"http://a.example", "cross-site", NULL, false, false, true, false},
        {"https://evil.example", "same-origin", NULL, true, true, true, true}, /* behind a proxy */
        {"https://evil.example", "cross-site", NULL, false, false, true, false},
        {NULL, NULL, "", true, true, true, true},
        {NULL, NULL, "http://here:8080/", true, true, true, false},
        {NULL, NULL, "https://here:8080/a?b#c", true, true, true, true},
        {NULL, NULL, "http://here:8080", true, true, true, false},
        {NULL, NULL, "http://here:8080?a", true, true, true, false},
        {NULL, NULL, "http://evil.example/", false, false, true, false},
        {NULL, NULL, "http://here:8080.evil.example/", false, false, true, false},
        {NULL, NULL, "http://evil.example/?http://here:8080/", false, false, true, false},
        {NULL, NULL, "https://a.example/page", false, true, true, false},
        {NULL, NULL, "https://a.example.evil.example/", false, false, true, false},
        {NULL, NULL, "nonsense", false, false, true, false},
        {NULL, "same-origin", "http://evil.example/", true, true, true, true},
        {"http://here:8080", NULL, "http://evil.example/", true, true, true, false},
    };
    const struct access none = {0}, list = {.cors_origins = "https://a.example,https://b.example"};
    const struct access star = {.cors_origins = "*"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct access_source from = {.host = "here:8080",
                                     .origin = rows[i].origin,
                                     .referer = rows[i].referer,
                                     .fetch_site = rows[i].site};
        cr_expect_eq(access_may_change(&none, &from), rows[i].none, "%zu", i);
        cr_expect_eq(access_may_change(&list, &from), rows[i].list, "%zu", i);
        cr_expect_eq(access_may_change(&star, &from), rows[i].star, "%zu", i);
        from.is_tls = true;
        cr_expect_eq(access_may_change(&none, &from), rows[i].tls, "%zu", i);
    }
    cr_expect(!access_has_origin(&none, "https://a.example") && !access_has_origin(&star, NULL));
}

static struct sockaddr_storage address(const char *text) {
    struct sockaddr_storage out = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        v4->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        v6->sin6_family = AF_INET6;
    return out;
}

static int take(struct rate *rate, const char *from, double now) {
    struct sockaddr_storage client = address(from);
    const struct in6_addr address = access_address((struct sockaddr *)&client);
    return rate_take(rate, &address, now);
}

Test(access, clients_behind_proxies) {
    static const char proxies[] = "10.0.0.1, 10.0.0.2,2001:db8::1";
    static const struct {
        const char *peer, *forwarded, *client;
    } rows[] = {
        {"192.0.2.1", NULL, "192.0.2.1"},
        {"192.0.2.1", "198.51.100.7", "192.0.2.1"}, /* nobody we trust says so */
        {"10.0.0.1", NULL, "10.0.0.1"},
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.7", "198.51.100.7"},
        {"10.0.0.1", " 198.51.100.7 ", "198.51.100.7"},
        {"10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"}, /* the client wrote the first */
        {"10.0.0.1", "198.51.100.7,10.0.0.2", "198.51.100.7"},
        {"10.0.0.1", "198.51.100.7, 10.0.0.2 ,\t10.0.0.1", "198.51.100.7"},
        {"10.0.0.1", "10.0.0.2", "10.0.0.2"},
        {"10.0.0.1", "198.51.100.7:4711", "198.51.100.7"},
        {"10.0.0.1", "2001:db8::7", "2001:db8::7"},
        {"10.0.0.1", "[2001:db8::7]:443", "2001:db8::7"},
        {"10.0.0.1", "[2001:db8::7]", "2001:db8::7"},
        {"10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"},
        {"10.0.0.1", "198.51.100.7, 2001:db8::1", "198.51.100.7"},
        {"2001:db8::1", "198.51.100.7", "198.51.100.7"},
        {"10.0.0.1", "unknown", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.7, unknown", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.7, nonsense, 10.0.0.2", "10.0.0.2"},
        {"10.0.0.1", ",,,", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.7,", "198.51.100.7"},
        {"10.0.0.1", "300.1.1.1", "10.0.0.1"},
        {"10.0.0.1", "0123456789012345678901234567890123456789012345678901234567890123456789",
         "10.0.0.1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[INET6_ADDRSTRLEN];
        const struct sockaddr_storage socket = address(rows[i].peer);
        const struct in6_addr peer = access_address((const struct sockaddr *)&socket);
        struct in6_addr client = access_client(proxies, &peer, rows[i].forwarded);
        access_address_text(&client, text);
        cr_expect_str_eq(text, rows[i].client, "row %zu: %s", i, text);
        client = access_client(NULL, &peer, rows[i].forwarded);
        access_address_text(&client, text);
        cr_expect_str_eq(text, rows[i].peer, "row %zu without proxies: %s", i, text);
    }
    cr_expect(access_is_address_list(proxies) && access_is_address_list("::1"));
    cr_expect(!access_is_address_list("a.example") && !access_is_address_list("10.0.0.0/8") &&
              !access_is_address_list("10.0.0.1,x") && !access_is_address_list("*"));
}

Test(access, rate) {
    struct rate *rate = rate_new(30);
    for (int i = 0; i < 30; i++)
        cr_assert_eq(take(rate, "192.0.2.1", 100), 0);
    cr_expect_eq(take(rate, "192.0.2.1", 100), 2); /* one every two seconds */
    cr_expect_eq(take(rate, "192.0.2.1", 101.5), 1);
    cr_expect_eq(take(rate, "192.0.2.2", 101.5), 0, "another client has its own");
    cr_expect_eq(take(rate, "192.0.2.1", 102.01), 0);
    cr_expect_neq(take(rate, "192.0.2.1", 102.02), 0);
    for (int i = 0; i < 30; i++) /* not more than 30 however long it waits */
        cr_assert_eq(take(rate, "192.0.2.1", 10000), 0);
    cr_expect_neq(take(rate, "192.0.2.1", 10000), 0);
    rate_free(rate);
}

Test(access, rate_knows_an_ipv6_network_as_one_client) {
    struct rate *rate = rate_new(1);
    cr_expect_eq(take(rate, "2001:db8:0:1::1", 5), 0);
    cr_expect_eq(take(rate, "2001:db8:0:1:ffff::2", 5), 60);
    cr_expect_eq(take(rate, "2001:db8:0:2::1", 5), 0);
    cr_expect_eq(take(rate, "::ffff:192.0.2.1", 5), 0);
    cr_expect_eq(take(rate, "192.0.2.1", 5), 60, "the same client, mapped or not");
    rate_free(rate);
}

Test(access, rate_survives_more_clients_than_places) {
    struct rate *rate = rate_new(1);
    for (int i = 0; i < 100000; i++) {
        char from[32];
        snprintf(from, sizeof from, "10.%d.%d.%d", i >> 16 & 255, i >> 8 & 255, i & 255);
        cr_assert_eq(take(rate, from, i), 0);
    }
    rate_free(rate);
}

/* ------------------------------------------------------------------ keys */

static char path[] = "/tmp/denoised-keys-XXXXXX";
static char error[512];

static void write_keys(const char *text, mode_t mode) {
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
    cr_assert_eq(chmod(path, mode), 0);
}

static void make_file(void) {
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
}

static void remove_file(void) {
    unlink(path);
}

/* The digest of "abc", from FIPS 180-4. */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static enum auth_scope check(struct auth *auth, const char *header) {
    char name[AUTH_NAME];
    return auth_check(auth, header, name);
}

Test(auth, keys_are_known_by_their_digest, .init = make_file, .fini = remove_file) {
    char name[AUTH_NAME];
    write_keys("# who: what\n\n  old:" ABC ":read # on the wall\r\n", 0600);
    struct auth *auth = auth_open(path, error, sizeof error);
    cr_assert(auth, "%s", error);
    cr_expect_eq(auth_count(auth), 1);
    cr_expect_eq(auth_check(auth, "Bearer abc", name), AUTH_READ);
    cr_expect_str_eq(name, "old");
    cr_expect_eq(check(auth, "bearer  abc"), AUTH_READ);
    static const char *const wrong[] = {
        NULL,          "",          "abc",         "Bearer", "Bearer ", "Bearer abd",
        "Bearer abc ", "Basic abc", "Bearer " ABC,
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_eq(check(auth, wrong[i]), AUTH_NONE, "%zu", i);
    auth_close(auth);
}

Test(auth, a_new_key_works, .init = make_file, .fini = remove_file) {
    char key[AUTH_KEY], other[AUTH_KEY], line[AUTH_LINE], header[AUTH_KEY + 8];
    cr_assert(auth_new_key("laptop", AUTH_WRITE, other, line));
    cr_assert(auth_new_key("laptop", AUTH_WRITE, key, line));
    cr_expect_str_neq(key, other);
    cr_expect_eq(strncmp(key, "dn_laptop_", 10), 0);
    cr_expect_eq(strlen(key), 10 + 43);
    cr_expect_null(strstr(line, key + 10));
    write_keys(line, 0640);
    struct auth *auth = auth_open(path, error, sizeof error);
    cr_assert(auth, "%s", error);
    snprintf(header, sizeof header, "Bearer %s", key);
    cr_expect_eq(check(auth, header), AUTH_WRITE);
    snprintf(header, sizeof header, "Bearer %s", other);
    cr_expect_eq(check(auth, header), AUTH_NONE);
    auth_close(auth);
    cr_expect(!auth_new_key("", AUTH_READ, key, line));
    cr_expect(!auth_new_key("a:b", AUTH_READ, key, line));
    cr_expect(!auth_new_key("a23456789a23456789a23456789a23456", AUTH_READ, key, line));
}

Test(auth, bad_files_say_what_is_wrong, .init = make_file, .fini = remove_file) {
    static const struct {
        const char *text;
        mode_t mode;
        const char *message;
    } rows[] = {
        {"a:" ABC "\n", 0604, "chmod o="},
        {"", 0600, "denoised key NAME"},
        {"# nobody\n", 0600, "denoised key NAME"},
        {"a:" ABC "\nb:abc\n", 0600, "line 2: after the name"},
        {"a\n", 0600, "line 1: after the name"},
        {"a:" ABC "0\n", 0600, "64 hex digits"},
        {"a:" ABC ":admin\n", 0600, "read or write"},
        {"a:" ABC ":\n", 0600, "read or write"},
        {"a:" ABC ":read:write\n", 0600, "read or write"},
        {"a b:" ABC "\n", 0600, "a name must be"},
        {":" ABC "\n", 0600, "a name must be"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_keys(rows[i].text, rows[i].mode);
        cr_expect_null(auth_open(path, error, sizeof error), "%zu", i);
        cr_expect(strstr(error, rows[i].message) && strstr(error, path), "%zu: %s", i, error);
    }
    cr_expect_null(auth_open("/nonexistent", error, sizeof error));
    cr_expect(strstr(error, "No such file"), "%s", error);
}

Test(auth, a_bad_file_leaves_the_old_keys, .init = make_file, .fini = remove_file) {
    write_keys("a:" ABC "\n", 0600);
    struct auth *auth = auth_open(path, error, sizeof error);
    cr_assert(auth);
    write_keys("nonsense\n", 0600);
    cr_expect(!auth_reload(auth, error, sizeof error));
    cr_expect_eq(check(auth, "Bearer abc"), AUTH_WRITE);
    write_keys("b:" ABC ":read\n", 0600);
    cr_expect(auth_reload(auth, error, sizeof error));
    cr_expect_eq(check(auth, "Bearer abc"), AUTH_READ);
    auth_close(auth);
}
