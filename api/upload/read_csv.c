/* CSV in any of its dialects, to cells. */
#include <stdio.h>
#include <string.h>

#include "api/upload/csv_header.h"
#include "api/upload/csv_rows.h"
#include "api/upload/reading.h"
#include "server/base/utf8.h"
#include "server/threads/pool.h"

struct csv {
    struct reading *reading;
    struct csv_rows rows;
    struct buffer scratch;
    int width;         /* fields of a row */
    size_t other_rows; /* that have another width */
};

/* The most rows that are looked at to find out how many fields a row has. */
enum { LOOK_AHEAD = 20 };

/* ------------------------------------------------------------------ the columns */

static bool add_column(struct csv *csv, const struct csv_cell *cell) {
    size_t length = 0;
    const char *text = cell ? csv_cell_text(cell, &csv->scratch, &length) : "";
    if (!text) {
        csv->reading->no_memory = true;
        return false;
    }
    if (length > CELLS_NAME_BYTES) {
        problem_add(csv->reading->wrong, "/columns",
                    "line %zu: the name of column %d is longer than %d bytes", csv->rows.row_line,
                    csv->reading->cells.count + 1, CELLS_NAME_BYTES);
        return false;
    }
    return reading_add_column(csv->reading, text, length) >= 0;
}

static bool is_empty(const struct csv_cell *cell) {
    return cell->length == 0;
}

/* What the rows below the first one have. */
struct widths {
    int rows;        /* looked at */
    int width;       /* of all of them; 0: they differ */
    bool last_empty; /* in all of them */
};

static struct widths look_at_widths(struct csv_rows rows) {
    struct widths widths = {.last_empty = true};
    for (; widths.rows < LOOK_AHEAD && csv_next_row(&rows); widths.rows++) {
        widths.width = widths.rows == 0             ? rows.count
                       : widths.width == rows.count ? widths.width
                                                    : 0;
        widths.last_empty &= rows.count <= CSV_MAX_CELLS && is_empty(&rows.cells[rows.count - 1]);
    }
    return widths;
}

/* The columns by the row of names, which is the current one. Rows may have a field more than the
 * names: in front, where R puts the names of its rows, or at the end, where it is empty. They may
 * have one less if the last name is empty. */
static bool name_columns(struct csv *csv, const struct csv_rows *names) {
    const struct widths below = look_at_widths(csv->rows);
    int count = names->count;
    const bool is_longer = below.rows > 0 && below.width == count + 1;
    if (count > CELLS_MAX_COLUMNS) {
        problem_add(csv->reading->wrong, "/columns", "%d columns are too many: at most %d", count,
                    CELLS_MAX_COLUMNS);
        return false;
    }
    if (below.rows > 0 && below.width == count - 1 && is_empty(&names->cells[count - 1]))
        count--;
    csv->reading->cells.has_names = true;
    if (is_longer && !below.last_empty && !add_column(csv, NULL))
        return false;
    for (int j = 0; j < count; j++)
        if (!add_column(csv, &names->cells[j]))
            return false;
    if (is_longer && below.last_empty && !add_column(csv, NULL))
        return false;
    csv->width = csv->reading->cells.count;
    return true;
}

static bool number_columns(struct csv *csv) {
    const int count = csv->rows.count;
    if (count > CELLS_MAX_COLUMNS) {
        problem_add(csv->reading->wrong, "/columns", "%d columns are too many: at most %d", count,
                    CELLS_MAX_COLUMNS);
        return false;
    }
    for (int j = 0; j < count; j++)
        if (!add_column(csv, NULL))
            return false;
    csv->width = count;
    return true;
}

/* Finds the columns by the first row, or by a comment before it. False after an error, or if there
 * are no rows; else the current row is the first one of data. */
