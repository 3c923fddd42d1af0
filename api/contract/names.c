#include "api/contract/names.h"

#include <stdbool.h>
#include <string.h>

static bool is_control(unsigned char c, unsigned char next) {
    const bool is_space = c == '\t' || c == '\n' || c == '\r';
    return (c < ' ' && !is_space) || c == 0x7f || (c == 0xc2 && next >= 0x80 && next <= 0x9f);
}

/* U+202A to U+202E are E2 80 AA to AE, U+2066 to U+2069 are E2 81 A6 to A9. */
static bool is_direction(const unsigned char *at, size_t left) {
    return left >= 3 && at[0] == 0xe2 &&
           ((at[1] == 0x80 && at[2] >= 0xaa && at[2] <= 0xae) ||
            (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
}

/* EF BB BF, EF BF BE, EF BF BF: the byte order mark, and two noncharacters, which XML cannot
 * hold. */
static bool is_no_character(const unsigned char *at, size_t left) {
    return left >= 3 && at[0] == 0xef &&
           ((at[1] == 0xbb && at[2] == 0xbf) || (at[1] == 0xbf && at[2] >= 0xbe));
}

const char *name_wrong(const char *name, size_t length) {
    const unsigned char *at = (const unsigned char *)name;
    for (size_t i = 0; i < length; i++) {
        if (is_control(at[i], i + 1 < length ? at[i + 1] : 0))
            return "must not have control characters";
        if (is_no_character(at + i, length - i))
            return "must not have U+FEFF, U+FFFE or U+FFFF";
        if (is_direction(at + i, length - i))
            return "must not have characters that change the direction of text";
    }
    return NULL;
}
