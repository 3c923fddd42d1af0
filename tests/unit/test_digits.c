/* Drawn digits: the same for ever, any range of them, where the ink is, and that they can be read. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/data/digits.h"
#include "engine/denoise.h"

enum { SIDE = DN_DIGITS_SIDE, VALUES = SIDE * SIDE, CLASSES = DN_DIGITS_CLASSES };

struct set {
    size_t n;
    uint8_t *pixels;
    int32_t *labels;
};

static struct set draw(uint64_t seed, uint64_t first, size_t n) {
    struct set set = {n, malloc(n * VALUES), malloc(n * sizeof *set.labels)};
    memset(set.pixels, 0xa5, n * VALUES); /* whatever was there */
    dn_digits_draw(seed, first, n, set.pixels, set.labels);
    return set;
}

static void clear(struct set *set) {
    free(set->pixels);
    free(set->labels);
}

static uint64_t hash_of(const struct set *set) { /* FNV-1a */
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < set->n * VALUES; i++)
        hash = (hash ^ set->pixels[i]) * 0x100000001b3u;
    for (size_t i = 0; i < set->n; i++)
        hash = (hash ^ (unsigned)set->labels[i]) * 0x100000001b3u;
    return hash;
}

Test(digits, a_seed_gives_the_same_images_as_ever) {
    struct set first = draw(1, 0, 1000), far = draw(UINT64_MAX, UINT64_C(1) << 60, 10);
    cr_assert_eq(hash_of(&first), 0xdeebe3a9b4f06cf8u, "%#llx",
                 (unsigned long long)hash_of(&first));
    cr_assert_eq(hash_of(&far), 0x8d72bb685ccc1b7cu, "%#llx", (unsigned long long)hash_of(&far));
    clear(&first);
    clear(&far);
}

Test(digits, an_image_does_not_depend_on_how_many_are_drawn) {
    struct set whole = draw(7, 0, 200);
    for (size_t first = 0; first < 200; first += 37)
        for (size_t n = 1; first + n <= 200 && n < 20; n += 6) {
            struct set part = draw(7, first, n);
            cr_assert_arr_eq(part.pixels, whole.pixels + first * VALUES, n * VALUES);
            cr_assert_arr_eq(part.labels, whole.labels + first, n * sizeof *part.labels);
            clear(&part);
        }
    int32_t labels[10];
    dn_digits_draw(7, 20, 10, NULL, labels);
    cr_assert_arr_eq(labels, whole.labels + 20, sizeof labels);
    uint8_t image[VALUES];
    dn_digits_draw(7, 33, 1, image, NULL);
    cr_assert_arr_eq(image, whole.pixels + (size_t)33 * VALUES, VALUES);
    clear(&whole);
}

Test(digits, each_ten_images_are_the_ten_digits_in_an_order_of_their_own) {
    struct set set = draw(3, 50, 2000);
    int at_first[CLASSES] = {0};
    for (size_t i = 0; i < set.n; i += CLASSES) {
        unsigned seen = 0;
        for (size_t k = 0; k < CLASSES; k++)
            seen |= 1U << set.labels[i + k];
        cr_assert_eq(seen, (1U << CLASSES) - 1);
        at_first[set.labels[i]]++;
    }
    for (int k = 0; k < CLASSES; k++) /* 20 each are expected, with a deviation of 4.2 */
        cr_assert(at_first[k] > 0 && at_first[k] < 42, "%d: %d", k, at_first[k]);
    clear(&set);
}

/* MNIST's range from its 0th to its 100th percentile is 0.025 to 0.40 of the picture, 0.13 on
 * average; its centers of mass are in the middle. */
Test(digits, ink_is_in_the_middle_and_neither_little_nor_much) {
    struct set set = draw(11, 0, 3000);
    double total = 0;
    for (size_t i = 0; i < set.n; i++) {
        const uint8_t *image = set.pixels + i * VALUES;
        double sum = 0, x_sum = 0, y_sum = 0;
        uint8_t darkest = 0;
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                const uint8_t ink = image[y * SIDE + x];
                cr_assert(ink == 0 || (x > 0 && y > 0 && x < SIDE - 1 && y < SIDE - 1));
                darkest = ink > darkest ? ink : darkest;
                sum += ink;
                x_sum += ink * (x + 0.5);
                y_sum += ink * (y + 0.5);
            }
        const double share = sum / 255 / VALUES;
        cr_assert(share > 0.03 && share < 0.33, "image %zu: %g", i, share);
        cr_assert_gt(darkest, 200);
        cr_assert_float_eq(x_sum / sum, SIDE / 2.0, 3);
        cr_assert_float_eq(y_sum / sum, SIDE / 2.0, 3);
        total += share;
    }
    cr_assert_float_eq(total / (double)set.n, 0.14, 0.02, "%g", total / (double)set.n);
    clear(&set);
}

Test(digits, seeds_and_images_differ) {
    struct set a = draw(1, 0, 300), b = draw(2, 0, 300);
    for (size_t i = 0; i < a.n; i++) {
        cr_assert(memcmp(a.pixels + i * VALUES, b.pixels + i * VALUES, VALUES) != 0);
        for (size_t j = 0; j < i; j++)
            cr_assert(memcmp(a.pixels + i * VALUES, a.pixels + j * VALUES, VALUES) != 0);
    }
    clear(&a);
    clear(&b);
}

/* The share of the images whose nearest neighbor among the first n others is the same digit. */
static double read_by_neighbor(const struct set *others, size_t n, const struct set *images) {
    size_t right = 0;
    for (size_t i = 0; i < images->n; i++) {
        long best = -1, label = -1;
        for (size_t j = 0; j < n; j++) {
            long distance = 0;
            for (size_t e = 0; e < VALUES; e++) {
                const long d =
                    images->pixels[i * VALUES + e] - (long)others->pixels[j * VALUES + e];
                distance += d * d;
            }
            if (best < 0 || distance < best) {
                best = distance;
                label = others->labels[j];
            }
        }
        cr_assert_gt(best, 0);
        right += label == images->labels[i];
    }
    return (double)right / (double)images->n;
}

/* From many they can be read, from few they cannot: they vary. */
Test(digits, can_be_read_from_many_others_but_not_from_few) {
    struct set others = draw(21, 0, 3000), images = draw(22, 0, 300);
    const double few = read_by_neighbor(&others, 50, &images);
    const double many = read_by_neighbor(&others, 3000, &images);
    cr_assert(few > 0.5 && few < 0.9, "%g", few);
    cr_assert_gt(many, 0.95, "%g", many);
    clear(&others);
    clear(&images);
}

Test(digits, styles_are_complete) {
    int styles[CLASSES] = {0};
    double shares[CLASSES] = {0};
    for (int k = 0; k < DIGIT_STYLES; k++) {
        const struct digit_style *style = &digit_styles[k];
        size_t stroke = 0;
        cr_assert(style->digit == (k ? digit_styles[k - 1].digit : 0) ||
                  style->digit == digit_styles[k - 1].digit + 1);
        styles[style->digit]++;
        shares[style->digit] += style->share;
        cr_assert_leq(style->count, DIGIT_MAX_KNOTS);
        for (size_t i = 0; i <= style->count; i++, stroke++)
            if (i == style->count || style->knots[i].from[0] == INT8_MIN) {
                cr_assert_geq(stroke, 3, "style %d", k);
                stroke = (size_t)-1;
            }
    }
    for (int k = 0; k < CLASSES; k++) {
        cr_assert_geq(styles[k], 3);
        cr_assert_float_eq(shares[k], 1, 1e-12, "digit %d: %g", k, shares[k]);
    }
}
