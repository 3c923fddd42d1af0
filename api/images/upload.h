/*
 * upload.h - images on their way from the file of a request to the store.
 */
#ifndef API_IMAGES_UPLOAD_H
#define API_IMAGES_UPLOAD_H

#include "api/images/images.h"
#include "api/upload/payload.h"
#include "server/http/http.h"
#include "server/store/datasets.h"

/* Reads the images of an opened payload, to be freed with images_clear. False: the error is
 * already the response. */
bool images_take(struct http_exchange *exchange, const struct payload *payload,
                 struct images *images);
/* Fills in what a row says about the images: everything but id, name, file, time and blob. Texts
 * are in the exchange's arena, arrays those of the images. False: the error is already the
 * response. */
bool images_describe(struct http_exchange *exchange, const struct images *images,
                     struct dataset *row);

#endif
