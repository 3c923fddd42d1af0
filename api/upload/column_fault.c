#include "api/upload/column_fault.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/upload/points.h"
#include "server/base/utf8.h"

/* ------------------------------------------------------------------ what a text is */

static bool is_one_of(const char *text, size_t length, const char *const *words) {
    for (; *words; words++)
        if (strlen(*words) == length && strncasecmp(text, *words, length) == 0)
            return true;
    return false;
}

static bool begins_with(const char *text, size_t length, const char *start) {
    return strlen(start) <= length && memcmp(text, start, strlen(start)) == 0;
}

/* "None" stands for a missing number. */
static bool is_missing(const char *text, size_t length) {
    static const char *const words[] = {"none", NULL};
    return column_is_missing(text, length) || is_one_of(text, length, words);
}

static bool is_infinite(const char *text, size_t length) {
    static const char *const words[] = {"inf", "infinity", NULL};
    const size_t sign = length > 0 && (*text == '-' || *text == '+');
    return is_one_of(text + sign, length - sign, words);
}

static bool is_boolean(const char *text, size_t length) {
    static const char *const words[] = {"true", "false", "yes", "no", NULL};
    return is_one_of(text, length, words);
}

static bool is_number(const char *text, size_t length) {
    return notation_kind(text, length) != NOTATION_NONE;
}

static bool is_percent(const char *text, size_t length) {
    return length > 1 && text[length - 1] == '%' && is_number(text, length - 1);
}

static bool is_currency(const char *text, size_t length) {
    static const char *const signs[] = {"$", "€", "£", "¥", "-$", "-€", "-£", NULL};
    for (int i = 0; signs[i]; i++) {
        const size_t sign = strlen(signs[i]);
        if (length <= sign)
            continue;
        if (begins_with(text, length, signs[i]) && is_number(text + sign, length - sign))
            return true;
        if (memcmp(text + length - sign, signs[i], sign) == 0 && is_number(text, length - sign))
            return true;
    }
    return false;
}

/* U+2212, U+2013 or U+2012, and then digits. */
static bool has_other_minus(const char *text, size_t length) {
    return (begins_with(text, length, "\xe2\x88\x92") ||
            begins_with(text, length, "\xe2\x80\x93") ||
            begins_with(text, length, "\xe2\x80\x92")) &&
           is_number(text + 3, length - 3);
}

/* Three groups of digits with the same mark between them, such as 2020-01-31 or 31/12/20, and
 * perhaps a time after that. */
static bool is_date(const char *text, size_t length) {
    size_t at = 0;
    char mark = 0;
    for (int group = 0; group < 3; group++) {
        const size_t from = at;
        while (at < length && text[at] >= '0' && text[at] <= '9')
            at++;
        if (at == from || at - from > 4 || (group == 1 && at - from > 2))
            return false;
        if (group == 0 && at < length)
            mark = text[at];
        if (group < 2 && (at == length || text[at] != mark || !strchr("-/.", mark)))
            return false;
        at += group < 2;
    }
    return at == length || text[at] == ' ' || text[at] == 'T';
}

/* A number, and then letters or a degree sign. */
static bool has_unit(const char *text, size_t length) {
    size_t digits = 0;
    while (digits < length && text[digits] && strchr("+-0123456789.,", text[digits]))
        digits++;
    size_t at = digits;
    while (at < length && text[at] == ' ')
        at++;
    if (digits == 0 || at == length || length - at > 6 || !is_number(text, digits))
        return false;
    for (; at < length; at++) {
        const unsigned char c = (unsigned char)text[at];
        if (c < 0x80 && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !strchr("/%2", c))
            return false;
    }
    return true;
}

/* In this order. */
static const struct {
    enum column_text kind;
    bool (*is)(const char *text, size_t length);
} tests[] = {
    {COLUMN_MISSING, is_missing}, {COLUMN_INFINITE, is_infinite}, {COLUMN_BOOLEAN, is_boolean},
    {COLUMN_PERCENT, is_percent}, {COLUMN_CURRENCY, is_currency}, {COLUMN_MINUS, has_other_minus},
    {COLUMN_DATE, is_date},       {COLUMN_UNIT, has_unit},        {COLUMN_AMBIGUOUS, is_number}};

enum column_text column_text(struct notation notation, const char *text, size_t length,
                             double *value) {
    if (notation.decimal && notation_read(notation, text, length, value))
        return fabs(*value) <= COLUMN_LARGEST_VALUE ? COLUMN_NUMBER : COLUMN_LARGE;
    if (!notation.decimal) {
        const enum notation_kind kind = notation_kind(text, length);
        if (kind != NOTATION_NONE && kind != NOTATION_PLAIN)
            return COLUMN_AMBIGUOUS;
        if (kind == NOTATION_PLAIN && notation_read((struct notation){'.', 0}, text, length, value))
            return fabs(*value) <= COLUMN_LARGEST_VALUE ? COLUMN_NUMBER : COLUMN_LARGE;
    }
    while (length > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        length--;
    }
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (tests[i].is(text, length))
            return tests[i].kind;
    return COLUMN_TEXT;
}

/* ------------------------------------------------------------------ the message */

#define OR_TYPE ", or give the column the type \"categorical\" or \"id\""

