/*
 * denoise_sampling.h - the part of denoise.h that draws points from a model. Include denoise.h.
 */
#ifndef DENOISE_SAMPLING_H
#define DENOISE_SAMPLING_H
#ifndef DENOISE_H
#error "include denoise.h"
#endif

/* The samplers. All use the network's estimates of x_0 at the timesteps of their steps;
 * engine/diffusion/plan.c has the equations and describes each one. With the moments of its data, a
 * model's samples have their mean and covariance, whatever the sampler and the number of steps, if
 * the data is Gaussian and the estimates are right: each step restores the variance that estimates
 * leave out (engine/diffusion/plan.h). Not so the samples of a class, of which the moments say
 * nothing. */
enum dn_sampler {
    DN_DDPM,     /* Ho et al. 2020, algorithm 2: the posterior at each step */
    DN_DDIM,     /* Song, Meng, Ermon 2021 */
    DN_DPMPP_2M, /* Lu et al. 2022, DPM-Solver++ */
    DN_HEUN,
    DN_EULER,        /* the same as DDIM with eta 0, whatever the schedule */
    DN_DPMPP_2M_SDE, /* Lu et al. 2022, SDE-DPM-Solver++: the noise of DDPM, of second order */
    DN_SAMPLER_COUNT
};
struct dn_sampler_info {
    const char *doc; /* what it does, as a phrase that follows its name */
    double eta;      /* share of fresh noise in each step: 0 none, 1 as DDPM; NAN: the request's */
    int evaluations; /* network evaluations per step; the last step needs one */
};
extern const struct dn_sampler_info dn_samplers[DN_SAMPLER_COUNT];

/* If all members but n are zero: DDPM in T steps, without labels. */
struct dn_sample_request {
    int first;     /* index of the first point, so that a request can be split into ranges */
    int n;         /* points, 1..DN_MAX_SAMPLES */
    uint64_t seed; /* for the start noise and the fresh noise */
    enum dn_sampler sampler;
    int steps;  /* S, 1..T; 0: T */
    double eta; /* 0..1; ignored if the sampler has its own */
    bool clip;  /* clip the x0 estimate to the range of the training data, axis by axis; otherwise
                   errors of a network that predicts epsilon are multiplied by n_t / s_t */
    const float *noise; /* start points x_T [n][dim] in data units, or NULL: N(0, I) in model units
                           from the seed */
    /* Known coordinates in data units, NAN where they are to be drawn: rows [..][dim], of which
     * point i of the seed's sequence has row i / draws; draws 0: all have row 0. NULL: nothing is
     * known. The model must be trained for it (training.conditioning). Results have known
     * coordinates as given, noised in frames of x before the last. -INFINITY: known missing. */
    const double *given;
    int draws;
    const int32_t *given_labels; /* of each row; -1: as `label` says. NULL: of none */
    bool never_missing;          /* see DN_FILL_PASSES */
    /* Classifier-free guidance (Ho & Salimans 2022): the network's output without a label, plus
     * `guidance` times the difference that the label makes. 1: only with the label; 0: only
     * without; any other value takes twice as many evaluations. Must be 0 without classes. */
    double guidance; /* 0..DN_MAX_GUIDANCE */
    /* Where noise / signal (model units) is outside of this interval, only the output with the label
     * counts, in one evaluation (Kynkäänniemi et al. 2024). 0 <= min <= max <= DN_MAX_RATIO_MAX, as
     * which higher ratios count: no limit; a max of 0 stands for it. Ignored if guidance is 0 or 1. */
    double guidance_ratio_min, guidance_ratio_max;
    int label; /* a class, or see below; ignored if guidance is 0 */
    /* How many of the classes, the first ones, are drawn where none is asked for; 0: all. A point that
     * would have another one gets one of them, by their frequencies; the others stay as they are. */
    int drawn_classes;
    int frames; /* F, number of frames to keep, see dn_frame_step; 2..S + 1, or 0: all */
    /* How many points in a row have the same noise, at the start and fresh: point i of the seed's
     * sequence has the noise that point i / per_noise has otherwise; 0: 1. With as many as there are
     * classes and DN_LABELS_IN_TURN, each class is drawn from the same noises. */
    int per_noise;
};
enum {
    DN_LABELS_IN_TURN = -1, /* point j has the label j modulo classes */
    /* As often as in the data: a point's label is a function of the seed and its index, such that
     * the labels of any run of points have nearly the frequencies of the data. In turn, if all
     * classes are equally frequent or their frequencies are unknown. */
    DN_LABELS_BY_FREQUENCY = -2,
    DN_MAX_GUIDANCE = 100,
};

