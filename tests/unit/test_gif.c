/* GIF: what is packed unpacks to the same, by a strict reader of its own; frames build on each
 * other. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/format/gif.h"
#include "api/format/lzw.h"
#include "api/images/film.h"

/* ------------------------------------------------------------------ a strict reader */

/* Bytes that may run out. */
struct source {
    const uint8_t *at, *end;
};

static unsigned take(struct source *source, int bytes) {
    unsigned value = 0;
    cr_assert_geq(source->end - source->at, bytes, "the file ends too early");
    for (int i = 0; i < bytes; i++)
        value |= (unsigned)*source->at++ << (8 * i);
    return value;
}

static void expect(struct source *source, const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        cr_assert_eq(take(source, 1), (uint8_t)bytes[i], "byte %zu", i);
}

/* A chain of blocks up to the empty one, as bits from the lowest on. */
struct bits {
    uint8_t *bytes;
    size_t next, count;
};

static struct bits take_blocks(struct source *source) {
    struct bits bits = {.bytes = malloc((size_t)(source->end - source->at) + 1)};
    for (unsigned size; (size = take(source, 1)) > 0; bits.count += 8 * size) {
        cr_assert_geq(source->end - source->at, (ptrdiff_t)size);
        memcpy(bits.bytes + bits.count / 8, source->at, size);
        source->at += size;
    }
    return bits;
}

static unsigned take_bits(struct bits *bits, int width) {
    unsigned value = 0;
    cr_assert_leq(bits->next + (size_t)width, bits->count, "no end code");
    for (int i = 0; i < width; i++, bits->next++)
        value |= (unsigned)(bits->bytes[bits->next / 8] >> bits->next % 8 & 1) << i;
    return value;
}

enum { CODES = 4096 };

/* Strings are the one before and a pixel more. */
struct strings {
    unsigned before[CODES], length[CODES], count;
    uint8_t first[CODES], last[CODES];
};

static void start_anew(struct strings *strings, unsigned colours) {
    strings->count = colours + 2; /* two codes mean "start anew" and "the end" */
    for (unsigned code = 0; code < colours; code++) {
        strings->first[code] = strings->last[code] = (uint8_t)code;
        strings->length[code] = 1;
    }
}

static void add_string(struct strings *strings, unsigned before, unsigned code) {
    const unsigned new = strings->count++;
    strings->before[new] = before;
    strings->first[new] = strings->first[before];
    strings->length[new] = strings->length[before] + 1;
    strings->last[new] = strings->first[code]; /* code may be the new one */
}

/* Unpacks exactly `count` pixels, and insists on the end code after them. */
static void unpack(struct source *source, int colour_bits, uint8_t *pixels, size_t count) {
    static struct strings strings;
    const unsigned colours = 1U << colour_bits, none = CODES;
    struct bits bits = take_blocks(source);
    size_t got = 0;
    int width = colour_bits + 1;
    unsigned last = none, code;
    start_anew(&strings, colours);
    while ((code = take_bits(&bits, width)) != colours + 1) {
        if (code == colours) {
            start_anew(&strings, colours);
            width = colour_bits + 1;
            last = none;
            continue;
        }
        if (last != none && strings.count < CODES) {
            cr_assert_leq(code, strings.count);
            add_string(&strings, last, code);
            width += strings.count == 1U << width && width < 12;
        }
        cr_assert(code < strings.count && (code < colours || code > colours + 1));
        got += strings.length[code];
        cr_assert_leq(got, count, "too many pixels");
        for (unsigned i = 0, at = code; i < strings.length[code]; i++, at = strings.before[at])
            pixels[got - 1 - i] = strings.last[at];
        last = code;
    }
    cr_assert_eq(got, count, "%zu of %zu pixels", got, count);
    cr_assert_lt(bits.count - bits.next, 8U, "bytes after the end code");
    free(bits.bytes);
}

/* ------------------------------------------------------------------ packing */

