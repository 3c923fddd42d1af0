/*
 * train.h - the inside of a dn_trainer, for training (train.c), its model (trained.c), checkpoints
 * (checkpoint.c) and checks of the model (judge.c).
 */
#ifndef ENGINE_MODEL_TRAIN_H
#define ENGINE_MODEL_TRAIN_H

#include "engine/diffusion/noised.h"
#include "engine/model/model.h"
#include "engine/network/optimizer.h"

/* A position between two steps. Later steps depend only on it, the weights and the optimizer's
 * state. */
struct position {
    int epoch;     /* completed epochs */
    int64_t place; /* points of the next epoch that were trained on; all: only its end is left */
    double loss_sum,
        norm_sum;     /* in this epoch: losses of the points, gradient norms of the steps */
    double last_loss; /* last finite batch loss, for the message when it diverges */
    int best_epoch;   /* epoch of `best`; 0: none yet */
    double best_loss;
    struct dn_epoch last; /* result of the last epoch; zero before the first */
};

/* What a thread has for itself when it trains on images. */
struct train_lane {
    struct time_rows times;
    struct workspace workspace;
    int32_t *slots; /* of the images of a group */
};

struct dn_trainer {
    struct dn_spec spec;
    int dim;
    struct transform transform;
    struct moments moments; /* of the training points; nothing is open */
    struct schedule schedule;
    float *t_weights; /* [T+1] weight of the loss at t; NULL: all the same */
    struct network network;
    struct optimizer optimizer;
    float *parameters, *gradients; /* [network.size] */

    size_t n;           /* training points */
    float *points;      /* [n][dim], model units; with ranks, those of the epoch `drawn` */
    uint8_t *pixels;    /* [n][dim] instead of points: images */
    struct ranks ranks; /* DN_QUANTILE only */
    int drawn;          /* -1: none yet */
    int32_t *labels;    /* [n]; NULL for an unconditional model */
    int32_t class_counts[DN_MAX_CLASSES]; /* training and validation points */
    int32_t *order;                       /* [n] shuffled in each epoch */
    struct noised batch, validation;

    struct dn_team *team; /* NULL: this thread alone */
    size_t rows;          /* maximum rows of a chunk */
    size_t most;          /* maximum of this and the rows of a batch */
    double *row_losses;   /* [rows] */
    int32_t *slots;       /* [most] */
    struct time_rows times;
    struct workspace workspace;

    /* for images only (train_images.c) */
    struct train_lane *lanes; /* of the threads */
    float *group_gradients;   /* [groups][network.size] */
    double *image_losses;     /* [batch.n] */

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

/* Writes training point i, in model units, to x [dim]. */
void trainer_point(const struct dn_trainer *trainer, size_t i, float *x);

/* Calls work(argument, part) for each part of the team, or for part 0 without one. */
void trainer_run_parts(struct dn_trainer *trainer, void (*work)(void *argument, int part),
                       void *argument);

/* The part of a trainer that is for images, in train_images.c. trainer_images_clear also clears what
 * trainer_images_init left unfinished. The gradient of the mean loss over the first n images of the batch,
 * and that loss. */
size_t trainer_images_bytes(const struct dn_trainer *trainer);
enum dn_status trainer_images_init(struct dn_trainer *trainer, struct dn_error *error);
void trainer_images_clear(struct dn_trainer *trainer);
enum dn_status trainer_images_gradient(struct dn_trainer *trainer, size_t n, dn_stop_flag *stop,
                                       double *loss, struct dn_error *error);

/* With ranks, draws the points of an epoch, unless they are there. */
void trainer_draw_points(struct dn_trainer *trainer, int epoch);

/* Rows of a chunk of a batch with n > 0 rows. */
size_t trainer_batch_chunk(const struct network *network, size_t n);

#endif
