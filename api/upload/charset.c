#include "api/upload/charset.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum charset charset_find(const char *name, size_t length) {
    static const struct {
        const char *name;
        enum charset charset;
    } names[] = {{"utf-8", CHARSET_UTF8},
                 {"utf8", CHARSET_UTF8},
                 {"us-ascii", CHARSET_UTF8},
                 {"ascii", CHARSET_UTF8},
                 {"iso-8859-1", CHARSET_WINDOWS_1252},
                 {"iso8859-1", CHARSET_WINDOWS_1252},
                 {"latin1", CHARSET_WINDOWS_1252},
                 {"latin-1", CHARSET_WINDOWS_1252},
                 {"windows-1252", CHARSET_WINDOWS_1252},
                 {"cp1252", CHARSET_WINDOWS_1252},
                 {"utf-16", CHARSET_UTF16},
                 {"utf16", CHARSET_UTF16},
                 {"utf-16le", CHARSET_UTF16_LE},
                 {"utf-16be", CHARSET_UTF16_BE}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == length && strncasecmp(names[i].name, name, length) == 0)
            return names[i].charset;
    return CHARSET_UNKNOWN;
}

/* Are two characters of ASCII there in UTF-16, whose high bytes are 0? */
static bool are_pairs(const char *text, bool big_endian) {
    return text[!big_endian] == 0 && text[2 + !big_endian] == 0 && text[big_endian] != 0 &&
           text[2 + big_endian] != 0;
}

enum charset charset_mark(const char *text, size_t length) {
    if (length >= 2 && memcmp(text, "\xff\xfe", 2) == 0)
        return CHARSET_UTF16_LE;
    if (length >= 2 && memcmp(text, "\xfe\xff", 2) == 0)
        return CHARSET_UTF16_BE;
    return length < 4               ? CHARSET_UTF8
           : are_pairs(text, false) ? CHARSET_UTF16_LE
           : are_pairs(text, true)  ? CHARSET_UTF16_BE
                                    : CHARSET_UTF8;
}

/* Writes a code point in up to four bytes; returns the end. */
static char *put(char *at, uint32_t point) {
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    const int bytes = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (int i = bytes - 1; i > 0; i--, point >>= 6)
        at[i] = (char)(0x80 | (point & 0x3f));
    at[0] = (char)(lead[bytes] | point);
    return at + bytes;
}

/* The characters 0x80 to 0x9f of windows-1252 (the WHATWG's index); 0: there is none. */
static const uint16_t high[32] = {0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
                                  0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017d, 0,
                                  0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                  0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

static const char *decode_bytes(const unsigned char *text, size_t length, struct buffer *out) {
    char *to = buffer_reserve(out, 3 * length + 1);
    const char *const from = to;
    for (size_t i = 0; to && i < length; i++) {
        const uint32_t point = text[i] < 0x80 || text[i] >= 0xa0 ? text[i] : high[text[i] - 0x80];
        if (point == 0)
            return text[i] == 0 ? "it has a NUL character"
                                : "it has bytes that are no characters of that set";
        to = put(to, point);
    }
    if (to)
        out->length += (size_t)(to - from);
    return NULL;
}

static const char *decode_pairs(const unsigned char *text, size_t length, bool big_endian,
                                struct buffer *out) {
    if (length % 2 != 0)
        return "it has an odd number of bytes";
    char *to = buffer_reserve(out, 3 * (length / 2) + 1);
    const char *const from = to;
    uint32_t first = 0; /* half of a surrogate pair */
    for (size_t i = 0; to && i < length; i += 2) {
        const uint32_t unit = (uint32_t)text[i + !big_endian] << 8 | text[i + big_endian];
        const bool is_second = unit >= 0xdc00 && unit < 0xe000;
        if (is_second != (first != 0))
            return "half of a surrogate pair is missing";
        if (unit == 0)
            return "it has a NUL character";
        if (unit >= 0xd800 && unit < 0xdc00) {
            first = unit;
            continue;
        }
        if (unit != 0xfeff || i > 0) /* the byte order mark */
            to = put(to, first ? 0x10000 + ((first - 0xd800) << 10) + (unit - 0xdc00) : unit);
        first = 0;
    }
    if (to)
        out->length += (size_t)(to - from);
    return first ? "half of a surrogate pair is missing" : NULL;
}

const char *charset_decode(enum charset charset, const char *text, size_t length,
                           struct buffer *out) {
    const unsigned char *bytes = (const unsigned char *)text;
    if (charset == CHARSET_UTF16)
        charset =
            charset_mark(text, length) == CHARSET_UTF16_LE ? CHARSET_UTF16_LE : CHARSET_UTF16_BE;
    if (charset == CHARSET_UTF16_LE || charset == CHARSET_UTF16_BE)
        return decode_pairs(bytes, length, charset == CHARSET_UTF16_BE, out);
    return decode_bytes(bytes, length, out);
}
