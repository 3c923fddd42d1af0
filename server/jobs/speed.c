/*
 * speed.c - estimate_seconds: how long a job will take on this machine.
 *
 * The model: a step takes the sum of the times for five kinds of work. The steps of five networks,
 * each of which does mostly one kind, are timed once by the processor time of the thread; the rates
 * of the five kinds follow.
 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "server/base/machine.h"
#include "server/jobs/estimate.h"

/* The kinds of work in a step, and their units. */
enum part {
    STEP,     /* the step itself: 1 */
    UNITS,    /* activations of the points and of their distinct timesteps, and noise on points */
    PRODUCTS, /* floating-point operations of matrix products */
    NEAR,     /* updated parameters that fit into a cache, */
    FAR,      /* and the others, with the weights that pass through it forward and backward */
    PARTS
};

struct work {
    double of[PARTS];
};

enum { CACHED_PARAMETERS = 400000 };

/* The time that an operation of a convolution takes, with the activations around it, compared with one of
 * a large matrix product: less, because Winograd's method leaves out more than half of them. */
#define CONVOLUTION 0.8

/* Points for training and for validation. */
static void count_points(const struct dn_spec *spec, size_t *n, size_t *n_val) {
    *n = *n_val = 0;
    for (int k = 0; k < spec->dataset.source_count; k++) {
        size_t of_source, val_of_source;
        dn_source_split(spec, k, &of_source, &val_of_source);
        *n += of_source;
        *n_val += val_of_source;
    }
}

/* Activations, and noise on points. */
static double units_of(const struct dn_spec *spec, double rows, double full) {
    const double H = spec->network.hidden_size, L = spec->network.hidden_layers;
    const double T = spec->diffusion.timesteps, of_noise = 8 * spec->dataset.dim;
    const double embedded = fmin(T, dn_spec_step_timesteps(spec) * rows / full);
    if (spec->network.kind == DN_UNET) /* its activations are counted with its products */
        return rows * of_noise;
    return (rows + embedded) * (L * ceil(H / 16) * 16 + 48 + of_noise);
}

/* Weights that pass through the cache forward and backward. */
static double passing_of(const struct dn_spec *spec) {
    const double H = spec->network.hidden_size, L = spec->network.hidden_layers;
    const bool sinusoidal = spec->network.time_embedding == DN_SINUSOIDAL;
    return spec->network.kind == DN_UNET ? 0 : (2 * (L - 1) + (sinusoidal ? L : 0)) * H * H;
}

/* The work of a step with this number of points. `share` is the share of the passes that it makes:
 * 1 for forward and backward, 1/3 for forward alone, which also updates nothing. */
static struct work work_of(const struct dn_spec *spec, double rows, double share) {
    const double parameters = (double)dn_spec_parameters(spec);
    size_t n, n_val;
    count_points(spec, &n, &n_val);
    const double full = fmin(spec->training.batch_size, (double)n);
    const double per_product = spec->network.kind == DN_UNET ? CONVOLUTION : 1;
    struct work work = {{[STEP] = 1}};
    work.of[UNITS] = share * units_of(spec, rows, full);
    work.of[PRODUCTS] = share * per_product * dn_spec_step_flops(spec) * rows / full;
    if (share == 1) {
        work.of[NEAR] = fmin(parameters, CACHED_PARAMETERS);
        work.of[FAR] = fmax(parameters + passing_of(spec) - CACHED_PARAMETERS, 0);
    }
    return work;
}

/* ------------------------------------------------------------------ rates */

/* Each does mostly one kind of work. */
static const struct {
    struct dn_network_spec network;
    int timesteps, batch;
} examples[PARTS] = {
    [STEP] = {{8, 1, DN_LEARNED, DN_MULTIPLY}, 40, 1},
    [UNITS] = {{32, 3, DN_SINUSOIDAL, DN_MULTIPLY}, 40, 256},
    [PRODUCTS] = {{512, 4, DN_SINUSOIDAL, DN_MULTIPLY}, 100, 256},
    [NEAR] = {{128, 4, DN_LEARNED, DN_MULTIPLY}, 40, 1},
    [FAR] = {{128, 4, DN_LEARNED, DN_MULTIPLY}, DN_MAX_TIMESTEPS, 1},
};

static struct dn_spec spec_of(enum part part) {
    struct dn_spec spec = dn_presets[0].spec;
    spec.network = examples[part].network;
    spec.diffusion.timesteps = examples[part].timesteps;
    spec.training.batch_size = examples[part].batch;
    spec.training.validation_fraction = 0;
    spec.dataset.sources[0].n = 2048;
    return spec;
}

