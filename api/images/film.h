/*
 * film.h - samples of a model of images as pictures. Values are those of bytes: they are rounded, and
 * what is outside 0..255 is cut off.
 */
#ifndef API_IMAGES_FILM_H
#define API_IMAGES_FILM_H

#include "api/format/formats.h"

/* PNG: the images side by side; with labels, each class begins a row. */
void film_samples(struct buffer *out, const struct picture *picture);

/* PNG of a trajectory: a row for each image, with its frames of x or of x0. */
void film_strips(struct buffer *out, const struct picture *picture);

/* GIF of a trajectory: x on the left, the estimates of x0 on the right, each as in film_samples. */
void film_animation(struct buffer *out, const struct picture *picture);

/* Does what the format shows of this layout fit into a picture? False: 422 is already the response. */
bool film_fits(struct http_exchange *exchange, const struct format *format,
               const struct layout *layout, const struct look *look);

/* The maximum memory for making it, with the file. */
size_t film_bytes(const struct format *format, const struct layout *layout,
                  const struct look *look);

#endif