static const struct {
    const char *what, *advice;
} messages[COLUMN_TEXTS] = {
    [COLUMN_MISSING] = {"missing", "fill them in, or remove those rows or the column"},
    [COLUMN_AMBIGUOUS] = {"written with an unclear decimal mark",
                          "add ?decimal=comma if a comma marks decimals, or ?decimal=point if a "
                          "point does"},
    [COLUMN_LARGE] = {"too large", "the largest number that can be used is 1e18; write them "
                                   "in a larger unit" OR_TYPE},
    [COLUMN_INFINITE] = {"infinite", "remove those rows, or set them to a largest value"},
    [COLUMN_PERCENT] = {"written with a percent sign", "save them without it" OR_TYPE},
    [COLUMN_CURRENCY] = {"written with a currency sign", "save them without it" OR_TYPE},
    [COLUMN_MINUS] = {"written with a minus sign that is not -",
                      "replace it by - (U+002D, the hyphen)"},
    [COLUMN_BOOLEAN] = {"true or false, or yes or no", "save them as 1 and 0" OR_TYPE},
    [COLUMN_DATE] = {"of the form of a date", "save them as numbers" OR_TYPE},
    [COLUMN_UNIT] = {"written with a unit", "save them without the unit" OR_TYPE},
    [COLUMN_TEXT] = {"text", "save them as numbers, or leave them empty if they stand "
                             "for missing values" OR_TYPE},
};

const char *column_show(const char *text, size_t length, char out[COLUMN_SHOWN]) {
    enum { MOST = 40 };
    const size_t kept = length <= MOST ? length : utf8_length(text, MOST);
    snprintf(out, COLUMN_SHOWN, "\"%.*s%s\"", (int)kept, text, kept < length ? ".." : "");
    return out;
}

void column_add_problem(struct reading *reading, int column, const char *format, ...) {
    const char *name = reading->cells.columns[column].name;
    char text[PROBLEM_DETAIL];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *pointer = problem_pointer(reading->wrong, "columns", name);
    problem_add(reading->wrong, pointer ? pointer : "", "column \"%s\": %s", name, text);
}

/* Appends what is said of the cells of one kind: "44 of 153 cells (29%) are missing ("NA"; the first
 * is in line 6)". */
static int describe(const struct reading *reading, int column, struct notation notation,
                    enum column_text kind, size_t count, char *text, size_t size) {
    const struct cells_column *of = &reading->cells.columns[column];
    const double share = 100 * (double)count / (double)reading->cells.n;
    char examples[3 * COLUMN_SHOWN + 8] = "", shown[COLUMN_SHOWN];
    size_t used = 0, first = SIZE_MAX;
    int found = 0;
    for (uint32_t code = 0; code < of->distinct && found < 3; code++) {
        const char *example = cells_text(of, code);
        const size_t length = cells_length(of, code);
        double value;
        if (column_text(notation, example, length, &value) != kind)
            continue;
        first = found == 0 ? cells_first_row(&reading->cells, column, code) : first;
        used += (size_t)snprintf(examples + used, sizeof examples - used, "%s%s", found ? ", " : "",
                                 length > 0 ? column_show(example, length, shown) : "empty");
        found++;
    }
    return snprintf(text, size, "%zu of %zu cells (%.*f%%) %s %s (%s; the first is in %s %zu)",
                    count, reading->cells.n, share < 1 ? 1 : 0, share, count == 1 ? "is" : "are",
                    messages[kind].what, examples, reading->unit, reading_line(reading, first));
}

/* Would the numbers of a column be clear if the client said what marks decimals? */
static bool can_be_told(const struct reading *reading, int column) {
    struct notation found[CELLS_MAX_COLUMNS];
    for (enum decimal_mode mode = DECIMAL_POINT; mode <= DECIMAL_COMMA; mode++) {
        notation_find(&reading->cells, mode, found);
        if (found[column].decimal)
            return true;
    }
    return false;
}

/* What would make a column acceptable of which most wrong cells are of this kind. */
static const char *advice(const struct reading *reading, int column, struct notation notation,
                          enum column_text kind, size_t count) {
    const struct cells *cells = &reading->cells;
    const struct cells_column *of = &cells->columns[column];
    /* the last cell of the file is often that of a row of sums */
    const uint32_t last = (uint32_t)of->codes[cells->n - 1];
    double value;
    if (kind != COLUMN_MISSING && count == 1 && cells->n > 2 &&
        column_text(notation, cells_text(of, last), cells_length(of, last), &value) == kind)
        return "if the last row is a summary, remove it";
    if (kind == COLUMN_AMBIGUOUS && !can_be_told(reading, column))
        return "some have marks that contradict others; write all numbers of the column alike, or "
               "give "
               "the column the type \"id\", with which it is not trained on";
    return messages[kind].advice;
}

void column_add_fault(struct reading *reading, int column, struct notation notation,
                      const size_t *counts) {
    char text[PROBLEM_DETAIL];
    int most = COLUMN_TEXT, used = 0;
    for (int kind = COLUMN_AMBIGUOUS; kind < COLUMN_TEXTS; kind++)
        most = counts[kind] > counts[most] ? kind : most;
    if (counts[COLUMN_MISSING] > 0)
        used = describe(reading, column, notation, COLUMN_MISSING, counts[COLUMN_MISSING], text,
                        sizeof text);
    if (counts[most] == 0) {
        column_add_problem(reading, column, "%s: %s", text, messages[COLUMN_MISSING].advice);
        return;
    }
    if (used > 0)
        used += snprintf(text + used, sizeof text - (size_t)used, ", and ");
    describe(reading, column, notation, (enum column_text)most, counts[most], text + used,
             sizeof text - (size_t)used);
    const bool may_be_label = reading->label_column == READING_NO_LABEL &&
                              (most == COLUMN_TEXT || most == COLUMN_BOOLEAN) && counts[most] > 1;
    column_add_problem(
        reading, column, "%s: %s%s", text,
        advice(reading, column, notation, (enum column_text)most, counts[most]),
        may_be_label ? "; if this column holds labels, add ?label= with its name or number" : "");
}
