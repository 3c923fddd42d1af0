/*
 * denoise.h - train and sample small denoising diffusion models (DDPM) on the CPU.
 *
 * The whole public interface of libdenoise, with denoise_metrics.h, which it includes. A program
 * fills in a dn_spec, makes a dn_trainer from it, calls dn_trainer_epoch() until it has had enough,
 * takes a dn_model out, and draws points from it with dn_sample().
 *
 * Conventions
 *   - Arrays are row-major; shapes are written as x [n][dim].
 *   - A seed decides everything: data, initial weights, shuffles, noise, samples. Results are
 *     bit-identical for one kernel variant (see dn_kernels_name), whatever the split into batches
 *     and threads.
 *   - Functions that can fail return a dn_status, say why in a dn_error, and change nothing else.
 *   - Objects are not shared while they are changed; any number of threads may read a dn_model.
 *   - No input or output, no threads of its own, no global state but the choice of kernels.
 *
 * Notation and equations: Ho, Jain, Abbeel 2020, "Denoising diffusion probabilistic models" (DDPM).
 */
#ifndef DENOISE_H
#define DENOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default) /* the library is built with everything else hidden */

/* ------------------------------------------------------------------ errors */

enum dn_status {
    DN_OK = 0,
    DN_INVALID,    /* an argument or a spec is out of range */
    DN_NO_MEMORY,  /* an allocation failed */
    DN_DIVERGED,   /* training produced a loss that is not finite */
    DN_STOPPED,    /* the caller's stop flag was seen */
    DN_CORRUPT,    /* a serialized model or checkpoint is damaged, or belongs to another spec */
    DN_NOT_FINITE, /* what was asked of a model is no finite number: NaN, or beyond a float */
};

/* What went wrong, for a person: what, where, and what would be right. */
struct dn_error {
    char text[256];
};

/* A flag that another thread sets, so that a long computation returns DN_STOPPED. NULL: never. */
typedef const volatile bool dn_stop_flag;

/* What a long computation that is not taken step by step does every few milliseconds: it looks at
 * the flag, and calls pause(context), which may take its time: a program that has more to do than
 * threads lets another computation have the thread. NULL: nothing of the two. */
struct dn_breaks {
    dn_stop_flag *stop;
    void (*pause)(void *context);
    void *context;
};

/* ------------------------------------------------------------------ the spec of a training */

/* Each enum has a table of names in the API's spelling; see dn_choices below. */
enum dn_pattern {
    DN_SPIRAL,
    DN_MOONS,
    DN_S_CURVE,
    DN_SWISS_ROLL,
    DN_CIRCLES,
    DN_CHECKERBOARD,
    DN_EIGHT_GAUSSIANS,
    DN_PINWHEEL,
    DN_TWO_SPIRALS,
    DN_HEART,
    DN_STAR,
    DN_GAUSSIAN_GRID,
    DN_RINGS,
    DN_SIERPINSKI,
    DN_DINO,
    DN_LETTERS,
    DN_ROSE,
    DN_LISSAJOUS,
    DN_PATTERN_COUNT
};
enum dn_beta_schedule {
    DN_BETA_LINEAR,
    DN_BETA_COSINE,
    DN_BETA_SIGMOID,
    DN_BETA_QUADRATIC,
    DN_BETA_LOG_LINEAR,
    DN_BETA_FLOW,
};
enum dn_prediction { DN_EPSILON, DN_SAMPLE, DN_V, DN_FLOW };
enum dn_time_embedding { DN_SINUSOIDAL, DN_LEARNED };
enum dn_conditioning { DN_ADD, DN_MULTIPLY };
enum dn_normalization { DN_MINMAX, DN_STANDARDIZE, DN_AS_IT_IS };
enum dn_loss { DN_MSE, DN_MAE, DN_HUBER };
enum dn_lr_schedule { DN_LR_CONSTANT, DN_LR_COSINE, DN_LR_LINEAR };

