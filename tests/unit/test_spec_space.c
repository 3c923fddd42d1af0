/* The whole space of specs that the contract allows, not only the presets: what passes
 * dn_spec_check must work. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/model/train.h"
#include "server/jobs/team.h"
#include "tests/unit/spec_space.h"

/* Buffers have room for a chunk of validation; a batch has chunks of trainer_batch_chunk rows. */
Test(spec_space, no_chunk_of_any_network_outgrows_its_buffers) {
    struct dn_spec spec = dn_presets[0].spec;
    for (int H = DN_MIN_HIDDEN_SIZE; H <= DN_MAX_HIDDEN_SIZE; H += 2)
        for (int L = 1; L <= DN_MAX_HIDDEN_LAYERS; L++) {
            struct network network;
            spec.network.hidden_size = H;
            spec.network.hidden_layers = L;
            cr_assert_eq(dn_spec_check(&spec, NULL), DN_OK);
            network_layout(&network, &spec);
            const size_t room = network_chunks(&network).validation;
            for (size_t n = 1; n <= DN_MAX_BATCH_SIZE; n = n < 300 ? n + 1 : 3 * n / 2)
                cr_assert_leq(trainer_batch_chunk(&network, n), room, "%zu of %d x %d", n, H, L);
        }
}

/* The shapes whose chunks of 128 rows once met buffers for 126. */
Test(spec_space, networks_around_the_second_level_cache_train) {
    static const int shapes[][2] = {{128, 4}, {64, 8}, {256, 2}, {512, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct dn_spec spec = dn_presets[0].spec;
        struct dn_trainer *trainer;
        struct dn_error error;
        spec.dataset.sources[0].n = 300;
        spec.training.batch_size = 256;
        spec.network.hidden_size = shapes[i][0];
        spec.network.hidden_layers = shapes[i][1];
        cr_assert_eq(dn_trainer_new(&spec, NULL, &trainer, &error), DN_OK, "%s", error.text);
        struct dn_epoch epoch;
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, &error), DN_OK, "%s", error.text);
        cr_assert_eq(epoch.step, 2);
        cr_assert(epoch.val_loss > 0 && epoch.val_loss < 10, "%g", epoch.val_loss);
        dn_trainer_free(trainer);
    }
}

/* ------------------------------------------------------------------ places of the space */

/* What is said if one of them goes wrong. */
static const struct place *in_hand;
static char in_hand_text[2048];

static const char *where(void) {
    FILE *out = fmemopen(in_hand_text, sizeof in_hand_text, "w");
    place_print(in_hand, out);
    fclose(out);
    return in_hand_text;
}

/* Made for each uploaded source: axes of several sizes and places, some of them constant. */
struct uploaded {
    struct dn_upload set[DN_MAX_CLASSES];
    float *points[DN_MAX_CLASSES];
    int32_t *labels[DN_MAX_CLASSES];
};

static void make_uploads(const struct dn_spec *spec, struct uploaded *uploaded) {
    const int dim = spec->dataset.dim;
    for (int k = 0; k < spec->dataset.source_count; k++) {
        const size_t n = (size_t)spec->dataset.sources[k].n, values = n * (size_t)dim;
        if (spec->dataset.sources[k].pattern != DN_UPLOADED)
            continue;
        float *points = uploaded->points[k] = calloc(values, sizeof *points);
        random_normals(kernels_get(), (uint64_t)k, RANDOM_DATA, 0, 0, values, points);
        for (size_t e = 0; e < values; e++)
            points[e] = points[e] * (float)(e % (size_t)dim % 4) + (float)(e % (size_t)dim);
        int32_t *labels = uploaded->labels[k] = calloc(n, sizeof *labels);
        for (size_t i = 0; i < n && spec->dataset.classes > 0; i++)
            labels[i] = (int32_t)(i % (size_t)spec->dataset.classes);
        uploaded->set[k] = (struct dn_upload){n, dim, points, labels};
    }
}

static void free_uploads(struct uploaded *uploaded) {
    for (int k = 0; k < DN_MAX_CLASSES; k++) {
        free(uploaded->points[k]);
        free(uploaded->labels[k]);
    }
}

