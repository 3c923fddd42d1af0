/*
 * denoise.h - train and sample small denoising diffusion models (DDPM) on the CPU.
 *
 * The whole public interface of libdenoise, with denoise_training.h, denoise_sampling.h,
 * denoise_table.h and denoise_metrics.h, which it includes. A program fills in a dn_spec, makes a
 * dn_trainer from it, calls dn_trainer_epoch() as often as it likes, takes a dn_model out, and draws
 * points from it with dn_sample().
 *
 * Conventions
 *   - Arrays are row-major; shapes are written as x [n][dim].
 *   - A seed determines everything: data, initial weights, shuffles, noise, samples. Results are
 *     bit-identical for one kernel variant (see dn_kernels_name), for any split into batches and
 *     threads.
 *   - Functions that can fail return a dn_status, explain it in a dn_error, and change nothing
 *     else.
 *   - Only one thread may use an object that is being changed; any number may read a dn_model.
 *   - The library does no input or output, starts no threads, and has no global state except the
 *     default variant of the kernels.
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
    DN_STOPPED,    /* the caller's stop flag was set */
    DN_CORRUPT,    /* a serialized model or checkpoint is damaged, or belongs to another spec */
    DN_NOT_FINITE, /* a result of a model is not finite: NaN, or too large for a float */
    DN_OTHER_ARITHMETIC, /* a checkpoint continues only with other arithmetic: dn_arithmetic */
};

/* An error message for people: what is wrong, where, and what would be right. */
struct dn_error {
    char text[256];
};

/* A flag that another thread sets to make a long computation return DN_STOPPED. NULL: never. */
typedef const volatile bool dn_stop_flag;

/* A long computation that is not called step by step checks the stop flag every few milliseconds,
 * and calls pause(context). pause may block, so that a program with more work than threads can give
 * the thread to another computation. NULL: neither. */
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
    DN_PATTERN_COUNT,             /* of the patterns of points */
    DN_DIGITS = DN_PATTERN_COUNT, /* images: dn_digits_draw */
    DN_BUILTIN_COUNT
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
enum dn_network_kind { DN_MLP, DN_UNET };
enum dn_given { DN_GIVEN_NONE, DN_GIVEN_ANY };
enum dn_normalization { DN_MINMAX, DN_STANDARDIZE, DN_AS_IT_IS, DN_QUANTILE };
enum dn_loss { DN_MSE, DN_MAE, DN_HUBER };
enum dn_lr_schedule { DN_LR_CONSTANT, DN_LR_COSINE, DN_LR_LINEAR };

/* Limits on a spec; dn_spec_check enforces them. */
enum {
    DN_MAX_POINTS = 1000000,
    DN_MAX_DIM = 64,                               /* of a point */
    DN_MAX_SIDE = 64,                              /* of an image */
    DN_MAX_VALUES = DN_MAX_SIDE * DN_MAX_SIDE * 3, /* of an image */
    DN_MAX_CLASSES = 64,
    DN_MIN_CHANNELS = 16,
    DN_MAX_CHANNELS = 256,
    DN_MAX_BLOCKS = 4,
    DN_MAX_TIMESTEPS = 4000,
    DN_MIN_HIDDEN_SIZE = 8,
    DN_MAX_HIDDEN_SIZE = 1024,
    DN_MAX_HIDDEN_LAYERS = 8,
    DN_MAX_INPUT_FEATURES = 4,
    DN_MAX_OUTPUT_LEVELS = 16,
    DN_MAX_BATCH_SIZE = 65536,
    DN_MAX_EPOCHS = 1000000,
    DN_MAX_SAMPLES = 100000,
    DN_MAX_THREADS = 64,
    DN_EVALUATION_POINTS = 500, /* sample size of dn_evaluate; dn_spec_memory counts on it */
};
#define DN_MIN_BETA       1e-9
#define DN_MAX_BETA_START 0.5
#define DN_MAX_BETA_END   0.999
#define DN_MIN_RATIO_MIN  1e-4
#define DN_MAX_RATIO_MIN  0.5 /* below DN_MIN_RATIO_MAX: noise always grows */
#define DN_MIN_RATIO_MAX  1.0
#define DN_MAX_RATIO_MAX  1e4

/* Where points come from. From a pattern, n training points are drawn, and n * validation_fraction
 * more (rounded down) for validation. Of the n rows of an uploaded set, that fraction is held out
 * for validation. */
enum { DN_UPLOADED = -1 };
struct dn_source {
    int pattern; /* enum dn_pattern, or DN_UPLOADED: the caller provides the points */
    int n;
    uint64_t seed; /* for the draw, or for the choice of held-out rows */
};

