/*
 * data.h - the trainer's requirements on its data.
 */
#ifndef ENGINE_DATA_DATA_H
#define ENGINE_DATA_DATA_H

#include "engine/denoise.h"

/* DN_INVALID, with the reason, unless the data is usable and matches the spec. */
enum dn_status data_check(const struct dn_data *data, const struct dn_spec *spec,
                          struct dn_error *error);

/* The total number of training and validation points of all sources of a spec. */
void data_count(const struct dn_spec *spec, size_t *n, size_t *n_val);

/* Bytes of the points and labels that dn_data_draw allocates, and of what it needs besides. */
size_t data_bytes(const struct dn_spec *spec);
size_t data_deal_bytes(const struct dn_spec *spec);

#endif
