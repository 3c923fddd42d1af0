/* Pixels: classes keep their colours where they meet, the view box, and palettes. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/format/raster.h"

static const struct frame unit = {
    .width = 100, .height = 100, .x_min = 0, .x_max = 1, .y_min = 0, .y_max = 1};

static int hue_of(uint8_t pixel) {
    return pixel < RASTER_FIRST_HUE ? -1 : (pixel - RASTER_FIRST_HUE) / RASTER_LEVELS;
}

Test(raster, a_pixel_has_the_colour_of_most_of_its_points) {
    struct raster raster;
    uint8_t pixels[100 * 100];
    float points[12][2];
    int labels[12] = {3, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 3};
    cr_assert(raster_init(&raster, 100, 100));
    for (int i = 0; i < 12; i++)
        points[i][0] = points[i][1] = 0.505f;
    raster_points(&raster, &unit, &(struct dn_points){points[0], 12, 2}, labels, 0);
    raster_pixels(&raster, pixels);
    cr_assert_eq(hue_of(pixels[49 * 100 + 50]), 5);
    raster_erase_points(&raster);
    raster_points(&raster, &unit, &(struct dn_points){points[0], 4, 2}, labels, 0);
    raster_pixels(&raster, pixels);
    cr_assert_eq(hue_of(pixels[49 * 100 + 50]), 3);
    cr_assert_eq(hue_of(pixels[20 * 100 + 50]), -1);
    raster_free(&raster);
}

Test(raster, labels_of_any_value_have_a_hue) {
    const int labels[] = {0, 7, 8, -1, 1000, -2147483647 - 1, 2147483647};
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        int hue = class_hue(labels[i]);
        cr_assert(hue >= 0 && hue < CLASS_COLORS);
    }
    cr_assert_eq(class_hue(9), 1);
}

Test(raster, points_outside_and_not_finite_are_left_out) {
    struct raster raster;
    uint8_t pixels[100 * 100];
    const float points[] = {NAN, 0.5f, 0.5f, INFINITY, -1e30f, 0.5f, 0.5f, 3e38f, 1.1f, 0.2f};
    cr_assert(raster_init(&raster, 100, 100));
    raster_points(&raster, &unit, &(struct dn_points){points, 5, 2}, NULL, 1);
    raster_pixels(&raster, pixels);
    for (int i = 0; i < 100 * 100; i++)
        cr_assert_eq(pixels[i], RASTER_PAPER);
    raster_free(&raster);
}

Test(raster, each_printable_character_has_a_glyph_of_its_own) {
    const char *box = glyph_rows('\xc3');
    cr_assert_not_null(box);
    cr_assert_null(glyph_rows(' '));
    for (char a = '!'; a <= '~'; a++) {
        cr_assert_not_null(glyph_rows(a));
        cr_assert_neq(memcmp(glyph_rows(a), box, GLYPH_HEIGHT), 0, "%c", a);
        for (char b = '!'; b < a; b++)
            cr_assert(memcmp(glyph_rows(a), glyph_rows(b), GLYPH_HEIGHT) || (a == 'O' && b == '0'),
                      "%c %c", a, b);
    }
}

Test(raster, a_character_that_is_not_ascii_is_one_box) {
    struct raster raster;
    uint8_t pixels[100 * 100];
    int columns[3] = {0};
    cr_assert(raster_init(&raster, 100, 100));
    raster_text(&raster, 0, 0, 1, "\xc3\xa9 \xe2\x82\xac"); /* two letters, and a space between */
    raster_pixels(&raster, pixels);
    for (int y = 0; y < GLYPH_HEIGHT; y++)
        for (int x = 0; x < 3 * GLYPH_WIDTH; x++)
            columns[x / GLYPH_WIDTH] += pixels[y * 100 + x] != RASTER_PAPER;
    cr_assert(columns[0] > 0 && columns[1] == 0 && columns[2] == columns[0]);
    raster_free(&raster);
}

Test(raster, palettes_run_from_paper_to_the_colour) {
    uint8_t rgb[3 * RASTER_PALETTE];
    for (int theme = 0; theme_names[theme]; theme++)
        for (int classes = 0; classes < 2; classes++) {
            int count = raster_palette(&themes[theme], classes, rgb);
            int hues = classes ? CLASS_COLORS : 2;
            cr_assert_eq(count, RASTER_FIRST_HUE + hues * RASTER_LEVELS);
            for (int hue = 0; hue < hues; hue++) {
                const uint8_t *full =
                    rgb + 3 * (ptrdiff_t)(RASTER_FIRST_HUE + (hue + 1) * RASTER_LEVELS - 1);
                unsigned wanted = classes ? themes[theme].classes[hue] : themes[theme].series[hue];
                cr_assert_eq((unsigned)(full[0] << 16 | full[1] << 8 | full[2]), wanted);
            }
        }
}

Test(raster, the_box_of_a_way_holds_the_end_and_most_of_the_start) {
    float first[400][2], last[400][2];
    for (int i = 0; i < 400; i++) {
        first[i][0] = first[i][1] = (float)(i - 200) / 100; /* -2 .. 2 */
        last[i][0] = (float)(i % 2) * 0.5f, last[i][1] = 0;
    }
    first[0][0] = -1e6f; /* one far point */
    const struct dn_points from = {first[0], 400, 2}, to = {last[0], 400, 2};
    struct frame frame = {0};
    cr_assert(frame_fit_way(&frame, &from, &to));
    cr_assert_float_eq(frame.x_min, -1.8 - 0.18, 0.03);
    cr_assert_float_eq(frame.x_max, 1.79 + 0.18, 0.03);
    cr_assert_float_eq(frame.y_max - frame.y_min, frame.x_max - frame.x_min, 1e-12);
    last[3][0] = 10;
    cr_assert(frame_fit_way(&frame, &from, &to));
    cr_assert(frame.x_max > 10);
    const struct dn_points none = {(const float[]){NAN, NAN}, 1, 2};
    cr_assert(frame_fit_way(&frame, &none, &none));
    cr_assert(isfinite(frame.x_min) && frame.x_max > frame.x_min);
}
