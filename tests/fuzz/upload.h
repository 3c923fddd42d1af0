/*
 * upload.h - what the targets of the three readers of data sets do with one.
 *
 * The first byte of the input says how the file is to be read, the rest is the file.
 */
#ifndef TESTS_FUZZ_UPLOAD_H
#define TESTS_FUZZ_UPLOAD_H

#include <math.h>
#include <string.h>

#include "api/upload/points.h"
#include "api/upload/reading.h"
#include "api/upload/statistics.h"
#include "tests/fuzz/fuzz.h"

/* What a reader has to hold to when it has found nothing wrong. */
static inline void upload_check_cells(const struct cells *cells) {
    fuzz_check(cells->n >= 1 && cells->n <= DN_MAX_POINTS);
    fuzz_check(cells->count >= 1 && cells->count <= CELLS_MAX_COLUMNS);
    for (int j = 0; j < cells->count; j++) {
        fuzz_check(cells_find_column(cells, cells->columns[j].name) == j);
        for (size_t i = 0; i < cells->n; i++)
            fuzz_check((uint32_t)cells->columns[j].codes[i] < cells->columns[j].distinct);
    }
}

/* The table comes back from its block, and gives the same block again. */
static inline void upload_check_block(struct cells *cells) {
    struct buffer block = {0}, second = {0};
    struct cells again;
    cells_write(cells, &block);
    fuzz_check(cells_read(&again, block.data, block.length));
    cells_write(&again, &second);
    fuzz_check(second.length == block.length && memcmp(second.data, block.data, block.length) == 0);
    buffer_clear(&block);
    buffer_clear(&second);
}

/* Each text is written back as one with the same value, within the column's range. */
static inline void upload_check_column(const struct column *column,
                                       const struct cells_column *cells) {
    for (uint32_t code = 0; column->coordinate >= 0 && code < cells->distinct; code++) {
        char text[COLUMN_TEXT_BYTES];
        const double value =
            column_forward(column, cells_text(cells, code), cells_length(cells, code));
        const size_t length = column_backward(column, value, text);
        const double again = column_forward(column, text, length);
        fuzz_check(isnan(value) ? isnan(again)
                                : fabs(again - value) <= 1e-15 * fabs(value) + 1e-17);
        fuzz_check(!(value < column->min) && !(value > column->max));
    }
}

static inline void upload_check(const struct points *points) {
    struct buffer text = {0};
    fuzz_check(points->n >= 1 && points->n <= DN_MAX_POINTS);
    fuzz_check(points->dim >= 1 && points->dim <= DN_MAX_DIM);
    fuzz_check(!points->labels == (points->class_count == 0));
    for (size_t i = 0; i < points->n * (size_t)points->dim; i++)
        fuzz_check(!(fabsf(points->points[i]) > (float)COLUMN_LARGEST_VALUE));
    for (size_t i = 0; points->labels && i < points->n; i++)
        fuzz_check(points->labels[i] >= 0 && points->labels[i] < points->class_count);
    statistics_write(&(struct point_table){points->points, points->n, points->dim, points->labels,
                                           points->class_count},
                     &(struct json_writer){.out = &text});
    fuzz_check(!text.failed);
    buffer_clear(&text);
}

/* What follows after a file was read. */
static inline void upload_finish(struct reading *reading) {
    static struct points points;
    if (reading_goes_on(reading) && reading->wrong->count == 0) {
        upload_check_cells(&reading->cells);
        if (points_make(reading, &points)) {
            upload_check(&points);
            for (int j = 0; j < points.column_count; j++)
                upload_check_column(&points.columns[j], &reading->cells.columns[j]);
        }
        points_clear(&points);
        upload_check_block(&reading->cells);
    }
    reading_clear(reading);
}

static inline int upload_fuzz(void (*read)(struct reading *), const uint8_t *bytes, size_t size) {
    static const char *const labels[] = {"", "label", "0", "-1", "x", "2"};
    static struct reading reading;
    struct arena arena = {0};
    struct problem_fields wrong = {.arena = &arena};
    if (size == 0)
        return 0;
    char *text = fuzz_text(bytes + 1, size - 1);
    reading = (struct reading){.text = text,
                               .length = size - 1,
                               .label = labels[bytes[0] / 3 % 6],
                               .header = (enum header_mode)(bytes[0] % 3),
                               .decimal = (enum decimal_mode)(bytes[0] / 18 % 3),
                               .is_lines = bytes[0] / 54 % 2,
                               .wrong = &wrong};
    read(&reading);
    upload_finish(&reading);
    arena_clear(&arena);
    free(text);
    return 0;
}

#endif
