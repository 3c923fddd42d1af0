#include "server/base/fold.h"

#include <locale.h>
#include <pthread.h>
#include <string.h>
#include <wctype.h>

static locale_t all_scripts; /* (locale_t)0: the system has none, and only A to Z are known */

static void look_for_locale(void) {
    all_scripts = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

void fold_begin(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look_for_locale);
}

/* The bytes of the character that begins here, and the character; 1 and the byte if it is none. */
static size_t read_character(const unsigned char *at, size_t left, wint_t *character) {
    const size_t length = at[0] < 0xc2   ? 1
                          : at[0] < 0xe0 ? 2
                          : at[0] < 0xf0 ? 3
                          : at[0] < 0xf5 ? 4
                                         : 1;
    *character = at[0];
    if (length == 1 || length > left)
        return 1;
    wint_t value = at[0] & (0xffU >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 1;
        value = value << 6 | (at[i] & 0x3f);
    }
    *character = value;
    return length;
}

static size_t write_character(wint_t value, char *out) {
    const int more = value < 0x80 ? 0 : value < 0x800 ? 1 : value < 0x10000 ? 2 : 3;
    static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(first[more] | value >> (6 * more));
    for (int i = 1; i <= more; i++)
        out[i] = (char)(0x80 | (value >> (6 * (more - i)) & 0x3f));
    return (size_t)more + 1;
}

size_t fold_text(const char *text, size_t length, char *folded) {
    fold_begin();
    size_t out = 0;
    for (size_t at = 0; at < length;) {
        wint_t character;
        const size_t bytes =
            read_character((const unsigned char *)text + at, length - at, &character);
        if (bytes == 1) {
            const char c = text[at];
            folded[out++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        } else if (all_scripts && towlower_l(character, all_scripts) != character) {
            out += write_character(towlower_l(character, all_scripts), folded + out);
        } else {
            memcpy(folded + out, text + at, bytes);
            out += bytes;
        }
        at += bytes;
    }
    return out;
}