/* One source, or a mixture of several, each of which is a class of its own (its index). */
struct dn_dataset_spec {
    int source_count;
    int dim; /* coordinates of a point; 2 for patterns */
    /* of an image, whose dim = height * width * channels values are in the order
     * [height][width][channels]; sides are multiples of 4, and channels 1 or 3; all 0: points */
    int height, width, channels;
    int classes; /* labels are 0..classes-1; 0: the model is unconditional. source_count for a
                    mixture; the number of labels of a single, uploaded source */
    struct dn_source sources[DN_MAX_CLASSES];
};

struct dn_diffusion_spec {
    int timesteps; /* T */
    enum dn_beta_schedule beta_schedule;
    /* linear and quadratic only: ends of the schedule for T = 1000; both are multiplied by 1000/T,
     * so that the total amount of noise does not depend on T (as in Lior Sinai's tutorial) */
    double beta_start, beta_end;
    /* what the network predicts; epsilon needs some signal left at T */
    enum dn_prediction prediction_type;
    bool zero_terminal_snr; /* rescale so that no signal is left at T (Lin et al. 2024); flow
                               schedules leave none anyway */
    /* log_linear only: noise/signal at t = 1 and at T */
    double ratio_min, ratio_max;
};

struct dn_network_spec {
    int hidden_size;   /* H, even */
    int hidden_layers; /* L */
    enum dn_time_embedding time_embedding;
    enum dn_conditioning conditioning; /* how the time embedding is combined with a layer: + or * */
    /* octaves of Fourier features: sin and cos of 3x, 6x, 12x, .. of each coordinate x in model
     * units, which the first layer reads beside x */
    int input_features, output_levels;
    enum dn_network_kind kind; /* of points DN_MLP, to which the members above belong; of images
                                  DN_UNET */
    /* DN_UNET: channels at half and at a quarter of an image's resolution, multiples of 16; and
     * the residual blocks of each, of which there are as many again on the way back */
    int channels[2], blocks[2];
    int patch; /* 2: side of the squares of pixels that the first layer reads as one */
};

struct dn_training_spec {
    int epochs;
    int batch_size;
    double learning_rate;
    enum dn_loss loss;    /* huber: d^2/2 up to |d| = 1, then |d| - 1/2 */
    double min_snr_gamma; /* weights the loss of a point by its SNR (Hang et al. 2023); 0: no
                             weights */
    /* 0: t ~ U{1..T}. Otherwise t is drawn uniformly in atan(ratio_t / timestep_focus), where ratio
     * is noise / signal, so that about half of the points have less noise than the focus. A batch
     * of n takes one t from each n-th of that range (the idea: Karras et al. 2022, sec. 5); with
     * conditioning any, so does each half of a batch */
    double timestep_focus;
    double validation_fraction;          /* see dn_source */
    enum dn_normalization normalization; /* from data units to model units: jointly to [-1, 1], or
                                            per axis to mean 0 and deviation 1/2, or not at all,
                                            or per axis by ranks: see denoise_table.h */
    double ema_decay;    /* 0: none; samples and val_loss then use the raw weights */
    double weight_decay; /* AdamW: per step, all weights shrink by this times the learning rate */
    enum dn_lr_schedule lr_schedule;
    int lr_warmup_steps;  /* steps in which the learning rate rises from 0; then lr_schedule
                             begins */
    double gradient_clip; /* largest global gradient norm; 0: no clipping */
    double p_uncond;      /* fraction of points whose label is hidden, so that the model learns to
                             work without one (Ho & Salimans 2022); no effect without classes */
    /* any: half of the points of a batch show the network a random share of their coordinates, which
     * it may be given in dn_sample_request then */
    enum dn_given conditioning;
    bool keep_best;       /* the model is that of the epoch with the lowest val_loss so far */
    int checkpoint_every; /* epochs */
    int evaluate_every;   /* epochs between evaluations; 0: none. The trainer reads neither this nor
                             checkpoint_every: they are for the caller */
    int threads;          /* for each step; the results do not depend on it. The library takes 0 for
                             1: it is for a caller that then chooses another number */
};

struct dn_spec {
    struct dn_dataset_spec dataset;
    struct dn_diffusion_spec diffusion;
    struct dn_network_spec network;
    struct dn_training_spec training;
    uint64_t seed; /* for weights, shuffles, timesteps and noise; the API allows up to 2^53 - 1 */
};

