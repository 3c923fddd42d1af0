/*
 * bench.c - how fast the engine is, as shares of what the machine can do in the same run.
 *
 * usage: bench                  the whole table
 *        bench NAME ROUNDS      seconds of one measurement, a line for each round (for the peers)
 *
 * Arithmetic is counted by hand from the shapes: what the algorithm needs, without padding.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/denoise.h"
#include "server/base/sha256.h"
#include "tests/bench/peak.h"

/* ------------------------------------------------------------------ what is measured */

struct work {
    const char *name, *what;
    int preset, dim, hidden, layers, timesteps, batch, samples; /* samples 0: a training step */
    int repeats;                                                /* in one measurement */
};

static const struct work works[] = {
    {"train", "training step, sinai2022 (H 32, batch 32)", DN_PRESET_SINAI2022, 2, 32, 3, 40, 32, 0,
     2000},
    {"train-default", "training step, default preset", DN_PRESET_DEFAULT, 2, 32, 6, 100, 512, 0,
     100},
    {"train-wide", "training step, H 128, batch 512", DN_PRESET_SINAI2022, 2, 128, 3, 40, 512, 0,
     40},
    {"train-table", "training step, preset table, 14 columns, 2 classes", DN_PRESET_TABLE, 14, 128,
     3, 100, 512, 0, 56},
    {"sample", "1 000 points in 40 steps, H 32", DN_PRESET_SINAI2022, 2, 32, 3, 40, 32, 1000, 10},
    {"sample-wide", "100 000 points in 40 steps, H 128", DN_PRESET_SINAI2022, 2, 128, 3, 40, 512,
     100000, 1},
};
enum { WORKS = sizeof works / sizeof works[0] };

/* What the first layer reads for a coordinate, see engine/network/inputs.h. */
static int inputs(const struct work *w) {
    return 1 + 2 * dn_presets[w->preset].spec.network.input_features;
}

enum { FEW = 8 }; /* values of a column with few */

/* Columns of a table with few values: every third. */
static bool has_few(int column) {
    return column % 3 == 1;
}

/* Of the last layer: where columns with few values have levels, one for each value. */
static int outputs(const struct work *w) {
    int count = w->dim;
    for (int j = 0; j < w->dim && dn_presets[w->preset].spec.network.output_levels > 0; j++)
        count += has_few(j) ? FEW - 1 : 0;
    return count;
}

/* Multiplications and additions of one measurement, per repeat. */
static double flops(const struct work *w) {
    double H = w->hidden, L = w->layers, T = w->timesteps, D = w->dim, I = D * inputs(w);
    double forward = 2 * (I * H + (L - 1) * H * H + H * outputs(w));
    double embedding = 2 * L * H * H; /* for each distinct timestep */
    if (w->samples)
        return w->samples * T * forward + T * embedding;
    double backward = 2 * forward - 2 * I * H; /* no gradient of the input is needed */
    double distinct = T * (1 - pow(1 - 1 / T, w->batch));
    return w->batch * (forward + backward) + distinct * 2 * embedding;
}

struct subject {
    struct dn_trainer *trainer;
    struct dn_model *model;
    float *points;
};

/* Columns that go together, and labels: a third with many values, a third with few, and a third of which
 * each value is repeated less often than the one before. */
static double *draw_table(size_t n, int dim, int32_t *labels) {
    double *values = malloc(n * (size_t)dim * sizeof *values);
    for (size_t i = 0; i < n; i++) {
        const double common = rand() / (double)RAND_MAX;
        labels[i] = common > 0.75;
        for (int j = 0; j < dim; j++) {
            const double u = (common + rand() / (double)RAND_MAX) / 2;
            values[i * (size_t)dim + (size_t)j] = has_few(j)   ? floor(FEW * u)
                                                  : j % 3 == 0 ? u
                                                               : floor(3 * exp(4 * u));
        }
    }
    return values;
}

