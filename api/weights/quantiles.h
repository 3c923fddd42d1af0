/*
 * quantiles.h - the maps of a model's columns in the metadata of a safetensors file.
 */
#ifndef API_WEIGHTS_QUANTILES_H
#define API_WEIGHTS_QUANTILES_H

#include "api/contract/json.h"
#include "engine/denoise.h"

/* Writes a list with the map of each column, exactly: each number reads back as the same double. */
void quantiles_write(const struct dn_model *model, struct json_writer *json);

/* Reads it into out [dim]; the numbers are in the arena. False, and what is wrong. dn_model_build
 * checks the order of the numbers. */
bool quantiles_read(const char *text, int dim, struct dn_quantile *out, struct arena *arena,
                    char *error, size_t error_size);

#endif
