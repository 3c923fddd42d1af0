#include "api/upload/csv_header.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/format/number.h"

enum { LOOK_AHEAD = 20 /* rows */, FIRST_YEAR = 1800, LAST_YEAR = 2200 };

static bool is_number(const struct csv_cell *cell) {
    return notation_kind(cell->text, cell->length) != NOTATION_NONE;
}

/* Words that programs write for missing and infinite numbers. */
static bool is_special(const struct csv_cell *cell) {
    static const char *const words[] = {"nan",  "inf",  "infinity", "na", "n/a", "#n/a",
                                        "null", "none", "?",        "-",  ""};
    const size_t sign = cell->length > 1 && strchr("+-", cell->text[0]) != NULL;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (cell->length == sign + strlen(words[i]) &&
            strncasecmp(cell->text + sign, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

/* The whole number that a field is; -1: it is none from 0 to 9999. */
static long whole_number(const struct csv_cell *cell) {
    long value = 0;
    if (cell->length == 0 || cell->length > 4 || (cell->length > 1 && cell->text[0] == '0'))
        return -1;
    for (size_t i = 0; i < cell->length; i++) {
        if (cell->text[i] < '0' || cell->text[i] > '9')
            return -1;
        value = 10 * value + (cell->text[i] - '0');
    }
    return value;
}

static bool is_year(long value) {
    return value >= FIRST_YEAR && value <= LAST_YEAR;
}

/* What the rows below the first one have in each column. */
struct below {
    int rows;
    bool has_fraction, has_year;
    bool counts_rows; /* the first column is 0, 1, 2, .. or 1, 2, 3, .. */
    struct {
        int numbers, texts;
        bool repeats; /* the field of the first row occurs again */
    } columns[CSV_MAX_CELLS];
};

static void look_at(const struct csv_rows *first, const struct csv_cell *cell, int j,
                    struct below *below) {
    const struct csv_cell *top = &first->cells[j];
    const bool number = is_number(cell);
    below->columns[j].numbers += number;
    below->columns[j].texts += !number && !is_special(cell);
    below->columns[j].repeats |= j < first->count && cell->length == top->length &&
                                 memcmp(cell->text, top->text, top->length) == 0;
    below->has_fraction |= number && memchr(cell->text, '.', cell->length) != NULL;
    below->has_year |= is_year(whole_number(cell));
}

static void look_below(struct csv_rows rows, const struct csv_rows *first, struct below *below) {
    long start = 0;
    memset(below, 0, sizeof *below);
    below->counts_rows = true;
    for (; below->rows < LOOK_AHEAD && csv_next_row(&rows); below->rows++) {
        const long number = whole_number(&rows.cells[0]);
        start = below->rows == 0 ? number : start;
        below->counts_rows &= number == start + below->rows && (start == 0 || start == 1);
        for (int j = 0; j < rows.count && j < CSV_MAX_CELLS; j++)
            look_at(first, &rows.cells[j], j, below);
    }
}

static bool is_label_word(const struct csv_cell *cell) {
    return cell->length == 5 &&
           (strncasecmp(cell->text, "label", 5) == 0 || strncasecmp(cell->text, "class", 5) == 0);
}

/* The numbers of the first row, if they count on as the names of columns do: 0, 1, 2, .. or 2019,
 * 2020, ..; label: the column to pass. */
struct counting {
    int count;   /* of them; 0: they do not count on */
    long from;   /* the first */
    bool others; /* there are fields with other text, not only "label" and an empty first one */
};

static struct counting find_counting(const struct csv_rows *first, int label) {
    struct counting counting = {0};
    for (int j = 0; j < first->count && j < CSV_MAX_CELLS; j++) {
        const struct csv_cell *cell = &first->cells[j];
        if (!is_number(cell)) {
            counting.others |= j != label && !is_label_word(cell) && (cell->length > 0 || j > 0);
            continue;
        }
        if (j == label)
            continue;
        const long value = whole_number(cell);
        counting.from = counting.count == 0 ? value : counting.from;
        if (value < 0 || value != counting.from + counting.count++)
            return (struct counting){.others = counting.others};
    }
    return counting;
}

/* A row with numbers is one of names if they count on, and if a name beside them, or the rows
 * below, say so. Without that, it may be either. */
static enum csv_header judge_numbers(const struct csv_rows *first, const struct below *below,
                                     int label, bool has_names) {
    const struct counting counting = find_counting(first, label);
    const bool are_years = counting.count > 1 && is_year(counting.from) && !below->has_year;
    if (counting.count == 0 || below->rows == 0 || (counting.from > 1 && !are_years))
        return CSV_DATA;
    if (has_names || (are_years && counting.others && !below->columns[0].repeats))
        return CSV_NAMES;
    if (first->cells[0].length == 0 && first->count > 1 && below->counts_rows)
        return CSV_NAMES; /* pandas, of a frame without names */
    if (counting.others || (counting.from == 1 && !are_years))
        return CSV_DATA;
    return are_years || counting.count > 1 || below->has_fraction ? CSV_UNCLEAR : CSV_DATA;
}

static enum csv_header judge(const struct csv_rows *first, const struct below *below, int label) {
    bool has_number = false, has_special = false, has_text = false, tells = false;
    for (int j = 0; j < first->count && j < CSV_MAX_CELLS; j++) {
        const struct csv_cell *cell = &first->cells[j];
        const bool number = is_number(cell), text = !number && !is_special(cell);
        /* a name above numbers; or "label", which is no label itself */
        tells |= text && below->columns[j].numbers > 0 && below->columns[j].texts == 0;
        tells |= is_label_word(cell) && below->rows > 0 && !below->columns[j].repeats;
        if (j == label)
            continue;
        has_number |= number;
        has_text |= text;
        has_special |= is_special(cell) && cell->length > 0;
    }
    if (has_number)
        return judge_numbers(first, below, label, tells);
    return has_text && (!has_special || tells) ? CSV_NAMES : CSV_DATA;
}

enum csv_header csv_find_header(const struct reading *reading, const struct csv_rows *rows) {
    int label = READING_NO_LABEL;
    if (reading->header != HEADER_AUTO)
        return reading->header == HEADER_TRUE ? CSV_NAMES : CSV_DATA;
    reading_label_number(reading, rows->count, &label);
    struct below below;
    look_below(*rows, rows, &below);
    return judge(rows, &below, label);
}