static struct subject prepare(const struct work *w) {
    struct dn_spec spec = dn_presets[w->preset].spec;
    struct dn_error error;
    struct subject subject = {0};
    spec.network.hidden_size = w->hidden;
    spec.training.batch_size = w->batch;
    spec.training.validation_fraction = 0;
    spec.dataset.sources[0].n = w->batch * w->repeats; /* an epoch is one measurement */
    if (w->samples)
        spec.dataset.sources[0].n = 1000;
    spec.training.epochs = 10000;
    spec.dataset.dim = w->dim;
    struct dn_data data = {.dim = w->dim, .n = (size_t)spec.dataset.sources[0].n};
    double *values = NULL;
    int32_t *labels = NULL;
    if (w->dim > 2) {
        spec.dataset.sources[0].pattern = DN_UPLOADED;
        data.classes = spec.dataset.classes = 2;
        data.labels = labels = malloc(data.n * sizeof *labels);
        data.values = values = draw_table(data.n, w->dim, labels);
    }
    if (dn_trainer_new(&spec, values ? &data : NULL, &subject.trainer, &error) != DN_OK ||
        dn_trainer_model(subject.trainer, &subject.model, &error) != DN_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    free(values);
    free(labels);
    subject.points = malloc(sizeof(float) * (size_t)w->dim * (size_t)(w->samples + 1));
    return subject;
}

static void dispose(struct subject *subject) {
    dn_model_free(subject->model);
    dn_trainer_free(subject->trainer);
    free(subject->points);
}

/* Seconds of one repeat. */
static double measure(const struct work *w, struct subject *subject) {
    struct dn_epoch epoch;
    double began = now();
    if (w->samples) {
        struct dn_sample_request request = {.n = w->samples, .clip = true};
        struct dn_sample_result result = {.points = subject->points};
        for (int i = 0; i < w->repeats; i++)
            dn_sample(subject->model, &request, &result, NULL, NULL);
    } else {
        dn_trainer_epoch(subject->trainer, NULL, &epoch, NULL);
    }
    return (now() - began) / w->repeats;
}

/* ------------------------------------------------------------------ the table */

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { ROUNDS = 11 };

static double median(double *values) {
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

static void print_work(const struct work *w) {
    struct subject subject = prepare(w);
    double seconds[ROUNDS], share[ROUNDS];
    measure(w, &subject);
    for (int i = 0; i < ROUNDS; i++) { /* the peak beside each: the clock and the neighbors vary */
        double before = peak();
        seconds[i] = measure(w, &subject);
        share[i] = flops(w) / seconds[i] * 1e-9 / fmax(before, peak());
    }
    double middle = median(seconds), shares = median(share);
    double spread = (seconds[ROUNDS * 3 / 4] - seconds[ROUNDS / 4]) / middle;
    printf("%-46s %12.1f us  +-%2.0f %%  %6.1f GFLOP/s  %3.0f %% of peak", w->what, 1e6 * middle,
           50 * spread, flops(w) / middle * 1e-9, 100 * shares);
    if (w->samples)
        printf("  %8.0f points/s", w->samples / middle);
    else
        printf("  %8.0f steps/s", 1 / middle);
    printf("\n");
    dispose(&subject);
}

/* ------------------------------------------------------------------ samplers */

struct way {
    const char *what;
    struct dn_sample_request request;
};

#define POINTS .n = 1000, .clip = true
static const struct way ways[] = {
    {"ddpm, all 40 steps", {POINTS, .sampler = DN_DDPM}},
    {"ddpm, 10 steps", {POINTS, .sampler = DN_DDPM, .steps = 10}},
    {"ddim, 10 steps", {POINTS, .sampler = DN_DDIM, .steps = 10}},
    {"dpmpp_2m, 10 steps", {POINTS, .sampler = DN_DPMPP_2M, .steps = 10}},
    {"heun, 5 steps", {POINTS, .sampler = DN_HEUN, .steps = 5}},
    {"euler, 10 steps", {POINTS, .sampler = DN_EULER, .steps = 10}},
    {"dpmpp_2m, one label", {POINTS, .sampler = DN_DPMPP_2M, .steps = 10, .guidance = 1}},
    {"dpmpp_2m, labels in turn",
     {POINTS, .sampler = DN_DPMPP_2M, .steps = 10, .guidance = 1, .label = DN_LABELS_IN_TURN}},
    {"dpmpp_2m, labels in turn, guidance 2",
     {POINTS, .sampler = DN_DPMPP_2M, .steps = 10, .guidance = 2, .label = DN_LABELS_IN_TURN}},
};

/* H 32, T 40; with three classes, where the request has labels. */
static struct dn_model *sampled_model(bool classes) {
    struct dn_spec spec = dn_presets[1].spec;
    struct dn_trainer *trainer;
    struct dn_model *model;
    for (int k = 0; classes && k < DN_PATTERN_COUNT; k++)
        spec.dataset.sources[k].pattern = k;
    for (int k = 0; k < DN_PATTERN_COUNT; k++)
        spec.dataset.sources[k].n = 100;
    if (classes)
        spec.dataset.source_count = spec.dataset.classes = DN_PATTERN_COUNT;
    if (dn_trainer_new(&spec, NULL, &trainer, NULL) != DN_OK ||
        dn_trainer_model(trainer, &model, NULL) != DN_OK)
        exit(1);
    dn_trainer_free(trainer);
    return model;
}

static void print_way(const struct way *way) {
    static float points[2 * 1000];
    struct dn_model *model = sampled_model(way->request.guidance > 0);
    const struct dn_sample_result result = {.points = points};
    enum { REPEATS = 20 };
    double seconds[ROUNDS];
    for (int i = -1; i < ROUNDS; i++) { /* the first does not count */
        double began = now();
        for (int r = 0; r < REPEATS; r++)
            dn_sample(model, &way->request, &result, NULL, NULL);
        if (i >= 0)
            seconds[i] = (now() - began) / REPEATS;
    }
    const double middle = median(seconds);
    const int evaluations = dn_sample_evaluations(model, &way->request);
    printf("sampling, %-36s %12.1f us  %3d evaluations  %10.0f points/s  %6.1f ns/evaluation\n",
           way->what, 1e6 * middle, evaluations, way->request.n / middle,
           1e9 * middle / way->request.n / evaluations);
    dn_model_free(model);
}

/* ------------------------------------------------------------------ matrix products */

static void print_gemm(size_t m, size_t n, size_t k) {
    const struct kernels *kernels = kernels_get();
    float *a = floats_new(m * k), *b = floats_new(k * n), *c = floats_new(m * n);
    for (size_t i = 0; i < m * k; i++)
        a[i] = (float)(i % 7) - 3;
    for (size_t i = 0; i < k * n; i++)
        b[i] = (float)(i % 5) - 2;
    const double work = 2.0 * (double)(m * n * k);
    const int repeats = (int)(2e7 / work) + 1;
    double seconds[ROUNDS], share[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        double before = peak(), began = now();
        for (int r = 0; r < repeats; r++)
            kernels->gemm(m, n, k, a, k, 1, b, n, c, n, NULL, false);
        seconds[i] = (now() - began) / repeats;
        share[i] = work / seconds[i] * 1e-9 / fmax(before, peak());
    }
    double middle = median(seconds);
    printf("matrix product %4zu x %3zu x %4zu %16s %12.1f us         %6.1f GFLOP/s  %3.0f %% of "
           "peak\n",
           m, n, k, "", 1e6 * middle, work / middle * 1e-9, 100 * median(share));
    free(a), free(b), free(c);
}

/* ------------------------------------------------------------------ checkpoints */

static const struct {
    const char *what;
    int preset, hidden, layers; /* 0: the preset's */
} checkpoints[] = {
    {"sinai2022", 1, 0, 0},
    {"default preset", 0, 0, 0},
    {"H 128, 3 layers", 0, 128, 3},
    {"H 1024, 8 layers", 0, 1024, 8},
};

/* What training waits for: the server makes one every 2 s, writes it on another thread, and waits
 * longer where making one takes more than 2 % of the time. */
static void print_checkpoint(size_t which) {
    struct dn_spec spec = dn_presets[checkpoints[which].preset].spec;
    struct dn_trainer *trainer;
    char digest[SHA256_TEXT];
    double seconds[ROUNDS];
    if (checkpoints[which].hidden) {
        spec.network.hidden_size = checkpoints[which].hidden;
        spec.network.hidden_layers = checkpoints[which].layers;
    }
    if (dn_trainer_new(&spec, NULL, &trainer, NULL) != DN_OK)
        exit(1);
    const size_t size = dn_trainer_bytes(trainer);
    for (int i = 0; i < ROUNDS; i++) {
        const double began = now();
        void *bytes = malloc(size);
        dn_trainer_save(trainer, bytes);
        sha256_text(bytes, size, digest);
        seconds[i] = now() - began;
        free(bytes);
    }
    const double middle = median(seconds);
    printf("checkpoint, %-34s %12.1f us  %10.0f kB  %7.3f %% of the time at one in 2 s\n",
           checkpoints[which].what, 1e6 * middle, 1e-3 * (double)size, 100 * middle / 2);
    dn_trainer_free(trainer);
}

static void print_machine(void) {
    char line[256], model[200] = "unknown processor";
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "model name : %199[^\n]", model) == 1)
            break;
    if (file)
        fclose(file);
    double peaks[ROUNDS];
    for (int i = 0; i < ROUNDS; i++)
        peaks[i] = peak();
    printf("%s, one core, kernels %s, multiply-add peak %.1f GFLOP/s\n", model, dn_kernels_name(),
           median(peaks));
    printf("medians of %d rounds, +- half the interquartile range\n\n", ROUNDS);
}

int main(int argc, char **argv) {
    if (argc == 3) {
        for (size_t i = 0; i < WORKS; i++)
            if (strcmp(works[i].name, argv[1]) == 0) {
                struct subject subject = prepare(&works[i]);
                measure(&works[i], &subject);
                for (int round = 0; round < atoi(argv[2]); round++)
                    printf("%.9f\n", measure(&works[i], &subject));
                dispose(&subject);
                return 0;
            }
        fprintf(stderr, "bench: no measurement \"%s\"\n", argv[1]);
        return 2;
    }
    print_machine();
    for (size_t i = 0; i < WORKS; i++)
        print_work(&works[i]);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        print_way(&ways[i]);
    for (size_t i = 0; i < sizeof checkpoints / sizeof *checkpoints; i++)
        print_checkpoint(i);
    print_gemm(32, 32, 32);
    print_gemm(512, 128, 128);
    print_gemm(128, 128, 512);
    print_gemm(1000, 32, 32);
    return 0;
}
