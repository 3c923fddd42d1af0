/*
 * access.h - which host names and which web pages may send requests: the checks before the content
 * of a request is read.
 *
 * Names. A page of another site can make its own name resolve to this server (DNS rebinding), and
 * its scripts then look like our own; only the Host header shows the difference. A page cannot
 * rebind an address or "localhost", so these are safe. So is everything when a key is required,
 * because a browser does not send one by itself.
 *
 * Origins. A page of another site can send some requests without being allowed to read the
 * response. Those that change something are refused, unless its origin is one of cors_origins.
 * Three headers say where a request comes from: Sec-Fetch-Site (which only a browser can write),
 * Origin, and Referer, which old browsers send instead of the others.
 */
#ifndef SERVER_HTTP_ACCESS_H
#define SERVER_HTTP_ACCESS_H

#include <netinet/in.h>
#include <stdbool.h>

enum access_names {
    ACCESS_LOOPBACK,  /* localhost and the names below it, 127.0.0.0/8, [::1] */
    ACCESS_ADDRESSES, /* these and every IP address */
    ACCESS_ANY,
};

struct access {
    enum access_names names;
    /* Comma-separated, "*" for all; NULL for none. */
    const char *allowed_hosts; /* more names, without ports */
    const char *cors_origins;  /* "https://a.example" */
};

/* host: the Host header, with or without a port. */
bool access_has_host(const struct access *access, const char *host);
/* May pages of this origin (NULL: none) use the service? */
bool access_has_origin(const struct access *access, const char *origin);
/* Where a request comes from: each text is a header, or NULL. is_tls: the request used HTTPS. */
struct access_source {
    const char *host, *origin, *referer, *fetch_site;
    bool is_tls;
};
/* May a request that changes something come from there? */
bool access_may_change(const struct access *access, const struct access_source *from);

/* Addresses of clients are IPv6; those of IPv4 are mapped, ::ffff:a.b.c.d. NULL gives ::. */
struct in6_addr access_address(const struct sockaddr *peer);
void access_address_text(const struct in6_addr *address, char text[INET6_ADDRSTRLEN]);
/* Is this a list of addresses, such as 10.0.0.1,2001:db8::1? */
bool access_is_address_list(const char *list);
/* Is the address in such a list (NULL: none)? */
bool access_is_proxy(const char *proxies, const struct in6_addr *address);
/* The address of the client: the peer of the connection or, if that is one of the proxies (such a
 * list, or NULL), the last address in X-Forwarded-For (NULL: no such header) that is not a proxy's.
 * Anybody could have written the addresses before that one. */
struct in6_addr access_client(const char *proxies, const struct in6_addr *peer,
                              const char *forwarded);

#endif
