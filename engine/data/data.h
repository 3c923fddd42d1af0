/*
 * data.h - making and checking a dn_data.
 */
#ifndef ENGINE_DATA_DATA_H
#define ENGINE_DATA_DATA_H

#include "engine/denoise.h"

/* DN_INVALID, with the reason, unless the data is usable and matches the spec. */
enum dn_status data_check(const struct dn_data *data, const struct dn_spec *spec,
                          struct dn_error *error);

/* The total number of training and validation points of all sources of a spec. */
void data_count(const struct dn_spec *spec, size_t *n, size_t *n_val);

/* Points and labels, to be filled in; without classes there are no labels. Frees the result with
 * dn_data_clear. */
enum dn_status data_new(struct dn_data *data, int dim, size_t n, size_t n_val, int classes,
                        struct dn_error *error);
/* What a dn_data has. */
enum data_form { DATA_POINTS, DATA_VALUES, DATA_PIXELS };
/* Bytes of a dn_data with n + n_val = all points. */
size_t data_bytes(int dim, size_t all, int classes, enum data_form form);

/* Bytes that dn_data_draw allocates besides, for a while. */
size_t data_deal_bytes(const struct dn_spec *spec);

#endif