/* A process of S steps has S + 1 states. When only F of them are kept, frame k is the state after
 * this number of steps: the frames are evenly spaced and include the first and the last state. */
int dn_frame_step(int k, int frames, int steps);

/* Where the results go, in data units; NULL: not wanted. A frame of x and x0 has `frame_points`
 * points (0: n), of which a split request writes its n. */
struct dn_sample_result {
    size_t frame_points;
    float *points;  /* [n][dim]; with DN_QUANTILE, NaN: missing */
    double *values; /* the same in full precision; a request that is split moves this on, too */
    float *x;       /* [F][n][dim]: x_T (the start noise), .., x_0; F = S+1 unless thinned */
    float *x0;      /* [F-1][n][dim]: the estimate of x_0 made from each frame of x but the last */
};

/* Draws points. Point i is the same for every n. DN_INVALID, with the reason; DN_NOT_FINITE, and
 * what to change, if a result is not finite. */
enum dn_status dn_sample(const struct dn_model *model, const struct dn_sample_request *request,
                         const struct dn_sample_result *result, dn_stop_flag *stop,
                         struct dn_error *error);

/* The same, one step of one block of points per call, with any amount of time between calls. A step
 * of the largest network of points takes about 10 ms; that of images up to a second, so the breaks
 * are taken within it, too. After DN_STOPPED, which a step returns before it begins, the next call
 * goes on. It copies the request and the result structures; the caller keeps the model, the noise,
 * the arrays and the breaks until it is freed. */
struct dn_sampling;
enum dn_status dn_sampling_new(const struct dn_model *model,
                               const struct dn_sample_request *request,
                               const struct dn_sample_result *result,
                               const struct dn_breaks *breaks, struct dn_sampling **out,
                               struct dn_error *error);
void dn_sampling_free(struct dn_sampling *sampling); /* NULL is fine */
bool dn_sampling_done(const struct dn_sampling *sampling);
/* Does nothing when the sampling is done. After DN_NOT_FINITE only dn_sampling_free may follow. */
enum dn_status dn_sampling_step(struct dn_sampling *sampling, struct dn_error *error);
/* The maximum memory that a dn_sampling uses, without the result. */
size_t dn_sampling_bytes(const struct dn_model *model, const struct dn_sample_request *request);

/* The sampler and the number of steps that suit a model with this spec. ddpm leaves out some
 * variance, which can be restored only if nothing is given, and which shows in the shares of a
 * table's values (DN_QUANTILE); 50 steps of second order are enough for those, and 20 for images. With
 * given coordinates, fresh noise corrects what a model of few points has not learned exactly. Guidance
 * makes the images of a class clearer, if training has hidden labels: of those of MNIST, where noise is
 * 0.2 to 5 times the signal, with less loss of variety than everywhere. */
struct dn_usual_sampling {
    enum dn_sampler sampler;
    int steps;
    double guidance, guidance_ratio_min, guidance_ratio_max; /* guidance: 0 without classes */
};
struct dn_usual_sampling dn_sample_usual(const struct dn_spec *spec, bool is_given);

/* For a valid request: the timesteps of its S + 1 states, T, .., 0. */
void dn_sample_timesteps(const struct dn_model *model, const struct dn_sample_request *request,
                         int *timesteps);
/* Number of network evaluations per point. */
int dn_sample_evaluations(const struct dn_model *model, const struct dn_sample_request *request);
/* The label of point i of the request; -1: none. */
int dn_sample_label(const struct dn_model *model, const struct dn_sample_request *request, int i);

#endif
