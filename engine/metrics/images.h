/*
 * images.h - what the files about images share: their sizes, and the memory of dn_images_nearest.
 */
#ifndef ENGINE_METRICS_IMAGES_H
#define ENGINE_METRICS_IMAGES_H

#include "engine/denoise.h"

/* Values of an image. */
static inline size_t images_values(const struct dn_images *images) {
    return (size_t)images->height * (size_t)images->width * (size_t)images->channels;
}

static inline bool images_same_size(const struct dn_images *a, const struct dn_images *b) {
    return a->height == b->height && a->width == b->width && a->channels == b->channels;
}

/* The memory that dn_images_nearest allocates for n images of so many values. */
size_t images_nearest_bytes(size_t n, size_t values);

#endif
