/*
 * form.h - the form of a table's rows in the file of a model.
 */
#ifndef API_WEIGHTS_FORM_H
#define API_WEIGHTS_FORM_H

#include "api/table/form.h"
#include "engine/denoise.h"

/* The form of a model with this spec, checked, as the text that is stored; in the arena. NULL, and
 * what is wrong with it: "must ..". */
char *weights_form_read(const char *text, const struct dn_spec *spec, struct arena *arena,
                        char *error, size_t error_size);

#endif
