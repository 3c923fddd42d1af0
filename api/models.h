/*
 * models.h - loads stored models, for the handlers that use one.
 */
#ifndef API_MODELS_H
#define API_MODELS_H

#include "api/contract/handlers.h"

/* A stored model, and its loaded form, which requests share. */
struct loaded_model {
    struct model row; /* without bytes */
    const struct dn_model *model;
    struct model_cache *cache; /* NULL: nothing is loaded */
    struct cached_model *entry;
};

/* Loads the model that the path names, at this epoch; 0: the current one. Runs on the pool, because
 * loading a large model takes long, even if another request is loading it. False: the error is
 * already the response. */
bool load_model(struct http_exchange *exchange, int epoch, struct loaded_model *loaded);
void loaded_model_clear(struct loaded_model *loaded); /* may be called again */

/* Loads or draws what a model was trained and validated on; free it with dn_data_clear. False: the
 * error is already the response; or, unless `gone` is NULL, *gone is true: the data set was
 * deleted, or is not the same any more. */
bool load_training_data(struct http_exchange *exchange, const struct model *row,
                        struct dn_data *data, bool *gone);

/* Reads the row of the model that the path names at this epoch, with bytes or without; the caller
 * clears it. False: the response is the error. */
bool read_model(struct http_exchange *exchange, int epoch, bool with_bytes, struct model *row);
/* Answers with the current description of a model, or with the problem of why there is none. */
void model_reply(struct http_exchange *exchange, struct store_session *session, const char *id);
/* Answers with the problem of the status of a look-up of this model, which is not STORE_OK. */
void model_problem(struct http_exchange *exchange, struct store_session *session, const char *id,
                   enum store_status status);
/* Lists the epochs of a model's checkpoints, and finds its real id, because `id` may be
 * "latest". */
struct model_checkpoints {
    char model[ID_LENGTH + 1];
    struct snapshot items[STORE_MAX_SNAPSHOTS + 1];
    int count;
};
enum store_status model_checkpoints(struct store_session *session, const char *id,
                                    struct model_checkpoints *found);

/* The row of requests that can select an earlier checkpoint; `at` is the offset of an int. */
#define EPOCH_ROW(at)                                                                              \
    {                                                                                              \
        "", "epoch", FIELD_INTEGER, (at), 1, DN_MAX_EPOCHS, 0, NULL,                               \
            "Use the model's checkpoint of this epoch. Default: the current model."                \
    }

/* The names of the classes as a list of `count` names and a NULL, in the arena. If the description
 * has no names, or a different number of them, the names are the class indices. NULL: no memory,
 * and the arena has failed. */
const char *const *model_class_names(const struct model *row, int count, struct arena *arena);
/* The same for the names of the coordinates. */
const char *const *model_column_names(const struct model *row, struct arena *arena);

#endif
