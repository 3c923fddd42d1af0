/*
 * samples_given.h - the known coordinates in a request for samples: `given`, or `rows` and `draws`, of
 * which the rows may be a file.
 */
#ifndef API_SAMPLES_GIVEN_H
#define API_SAMPLES_GIVEN_H

#include "api/samples.h"
#include "api/sent_rows.h"

/* Reads them from the body, before the model and the names of its columns are known; sets n and
 * draws. */
void samples_given_read(const cJSON *body, struct sampling *sampling, struct problem_fields *wrong);

/* Takes them from a file, in which all that is missing is to be drawn; on the pool. False: no memory,
 * or the response is already the error. */
bool samples_given_take(struct http_exchange *exchange, const struct sent_rows *rows,
                        struct sampling *sampling, struct problem_fields *wrong);

/* Finds the columns of the model, checks the values, and sets request.given. row: the stored model,
 * which has the names of the columns. On the pool; false: as above. */
bool samples_given_fit(struct http_exchange *exchange, struct sampling *sampling,
                       const struct dn_model *model, const struct model *row,
                       struct problem_fields *wrong);

#endif