/* A preset is a complete spec with a name, see dn_preset_names. */
enum {
    DN_PRESET_DEFAULT,
    DN_PRESET_SINAI2022,
    DN_PRESET_TABLE,
    DN_PRESET_IMAGES,
    DN_PRESET_IMAGES_LARGE
};
struct dn_preset {
    const char *doc;
    bool has_budget; /* for other data, dn_spec_budget and dn_spec_checkpoints replace its values */
    struct dn_spec spec;
};
extern const struct dn_preset dn_presets[];
extern const size_t dn_preset_count;

/* Sets the epochs to as many steps as there are training points, but at least 1,000, so that small
 * sets are learned, and at most 12,000, which is enough for large ones: more steps teach a small set
 * by heart. Of less than a batch of points, steps see less: they take 1,000 whole batches' worth of
 * points, up to 2,000 steps. The fields of the data, and batch_size and validation_fraction, must be valid. */
void dn_spec_budget(struct dn_spec *spec);
/* Sets checkpoint_every so that the epochs, which must be valid, save at most 20 checkpoints and
 * the first. */
void dn_spec_checkpoints(struct dn_spec *spec);

/* Reports the first error in a spec, or in the part of it that defines the schedule. */
enum dn_status dn_spec_check(const struct dn_spec *spec, struct dn_error *error);
enum dn_status dn_diffusion_check(const struct dn_diffusion_spec *spec, struct dn_error *error);

/* The number of training and validation points of source k; either pointer may be NULL. */
void dn_source_split(const struct dn_spec *spec, int k, size_t *n, size_t *n_val);

/* The columns of its data that are scaled alike: coordinates, or the channels of images. The transform
 * of a value [..][columns] depends on its column. */
int dn_spec_columns(const struct dn_spec *spec);

/* For a checked spec: steps per epoch (a last, partial batch counts), and number of parameters. */
int dn_spec_steps_per_epoch(const struct dn_spec *spec);
int64_t dn_spec_parameters(const struct dn_spec *spec);

/* The cost of training a checked spec: the maximum memory in bytes (for a trainer and the data that
 * it is made from, and with evaluate_every for a model and dn_evaluate, but not for what the caller
 * provides or saves), the sizes of a checkpoint (exact) and of a model (exact, or with DN_QUANTILE
 * at most this), the floating-point operations of the matrix products of a full batch, forward and
 * backward, and the timesteps that it embeds: all, or the expected number of distinct ones if they
 * are drawn uniformly. */
int64_t dn_spec_memory(const struct dn_spec *spec);
int64_t dn_spec_checkpoint_bytes(const struct dn_spec *spec);
int64_t dn_spec_model_bytes(const struct dn_spec *spec);
double dn_spec_step_flops(const struct dn_spec *spec);
double dn_spec_step_timesteps(const struct dn_spec *spec);

/* ------------------------------------------------------------------ schedules */

/* x_t = signal x_0 + noise eps, and what follows from it: q(x_t | x_{t-1}) = N(sqrt(alpha) x_{t-1},
 * beta), alpha_bar = signal^2, snr = signal^2 / noise^2, and the variance of q(x_{t-1}|x_t,x_0). */
struct dn_schedule_step {
    int t;
    double signal, noise, beta, alpha, alpha_bar, snr, posterior_variance;
};

/* Writes all steps, t = 1..T, into steps [timesteps]. */
enum dn_status dn_schedule_steps(const struct dn_diffusion_spec *spec,
                                 struct dn_schedule_step *steps, struct dn_error *error);

/* Is the signal weak enough to start sampling from pure noise? The limit is 0.01: the mean of
 * x_T then differs from that of noise by at most a tenth of its standard deviation, for data of
 * size 1. */
bool dn_snr_is_noise(double snr);

/* ------------------------------------------------------------------ data */

/* A built-in pattern: a distribution in the plane, mostly on curves, scaled so that the exact
 * pattern (not a draw) lies in [-1,1]^2 and reaches both ends of one axis. Gaussians are unbounded,
 * so they satisfy this only approximately. The doc says how the points are distributed. */
struct dn_pattern_info {
    const char *name;
    const char *doc;
};
extern const struct dn_pattern_info dn_patterns[DN_BUILTIN_COUNT];

/* Writes points first..first+n-1 of the infinite sequence of a seed into points [n][2]. Point i
 * does not depend on n. */
void dn_pattern_draw(enum dn_pattern number, uint64_t seed, uint64_t first, size_t n,
                     float *points);