/* Limits on a spec; dn_spec_check enforces them. */
enum {
    DN_MAX_POINTS = 1000000,
    DN_MAX_DIM = 64,
    DN_MAX_CLASSES = 64,
    DN_MAX_TIMESTEPS = 4000,
    DN_MIN_HIDDEN_SIZE = 8,
    DN_MAX_HIDDEN_SIZE = 1024,
    DN_MAX_HIDDEN_LAYERS = 8,
    DN_MAX_BATCH_SIZE = 65536,
    DN_MAX_EPOCHS = 1000000,
    DN_MAX_SAMPLES = 100000,
    DN_MAX_THREADS = 64,
    DN_EVALUATION_POINTS = 500, /* of dn_evaluate, as dn_spec_memory counts on */
};
#define DN_MIN_BETA       1e-9
#define DN_MAX_BETA_START 0.5
#define DN_MAX_BETA_END   0.999

/* Where points come from. A pattern is endless: n training points are drawn, and n *
 * validation_fraction more (rounded down) to validate with. Of the n rows of an uploaded set, that
 * share is held out to validate with. */
enum { DN_UPLOADED = -1 };
struct dn_source {
    int pattern; /* enum dn_pattern, or DN_UPLOADED: the caller has the points */
    int n;
    uint64_t seed; /* of the draw, or of the choice of what is held out */
};

/* One source, or a mixture of several, each of which is a class of its own (its index). */
struct dn_dataset_spec {
    int source_count;
    int dim;     /* coordinates of a point; 2 for patterns */
    int classes; /* labels are 0..classes-1; 0: the model is unconditional. source_count for a
                    mixture; the number of labels of a single, uploaded source */
    struct dn_source sources[DN_MAX_CLASSES];
};

struct dn_diffusion_spec {
    int timesteps; /* T */
    enum dn_beta_schedule beta_schedule;
    /* linear and quadratic only: ends of the schedule for T = 1000; both are multiplied by 1000/T,
     * so that the total amount of noise does not depend on T (the blog's convention) */
    double beta_start, beta_end;
    /* what the network answers; epsilon needs some signal to be left at T */
    enum dn_prediction prediction_type;
    bool zero_terminal_snr; /* rescale so that no signal is left at T (Lin et al. 2024); flow
                               schedules leave none anyway */
};

struct dn_network_spec {
    int hidden_size;   /* H, even */
    int hidden_layers; /* L */
    enum dn_time_embedding time_embedding;
    enum dn_conditioning conditioning; /* how the time embedding meets a layer: + or * */
};

struct dn_training_spec {
    int epochs;
    int batch_size;
    double learning_rate;
    enum dn_loss loss;    /* huber: d^2/2 up to |d| = 1, then |d| - 1/2 */
    double min_snr_gamma; /* weights the loss of a point by its SNR (Hang et al. 2023), 0: not */
    /* 0: t ~ U{1..T}. Else t is drawn uniformly in atan(ratio_t / timestep_focus), where ratio is
     * noise / signal, one from each n-th of that range for a batch of n: half of it has less noise
     * than the focus, if the schedule goes far beyond (the idea: Karras et al. 2022, sec. 5) */
    double timestep_focus;
    double validation_fraction;          /* see dn_source */
    enum dn_normalization normalization; /* from data units to model units: jointly to [-1, 1], or
                                            per axis to mean 0 and deviation 1/2, or not at all */
    double ema_decay;    /* 0: none; samples and val_loss then use the raw weights */
    double weight_decay; /* AdamW: per step, all weights shrink by this times the learning rate */
    enum dn_lr_schedule lr_schedule;
    int lr_warmup_steps;  /* in which the learning rate first rises from 0; the schedule follows */
    double gradient_clip; /* largest global gradient norm; 0: no clipping */
    double p_uncond;      /* share of points whose label is hidden, so that the model learns to do
                             without (Ho & Salimans 2022); without classes it does nothing */
    bool keep_best;       /* the model is the one of the epoch with the lowest val_loss, so far */
    int checkpoint_every; /* epochs */
    int evaluate_every;   /* epochs between evaluations, 0: none; for the caller, like
                             checkpoint_every, the trainer does not read it */
    int threads;          /* that a step is split over; makes no difference to the results */
};

