#include "api/files/pixmap.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RGBA = 4, HEADER = 24 /* bytes up to the height */, MOST_CHUNK = 1 << 16 };

/* A file while it is read. */
struct source {
    const unsigned char *at;
    size_t left;
    struct pixmap *pixmap;
    png_bytep rows[PIXMAP_MAX_SIDE];
    unsigned char pixels[PIXMAP_MAX_SIDE * PIXMAP_MAX_SIDE * RGBA];
};

static void take(png_structp png, png_bytep out, size_t count) {
    struct source *source = png_get_io_ptr(png);
    if (count > source->left)
        png_error(png, "it ends too early");
    memcpy(out, source->at, count);
    source->at += count;
    source->left -= count;
}

static void fail(png_structp png, png_const_charp why) {
    struct source *source = png_get_error_ptr(png);
    snprintf(source->pixmap->wrong, sizeof source->pixmap->wrong, "%s", why);
    png_longjmp(png, 1);
}

static void go_on(png_structp png, png_const_charp why) {
    (void)png, (void)why;
}

static png_voidp allocate(png_structp png, png_alloc_size_t size) {
    struct pixmap *pixmap = png_get_mem_ptr(png);
    void *memory = malloc(size);
    pixmap->no_memory |= !memory;
    return memory;
}

static void release(png_structp png, png_voidp memory) {
    (void)png;
    free(memory);
}

static int side_at(const unsigned char *at) {
    const uint32_t side =
        (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    return side > INT32_MAX ? INT32_MAX : (int)side;
}

/* Decodes to red, green, blue and alpha. libpng leaves it by longjmp when something is wrong, so
 * nothing here needs to be freed. */
static void decode(png_structp png, png_infop info, struct source *source) {
    png_set_user_limits(png, PIXMAP_MAX_SIDE, PIXMAP_MAX_SIDE);
    png_set_chunk_malloc_max(png, MOST_CHUNK);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1); /* but for tRNS */
    png_set_read_fn(png, source, take);
    png_read_info(png, info);
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 255, PNG_FILLER_AFTER);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    const size_t row = RGBA * (size_t)source->pixmap->width;
    if (png_get_rowbytes(png, info) != row)
        png_error(png, "its rows have another length than its header says");
    for (int y = 0; y < source->pixmap->height; y++)
        source->rows[y] = source->pixels + (size_t)y * row;
    png_read_image(png, source->rows);
    png_read_end(png, NULL);
    if (source->left > 0)
        png_error(png, "something follows its end");
}

/* On black, what is transparent is darker. */
static void compose(const struct source *source, struct pixmap *pixmap) {
    const int count = pixmap->width * pixmap->height;
    pixmap->is_gray = true;
    for (int i = 0; i < count; i++) {
        const unsigned char *from = source->pixels + (size_t)RGBA * (size_t)i;
        uint8_t *to = pixmap->rgb + 3 * (size_t)i;
        for (int c = 0; c < 3; c++)
            to[c] = (uint8_t)((from[c] * from[3] + 127) / 255);
        pixmap->is_gray &= to[0] == to[1] && to[1] == to[2];
    }
}

bool pixmap_read_png(struct pixmap *pixmap, const unsigned char *bytes, size_t length) {
    struct source source = {.at = bytes, .left = length, .pixmap = pixmap};
    pixmap->width = pixmap->height = 0;
    pixmap->no_memory = false;
    snprintf(pixmap->wrong, sizeof pixmap->wrong, "it is not a PNG file");
    if (length < HEADER || png_sig_cmp(bytes, 0, 8) != 0)
        return false;
    pixmap->width = side_at(bytes + 16);
    pixmap->height = side_at(bytes + 20);
    snprintf(pixmap->wrong, sizeof pixmap->wrong, "it is too large");
    if (pixmap->width > PIXMAP_MAX_SIDE || pixmap->height > PIXMAP_MAX_SIDE)
        return false;
    png_structp png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &source, fail, go_on, pixmap,
                                               allocate, release);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    const bool is_read = info && setjmp(png_jmpbuf(png)) == 0 && (decode(png, info, &source), true);
    png_destroy_read_struct(&png, &info, NULL);
    if (is_read)
        compose(&source, pixmap);
    return is_read;
}
