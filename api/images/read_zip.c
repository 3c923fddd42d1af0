/* Images from a zip archive: of arrays, or of PNG files. The folder of a picture is its class, if there
 * are several folders. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/contract/names.h"
#include "api/files/pixmap.h"
#include "api/files/zip.h"
#include "api/images/reading.h"
#include "server/base/utf8.h"
#include "server/threads/pool.h"

enum {
    MOST_FILE = 1 << 18,  /* bytes of a PNG file: 64 x 64 pixels of 16 bits need 1 << 15, */
    ROOM_FOR_TEXT = 1024, /* of which this much on average may be other than pixels */
    MOST_SHOWN = 80,      /* of a name */
};

/* The archive while its pictures are read. */
struct gallery {
    struct images_reading *reading;
    struct zip zip;
    struct zip_entry *files; /* [count] those of its entries that are pictures, by their names */
    size_t count;
    unsigned char bytes[MOST_FILE]; /* of the current file */
    struct pixmap pixmap;
};

static int shown(const struct zip_entry *file) {
    return file->name_length < MOST_SHOWN ? (int)file->name_length : MOST_SHOWN;
}

/* Refuses a file, with its name. */
static bool refuse(struct gallery *gallery, const struct zip_entry *file, const char *why) {
    return images_refuse(gallery->reading, "/images", "%.*s: %s", shown(file), file->name, why);
}

/* ------------------------------------------------------------------ names */

/* The last part of a name, [*length]. */
static const char *base_name(const struct zip_entry *file, size_t *length) {
    const char *slash = memrchr(file->name, '/', file->name_length);
    const char *base = slash ? slash + 1 : file->name;
    *length = (size_t)(file->name + file->name_length - base);
    return base;
}

/* The folder that a file is in, [*length]; 0: none. */
static const char *folder_name(const struct zip_entry *file, size_t *length) {
    const char *end = memrchr(file->name, '/', file->name_length);
    *length = 0;
    if (!end)
        return file->name;
    const char *slash = memrchr(file->name, '/', (size_t)(end - file->name));
    const char *from = slash ? slash + 1 : file->name;
    *length = (size_t)(end - from);
    return from;
}

static bool is_named(const struct zip_entry *file, const char *name) {
    size_t length;
    const char *base = base_name(file, &length);
    return length == strlen(name) && memcmp(base, name, length) == 0;
}

/* Folders, and what systems leave in them. */
static bool is_ignored(const struct zip_entry *file) {
    size_t length;
    const char *base = base_name(file, &length);
    return length == 0 || base[0] == '.' || is_named(file, "Thumbs.db") ||
           is_named(file, "desktop.ini") || memmem(file->name, file->name_length, "__MACOSX/", 9);
}

static bool ends_with(const struct zip_entry *file, const char *ending) {
    const size_t length = strlen(ending);
    return file->name_length > length &&
           strncasecmp(file->name + file->name_length - length, ending, length) == 0;
}

