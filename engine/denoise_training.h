/*
 * denoise_training.h - the part of denoise.h that trains models, step by step, and saves what is not
 * finished. Include denoise.h.
 */
#ifndef DENOISE_TRAINING_H
#define DENOISE_TRAINING_H
#ifndef DENOISE_H
#error "include denoise.h"
#endif

struct dn_trainer;

/* The result of one epoch. Losses are means over points and coordinates, in model units, of the
 * minimized quantity, with t distributed as timestep_focus says and weights from min_snr_gamma;
 * only losses with the same two settings can be compared. */
struct dn_epoch {
    int epoch;    /* 1.. */
    int64_t step; /* optimizer steps since the start */
    double train_loss;
    double val_loss; /* frozen (t, eps); NAN without validation points */
    double learning_rate;
    double gradient_norm; /* mean over the epoch's steps, before clipping */
};

/* Fits the transform and initializes the weights. The trainer copies the spec and the data; data
 * NULL: drawn from the patterns of the spec. DN_INVALID if either is invalid, or if they do not
 * match. */
enum dn_status dn_trainer_new(const struct dn_spec *spec, const struct dn_data *data,
                              struct dn_trainer **out, struct dn_error *error);
/* The same with this variant of the kernels instead of the default, which NULL stands for.
 * DN_INVALID also if the CPU lacks it. */
enum dn_status dn_trainer_new_with(const char *kernels, const struct dn_spec *spec,
                                   const struct dn_data *data, struct dn_trainer **out,
                                   struct dn_error *error);
void dn_trainer_free(struct dn_trainer *trainer);
const char *dn_trainer_kernels(const struct dn_trainer *trainer); /* the name of its variant */

/* Threads that the caller lends. run() calls work(argument, part) once for each part 0..size-1, at
 * the same time, and returns when all are done. Results are the same for any size. */
struct dn_team {
    int size;
    void (*run)(struct dn_team *team, void (*work)(void *argument, int part), void *argument);
};

/* Lends a team until it is taken back with NULL. */
void dn_trainer_use_team(struct dn_trainer *trainer, struct dn_team *team);

/* Takes one step; the last step of an epoch also runs the validation and ends the epoch. After
 * DN_STOPPED the trainer is between two steps, as if the interrupted one had not begun; if only the
 * validation is left, the next call runs it. After DN_DIVERGED only dn_trainer_free and
 * dn_trainer_load may follow. */
enum dn_status dn_trainer_step(struct dn_trainer *trainer, dn_stop_flag *stop,
                               struct dn_error *error);
/* Steps to the end of the epoch. After DN_DIVERGED, result holds the epoch and the last finite
 * loss. */
enum dn_status dn_trainer_epoch(struct dn_trainer *trainer, dn_stop_flag *stop,
                                struct dn_epoch *result, struct dn_error *error);
int dn_trainer_epochs_done(const struct dn_trainer *trainer);
int64_t dn_trainer_steps_done(const struct dn_trainer *trainer);
/* The result of the last completed epoch; epoch 0: there is none. */
struct dn_epoch dn_trainer_last_epoch(const struct dn_trainer *trainer);

/* DN_DIVERGED if a weight of the current model is not finite, or if points drawn with the default
 * sampler are not. It takes few steps, or if `thorough` as many as a tenth of a second allows. */
enum dn_status dn_trainer_check(const struct dn_trainer *trainer, bool thorough, dn_stop_flag *stop,
                                struct dn_error *error);

/* The model's loss over noised points (the validation points, if there are any), and the loss of
 * a network with a constant output, zero or the mean, whichever is better. Weighted as in
 * dn_epoch. */
struct dn_verdict {
    double loss, nothing;
};
enum dn_status dn_trainer_judge(struct dn_trainer *trainer, struct dn_verdict *verdict,
                                dn_stop_flag *stop, struct dn_error *error);

/* The current model (with EMA weights if the spec has them), or with keep_best the best one. */
enum dn_status dn_trainer_model(const struct dn_trainer *trainer, struct dn_model **out,
                                struct dn_error *error);

/* The model's size, its bytes as dn_model_save would write them but without creating the model, and
 * its epoch. */
size_t dn_trainer_model_bytes(const struct dn_trainer *trainer);
enum dn_status dn_trainer_model_save(const struct dn_trainer *trainer, void *bytes,
                                     struct dn_error *error);
int dn_trainer_model_epoch(const struct dn_trainer *trainer);
const struct dn_spec *dn_trainer_spec(const struct dn_trainer *trainer);
/* The same as dn_model_transform of its model. */
void dn_trainer_transform(const struct dn_trainer *trainer, double *shift, double *scale);

/* A checkpoint holds everything that training depends on, between any two steps; a trainer made
 * from the same spec and data and loaded from it continues to the same bytes as one that was never
 * interrupted. After an error, the trainer is unchanged. DN_OTHER_ARITHMETIC: the checkpoint is from
 * other kernels, another version or another C library. DN_CORRUPT: it belongs to another spec, or is
 * visibly damaged. The weights are not checked, so keep a digest with the bytes. */
size_t dn_trainer_bytes(const struct dn_trainer *trainer);
void dn_trainer_save(const struct dn_trainer *trainer, void *bytes);
enum dn_status dn_trainer_load(struct dn_trainer *trainer, const void *bytes, size_t size,
                               struct dn_error *error);
/* The arithmetic of a checkpoint: dn_arithmetic, or if another version of this library wrote it, the
 * name of its format. False: the bytes are no checkpoint. */
bool dn_checkpoint_arithmetic(const void *bytes, size_t size, char text[DN_ARITHMETIC_TEXT]);

#endif