/* The built-in images: the digits 0 to 9, as if written by hand, white on black, of DN_DIGITS_SIDE
 * pixels each way. They are drawn from strokes and without end, as varied as those of MNIST.
 *
 * Writes images first..first+n-1 of the infinite sequence of a seed into pixels
 * [n][DN_DIGITS_SIDE][DN_DIGITS_SIDE], and which digits they are into labels [n]; either may be NULL.
 * Image i does not depend on n. Of each ten images from a multiple of ten on, one is of each digit. */
enum { DN_DIGITS_SIDE = 28, DN_DIGITS_CLASSES = 10 };
void dn_digits_draw(uint64_t seed, uint64_t first, size_t n, uint8_t *pixels, int32_t *labels);

/* Points to train on, in data units: the training points of all sources in order, then the
 * validation points. The caller owns it; a trainer copies what it needs. */
struct dn_data {
    int dim;
    size_t n, n_val;       /* training, validation */
    const float *points;   /* [n + n_val][dim], finite, at most 1e30 */
    const int32_t *labels; /* [n + n_val] in 0..classes-1, or NULL */
    int classes;           /* 0 without labels */
    const double *values;  /* [n + n_val][dim] instead of points, at most 1e30, NaN: missing; for
                              DN_QUANTILE only */
    const uint8_t *pixels; /* [n + n_val][dim] instead of points: images */
};

/* An uploaded set: what a source with DN_UPLOADED stands for. */
struct dn_upload {
    size_t n;              /* as in its source */
    int dim;               /* as in the spec */
    const float *points;   /* [n][dim] */
    const int32_t *labels; /* [n], or NULL; used only if the set is the only source, and then below
                              the spec's classes */
    const double *values;  /* [n][dim] instead of points, as in dn_data */
    const uint8_t *pixels; /* [n][dim] instead of points, where the spec has images */
};

/* Draws from the patterns of a spec, and splits the uploaded sets: uploads [source_count] is read
 * where a source is DN_UPLOADED, and may be NULL if none is. A million digits take half a minute.
 * Free the result with dn_data_clear. DN_INVALID: the spec is invalid, or an upload does not match
 * it. */
enum dn_status dn_data_draw(const struct dn_spec *spec, const struct dn_upload *uploads,
                            struct dn_data *out, const struct dn_breaks *breaks,
                            struct dn_error *error);
void dn_data_clear(struct dn_data *data);

/* Writes a random permutation of 0..n-1, given by the seed, into order [n]; its first k are a
 * random choice. An uploaded set is split in this order. */
void dn_shuffle(uint64_t seed, int32_t n, int32_t *order);

/* ------------------------------------------------------------------ kernels */

/* The compute kernels exist in variants for several instruction sets ("avx512", "avx2", "baseline",
 * "neon"). Bits are equal within one variant only. A trainer keeps the variant that it was made with
 * (dn_trainer_new_with), and so do the models that it returns; so one program can train with several
 * at once. Everything else uses the default: the best variant that the CPU has, unless
 * dn_kernels_use sets another before anything else is called. DN_INVALID if there is none of this
 * name, or the CPU lacks it. */
const char *dn_kernels_name(void); /* of the default */
enum dn_status dn_kernels_use(const char *name, struct dn_error *error);
/* The variants that the CPU has, best first; i = 0, 1, ..; NULL after the last one. */
const char *dn_kernels_offered(int i);

/* What the bits of a training depend on beside its spec and data, as text: the variant of its
 * kernels, the version of this library's arithmetic and of its checkpoints, and a hash of what the
 * C library computes, as in "avx2/2.6/50f5a5a1a5b5c5d5". Trainings go on to the same bytes wherever
 * this text is the same. */
enum { DN_ARITHMETIC_TEXT = 64 };
void dn_arithmetic(const char *kernels, char text[DN_ARITHMETIC_TEXT]);

/* ------------------------------------------------------------------ models */

/* A trained network with all that sampling needs: schedule, transform, weights. Immutable. */
struct dn_model;

void dn_model_free(struct dn_model *model);
const struct dn_spec *dn_model_spec(const struct dn_model *model);
int dn_model_dim(const struct dn_model *model);
int dn_model_epoch(const struct dn_model *model); /* the epoch of its weights */

/* The transform from data units to model units: model = (data - shift) * scale, of each value [dim].
 * Those of images are bytes, and (byte - 127.5) / 127.5. With DN_QUANTILE, from normal scores: see
 * dn_model_quantile. */
void dn_model_transform(const struct dn_model *model, double *shift, double *scale);

/* Serialized form: a self-contained block of bytes, little-endian, independent of the kernel
 * variant. */
