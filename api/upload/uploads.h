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

/* Stores what is too large for the transaction of the row, in pieces before it: row->blob and
 * row->cells_blob name it. Not on the writer. False: the error is already the response. Until a row
 * is stored, upload_abandon is due. */
bool upload_send(struct http_exchange *exchange, struct dataset *row);
void upload_abandon(struct http_exchange *exchange, const struct dataset *row);

#endif
