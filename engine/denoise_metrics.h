/*
 * denoise_metrics.h - the part of denoise.h that compares points with points, and images with images:
 * metrics, evaluation, reports on tables and images, and processes without a network. Include
 * denoise.h.
 */
#ifndef DENOISE_METRICS_H
#define DENOISE_METRICS_H
#ifndef DENOISE_H
#error "include denoise.h"
#endif

/* ------------------------------------------------------------------ metrics */

/* Points [n][dim], in data units. */
struct dn_points {
    const float *points;
    size_t n;
    int dim;
};

/* The distance of a set x from a reference y; 0 is perfect for all except coverage. For two draws
 * of one distribution none of them is 0 (or 1), so compare with the result for such a draw as x.
 * Sums over pairs run in a fixed order, in double. */
enum dn_metric {
    /* 2 E|X-Y| - E|X-X'| - E|Y-Y'| over all pairs, those of a point with itself included (Szekely &
     * Rizzo 2013): not negative, and about E|Y-Y'| (1/n + 1/m) for equal distributions. */
    DN_ENERGY_DISTANCE,
    /* Square root of the mean of squared W2 over 128 fixed directions (Bonneel et al. 2015). */
    DN_SLICED_WASSERSTEIN,
    /* Exact W2: the root of the mean squared distance of the best one-to-one assignment. Sets of
     * equal size up to DN_MAX_ASSIGNMENT, else DN_INVALID. */
    DN_WASSERSTEIN,
    /* Squared maximum mean discrepancy (Gretton et al. 2012) over all pairs, with the kernel
     * exp(-d^2 / (2 s^2)), where s is the median distance between the first 512 points of y (1 if
     * that is 0). */
    DN_MMD,
    /* Sum over x of the squared distance to the nearest y, plus the same over y to x. */
    DN_CHAMFER,
    /* Fraction of y with a point of x no farther away than their fifth nearest neighbor in y (Naeem
     * et al. 2020); higher is better. DN_INVALID for 5 points or fewer. */
    DN_COVERAGE,
    DN_METRIC_COUNT
};
enum { DN_MAX_ASSIGNMENT = 2048 };

/* DN_INVALID too if a set is empty or not finite, or the dimensions differ. */
enum dn_status dn_metric(enum dn_metric which, const struct dn_points *x,
                         const struct dn_points *reference, double *result,
                         const struct dn_breaks *breaks, struct dn_error *error);

/* The nearest point of the reference for each point of x; either result may be NULL: distances [n],
 * and places [n] of those points in the reference. With the training points as reference, a
 * distance of 0 is a copy, and a distance far below that of fresh data means memorization. */
enum dn_status dn_nearest(const struct dn_points *x, const struct dn_points *reference,
                          double *distances, int32_t *places, const struct dn_breaks *breaks,
                          struct dn_error *error);

/* Does the pattern have an exact shape, to which a distance can be computed? All have one except
 * mixtures of Gaussians. */
bool dn_pattern_has_distance(enum dn_pattern number);

/* Euclidean distance from a point to the exact pattern, 0 within an area; if nearest is not NULL,
 * also the closest point. NAN for a pattern without shape. On smooth curves: brute-force seeds,
 * then Newton on the squared distance with a bisection guard; the others in closed form. */
double dn_pattern_distance(enum dn_pattern number, const double point[2], double nearest[2]);

/* The same for many points [n][2]; either result may be NULL: distances [n], nearest [n][2]. */
void dn_pattern_distances(enum dn_pattern number, const float *points, size_t n, double *distances,
                          float *nearest);

/* The mean of these distances; NAN if n is 0. */
double dn_pattern_mean_distance(enum dn_pattern number, const float *points, size_t n);

/* Does every source of a spec have an exact shape? */
bool dn_spec_has_distance(const struct dn_spec *spec);
/* If so: writes the distances from points [n][2] to the shape of the class `label`, or with -1 to
 * the nearest of all shapes, into distances [n]. */
void dn_spec_distances(const struct dn_spec *spec, int label, const float *points, size_t n,
                       double *distances);

/* Points to compare a model with, class by class; `data` is what it was trained and validated on.
 * Patterns: n new points, in proportion to the sources. With uploads: one half of the data, chosen
 * by the seed, or n points of it. `which` is 0 or 1: the two sets have no point in common, so the
 * distance between them is the floor of a metric. DN_INVALID for fewer than two points of data.
 * Free the result with dn_data_clear. */
