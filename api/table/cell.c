#include "api/table/cell.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/contract/fields.h"
#include "api/format/number.h"
#include "api/table/number_format.h"
#include "api/upload/label.h"

struct cell_sent cell_sent(const cJSON *item, struct arena *arena) {
    if (cJSON_IsNull(item))
        return (struct cell_sent){.kind = CELL_SENT_NULL};
    if (cJSON_IsNumber(item))
        return (struct cell_sent){.kind = CELL_SENT_NUMBER, .number = item->valuedouble};
    if (cJSON_IsBool(item))
        return (struct cell_sent){.kind = CELL_SENT_TRUTH, .number = cJSON_IsTrue(item)};
    if (cJSON_IsString(item))
        return (struct cell_sent){
            .kind = CELL_SENT_TEXT,
            .text = arena_copy(arena, item->valuestring, strlen(item->valuestring))};
    return (struct cell_sent){.kind = CELL_SENT_NONE};
}

/* ------------------------------------------------------------------ numbers */

/* The number with all its decimals, in the notation of the column. */
static const char *number_text(const struct column *column, double value, struct arena *arena) {
    char text[DOUBLE_TEXT + 1], own[COLUMN_TEXT_BYTES];
    struct number_format format = {.notation = {'.', 0}};
    const size_t length = column_backward(column, value, own);
    if (column_forward(column, own, length) == value)
        return arena_copy(arena, own, length);
    text[double_text(text, value)] = '\0';
    if (column->format)
        number_format_read(&format, column->format);
    char *point = strchr(text, '.');
    if (point)
        *point = format.notation.decimal;
    return arena_copy(arena, text, strlen(text));
}

static const char *read_number(const struct column *column, const struct cell_sent *sent,
                               struct cell_value *out, struct arena *arena) {
    const char *wanted = column->type == TYPE_INTEGER ? "a whole number" : "a number";
    if (sent->kind == CELL_SENT_NUMBER)
        *out = (struct cell_value){sent->number, number_text(column, sent->number, arena)};
    else if (sent->kind == CELL_SENT_TEXT)
        *out =
            (struct cell_value){column_forward(column, sent->text, strlen(sent->text)), sent->text};
    else
        out->value = NAN;
    if (!isfinite(out->value) || (column->type == TYPE_INTEGER && out->value != rint(out->value)))
        return arena_format(arena, "must be %s, or null to be drawn", wanted);
    if (column->type == TYPE_CONSTANT && out->value != column->min)
        return arena_format(arena, "must be %.15g, the only value of this column", column->min);
    return NULL;
}

/* ------------------------------------------------------------------ levels */

static bool equal_but_for_blanks(const char *a, const char *b) {
    a += strspn(a, " ");
    b += strspn(b, " ");
    size_t m = strlen(a), n = strlen(b);
    while (m > 0 && a[m - 1] == ' ')
        m--;
    while (n > 0 && b[n - 1] == ' ')
        n--;
    return m == n && memcmp(a, b, n) == 0;
}

static int find_level(const struct column *column, const char *text) {
    const int found = label_find(column->levels, text);
    for (int i = 0; found < 0 && i < column->level_count; i++)
        if (equal_but_for_blanks(column->levels[i], text))
            return i;
    return found;
}

static const char *unknown_level(const struct column *column, const char *text,
                                 struct arena *arena) {
    const char *meant = fields_nearest(column->levels, text);
    const char *list = fields_list(column->levels, arena);
    if (meant)
        return arena_format(arena,
                            "\"%.60s\" is no value of this column; did you mean \"%s\"? The values "
                            "are %s",
                            text, meant, list);
    return arena_format(arena, "\"%.60s\" is no value of this column; the values are %s", text,
                        list);
}

