#include "server/http/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* ------------------------------------------------------------------ lists */

static bool is_listed(const char *list, const char *word, size_t length) {
    while (list && *list) {
        list += strspn(list, ", ");
        size_t each = strcspn(list, ", ");
        if ((each == 1 && *list == '*') ||
            (each == length && each > 0 && strncasecmp(list, word, length) == 0))
            return true;
        list += each;
    }
    return false;
}

/* ------------------------------------------------------------------ names */

/* The length of the name in "name", "name:80" or "[::1]:80"; 0 if it is none of these. */
static size_t name_length(const char *host) {
    size_t length = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    if (host[0] == '[' && host[length - 1] != ']')
        return 0;
    const char *port = host + length;
    bool ends_well =
        port[0] == '\0' || (port[0] == ':' && strspn(port + 1, "0123456789") == strlen(port + 1));
    return ends_well ? length : 0;
}

/* Maps an IPv4 address into IPv6. */
static struct in6_addr mapped(const struct in_addr *ipv4) {
    struct in6_addr address = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(address.s6_addr + 12, ipv4, 4);
    return address;
}

/* Reads "192.0.2.1", "192.0.2.1:80", "2001:db8::1" or "[2001:db8::1]:80". */
static bool read_address(const char *text, size_t length, struct in6_addr *out) {
    char name[INET6_ADDRSTRLEN + 8]; /* with brackets and a port */
    struct in_addr ipv4;
    if (length >= sizeof name)
        return false;
    memcpy(name, text, length);
    name[length] = '\0';
    if (name[0] == '[') {
        *strchrnul(name, ']') = '\0';
        return inet_pton(AF_INET6, name + 1, out) == 1;
    }
    if (inet_pton(AF_INET6, name, out) == 1)
        return true;
    *strchrnul(name, ':') = '\0';
    if (inet_pton(AF_INET, name, &ipv4) != 1)
        return false;
    *out = mapped(&ipv4);
    return true;
}

/* "localhost" and all names below it are this machine (RFC 6761, 6.3), and so are its addresses. */
static bool is_loopback(const char *name, size_t length) {
    static const char localhost[] = "localhost";
    const size_t last = sizeof localhost - 1;
    struct in6_addr address;
    if (read_address(name, length, &address))
        return IN6_IS_ADDR_LOOPBACK(&address) ||
               (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
    return length >= last && strncasecmp(name + length - last, localhost, last) == 0 &&
           (length == last || (length > last + 1 && name[length - last - 1] == '.'));
}

bool access_has_host(const struct access *access, const char *host) {
    size_t length = name_length(host);
    struct in6_addr address;
    if (length > 1 && host[length - 1] == '.')
        length--; /* a fully qualified name (RFC 1034, 3.1) */
    if (length == 0)
        return false;
    return access->names == ACCESS_ANY || is_loopback(host, length) ||
           (access->names == ACCESS_ADDRESSES && read_address(host, length, &address)) ||
           is_listed(access->allowed_hosts, host, length);
}

/* ------------------------------------------------------------------ origins */

bool access_has_origin(const struct access *access, const char *origin) {
    return origin && is_listed(access->cors_origins, origin, strlen(origin));
}

/* Is this the origin of this server? A proxy may have ended TLS, so https counts, too; http does
 * not for a server with TLS, and no other scheme does, such as that of a browser extension. */
static bool is_own_origin(const struct access_source *from, const char *origin, size_t length) {
    static const char *const schemes[] = {"https://", "http://"};
    for (size_t i = 0; from->host && i < (from->is_tls ? 1 : 2); i++) {
        const size_t scheme = strlen(schemes[i]), host = strlen(from->host);
        if (length == scheme + host && strncasecmp(origin, schemes[i], scheme) == 0 &&
            strncasecmp(origin + scheme, from->host, host) == 0)
            return true;
    }
    return false;
}

/* The length of the origin that a URL starts with. */
static size_t origin_length(const char *url) {
    const char *authority = strstr(url, "://");
    authority = authority ? authority + 3 : url;
    return (size_t)(authority - url) + strcspn(authority, "/?#");
}

bool access_may_change(const struct access *access, const struct access_source *from) {
    if (access_has_origin(access, from->origin))
        return true;
    /* The browser names the source of the request; "none" is the user. */
    if (from->fetch_site)
        return strcmp(from->fetch_site, "same-origin") == 0 ||
               strcmp(from->fetch_site, "none") == 0;
    if (from->origin)
        return is_own_origin(from, from->origin, strlen(from->origin));
    if (!from->referer || !from->referer[0])
        return true; /* not a browser */
    const size_t length = origin_length(from->referer);
    return is_own_origin(from, from->referer, length) ||
           is_listed(access->cors_origins, from->referer, length);
}

/* ------------------------------------------------------------------ clients */

struct in6_addr access_address(const struct sockaddr *peer) {
    if (peer && peer->sa_family == AF_INET6)
        return ((const struct sockaddr_in6 *)peer)->sin6_addr;
    if (peer && peer->sa_family == AF_INET)
        return mapped(&((const struct sockaddr_in *)peer)->sin_addr);
    return (struct in6_addr){0};
}

void access_address_text(const struct in6_addr *address, char text[INET6_ADDRSTRLEN]) {
    if (IN6_IS_ADDR_V4MAPPED(address))
        inet_ntop(AF_INET, address->s6_addr + 12, text, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN);
}

/* Reads the next address of a list; false at its end, or when something else follows. */
static bool next_address(const char **list, struct in6_addr *address) {
    *list += strspn(*list, ", ");
    const size_t length = strcspn(*list, ", ");
    const bool found = length > 0 && read_address(*list, length, address);
    *list += found ? length : 0;
    return found;
}

bool access_is_address_list(const char *list) {
    struct in6_addr address;
    while (next_address(&list, &address))
        ;
    return *list == '\0';
}

bool access_is_proxy(const char *proxies, const struct in6_addr *address) {
    struct in6_addr proxy;
    while (proxies && next_address(&proxies, &proxy))
        if (IN6_ARE_ADDR_EQUAL(&proxy, address))
            return true;
    return false;
}

struct in6_addr access_client(const char *proxies, const struct in6_addr *peer,
                              const char *forwarded) {
    struct in6_addr client = *peer;
    const char *end = forwarded ? forwarded + strlen(forwarded) : NULL;
    while (end && end > forwarded && access_is_proxy(proxies, &client)) {
        const char *start = end;
        while (start > forwarded && !strchr(", \t", start[-1]))
            start--;
        if (start < end && !read_address(start, (size_t)(end - start), &client))
            break; /* not an address, such as "unknown": only the proxy behind it is known */
        end = start > forwarded ? start - 1 : start;
    }
    return client;
}
