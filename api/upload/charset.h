/*
 * charset.h - text in the character sets that spreadsheets save, as UTF-8.
 */
#ifndef API_UPLOAD_CHARSET_H
#define API_UPLOAD_CHARSET_H

#include "server/base/buffer.h"

enum charset {
    CHARSET_UNKNOWN,
    CHARSET_UTF8,
    CHARSET_WINDOWS_1252, /* and ISO-8859-1, which it extends */
    CHARSET_UTF16_LE,
    CHARSET_UTF16_BE,
    CHARSET_UTF16, /* as charset_mark finds; otherwise big-endian (RFC 2781) */
};

/* By its name [length], in any case. */
enum charset charset_find(const char *name, size_t length);
/* UTF-16 if it begins with a byte order mark or with two characters of ASCII; otherwise CHARSET_UTF8. */
enum charset charset_mark(const char *text, size_t length);

/* Appends text [length] as UTF-8, without a byte order mark. NULL, or why that is not possible. Out of
 * memory is out->failed. */
const char *charset_decode(enum charset charset, const char *text, size_t length,
                           struct buffer *out);

#endif