enum dn_status dn_data_fresh(const struct dn_spec *spec, const struct dn_data *data, int which,
                             uint64_t seed, size_t n, struct dn_data *out, struct dn_error *error);

/* Two metrics of a model, for the history of its training: n points drawn by DDPM with all steps,
 * compared with n fresh data points. */
struct dn_evaluation {
    double curve_distance; /* mean distance to the exact shapes; NAN without */
    double energy_distance;
};
enum dn_status dn_evaluate(const struct dn_model *model, const struct dn_data *data, int n,
                           uint64_t seed, struct dn_evaluation *result, dn_stop_flag *stop,
                           struct dn_error *error);

/* Mean squared errors of eps, per coordinate, in model units, over t ~ U{1..T}, of a model and of
 * the optimal denoiser for the training points: the exact posterior mean E[x_0 | x_t] with x_0
 * uniform over these points. The error of the optimal denoiser depends on the schedule; the excess
 * compares models. */
struct dn_denoising {
    double model, optimal; /* against the noise that was added */
    double excess;         /* against the optimal output; in expectation, model - optimal */
};

/* Over n noised training points of a seed, without labels; the model was trained on `training`. */
enum dn_status dn_denoising_loss(const struct dn_model *model, const struct dn_points *training,
                                 int n, uint64_t seed, struct dn_denoising *result,
                                 const struct dn_breaks *breaks, struct dn_error *error);

/* ------------------------------------------------------------------ tables */

enum { DN_MAX_REPORT_COLUMNS = 1024, DN_MAX_REPORT_LEVELS = 4096 };

/* Rows of a table: values [n][dim], row by row. NaN: missing. */
struct dn_rows {
    const double *values;
    size_t n;
};

/* What a report compares. A column is a number, or a category with the codes 0..levels-1. */
struct dn_table_rows {
    int dim;           /* 1..DN_MAX_REPORT_COLUMNS */
    const int *levels; /* [dim]: 0 for a number, at most DN_MAX_REPORT_LEVELS */
    struct dn_rows training, holdout, synthetic; /* at least 4, any number, at least 2 */
};

/* A figure of the synthetic rows, and the same figure of real rows: what chance alone brings. */
struct dn_measured {
    double value, floor; /* NAN where there are too few rows to measure it */
};

struct dn_column_report {
    /* Numbers: the Kolmogorov-Smirnov distance of the values that are not missing, max |F - G|; 1
     * if all of one set are missing. Categories: the total variation, sum |p - q| / 2, with missing
     * as one of the levels. 1 minus the KSComplement and TVComplement of SDMetrics. */
    struct dn_measured distance;
    struct dn_measured missing; /* |difference of the shares of missing values| */
};

/* How much synthetic rows are like the training rows. The floor of columns, pairs and detection is
 * one random half of the training rows against the other half, so it is a little higher than that
 * of as many rows as there are.
 *
 * A random choice replaces more than 100 000 rows of a set, except for copies. Everything is
 * determined by the rows and the seed. */
struct dn_table_report {
    struct dn_column_report *columns; /* [dim], the caller's */

    /* [dim (dim - 1) / 2], the caller's: (0, 1), (0, 2), .. (1, 2), ... Two numbers: half the
     * difference of their correlations over the rows that have both (0 if they have none in the
     * training rows; 1 if only the synthetic rows have none). Other pairs: the total variation of
     * the joint table, with missing as a level, and numbers in 10 bins of equal width over the
     * range of the training rows. */
    struct dn_measured *pairs;

    struct dn_measured shape; /* mean distance of the columns */
    struct dn_measured trend; /* mean of the pairs; NAN for one column */

    /* The area under the ROC curve of gradient-boosted trees (Friedman 2001) that learn to tell
     * training rows from synthetic ones: 0.5 if they cannot, 1 if always. Up to 2 500 rows of each;
     * the mean over two halves, each judged by the trees of the other half. Below 0.5 by chance
     * only. */
    struct dn_measured detection;

    /* The share of synthetic rows that are nearer to a training row than to one of as many held-out
     * rows: 0.5 if the model knows no more about its training rows than about others. The distance
     * is Gower's (1971): the sum over columns of the difference of ranks, 0..1, or 0 and 1 for
     * equal and different categories. The floor is the share for the other training rows. */
    struct dn_measured nearer_to_training;

    /* The share of rows equal to a training row, in all columns; the floor is that of the held-out
     * rows. */
    struct dn_measured copies;
};

/* DN_INVALID: a size is out of range, or a value is infinite, or a code is not one of its levels.
 */
