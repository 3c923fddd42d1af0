/*
 * images.h - images of one size as bytes, with their classes.
 */
#ifndef API_IMAGES_IMAGES_H
#define API_IMAGES_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/contract/json.h"
#include "api/upload/label.h"
#include "engine/denoise.h"

enum {
    IMAGES_SIDE_STEP = 4, /* heights and widths are multiples of this, */
    IMAGES_MAX_SIDE = 64, /* up to this */
    IMAGES_MAX_CHANNELS = 3,
    IMAGES_MAX_VALUES = IMAGES_MAX_SIDE * IMAGES_MAX_SIDE * IMAGES_MAX_CHANNELS,
};

struct images {
    size_t n;
    int height, width, channels; /* 1 channel: gray, 3: red, green, blue */
    uint8_t *pixels;             /* [n][height][width][channels] */
    int32_t *labels;             /* [n], indices of classes; NULL if there are none */
    int class_count;
    char classes[DN_MAX_CLASSES][LABEL_NAME_BYTES + 1];
};
void images_clear(struct images *images); /* frees the arrays */

/* Values of an image. */
size_t images_dim(const struct images *images);

/* The index of a class, which is added if it is new. -1: there are DN_MAX_CLASSES others. */
int images_class(struct images *images, const char *name);
/* Numbers the classes by their names, as numbers if all are, and changes the labels with them. */
void images_sort_classes(struct images *images);

/* [height, width, channels], or null for points, which have none. */
void images_write_shape(int height, int width, int channels, struct json_writer *json);
/* The statistics of a data set, as JSON: smallest and largest value, mean and standard deviation
 * of each channel; images that are equal to an earlier one; images of each class. */
void images_write_statistics(const struct images *images, struct json_writer *json);

#endif