static bool find_columns(struct csv *csv, const struct csv_dialect *dialect) {
    struct csv_rows *rows = &csv->rows, names;
    if (dialect->names) {
        names = (struct csv_rows){.at = dialect->names,
                                  .end = dialect->names + dialect->names_length,
                                  .delimiter = dialect->delimiter,
                                  .line = dialect->names_line};
        return csv_next_row(&names) && name_columns(csv, &names) && csv_next_row(rows);
    }
    if (!csv_next_row(rows))
        return false;
    names = *rows;
    switch (csv_find_header(csv->reading, rows)) {
    case CSV_NAMES: return name_columns(csv, &names) && csv_next_row(rows);
    case CSV_DATA: return number_columns(csv);
    case CSV_UNCLEAR: break;
    }
    problem_add(csv->reading->wrong, "/points/0",
                "line %zu: it is either a row or the names of the columns, which count on: add "
                "?header=false or ?header=true",
                rows->row_line);
    return false;
}

/* ------------------------------------------------------------------ the rows */

static bool put_row(struct csv *csv) {
    struct csv_rows *rows = &csv->rows;
    struct reading *reading = csv->reading;
    for (int j = 0; j < csv->width; j++) {
        size_t length;
        const char *text = csv_cell_text(&rows->cells[j], &csv->scratch, &length);
        if (!text || !cells_put(&reading->cells, j, text, length)) {
            reading->no_memory = true;
            return false;
        }
    }
    return reading_end_row(reading, rows->row_line);
}

static void read_rows(struct csv *csv) {
    struct reading *reading = csv->reading;
    struct csv_rows *rows = &csv->rows;
    size_t taken = 0;
    do {
        if (rows->count == csv->width) {
            if (!reading_has_room(reading) || !put_row(csv))
                return;
        } else {
            char pointer[40];
            snprintf(pointer, sizeof pointer, "/points/%zu", taken);
            reading_fault(reading, FAULT_WIDTH, pointer,
                          "line %zu: %d field%s, but %s %d: complete the row or remove it",
                          rows->row_line, rows->count, rows->count == 1 ? "" : "s",
                          reading->cells.has_names ? "the row of names has" : "the first row has",
                          csv->width);
            csv->other_rows++;
        }
        taken++;
        pool_pause();
    } while (csv_next_row(rows));
}

/* A first row unlike all others is no row of names, nor one of data. */
static void explain_width(struct csv *csv) {
    struct reading *reading = csv->reading;
    if (csv->other_rows < 2 || reading->cells.n != !reading->cells.has_names)
        return;
    reading->faults[FAULT_WIDTH].count = 0;
    reading_fault(
        reading, FAULT_WIDTH, "/points/0",
        "the first row has %d fields, but none of the %zu rows below it has as many: if it "
        "does not name the columns, remove it",
        csv->width, csv->other_rows);
}

/* A delimiter at the end of each row makes a column that is none. */
static void drop_empty_columns(struct cells *cells) {
    while (cells->count > 1) {
        const struct cells_column *last = &cells->columns[cells->count - 1];
        if (last->name[0] || last->distinct != 1 || last->texts[0])
            return;
        cells_drop_column(cells, cells->count - 1);
    }
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

/* A file has line ends, unless its way here took them, as curl's -d does. */
static bool is_one_line(const char *text, size_t length) {
    return length > 0 && !memchr(text, '\n', length) && !memchr(text, '\r', length);
}

void read_csv(struct reading *reading) {
    const char *wrong = why_no_text(reading->text, reading->length);
    if (wrong) {
        reading_unreadable(reading, "%s", wrong);
        return;
    }
    struct csv csv = {
        .reading = reading,
        .rows = {.at = reading->text, .end = reading->text + reading->length, .line = 1}};
    if (reading->length >= 3 && memcmp(csv.rows.at, "\xef\xbb\xbf", 3) == 0)
        csv.rows.at += 3; /* a byte order mark, as Excel writes it */
    if (is_one_line(csv.rows.at, (size_t)(csv.rows.end - csv.rows.at))) {
        problem_add(reading->wrong, "/points",
                    "the file has no line ends, so all of it is one row: with curl, use "
                    "--data-binary, because -d removes them");
        return;
    }
    reading->unit = "line";
    const struct csv_dialect dialect = csv_find_dialect(&csv.rows, reading->delimiter);
    if (find_columns(&csv, &dialect))
        read_rows(&csv);
    if (csv.rows.wrong)
        reading_unreadable(reading, "line %zu: %s", csv.rows.line, csv.rows.wrong);
    explain_width(&csv);
    drop_empty_columns(&reading->cells);
    buffer_clear(&csv.scratch);
    reading_finish(reading);
}
