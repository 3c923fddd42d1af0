/* A recursive-descent recognizer of RFC 8259. */
#include "api/contract/json_scan.h"

#include <stdio.h>
#include <string.h>

#include "server/base/utf8.h"

static bool fail(struct json_scan *scan, const char *what) {
    if (!scan->wrong)
        scan->wrong = what;
    return false;
}

bool json_scan_begin(struct json_scan *scan, const char *text, size_t length, size_t max_values) {
    static const char mark[] = "\xef\xbb\xbf"; /* U+FEFF, which editors and PowerShell put first */
    const size_t marked = length >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
    *scan = (struct json_scan){.start = text + marked,
                               .at = text + marked,
                               .end = text + length,
                               .max_values = max_values};
    const size_t valid = utf8_length(text, length);
    if (valid == length)
        return true;
    scan->at = text + valid;
    return fail(scan, "the text is not UTF-8");
}

bool json_scan_end(struct json_scan *scan) {
    json_scan_space(scan);
    return scan->at == scan->end || fail(scan, "there is more text after the value");
}

void json_scan_explain(const struct json_scan *scan, char *error, size_t error_size) {
    size_t line = 1, column = 1;
    for (const char *p = scan->start; p < scan->at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    snprintf(error, error_size, "line %zu, column %zu: %s", line, column, scan->wrong);
}

void json_scan_space(struct json_scan *scan) {
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

bool json_scan_next_is(const struct json_scan *scan, char c) {
    return scan->at < scan->end && *scan->at == c;
}

static size_t skip_digits(struct json_scan *scan) {
    const char *from = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return (size_t)(scan->at - from);
}

static bool scan_number(struct json_scan *scan) {
    if (json_scan_next_is(scan, '-'))
        scan->at++;
    if (json_scan_next_is(scan, '0'))
        scan->at++;
    else if (skip_digits(scan) == 0)
        return fail(scan, "not a number");
    if (json_scan_next_is(scan, '.')) {
        scan->at++;
        if (skip_digits(scan) == 0)
            return fail(scan, "digits must follow the decimal point");
    }
    if (json_scan_next_is(scan, 'e') || json_scan_next_is(scan, 'E')) {
        scan->at++;
        if (json_scan_next_is(scan, '+') || json_scan_next_is(scan, '-'))
            scan->at++;
        if (skip_digits(scan) == 0)
            return fail(scan, "digits must follow the exponent sign");
    }
    return true;
}

/* The number in the four hex digits after \u; -1 if there are not four. */
static int scan_hex(struct json_scan *scan) {
    static const char digits[] = "0123456789abcdefABCDEF";
    int code = 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        const char *digit =
            scan->at < scan->end ? memchr(digits, *scan->at, sizeof digits - 1) : NULL;
        if (!digit)
            return -1;
        const int value = (int)(digit - digits);
        code = 16 * code + (value < 16 ? value : value - 6);
    }
    return code;
}

static bool scan_escape(struct json_scan *scan) {
    enum { HIGH = 0xd800, LOW = 0xdc00, HALF = 0xfc00 /* the bits that distinguish the halves */ };
    static const char lone[] = "half of a surrogate pair";
    scan->at++;
    if (scan->at == scan->end || !memchr("\"\\/bfnrtu", *scan->at, 9))
        return fail(scan, "unknown escape");
    if (*scan->at++ != 'u')
        return true;
    const int code = scan_hex(scan);
    if (code < 0)
        return fail(scan, "\\u must be followed by four hex digits");
    if (code == 0)
        return fail(scan, "\\u0000 is not accepted");
    if ((code & HALF) == LOW)
        return fail(scan, lone);
    if ((code & HALF) != HIGH)
        return true;
    if (scan->end - scan->at < 2 || memcmp(scan->at, "\\u", 2) != 0)
        return fail(scan, lone);
    scan->at += 2;
    return (scan_hex(scan) & HALF) == LOW || fail(scan, lone);
}

bool json_scan_string(struct json_scan *scan) {
    scan->at++;
    while (scan->at < scan->end && *scan->at != '"') {
        if ((unsigned char)*scan->at < ' ')
            return fail(scan, "a control character in a string");
        if (*scan->at != '\\')
            scan->at++;
        else if (!scan_escape(scan))
            return false;
    }
    if (scan->at == scan->end)
        return fail(scan, "a string is not closed");
    scan->at++;
    return true;
}

bool json_scan_enter(struct json_scan *scan) {
    const char closing = *scan->at++ == '{' ? '}' : ']';
    json_scan_space(scan);
    if (!json_scan_next_is(scan, closing))
        return true;
    scan->at++;
    return false;
}

bool json_scan_another(struct json_scan *scan, char closing) {
    json_scan_space(scan);
    const bool is_last = json_scan_next_is(scan, closing);
    if (!is_last && !json_scan_next_is(scan, ','))
        return fail(scan, closing == '}' ? "',' or '}' expected" : "',' or ']' expected");
    scan->at++;
    json_scan_space(scan);
    return !is_last;
}

bool json_scan_name(struct json_scan *scan, const char **end) {
    if (!json_scan_next_is(scan, '"'))
        return fail(scan, "a member must start with its name in double quotes");
    if (!json_scan_string(scan))
        return false;
    *end = scan->at;
    json_scan_space(scan);
    if (!json_scan_next_is(scan, ':'))
        return fail(scan, "':' must follow the name of a member");
    scan->at++;
    return true;
}

static bool scan_container(struct json_scan *scan, int depth) {
    const char closing = *scan->at == '{' ? '}' : ']', *end;
    for (bool more = json_scan_enter(scan); more; more = json_scan_another(scan, closing))
        if ((closing == '}' && !json_scan_name(scan, &end)) || !json_scan_value(scan, depth + 1))
            return false;
    return !scan->wrong;
}

bool json_scan_value(struct json_scan *scan, int depth) {
    static const char *const words[] = {"true", "false", "null"};
    if (++scan->values > scan->max_values)
        return fail(scan, "too many values");
    if (depth > JSON_MAX_DEPTH)
        return fail(scan, "nested too deeply");
    json_scan_space(scan);
    if (scan->at == scan->end)
        return fail(scan, "the text ends too early");
    char c = *scan->at;
    if (c == '{' || c == '[')
        return scan_container(scan, depth);
    if (c == '"')
        return json_scan_string(scan);
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(scan->end - scan->at) >= length && memcmp(scan->at, words[i], length) == 0) {
            scan->at += length;
            return true;
        }
    }
    if (c == '-' || (c >= '0' && c <= '9'))
        return scan_number(scan);
    return fail(scan, "a value was expected");
}
