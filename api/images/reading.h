/*
 * reading.h - images from an uploaded file: IDX as MNIST has it, or an array of NumPy, and labels
 * from a second file of the two; several such arrays in one file; or a zip archive of PNG files, whose
 * folders are the classes.
 */
#ifndef API_IMAGES_READING_H
#define API_IMAGES_READING_H

#include "api/contract/problem.h"
#include "api/files/zip.h"
#include "api/images/images.h"

enum { IMAGES_MOST_LABELS = 9 << 20 /* bytes of labels, of which each takes up to 8 */ };

struct images_reading {
    /* the request */
    const char *file;
    size_t length;
    const char *labels; /* [labels_length] the file with them; NULL: there is none */
    size_t labels_length;
    size_t most;                  /* bytes that all pixels may have */
    struct problem_fields *wrong; /* what cannot be used, for 422 */
    /* the outcome */
    struct images images;   /* to be freed with images_clear */
    enum problem_code code; /* of what is unreadable; PROBLEM_NONE: nothing is */
    const char *unreadable; /* why, in the arena of the errors */
    bool no_memory;
};

/* Is it a file with images, by its first bytes? An array is one if it has more dimensions than
 * points have. */
bool images_are_in(const char *file, size_t length);

/* Reads the file and the labels. False: the outcome says why not. */
bool images_read(struct images_reading *reading);

/* ------------------------------------------------------------------ for readers */

/* Makes room for n images of this shape, uninitialized. False, with an error, if there cannot be
 * such images. */
bool images_make(struct images_reading *reading, size_t n, size_t height, size_t width,
                 size_t channels);
/* Ends the reading: a file is not of its format. Returns false. */
bool images_unreadable(struct images_reading *reading, enum problem_code code, const char *format,
                       ...) __attribute__((format(printf, 3, 4)));
/* Adds an error about the file or the labels. Returns false. */
bool images_refuse(struct images_reading *reading, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The readers. */
bool images_read_npy(struct images_reading *reading);
bool images_read_zip(struct images_reading *reading);    /* with labels */
bool images_read_labels(struct images_reading *reading); /* from a second file */
/* Are all files of the archive arrays? Then its images are the one called images, or else x_train,
 * and the labels, if they are there, labels or y_train. */
bool images_are_npz(const struct zip *zip);
bool images_read_npz(struct images_reading *reading, const struct zip *zip);

#endif
