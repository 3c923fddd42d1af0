/* Images: the first byte says whether all is one file, or a file and its labels (how many bytes of
 * it are in the second byte), or a picture in PNG. */
#include <string.h>
#include <zlib.h>

#include "api/files/pixmap.h"
#include "api/files/zip.h"
#include "api/images/reading.h"
#include "tests/fuzz/fuzz.h"

enum { MOST = 1 << 20, HEAD = 2 };
enum { ONE_FILE, WITH_LABELS, PICTURE, MODES };

static void check(const struct images *images, size_t most) {
    struct buffer text = {0};
    const size_t bytes = images->n * images_dim(images);
    fuzz_check(images->n >= 2 && images->n <= DN_MAX_POINTS && bytes <= most);
    fuzz_check(images->height % IMAGES_SIDE_STEP == 0 && images->height <= IMAGES_MAX_SIDE);
    fuzz_check(images->width % IMAGES_SIDE_STEP == 0 && images->width <= IMAGES_MAX_SIDE);
    fuzz_check(images->channels == 1 || images->channels == 3);
    fuzz_check(!images->labels == (images->class_count == 0));
    for (size_t i = 0; images->labels && i < images->n; i++)
        fuzz_check(images->labels[i] >= 0 && images->labels[i] < images->class_count);
    images_write_statistics(images, &(struct json_writer){.out = &text});
    fuzz_check(!text.failed);
    buffer_clear(&text);
}

static void read_images(const char *file, size_t length, const char *labels, size_t count) {
    struct arena arena = {0};
    struct problem_fields wrong = {.arena = &arena};
    struct images_reading reading = {.file = file,
                                     .length = length,
                                     .labels = labels,
                                     .labels_length = count,
                                     .most = MOST,
                                     .wrong = &wrong};
    if (images_are_in(file, length) && images_read(&reading))
        check(&reading.images, MOST);
    else
        fuzz_check(!reading.images.pixels && !reading.images.labels);
    images_clear(&reading.images);
    arena_clear(&arena);
}

static void read_picture(const char *bytes, size_t size) {
    static struct pixmap pixmap;
    if (pixmap_read_png(&pixmap, (const unsigned char *)bytes, size))
        fuzz_check(pixmap.width > 0 && pixmap.width <= PIXMAP_MAX_SIDE && pixmap.height > 0 &&
                   pixmap.height <= PIXMAP_MAX_SIDE);
    else
        fuzz_check(pixmap.wrong[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size < HEAD)
        return 0;
    char *text = fuzz_text(bytes + HEAD, size - HEAD);
    const size_t left = size - HEAD, count = bytes[1] < left ? bytes[1] : left;
    char *labels = fuzz_text((const uint8_t *)text, count);
    if (bytes[0] % MODES == PICTURE)
        read_picture(text, left);
    else if (bytes[0] % MODES == WITH_LABELS)
        read_images(text + count, left - count, labels, count);
    else
        read_images(text, left, NULL, 0);
    free(labels);
    free(text);
    return 0;
}

/* ------------------------------------------------------------------ checksums */

static void put(uint8_t *at, uint32_t value, bool big_endian) {
    for (int i = 0; i < 4; i++)
        at[big_endian ? 3 - i : i] = (uint8_t)(value >> 8 * i);
}

/* Makes the checksums of the chunks of a picture right again. */
static void mend_picture(uint8_t *bytes, size_t size) {
    for (size_t at = 8; at + 12 <= size;) {
        const size_t length = (size_t)bytes[at] << 24 | (size_t)bytes[at + 1] << 16 |
                              (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        if (length > size - at - 12)
            return;
        put(bytes + at + 8 + length, (uint32_t)crc32(0, bytes + at + 4, (uInt)length + 4), true);
        at += 12 + length;
    }
}

/* The same for the files of an archive that are stored, which have to be pictures. */
static void mend_archive(uint8_t *bytes, size_t size) {
    struct zip zip;
    if (zip_open(&zip, (const char *)bytes, size))
        for (size_t i = 0; i < zip.count; i++) {
            const struct zip_entry *entry = &zip.entries[i];
            uint8_t *data = bytes + (entry->packed - bytes);
            uint8_t *record = bytes + (entry->name - (const char *)bytes) - 46;
            if (entry->is_deflated)
                continue;
            mend_picture(data, entry->size);
            put(record + 16, (uint32_t)crc32(0, data, (uInt)entry->size), false);
        }
    zip_close(&zip);
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned seed) {
    size = LLVMFuzzerMutate(bytes, size, most);
    if (size > HEAD && seed % 4 > 0 && bytes[0] % MODES == PICTURE)
        mend_picture(bytes + HEAD, size - HEAD);
    else if (size > HEAD && seed % 4 > 0)
        mend_archive(bytes + HEAD, size - HEAD);
    return size;
}