enum dn_status dn_table_report(const struct dn_table_rows *table, uint64_t seed,
                               struct dn_table_report *report, const struct dn_breaks *breaks,
                               struct dn_error *error);

/* The memory that dn_table_report allocates at most; it reads the numbers of rows, not the rows. */
size_t dn_table_report_bytes(const struct dn_table_rows *table);

/* ------------------------------------------------------------------ images */

/* Images of one size. Sides are multiples of 4 up to 64; there are 1 or 3 channels. */
struct dn_images {
    const uint8_t *pixels; /* [n][height][width][channels] */
    const int32_t *labels; /* [n] in 0..classes-1, or NULL where they are not needed */
    size_t n;
    int height, width, channels;
};

/* A judge looks at images in place of a person: LeNet-5 (LeCun et al. 1998, see
 * engine/metrics/lenet.h), which has learned to tell the classes of a data set. It is a function of
 * the images, their order, the seed, and the variant of the kernels. */
struct dn_judge;
enum { DN_JUDGE_FEATURES = 84 };

/* Learns the classes (2..DN_MAX_CLASSES) of the images, whose labels must be given; see
 * engine/metrics/judge.c for how. Free the result with dn_judge_free. DN_INVALID: a size or a label is
 * out of range, or there are no images. */
enum dn_status dn_judge_train(const struct dn_images *images, int classes, uint64_t seed,
                              struct dn_judge **out, const struct dn_breaks *breaks,
                              struct dn_error *error);
void dn_judge_free(struct dn_judge *judge); /* NULL is fine */
int dn_judge_classes(const struct dn_judge *judge);
/* The memory that dn_judge_train takes at most; it reads sizes only. */
size_t dn_judge_training_bytes(const struct dn_images *images, int classes);

/* Serialized form: a self-contained block of bytes, little-endian, independent of the kernel variant.
 * DN_CORRUPT: the bytes are not those of a judge. */
size_t dn_judge_bytes(const struct dn_judge *judge);
void dn_judge_save(const struct dn_judge *judge, void *bytes);
enum dn_status dn_judge_load(const void *bytes, size_t size, struct dn_judge **out,
                             struct dn_error *error);

/* What the judge sees in each image: features [n][DN_JUDGE_FEATURES], the outputs of the last layer but
 * one, and the most likely class [n]; either may be NULL. The result for an image does not depend on
 * the others. DN_INVALID: images of another size. */
enum dn_status dn_judge_look(const struct dn_judge *judge, const struct dn_images *images,
                             float *features, int32_t *classes, const struct dn_breaks *breaks,
                             struct dn_error *error);

/* The Frechet distance of two sets of points, each seen as a Gaussian with the set's mean m and
 * covariance S (over n - 1): |m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)), as in Heusel et al.
 * 2017. Of a judge's features it is the FLD, the Frechet LeNet distance: only values of the same judge
 * compare, and the fewer points, the larger it is for equal distributions. DN_INVALID for fewer than
 * two points in a set, or different dimensions, or a point that is not finite. */
enum { DN_MAX_FRECHET_DIM = 1024 };
enum dn_status dn_frechet_distance(const struct dn_points *x, const struct dn_points *y,
                                   double *result, const struct dn_breaks *breaks,
                                   struct dn_error *error);

/* For each image of x the nearest image of the reference, the first of equally near ones; either
 * result may be NULL: distances [n], and places [n] in the reference. The distance is the root of the
 * mean square of the differences between bytes, over 255: 0 for a copy, 1 for black and white. */
enum dn_status dn_images_nearest(const struct dn_images *x, const struct dn_images *reference,
                                 double *distances, int32_t *places, const struct dn_breaks *breaks,
                                 struct dn_error *error);

/* A search for the k nearest images of a set, piece by piece. */
struct dn_neighbor {
    int32_t place;   /* in the set */
    int32_t squares; /* the sum of the squares of the differences between bytes */
};
#define DN_NO_NEIGHBOR ((struct dn_neighbor){-1, INT32_MAX})
/* Compares each image of x with a piece of the set, whose first image has the place `first`: pieces come
 * in their order. neighbors [x->n][k] has the nearest so far, the nearest first, and of equally near ones
 * the first; before the first piece, all are DN_NO_NEIGHBOR. The images must have one size. */
void dn_images_neighbors(const struct dn_images *x, const struct dn_images *piece, int first, int k,
                         struct dn_neighbor *neighbors);

