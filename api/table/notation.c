#include "api/table/notation.h"

#include <string.h>

#include "api/format/number.h"

enum { LONGEST = 64 /* of a number with marks, and NUL */ };

/* The length of a blank that may mark thousands at `at`: a space, U+00A0, U+202F or U+2009. */
static size_t blank_length(const char *at, const char *end) {
    static const char *const blanks[] = {" ", "\xc2\xa0", "\xe2\x80\xaf", "\xe2\x80\x89"};
    for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++) {
        const size_t length = strlen(blanks[i]);
        if ((size_t)(end - at) >= length && memcmp(at, blanks[i], length) == 0)
            return length;
    }
    return 0;
}

static void trim(const char **text, size_t *length) {
    const char *from = *text, *end = from + *length;
    while (from < end && (*from == ' ' || *from == '\t'))
        from++;
    while (end > from && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *text = from;
    *length = (size_t)(end - from);
}

/* The marks within the digits of a number. */
struct marks {
    char mark[8]; /* ',' '.' '\'' ' ', in order; more are only counted */
    int count;
    int groups;        /* how many of the groups of digits between marks have three digits */
    int first, last;   /* digits before the first mark and after the last */
    bool leading_zero; /* the first digit is 0 */
};

/* Scans sign, digits and marks, up to the exponent or the end; false: there is something else. */
static bool find_marks(const char *at, const char *end, struct marks *marks) {
    int digits = 0;
    *marks = (struct marks){0};
    at += at < end && (*at == '-' || *at == '+');
    marks->leading_zero = at < end && *at == '0';
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        const size_t blank = blank_length(at, end);
        if (*at >= '0' && *at <= '9') {
            digits++;
            continue;
        }
        if (*at != ',' && *at != '.' && *at != '\'' && blank == 0)
            return false;
        if (marks->count == 0)
            marks->first = digits;
        else
            marks->groups += digits == 3;
        if (marks->count < (int)sizeof marks->mark)
            marks->mark[marks->count] = blank ? ' ' : *at;
        marks->count++;
        digits = 0;
        at += blank > 1 ? blank - 1 : 0;
    }
    marks->last = digits;
    return marks->count <= (int)sizeof marks->mark;
}

/* Are the marks those of thousands, all but perhaps the last, which is then a decimal one? */
static bool is_grouped(const struct marks *marks, struct notation *notation) {
    const int count = marks->count;
    const char thousands = marks->mark[0], last = marks->mark[count - 1];
    const bool has_decimals = last != thousands;
    for (int i = 1; i < count - has_decimals; i++)
        if (marks->mark[i] != thousands)
            return false;
    if (marks->first < 1 || marks->first > 3 || (marks->leading_zero && marks->first > 0) ||
        marks->groups != count - 1 || (has_decimals && (last == '\'' || last == ' ')) ||
        (!has_decimals && marks->last != 3))
        return false;
    *notation = (struct notation){has_decimals ? last : thousands == '.' ? ',' : '.', thousands};
    return true;
}

/* The number with a decimal point and without other marks in out; its length, 0: it is too long. */
static size_t plain(struct notation notation, const char *at, const char *end, char *out) {
    size_t used = 0;
    while (at < end) {
        const size_t blank = notation.thousands == ' ' ? blank_length(at, end) : 0;
        if (blank > 0 || *at == notation.thousands) {
            at += blank > 0 ? blank : 1;
            continue;
        }
        if (used + 1 == LONGEST)
            return 0;
        out[used++] = *at == notation.decimal ? '.' : *at == '.' ? '?' : *at;
        at++;
    }
    out[used] = '\0';
    return used;
}

static enum notation_kind kind_of(const char *text, size_t length, struct notation *notation) {
    char out[LONGEST];
    double value;
    struct marks marks;
    trim(&text, &length);
    *notation = (struct notation){'.', 0};
    if (length == 0 || !find_marks(text, text + length, &marks))
        return NOTATION_NONE;
    struct notation grouped = {'.', 0};
    const bool may_group = marks.count > 0 && is_grouped(&marks, &grouped);
    const bool is_single = marks.count == 1, is_point = is_single && marks.mark[0] == '.';
    if (marks.count == 0 || is_point) {
        notation->thousands = grouped.thousands; /* 1.234 */
        return !number_read(text, length, &value) ? NOTATION_NONE
               : is_point                         ? NOTATION_POINT
                                                  : NOTATION_PLAIN;
    }
    const bool is_comma = is_single && marks.mark[0] == ',';
    *notation = may_group && !is_comma ? grouped : (struct notation){',', 0};
    const size_t used = may_group || is_comma ? plain(*notation, text, text + length, out) : 0;
    if (used == 0 || !number_read(out, used, &value))
        return NOTATION_NONE;
    return !is_comma ? NOTATION_GROUPED : may_group ? NOTATION_EITHER : NOTATION_COMMA;
}

enum notation_kind notation_kind(const char *text, size_t length) {
    struct notation unused;
    return kind_of(text, length, &unused);
}

/* ------------------------------------------------------------------ a column */

/* What its texts say together. */
struct evidence {
    bool seen[NOTATION_EITHER + 1];
    bool is_decimal_point;   /* a point that cannot mark thousands: 1.5 */
    struct notation grouped; /* of the first grouped text */
    bool contradicts;        /* another grouped text is in another notation */
};

/* Is there a text with two points? */
static bool has_two_points(const struct cells_column *column) {
    const char *at = column->texts, *end = at + column->bytes;
    while (at < end && (at = memchr(at, '.', (size_t)(end - at)))) {
        const char *second = at + 1;
        while (*second && *second != '.')
            second++;
        if (*second)
            return true;
        at = second;
    }
    return false;
}

