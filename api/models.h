/*
 * models.h - getting at a stored model, for the handlers that use one.
 */
#ifndef API_MODELS_H
#define API_MODELS_H

#include "api/contract/handlers.h"

/* A stored model and the engine's form of it, which requests share. */
struct loaded_model {
    struct model row; /* without bytes */
    const struct dn_model *model;
    struct model_cache *cache; /* NULL: nothing is loaded */
    struct cached_model *entry;
};

/* Loads the model that the path names, as it was at this epoch; 0: as it is. On the pool, because a
 * large one takes long, and so may waiting for another request that loads it. False: the error is
 * already the answer. */
bool load_model(struct http_exchange *exchange, int epoch, struct loaded_model *loaded);
void loaded_model_clear(struct loaded_model *loaded); /* may be called again */

/* Answers 404: no model has this id, not yet or not any more. */
void answer_no_model(struct http_exchange *exchange, struct store_session *session, const char *id);
/* Answers 422: the model is there, but not as it was at this epoch. */
void answer_no_snapshot(struct http_exchange *exchange, struct store_session *session,
                        const char *id, int epoch);

/* The row of requests that can ask for an earlier checkpoint; `at` is the offset of an int. */
#define EPOCH_ROW(at)                                                                              \
    {                                                                                              \
        "", "epoch", FIELD_INTEGER, (at), 1, DN_MAX_EPOCHS, 0, NULL,                               \
            "The model as it was at this epoch, one of its checkpoints. Without it: as it is now." \
    }

/* What is stored about a model but its bytes; to be cleared. False: the error is already the
 * answer.
 */
bool read_model_row(struct http_exchange *exchange, const char *id, struct model *row);
/* The names of the classes as a list of `count` names and a NULL, in the arena. A description that names none, or
 * not as many, leaves them their places. NULL: no memory. */
const char *const *model_class_names(const struct model *row, int count, struct arena *arena);

#endif
