#include "api/images/reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/files/idx.h"
#include "api/files/npy.h"
#include "api/files/zip.h"

bool images_unreadable(struct images_reading *reading, enum problem_code code, const char *format,
                       ...) {
    char text[PROBLEM_DETAIL];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    reading->code = code;
    reading->unreadable = arena_copy(reading->wrong->arena, text, strlen(text));
    reading->no_memory |= !reading->unreadable;
    return false;
}

bool images_refuse(struct images_reading *reading, const char *pointer, const char *format, ...) {
    char text[PROBLEM_DETAIL];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    problem_add(reading->wrong, pointer, "%s", text);
    return false;
}

/* ------------------------------------------------------------------ shapes */

static bool is_side(size_t side) {
    return side >= IMAGES_SIDE_STEP && side <= IMAGES_MAX_SIDE && side % IMAGES_SIDE_STEP == 0;
}

/* The size that works and is nearest. */
static size_t nearest_side(size_t side) {
    const size_t rounded = (side + IMAGES_SIDE_STEP / 2) / IMAGES_SIDE_STEP * IMAGES_SIDE_STEP;
    return rounded < IMAGES_SIDE_STEP  ? IMAGES_SIDE_STEP
           : rounded > IMAGES_MAX_SIDE ? IMAGES_MAX_SIDE
                                       : rounded;
}

static bool check_shape(struct images_reading *reading, size_t height, size_t width,
                        size_t channels) {
    if (channels != 1 && channels != 3)
        return images_refuse(
            reading, "/images",
            "the images have %zu channels: there can be 1 (gray) or 3 (red, green, "
            "blue), as the last dimension of an array",
            channels);
    if (!is_side(height) || !is_side(width))
        return images_refuse(
            reading, "/images",
            "the images have %zu x %zu pixels: height and width must be multiples of %d up to %d, "
            "such as 28 x 28 or 32 x 32; scale or pad these to %zu x %zu",
            height, width, IMAGES_SIDE_STEP, IMAGES_MAX_SIDE, nearest_side(height),
            nearest_side(width));
    return true;
}

bool images_make(struct images_reading *reading, size_t n, size_t height, size_t width,
                 size_t channels) {
    struct images *images = &reading->images;
    if (!check_shape(reading, height, width, channels))
        return false;
    if (n < 2 || n > DN_MAX_POINTS)
        return images_refuse(reading, "/images", "there %s %zu image%s: there can be 2 to %d",
                             n == 1 ? "is" : "are", n, n == 1 ? "" : "s", DN_MAX_POINTS);
    images->n = n;
    images->height = (int)height;
    images->width = (int)width;
    images->channels = (int)channels;
    const size_t bytes = n * images_dim(images);
    if (bytes > reading->most)
        return images_refuse(reading, "/images",
                             "%zu images of %zu bytes take %zu bytes, but a data set can have %zu",
                             n, images_dim(images), bytes, reading->most);
    images->pixels = malloc(bytes);
    reading->no_memory |= !images->pixels;
    return images->pixels != NULL;
}

/* ------------------------------------------------------------------ IDX and NumPy */

static bool read_idx(struct images_reading *reading) {
    struct idx idx;
    if (!idx_open(&idx, reading->file, reading->length))
        return images_unreadable(reading, PROBLEM_INVALID_UPLOAD, "%s", idx.wrong);
    if (idx.rank < 3)
        return images_refuse(reading, "/images",
                             "an IDX file with %d %s has no images, but perhaps their labels: send "
                             "a form with the parts images and labels",
                             idx.rank, idx.rank == 1 ? "dimension" : "dimensions");
    if (idx.element.kind != 'u')
        return images_refuse(reading, "/images", "the elements of the IDX file must be bytes");
    if (!images_make(reading, idx.shape[0], idx.shape[1], idx.shape[2],
                     idx.rank == 4 ? idx.shape[3] : 1))
        return false;
    memcpy(reading->images.pixels, idx.elements, reading->images.n * images_dim(&reading->images));
    return true;
}

/* How an array with elements of another type becomes bytes, after array.astype('u1'). */
static const char *to_bytes(const char *descr) {
    const char kind = descr[0] && strchr("<>|=", descr[0]) ? descr[1] : descr[0];
    return kind == 'f'   ? ", or (255 * array).round().astype('u1') of numbers from 0 to 1"
           : kind == 'b' ? " * 255"
                         : "";
}

bool images_read_npy(struct images_reading *reading) {
    struct npy npy;
    struct npy_element element;
    if (!npy_open(&npy, reading->file, reading->length))
        return images_unreadable(reading, PROBLEM_INVALID_NPY, "%s", npy.wrong);
    if (!npy_find_element(npy.descr, &element) || element.kind != 'u' || element.size != 1)
        return images_refuse(reading, "/images",
                             "the elements of the array have the type '%s': images are bytes from "
                             "0 (black) to 255, array.astype('u1')%s",
                             npy.descr, to_bytes(npy.descr));
    if (npy.rank < 3 || npy.rank > 4)
        return images_refuse(reading, "/images",
                             "the array has %d dimension%s: images are (n, height, width), or (n, "
                             "height, width, channels)",
                             npy.rank, npy.rank == 1 ? "" : "s");
    if (!npy_is_whole(&npy, &element))
        return images_unreadable(reading, PROBLEM_INVALID_NPY,
                                 "the array does not have as many bytes as its shape says");
    if (npy.fortran_order)
        return images_refuse(reading, "/images",
                             "the array is in Fortran order: save numpy.ascontiguousarray(array)");
    if (npy.rank == 4 && npy.shape[1] <= 4 && npy.shape[3] > 4)
        return images_refuse(reading, "/images",
                             "the channels must be the last dimension: save array.transpose(0, 2, "
                             "3, 1)");
    if (!images_make(reading, npy.shape[0], npy.shape[1], npy.shape[2],
                     npy.rank == 4 ? npy.shape[3] : 1))
        return false;
    memcpy(reading->images.pixels, npy.end, npy.length);
    return true;
}

/* ------------------------------------------------------------------ the file */

static bool is_array(const char *file, size_t length) {
    struct npy npy;
    return npy_open(&npy, file, length) && npy.rank > 2;
}

static const struct {
    bool (*is)(const char *file, size_t length);
    bool (*read)(struct images_reading *reading);
} readers[] = {{idx_is, read_idx}, {is_array, images_read_npy}, {zip_is, images_read_zip}};
enum { READERS = sizeof readers / sizeof *readers };

bool images_are_in(const char *file, size_t length) {
    for (int i = 0; i < READERS; i++)
        if (readers[i].is(file, length))
            return true;
    return false;
}

bool images_read(struct images_reading *reading) {
    int i = 0;
    while (!readers[i].is(reading->file, reading->length))
        i++;
    bool read = readers[i].read(reading);
    if (read && reading->labels)
        read = images_read_labels(reading);
    if (!read)
        images_clear(&reading->images);
    return read;
}
