/* Which dialect of CSV a text is in. */
#include <string.h>

#include "api/table/notation.h"
#include "api/upload/csv_rows.h"

enum { LOOK_AHEAD = 100 /* rows */ };

/* In the order in which they are preferred. Blanks delimit only if nothing else does. */
static const char delimiters[] = ",;\t|";

/* How a delimiter explains the first rows. */
struct score {
    bool possible;
    int fields;     /* of most of the rows */
    int rows, same; /* rows in all, and those with as many fields */
    int cells, clean;
    bool has_number;
};

/* Is the field what a field should be: a number, or text without another delimiter? A comma is part
 * of a number only where it does not delimit. */
static bool is_clean(const struct csv_cell *cell, char delimiter, bool *is_number) {
    const enum notation_kind kind = notation_kind(cell->text, cell->length);
    *is_number = kind != NOTATION_NONE;
    if (kind != NOTATION_NONE || cell->quoted)
        return true;
    for (const char *other = delimiters; *other; other++)
        if (*other != delimiter && memchr(cell->text, *other, cell->length))
            return false;
    return true;
}

/* The number of fields that most of the rows have. */
static int most_frequent(const int *counts, int n) {
    int best = 0, most = 0;
    for (int i = 0; i < n; i++) {
        int same = 0;
        for (int k = 0; k < n; k++)
            same += counts[k] == counts[i];
        if (same > most) {
            most = same;
            best = counts[i];
        }
    }
    return best;
}

static struct score score(struct csv_rows rows, char delimiter) {
    struct score score = {0};
    int counts[LOOK_AHEAD];
    rows.delimiter = delimiter;
    for (; score.rows < LOOK_AHEAD && csv_next_row(&rows); score.rows++) {
        counts[score.rows] = rows.count;
        for (int j = 0; j < rows.count && j < CSV_MAX_CELLS; j++) {
            bool is_number;
            score.clean += is_clean(&rows.cells[j], delimiter, &is_number);
            score.has_number |= is_number;
            score.cells++;
        }
    }
    score.possible = !rows.wrong;
    score.fields = most_frequent(counts, score.rows);
    for (int i = 0; i < score.rows; i++)
        score.same += counts[i] == score.fields;
    return score;
}

/* Is it better than the best so far? More rows of one width count first, then clean fields. */
static bool is_better(const struct score *one, const struct score *best) {
    const int same = one->same * best->rows - best->same * one->rows;
    const long clean = (long)one->clean * best->cells - (long)best->clean * one->cells;
    return same != 0 ? same > 0 : clean > 0;
}

static char find_delimiter(const struct csv_rows *rows) {
    struct score best = {0};
    char found = ',';
    for (const char *delimiter = delimiters; *delimiter; delimiter++) {
        const struct score one = score(*rows, *delimiter);
        if (!one.possible || one.fields < 2 || 2 * one.same <= one.rows ||
            (best.possible && !is_better(&one, &best)))
            continue;
        best = one;
        found = *delimiter;
    }
    if (!best.possible) {
        const struct score blanks = score(*rows, ' ');
        if (blanks.possible && blanks.fields > 1 && blanks.same == blanks.rows && blanks.has_number)
            found = ' ';
    }
    return found;
}

/* The length of the line that begins at `at`. */
static size_t line_length(const struct csv_rows *rows) {
    const char *at = rows->at;
    while (at < rows->end && *at != '\n' && *at != '\r')
        at++;
    return (size_t)(at - rows->at);
}

static void pass_line(struct csv_rows *rows, size_t length) {
    rows->at += length;
    if (rows->at < rows->end) {
        rows->at += *rows->at == '\r' && rows->at + 1 < rows->end && rows->at[1] == '\n' ? 2 : 1;
        rows->line++;
    }
}

static void pass_blank_lines(struct csv_rows *rows) {
    size_t length;
    while (rows->at < rows->end &&
           (length = line_length(rows)) == strspn(rows->at, " \t") /* a NUL ends the text */)
        pass_line(rows, length);
}

/* Passes comments; the last one is kept, as it may have the names. */
static void pass_comments(struct csv_rows *rows, struct csv_dialect *dialect) {
    for (pass_blank_lines(rows); rows->at < rows->end && *rows->at == '#'; pass_blank_lines(rows)) {
        const size_t length = line_length(rows);
        dialect->names = rows->at + 1;
        dialect->names_length = length - 1;
        dialect->names_line = rows->line;
        pass_line(rows, length);
    }
}

/* How many fields of a row are numbers. */
static int count_numbers(const struct csv_rows *rows) {
    int numbers = 0;
    for (int j = 0; j < rows->count && j < CSV_MAX_CELLS; j++)
        numbers += notation_kind(rows->cells[j].text, rows->cells[j].length) != NOTATION_NONE;
    return numbers;
}

/* Do the fields of the last comment name the columns? Each must be text, and there must be as many
 * as the first row has, more than one: "# x y". Names above names are a comment. */
static bool has_names(struct csv_rows first, const struct csv_dialect *dialect) {
    struct csv_rows names = {.at = dialect->names,
                             .end = dialect->names + dialect->names_length,
                             .delimiter = dialect->delimiter};
    first.delimiter = dialect->delimiter;
    return csv_next_row(&names) && csv_next_row(&first) && names.count == first.count &&
           names.count > 1 && names.count <= CELLS_MAX_COLUMNS && count_numbers(&names) == 0 &&
           count_numbers(&first) > 0;
}

/* "sep=;", by which Excel knows the delimiter. */
static void pass_separator(struct csv_rows *rows, struct csv_dialect *dialect) {
    const size_t length = line_length(rows);
    if (length != 5 || strncmp(rows->at, "sep=", 4) != 0 || !strchr(",;\t|: ", rows->at[4]))
        return;
    dialect->delimiter = rows->at[4];
    pass_line(rows, length);
}

struct csv_dialect csv_find_dialect(struct csv_rows *rows, char told) {
    struct csv_dialect dialect = {.delimiter = told};
    pass_blank_lines(rows);
    pass_separator(rows, &dialect);
    pass_comments(rows, &dialect);
    if (!dialect.delimiter)
        dialect.delimiter = find_delimiter(rows);
    rows->delimiter = dialect.delimiter;
    if (dialect.names && !has_names(*rows, &dialect))
        dialect.names = NULL;
    return dialect;
}
