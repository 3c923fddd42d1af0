/*
 * upload.h - what the targets of the three readers of data sets do with one.
 *
 * The first byte of the input says how the file is to be read, the rest is the file.
 */
#ifndef TESTS_FUZZ_UPLOAD_H
#define TESTS_FUZZ_UPLOAD_H

#include <math.h>
#include <string.h>

#include "api/upload/reading.h"
#include "api/upload/statistics.h"
#include "tests/fuzz/fuzz.h"

/* What a reader has to hold to when it has found nothing wrong. */
static inline void upload_check(const struct reading *reading) {
    struct buffer text = {0};
    fuzz_check(reading->n >= 1 && reading->n <= DN_MAX_POINTS);
    fuzz_check(reading->dim >= 1 && reading->dim <= DN_MAX_DIM);
    fuzz_check(!reading->labels == (reading->class_count == 0));
    for (size_t i = 0; i < reading->n * (size_t)reading->dim; i++)
        fuzz_check(fabsf(reading->points[i]) <= (float)READING_LARGEST_VALUE);
    for (size_t i = 0; reading->labels && i < reading->n; i++)
        fuzz_check(reading->labels[i] >= 0 && reading->labels[i] < reading->class_count);
    statistics_write(&(struct point_table){reading->points, reading->n, reading->dim,
                                           reading->labels, reading->class_count},
                     &(struct json_writer){.out = &text});
    fuzz_check(!text.failed);
    buffer_clear(&text);
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
                               .wrong = &wrong};
    read(&reading);
    if (reading_goes_on(&reading) && wrong.count == 0)
        upload_check(&reading);
    reading_clear(&reading);
    arena_clear(&arena);
    free(text);
    return 0;
}

#endif
