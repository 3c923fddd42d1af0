/* Any number of threads, and any split of a request, gives the same bits. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/denoise.h"
#include "server/base/bell.h"
#include "server/jobs/team.h"
#include "server/threads/split.h"

static void count(void *argument, int part) {
    atomic_int *counts = argument;
    atomic_fetch_add(&counts[part], 1);
}

Test(threads, a_team_does_every_part_once) {
    for (int size = 1; size <= 5; size++) {
        struct dn_team *team = team_start(size);
        atomic_int counts[5] = {0};
        for (int round = 0; round < 3000; round++)
            team->run(team, count, counts);
        for (int part = 0; part < 5; part++)
            cr_assert_eq(counts[part], part < size ? 3000 : 0);
        team_stop(team);
    }
}

Test(threads, a_split_does_every_part_once_even_without_helpers) {
    for (int threads = 1; threads <= 3; threads++) {
        struct pool *pool = pool_start(threads, threads); /* room for few helpers */
        for (int round = 0; round < 300; round++) {
            atomic_int counts[40] = {0};
            split_run(pool, 40, count, counts);
            for (int part = 0; part < 40; part++)
                cr_assert_eq(counts[part], 1);
        }
        pool_stop(pool);
    }
}

/* The checkpoint after two epochs holds every number that training has produced. */
static unsigned char *train(const struct dn_spec *spec, int threads, size_t *size) {
    struct dn_trainer *trainer;
    struct dn_epoch epoch;
    struct dn_team *team = threads > 1 ? team_start(threads) : NULL;
    cr_assert_eq(dn_trainer_new(spec, NULL, &trainer, NULL), DN_OK);
    dn_trainer_use_team(trainer, team);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, NULL), DN_OK);
    *size = dn_trainer_bytes(trainer);
    unsigned char *bytes = malloc(*size + sizeof epoch);
    dn_trainer_save(trainer, bytes);
    memset(bytes + *size, 0, sizeof epoch);
    memcpy(bytes + *size, &epoch.train_loss, sizeof epoch.train_loss);
    memcpy(bytes + *size + 8, &epoch.val_loss, sizeof epoch.val_loss);
    memcpy(bytes + *size + 16, &epoch.gradient_norm, sizeof epoch.gradient_norm);
    *size += sizeof epoch;
    dn_trainer_free(trainer);
    team_stop(team);
    return bytes;
}

