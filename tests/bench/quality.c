/*
 * quality.c - how well, and how fast, a preset learns every built-in pattern.
 *
 * usage: quality [PRESET [SEEDS [PATTERN [EPOCHS..]]]]
 *
 * Medians over the seeds, of 5 000 samples each, in the patterns' units: the mean distance to the
 * exact pattern, and the energy distance 2 E|X-Y| - E|X-X'| - E|Y-Y'| to a fresh draw as a multiple
 * of that of another fresh draw. By DDPM in all steps, and by two samplers in 10 and 9 evaluations
 * of the network. Seconds are the processor time of the training, on one core.
 */
#include <math.h>

#include "tests/bench/measure.h"

enum { N = 5000 };

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

/* How points are drawn. */
static const struct way {
    enum dn_sampler sampler;
    int steps; /* 0: T */
} ways[] = {{DN_DDPM, 0}, {DN_DPMPP_2M, 10}, {DN_HEUN, 5}};
enum { WAYS = sizeof ways / sizeof ways[0] };

struct result {
    double seconds, distance[WAYS], energy[WAYS], floor;
};

static struct result measure(struct dn_spec spec, enum dn_pattern pattern, int seed) {
    static float samples[2 * N], draw[2 * N], other[2 * N];
    struct dn_error error = {""};
    struct result result;
    spec.seed = spec.dataset.sources[0].seed = (uint64_t)seed;
    spec.dataset.sources[0].pattern = (int)pattern;
    const double began = now();
    struct dn_model *model = train(&spec, NULL);
    result.seconds = now() - began;
    dn_pattern_draw(pattern, (uint64_t)seed + 200, 0, N, draw);
    dn_pattern_draw(pattern, (uint64_t)seed + 300, 0, N, other);
    result.floor = energy(other, draw);
    for (int i = 0; i < WAYS; i++) {
        struct dn_sample_request request = {.n = N,
                                            .seed = (uint64_t)seed + 100,
                                            .sampler = ways[i].sampler,
                                            .steps = ways[i].steps,
                                            .clip = true};
        must(
            dn_sample(model, &request, &(struct dn_sample_result){.points = samples}, NULL, &error),
            &error);
        result.distance[i] =
            dn_pattern_has_distance(pattern) ? dn_pattern_mean_distance(pattern, samples, N) : NAN;
        result.energy[i] = energy(samples, draw);
    }
    dn_model_free(model);
    return result;
}

/* One row of the table. */
static void row(const struct dn_spec *spec, int pattern, int seeds) {
    struct result results[MAX_SEEDS];
    for (int seed = 0; seed < seeds; seed++)
        results[seed] = measure(*spec, (enum dn_pattern)pattern, seed);
    printf("%-16s %6d %8.2f", dn_patterns[pattern].name, spec->training.epochs, MEDIAN(seconds));
    for (int i = 0; i < WAYS; i++)
        printf("  %8.5f %7.2f", MEDIAN(distance[i]), MEDIAN(energy[i]) / MEDIAN(floor));
    printf("\n");
    fflush(stdout);
}

int main(int count, char **arguments) {
    const char *name = count > 1 ? arguments[1] : dn_preset_names[0];
    const int seeds = count > 2 ? atoi(arguments[2]) : 5;
    size_t preset = 0;
    while (preset < dn_preset_count && strcmp(dn_preset_names[preset], name) != 0)
        preset++;
    if (preset == dn_preset_count || seeds < 1 || seeds > MAX_SEEDS) {
        fprintf(stderr, "usage: quality [PRESET [SEEDS [PATTERN [EPOCHS..]]]]\n");
        return 2;
    }
    printf("%s, medians of %d seeds\n%-32s", name, seeds, "");
    for (int i = 0; i < WAYS; i++)
        printf("  %-11s %-4.0d", dn_sampler_names[ways[i].sampler], ways[i].steps);
    printf("\n%-16s %6s %8s", "pattern", "epochs", "seconds");
    for (int i = 0; i < WAYS; i++)
        printf("  %8s %7s", "distance", "ratio");
    printf("\n");
    for (int pattern = 0; pattern < DN_PATTERN_COUNT; pattern++) {
        struct dn_spec spec = dn_presets[preset].spec;
        if (count > 3 && strcmp(dn_patterns[pattern].name, arguments[3]) != 0)
            continue;
        for (int i = 4; i < (count > 4 ? count : 5); i++) {
            if (i < count)
                spec.training.epochs = atoi(arguments[i]);
            row(&spec, pattern, seeds);
        }
    }
    return 0;
}