/* Why a file that is no PNG cannot be used. */
static const char *advice(const struct zip_entry *file) {
    static const char to_png[] = "convert it to PNG";
    static const struct {
        const char *ending, *text;
    } others[] = {
        {".jpg", to_png},  {".jpeg", to_png},
        {".gif", to_png},  {".bmp", to_png},
        {".webp", to_png}, {".npy", "an archive has arrays or pictures, not both"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (ends_with(file, others[i].ending))
            return others[i].text;
    return "an archive can have PNG files, in a folder for each class";
}

static int by_name(const void *a, const void *b) {
    const struct zip_entry *x = a, *y = b;
    const size_t shorter = x->name_length < y->name_length ? x->name_length : y->name_length;
    const int order = memcmp(x->name, y->name, shorter);
    return order ? order : x->name_length < y->name_length ? -1 : x->name_length > y->name_length;
}

static bool is_workbook(const struct zip *zip) {
    for (size_t i = 0; i < zip->count; i++)
        if (zip->entries[i].name_length > 3 && memcmp(zip->entries[i].name, "xl/", 3) == 0)
            return true;
    return false;
}

/* Keeps the pictures of the archive, in the order of their names. */
static bool choose_files(struct gallery *gallery) {
    struct zip *zip = &gallery->zip;
    size_t bytes = 0;
    if (is_workbook(zip))
        return images_refuse(gallery->reading, "/images",
                             "the file is an .xlsx workbook: save the table as CSV");
    for (size_t i = 0; i < zip->count; i++) {
        const struct zip_entry *file = &zip->entries[i];
        if (is_ignored(file))
            continue;
        if (!ends_with(file, ".png"))
            return refuse(gallery, file, advice(file));
        if (file->size > MOST_FILE)
            return refuse(gallery, file, "it is too large for a picture of at most 64 x 64 pixels");
        zip->entries[gallery->count++] = *file;
        bytes += file->size;
    }
    /* Texts in PNG files pack to next to nothing, and take their time. */
    if (bytes > 2 * gallery->reading->most + gallery->count * ROOM_FOR_TEXT)
        return images_refuse(gallery->reading, "/images",
                             "the files of the archive have %zu bytes together, which is more than "
                             "images of at most %zu bytes need",
                             bytes, gallery->reading->most);
    gallery->files = zip->entries;
    qsort(gallery->files, gallery->count, sizeof *gallery->files, by_name);
    for (size_t i = 1; i < gallery->count; i++)
        if (by_name(&gallery->files[i - 1], &gallery->files[i]) == 0)
            return refuse(gallery, &gallery->files[i], "the archive has it twice");
    return gallery->count > 0 ||
           images_refuse(gallery->reading, "/images", "the archive has no PNG files");
}

/* ------------------------------------------------------------------ classes */

static bool same_folder(const struct zip_entry *a, const struct zip_entry *b) {
    size_t one, other;
    const char *x = folder_name(a, &one), *y = folder_name(b, &other);
    return one == other && memcmp(x, y, one) == 0;
}

/* The class of a file that is in a folder. -1, with an error: it can be none. */
static int class_of(struct gallery *gallery, const struct zip_entry *file) {
    char name[LABEL_NAME_BYTES + 1];
    size_t length;
    const char *folder = folder_name(file, &length);
    if (length == 0 || length > LABEL_NAME_BYTES) {
        refuse(gallery, file,
               length == 0 ? "it is in no folder, but others are: each folder is a class"
                           : "the name of its folder, which is a class, is longer than 64 bytes");
        return -1;
    }
    memcpy(name, folder, length);
    name[length] = '\0';
    const char *wrong = utf8_is_valid(name, length) ? name_wrong(name, length) : "must be UTF-8";
    const int class = wrong ? -1 : images_class(&gallery->reading->images, name);
    if (wrong)
        images_refuse(gallery->reading, "/images", "the name of a folder, which is a class, %s",
                      wrong);
    else if (class < 0)
        images_refuse(gallery->reading, "/images",
                      "there are more than %d folders, and each is a class", DN_MAX_CLASSES);
    return class;
}

/* Gives each picture the class of its folder, unless all are in the same one. */
static bool take_classes(struct gallery *gallery) {
    struct images *images = &gallery->reading->images;
    bool has_several = false;
    for (size_t i = 1; i < gallery->count; i++)
        has_several |= !same_folder(&gallery->files[0], &gallery->files[i]);
    if (!has_several)
        return true;
    images->labels = malloc(images->n * sizeof *images->labels);
    gallery->reading->no_memory |= !images->labels;
    for (size_t i = 0; images->labels && i < images->n; i++) {
        const bool is_next = i > 0 && same_folder(&gallery->files[i - 1], &gallery->files[i]);
        images->labels[i] = is_next ? images->labels[i - 1] : class_of(gallery, &gallery->files[i]);
        if (images->labels[i] < 0)
            return false;
    }
    if (images->labels)
        images_sort_classes(images);
    return images->labels != NULL;
}

/* ------------------------------------------------------------------ pixels */

/* The first picture in color makes room for that in those before it. */
static bool become_colored(struct images_reading *reading, size_t done) {
    const struct images gray = reading->images;
    const size_t pixels = (size_t)gray.height * (size_t)gray.width;
    if (!images_make(reading, gray.n, (size_t)gray.height, (size_t)gray.width, 3)) {
        reading->images.pixels = gray.pixels; /* to be freed */
        return false;
    }
    for (size_t i = 0; i < done * pixels; i++)
        memset(reading->images.pixels + 3 * i, gray.pixels[i], 3);
    free(gray.pixels);
    return true;
}

/* Copies the current picture to its place. */
static bool put(struct gallery *gallery, size_t place) {
    struct images *images = &gallery->reading->images;
    const struct pixmap *pixmap = &gallery->pixmap;
    if (images->channels == 1 && !pixmap->is_gray && !become_colored(gallery->reading, place))
        return false;
    const size_t channels = (size_t)images->channels, dim = images_dim(images);
    uint8_t *to = images->pixels + place * dim;
    for (size_t i = 0; i < dim; i++)
        to[i] = pixmap->rgb[channels == 3 ? i : 3 * i];
    return true;
}

static bool is_too_large(const struct pixmap *pixmap) {
    return pixmap->width > PIXMAP_MAX_SIDE || pixmap->height > PIXMAP_MAX_SIDE;
}

/* Reads a file to the current picture. False, with an error: it is damaged, or not PNG. */
static bool open_picture(struct gallery *gallery, const struct zip_entry *file) {
    struct pixmap *pixmap = &gallery->pixmap;
    const enum zip_outcome outcome = zip_read(file, gallery->bytes);
    if (outcome == ZIP_DAMAGED)
        return images_unreadable(gallery->reading, PROBLEM_INVALID_UPLOAD,
                                 "the zip archive cannot be read: %.*s is damaged", shown(file),
                                 file->name);
    const bool is_read = outcome == ZIP_READ && pixmap_read_png(pixmap, gallery->bytes, file->size);
    if (outcome == ZIP_NO_MEMORY || (!is_read && pixmap->no_memory)) {
        gallery->reading->no_memory = true;
        return false;
    }
    return is_read || is_too_large(pixmap) || refuse(gallery, file, pixmap->wrong);
}

/* The first picture tells the size of all. False, with an error: it cannot be, or is another one. */
static bool check_size(struct gallery *gallery, size_t place) {
    const struct zip_entry *first = &gallery->files[0], *file = &gallery->files[place];
    const struct images *images = &gallery->reading->images;
    const struct pixmap *pixmap = &gallery->pixmap;
    if (place == 0)
        return images_make(gallery->reading, gallery->count, (size_t)pixmap->height,
                           (size_t)pixmap->width, 1);
    if (pixmap->height == images->height && pixmap->width == images->width)
        return true;
    return images_refuse(gallery->reading, "/images",
                         "%.*s has %d x %d pixels, but %.*s has %d x %d: all images must have one "
                         "size",
                         shown(file), file->name, pixmap->height, pixmap->width, shown(first),
                         first->name, images->height, images->width);
}

static bool read_all(struct gallery *gallery) {
    if (!choose_files(gallery))
        return false;
    for (size_t i = 0; i < gallery->count; i++) {
        if (!open_picture(gallery, &gallery->files[i]) || !check_size(gallery, i) ||
            !put(gallery, i))
            return false;
        pool_pause();
    }
    return take_classes(gallery);
}

bool images_read_zip(struct images_reading *reading) {
    struct gallery *gallery = malloc(sizeof *gallery);
    if (!gallery) {
        reading->no_memory = true;
        return false;
    }
    gallery->reading = reading;
    gallery->count = 0;
    bool read = zip_open(&gallery->zip, reading->file, reading->length);
    if (read)
        read = images_are_npz(&gallery->zip) ? images_read_npz(reading, &gallery->zip)
                                             : read_all(gallery);
    else if (gallery->zip.wrong)
        images_unreadable(reading, PROBLEM_INVALID_UPLOAD, "the zip archive cannot be read: %s",
                          gallery->zip.wrong);
    else
        reading->no_memory = true;
    zip_close(&gallery->zip);
    free(gallery);
    return read;
}
