/* The types of columns: which one fits, and the way of each text to a number and back. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/table/column.h"
#include "api/table/dates.h"
#include "api/upload/reading.h"

/* A column of these texts, with | between them. */
static struct cells cells_of(const char *name, const char *texts) {
    struct cells cells = {.has_names = true};
    cr_assert_eq(cells_add_column(&cells, name, strlen(name)), 0);
    for (const char *at = texts;; at++) {
        const size_t length = strcspn(at, "|");
        cr_assert(cells_put(&cells, 0, at, length));
        cr_assert(cells_end_row(&cells));
        at += length;
        if (!*at)
            break;
    }
    cells_finish(&cells);
    return cells;
}

static const char *found(struct cells *cells, int type, struct arena *arena,
                         struct column *column) {
    struct notation notation;
    notation_find(cells, DECIMAL_AUTO, &notation);
    const struct column_request request = {cells, 0, notation, type, !notation_is_certain(cells)};
    return column_find(&request, arena, column);
}

struct expected {
    const char *name, *texts, *type, *format; /* format NULL: none; type NULL: refused */
    bool is_exact;                            /* each text comes back as it is */
};
static const struct expected rows[] = {
    {"x", "1|2|3|2", "integer", "0", true},
    {"x", "39.0|40.0|39.0", "integer", "0.0", true},
    {"x", "1.5|2.25|-3.0", "numeric", "0.0#", true},
    {"x", "4|4.9|0.05|-0.5", "numeric", "0.##", true},
    {"x", ".097|.1|-.13|1.2", "numeric", "#.0##", true},
    {"x", "1,5|2,25|3,0", "numeric", "0,0#", true},
    {"x", "1,5e3|2,25e3|7", "integer", "0,", false},
    {"x", "1,234.50|12.25|1,000,000.00", "numeric", "#,##0.00", true},
    {"x", "1e-05|2.5|3", "numeric", "0.#####", false},
    {"x", "1.25e-20|3e-19|-4.5e-20|0", "numeric", "0.##e0", true},
    {"x", "1,25e-20|3,5e-19|-4,5e-20", "numeric", "0,##e0", true},
    {"x", "3e-21|5e-300", "numeric", "0e0", true},
    {"x", "3e-21|25|12345", "numeric", "0.####e0", false},
    {"x", "0.00000000000000000001234|0.5", "numeric", "0.###e0", false},
    {"x", "1.234e-14|0.5", "numeric", "0.#################", false},
    {"x", "0.00012345678901234567|0.5", "numeric", "0.0################", false},
    {"x", "0.1|0.30000000000000004|7", "numeric", "0.#################", true},
    {"x", "123456789012|-5|7", "integer", "0", true},
    {"x", "1|NA|3|?", "integer", "0", false},
    {"x", "1|None|3", "integer", "0", true},
    {"x", "None|Big|None|Big", "categorical", NULL, true},
    {"x", "true|false|true", "boolean", NULL, true},
    {"x", "Yes|No|No|", "boolean", NULL, true},
    {"x", "0|1|1|0", "integer", "0", true},
    {"zip", "00501|00544|10001|00501", "categorical", NULL, true},
    {"x", "low|high|low|high", "categorical", NULL, true},
    {"x", "a|b|c|d", "id", NULL, false},
    {"x", "yes||yes|", "categorical", NULL, true}, /* a mark, or none */
    {"x", "one remark|||", "id", NULL, false},
    {"x",
     "a|b|c|d|e|f|g|h|i|j|k|l|m" /* remarks beside a few of the rows */
     "||||||||||||||",
     "id", NULL, false},
    {"x",
     "A text of 79 bytes, the longest of a category, which has no use for more of it."
     "||short|short",
     "categorical", NULL, true},
    {"x",
     "A text of 80 bytes, which is longer than a category may be, so that it is an id."
     "||short|short",
     "id", NULL, false},
    {"id", "1|2|3|4", "id", "0", false},
    {"year", "1999|2000|2001|2002", "integer", "0", true},
    {"x", "7|7|7", "constant", "0", true},
    {"x", "a|a|a", "constant", NULL, false},
    {"x", "||", "constant", NULL, false},
    {"day", "2020-01-31|2020-02-29|1969-12-31", "datetime", "%Y-%m-%d", true},
    {"day", "2020-01-31|2020-02-30|1969-12-31", "id", NULL, false},
    {"day", "20200131|20200201|20200229", "datetime", "%Y%m%d", true},
    {"day", "20200131|20200201|20200230", "integer", "0", true},
    {"day", "31.12.2020|1.1.2021|2.10.2021", "datetime", "%-d.%-m.%Y", true},
    {"day", "12/31/2020|01/02/2021|02/03/2021", "datetime", "%m/%d/%Y", true},
    {"day", "31/12/2020|01/02/2021|02/03/2021", "datetime", "%d/%m/%Y", true},
    {"day", "Jan 1 2000|Feb 29 2000|Dec 31 1999", "datetime", "%b %-d %Y", true},
    {"day", "Jan 01 2000|Feb 29 2000|", "datetime", "%b %d %Y", true},
    {"t", "2020-01-31 12:30|2020-01-31 00:05", "datetime", "%Y-%m-%d %H:%M", true},
    {"t", "2020-01-31T12:30:59Z|2020-01-31T00:05:00Z", "datetime", "%Y-%m-%dT%H:%M:%SZ", true},
    {"t", "14:05|09:30|23:59|00:00", "datetime", "%H:%M", true},
    {"t", "9:05:07|14:05:00", "datetime", "%-H:%M:%S", true},
    {"t", "24:00|23:59", "id", NULL, false},
    {"t", "1/31/2020 12:05 AM|2/1/2020 1:00 PM|2/1/2020 12:00 PM", "datetime",
     "%-m/%-d/%Y %-I:%M %p", true},
    {"t", "12:00 am|12:59 pm|01:30 pm", "datetime", "%I:%M %P", true},
    {"t", "13:00 PM|01:00 AM", "id", NULL, false},
    {"t", "0:30 PM|01:00 AM", "id", NULL, false},
    {"t", "2020-01-31T12:30:59.125|2020-01-31T00:05:00.000", "datetime", "%Y-%m-%dT%H:%M:%S.%3f",
     true},
};

