/*
 * samples_images.h - requests for samples of a model of images: what they leave open, and which
 * formats take how many.
 */
#ifndef API_SAMPLES_IMAGES_H
#define API_SAMPLES_IMAGES_H

#include "api/samples.h"

bool samples_are_images(const struct dn_model *model);

/* Fills in n and the labels, when all else is known, and the names of the values, and checks them: adds
 * errors to `wrong`. */
void samples_images_fit(struct sampling *sampling, const struct dn_model *model,
                        struct problem_fields *wrong);

/* Is it one of the formats of images? False: 406 is already the response. */
bool samples_images_accept(struct http_exchange *exchange, const struct sampling *sampling);

#endif
