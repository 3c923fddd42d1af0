/* CSV (RFC 4180), as spreadsheets and scripts really write it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/format/csv.h"
#include "api/format/number.h"
#include "api/format/reading.h"
#include "api/names.h"
#include "server/pool.h"
#include "server/router.h"

/* A field of a row, without its quotes; doubled quotes within are still doubled. */
struct cell {
    const char *text;
    size_t length;
    bool quoted;
};

struct csv {
    const char *at, *end;
    char delimiter;
    size_t line; /* of what comes next, from 1 */
    /* the row in hand */
    size_t row_line;
    int count; /* may be more than are kept */
    struct cell cells[COLUMNS + 1];
    const char *wrong; /* it is not CSV from here on: why */
};

/* ------------------------------------------------------------------ rows */

static bool is_blank(const struct csv *csv, char c) {
    return (c == ' ' || c == '\t') && c != csv->delimiter;
}

static bool is_end_of_line(const struct csv *csv) {
    return csv->at == csv->end || *csv->at == '\n' || *csv->at == '\r';
}

/* LF, CR LF or CR. */
static void pass_end_of_line(struct csv *csv) {
    if (csv->at == csv->end)
        return;
    csv->at += *csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n' ? 2 : 1;
    csv->line++;
}

static struct cell quoted_cell(struct csv *csv) {
    const char *from = ++csv->at;
    for (;; csv->at++) {
        if (csv->at == csv->end) {
            csv->wrong = "a quoted field has no closing quote";
            return (struct cell){from, 0, true};
        }
        if (*csv->at == '"') {
            if (csv->at + 1 == csv->end || csv->at[1] != '"')
                break;
            csv->at++;
        } else if (*csv->at == '\n' ||
                   (*csv->at == '\r' && (csv->at + 1 == csv->end || csv->at[1] != '\n'))) {
            csv->line++;
        }
    }
    struct cell cell = {from, (size_t)(csv->at - from), true};
    csv->at++;
    while (csv->at < csv->end && is_blank(csv, *csv->at))
        csv->at++;
    if (!is_end_of_line(csv) && *csv->at != csv->delimiter)
        csv->wrong = "something other than a delimiter follows a closing quote";
    return cell;
}

/* Blanks around a field that has no quotes are no part of it. */
static struct cell next_cell(struct csv *csv) {
    while (csv->at < csv->end && is_blank(csv, *csv->at))
        csv->at++;
    if (csv->at < csv->end && *csv->at == '"')
        return quoted_cell(csv);
    const char *from = csv->at;
    while (!is_end_of_line(csv) && *csv->at != csv->delimiter)
        csv->at++;
    const char *to = csv->at;
    while (to > from && is_blank(csv, to[-1]))
        to--;
    return (struct cell){from, (size_t)(to - from), false};
}

/* The next row that is not blank. False at the end, or when something is wrong. */
static bool next_row(struct csv *csv) {
    do {
        if (csv->at == csv->end || csv->wrong)
            return false;
        csv->row_line = csv->line;
        csv->count = 0;
        for (;;) {
            csv->cells[csv->count < COLUMNS ? csv->count : COLUMNS] = next_cell(csv);
            csv->count++;
            if (csv->wrong)
                return false;
            if (is_end_of_line(csv))
                break;
            csv->at++; /* the delimiter */
        }
        pass_end_of_line(csv);
    } while (csv->count == 1 && csv->cells[0].length == 0 && !csv->cells[0].quoted);
    return true;
}

/* The text of a field in out [size], cut after a whole character. Its whole length. An apostrophe
 * that keeps a spreadsheet from computing the field, as our own files have it, is no part of it. */
static size_t cell_text(const struct cell *cell, char *out, size_t size) {
    size_t used = 0;
    for (size_t i = csv_is_guarded(cell->text, cell->length); i < cell->length; i++) {
        if (used + 1 < size)
            out[used] = cell->text[i];
        used++;
        if (cell->quoted && cell->text[i] == '"')
            i++; /* its double */
    }
    size_t kept = used < size ? used : size - 1;
    while (used >= size && !router_is_utf8(out, kept))
        kept--;
    out[kept] = '\0';
    return used;
}

/* Within quotes, too, blanks may stand around a number. */
static bool cell_number(const struct cell *cell, double *value) {
    const char *from = cell->text, *to = from + cell->length;
    while (from < to && *from == ' ')
        from++;
    while (to > from && to[-1] == ' ')
        to--;
    return number_read(from, (size_t)(to - from), value);
}

