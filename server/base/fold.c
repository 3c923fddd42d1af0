#include "server/base/fold.h"

#include <locale.h>
#include <pthread.h>
#include <wchar.h>
#include <wctype.h>

static locale_t all_scripts; /* (locale_t)0: there is none, and only A to Z are folded */

static void look_for_locale(void) {
    all_scripts = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

void fold_begin(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look_for_locale);
}

size_t fold_text(const char *text, size_t length, char *folded) {
    fold_begin();
    const locale_t before = uselocale(all_scripts);
    size_t out = 0;
    for (size_t at = 0, bytes = 1; at < length; at += bytes, bytes = 1) {
        const char c = text[at];
        mbstate_t state = {0};
        wchar_t character;
        if ((unsigned char)c >= 0x80)
            bytes = mbrtowc(&character, text + at, length - at, &state);
        if (bytes > 1 && bytes <= length) {
            out += wcrtomb(folded + out, (wchar_t)towlower((wint_t)character), &state);
        } else {
            folded[out++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
            bytes = 1;
        }
    }
    uselocale(before);
    return out;
}