static bool are_finite(const float *values, size_t count) {
    bool finite = true;
    for (size_t i = 0; i < count; i++)
        finite &= isfinite(values[i]) != 0;
    return finite;
}

static void *saved(const struct dn_trainer *trainer) {
    void *bytes = malloc(dn_trainer_bytes(trainer));
    dn_trainer_save(trainer, bytes);
    return bytes;
}

static struct dn_trainer *new_trainer(const struct dn_spec *spec, const struct dn_data *data) {
    struct dn_trainer *trainer;
    struct dn_error error;
    cr_assert_eq(dn_trainer_new(spec, data, &trainer, &error), DN_OK, "%s: %s", error.text,
                 where());
    return trainer;
}

/* A step, and the loss of all points to validate with. Diverging is an honest end. */
static enum dn_status take_step(struct dn_trainer *trainer) {
    struct dn_error error;
    double loss = 0;
    const bool is_over = trainer->at.epoch == trainer->spec.training.epochs;
    enum dn_status status = is_over ? DN_OK : dn_trainer_step(trainer, NULL, &error);
    cr_assert(status == DN_OK || status == DN_DIVERGED, "%s: %s", error.text, where());
    if (status == DN_OK)
        cr_assert_eq(trainer_loss(trainer, &trainer->validation, trainer_weights(trainer), NULL,
                                  &loss, &error),
                     DN_OK);
    return status;
}

/* Takes two steps with a team of threads, and the second one also alone, in another trainer that
 * goes on from the checkpoint in between: the same bytes. NULL if it diverges. */
static struct dn_trainer *train(const struct dn_spec *spec, const struct dn_data *data) {
    struct dn_trainer *trainer = new_trainer(spec, data), *second = NULL;
    struct dn_team *team = spec->training.threads > 1 ? team_start(spec->training.threads) : NULL;
    struct dn_error error;
    dn_trainer_use_team(trainer, team);
    enum dn_status status = take_step(trainer);
    if (status == DN_OK) {
        void *bytes = saved(trainer);
        second = new_trainer(spec, data);
        cr_assert_eq(dn_trainer_load(second, bytes, dn_trainer_bytes(trainer), &error), DN_OK,
                     "%s: %s", error.text, where());
        free(bytes);
        status = take_step(trainer);
        cr_assert_eq(take_step(second), status, "%s", where());
    }
    if (status == DN_OK) {
        void *one = saved(trainer), *other = saved(second);
        const size_t size = dn_trainer_bytes(trainer);
        cr_assert_eq(size, dn_trainer_bytes(second));
        cr_assert_eq(memcmp(one, other, size), 0, "%s", where());
        free(one);
        free(other);
    }
    dn_trainer_use_team(trainer, NULL);
    team_stop(team);
    dn_trainer_free(second);
    if (status == DN_OK)
        return trainer;
    dn_trainer_free(trainer);
    return NULL;
}

/* The model, saved and loaded. */
static struct dn_model *model_of(const struct dn_trainer *trainer) {
    struct dn_model *model, *loaded;
    struct dn_error error;
    cr_assert_eq(dn_trainer_model(trainer, &model, &error), DN_OK, "%s", error.text);
    const size_t size = dn_model_bytes(model);
    void *bytes = malloc(size), *again = malloc(size);
    dn_model_save(model, bytes);
    cr_assert_eq(dn_model_load(bytes, size, &loaded, &error), DN_OK, "%s: %s", error.text, where());
    dn_model_save(loaded, again);
    cr_assert_eq(memcmp(bytes, again, size), 0, "%s", where());
    free(bytes);
    free(again);
    dn_model_free(model);
    return loaded;
}

/* Draws whole trajectories. With the default settings all is finite; else it is, or says so. */
static void draw(const struct dn_model *model, const struct dn_sample_request *request) {
    const size_t frames = (size_t)request->steps + 1;
    const size_t frame = (size_t)request->n * (size_t)dn_model_dim(model);
    float *memory = calloc(2 * frames * frame, sizeof *memory);
    struct dn_sample_result result = {
        .points = memory, .x = memory + frame, .x0 = memory + frame + frames * frame};
    struct dn_error error;
    enum dn_status status = dn_sample(model, request, &result, NULL, &error);
    if (request->clip && request->guidance <= 1)
        cr_assert_eq(status, DN_OK, "%s, %s in %d steps: %s", error.text,
                     dn_sampler_names[request->sampler], request->steps, where());
    else
        cr_assert(status == DN_OK || status == DN_NOT_FINITE, "%s: %s", error.text, where());
    if (status == DN_OK)
        cr_assert(are_finite(memory, 2 * frames * frame), "%s in %d steps: %s",
                  dn_sampler_names[request->sampler], request->steps, where());
    free(memory);
}