struct dn_spec {
    struct dn_dataset_spec dataset;
    struct dn_diffusion_spec diffusion;
    struct dn_network_spec network;
    struct dn_training_spec training;
    uint64_t seed; /* of weights, shuffles, timesteps and noise; at most 2^53 - 1 over the API */
};

/* A preset is a complete spec with a name, see dn_preset_names. */
struct dn_preset {
    const char *doc;
    struct dn_spec spec;
};
extern const struct dn_preset dn_presets[];
extern const size_t dn_preset_count; /* dn_presets[0] is "default" */

/* Says the first thing that is wrong with a spec, or with its part that makes the schedule. */
enum dn_status dn_spec_check(const struct dn_spec *spec, struct dn_error *error);
enum dn_status dn_diffusion_check(const struct dn_diffusion_spec *spec, struct dn_error *error);

/* How many training and validation points source k stands for; either may be NULL. */
void dn_source_split(const struct dn_spec *spec, int k, size_t *n, size_t *n_val);

/* Of a checked spec: steps per epoch (the last, partial batch is kept), and parameters. */
int dn_spec_steps_per_epoch(const struct dn_spec *spec);
int64_t dn_spec_parameters(const struct dn_spec *spec);

/* What a training of a checked spec takes: at most so many bytes at its peak (a trainer beside the
 * data it is made from; with evaluate_every also a model and its dn_evaluate; not what the caller
 * gives or saves), exactly so many bytes for a checkpoint and a model, and so many floating-point
 * operations for the products of a full batch, forward and backward. */
int64_t dn_spec_memory(const struct dn_spec *spec);
int64_t dn_spec_checkpoint_bytes(const struct dn_spec *spec);
int64_t dn_spec_model_bytes(const struct dn_spec *spec);
double dn_spec_step_flops(const struct dn_spec *spec);

/* ------------------------------------------------------------------ schedules */

/* x_t = signal x_0 + noise eps, and what follows from it: q(x_t | x_{t-1}) = N(sqrt(alpha) x_{t-1},
 * beta), alpha_bar = signal^2, snr = signal^2 / noise^2, and the variance of q(x_{t-1}|x_t,x_0). */
struct dn_schedule_step {
    double signal, noise, beta, alpha, alpha_bar, snr, posterior_variance;
};

/* All steps, t = 1..T, into steps [timesteps]. */
enum dn_status dn_schedule_steps(const struct dn_diffusion_spec *spec,
                                 struct dn_schedule_step *steps, struct dn_error *error);

/* Is a signal so weak that sampling may start from pure noise? At most 0.01: the mean of x_T is
 * then within a tenth of its deviation of that of noise, for data of size 1. */
bool dn_snr_is_noise(double snr);

/* ------------------------------------------------------------------ data */

/* A built-in pattern: a distribution in the plane, on curves for the most part, scaled so that the
 * exact pattern (not a draw) lies in [-1,1]^2 and reaches both ends of one axis. Gaussians have no
 * bounds and are only nearly there. The doc says how the points are spread. */
struct dn_pattern_info {
    const char *name;
    const char *doc;
};
extern const struct dn_pattern_info dn_patterns[DN_PATTERN_COUNT];

/* Points first..first+n-1 of the endless sequence that a seed stands for, into points [n][2]. Point
 * i does not depend on n. */
void dn_pattern_draw(enum dn_pattern number, uint64_t seed, uint64_t first, size_t n,
                     float *points);

/* Has the pattern a shape, to which there is a distance? All but mixtures of Gaussians have. */
bool dn_pattern_has_distance(enum dn_pattern number);

