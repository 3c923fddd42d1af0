#include "server/http/check.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/http/fields.h"

#define REFUSE(code, detail) ((struct http_refusal){code, detail})

struct http_refusal http_check(const struct http_fields *fields, const char *target,
                               const char *version, const struct access *access,
                               struct http_framing *framing) {
    const char *host = http_find_field(fields, "Host");
    const char *length = http_find_field(fields, "Content-Length");
    const char *encoding = http_find_field(fields, "Transfer-Encoding");
    const char *expect = http_find_field(fields, "Expect");
    const bool http_1_0 = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    if (!target || target[0] != '/')
        return REFUSE(PROBLEM_BAD_TARGET, "the request target must be a path that starts with '/'");
    if (!host && !http_1_0)
        return REFUSE(PROBLEM_BAD_HOST, "exactly one Host header is needed");
    if (encoding && length)
        return REFUSE(PROBLEM_BAD_FRAMING, "both Content-Length and Transfer-Encoding");
    if (encoding && http_1_0)
        return REFUSE(PROBLEM_BAD_FRAMING, "an HTTP/1.0 request must not have Transfer-Encoding");
    if (encoding && strcasecmp(encoding, "chunked") != 0)
        return REFUSE(PROBLEM_UNKNOWN_TRANSFER_ENCODING,
                      "the only supported transfer coding is chunked");
    if (expect && strcasecmp(expect, "100-continue") != 0)
        return REFUSE(PROBLEM_EXPECTATION_FAILED, "the only supported expectation is 100-continue");
    if (host && !access_has_host(access, host))
        return REFUSE(
            PROBLEM_MISDIRECTED_REQUEST,
            access->names == ACCESS_LOOPBACK
                ? "this server accepts the host names localhost, 127.0.0.1 and [::1]; allow other "
                  "names with --allowed-hosts"
                : "this server does not accept this host name; allow names with --allowed-hosts");
    framing->declared = length ? strtoll(length, NULL, 10) : encoding ? -1 : 0;
    framing->has_body = framing->declared != 0;
    framing->takes_chunks = !http_1_0;
    return REFUSE(PROBLEM_NONE, NULL);
}
