#include "api/upload/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "api/format/number.h"
#include "engine/denoise.h"
#include "server/threads/pool.h"

struct range {
    float min, max;
    double mean, std;
};

/* Of the values that are not missing (NAN), of which there is one. Sums are of distances to the first
 * one, so that a constant column has exactly its value as mean and 0 as deviation, and a column far
 * from 0 keeps its digits. */
static struct range describe(const struct point_table *table, int j) {
    const size_t dim = (size_t)table->dim;
    const float *values = table->points + j;
    size_t start = 0, n = 0;
    while (start + 1 < table->n && isnan(values[start * dim]))
        start++;
    const float first = values[start * dim];
    struct range range = {.min = first, .max = first};
    double sum = 0, squares = 0;
    for (size_t i = start; i < table->n; i++) {
        const float x = values[i * dim];
        if (isnan(x))
            continue;
        range.min = x < range.min ? x : range.min;
        range.max = x > range.max ? x : range.max;
        sum += (double)x - (double)first;
        n++;
    }
    const double shift = sum / (double)n;
    for (size_t i = start; i < table->n; i++) {
        const double distance = (double)values[i * dim] - (double)first - shift;
        squares += isnan(distance) ? 0 : distance * distance;
    }
    range.mean = (double)first + shift;
    range.std = sqrt(squares / (double)n);
    return range;
}

/* ------------------------------------------------------------------ duplicates */

/* The key is secret, so that nobody can make points that all have the same place. */
static uint64_t hash(const char *point, size_t size, uint64_t key) {
    uint64_t h = key;
    for (size_t j = 0; j + sizeof(uint32_t) <= size; j += sizeof(uint32_t)) {
        uint32_t bits;
        memcpy(&bits, point + j, sizeof bits);
        h = (h ^ bits) * (key | 1);
        h ^= h >> 29;
    }
    return h;
}

/* Open addressing over the numbers of the points, from 1; -1: no memory. */
static int64_t count_duplicates(const char *points, size_t n, size_t size) {
    size_t room = 16;
    while (room < 2 * n)
        room *= 2;
    uint32_t *slots = calloc(room, sizeof *slots);
    uint64_t key = 0x9e3779b97f4a7c15; /* without randomness it is still a hash */
    if (!slots)
        return -1;
    (void)!getrandom(&key, sizeof key, 0);
    int64_t duplicates = 0;
    for (size_t i = 0; i < n; i++) {
        const char *point = points + i * size;
        size_t at = hash(point, size, key) & (room - 1);
        while (slots[at] && memcmp(points + (slots[at] - 1) * size, point, size) != 0)
            at = (at + 1) & (room - 1);
        if (slots[at])
            duplicates++;
        else
            slots[at] = (uint32_t)i + 1;
    }
    free(slots);
    return duplicates;
}

/* ------------------------------------------------------------------ as JSON */

static void write_float(struct json_writer *json, float x) {
    if (!isfinite(x)) {
        json_null(json);
        return;
    }
    char text[FLOAT_TEXT + 1];
    text[float_text(text, x)] = '\0';
    json_raw(json, text);
}

void statistics_write_counts(const int32_t *labels, size_t n, int classes,
                             struct json_writer *json) {
    int64_t counts[DN_MAX_CLASSES] = {0};
    json_key(json, "class_counts");
    if (!labels) {
        json_null(json);
        return;
    }
    for (size_t i = 0; i < n; i++)
        counts[labels[i]]++;
    json_open(json, '[');
    for (int c = 0; c < classes; c++)
        json_integer(json, counts[c]);
    json_close(json, ']');
}

void statistics_write_duplicates(const void *points, size_t n, size_t size,
                                 struct json_writer *json) {
    const int64_t duplicates = count_duplicates(points, n, size);
    json_key(json, "duplicates");
    if (duplicates < 0)
        json_null(json);
    else
        json_integer(json, duplicates);
}

void statistics_write(const struct point_table *table, struct json_writer *json) {
    static const char *const names[] = {"min", "max", "mean", "std"};
    struct range columns[DN_MAX_DIM];
    for (int j = 0; j < table->dim; j++) {
        columns[j] = describe(table, j);
        pool_pause();
    }
    json_open(json, '{');
    for (int k = 0; k < 4; k++) {
        json_member_open(json, names[k], '[');
        for (int j = 0; j < table->dim; j++)
            if (k < 2)
                write_float(json, k == 0 ? columns[j].min : columns[j].max);
            else
                json_double(json, k == 2 ? columns[j].mean : columns[j].std);
        json_close(json, ']');
    }
    statistics_write_duplicates(table->points, table->n, (size_t)table->dim * sizeof *table->points,
                                json);
    statistics_write_counts(table->labels, table->n, table->classes, json);
    json_close(json, '}');
}
