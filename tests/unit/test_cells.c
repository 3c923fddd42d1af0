/* Tables as they were written: dictionaries of texts, and their bytes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "api/table/cells.h"

static const char *cell(const struct cells *cells, int column, size_t row) {
    const struct cells_column *of = &cells->columns[column];
    return cells_text(of, (uint32_t)of->codes[row]);
}

static void put(struct cells *cells, int column, const char *text) {
    cr_assert(cells_put(cells, column, text, strlen(text)));
}

/* The text of a cell, from a few to n distinct ones, of lengths around those that the hash treats
 * differently. */
static void make(char text[64], int column, size_t row) {
    static const size_t distinct[] = {1, 3, 256, 257, 65536, 65537, SIZE_MAX};
    const size_t value = row % distinct[column];
    const int width = (int)(value % 23);
    snprintf(text, 64, "%0*zu", width, value);
    if (value % 29 == 0)
        text[0] = '\0';
}

static struct cells made(size_t rows, int columns) {
    struct cells cells = {0};
    char text[64];
    for (int j = 0; j < columns; j++) {
        snprintf(text, sizeof text, "column %d", j);
        cr_assert_eq(cells_add_column(&cells, text, strlen(text)), j);
    }
    for (size_t i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
            make(text, j, i);
            put(&cells, j, text);
        }
        cr_assert(cells_end_row(&cells));
    }
    cells_finish(&cells);
    return cells;
}

/* Every cell, that no text is there twice, and that codes are in order of first appearance. */
static void check(const struct cells *cells, size_t rows, int columns) {
    cr_assert_eq(cells->n, rows);
    cr_assert_eq(cells->count, columns);
    for (int j = 0; j < columns; j++) {
        const struct cells_column *column = &cells->columns[j];
        char text[64];
        int32_t seen = 0;
        for (size_t i = 0; i < rows; i++) {
            make(text, j, i);
            cr_assert_str_eq(cell(cells, j, i), text);
            cr_assert_eq(cells_length(column, (uint32_t)column->codes[i]), strlen(text));
            cr_assert_leq(column->codes[i], seen);
            seen += column->codes[i] == seen;
        }
        cr_assert_eq(column->distinct, (uint32_t)seen);
    }
}

Test(cells, are_what_was_put) {
    struct cells cells = made(200000, 7);
    check(&cells, 200000, 7);
    for (int j = 0; j < 7; j++) {
        uint32_t *counts = calloc(cells.columns[j].distinct, sizeof *counts);
        uint64_t sum = 0;
        cells_count(&cells, j, counts);
        for (uint32_t c = 0; c < cells.columns[j].distinct; c++)
            sum += counts[c];
        cr_assert_eq(sum, cells.n);
        free(counts);
    }
    cr_assert_eq(cells_first_row(&cells, 1, 2), 2);
    cells_clear(&cells);
}

/* Keys of records may appear late, or be absent. */
Test(cells, that_were_not_set_are_empty) {
    struct cells cells = {0};
    const int a = cells_add_column(&cells, "a", 1);
    put(&cells, a, "1");
    cells_end_row(&cells);
    const int b = cells_add_column(&cells, "b", 1);
    put(&cells, b, "x");
    cells_end_row(&cells);
    put(&cells, a, "2");
    cells_end_row(&cells);
    cells_finish(&cells);
    static const char *const expected[2][3] = {{"1", "", "2"}, {"", "x", ""}};
    for (int j = 0; j < 2; j++)
        for (size_t i = 0; i < 3; i++)
            cr_assert_str_eq(cell(&cells, j, i), expected[j][i]);
    cr_assert_eq(cells_find_column(&cells, "b"), b);
    cells_drop_column(&cells, a);
    cr_assert_eq(cells.count, 1);
    cr_assert_eq(cells_find_column(&cells, "a"), -1);
    cr_assert_str_eq(cell(&cells, 0, 1), "x");
    cells_clear(&cells);
}

