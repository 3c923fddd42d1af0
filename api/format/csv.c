#include "api/format/csv.h"

#include <string.h>

#include "api/format/number.h"

/* To call a function, to start a program or to read another file, a formula needs letters, and one
 * of ( | ! # [ ' or alike. Without them it computes with the table's own cells at worst. */
static bool could_act(const char *text, size_t length) {
    bool has_letter = false, has_other = false;
    for (size_t i = 0; i < length; i++) {
        const unsigned char c = (unsigned char)text[i];
        const bool is_letter = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c >= 0x80;
        has_letter = has_letter || is_letter;
        has_other = has_other || (!is_letter && !memchr("0123456789 .,)+-%_/", c, 19));
    }
    return has_letter && has_other;
}

/* Is it the start of a formula, after any number of apostrophes? */
static bool is_formula(const char *text, size_t length) {
    size_t i = 0;
    while (i < length && text[i] == '\'')
        i++;
    if (i == length)
        return false;
    if (text[i] == '+' || text[i] == '-')
        return could_act(text + i, length - i);
    return memchr("=@\t\r", text[i], 4) != NULL;
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
