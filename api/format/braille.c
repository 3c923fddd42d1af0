#include "api/format/braille.h"

#include <math.h>

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

void braille_points(struct buffer *out, const struct dn_points *points, int columns, int rows,
                    bool is_free) {
    struct frame range;
    unsigned char cells[BRAILLE_MAX_CELLS] = {0};
    frame_bound(&range, points);
    const double x_range = range.x_max - range.x_min, y_range = range.y_max - range.y_min;
    double wide = 2 * columns - 1, high = 4 * rows - 1; /* in dots, which are square */
    double x_scale = wide / fmax(x_range, 1e-9), y_scale = high / fmax(y_range, 1e-9);
    if (!is_free)
        x_scale = y_scale = fmin(x_scale, y_scale);
    for (size_t i = 0; i < points->n; i++) {
        const struct spot spot = spot_of(points, i);
        if (!isfinite(spot.x) || !isfinite(spot.y))
            continue;
        int x = (int)lrint((spot.x - range.x_min) * x_scale);
        int y = (int)lrint((range.y_max - spot.y) * y_scale);
        cells[y / 4 * columns + x / 2] |= dot_bits[y % 4][x % 2];
    }
    const int used_rows = y_range >= 0 ? (int)lrint(y_range * y_scale) / 4 + 1 : 0;
    for (int row = 0; row < used_rows; row++) {
        for (int column = 0; column < columns; column++)
            put_cell(out, cells[row * columns + column]);
        buffer_text(out, "\n");
    }
}