Test(columns, types_and_their_way_back) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct expected *want = &rows[i];
        struct cells cells = cells_of(want->name, want->texts);
        struct arena arena = {0};
        struct column column;
        const char *wrong = found(&cells, -1, &arena, &column);
        cr_assert_null(wrong, "%s: %s", want->texts, wrong);
        cr_assert_str_eq(column_type_names[column.type], want->type, "%s", want->texts);
        cr_assert_eq(!column.format, !want->format, "%s", want->texts);
        if (want->format)
            cr_assert_str_eq(column.format, want->format, "%s", want->texts);
        for (uint32_t code = 0; column_is_number(&column) && code < cells.columns[0].distinct;
             code++)
            cr_assert(column_is_missing(cells_text(&cells.columns[0], code),
                                        cells_length(&cells.columns[0], code)) ||
                      strcmp(cells_text(&cells.columns[0], code), "None") == 0 ||
                      !isnan(column_forward(&column, cells_text(&cells.columns[0], code),
                                            cells_length(&cells.columns[0], code))));
        for (uint32_t code = 0; want->is_exact && code < cells.columns[0].distinct; code++) {
            char text[COLUMN_TEXT_BYTES];
            const char *is = cells_text(&cells.columns[0], code);
            const size_t length = cells_length(&cells.columns[0], code);
            cr_assert_eq(column_backward(&column, column_forward(&column, is, length), text),
                         length, "%s of %s became %s", is, want->texts, text);
            cr_assert_str_eq(text, is);
        }
        arena_clear(&arena);
        cells_clear(&cells);
    }
}

/* The step of dates is the largest one that divides a day and all of them, also if they lie before
 * 1970; what lies between is rounded to it. */
