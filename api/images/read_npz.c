/* Images from arrays of NumPy in one file, as numpy.savez writes it. */
#include <stdlib.h>
#include <string.h>

#include "api/images/reading.h"
#include "server/threads/pool.h"

enum { HEADER = 1 << 16 /* bytes of an .npy file before its elements, at most */ };

/* What the images and their labels are called; the second is how the data sets of Keras do it. */
struct names {
    const char *images, *labels;
};
static const struct names all_names[] = {{"images", "labels"}, {"x_train", "y_train"}};
enum { NAMES = sizeof all_names / sizeof *all_names };

static const char ending[] = ".npy";
enum { ENDING = sizeof ending - 1 };

bool images_are_npz(const struct zip *zip) {
    for (size_t i = 0; i < zip->count; i++) {
        const struct zip_entry *file = &zip->entries[i];
        if (file->name_length < ENDING ||
            memcmp(file->name + file->name_length - ENDING, ending, ENDING) != 0)
            return false;
    }
    return zip->count > 0;
}

static bool is_called(const struct zip_entry *file, const char *name) {
    const size_t length = strlen(name);
    return file->name_length == length + ENDING && memcmp(file->name, name, length) == 0;
}

/* The array with this name; NULL: there is none. *is_repeated: there are several. */
static const struct zip_entry *find(const struct zip *zip, const char *name, bool *is_repeated) {
    const struct zip_entry *found = NULL;
    for (size_t i = 0; i < zip->count; i++)
        if (is_called(&zip->entries[i], name)) {
            *is_repeated |= found != NULL;
            found = &zip->entries[i];
        }
    return found;
}

/* Says what the archive has instead of images. */
static bool refuse_names(struct images_reading *reading, const struct zip *zip) {
    const struct zip_entry *first = &zip->entries[0];
    const size_t length = first->name_length - ENDING;
    return images_refuse(reading, "/images",
                         "there is \"%.*s\" in the file%s, but neither images nor x_train: save "
                         "numpy.savez(file, images=.., labels=..)",
                         (int)(length < 60 ? length : 60), first->name,
                         zip->count > 1 ? " and more" : "");
}

/* Unpacks an array of at most `most` bytes, to be freed. NULL: the outcome says why not. */
static char *unpack(struct images_reading *reading, const struct zip_entry *file, size_t most,
                    const char *pointer) {
    if (file->size > most) {
        images_refuse(reading, pointer, "the array takes %zu bytes, and may take %zu", file->size,
                      most);
        return NULL;
    }
    char *bytes = malloc(file->size + 1);
    pool_begin_alone(); /* it may take some tenths of a second */
    const enum zip_outcome outcome = bytes ? zip_read(file, (unsigned char *)bytes) : ZIP_NO_MEMORY;
    pool_end_alone();
    if (outcome == ZIP_READ)
        return bytes;
    free(bytes);
    reading->no_memory |= outcome == ZIP_NO_MEMORY;
    if (outcome == ZIP_DAMAGED)
        images_unreadable(reading, PROBLEM_INVALID_UPLOAD,
                          "the archive cannot be read: the array for %s is damaged", pointer + 1);
    return NULL;
}

static bool read_pixels(struct images_reading *reading, const struct zip_entry *file) {
    const char *archive = reading->file;
    const size_t length = reading->length;
    char *bytes = unpack(reading, file, reading->most + HEADER, "/images");
    reading->file = bytes;
    reading->length = file->size;
    const bool read = bytes && images_read_npy(reading);
    reading->file = archive;
    reading->length = length;
    free(bytes);
    return read;
}

static bool read_labels(struct images_reading *reading, const struct zip_entry *file) {
    char *bytes = unpack(reading, file, IMAGES_MOST_LABELS, "/labels");
    reading->labels = bytes;
    reading->labels_length = file->size;
    const bool read = bytes && images_read_labels(reading);
    reading->labels = NULL;
    free(bytes);
    return read;
}

bool images_read_npz(struct images_reading *reading, const struct zip *zip) {
    bool is_repeated = false;
    for (int k = 0; k < NAMES; k++) {
        const struct zip_entry *images = find(zip, all_names[k].images, &is_repeated);
        const struct zip_entry *labels = find(zip, all_names[k].labels, &is_repeated);
        if (is_repeated)
            return images_refuse(reading, "/images", "the file has two arrays with one name");
        if (!images)
            continue;
        if (labels && reading->labels)
            return images_refuse(reading, "/labels",
                                 "the file has \"%s\" beside \"%s\": send it without other labels",
                                 all_names[k].labels, all_names[k].images);
        return read_pixels(reading, images) && (!labels || read_labels(reading, labels));
    }
    return refuse_names(reading, zip);
}