/* Most columns have no text with a mark other than one point; that is found without looking at each. */
static bool has_marks(const struct cells_column *column) {
    static const char marks[] = {',', ' ', '\'', '\xc2', '\xe2'};
    for (size_t i = 0; i < sizeof marks; i++)
        if (memchr(column->texts, marks[i], column->bytes))
            return true;
    return has_two_points(column);
}

static struct evidence collect(const struct cells_column *column) {
    struct evidence evidence = {0};
    for (uint32_t code = 0; code < column->distinct; code++) {
        struct notation notation;
        const enum notation_kind kind =
            kind_of(cells_text(column, code), cells_length(column, code), &notation);
        if (kind == NOTATION_GROUPED && evidence.seen[kind])
            evidence.contradicts |= notation.thousands != evidence.grouped.thousands;
        else if (kind == NOTATION_GROUPED)
            evidence.grouped = notation;
        evidence.is_decimal_point |= kind == NOTATION_POINT && !notation.thousands;
        evidence.seen[kind] = true;
    }
    return evidence;
}

static const struct notation unknown = {0, 0}, english = {'.', ','}, german = {',', '.'},
                             with_point = {'.', 0}, with_comma = {',', 0};

/* Grouped numbers without decimals do not say what marks decimals, unless the mark is taken. */
static struct notation of_grouped(const struct evidence *evidence) {
    const bool *seen = evidence->seen;
    struct notation notation = evidence->grouped;
    if (notation.thousands == ',')
        return seen[NOTATION_COMMA] ? unknown : english;
    if (notation.thousands == '.')
        return evidence->is_decimal_point ? unknown : german;
    if (seen[NOTATION_COMMA] || seen[NOTATION_EITHER])
        notation.decimal = seen[NOTATION_POINT] ? 0 : ',';
    return notation;
}

static struct notation decide(const struct evidence *evidence, enum decimal_mode mode) {
    const bool *seen = evidence->seen;
    if (evidence->contradicts)
        return unknown;
    if (seen[NOTATION_GROUPED])
        return of_grouped(evidence);
    if (seen[NOTATION_COMMA])
        return evidence->is_decimal_point || mode == DECIMAL_POINT ? unknown
               : seen[NOTATION_POINT]                              ? german
                                                                   : with_comma;
    if (seen[NOTATION_EITHER])
        return mode == DECIMAL_COMMA && !evidence->is_decimal_point  ? german
               : mode == DECIMAL_POINT || evidence->is_decimal_point ? english
                                                                     : unknown;
    /* 1.234 everywhere */
    if (seen[NOTATION_POINT] && mode == DECIMAL_COMMA && !evidence->is_decimal_point)
        return german;
    return with_point;
}

/* Does a column whose numbers have points have one that cannot mark thousands? */
static bool any_decimal_point(const struct cells *cells, const struct notation *found) {
    for (int j = 0; j < cells->count; j++)
        if (found[j].decimal == '.' && collect(&cells->columns[j]).is_decimal_point)
            return true;
    return false;
}

void notation_find(const struct cells *cells, enum decimal_mode mode, struct notation *found) {
    bool comma = false, open = false;
    for (int j = 0; j < cells->count; j++) {
        const struct cells_column *column = &cells->columns[j];
        found[j] = with_point;
        if (mode == DECIMAL_COMMA || has_marks(column)) {
            const struct evidence evidence = collect(column);
            found[j] = decide(&evidence, mode);
        }
        comma |= found[j].decimal == ',';
        open |= found[j].decimal == 0;
    }
    if (mode != DECIMAL_AUTO || (!comma && !open) || comma == any_decimal_point(cells, found))
        return;
    /* What the rest of the file does decides where a column alone does not. Beside decimal commas,
     * 1.234 may be either. */
    for (int j = 0; j < cells->count; j++) {
        const struct evidence evidence = collect(&cells->columns[j]);
        if (found[j].decimal == 0)
            found[j] = decide(&evidence, comma ? DECIMAL_COMMA : DECIMAL_POINT);
        else if (comma && found[j].decimal == '.' && evidence.seen[NOTATION_POINT])
            found[j] = unknown;
    }
}

/* Is there a number with a point that marks decimals for certain (1.5), or one that may not (1.234)? */
static bool has_point(const struct cells_column *column, bool is_certain) {
    const bool is_any = memchr(column->texts, '.', column->bytes) != NULL;
    for (uint32_t code = 0; is_any && code < column->distinct; code++) {
        struct notation notation;
        if (kind_of(cells_text(column, code), cells_length(column, code), &notation) ==
                NOTATION_POINT &&
            (notation.thousands == 0) == is_certain)
            return true;
    }
    return false;
}

bool notation_is_certain(const struct cells *cells) {
    for (int j = 0; j < cells->count; j++)
        if (has_point(&cells->columns[j], true))
            return true;
    return false;
}

bool notation_has_doubtful(const struct cells_column *column) {
    return has_point(column, false);
}

bool notation_read(struct notation notation, const char *text, size_t length, double *value) {
    struct notation own;
    char out[LONGEST];
    trim(&text, &length);
    if (notation.thousands == 0 && notation.decimal == '.')
        return number_read(text, length, value);
    const enum notation_kind kind = kind_of(text, length, &own);
    if (kind == NOTATION_NONE ||
        (kind == NOTATION_GROUPED && own.thousands != notation.thousands) ||
        (kind == NOTATION_POINT && notation.thousands == '.' && own.thousands != '.') ||
        (kind == NOTATION_COMMA && notation.thousands == ','))
        return false;
    const size_t used = plain(notation, text, text + length, out);
    return used > 0 && number_read(out, used, value);
}