Test(columns, dates_have_a_step) {
    static const struct {
        const char *texts;
        double step;
        const char *near; /* seconds 1000 after the first text, as the column writes them */
    } dates[] = {
        {"1960-01-01|2020-01-31", 86400, "1960-01-01"},
        {"2020-01-31 12:30|2020-01-31 00:15|1969-12-31 23:45", 900, "2020-01-31 12:45"},
        {"2020-01-31 12:30|2020-01-31 00:20|2020-02-01 00:00", 600, "2020-01-31 12:50"},
        {"2020-01-31 12:00|2020-01-31 18:00|2020-02-01 00:00", 21600, "2020-01-31 12:00"},
        {"2020-01-31 12:30:05|2020-01-31 00:05:00", 5, "2020-01-31 12:46:45"},
        {"2020-01-31 12:30:05.5|2020-01-31 00:05:00.0", 0, "2020-01-31 12:46:45.5"},
    };
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        struct cells cells = cells_of("t", dates[i].texts);
        struct arena arena = {0};
        struct column column;
        char text[COLUMN_TEXT_BYTES];
        cr_assert_null(found(&cells, -1, &arena, &column));
        cr_assert_eq(column.step, dates[i].step, "%s: %g", dates[i].texts, column.step);
        const char *first = cells_text(&cells.columns[0], 0);
        const double seconds = column_forward(&column, first, strlen(first));
        column.max += 1000;
        column_backward(&column, seconds + 1000, text);
        cr_assert_str_eq(text, dates[i].near);
        arena_clear(&arena);
        cells_clear(&cells);
    }
}

Test(columns, values_outside_the_range_are_moved_into_it) {
    struct cells cells = cells_of("x", "1.25|2.5|9.75");
    struct arena arena = {0};
    struct column column;
    char text[COLUMN_TEXT_BYTES];
    cr_assert_null(found(&cells, -1, &arena, &column));
    column_backward(&column, -3, text);
    cr_assert_str_eq(text, "1.25");
    column_backward(&column, 1e9, text);
    cr_assert_str_eq(text, "9.75");
    column_backward(&column, 3.14159, text);
    cr_assert_str_eq(text, "3.14");
    column_backward(&column, NAN, text);
    cr_assert_str_eq(text, "");
    cr_assert_float_eq(column.mean, 4.5, 1e-12);
    cr_assert_float_eq(column.std, sqrt((3.25 * 3.25 + 2 * 2 + 5.25 * 5.25) / 3), 1e-12);
    arena_clear(&arena);
    cells_clear(&cells);
}

Test(columns, a_type_that_does_not_fit_says_why) {
    static const struct {
        const char *texts, *says;
        int type;
    } wrongs[] = {
        {"1|2|x|4", "1 of 4 cells are not numbers (\"x\")", TYPE_NUMERIC},
        {"1.5|2", "it has fractions", TYPE_INTEGER},
        {"a|b|c", "true and false", TYPE_BOOLEAN},
        {"2020-01-31|yesterday", "not all its values are dates", TYPE_DATETIME},
        {"01/02/2020|03/04/2020", "day and month exchanged", TYPE_DATETIME},
        {"1|2", "more than one value", TYPE_CONSTANT},
        {"||", "not numbers", TYPE_NUMERIC},
    };
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        struct cells cells = cells_of("x", wrongs[i].texts);
        struct arena arena = {0};
        struct column column;
        const char *wrong = found(&cells, wrongs[i].type, &arena, &column);
        cr_assert_not_null(wrong, "%s", wrongs[i].texts);
        cr_assert_not_null(strstr(wrong, wrongs[i].says), "%s", wrong);
        arena_clear(&arena);
        cells_clear(&cells);
    }
}

/* date_read and date_text are compared with the C library, for days of four centuries. */
Test(columns, dates_agree_with_the_c_library) {
    static const char *const formats[] = {"%Y-%m-%d %H:%M:%S", "%d.%m.%Y %I:%M:%S %p",
                                          "%b %d, %Y %I:%M:%S %P"};
    for (long day = -80000; day < 80000; day += 7) {
        const time_t at = day * 86400 + day * 37 % 86400;
        const char *format = formats[(day + 80000) / 7 % 3];
        char want[64], text[DATE_TEXT];
        struct tm tm;
        double seconds;
        gmtime_r(&at, &tm);
        strftime(want, sizeof want, format, &tm);
        date_text(format, (double)at, text);
        cr_assert_str_eq(text, want);
        cr_assert(date_read(format, text, strlen(text), &seconds));
        cr_assert_eq(seconds, (double)at);
    }
}

