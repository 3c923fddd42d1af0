/*
 * models.h - getting at a stored model, for the handlers that use one.
 */
#ifndef API_MODELS_H
#define API_MODELS_H

#include "api/handlers.h"

/* A stored model and the engine's form of it. */
struct loaded_model {
    struct model row;
    struct dn_model *model;
};

/* Loads the model that the path names. False: the error is already the answer. */
bool load_model(struct http_exchange *exchange, struct loaded_model *loaded);
void loaded_model_clear(struct loaded_model *loaded);

/* The model as JSON. */
void model_write(const struct model *row, const struct dn_model *model, struct json_writer *json);

#endif
