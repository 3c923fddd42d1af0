/*
 * data.h - what the trainer asks of its data.
 */
#ifndef ENGINE_DATA_H
#define ENGINE_DATA_H

#include "engine/denoise.h"

/* DN_INVALID, with the reason, unless the data is usable and is what the spec asks for. */
enum dn_status data_check(const struct dn_data *data, const struct dn_spec *spec,
                          struct dn_error *error);

#endif