Test(threads, training_is_the_same_for_any_number) {
    static const struct {
        int hidden, layers, batch;
        enum dn_time_embedding embedding;
        enum dn_conditioning conditioning;
        enum dn_given given; /* any: some chunks show coordinates, others none, one may do both */
    } cases[] = {
        {32, 3, 32, DN_SINUSOIDAL, DN_ADD},
        {8, 1, 7, DN_LEARNED, DN_MULTIPLY},
        {50, 2, 301, DN_SINUSOIDAL, DN_MULTIPLY, DN_GIVEN_ANY},
        {128, 2, 500, DN_LEARNED, DN_ADD},
        {66, 8, 64, DN_SINUSOIDAL, DN_ADD},
        {34, 2, 1, DN_SINUSOIDAL, DN_ADD},
        {128, 2, 512, DN_LEARNED, DN_ADD, DN_GIVEN_ANY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dn_spec spec = dn_presets[1].spec;
        spec.dataset.sources[0].n = cases[i].batch > 50 ? 1501 : 203;
        spec.network.hidden_size = cases[i].hidden;
        spec.network.hidden_layers = cases[i].layers;
        spec.network.time_embedding = cases[i].embedding;
        spec.network.conditioning = cases[i].conditioning;
        spec.training.batch_size = cases[i].batch;
        spec.training.conditioning = cases[i].given;
        spec.training.ema_decay = 0.9;
        spec.training.gradient_clip = 0.5;
        if (i % 2 == 0) { /* two classes, and all that is done point by point */
            spec.dataset.source_count = spec.dataset.classes = 2;
            spec.dataset.sources[1] = (struct dn_source){.pattern = DN_MOONS, .n = 77};
            spec.diffusion.prediction_type = DN_V;
            spec.training.min_snr_gamma = 5;
            spec.training.keep_best = true;
        }
        size_t size, other_size;
        unsigned char *alone = train(&spec, 1, &size);
        for (int threads = 2; threads <= 5; threads++) {
            unsigned char *team = train(&spec, threads, &other_size);
            cr_assert_eq(size, other_size);
            cr_assert(memcmp(alone, team, size) == 0, "case %zu with %d threads", i, threads);
            free(team);
        }
        free(alone);
    }
}

Test(threads, a_request_is_the_same_in_any_split) {
    enum { N = 700, T = 25 };
    struct dn_spec spec = dn_presets[1].spec;
    spec.dataset.sources[0].n = 300;
    spec.diffusion.timesteps = T;
    struct dn_trainer *trainer;
    struct dn_model *model;
    cr_assert_eq(dn_trainer_new(&spec, NULL, &trainer, NULL), DN_OK);
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    float *whole = malloc(sizeof(float) * 2 * N * (2 * T + 2)),
          *split = malloc(sizeof(float) * 2 * N * (2 * T + 2));
    struct dn_sample_request request = {.n = N, .seed = 3, .clip = true};
    struct dn_sample_result result = {
        .points = whole, .x = whole + 2 * N, .x0 = whole + 2 * N * (T + 2)};
    cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_OK);
    static const int sizes[] = {1, 13, 100, 586};
    for (int i = 0, first = 0; i < 4; first += sizes[i++]) {
        struct dn_sample_request part = {.first = first, .n = sizes[i], .seed = 3, .clip = true};
        struct dn_sample_result to = {.frame_points = N,
                                      .points = split + 2 * first,
                                      .x = split + 2 * N + 2 * first,
                                      .x0 = split + 2 * N * (T + 2) + 2 * first};
        cr_assert_eq(dn_sample(model, &part, &to, NULL, NULL), DN_OK);
    }
    cr_assert(memcmp(whole, split, sizeof(float) * 2 * N * (2 * T + 2)) == 0);
    free(whole), free(split);
    dn_model_free(model);
    dn_trainer_free(trainer);
}

struct sleeper {
    struct bell bell, echo;
    int waits;
};

static void *sleep_and_echo(void *argument) {
    struct sleeper *sleeper = argument;
    while (bell_wait(&sleeper->bell, INFINITY)) {
        sleeper->waits++;
        bell_ring(&sleeper->echo);
    }
    return NULL;
}

Test(threads, a_bell_wakes_its_thread_at_each_ring_and_at_the_end, .timeout = 60) {
    struct sleeper sleeper = {.waits = 0};
    bell_init(&sleeper.echo);
    cr_assert(bell_start(&sleeper.bell, sleep_and_echo, &sleeper));
    for (int i = 0; i < 1000; i++) {
        bell_ring(&sleeper.bell);
        cr_assert(bell_wait(&sleeper.echo, INFINITY));
    }
    bell_stop(&sleeper.bell);
    cr_assert_eq(sleeper.waits, 1000);
    bell_clear(&sleeper.echo);
}

Test(threads, a_bell_keeps_a_ring_until_somebody_waits) {
    struct bell bell;
    bell_init(&bell);
    bell_ring(&bell);
    bell_ring(&bell);
    cr_assert(bell_pause(&bell, 1e-3));    /* the time passes */
    cr_assert(bell_wait(&bell, INFINITY)); /* both rings at once */
    cr_assert(bell_wait(&bell, 1e-3));     /* the time passes */
    cr_assert_not(bell_is_closed(&bell));
    bell_close(&bell);
    cr_assert(bell_is_closed(&bell));
    cr_assert_not(bell_wait(&bell, INFINITY));
    bell_clear(&bell);
}