/* Euclidean distance from a point to the exact pattern, 0 within an area; if nearest is not NULL,
 * also the closest point. NAN for a pattern without shape. On smooth curves: brute-force seeds,
 * then Newton on the squared distance with a bisection guard; the others in closed form. */
double dn_pattern_distance(enum dn_pattern number, const double point[2], double nearest[2]);

/* The same for many points [n][2]; either result may be NULL: distances [n], nearest [n][2]. */
void dn_pattern_distances(enum dn_pattern number, const float *points, size_t n, double *distances,
                          float *nearest);

/* Mean over points [n][2] of that distance; NAN when n is 0. */
double dn_pattern_mean_distance(enum dn_pattern number, const float *points, size_t n);

/* Points to train on, data units: the training points of all sources in order, then the validation
 * points. Whoever filled it in owns it; a trainer copies what it needs. */
struct dn_data {
    int dim;
    size_t n, n_val;       /* training, validation */
    const float *points;   /* [n + n_val][dim], finite, at most 1e30 */
    const int32_t *labels; /* [n + n_val] in 0..classes-1, or NULL */
    int classes;           /* 0 without labels */
};

/* An uploaded set: what a source with DN_UPLOADED stands for. */
struct dn_upload {
    size_t n;              /* as in its source */
    int dim;               /* as in the spec */
    const float *points;   /* [n][dim] */
    const int32_t *labels; /* [n], or NULL; they count if the set is the only source, and are below
                              the spec's classes then */
};

/* Draws from the patterns of a spec, and deals out the uploaded sets: uploads [source_count] is
 * read where a source is DN_UPLOADED, and may be NULL if none is. To be freed with dn_data_clear.
 * DN_INVALID: the spec, or an upload that is not what the spec asks for. */
enum dn_status dn_data_draw(const struct dn_spec *spec, const struct dn_upload *uploads,
                            struct dn_data *out, struct dn_error *error);
void dn_data_clear(struct dn_data *data);

/* The numbers 0..n-1 in an order that the seed decides, into order [n]: its first k are a random
 * choice. An uploaded set is dealt out in this order. */
void dn_shuffle(uint64_t seed, int32_t n, int32_t *order);

/* ------------------------------------------------------------------ kernels */

/* The compute kernels exist for several instruction sets; the best one that the CPU has is chosen
 * at first use. dn_kernels_use forces one by name ("avx512", "avx2", "baseline") before anything
 * else is called; DN_INVALID if it is unknown or the CPU lacks it. The name is recorded in
 * checkpoints: bits are equal within one variant only. */
const char *dn_kernels_name(void);
enum dn_status dn_kernels_use(const char *name, struct dn_error *error);

/* ------------------------------------------------------------------ models */

/* A trained network with all that sampling needs: schedule, transform, weights. Immutable. */
struct dn_model;

void dn_model_free(struct dn_model *model);
const struct dn_spec *dn_model_spec(const struct dn_model *model);
int dn_model_dim(const struct dn_model *model);
int dn_model_epoch(const struct dn_model *model); /* that its weights are from */

/* The transform from data units to model units: model = (data - shift) * scale, per axis. */
void dn_model_transform(const struct dn_model *model, double *shift, double *scale);

/* Serialized form: a self-contained block of bytes, little-endian, independent of the kernel
 * variant. */
size_t dn_model_bytes(const struct dn_model *model);
void dn_model_save(const struct dn_model *model, void *bytes);
enum dn_status dn_model_load(const void *bytes, size_t size, struct dn_model **out,
                             struct dn_error *error);

