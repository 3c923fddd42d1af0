#include "api/format/csv.h"

#include <string.h>

#include "api/format/number.h"

/* Is it the start of a formula, after any number of apostrophes? */
static bool is_formula(const char *text, size_t length) {
    size_t i = 0;
    while (i < length && text[i] == '\'')
        i++;
    return i < length && memchr("=+-@\t\r", text[i], 6) != NULL;
}

/* Must text [length], with a NUL after it, get an apostrophe when it is written? */
static bool needs_guard(const char *text, size_t length) {
    double value;
    return is_formula(text, length) && !number_read(text, length, &value);
}

bool csv_is_guarded(const char *text, size_t length) {
    return length > 0 && text[0] == '\'' && is_formula(text, length);
}

void csv_write(struct buffer *out, const char *text) {
    const size_t length = strlen(text);
    const bool is_guarded = needs_guard(text, length);
    if (length > 0 && !is_guarded && !strpbrk(text, ",;\t\"\r\n") && text[0] != ' ' &&
        text[0] != '#' && text[length - 1] != ' ') {
        buffer_append(out, text, length);
        return;
    }
    buffer_text(out, is_guarded ? "\"'" : "\"");
    for (; *text; text++)
        buffer_append(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    buffer_append(out, "\"", 1);
}