/* What a report compares: images of one size. */
struct dn_image_sets {
    struct dn_images training, holdout, generated; /* at least 2, any number, at least 2 */
    const struct dn_judge *judge;                  /* of the training images; NULL: none */
};

/* How much generated images are like the data. The floor of a figure is what real images get. The
 * first 10 000 of the generated and of the held-out images count, and for distances the first 1 000,
 * or fewer if there are very many to compare with; of the training images, a random choice of as many.
 * NAN where a set is too small, or there is no judge. Everything is determined by the images and the
 * seed. */
struct dn_image_report {
    /* The Frechet distance of the judge's features between generated and held-out images; the floor is
     * that of as many training images. */
    struct dn_measured fld;
    /* The share of generated images in which the judge sees the class of their label. The floor is that
     * of the held-out images: what a perfect model would get. */
    struct dn_measured accuracy;
    /* [classes][classes], the caller's, or NULL: the number of generated images with the label of a
     * row in which the judge sees the class of a column. */
    int32_t *confusion;
    /* The mean distance to the nearest training image (dn_images_nearest); the floor is that of the
     * held-out images. */
    struct dn_measured nearest;
    /* The share of images that are nearer to one of the training images than to one of as many
     * held-out images, as in dn_table_report: 0.5 if the model knows no more about its training images
     * than about others. The floor is the share for other training images. */
    struct dn_measured nearer_to_training;
    /* The share of images that are equal to a training image; the floor is that of the held-out
     * images. */
    struct dn_measured copies;
};

/* DN_INVALID: a set is too small, sizes of images differ, or a label is not a class of the judge. */
enum dn_status dn_image_report(const struct dn_image_sets *sets, uint64_t seed,
                               struct dn_image_report *report, const struct dn_breaks *breaks,
                               struct dn_error *error);
/* The memory that dn_image_report allocates at most; it reads sizes only. */
size_t dn_image_report_bytes(const struct dn_image_sets *sets);

/* ------------------------------------------------------------------ log-density */

/* The log-density of a model at points, by the probability-flow ODE with the exact divergence
 * (engine/sampling/score.h), in nats and model units; in data units, add the sum of ln scale
 * (dn_model_transform) over the axes. It is the density of the data smoothed by the noise of the
 * first timestep: data on a curve has no density without noise.
 *
 * With DN_QUANTILE, a value that owns an interval of shares (see denoise_table.h) has a probability:
 * the density in shares u at the middle of the interval, times its length. Columns that interpolate
 * have densities of their normal scores. So the sum over all values of the former, of the integrals
 * over the latter, is 1. */
struct dn_score_request {
    const double *points; /* [n][dim] in data units, finite; with DN_QUANTILE, NaN: missing */
    int n;                /* 1..DN_MAX_SAMPLES */
    int label;            /* the density of this class; -1: without a label */
    int steps;            /* maximum, 1..T; 0: DN_SCORE_STEPS or T, whichever is less */
};
enum { DN_SCORE_STEPS = 64 };

/* Writes log_density [n]. The result of a point does not depend on the others. DN_INVALID, with the
 * reason; DN_NOT_FINITE, which says for which point. */
enum dn_status dn_score(const struct dn_model *model, const struct dn_score_request *request,
                        double *log_density, const struct dn_breaks *breaks,
                        struct dn_error *error);
/* For a valid request: the maximum memory that dn_score uses, and the floating-point operations of the
 * matrix products for a point. */
size_t dn_score_bytes(const struct dn_model *model, const struct dn_score_request *request);
double dn_score_flops(const struct dn_model *model, const struct dn_score_request *request);

/* ------------------------------------------------------------------ processes without a network */

/* `fit` defines the model units of the data: joint min-max of its points; NULL for patterns, which
 * are in model units already.
 *
 * The forward process q(x_t | x_{t-1}) from points [n][dim], one path each, into x
 * [frames][n][dim]: the states after dn_frame_step(k, frames, T) steps. Point i is the same for
 * every n. */
enum dn_status dn_forward(const struct dn_diffusion_spec *spec, const struct dn_points *points,
                          const struct dn_points *fit, uint64_t seed, int frames, float *x,
                          const struct dn_breaks *breaks, struct dn_error *error);

/* The N(0, I) that sampling with this seed starts from, in data units, into points [n][dim]. */
void dn_noise(uint64_t seed, size_t n, int dim, const struct dn_points *fit, float *points);

/* From `from` to `to` [values] in equal steps, into x [frames][values]; frames >= 2. */
void dn_straight_lines(const float *from, const float *to, size_t values, int frames, float *x);

#endif