static double thread_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds of a step: the median of a few tries, because other programs use the machine, too. NAN
 * without memory, or when it was stopped. The first step warms up the caches. */
static double time_step(const struct dn_spec *spec, dn_stop_flag *stop) {
    enum { TRIES = 7 };
    const double least = 0.002;
    struct dn_trainer *trainer;
    double seconds[TRIES];
    if (dn_trainer_new(spec, NULL, &trainer, NULL) != DN_OK)
        return NAN;
    enum dn_status status = dn_trainer_step(trainer, stop, NULL);
    for (int i = 0; i < TRIES; i++) {
        const double began = thread_seconds();
        double now = began;
        int steps = 0;
        while (status == DN_OK && now - began < least) {
            status = dn_trainer_step(trainer, stop, NULL);
            now = thread_seconds();
            steps++;
        }
        seconds[i] = (now - began) / (steps ? steps : 1);
    }
    dn_trainer_free(trainer);
    qsort(seconds, TRIES, sizeof seconds[0], compare);
    return status == DN_OK ? seconds[TRIES / 2] : NAN;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool measured;
static struct work seconds_per; /* for each part; written once, before `measured` */

static double sum_but(const struct work *work, const struct work *rates, enum part but) {
    double sum = 0;
    for (enum part part = 0; part < PARTS; part++)
        sum += part == but ? 0 : work->of[part] * rates->of[part];
    return sum;
}

/* Solves five equations, each of which one kind of work dominates, by iteration: subtracts what the
 * other kinds take. No rate falls below a tenth of what it would be if the others took no time. */
static struct work solve(const struct work works[PARTS], const double times[PARTS]) {
    enum { ROUNDS = 50 };
    struct work rates = {{0}};
    for (int i = 0; i < ROUNDS; i++)
        for (enum part part = 0; part < PARTS; part++) {
            const double own =
                fmax(times[part] - sum_but(&works[part], &rates, part), 0.1 * times[part]);
            rates.of[part] = own / works[part].of[part];
        }
    return rates;
}

/* False: there was no memory, or it was stopped; the next call tries again. */
static bool measure(dn_stop_flag *stop) {
    pthread_mutex_lock(&mutex);
    struct work works[PARTS] = {{{0}}};
    double times[PARTS] = {0};
    bool known = true;
    for (enum part part = 0; part < PARTS && known && !measured; part++) {
        const struct dn_spec spec = spec_of(part);
        works[part] = work_of(&spec, examples[part].batch, 1);
        times[part] = time_step(&spec, stop);
        known = isfinite(times[part]);
    }
    if (known && !measured) {
        seconds_per = solve(works, times);
        atomic_store(&measured, true);
    }
    pthread_mutex_unlock(&mutex);
    return known;
}

bool estimate_is_quick(void) {
    return atomic_load(&measured);
}

/* ------------------------------------------------------------------ a job */

/* The threads share the points; one of them does the rest. */
static double seconds_of(const struct work *work, double threads) {
    double sum = 0;
    for (enum part part = 0; part < PARTS; part++)
        sum += work->of[part] * seconds_per.of[part] /
               (part == UNITS || part == PRODUCTS ? threads : 1);
    return sum;
}

double estimate_seconds(const struct dn_spec *spec, dn_stop_flag *stop) {
    const struct dn_training_spec *training = &spec->training;
    size_t n, n_val;
    if (!estimate_is_quick() && !measure(stop))
        return NAN;
    count_points(spec, &n, &n_val);
    const double cores = machine_cores();
    const double threads = training->threads > 0 ? fmin(training->threads, cores) : cores;
    const double steps = dn_spec_steps_per_epoch(spec), forward = 1.0 / 3;
    const struct work step = work_of(spec, (double)n / steps, 1);
    const struct work validation = work_of(spec, (double)n_val, forward);
    const struct work sampling = work_of(spec, DN_EVALUATION_POINTS, forward);
    double seconds = training->epochs * (steps * seconds_of(&step, threads) +
                                         (n_val > 0 ? seconds_of(&validation, threads) : 0));
    if (training->evaluate_every > 0)
        seconds += ceil((double)training->epochs / training->evaluate_every) *
                   spec->diffusion.timesteps * seconds_of(&sampling, 1);
    return seconds;
}