/* Both ways; returns the size of what is packed. */
static size_t round_trip(int bits, const uint8_t *pixels, size_t width, size_t height,
                         size_t stride) {
    static struct lzw lzw;
    struct buffer out = {0};
    memset(&lzw, 0xa5, sizeof lzw); /* whatever was in it */
    lzw_write(&out, &lzw, bits, pixels, width, height, stride);
    struct source source = {(uint8_t *)out.data, (uint8_t *)out.data + out.length};
    uint8_t *again = malloc(width * height);
    cr_assert_eq(take(&source, 1), (unsigned)bits);
    unpack(&source, bits, again, width * height);
    cr_assert_eq(source.at, source.end);
    for (size_t y = 0; y < height; y++)
        cr_assert_arr_eq(again + y * width, pixels + y * stride, width);
    const size_t size = out.length;
    free(again);
    buffer_clear(&out);
    return size;
}

static uint8_t *noise(size_t count, int bits, unsigned seed) {
    uint8_t *pixels = malloc(count);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525U + 1013904223U;
        pixels[i] = (uint8_t)(seed >> (32 - bits));
    }
    return pixels;
}

Test(lzw, every_length_ends_well) {
    /* The end falls before, on and after each width of codes; of one colour, codes are used in the
     * moment in which they are made. */
    for (int bits = 2; bits <= 8; bits++) {
        uint8_t *pixels = noise(1500, bits, (unsigned)bits);
        for (size_t count = 1; count <= 1500; count += count < 600 || bits == 8 ? 1 : 7)
            round_trip(bits, pixels, count, 1, count);
        memset(pixels, 1, 1500);
        for (size_t count = 1; count <= 1500; count += 11)
            round_trip(bits, pixels, count, 1, count);
        free(pixels);
    }
}

Test(lzw, strings_are_forgotten_and_learnt_again) {
    for (int bits = 2; bits <= 8; bits += 3) {
        const size_t count = 300 * 300;
        uint8_t *pixels = noise(count, bits, 7);
        round_trip(bits, pixels, 300, 300, 300);
        for (size_t around = 4000; around < 12600; around += 43) /* around the first time */
            round_trip(bits, pixels, around, 1, around);
        free(pixels);
    }
}

Test(lzw, a_window_of_a_wider_picture) {
    uint8_t *pixels = noise(100 * 50, 6, 3);
    round_trip(6, pixels + 7 * 100 + 11, 83, 29, 100);
    round_trip(6, pixels + 99, 1, 50, 100);
    free(pixels);
}

Test(lzw, what_repeats_gets_small) {
    uint8_t *pixels = calloc(1000, 1000);
    cr_assert_lt(round_trip(8, pixels, 1000, 1000, 1000), 3000U);
    free(pixels);
}

Test(lzw, no_memory_is_told_by_the_buffer) {
    static struct lzw lzw;
    uint8_t *pixels = noise(90000, 8, 1);
    struct buffer out = {0};
    buffer_fail(&out);
    lzw_write(&out, &lzw, 8, pixels, 300, 300, 300);
    cr_assert(out.failed && !out.data);
    free(pixels);
}

/* ------------------------------------------------------------------ animations */

enum { FRAMES = 5, POINTS = 3, SIDE = 64 };

struct seen {
    int width, height, bits;
    uint8_t *screen;
    uint8_t rgb[256][3];
    unsigned ticks[FRAMES];
    size_t window[FRAMES]; /* pixels of each frame */
};

static void read_frame(struct source *source, struct seen *seen, int k) {
    expect(source, "\x21\xf9\4\5", 4); /* stays; has a transparent colour */
    seen->ticks[k] = take(source, 2);
    const unsigned transparent = take(source, 1);
    expect(source, "\0\x2c", 2);
    const unsigned left = take(source, 2), top = take(source, 2);
    const unsigned width = take(source, 2), height = take(source, 2);
    expect(source, "\0", 1);
    cr_assert(width > 0 && height > 0);
    cr_assert_leq(left + width, (unsigned)seen->width);
    cr_assert_leq(top + height, (unsigned)seen->height);
    seen->window[k] = (size_t)width * height;
    uint8_t *pixels = malloc(seen->window[k]);
    cr_assert_eq(take(source, 1), (unsigned)seen->bits);
    unpack(source, seen->bits, pixels, seen->window[k]);
    for (size_t i = 0; i < seen->window[k]; i++)
        if (pixels[i] != transparent)
            seen->screen[(top + i / width) * (size_t)seen->width + left + i % width] = pixels[i];
        else
            cr_assert_gt(k, 0);
    free(pixels);
}