/* A model's weights from outside: names and shapes as PyTorch's Linear and Embedding have them,
 * without padding. With h_0 = x (model units) and layers l = 0..L-1,
 *
 *     h_{l+1} = swish(h_l W_l^T + b_l (+ or *) e_l),    output = h_L W^T + b
 *
 *     layers.l.weight W_l [H][dim or H],  layers.l.bias b_l [H],  out.weight W [dim][H],  out.bias
 *     e_l: learned: row t-1 of layers.l.time.weight [T][H]; sinusoidal: s(t) V^T + v with
 *          layers.l.time.weight V [H][H], layers.l.time.bias v [H], and s(t) [H]: element r is
 *          sin for even r and cos for odd r of t / 10000^(r' / (H - 2)), r' being r rounded down
 *          to even
 *     With classes, e_l has a row of layers.l.label.weight [classes + 1][H] added, the last one for
 *     points without a label. */
struct dn_tensor {
    char name[48];
    int rank;     /* 1 or 2 */
    int shape[2]; /* shape[1] is 1 for rank 1 */
};

/* How many tensors a model with this checked spec has, and which is number i. */
int dn_spec_tensor_count(const struct dn_spec *spec);
void dn_spec_tensor(const struct dn_spec *spec, int i, struct dn_tensor *out);

/* Copies the values of tensor i, row-major in its shape. */
void dn_model_tensor(const struct dn_model *model, int i, float *out);

/* The range of the training data in model units [dim], which estimates are clipped to. */
void dn_model_range(const struct dn_model *model, float *low, float *high);

/* What a model is made of. Nothing is kept. */
struct dn_model_parts {
    const struct dn_spec *spec;
    int epoch;                   /* 1.. */
    const double *shift, *scale; /* [dim], see dn_model_transform; scale > 0 */
    const float *low, *high;     /* [dim], see dn_model_range */
    const float *const *tensors; /* [dn_spec_tensor_count], each row-major in its shape */
};

/* DN_INVALID and what is wrong if the spec is, or a number is not finite or out of range. */
enum dn_status dn_model_build(const struct dn_model_parts *given, struct dn_model **out,
                              struct dn_error *error);

/* ------------------------------------------------------------------ training */

struct dn_trainer;

/* What one epoch did. Losses are means over points and coordinates, in model units, of what is
 * minimized: over t as timestep_focus has them, weighted by min_snr_gamma; comparable with others
 * of the same two only. */
struct dn_epoch {
    int epoch;    /* 1.. */
    int64_t step; /* optimizer steps since the start */
    double train_loss;
    double val_loss; /* frozen (t, eps); NAN without validation points */
    double learning_rate;
    double gradient_norm; /* mean over the epoch's steps, before clipping */
};

/* Fits the transform, initializes the weights. The trainer copies the spec, and the data; NULL:
 * drawn from the patterns of the spec. DN_INVALID if either is not right, or if they do not fit. */
enum dn_status dn_trainer_new(const struct dn_spec *spec, const struct dn_data *data,
                              struct dn_trainer **out, struct dn_error *error);
void dn_trainer_free(struct dn_trainer *trainer);

/* Threads that the caller lends. run() calls work(argument, part) once for each part 0..size-1, at
 * the same time, and returns when all are done. Results are the same for any size. */
struct dn_team {
    int size;
    void (*run)(struct dn_team *team, void (*work)(void *argument, int part), void *argument);
};

/* Lends a team until it is taken back with NULL. */
void dn_trainer_use_team(struct dn_trainer *trainer, struct dn_team *team);

/* Takes one step; the last one of an epoch also ends it, with the validation. DN_STOPPED leaves the
 * trainer between two steps, as if the one in hand had not begun; if none but the validation is
 * left, the next call makes it. After DN_DIVERGED only dn_trainer_free and dn_trainer_load may
 * follow. */
enum dn_status dn_trainer_step(struct dn_trainer *trainer, dn_stop_flag *stop,
                               struct dn_error *error);
/* Steps to the end of the epoch. Diverged: result holds the epoch and the last finite loss. */
enum dn_status dn_trainer_epoch(struct dn_trainer *trainer, dn_stop_flag *stop,
                                struct dn_epoch *result, struct dn_error *error);
