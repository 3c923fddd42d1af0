#include "server/http/fields.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Fields with a single value: given two, one program would use the first and another the last. All
 * others are lists, or unused here. */
static const struct {
    const char *name;
    enum problem_code code;
} singular[] = {
    {"Host", PROBLEM_BAD_HOST},
    {"Content-Length", PROBLEM_BAD_FRAMING},
    {"Access-Control-Request-Method", PROBLEM_BAD_HEADER},
    {"Authorization", PROBLEM_BAD_HEADER},
    {"Content-Location", PROBLEM_BAD_HEADER},
    {"Content-Range", PROBLEM_BAD_HEADER},
    {"Content-Type", PROBLEM_BAD_HEADER},
    {"Date", PROBLEM_BAD_HEADER},
    {"From", PROBLEM_BAD_HEADER},
    {"Idempotency-Key", PROBLEM_BAD_HEADER},
    {"If-Modified-Since", PROBLEM_BAD_HEADER},
    {"If-Range", PROBLEM_BAD_HEADER},
    {"If-Unmodified-Since", PROBLEM_BAD_HEADER},
    {"Last-Event-ID", PROBLEM_BAD_HEADER},
    {"Max-Forwards", PROBLEM_BAD_HEADER},
    {"Origin", PROBLEM_BAD_HEADER},
    {"Proxy-Authorization", PROBLEM_BAD_HEADER},
    {"Range", PROBLEM_BAD_HEADER},
    {"Referer", PROBLEM_BAD_HEADER},
    {"Sec-Fetch-Dest", PROBLEM_BAD_HEADER},
    {"Sec-Fetch-Mode", PROBLEM_BAD_HEADER},
    {"Sec-Fetch-Site", PROBLEM_BAD_HEADER},
    {"Sec-Fetch-User", PROBLEM_BAD_HEADER},
    {"traceparent", PROBLEM_BAD_HEADER},
    {"User-Agent", PROBLEM_BAD_HEADER},
    {"X-Request-Id", PROBLEM_BAD_HEADER},
};

#define REFUSE(code, detail) ((struct http_refusal){code, detail})

/* ------------------------------------------------------------------ the bytes of the head */

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* libmicrohttpd before 1.0 passes on values that differ from the request. It ends each value at its
 * first NUL, and appends the rest of a folded line to the *name* of the field
 * ("Transfer-Encoding:", line break, " chunked" becomes a field Transfer-Encodingchunked without a
 * value). Another program would see a body there, which this one would take for the next request.
 * But names and values still stand where they were received, so the head can be walked from its
 * first byte to its last: a gap between two texts is something that was skipped, and a folded name
 * has moved elsewhere. */
struct walk {
    uintptr_t at; /* where the next line must start; 0: there was a gap */
};

/* The walk must be at `text` [length]; the line ends `past` bytes after it. */
static void walk_on(struct walk *walk, const char *text, size_t length, size_t past) {
    walk->at = walk->at == (uintptr_t)text ? walk->at + length + past : 0;
}

enum { COLON = 1, SPACE = 1, LINE_END = 2 };

static void walk_line(struct walk *walk, const struct http_line *line) {
    walk->at = (uintptr_t)line->method;
    walk_on(walk, line->method, strlen(line->method), SPACE);
    walk_on(walk, line->url, strlen(line->target), SPACE);
    walk_on(walk, line->version, strlen(line->version), LINE_END);
}

static void walk_field(struct walk *walk, const char *name, size_t name_size, const char *value,
                       size_t value_size) {
    walk_on(walk, name, name_size, COLON);
    const char *at = name + name_size + COLON;
    while (walk->at && (uintptr_t)at < (uintptr_t)value && is_blank(*at))
        at++, walk->at++;
    walk_on(walk, value, value_size, LINE_END);
}

static bool has_arrived(const struct walk *walk, struct MHD_Connection *connection,
                        const struct http_line *line) {
    const union MHD_ConnectionInfo *head =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return walk->at && head && walk->at + LINE_END == (uintptr_t)line->method + head->header_size;
}

/* Later versions refuse all of these by themselves. */
static bool must_walk(void) {
    return strncmp(MHD_get_version(), "0.", 2) == 0;
}

/* ------------------------------------------------------------------ one field */

struct reading {
    struct arena *arena;
    struct http_fields *fields;
    struct walk walk;
    struct http_refusal refusal; /* the first */
};

static void refuse(struct reading *reading, enum problem_code code, const char *detail) {
    if (!reading->refusal.code)
        reading->refusal = detail ? REFUSE(code, detail)
                                  : REFUSE(PROBLEM_NO_MEMORY, "not enough memory for the request");
}

