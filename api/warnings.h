/*
 * warnings.h - what is allowed, but probably not what its author wants.
 */
#ifndef API_WARNINGS_H
#define API_WARNINGS_H

#include "api/json.h"
#include "engine/denoise.h"

enum { WARNING_TEXT = 512 };

/* Whether a schedule ends far from the noise that sampling starts from; if so, writes what follows
 * from that. False also when out of memory. */
bool warn_of_schedule(const struct dn_diffusion_spec *spec, char text[WARNING_TEXT]);

/* All warnings about a checked spec: [{"code", "detail"}, ..] */
void warnings_write(const struct dn_spec *spec, struct json_writer *json);

#endif
