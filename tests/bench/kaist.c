/*
 * kaist.c - the Swiss roll of a published course, by its own protocol.
 *
 * usage: kaist [SEEDS]
 *
 * KAIST CS492(D), "Diffusion Models and Their Applications", assignments 1 and 2: scikit-learn's
 * Swiss roll with its hole, minus its mean, over its deviation, times 2; T = 1000, linear betas
 * 1e-4..0.02, a network 128 wide that predicts epsilon, Adam, 5 000 steps of 128 points.
 * Judged by the Chamfer distance (sums of squares, both ways) of 2 048 generated points to the
 * first 2 048 of the data; full marks are less than 20 for DDPM and less than 60 for DDIM in 50
 * steps. The course's own run has 18.7. What the protocol leaves open is ours: how timesteps are
 * drawn in training, averaged weights, size and decay of the steps; chosen by seeds 100 to 104. The
 * network has the course's 3 hidden layers. Then the same data with the default preset.
 *
 * Medians over the seeds; seconds are the processor time of training and of drawing, on one core.
 */
#include <math.h>

#include "tests/bench/measure.h"

enum { POINTS = 2048 };

static const struct dn_spec protocol = {
    .dataset = {.source_count = 1,
                .dim = 2,
                .sources = {{.pattern = DN_UPLOADED, .n = 5000 * 128}}},
    .diffusion = {.timesteps = 1000,
                  .beta_schedule = DN_BETA_LINEAR,
                  .beta_start = 1e-4,
                  .beta_end = 0.02,
                  .prediction_type = DN_EPSILON},
    .network = {.hidden_size = 128,
                .hidden_layers = 3,
                .time_embedding = DN_SINUSOIDAL,
                .conditioning = DN_MULTIPLY},
    .training = {.epochs = 1,
                 .batch_size = 128,
                 .learning_rate = 3e-3,
                 .loss = DN_MSE,
                 .timestep_focus = 0.35,
                 .normalization = DN_AS_IT_IS,
                 .ema_decay = 0.99,
                 .lr_schedule = DN_LR_COSINE,
                 .checkpoint_every = 1,
                 .threads = 1},
};

/* One row of the table: a way to draw from the model of the row's recipe. */
static const struct row {
    const char *name;
    bool is_default; /* the preset, else the protocol */
    enum dn_sampler sampler;
    int steps; /* 0: T */
} rows[] = {
    {"protocol, ddpm, 1000 steps", false, DN_DDPM, 0},
    {"protocol, ddim, 50 steps", false, DN_DDIM, 50},
    {"protocol, dpmpp_2m, 50 steps", false, DN_DPMPP_2M, 50},
    {"default, ddpm, 100 steps", true, DN_DDPM, 0},
    {"default, ddim, 50 steps", true, DN_DDIM, 50},
    {"default, dpmpp_2m, 10 steps", true, DN_DPMPP_2M, 10},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

/* The data in the course's units. The built-in pattern is the same roll in another size. */
static float *draw(uint64_t seed, size_t n) {
    float *points = malloc(2 * n * sizeof *points);
    double sum = 0, squares = 0;
    if (!points)
        exit(1);
    dn_pattern_draw(DN_SWISS_ROLL, seed, 0, n, points);
    for (size_t i = 0; i < 2 * n; i++)
        sum += (double)points[i], squares += (double)points[i] * (double)points[i];
    const double mean = sum / (double)(2 * n);
    const double deviation = sqrt(squares / (double)(2 * n) - mean * mean);
    for (size_t i = 0; i < 2 * n; i++)
        points[i] = (float)(((double)points[i] - mean) / deviation * 2);
    return points;
}

static double chamfer(const float *a, const float *b) {
    struct dn_error error = {""};
    double result;
    must(dn_metric(DN_CHAMFER, &(struct dn_points){a, POINTS, 2}, &(struct dn_points){b, POINTS, 2},
                   &result, NULL, &error),
         &error);
    return result;
}

/* Of one seed: seconds of training and drawing, and the distance, of each row; and the floor. */
struct result {
    double training[ROWS], drawing[ROWS], distance[ROWS], floor;
};

/* All rows of one recipe. */
static void measure(bool is_default, int seed, const float *points, struct result *result) {
    static float samples[2 * POINTS];
    struct dn_error error = {""};
    struct dn_spec spec = protocol;
    if (is_default) {
        spec = dn_presets[0].spec;
        spec.dataset.sources[0].pattern = DN_UPLOADED;
        spec.training.validation_fraction = 0;
    }
    spec.seed = (uint64_t)seed;
    double began = now();
    struct dn_data data = {.dim = 2, .n = (size_t)spec.dataset.sources[0].n, .points = points};
    struct dn_model *model = train(&spec, &data);
    const double seconds = now() - began;
    for (int i = 0; i < ROWS; i++) {
        if (rows[i].is_default != is_default)
            continue;
        struct dn_sample_request request = {.n = POINTS,
                                            .seed = (uint64_t)seed + 100,
                                            .sampler = rows[i].sampler,
                                            .steps = rows[i].steps,
                                            .clip = true};
        began = now();
        must(
            dn_sample(model, &request, &(struct dn_sample_result){.points = samples}, NULL, &error),
            &error);
        result->training[i] = seconds;
        result->drawing[i] = now() - began;
        result->distance[i] = chamfer(samples, points);
    }
    dn_model_free(model);
}

int main(int count, char **arguments) {
    static struct result results[MAX_SEEDS];
    const int seeds = count > 1 ? atoi(arguments[1]) : 5;
    if (seeds < 1 || seeds > MAX_SEEDS) {
        fprintf(stderr, "usage: kaist [SEEDS]\n");
        return 2;
    }
    for (int seed = 0; seed < seeds; seed++) {
        float *points = draw((uint64_t)seed, 5000 * 128);
        measure(false, seed, points, &results[seed]);
        measure(true, seed, points, &results[seed]);
        results[seed].floor = chamfer(points + 2 * POINTS, points);
        free(points);
    }
    printf("%-30s %9s %9s %9s\n", "", "training", "drawing", "Chamfer");
    for (int i = 0; i < ROWS; i++)
        printf("%-30s %9.2f %9.2f %9.2f\n", rows[i].name, MEDIAN(training[i]), MEDIAN(drawing[i]),
               MEDIAN(distance[i]));
    printf("%-50s %9.2f\n", "other points of the data", MEDIAN(floor));
    return 0;
}
