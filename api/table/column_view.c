#include "api/table/column_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/base/utf8.h"

static void trim(const char **text, size_t *length) {
    for (; *length > 0 && (**text == ' ' || **text == '\t'); ++*text)
        --*length;
    while (*length > 0 && ((*text)[*length - 1] == ' ' || (*text)[*length - 1] == '\t'))
        --*length;
}

static bool is_word(const char *text, size_t length, const char *const *words) {
    enum { LONGEST = 4 };
    trim(&text, &length);
    if (length > LONGEST)
        return false;
    for (; *words; words++)
        if (strlen(*words) == length && strncasecmp(text, *words, length) == 0)
            return true;
    return false;
}

bool column_is_missing(const char *text, size_t length) {
    static const char *const words[] = {"", "na", "n/a", "nan", "null", "?", "#n/a", "-", NULL};
    return is_word(text, length, words);
}

static bool is_none(const char *text, size_t length) {
    static const char *const words[] = {"none", NULL};
    return is_word(text, length, words);
}

/* Digits after a leading zero, as 007 and 01.01 have. */
static bool is_code(const char *text, size_t length) {
    trim(&text, &length);
    const size_t digits = strspn(text, "0123456789.");
    return length >= 2 && digits == length && text[0] == '0' && text[1] != '.';
}

static void count_kinds(struct column_view *view) {
    view->is_whole = true;
    for (uint32_t code = 0; code < view->column->distinct; code++) {
        const uint8_t kind = view->kinds[code];
        if (kind == CELL_MISSING) {
            view->missing += view->counts[code];
            continue;
        }
        view->present++;
        if (kind != CELL_NUMBER)
            continue;
        view->numbers += view->counts[code];
        view->distinct_numbers++;
        view->is_coded |= is_code(cells_text(view->column, code), cells_length(view->column, code));
        view->is_whole &= view->values[code] == floor(view->values[code]);
    }
}

/* "None" stands for a missing number; among texts it is one of them. */
static void settle_none(struct column_view *view) {
    bool is_numeric = false;
    for (uint32_t code = 0; code < view->column->distinct; code++) {
        const bool none = is_none(cells_text(view->column, code), cells_length(view->column, code));
        if (view->kinds[code] == CELL_OTHER && !none)
            return;
        is_numeric |= view->kinds[code] == CELL_NUMBER;
    }
    for (uint32_t code = 0; is_numeric && code < view->column->distinct; code++)
        if (view->kinds[code] == CELL_OTHER)
            view->kinds[code] = CELL_MISSING;
}

bool column_view_make(struct column_view *view, const struct column_request *request,
                      struct arena *arena) {
    const struct cells_column *column = &request->cells->columns[request->index];
    *view = (struct column_view){
        .request = request,
        .column = column,
        .n = request->cells->n,
        .counts = malloc(column->distinct * sizeof *view->counts),
        .kinds = malloc(column->distinct),
        .values = malloc(column->distinct * sizeof *view->values),
        .arena = arena,
    };
    if (!view->counts || !view->kinds || !view->values) {
        arena->failed = true;
        return false;
    }
    cells_count(request->cells, request->index, view->counts);
    for (uint32_t code = 0; code < column->distinct; code++) {
        const char *text = cells_text(column, code);
        const size_t length = cells_length(column, code);
        double *value = &view->values[code];
        *value = NAN;
        if (column_is_missing(text, length))
            view->kinds[code] = CELL_MISSING;
        else if (request->notation.decimal &&
                 notation_read(request->notation, text, length, value) &&
                 fabs(*value) <= COLUMN_LARGEST_VALUE)
            view->kinds[code] = CELL_NUMBER;
        else
            view->kinds[code] = CELL_OTHER;
    }
    settle_none(view);
    count_kinds(view);
    return true;
}

void column_view_clear(struct column_view *view) {
    free(view->counts);
    free(view->kinds);
    free(view->values);
    *view = (struct column_view){0};
}

void column_note(struct column_view *view, struct column *column, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    for (int i = 0; i < COLUMN_MAX_NOTES; i++)
        if (!column->notes[i]) {
            column->notes[i] = arena_vformat(view->arena, format, arguments);
            break;
        }
    va_end(arguments);
}

const char *column_view_examples(const struct column_view *view, enum cell_kind kind) {
    enum { MOST = 40 };
    const char *out = "";
    int found = 0;
    for (uint32_t code = 0; code < view->column->distinct && found < 3 && out; code++) {
        const char *text = cells_text(view->column, code);
        const size_t length = cells_length(view->column, code);
        const size_t kept = length <= MOST ? length : utf8_length(text, MOST);
        if (view->kinds[code] == kind)
            out = arena_format(view->arena, "%s%s\"%.*s%s\"", out, found++ ? ", " : "", (int)kept,
                               text, kept < length ? ".." : "");
    }
    return out ? out : "";
}