/* Every sampler, few and many steps, clipped or not, with more and less guidance, as far as the
 * work allows; at least one row of points each. */
static void sample(const struct dn_model *model, double work) {
    static const double guidances[] = {1, 0, 3};
    const struct dn_spec *spec = dn_model_spec(model);
    const int T = spec->diffusion.timesteps, steps[] = {1, T < 3 ? T : 3, T};
    const double row = 2 * (double)dn_spec_parameters(spec);
    int turn = 0;
    for (int sampler = 0; sampler < DN_SAMPLER_COUNT; sampler++)
        for (int i = 0; i < 3; i++)
            for (int clip = 0; clip < 2; clip++, turn++) {
                const double afford = work / 30 / (row * steps[i]);
                if (i > 0 && afford < 1)
                    continue;
                draw(model, &(struct dn_sample_request){
                                .n = afford < 1     ? 1
                                     : afford < 131 ? (int)afford
                                                    : 131,
                                .seed = (uint64_t)turn,
                                .sampler = (enum dn_sampler)sampler,
                                .steps = steps[i],
                                .eta = clip ? 1 : 0.5,
                                .clip = clip,
                                .guidance = spec->dataset.classes ? guidances[turn % 3] : 0,
                                .label = turn % 2 ? DN_LABELS_IN_TURN : 0,
                            });
            }
}

/* Judging and evaluating take models as they come. */
static void judge(struct dn_trainer *trainer, const struct dn_model *model,
                  const struct dn_data *data) {
    struct dn_verdict verdict;
    struct dn_evaluation evaluation;
    struct dn_error error;
    const struct dn_spec *spec = dn_model_spec(model);
    const double parameters = (double)dn_spec_parameters(spec);
    if (parameters < 1e5)
        cr_assert_eq(dn_trainer_judge(trainer, &verdict, NULL, &error), DN_OK);
    if (parameters * spec->diffusion.timesteps < 1e6) {
        enum dn_status status = dn_evaluate(model, data, 8, 1, &evaluation, NULL, &error);
        cr_assert(status == DN_OK || (status == DN_INVALID && data->n + data->n_val < 2), "%s: %s",
                  error.text, where());
        if (status == DN_OK)
            cr_assert(isfinite(evaluation.energy_distance), "%s", where());
    }
}

enum end { END_LEARNED, END_DIVERGED, END_COUNT };

static enum end go_through(const struct place *place, double work) {
    const struct dn_spec spec = place_spec(place);
    struct uploaded uploaded = {0};
    struct dn_data data;
    struct dn_error error;
    in_hand = place;
    if (getenv("SPECS_TRACE"))
        place_print(place, stderr);
    cr_assert_eq(dn_spec_check(&spec, &error), DN_OK, "%s: %s", error.text, where());
    make_uploads(&spec, &uploaded);
    cr_assert_eq(dn_data_draw(&spec, uploaded.set, &data, NULL, &error), DN_OK, "%s: %s",
                 error.text, where());
    struct dn_trainer *trainer = train(&spec, &data);
    enum dn_status status = trainer ? dn_trainer_check(trainer, true, NULL, &error) : DN_DIVERGED;
    cr_assert(status == DN_OK || status == DN_DIVERGED, "%s: %s", error.text, where());
    if (status == DN_OK) {
        struct dn_model *model = model_of(trainer);
        sample(model, work);
        judge(trainer, model, &data);
        dn_model_free(model);
    }
    dn_trainer_free(trainer);
    dn_data_clear(&data);
    free_uploads(&uploaded);
    return status == DN_OK ? END_LEARNED : END_DIVERGED;
}

/* ------------------------------------------------------------------ the generator */

