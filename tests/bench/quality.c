/*
 * quality.c - how well, and how fast, a preset learns every built-in pattern.
 *
 * usage: quality [PRESET [SEEDS [PATTERN]]]
 *
 * Medians over the seeds, of 5 000 samples each, in the patterns' units: the mean distance to the
 * exact pattern, and the energy distance 2 E|X-Y| - E|X-X'| - E|Y-Y'| to a fresh draw, beside that
 * of another fresh draw (the floor). Seconds are the processor time of the training, on one core.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/denoise.h"

enum { N = 5000, MOST_SEEDS = 25 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* E|X-Y| over all pairs of a [N][2] and b [N][2]. */
static double mean_pair(const float *a, const float *b) {
    double sum = 0;
    for (int i = 0; i < N; i++) {
        float row = 0;
        for (int j = 0; j < N; j++) {
            float x = a[2 * i] - b[2 * j], y = a[2 * i + 1] - b[2 * j + 1];
            row += sqrtf(x * x + y * y);
        }
        sum += (double)row;
    }
    return sum / N / N;
}

static double energy(const float *a, const float *b) {
    return 2 * mean_pair(a, b) - mean_pair(a, a) - mean_pair(b, b);
}

struct result {
    double seconds, distance, energy, floor;
};

static struct result measure(struct dn_spec spec, enum dn_pattern pattern, int seed) {
    static float samples[2 * N], draw[2 * N], other[2 * N];
    struct dn_trainer *trainer;
    struct dn_model *model;
    struct dn_epoch epoch;
    struct dn_error error = {""};
    struct result result;
    spec.seed = spec.dataset.sources[0].seed = (uint64_t)seed;
    spec.dataset.sources[0].pattern = (int)pattern;
    double began = now();
    enum dn_status status = dn_trainer_new(&spec, NULL, &trainer, &error);
    for (int i = 0; i < spec.training.epochs && status == DN_OK; i++)
        status = dn_trainer_epoch(trainer, NULL, &epoch, &error);
    result.seconds = now() - began;
    struct dn_sample_request request = {.n = N, .seed = (uint64_t)seed + 100, .clip = true};
    if (status != DN_OK || dn_trainer_model(trainer, &model, &error) != DN_OK ||
        dn_sample(model, &request, &(struct dn_sample_result){.points = samples}, NULL, &error) !=
            DN_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    dn_pattern_draw(pattern, (uint64_t)seed + 200, 0, N, draw);
    dn_pattern_draw(pattern, (uint64_t)seed + 300, 0, N, other);
    result.distance =
        dn_pattern_has_distance(pattern) ? dn_pattern_mean_distance(pattern, samples, N) : NAN;
    result.energy = energy(samples, draw);
    result.floor = energy(other, draw);
    dn_model_free(model);
    dn_trainer_free(trainer);
    return result;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of one member over the seeds. */
static double median(const struct result *results, int seeds, size_t offset) {
    double values[MOST_SEEDS];
    for (int i = 0; i < seeds; i++)
        memcpy(&values[i], (const char *)&results[i] + offset, sizeof values[i]);
    qsort(values, (size_t)seeds, sizeof *values, compare);
    return values[seeds / 2];
}
#define MEDIAN(member) median(results, seeds, offsetof(struct result, member))

int main(int count, char **arguments) {
    const char *name = count > 1 ? arguments[1] : dn_presets[0].name;
    const int seeds = count > 2 ? atoi(arguments[2]) : 5;
    size_t preset = 0;
    while (preset < dn_preset_count && strcmp(dn_presets[preset].name, name) != 0)
        preset++;
    if (preset == dn_preset_count || seeds < 1 || seeds > MOST_SEEDS) {
        fprintf(stderr, "usage: quality [PRESET [SEEDS [PATTERN]]]\n");
        return 2;
    }
    printf("%s, medians of %d seeds\n", name, seeds);
    printf("%-16s %9s %10s %10s %10s %8s\n", "pattern", "seconds", "distance", "energy", "floor",
           "ratio");
    for (int pattern = 0; pattern < DN_PATTERN_COUNT; pattern++) {
        struct result results[MOST_SEEDS];
        if (count > 3 && strcmp(dn_patterns[pattern].name, arguments[3]) != 0)
            continue;
        for (int seed = 0; seed < seeds; seed++)
            results[seed] = measure(dn_presets[preset].spec, (enum dn_pattern)pattern, seed);
        printf("%-16s %9.2f %10.5f %10.6f %10.6f %8.2f\n", dn_patterns[pattern].name,
               MEDIAN(seconds), MEDIAN(distance), MEDIAN(energy), MEDIAN(floor),
               MEDIAN(energy) / MEDIAN(floor));
        fflush(stdout);
    }
    return 0;
}