/* Words that programs write for numbers that are none. */
static bool is_special(const struct cell *cell) {
    static const char *const words[] = {"nan", "inf", "infinity", "na", "null", "none"};
    const size_t sign = cell->length > 0 && strchr("+-", cell->text[0]) != NULL;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (cell->length == sign + strlen(words[i]) &&
            strncasecmp(cell->text + sign, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

/* ------------------------------------------------------------------ what kind of file it is */

enum { LOOK_AHEAD = 10 };

/* How well a row is explained: its numbers, and much for one in which nothing but the label is not
 * a number. */
static int score_row(const struct reading *reading, const struct csv *csv) {
    enum { CLEAN = 1000 };
    int label, numbers = 0, others = 0;
    double value;
    const bool known = reading_label_number(reading, csv->count, &label) && label != NO_LABEL;
    for (int j = 0; j < csv->count && j < COLUMNS; j++) {
        if (cell_number(&csv->cells[j], &value))
            numbers++;
        else if (!known || j != label)
            others++;
    }
    return numbers + (numbers > 0 && others <= !known ? CLEAN : 0);
}

/* The delimiter that explains the first rows best. Rows that do not have as many fields as the
 * first one speak for none. */
static char find_delimiter(const struct reading *reading, const struct csv *start) {
    static const char candidates[] = ",;\t";
    char best = ',';
    int highest = 0;
    for (int c = 0; candidates[c]; c++) {
        struct csv csv = *start;
        int score = 0, fields = 0;
        csv.delimiter = candidates[c];
        for (int row = 0; row < LOOK_AHEAD && next_row(&csv); row++) {
            fields = row == 0 ? csv.count : fields;
            score += csv.count == fields ? score_row(reading, &csv) : 0;
        }
        if (score > highest) {
            highest = score;
            best = candidates[c];
        }
    }
    return best;
}

/* A row of names: no field but perhaps that of the labels is a number, or stands for one. */
static bool is_header(const struct reading *reading, const struct csv *csv) {
    int label = NO_LABEL;
    double value;
    if (reading->header != HEADER_AUTO)
        return reading->header == HEADER_TRUE;
    reading_label_number(reading, csv->count, &label);
    bool named = false;
    for (int j = 0; j < csv->count && j < COLUMNS; j++) {
        const struct cell *cell = &csv->cells[j];
        if (j == label)
            continue;
        if (cell_number(cell, &value) || is_special(cell))
            return false;
        named |= cell->length > 0;
    }
    return named;
}

/* The columns of a file: coordinates in order, and perhaps labels. */
struct columns {
    int count, label;
    char names[COLUMNS][NAME_BYTES + 1]; /* in the order of the file */
};

static int find_name(const struct columns *columns, const char *name) {
    for (int j = 0; j < columns->count; j++)
        if (strcasecmp(columns->names[j], name) == 0)
            return j;
    return NO_LABEL;
}

/* Learns the columns from the first row. False: that is not possible, and was said. */
static bool find_columns(struct reading *reading, const struct csv *csv, bool has_header,
                         struct columns *columns) {
    columns->count = csv->count < COLUMNS ? csv->count : COLUMNS;
    for (int j = 0; has_header && j < columns->count; j++) {
        cell_text(&csv->cells[j], columns->names[j], sizeof columns->names[j]);
        const char *wrong = name_wrong(columns->names[j], strlen(columns->names[j]));
        if (wrong)
            problem_add(reading->wrong, "/points/0", "line %zu: the name of column %d %s",
                        csv->row_line, j + 1, wrong);
    }
    if (csv->count > COLUMNS) {
        problem_add(reading->wrong, "/points/0",
                    "line %zu: %d columns are too many; a point has at most %d coordinates",
                    csv->row_line, csv->count, DN_MAX_DIM);
        return false;
    }
    columns->label = reading_label_column(reading, has_header ? columns->names : NULL, csv->count);
    if (reading->wrong->count > 0)
        return false;
    if (columns->label == NO_LABEL && has_header)
        columns->label = find_name(columns, "label");
    if (columns->label == NO_LABEL && has_header)
        columns->label = find_name(columns, "class");
    reading->dim = columns->count - (columns->label != NO_LABEL);
    if (reading->dim < 1 || reading->dim > DN_MAX_DIM) {
        problem_add(reading->wrong, "/points/0",
                    "line %zu: a point has 1 to %d coordinates, not %d", csv->row_line, DN_MAX_DIM,
                    reading->dim);
        return false;
    }
    reading_name_columns(reading);
    for (int j = 0, k = 0; j < columns->count; j++) {
        if (j == columns->label)
            continue;
        if (columns->names[j][0])
            memcpy(reading->columns[k], columns->names[j], NAME_BYTES + 1);
        else
            memcpy(columns->names[j], reading->columns[k], NAME_BYTES + 1);
        k++;
    }
    return true;
}

/* ------------------------------------------------------------------ the values */

enum { WHERE_BYTES = 2 * NAME_BYTES, LABEL_BYTES = 512 };

static const char *describe(char where[WHERE_BYTES], const struct csv *csv,
                            const struct columns *columns, int j) {
    snprintf(where, WHERE_BYTES, "line %zu, column \"%s\": ", csv->row_line, columns->names[j]);
    return where;
}

static void put_label(struct reading *reading, const struct csv *csv,
                      const struct columns *columns) {
    char label[LABEL_BYTES], where[WHERE_BYTES];
    const size_t length = cell_text(&csv->cells[columns->label], label, sizeof label);
    const char *wrong = length < sizeof label
                            ? reading_put_label(reading, reading->n, label, length)
                            : "the label is far too long";
    if (wrong)
        reading_wrong_label(reading, reading->n, describe(where, csv, columns, columns->label),
                            wrong);
}

/* What is wrong with a field that should be a number; text [size] has room for the words. */
static const char *why_no_number(const struct cell *cell, bool no_labels, char *text, size_t size) {
    char shown[41];
    cell_text(cell, shown, sizeof shown);
    if (cell->length == 0)
        return "the field is empty";
    if (is_special(cell))
        snprintf(text, size, "%s cannot be trained on; leave the row out", shown);
    else
        snprintf(text, size, "\"%s\" is not a number%s", shown,
                 no_labels ? "; if this column holds labels, say ?label= and its name or number"
                           : "");
    return text;
}

static void put_value(struct reading *reading, const struct csv *csv, const struct columns *columns,
                      int j, int column) {
    char where[WHERE_BYTES], text[160];
    double value;
    const char *wrong =
        cell_number(&csv->cells[j], &value)
            ? reading_put(reading, column, value)
            : why_no_number(&csv->cells[j], columns->label == NO_LABEL, text, sizeof text);
    if (wrong)
        reading_wrong_value(reading, column, describe(where, csv, columns, j), wrong);
}

static void put_row(struct reading *reading, const struct csv *csv, const struct columns *columns) {
    if (csv->count != columns->count) {
        char where[WHERE_BYTES], text[96];
        snprintf(where, sizeof where, "line %zu: ", csv->row_line);
        snprintf(text, sizeof text, "%d fields, but the first row has %d", csv->count,
                 columns->count);
        reading_wrong_value(reading, -1, where, text);
        if (columns->label != NO_LABEL)
            reading->labels[reading->n] = -1;
        return;
    }
    for (int j = 0, column = 0; j < columns->count; j++)
        if (j == columns->label)
            put_label(reading, csv, columns);
        else
            put_value(reading, csv, columns, j, column++);
}

static void read_rows(struct reading *reading, struct csv *csv) {
    struct columns columns = {.label = NO_LABEL};
    if (!next_row(csv))
        return;
    const bool has_header = is_header(reading, csv);
    if (!find_columns(reading, csv, has_header, &columns) || (has_header && !next_row(csv)))
        return;
    const bool has_labels = columns.label != NO_LABEL;
    do {
        if (!reading_reserve(reading, reading->n + 1) ||
            (has_labels && !reading_reserve_labels(reading, reading->n + 1)))
            return;
        put_row(reading, csv, &columns);
        reading->n++;
        pool_pause();
    } while (next_row(csv));
}

void read_csv(struct reading *reading) {
    struct csv csv = {.at = reading->text, .end = reading->text + reading->length, .line = 1};
    if (reading->length >= 3 && memcmp(csv.at, "\xef\xbb\xbf", 3) == 0)
        csv.at += 3; /* a byte order mark, as Excel writes it */
    if (memchr(reading->text, 0, reading->length) ||
        !router_is_utf8(reading->text, reading->length)) {
        snprintf(reading->unreadable, sizeof reading->unreadable, "the text is not UTF-8");
        return;
    }
    csv.delimiter = find_delimiter(reading, &csv);
    read_rows(reading, &csv);
    if (csv.wrong)
        snprintf(reading->unreadable, sizeof reading->unreadable, "line %zu: %s", csv.line,
                 csv.wrong);
    reading_finish(reading);
}
