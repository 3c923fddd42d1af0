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

bool csv_needs_guard(const char *text, size_t length) {
    double value;
    return is_formula(text, length) && !number_read(text, length, &value);
}

bool csv_is_guarded(const char *text, size_t length) {
    return length > 0 && text[0] == '\'' && is_formula(text, length);
}