enum { MAX_PLACES = 1000, FIXED_SEED = 1 };
static struct pairs pairs;
static struct place places[MAX_PLACES];

static int level_of(int f, double value) {
    for (int i = 0; i < factors[f].count; i++)
        if (factors[f].values[i] == value)
            return i;
    return -1;
}

/* Counted anew from the places alone. */
static void count_pairs(int count, struct pairs *met) {
    memset(met, 0, sizeof *met);
    for (int p = 0; p < count; p++)
        for (int f = 0; f < FACTOR_COUNT; f++)
            for (int g = f + 1; g < FACTOR_COUNT; g++) {
                const int i = level_of(f, places[p].value[f]), j = level_of(g, places[p].value[g]);
                cr_assert(i >= 0 && j >= 0);
                met->state[f][g][i][j] = PAIR_COVERED;
            }
}

/* Is there a spec with this pair that the engine accepts, whatever it costs? The rest by chance. */
static bool can_be(int f, int i, int g, int j) {
    struct random_source source = {7};
    bool can = false;
    for (int tried = 0; tried < 20000 && !can; tried++) {
        struct choice choice;
        for (int h = 0; h < FACTOR_COUNT; h++)
            choice.value[h] = (int)random_below(&source, (uint32_t)factors[h].count);
        choice.value[f] = i;
        choice.value[g] = j;
        const struct place place = choice_place(&choice);
        const struct dn_spec spec = place_spec(&place);
        can = dn_spec_check(&spec, NULL) == DN_OK;
    }
    return can;
}

Test(spec_space, every_pair_of_values_of_every_two_fields_meets) {
    static struct pairs met;
    for (uint64_t seed = FIXED_SEED; seed < FIXED_SEED + 3; seed++) {
        const int count = pairwise_places(seed, &pairs, places, MAX_PLACES);
        int total = 0, refused = 0;
        cr_assert_lt(count, MAX_PLACES);
        count_pairs(count, &met);
        for (int p = 0; p < count; p++)
            cr_assert(place_is_allowed(&places[p]));
        for (int f = 0; f < FACTOR_COUNT; f++)
            for (int g = f + 1; g < FACTOR_COUNT; g++)
                for (int i = 0; i < factors[f].count; i++)
                    for (int j = 0; j < factors[g].count; j++, total++) {
                        if (met.state[f][g][i][j] == PAIR_COVERED)
                            continue;
                        refused++;
                        cr_assert_not(can_be(f, i, g, j), "%s %g with %s %g was left out",
                                      factors[f].name, factors[f].values[i], factors[g].name,
                                      factors[g].values[j]);
                    }
        cr_assert_gt(total, 8000);
        cr_assert_lt(refused, total / 200, "%d of %d", refused, total);
        /* at least the product of the two longest, at most not many times that */
        cr_assert(count >= 14 * 10 && count < 400, "%d", count);
    }
}

/* ------------------------------------------------------------------ all of it */

static void go_through_all(int count, double work) {
    int ends[END_COUNT] = {0};
    for (int p = 0; p < count; p++)
        ends[go_through(&places[p], work)]++;
    /* a learning rate of 10 and a decay of 10 are part of it */
    cr_assert_gt(ends[END_LEARNED], count / 2, "%d of %d diverged", ends[END_DIVERGED], count);
}

Test(spec_space, every_pair_trains_and_samples, .timeout = 1200) {
    go_through_all(pairwise_places(FIXED_SEED, &pairs, places, MAX_PLACES), 1e8);
}

/* SPECS=5000: so many more, of other pairwise sets and at random; `make soak` does. */
Test(spec_space, thousands_of_others, .timeout = 36000) {
    const char *asked = getenv("SPECS");
    const int all = asked ? atoi(asked) : 0;
    struct random_source source = {2026};
    for (int done = 0, seed = FIXED_SEED + 1; done < all; seed++) {
        int count = pairwise_places((uint64_t)seed, &pairs, places, MAX_PLACES / 2);
        for (int k = 0; k < 200; k++)
            places[count++] = random_place(&source);
        if (count > all - done)
            count = all - done;
        go_through_all(count, 1e8);
        done += count;
    }
}
