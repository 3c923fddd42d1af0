/*
 * train.h - the inside of a dn_trainer, which training (train.c) and checkpoints (checkpoint.c)
 * share.
 */
#ifndef ENGINE_MODEL_TRAIN_H
#define ENGINE_MODEL_TRAIN_H

#include "engine/diffusion/noised.h"
#include "engine/model/model.h"
#include "engine/network/optimizer.h"

/* The position of a training between two steps. Together with the weights and the optimizer's state
 * it is all that later steps depend on. */
struct position {
    int epoch;     /* epochs that have ended */
    int64_t place; /* points of the next one that have been trained on, all: only its end is left */
    double loss_sum, norm_sum; /* over these: losses of the points, gradient norms of the steps */
    double last_loss;          /* last finite batch loss, for the message when it diverges */
    int best_epoch;            /* epoch of `best`; 0: none yet */
    double best_loss;
    struct dn_epoch last; /* result of the last epoch; zero before the first */
};

struct dn_trainer {
    struct dn_spec spec;
    int dim;
    struct transform transform;
    struct schedule schedule;
    float *t_weights; /* [T+1] of a point's loss; NULL: all the same */
    struct network network;
    struct optimizer optimizer;
    float *parameters, *gradients; /* [network.size] */

    size_t n;        /* training points */
    float *points;   /* [n][dim], model units */
    int32_t *labels; /* [n]; NULL for an unconditional model */
    int32_t *order;  /* [n] shuffled in each epoch */
    struct noised batch, validation;

    struct dn_team *team; /* NULL: this thread alone */
    size_t rows;          /* rows of a chunk, */
    size_t most;          /* or of a batch, if that is larger */
    double *row_losses;   /* [rows] */
    int32_t *slots;       /* [most] */
    struct time_rows times;
    struct workspace workspace;

    struct position at;
    int ordered; /* epoch that `order` belongs to; -1: none yet */
    float *best; /* [network.size] the weights with the lowest validation loss so far; NULL
                    without keep_best */
};

/* The current weights of the model: the parameters, or their average. */
const float *trainer_weights(const struct dn_trainer *trainer);
/* The same, or with keep_best those of the best epoch. */
const float *trainer_model_weights(const struct dn_trainer *trainer);

/* The mean loss of a set of noised points under some weights; NAN without points. */
enum dn_status trainer_loss(struct dn_trainer *trainer, const struct noised *set,
                            const float *parameters, dn_stop_flag *stop, double *loss,
                            struct dn_error *error);

/* Rows of a chunk of a batch with n > 0 rows, and the maximum of any chunk, validation included,
 * which buffers are made for: never less than the former, whatever n. */
size_t trainer_batch_chunk(size_t n);
size_t trainer_chunk_rows(const struct network *network);

#endif