static bool is_token(const char *name, size_t size) {
    static const bool allowed[256] = {
        ['!'] = true, ['#' ... '\''] = true, ['*'] = true,         ['+'] = true, ['-'] = true,
        ['.'] = true, ['0' ... '9'] = true,  ['A' ... 'Z'] = true, ['^'] = true, ['_'] = true,
        ['`'] = true, ['a' ... 'z'] = true,  ['|'] = true,         ['~'] = true,
    };
    bool good = size > 0;
    for (size_t i = 0; i < size; i++)
        good &= allowed[(unsigned char)name[i]];
    return good;
}

static bool has_control(const char *value, size_t size) {
    bool found = false;
    for (size_t i = 0; i < size; i++)
        found |= ((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 0x7f;
    return found;
}

/* Trims blanks off a value; copies it only if necessary. NULL when out of memory. */
static const char *trim(struct arena *arena, const char *value, size_t size) {
    size_t kept = size;
    while (kept > 0 && is_blank(value[kept - 1]))
        kept--;
    while (kept > 0 && is_blank(*value))
        value++, kept--, size--;
    return kept == size ? value : arena_copy(arena, value, kept);
}

static struct http_field *find(const struct http_fields *fields, const char *name, size_t size) {
    for (size_t i = 0; i < fields->count; i++)
        if (fields->items[i].name_size == size && strcasecmp(fields->items[i].name, name) == 0)
            return &fields->items[i];
    return NULL;
}

static void keep(struct reading *reading, const char *name, size_t size, const char *value) {
    struct http_field *known = find(reading->fields, name, size);
    if (!known) {
        reading->fields->items[reading->fields->count++] = (struct http_field){name, size, value};
        return;
    }
    for (size_t i = 0; i < sizeof singular / sizeof *singular; i++)
        if (strcasecmp(singular[i].name, name) == 0) {
            refuse(reading, singular[i].code,
                   arena_format(reading->arena, "%s may be given only once", singular[i].name));
            return;
        }
    const char *both = arena_format(reading->arena, "%s, %s", known->value, value);
    if (both)
        known->value = both;
    else
        refuse(reading, PROBLEM_NO_MEMORY, NULL);
}

static enum MHD_Result read_field(void *argument, enum MHD_ValueKind kind, const char *name,
                                  size_t name_size, const char *value, size_t value_size) {
    (void)kind;
    struct reading *reading = argument;
    if (!value)
        value = "", value_size = 0;
    walk_field(&reading->walk, name, name_size, value, value_size);
    if (!is_token(name, name_size))
        refuse(reading, PROBLEM_BAD_HEADER,
               "a header name contains a character that is not allowed");
    if (has_control(value, value_size))
        refuse(reading, PROBLEM_BAD_HEADER, "a header value contains a control character");
    const char *trimmed = trim(reading->arena, value, value_size);
    /* (libmicrohttpd does not recognize "chunked ") */
    if (trimmed && trimmed != value && strcasecmp(name, "Transfer-Encoding") == 0)
        refuse(reading, PROBLEM_BAD_FRAMING, "there is white space after the transfer coding");
    if (trimmed)
        keep(reading, name, name_size, trimmed);
    else
        refuse(reading, PROBLEM_NO_MEMORY, NULL);
    return MHD_YES;
}

/* ------------------------------------------------------------------ all of them */

struct http_refusal http_read_fields(struct MHD_Connection *connection, struct arena *arena,
                                     const struct http_line *line, struct http_fields *fields) {
    struct reading reading = {.arena = arena, .fields = fields};
    const int lines = MHD_get_connection_values_n(connection, MHD_HEADER_KIND, NULL, NULL);
    fields->count = 0;
    fields->items = arena_alloc(arena, (size_t)(lines > 0 ? lines : 1) * sizeof *fields->items);
    if (!fields->items || !line->target)
        return REFUSE(PROBLEM_NO_MEMORY, "not enough memory for the request");
    walk_line(&reading.walk, line);
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, read_field, &reading);
    if (must_walk() && !has_arrived(&reading.walk, connection, line))
        refuse(&reading, PROBLEM_BAD_HEADER,
               "the request head has a folded line, a NUL, a line that does not end in CR LF, or "
               "more than one space in its first line");
    return reading.refusal;
}

const char *http_find_field(const struct http_fields *fields, const char *name) {
    const struct http_field *found = find(fields, name, strlen(name));
    return found ? found->value : NULL;
}

/* ------------------------------------------------------------------ what they say together */

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