int dn_trainer_epochs_done(const struct dn_trainer *trainer);
int64_t dn_trainer_steps_done(const struct dn_trainer *trainer);
/* What the last epoch that has ended did; epoch 0: none has. */
struct dn_epoch dn_trainer_last_epoch(const struct dn_trainer *trainer);

/* DN_DIVERGED if a weight of the model as it is now is not finite, or some points that the default
 * sampler draws, in few steps or if `thorough` in as many as a tenth of a second allows. */
enum dn_status dn_trainer_check(const struct dn_trainer *trainer, bool thorough, dn_stop_flag *stop,
                                struct dn_error *error);

/* The model's loss over noised points, those to validate with if there are any, beside that of a
 * network that always answers zero or the mean, whichever is better. Weighted as in dn_epoch. */
struct dn_verdict {
    double loss, nothing;
};
enum dn_status dn_trainer_judge(struct dn_trainer *trainer, struct dn_verdict *verdict,
                                dn_stop_flag *stop, struct dn_error *error);

/* The model as it is now (EMA weights if the spec has them), or at its best (keep_best). */
enum dn_status dn_trainer_model(const struct dn_trainer *trainer, struct dn_model **out,
                                struct dn_error *error);

/* Its length, its bytes as dn_model_save would write them, without making it, and its epoch. */
size_t dn_trainer_model_bytes(const struct dn_trainer *trainer);
void dn_trainer_model_save(const struct dn_trainer *trainer, void *bytes);
int dn_trainer_model_epoch(const struct dn_trainer *trainer);
const struct dn_spec *dn_trainer_spec(const struct dn_trainer *trainer);
/* As dn_model_transform says of the model. */
void dn_trainer_transform(const struct dn_trainer *trainer, double *shift, double *scale);

/* A checkpoint holds all that training depends on, between any two steps; a trainer made from the
 * same spec and data and loaded from it goes on to the same bytes as one that was never
 * interrupted. DN_CORRUPT, and an untouched trainer: it belongs to another spec, was written with
 * other kernels or by another version, or is evidently damaged. Weights are not looked at, so keep
 * a digest beside the bytes. */
size_t dn_trainer_bytes(const struct dn_trainer *trainer);
void dn_trainer_save(const struct dn_trainer *trainer, void *bytes);
enum dn_status dn_trainer_load(struct dn_trainer *trainer, const void *bytes, size_t size,
                               struct dn_error *error);

/* ------------------------------------------------------------------ sampling */

/* How to go back in time. All use the same estimates of x_0 that the network makes at the timesteps
 * of the steps; engine/plan.c has the equations and says what each does. */
enum dn_sampler {
    DN_DDPM,     /* Ho et al. 2020, algorithm 2: the posterior at each step */
    DN_DDIM,     /* Song, Meng, Ermon 2021 */
    DN_DPMPP_2M, /* Lu et al. 2022, DPM-Solver++ */
    DN_HEUN,
    DN_EULER, /* the same as DDIM with eta 0, whatever the schedule */
    DN_SAMPLER_COUNT
};
struct dn_sampler_info {
    const char *doc; /* what it does, in a phrase that follows its name */
    double eta;      /* share of fresh noise in each step: 0 none, 1 as DDPM; NAN: the request's */
    int evaluations; /* estimates for each step but the last, which has one */
};
extern const struct dn_sampler_info dn_samplers[DN_SAMPLER_COUNT];