/* Draws and reads an animation; the caller frees the screen. */
static struct seen watch(const struct picture *picture) {
    struct buffer out = {0};
    (picture->layout.shape.height ? film_animation : gif_trajectory)(&out, picture);
    cr_assert(!out.failed);
    struct source source = {(uint8_t *)out.data, (uint8_t *)out.data + out.length};
    struct seen seen = {0};
    expect(&source, "GIF89a", 6);
    seen.width = (int)take(&source, 2);
    seen.height = (int)take(&source, 2);
    const unsigned kind = take(&source, 1);
    cr_assert_eq(kind & 0xf8, 0xf0U);
    seen.bits = (int)(kind & 7) + 1;
    expect(&source, "\0\0", 2);
    for (int i = 0; i < 1 << seen.bits; i++)
        for (int j = 0; j < 3; j++)
            seen.rgb[i][j] = (uint8_t)take(&source, 1);
    expect(&source, "\x21\xff\x0bNETSCAPE2.0\3\1\0\0\0", 19);
    seen.screen = malloc((size_t)seen.width * (size_t)seen.height);
    memset(seen.screen, 0xff, (size_t)seen.width * (size_t)seen.height);
    for (int k = 0; k < picture->layout.frames; k++)
        read_frame(&source, &seen, k);
    expect(&source, "\x3b", 1);
    cr_assert_eq(source.at, source.end);
    buffer_clear(&out);
    return seen;
}

static const float x[FRAMES][POINTS][2] = {
    {{0, 0}, {1, 1}, {0, 1}},    {{0, 0}, {1, 0.9f}, {0, 1}}, {{0, 0}, {1, 0.9f}, {0, 1}},
    {{0, 0}, {1, 0.9f}, {0, 1}}, {{0.5f, 0}, {1, 0}, {0, 1}},
};
static const int labels[POINTS] = {0, 5, 7};

static struct picture some_frames(const int *timesteps, int first, int frames) {
    return (struct picture){
        .layout = {.n = POINTS, .dim = 2, .frames = frames, .timesteps = timesteps},
        .x = x[first][0],
        .x0 = x[first][0],
        .look = {.size = SIDE},
    };
}

Test(gif, frames_hold_only_what_is_new) {
    static const int timesteps[FRAMES] = {4, 3, 3, 2, 0};
    struct picture all = some_frames(timesteps, 0, FRAMES);
    struct seen seen = watch(&all);
    const size_t screen = (size_t)seen.width * (size_t)seen.height;
    cr_assert_eq(seen.window[0], screen);
    cr_assert(seen.window[1] > 1 && seen.window[1] < screen);
    cr_assert_eq(seen.window[2], 1U, "nothing is new, the caption included");
    cr_assert(seen.window[3] > 1 && seen.window[3] < 8 * 8, "the caption alone is new");
    const unsigned ticks[FRAMES] = {80, 5, 5, 5, 200};
    cr_assert_arr_eq(seen.ticks, ticks, sizeof ticks);
    free(seen.screen);
}

Test(gif, the_last_frame_looks_the_same_whatever_was_before) {
    static const int timesteps[FRAMES] = {4, 3, 2, 1, 0}, ends[2] = {4, 0};
    for (int classes = 0; classes < 2; classes++) {
        struct picture all = some_frames(timesteps, 0, FRAMES);
        float two[2][POINTS][2];
        memcpy(two[0], x[0], sizeof two[0]);
        memcpy(two[1], x[FRAMES - 1], sizeof two[1]);
        struct picture jump = some_frames(ends, 0, 2);
        float estimates[1][POINTS][2];
        memcpy(estimates[0], x[FRAMES - 2], sizeof estimates[0]); /* which the last x keeps */
        jump.x = two[0][0];
        jump.x0 = estimates[0][0];
        all.layout.labels = jump.layout.labels = classes ? labels : NULL;
        struct seen slow = watch(&all), fast = watch(&jump);
        cr_assert_eq(slow.bits, classes ? 8 : 6);
        cr_assert_eq(slow.width * slow.height, fast.width * fast.height);
        cr_assert_arr_eq(slow.screen, fast.screen, (size_t)(slow.width * slow.height));
        free(slow.screen);
        free(fast.screen);
    }
}