static const char *read_level(const struct column *column, const struct cell_sent *sent,
                              struct cell_value *out, struct arena *arena) {
    char number[DOUBLE_TEXT + 1];
    const char *text = sent->text;
    int place = -1;
    if (sent->kind == CELL_SENT_NUMBER) {
        number[double_text(number, sent->number)] = '\0';
        text = number;
    } else if (sent->kind == CELL_SENT_TRUTH) {
        text = sent->number > 0 ? "true" : "false";
        place = column->type == TYPE_BOOLEAN ? (int)sent->number : -1;
    }
    if (place < 0)
        place = find_level(column, text);
    if (place < 0)
        return unknown_level(column, text, arena);
    *out = (struct cell_value){place, column->levels[place]};
    return NULL;
}

/* ------------------------------------------------------------------ all */

static const char *read_date(const struct column *column, const struct cell_sent *sent,
                             struct cell_value *out, struct arena *arena) {
    char example[COLUMN_TEXT_BYTES];
    *out = (struct cell_value){NAN, sent->text};
    if (sent->kind == CELL_SENT_TEXT)
        out->value = column_forward(column, sent->text, strlen(sent->text));
    if (!isnan(out->value))
        return NULL;
    column_backward(column, column->max, example);
    return arena_format(
        arena, "must be a date as the table writes it, such as \"%s\", or null to be drawn",
        example);
}

/* Any text or number names a row. */
static const char *read_id(const struct column *column, const struct cell_sent *sent,
                           struct cell_value *out, struct arena *arena) {
    char text[DOUBLE_TEXT + 1];
    (void)column;
    *out = (struct cell_value){NAN, sent->text};
    if (sent->kind == CELL_SENT_NUMBER)
        out->text = arena_copy(arena, text, double_text(text, sent->number));
    return sent->kind == CELL_SENT_NUMBER || sent->kind == CELL_SENT_TEXT
               ? NULL
               : "must be a text or a number";
}

bool cell_stands_for_missing(const struct column *column, const struct cell_sent *sent) {
    return sent->kind == CELL_SENT_TEXT && column->type != TYPE_ID &&
           (strcmp(sent->text, column->missing_text) == 0 ||
            column_is_missing(sent->text, strlen(sent->text))) &&
           (column->level_count == 0 || find_level(column, sent->text) < 0);
}

const char *cell_read(const struct column *column, const struct cell_sent *sent,
                      struct cell_value *out, struct arena *arena) {
    static const char none[] = "must be a text, a number, true or false, or null to be drawn";
    if (sent->kind == CELL_SENT_NONE || (sent->kind == CELL_SENT_TEXT && !sent->text))
        return column_is_number(column) ? "must be a number, or null to be drawn" : none;
    if (sent->kind == CELL_SENT_TEXT && column->level_count == 0 &&
        strlen(sent->text) >= COLUMN_TEXT_BYTES)
        return arena_format(arena, "must have at most %d bytes", COLUMN_TEXT_BYTES - 1);
    if (cell_stands_for_missing(column, sent)) {
        *out = (struct cell_value){NAN, sent->text};
        return NULL;
    }
    if (column->type == TYPE_ID)
        return read_id(column, sent, out, arena);
    if (column->level_count > 0)
        return read_level(column, sent, out, arena);
    if (column->type == TYPE_DATETIME)
        return read_date(column, sent, out, arena);
    if (column_is_number(column))
        return read_number(column, sent, out, arena);
    return "must be left out: all cells of this column are missing";
}

const char *cell_too_far(const struct column *column, double value, struct arena *arena) {
    const double low = column->min, high = column->max, width = high - low;
    const double bounds[] = {value, low - width, high + width, low, high};
    char texts[5][COLUMN_TEXT_BYTES];
    if (column->level_count > 0 || isnan(value) || (value >= bounds[1] && value <= bounds[2]))
        return NULL;
    struct column all = *column; /* which writes values outside of the range, too */
    all.min = COLUMN_FIRST_SECOND;
    all.max = COLUMN_LAST_SECOND;
    for (int i = 0; i < 5; i++)
        if (column->type == TYPE_DATETIME)
            column_backward(&all, bounds[i], texts[i]);
        else
            snprintf(texts[i], sizeof texts[i], "%.9g", bounds[i]);
    return arena_format(arena,
                        "is %s, too far from the training data, which lies from %s to %s: must be "
                        "%s to %s",
                        texts[0], texts[3], texts[4], texts[1], texts[2]);
}
