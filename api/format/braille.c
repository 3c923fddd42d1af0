#include "api/format/braille.h"

#include <math.h>
#include <stdlib.h>

/* Unicode numbers the dots of U+2800 + bits down the left column, then down the right, with the
 * lowest row added later. */
static const unsigned char dot_bits[4][2] = {
    {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};

static void put_cell(struct buffer *out, unsigned bits) {
    unsigned code = 0x2800 + bits;
    char utf8[3] = {(char)(0xe0 | code >> 12), (char)(0x80 | (code >> 6 & 0x3f)),
                    (char)(0x80 | (code & 0x3f))};
    buffer_append(out, utf8, sizeof utf8);
}

void braille_points(struct buffer *out, const float *points, size_t n, int columns, int rows) {
    double min[2] = {INFINITY, INFINITY}, max[2] = {-INFINITY, -INFINITY};
    for (size_t i = 0; i < 2 * n; i++)
        if (isfinite(points[i])) {
            min[i % 2] = fmin(min[i % 2], (double)points[i]);
            max[i % 2] = fmax(max[i % 2], (double)points[i]);
        }
    double wide = 2 * columns - 1, high = 4 * rows - 1; /* in dots, which are square */
    double scale = fmin(wide / fmax(max[0] - min[0], 1e-9), high / fmax(max[1] - min[1], 1e-9));
    unsigned char *cells = calloc((size_t)columns * (size_t)rows, 1);
    if (!cells)
        return;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(points[2 * i]) || !isfinite(points[2 * i + 1]))
            continue;
        int x = (int)lrint(((double)points[2 * i] - min[0]) * scale);
        int y = (int)lrint((max[1] - (double)points[2 * i + 1]) * scale);
        cells[(size_t)(y / 4) * (size_t)columns + (size_t)(x / 2)] |= dot_bits[y % 4][x % 2];
    }
    const int used_rows =
        n > 0 && max[1] >= min[1] ? (int)lrint((max[1] - min[1]) * scale) / 4 + 1 : 0;
    for (int row = 0; row < used_rows; row++) {
        for (int column = 0; column < columns; column++)
            put_cell(out, cells[row * columns + column]);
        buffer_text(out, "\n");
    }
    free(cells);
}
