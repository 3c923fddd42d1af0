/* CSV (RFC 4180), as spreadsheets and scripts really write it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/contract/names.h"
#include "api/format/csv.h"
#include "api/format/number.h"
#include "api/upload/reading.h"
#include "server/base/utf8.h"
#include "server/threads/pool.h"

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
    /* the current row */
    size_t row_line;
    int count; /* may be more than the kept ones */
    struct cell cells[READING_MAX_COLUMNS + 1];
    const char *wrong; /* why the rest is not CSV */
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

/* Blanks around an unquoted field are not part of it. */
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
            csv->cells[csv->count < READING_MAX_COLUMNS ? csv->count : READING_MAX_COLUMNS] =
                next_cell(csv);
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
 * that keeps a spreadsheet from evaluating the field, as in our own files, is not part of it. */
static size_t cell_text(const struct cell *cell, char *out, size_t size) {
    size_t used = 0;
    for (size_t i = csv_is_guarded(cell->text, cell->length); i < cell->length; i++) {
        if (used + 1 < size)
            out[used] = cell->text[i];
        used++;
        if (cell->quoted && cell->text[i] == '"')
            i++; /* the doubled quote */
    }
    size_t kept = used < size ? used : size - 1;
    while (used >= size && !utf8_is_valid(out, kept))
        kept--;
    out[kept] = '\0';
    return used;
}

/* There may be blanks around a number, even within quotes. */
static bool cell_number(const struct cell *cell, double *value) {
    const char *from = cell->text, *to = from + cell->length;
    while (from < to && *from == ' ')
        from++;
    while (to > from && to[-1] == ' ')
        to--;
    return number_read(from, (size_t)(to - from), value);
}

/* Words that programs write for missing and infinite numbers. */
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

/* How well the delimiter explains a row: the count of its numbers, and a large bonus if every field
 * but the label is a number. */
static int score_row(const struct reading *reading, const struct csv *csv) {
    enum { CLEAN = 1000 };
    int label, numbers = 0, others = 0;
    double value;
    const bool known =
        reading_label_number(reading, csv->count, &label) && label != READING_NO_LABEL;
    for (int j = 0; j < csv->count && j < READING_MAX_COLUMNS; j++) {
        if (cell_number(&csv->cells[j], &value))
            numbers++;
        else if (!known || j != label)
            others++;
    }
    return numbers + (numbers > 0 && others <= !known ? CLEAN : 0);
}

/* The delimiter that explains the first rows best. Rows with more or fewer fields than the first
 * one do not count. */
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

/* A row of names: no field, except perhaps that of the labels, is a number or a missing value. */
static bool is_header(const struct reading *reading, const struct csv *csv) {
    int label = READING_NO_LABEL;
    double value;
    if (reading->header != HEADER_AUTO)
        return reading->header == HEADER_TRUE;
    reading_label_number(reading, csv->count, &label);
    bool named = false;
    for (int j = 0; j < csv->count && j < READING_MAX_COLUMNS; j++) {
        const struct cell *cell = &csv->cells[j];
        if (j == label)
            continue;
        if (cell_number(cell, &value) || is_special(cell))
            return false;
        named |= cell->length > 0;
    }
    return named;
}

#define WITHOUT_ROW_NUMBERS                                                                        \
    "save the table without it (pandas: to_csv(index=False); R: row.names = FALSE)"

/* The columns of a file: coordinates in order, and perhaps labels. */
struct columns {
    int count, label;
    bool has_names;                                        /* the file gives them */
    char names[READING_MAX_COLUMNS][LABEL_NAME_BYTES + 1]; /* in the order of the file */
};

/* The first column whose name equals this one by `compare`. */
static int find_name(const struct columns *columns, const char *name,
                     int (*compare)(const char *a, const char *b)) {
    for (int j = 0; j < columns->count; j++)
        if (compare(columns->names[j], name) == 0)
            return j;
    return READING_NO_LABEL;
}

