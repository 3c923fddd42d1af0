#include "server/base/utf8.h"

size_t utf8_length(const char *text, size_t length) {
    const unsigned char *s = (const unsigned char *)text, *end = s + length;
    while (s < end) {
        if (*s < 0x80) {
            s++;
            continue;
        }
        size_t more = *s >= 0xf0 ? 3 : *s >= 0xe0 ? 2 : 1;
        if (*s < 0xc2 || *s > 0xf4 || (size_t)(end - s) <= more)
            break;
        /* the second byte rules out overlong forms, surrogates, and what is above U+10FFFF */
        unsigned char low = *s == 0xe0 ? 0xa0 : *s == 0xf0 ? 0x90 : 0x80;
        unsigned char high = *s == 0xed ? 0x9f : *s == 0xf4 ? 0x8f : 0xbf;
        if (s[1] < low || s[1] > high || (more > 1 && (s[2] & 0xc0) != 0x80) ||
            (more > 2 && (s[3] & 0xc0) != 0x80))
            break;
        s += more + 1;
    }
    return (size_t)(s - (const unsigned char *)text);
}

bool utf8_is_valid(const char *text, size_t length) {
    return utf8_length(text, length) == length;
}
