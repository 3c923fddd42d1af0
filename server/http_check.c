#include "server/http_check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What one pass over the headers collects. */
struct scan {
    int hosts, lengths, encodings, bad_names;
    const char *host, *length, *encoding;
};

static bool is_token(const char *name) {
    static const char more[] = "!#$%&'*+-.^_`|~";
    if (!*name)
        return false;
    for (; *name; name++) {
        char c = *name;
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && !strchr(more, c))
            return false;
    }
    return true;
}

static enum MHD_Result scan_header(void *argument, enum MHD_ValueKind kind, const char *name,
                                   const char *value) {
    (void)kind;
    struct scan *scan = argument;
    if (!is_token(name))
        scan->bad_names++;
    if (strcasecmp(name, "Host") == 0) {
        scan->hosts++;
        scan->host = value;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        scan->lengths++;
        scan->length = value;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        scan->encodings++;
        scan->encoding = value;
    }
    return MHD_YES;
}

#define REFUSE(status, code, detail) ((struct http_refusal){status, code, detail})

struct http_refusal http_check(struct MHD_Connection *connection, const char *target,
                               const char *version, const struct access *access,
                               struct http_framing *framing) {
    struct scan scan = {0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, scan_header, &scan);
    bool http_1_0 = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    if (!target || target[0] != '/')
        return REFUSE(400, "bad_target", "the request target must be a path that starts with '/'");
    if (scan.bad_names)
        return REFUSE(400, "bad_header", "a header name has a character that is not allowed in it");
    if (scan.hosts > 1 || (scan.hosts == 0 && !http_1_0))
        return REFUSE(400, "bad_host", "exactly one Host header is needed");
    if (scan.lengths > 1)
        return REFUSE(400, "bad_framing", "more than one Content-Length");
    if (scan.encodings && scan.lengths)
        return REFUSE(400, "bad_framing", "both Content-Length and Transfer-Encoding");
    if (scan.encodings && http_1_0)
        return REFUSE(400, "bad_framing", "Transfer-Encoding in an HTTP/1.0 request");
    if (scan.encodings > 1 || (scan.encodings && strcasecmp(scan.encoding, "chunked") != 0))
        return REFUSE(501, "unknown_transfer_encoding", "the only transfer coding is chunked");
    if (scan.host && !access_has_host(access, scan.host))
        return REFUSE(421, "misdirected_request",
                      access->names == ACCESS_LOOPBACK
                          ? "this server answers to localhost, 127.0.0.1 and [::1]; other names "
                            "are allowed by --allowed-hosts"
                          : "this server does not answer to this name; names are allowed by "
                            "--allowed-hosts");
    framing->declared = scan.lengths ? strtoll(scan.length, NULL, 10) : scan.encodings ? -1 : 0;
    framing->has_body = framing->declared != 0;
    framing->takes_chunks = !http_1_0;
    return REFUSE(0, NULL, NULL);
}