Test(cells, have_a_limit_of_columns_and_of_a_name) {
    struct cells cells = {0};
    char name[CELLS_NAME_BYTES + 2] = "";
    memset(name, 'x', CELLS_NAME_BYTES + 1);
    cr_assert_eq(cells_add_column(&cells, name, CELLS_NAME_BYTES + 1), -1);
    cr_assert_eq(cells_add_column(&cells, name, CELLS_NAME_BYTES), 0);
    for (int j = 1; j < CELLS_MAX_COLUMNS; j++)
        cr_assert_eq(cells_add_column(&cells, "y", 1), j);
    cr_assert_eq(cells_add_column(&cells, "y", 1), -1);
    cr_assert_not(cells.no_memory);
    cells_clear(&cells);
}

static struct buffer written(struct cells *cells) {
    struct buffer out = {0};
    cells_write(cells, &out);
    cr_assert_not(out.failed);
    cr_assert(cells->count == 0 && !cells->columns);
    return out;
}

Test(cells, come_back_from_their_bytes) {
    static const size_t rows[] = {0, 1, 2, 256, 257, 66000};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        struct cells cells = made(rows[k], 7), again;
        cells.has_names = k % 2;
        cells.columns[3].is_unnamed = true;
        struct buffer out = written(&cells);
        cr_assert(cells_read(&again, out.data, out.length));
        check(&again, rows[k], 7);
        cr_assert_eq(again.has_names, k % 2);
        cr_assert(again.columns[3].is_unnamed && !again.columns[2].is_unnamed);
        cr_assert_str_eq(again.columns[6].name, "column 6");
        buffer_clear(&out);
        cells_clear(&cells);
        cells_clear(&again);
    }
}

/* A block costs about its texts: a table without repetitions has no codes. */
Test(cells, are_written_in_few_bytes) {
    struct cells cells = {0};
    char text[16];
    cells_add_column(&cells, "id", 2);
    cells_add_column(&cells, "sex", 3);
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "%06d", i);
        put(&cells, 0, text);
        put(&cells, 1, i % 3 ? "f" : "m");
        cells_end_row(&cells);
    }
    struct buffer out = written(&cells);
    cr_assert_leq(out.length, 1000 * 7 + 1000 + 100);
    buffer_clear(&out);
    cells_clear(&cells);
}

static void set_checksum(struct buffer *block) {
    const uint32_t sum =
        (uint32_t)crc32(0, (unsigned char *)block->data + 12, (unsigned)block->length - 12);
    for (int i = 0; i < 4; i++)
        block->data[8 + i] = (char)(sum >> (8 * i));
}

Test(cells, damage_is_noticed) {
    struct cells cells = made(40, 3), again;
    struct buffer out = written(&cells);
    for (size_t length = 0; length < out.length; length++) {
        char *cut = malloc(length + 1); /* so that a sanitizer sees a read beyond the end */
        memcpy(cut, out.data, length);
        cr_assert_not(cells_read(&again, cut, length));
        cells_clear(&again);
        free(cut);
    }
    for (size_t bit = 0; bit < 8 * out.length; bit++) {
        out.data[bit / 8] ^= (char)(1 << bit % 8);
        cr_assert_not(cells_read(&again, out.data, out.length), "bit %zu", bit);
        cells_clear(&again);
        out.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    buffer_clear(&out);
    cells_clear(&cells);
}

/* Even with a checksum that fits, no code lies outside of its column, and no text outside of the
 * block. */
Test(cells, bytes_of_others_are_checked) {
    struct cells cells = made(40, 3), again;
    struct buffer out = written(&cells);
    for (size_t k = 0; k < 256 * (out.length - 12); k++) {
        char *byte = &out.data[12 + k / 256];
        const char kept = *byte;
        *byte = (char)k;
        set_checksum(&out);
        if (cells_read(&again, out.data, out.length))
            for (int j = 0; j < again.count; j++)
                for (size_t i = 0; i < again.n; i++) {
                    const uint32_t code = (uint32_t)again.columns[j].codes[i];
                    cr_assert_lt(code, again.columns[j].distinct);
                    cr_assert_eq(strlen(cells_text(&again.columns[j], code)),
                                 cells_length(&again.columns[j], code));
                }
        cells_clear(&again);
        *byte = kept;
    }
    buffer_clear(&out);
    cells_clear(&cells);
}
