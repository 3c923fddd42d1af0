/*
 * uploads.h - what making a data set and changing its columns have in common.
 */
#ifndef API_UPLOAD_UPLOADS_H
#define API_UPLOAD_UPLOADS_H

#include "api/datasets.h"
#include "api/upload/points.h"

/* Fills in what a row says about its table: everything but id, name, file, time and cells. Texts are
 * in the exchange's arena, arrays those of the points. False: the error is already the response. */
bool upload_describe(struct http_exchange *exchange, const struct reading *reading,
                     struct points *points, struct dataset *row);

#endif
