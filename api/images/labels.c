/* The labels of images, from a file of their own: a list of integers, each of which is a class. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/files/idx.h"
#include "api/files/npy.h"
#include "api/images/reading.h"
#include "server/threads/pool.h"

enum { BETWEEN_PAUSES = 1 << 16 };

struct integers {
    size_t n;
    const char *at;
    struct npy_element element;
    bool is_big_endian;
};

static bool open_idx(struct images_reading *reading, struct integers *labels) {
    struct idx idx;
    if (!idx_open(&idx, reading->labels, reading->labels_length))
        return images_unreadable(reading, PROBLEM_INVALID_UPLOAD, "the part labels: %s", idx.wrong);
    if (idx.rank != 1 || idx.element.kind == 'f')
        return images_refuse(reading, "/labels",
                             "the IDX file must be a list of integers, one label for each image");
    *labels = (struct integers){idx.shape[0], idx.elements, idx.element, true};
    return true;
}

static bool open_npy(struct images_reading *reading, struct integers *labels) {
    struct npy npy;
    struct npy_element element;
    if (!npy_open(&npy, reading->labels, reading->labels_length))
        return images_unreadable(reading, PROBLEM_INVALID_NPY, "the part labels: %s", npy.wrong);
    const bool is_list = npy.rank == 1 || (npy.rank == 2 && npy.shape[1] == 1); /* as in CIFAR-10 */
    const bool are_numbers = npy_find_element(npy.descr, &element);
    if (!is_list || !are_numbers || element.kind == 'f')
        return images_refuse(reading, "/labels",
                             "the array must be a list of integers, one label for each image, %s",
                             !is_list       ? "such as array.argmax(1) of one column for each class"
                             : !are_numbers ? "numpy.unique(array, return_inverse=True)[1]"
                                            : "array.astype('i8')");
    if (!npy_is_whole(&npy, &element))
        return images_unreadable(
            reading, PROBLEM_INVALID_NPY,
            "the part labels: the array does not have as many bytes as its shape says");
    *labels = (struct integers){npy.shape[0], npy.end, element, npy.descr[0] == '>'};
    return true;
}

static bool open_labels(struct images_reading *reading, struct integers *labels) {
    if (idx_is(reading->labels, reading->labels_length))
        return open_idx(reading, labels);
    if (npy_is(reading->labels, reading->labels_length))
        return open_npy(reading, labels);
    return images_unreadable(reading, PROBLEM_INVALID_UPLOAD,
                             "the part labels is neither an IDX file nor an .npy file");
}

/* The class of an integer, the text of which is its name. */
static int class_of(struct images *images, const struct integers *labels, uint64_t bits) {
    char name[LABEL_NAME_BYTES + 1];
    if (labels->element.kind == 'i')
        snprintf(name, sizeof name, "%" PRIi64, npy_signed(&labels->element, bits));
    else
        snprintf(name, sizeof name, "%" PRIu64, bits);
    return images_class(images, name);
}

/* Gives each image the class of its label. */
static bool take_labels(struct images_reading *reading, const struct integers *labels) {
    struct images *images = &reading->images;
    uint64_t last = 0;
    int class = -1; /* of the last label */
    for (size_t i = 0; i < images->n; i++) {
        const uint64_t bits = npy_bits(labels->at + i * labels->element.size, &labels->element,
                                       labels->is_big_endian);
        if (class < 0 || bits != last)
            class = class_of(images, labels, bits);
        if (class < 0)
            return images_refuse(reading, "/labels",
                                 "there are more than %d different labels, and each is a class",
                                 DN_MAX_CLASSES);
        last = bits;
        images->labels[i] = class;
        if (i % BETWEEN_PAUSES == 0)
            pool_pause();
    }
    images_sort_classes(images);
    return true;
}

bool images_read_labels(struct images_reading *reading) {
    struct images *images = &reading->images;
    struct integers labels = {0};
    if (images->labels)
        return images_refuse(reading, "/labels",
                             "the folders of the archive are the classes: send it without labels");
    if (!open_labels(reading, &labels))
        return false;
    if (labels.n == 0 || labels.n != images->n)
        return images_refuse(reading, "/labels", "there are %zu labels for %zu images", labels.n,
                             images->n);
    images->labels = malloc(images->n * sizeof *images->labels);
    reading->no_memory |= !images->labels;
    return images->labels && take_labels(reading, &labels);
}