/* What a stranger has to know of a column of texts that is left out. */
Test(columns, texts_that_are_not_trained_on_say_why) {
    static const struct {
        const char *texts, *says;
    } left_out[] = {
        {"a|b|c|d", "All its texts differ"},
        {"300|Alien|Up", "All its texts differ"}, /* a title that is a number */
        {"00501|00502|10003", "All its texts differ"},
        {"1|2|3|4|5|6|7|8|9|10|11|12|13|01", "All its texts differ"},
        {"01/02/2020|03/04/2020", "day and month exchanged"},
        {"a|b|c|d|e|f|g|h|i|j|k|l|m|m", "13 different texts in 14 cells"},
        {"12:30+01:00|12:30+02:00", "All its texts differ"},
    };
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++) {
        struct cells cells = cells_of("x", left_out[i].texts);
        struct arena arena = {0};
        struct column column;
        cr_assert_null(found(&cells, -1, &arena, &column), "%s", left_out[i].texts);
        cr_assert_eq(column.type, TYPE_ID, "%s", left_out[i].texts);
        cr_assert_not_null(column.notes[0], "%s", left_out[i].texts);
        cr_assert_not_null(strstr(column.notes[0], left_out[i].says), "%s", column.notes[0]);
        arena_clear(&arena);
        cells_clear(&cells);
    }
}

/* ------------------------------------------------------------------ real files */

static char *load(const char *folder, const char *name, size_t *length) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    char *text = calloc(*length + 1, 1);
    cr_assert_eq(fread(text, 1, *length, file), *length);
    fclose(file);
    return text;
}

/* Each distinct text of each column comes back, unless it is a missing one, or the same number in
 * another spelling: then its number does. */
static void check_file(const char *folder, const char *name) {
    struct arena arena = {0};
    struct problem_fields wrong = {.arena = &arena};
    struct reading reading = {.label = "", .names = "", .wrong = &wrong};
    struct notation notations[CELLS_MAX_COLUMNS];
    char *text = load(folder, name, &reading.length);
    reading.text = text;
    (strstr(name, ".json") ? read_json : read_csv)(&reading);
    if (!reading_goes_on(&reading) || wrong.count > 0) { /* the tests of uploads say which may be */
        reading_clear(&reading);
        arena_clear(&arena);
        free(text);
        return;
    }
    notation_find(&reading.cells, DECIMAL_AUTO, notations);
    for (int j = 0; j < reading.cells.count; j++) {
        const struct column_request request = {&reading.cells, j, notations[j], -1,
                                               !notation_is_certain(&reading.cells)};
        const struct cells_column *cells = &reading.cells.columns[j];
        struct column column;
        const char *why = column_find(&request, &arena, &column);
        size_t other = 0;
        if (getenv("DENOISED_TABLES_SHOW"))
            fprintf(stderr, "%s\t%s\t%s\t%s\t%ld\t%ld\t%s\n", name, cells->name,
                    why ? "refused" : column_type_names[column.type],
                    column.format ? column.format : "-", (long)column.distinct,
                    (long)column.missing,
                    why               ? why
                    : column.notes[0] ? column.notes[0]
                                      : "");
        for (uint32_t code = 0; !why && code < cells->distinct; code++) {
            char back[COLUMN_TEXT_BYTES];
            const char *is = cells_text(cells, code);
            const double value = column_forward(&column, is, cells_length(cells, code));
            if (!column_is_trained(&column) || isnan(value))
                continue;
            column_backward(&column, value, back);
            other += strcmp(back, is) != 0;
            cr_assert_eq(column_forward(&column, back, strlen(back)), value, "%s: %s, %s", name, is,
                         back);
        }
        cr_assert_leq(other, cells->distinct / 10, "%s %s: %zu of %u", name, cells->name, other,
                      cells->distinct);
    }
    reading_clear(&reading);
    arena_clear(&arena);
    free(text);
}

Test(columns, real_files) {
    const char *folder = getenv("DENOISED_TABLES");
    DIR *listing = folder ? opendir(folder) : NULL;
    if (!listing)
        return;
    for (struct dirent *entry; (entry = readdir(listing));)
        if (entry->d_name[0] != '.')
            check_file(folder, entry->d_name);
    closedir(listing);
}