/* ------------------------------------------------------------------ images */

enum { IMAGES = 3, HEIGHT = 4, WIDTH = 8, SCALE = 3, GAP = 2 };

/* Images of one color each in x, of another in x0; the last x keeps the x0 before it. */
static float shade(bool is_x0, int k, int i, int channel) {
    return (float)((is_x0 ? 200 : 10) + 17 * k - 40 * i + 7 * channel);
}

static float *shades(bool is_x0, int frames, int channels) {
    const size_t dim = (size_t)(HEIGHT * WIDTH * channels);
    float *values = malloc((size_t)(frames * IMAGES) * dim * sizeof *values);
    for (int k = 0; k < frames; k++)
        for (int i = 0; i < IMAGES; i++)
            for (size_t e = 0; e < dim; e++)
                values[(size_t)(k * IMAGES + i) * dim + e] =
                    shade(is_x0, k, i, (int)(e % (size_t)channels));
    return values;
}

/* The mean color of an image on the screen is the one that was drawn, as far as palettes go. */
static void expect_shade(const struct seen *seen, int left, int top, bool is_x0, int k, int i,
                         int channels) {
    for (int channel = 0; channel < 3; channel++) {
        double sum = 0;
        for (int row = top; row < top + HEIGHT * SCALE; row++)
            for (int column = left; column < left + WIDTH * SCALE; column++)
                sum += seen->rgb[seen->screen[row * seen->width + column]][channel];
        const float value = shade(is_x0, k, i, channels == 3 ? channel : 0);
        const double wanted = fmin(fmax((double)value, 0), 255);
        cr_assert_float_eq(sum / (HEIGHT * WIDTH * SCALE * SCALE), wanted, channels == 3 ? 3 : 1,
                           "image %d, channel %d: %g not %g", i, channel,
                           sum / (HEIGHT * WIDTH * SCALE * SCALE), wanted);
    }
}

Test(gif, images_stand_side_by_side_with_their_estimates) {
    static const int timesteps[FRAMES] = {9, 5, 3, 1, 0}, classes[IMAGES] = {1, 0, 1};
    static const int places[IMAGES][2] = {{1, 0}, {0, 0}, {1, 1}}; /* row, column */
    for (int channels = 1; channels <= 3; channels += 2)
        for (int frames = 2; frames <= FRAMES; frames++) {
            float *of_x = shades(false, frames, channels), *of_x0 = shades(true, frames, channels);
            struct picture picture = {
                .layout = {.n = IMAGES,
                           .dim = HEIGHT * WIDTH * channels,
                           .labels = classes,
                           .shape = {HEIGHT, WIDTH, channels},
                           .frames = frames,
                           .timesteps = timesteps},
                .x = of_x,
                .x0 = of_x0,
                .look = {.grid = {.scale = SCALE}},
            };
            struct seen seen = watch(&picture);
            const int side = 2 * (WIDTH * SCALE + GAP) + GAP;
            cr_assert_eq(seen.width, 2 * side + 8);
            cr_assert_eq(seen.height, 2 * (HEIGHT * SCALE + GAP) + GAP + 2 * 14);
            for (int i = 0; i < IMAGES; i++) {
                const int left = GAP + places[i][1] * (WIDTH * SCALE + GAP);
                const int top = 14 + GAP + places[i][0] * (HEIGHT * SCALE + GAP);
                expect_shade(&seen, left, top, false, frames - 1, i, channels);
                expect_shade(&seen, left + side + 8, top, true, frames - 2, i, channels);
            }
            free(seen.screen);
            free(of_x);
            free(of_x0);
        }
}