size_t dn_model_bytes(const struct dn_model *model);
void dn_model_save(const struct dn_model *model, void *bytes);
enum dn_status dn_model_load(const void *bytes, size_t size, struct dn_model **out,
                             struct dn_error *error);

/* Access to a model's weights: names and shapes are those of PyTorch's Linear, Embedding and Conv2d,
 * without padding. With layers l = 0..L-1,
 *
 *     h_{l+1} = swish(h_l W_l^T + b_l (+ or *) e_l),    output = h_L W^T + b
 *
 *     h_0: x [dim] in model units; then sin(3x) [dim], cos(3x) [dim], sin(6x), cos(6x), sin(12x), ..
 *          up to network.input_features octaves, where an x beyond 1000 counts as 1000. If
 *          training.conditioning is any, this list has 0 for given coordinates; then follow 1 for
 *          each given coordinate, 0 for others [dim], and the list again, with 0 for the others
 *     layers.l.weight W_l [H][size of h_l],  layers.l.bias b_l [H],  out.weight W [outputs][H],
 *     out.bias [outputs]: dim, or dim output_levels with DN_QUANTILE, see network/levels.h
 *     e_l: learned: row t-1 of layers.l.time.weight [T][H]; sinusoidal: s(t) V^T + v with
 *          layers.l.time.weight V [H][H], layers.l.time.bias v [H], and s(t) [H] is
 *          network_sinusoid(H, t, r) of engine/network/network.h
 *     With classes, e_l has a row of layers.l.label.weight [classes + 1][H] added (last: no label).
 *
 * Those of a U-Net, with the shapes of Conv2d and ConvTranspose2d, too, are in engine/network/unet.h.
 *
 * If the process reaches noise, the moments of the training data follow, in model units, with which
 * samplers restore the variance that estimates leave out (engine/diffusion/moments.h):
 *
 *     moments.mean [dim],  moments.axes [dim][dim] a principal axis in each row,
 *     moments.variance [dim] along each axis,
 *     moments.open [N][dim] the share of what a linear estimate misses along each axis that the
 *     model's estimate misses, at N = min(T, 32) timesteps 1 + (i (T - 1) + (N - 1) / 2) / (N - 1)
 *     (rounded down; T if N = 1) */
struct dn_tensor {
    char name[48];
    int rank;     /* 1, 2 or 4 */
    int shape[4]; /* 0 beyond the rank */
    bool is_moment;
};

/* The number of tensors of a model with this checked spec, and the description of tensor i. */
int dn_spec_tensor_count(const struct dn_spec *spec);
void dn_spec_tensor(const struct dn_spec *spec, int i, struct dn_tensor *out);
size_t dn_spec_tensor_values(const struct dn_spec *spec); /* of all of them */

/* How many of them, the first ones, a model has: all, or all but the moments. */
int dn_model_tensor_count(const struct dn_model *model);
/* Copies the values of tensor i, row-major in its shape. */
void dn_model_tensor(const struct dn_model *model, int i, float *out);

/* The range of the training data in model units [dim], which estimates are clipped to. */
void dn_model_range(const struct dn_model *model, float *low, float *high);

/* The parts of a model. dn_model_build copies them. */
struct dn_model_parts {
    const struct dn_spec *spec;
    int epoch;                           /* 1.. */
    const double *shift, *scale;         /* [dn_spec_columns], see dn_model_transform; scale > 0 */
    const float *low, *high;             /* [dn_spec_columns], see dn_model_range */
    const struct dn_quantile *quantiles; /* [dim] with DN_QUANTILE, see denoise_table.h */
    const int32_t *class_counts;         /* [classes], see dn_model_class_counts; NULL: unknown */
    const float *const *tensors; /* [dn_spec_tensor_count], each row-major in its shape; NULL for
                                    all moments: samplers restore nothing */
};

/* DN_INVALID if the spec is invalid, or a number is not finite or out of range. */
enum dn_status dn_model_build(const struct dn_model_parts *given, struct dn_model **out,
                              struct dn_error *error);

#include "denoise_metrics.h" /* parts of this header, not to be included by themselves */
#include "denoise_sampling.h"
#include "denoise_table.h"
#include "denoise_training.h"

/* ------------------------------------------------------------------ names */

/* Names of an enum's values, in order, ended by NULL: what the API reads and writes. */
extern const char *const dn_preset_names[];
extern const char *const dn_pattern_names[];
extern const char *const dn_beta_schedule_names[];
extern const char *const dn_prediction_names[];
extern const char *const dn_time_embedding_names[];
extern const char *const dn_conditioning_names[];
extern const char *const dn_network_kind_names[];
extern const char *const dn_given_names[];
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