static void wrong_header(struct reading *reading, const struct csv *csv, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void wrong_header(struct reading *reading, const struct csv *csv, const char *format, ...) {
    char text[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    problem_add(reading->wrong, "/points/0", "line %zu: %s", csv->row_line, text);
}

/* pandas calls a column that had no name in the file "Unnamed: 0". */
static bool is_nameless(const char *name) {
    return !name[0] || strncmp(name, "Unnamed: ", 9) == 0;
}

/* Each column needs its own name, and no coordinate may have a name that means the labels. */
static void check_names(struct reading *reading, const struct csv *csv,
                        const struct columns *columns) {
    if (!csv->cells[0].quoted && csv->cells[0].length > 0 && csv->cells[0].text[0] == '#') {
        wrong_header(reading, csv,
                     "it begins with #: remove it if it is a comment, or remove the # if it names "
                     "the columns (numpy: savetxt(.., comments=''))");
        return;
    }
    for (int j = 0; j < columns->count; j++) {
        const char *name = columns->names[j], *wrong = name_wrong(name, strlen(name));
        const int same = find_name(columns, name, strcmp);
        if (wrong)
            wrong_header(reading, csv, "the name of column %d %s", j + 1, wrong);
        else if (is_nameless(name))
            wrong_header(reading, csv, "column %d has no name%s; if it counts the rows, %s", j + 1,
                         name[0] ? " of its own" : "", WITHOUT_ROW_NUMBERS);
        else if (same < j)
            wrong_header(reading, csv, "columns %d and %d are both called \"%s\"", same + 1, j + 1,
                         name);
    }
}

/* Is it "label" or "class", the default names of the column of labels? */
static bool is_label_word(const char *name) {
    return strcasecmp(name, "label") == 0 || strcasecmp(name, "class") == 0;
}

/* Does column j have its number as its name, counted from `first` on? */
static bool is_own_number(const struct csv *csv, int j, int first) {
    char number[16], text[8];
    snprintf(number, sizeof number, "%d", j - first);
    cell_text(&csv->cells[j], text, sizeof text);
    return !csv->cells[j].quoted && strcmp(text, number) == 0;
}

/* A single column that begins with 0 is likely to be data, unless the others are not whole
 * numbers. */
static bool has_fractions(struct csv csv, int label) {
    for (int row = 0; row < LOOK_AHEAD && next_row(&csv); row++)
        for (int j = 0; j < csv.count && j < READING_MAX_COLUMNS; j++)
            if (j != label && memchr(csv.cells[j].text, '.', csv.cells[j].length))
                return true;
    return false;
}

/* Is the first row 0, 1, 2, .. except for the labels? It may then be no point but the names that
 * pandas gives to columns without names. The first column may be one of row numbers, without a
 * name. */
static bool counts_columns(const struct reading *reading, const struct csv *csv) {
    int label = READING_NO_LABEL, numbered = 0;
    const int first = csv->cells[0].length == 0 && csv->count > 1;
    int zero = first; /* the column that should be called 0 */
    struct csv rest = *csv;
    if (!next_row(&rest))
        return false; /* a table has rows */
    reading_label_number(reading, csv->count, &label);
    for (int j = first; j < csv->count; j++) {
        char text[8];
        cell_text(&csv->cells[j], text, sizeof text);
        const bool counts = is_own_number(csv, j, zero);
        if (!counts && j != label && !is_label_word(text))
            return false;
        numbered += counts && j != label;
        zero += !counts;
    }
    return numbered > 1 || (numbered == 1 && (first || has_fractions(*csv, label)));
}

static bool find_names(struct reading *reading, const struct csv *csv, bool has_header,
                       struct columns *columns) {
    columns->count = csv->count;
    columns->has_names = has_header;
    for (int j = 0; has_header && j < columns->count; j++)
        if (cell_text(&csv->cells[j], columns->names[j], LABEL_NAME_BYTES + 1) > LABEL_NAME_BYTES)
            wrong_header(reading, csv, "the name of column %d is longer than %d bytes", j + 1,
                         LABEL_NAME_BYTES);
    if (reading->wrong->count > 0)
        return false;
    if (has_header)
        check_names(reading, csv, columns);
    else if (reading->header == HEADER_AUTO && counts_columns(reading, csv))
        wrong_header(reading, csv,
                     csv->cells[0].length == 0
                         ? "it numbers the columns, and the first one has no name; if that counts "
                           "the rows, " WITHOUT_ROW_NUMBERS ", and say header=true"
                         : "it is either a point or the numbers of the columns, which pandas "
                           "writes if they have no names: add ?header=false or ?header=true");
    return reading->wrong->count == 0;
}

/* Learns the columns from the first row. False: that is not possible, and the error is added. */
static bool find_columns(struct reading *reading, const struct csv *csv, bool has_header,
                         struct columns *columns) {
    if (csv->count > READING_MAX_COLUMNS) {
        wrong_header(reading, csv, "%d columns are too many; a point has at most %d coordinates",
                     csv->count, DN_MAX_DIM);
        return false;
    }
    if (!find_names(reading, csv, has_header, columns))
        return false;
    columns->label = reading_label_column(reading, has_header ? columns->names : NULL, csv->count);
    if (reading->wrong->count > 0)
        return false;
    static const char *const words[] = {"label", "class"};
    for (int i = 0; i < 2 && columns->label == READING_NO_LABEL && has_header; i++)
        columns->label = find_name(columns, words[i], strcasecmp);
    for (int j = 0; columns->label != READING_NO_LABEL && j < columns->count; j++)
        if (j != columns->label && strcasecmp(columns->names[j], "label") == 0)
            wrong_header(reading, csv,
                         "column %d is called \"%s\", but column %d has the labels; give it "
                         "another name",
                         j + 1, columns->names[j], columns->label + 1);
    if (reading->wrong->count > 0)
        return false;
    reading->dim = columns->count - (columns->label != READING_NO_LABEL);
    if (reading->dim < 1 || reading->dim > DN_MAX_DIM) {
        wrong_header(reading, csv, "a point has 1 to %d coordinates, not %d", DN_MAX_DIM,
                     reading->dim);
        return false;
    }
    reading_name_columns(reading);
    for (int j = 0, k = 0; j < columns->count; j++) {
        if (j == columns->label)
            continue;
        if (columns->names[j][0])
            memcpy(reading->columns[k], columns->names[j], LABEL_NAME_BYTES + 1);
        else
            memcpy(columns->names[j], reading->columns[k], LABEL_NAME_BYTES + 1);
        k++;
    }
    return true;
}

/* ------------------------------------------------------------------ the values */

enum { WHERE_BYTES = 2 * LABEL_NAME_BYTES, LABEL_BYTES = 512 };

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
                            : "the label is much too long";
    if (wrong)
        reading_wrong_label(reading, reading->n, describe(where, csv, columns, columns->label),
                            wrong);
}

/* What is wrong with a field that should be a number; text [size] holds the message. */
static const char *why_no_number(const struct cell *cell, bool no_labels, char *text, size_t size) {
    char shown[41];
    cell_text(cell, shown, sizeof shown);
    if (cell->length == 0)
        return "the field is empty";
    if (is_special(cell))
        snprintf(text, size, "%s cannot be used for training; remove the row", shown);
    else
        snprintf(text, size, "\"%s\" is not a number%s", shown,
                 no_labels ? "; if this column holds labels, add ?label= with its name or number"
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
            : why_no_number(&csv->cells[j], columns->label == READING_NO_LABEL, text, sizeof text);
    if (wrong)
        reading_wrong_value(reading, column, describe(where, csv, columns, j), wrong);
}

static void put_row(struct reading *reading, const struct csv *csv, const struct columns *columns) {
    if (csv->count != columns->count) {
        /* R's write.table names all columns but that of the row numbers. */
        const bool is_from_r =
            columns->has_names && reading->n == 0 && csv->count == columns->count + 1;
        char where[WHERE_BYTES], text[256];
        snprintf(where, sizeof where, "line %zu: ", csv->row_line);
        snprintf(text, sizeof text, "%d fields, but the first row has %d%s", csv->count,
                 columns->count,
                 is_from_r ? "; if the first field counts the rows, " WITHOUT_ROW_NUMBERS : "");
        reading_wrong_value(reading, -1, where, text);
        if (columns->label != READING_NO_LABEL)
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
    struct columns columns = {.label = READING_NO_LABEL};
    if (!next_row(csv))
        return;
    const bool has_header = is_header(reading, csv);
    if (!find_columns(reading, csv, has_header, &columns) || (has_header && !next_row(csv)))
        return;
    const bool has_labels = columns.label != READING_NO_LABEL;
    do {
        if (!reading_reserve(reading, reading->n + 1) ||
            (has_labels && !reading_reserve_labels(reading, reading->n + 1)))
            return;
        put_row(reading, csv, &columns);
        reading->n++;
        pool_pause();
    } while (next_row(csv));
}

static const char *why_no_text(const char *text, size_t length) {
    if (length >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return "the text is UTF-16; save it as UTF-8";
    if (!utf8_is_valid(text, length))
        return "the text is not UTF-8";
    if (memchr(text, 0, length))
        return "the text has a NUL character";
    return NULL;
}

void read_csv(struct reading *reading) {
    struct csv csv = {.at = reading->text, .end = reading->text + reading->length, .line = 1};
    if (reading->length >= 3 && memcmp(csv.at, "\xef\xbb\xbf", 3) == 0)
        csv.at += 3; /* a byte order mark, as Excel writes it */
    const char *wrong = why_no_text(reading->text, reading->length);
    if (wrong) {
        snprintf(reading->unreadable, sizeof reading->unreadable, "%s", wrong);
        return;
    }
    csv.delimiter = find_delimiter(reading, &csv);
    read_rows(reading, &csv);
    if (csv.wrong)
        snprintf(reading->unreadable, sizeof reading->unreadable, "line %zu: %s", csv.line,
                 csv.wrong);
    reading_finish(reading);
}