/* All zero but n: DDPM in T steps, without labels. */
struct dn_sample_request {
    int first;     /* number of the first point: a request may be split into ranges of points */
    int n;         /* points, 1..DN_MAX_SAMPLES */
    uint64_t seed; /* of the start noise and the noise on the way */
    enum dn_sampler sampler;
    int steps;  /* S, 1..T; 0: T */
    double eta; /* 0..1; not read if the sampler has its own */
    bool clip;  /* clip the x0 estimate to the range of the training data, axis by axis; else
                   errors of a network that predicts epsilon grow by n_t / s_t */
    const float *noise; /* start points x_T [n][dim] in data units, or NULL: N(0, I) in model units
                           from the seed */
    /* Classifier-free guidance (Ho & Salimans 2022): what the network says without a label, plus
     * `guidance` times the difference that the label makes. 1: the network with the label, alone;
     * 0: without, alone; anything else takes twice as long. Only 0 without classes. */
    double guidance; /* 0..DN_MAX_GUIDANCE */
    int label;       /* a class, or DN_LABELS_IN_TURN; not read if guidance is 0 */
    int frames;      /* F, of x that are kept, see dn_frame_step; 2..S + 1, or 0: all of them */
};
enum { DN_LABELS_IN_TURN = -1, DN_MAX_GUIDANCE = 100 };

/* A process of S steps has S + 1 states. When only F of them are kept, frame k is the state after
 * this many steps: evenly spaced, the first and the last always. */
int dn_frame_step(int k, int frames, int steps);

/* Where the results go; NULL what is not wanted. Data units. A frame of x and x0 has `frame_points`
 * points (0: n), of which a split request writes its n. */
struct dn_sample_result {
    size_t frame_points;
    float *points; /* [n][dim] */
    float *x;      /* [F][n][dim]: x_T (the start noise), .., x_0; F = S+1 unless thinned */
    float *x0;     /* [F-1][n][dim]: the estimate of x_0 made from each frame of x but the last */
};

/* Draws points. Point i is the same for every n. DN_INVALID, with the reason, for a wrong request;
 * DN_NOT_FINITE, and what to change, if one of the results is no finite number. */
enum dn_status dn_sample(const struct dn_model *model, const struct dn_sample_request *request,
                         const struct dn_sample_result *result, dn_stop_flag *stop,
                         struct dn_error *error);

/* The same a step of one block of points at a time (for the largest network some 10 ms), and left
 * alone for any time in between. It copies the request and the result; the model, the noise and the
 * arrays are the caller's until it is freed. */
struct dn_sampling;
enum dn_status dn_sampling_new(const struct dn_model *model,
                               const struct dn_sample_request *request,
                               const struct dn_sample_result *result, struct dn_sampling **out,
                               struct dn_error *error);
void dn_sampling_free(struct dn_sampling *sampling); /* NULL is fine */
bool dn_sampling_done(const struct dn_sampling *sampling);
/* Nothing happens when it is done. After DN_NOT_FINITE only dn_sampling_free may follow. */
enum dn_status dn_sampling_step(struct dn_sampling *sampling, struct dn_error *error);
/* Memory that one takes, beside the result, at most. */
size_t dn_sampling_bytes(const struct dn_model *model, const struct dn_sample_request *request);

/* Of a request that is right: the timesteps of its S + 1 states, T, .., 0; */
void dn_sample_timesteps(const struct dn_model *model, const struct dn_sample_request *request,
                         int *timesteps);
/* how often the network is asked about each point; */
int dn_sample_evaluations(const struct dn_model *model, const struct dn_sample_request *request);
/* and the label of its i-th point (in turn: that of point j is j modulo classes), -1 if none. */
int dn_sample_label(const struct dn_model *model, const struct dn_sample_request *request, int i);

#include "denoise_metrics.h" /* which stands beside this one; it is no header of its own */

/* ------------------------------------------------------------------ names */

/* Names of an enum's values, in order, ended by NULL: what the API reads and writes. */
extern const char *const dn_preset_names[];
extern const char *const dn_pattern_names[];
extern const char *const dn_beta_schedule_names[];
extern const char *const dn_prediction_names[];
extern const char *const dn_time_embedding_names[];
extern const char *const dn_conditioning_names[];
extern const char *const dn_normalization_names[];
extern const char *const dn_loss_names[];
extern const char *const dn_lr_schedule_names[];
extern const char *const dn_sampler_names[];
extern const char *const dn_metric_names[];

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
