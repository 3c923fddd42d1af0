/* Models that requests share: loaded once, dropped in order, never while in use. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/model_cache.h"

/* A model of about a quarter of a megabyte. */
static struct dn_model *make_model(void) {
    struct dn_spec spec = dn_presets[1].spec;
    struct dn_trainer *trainer;
    struct dn_model *model;
    spec.dataset.sources[0].n = 8;
    spec.network.hidden_size = 128;
    cr_assert_eq(dn_trainer_new(&spec, NULL, &trainer, NULL), DN_OK);
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    dn_trainer_free(trainer);
    return model;
}

static struct model row_of(int number, int epoch) {
    struct model row = {.epoch = epoch, .blob = 1000 + epoch};
    struct dn_model *model = make_model();
    row.byte_count = dn_model_bytes(model);
    dn_model_free(model);
    snprintf(row.id, sizeof row.id, "%036d", number);
    return row;
}

static size_t model_bytes(void) {
    const struct model row = row_of(0, 1);
    return row.byte_count;
}

/* Gets a model, and loads it if it is not there. */
static enum model_found use(struct model_cache *cache, int number, int epoch,
                            struct cached_model **entry) {
    const struct model row = row_of(number, epoch);
    const struct dn_model *model = NULL;
    const enum model_found found = model_cache_find(cache, &row, entry, &model);
    if (found == MODEL_TO_LOAD)
        model_cache_loaded(cache, *entry, make_model());
    cr_assert(found != MODEL_READY || model);
    return found;
}

static enum model_found visit(struct model_cache *cache, int number, int epoch) {
    struct cached_model *entry;
    const enum model_found found = use(cache, number, epoch, &entry);
    if (found != MODEL_NO_ROOM)
        model_cache_give_back(cache, entry);
    return found;
}

Test(model_cache, a_model_is_loaded_once_and_other_bytes_are_another) {
    struct model_cache *cache = model_cache_new(64 << 20);
    struct model row = row_of(1, 1);
    struct cached_model *entry;
    const struct dn_model *model;
    cr_assert_eq(visit(cache, 1, 1), MODEL_TO_LOAD);
    cr_assert_eq(visit(cache, 1, 1), MODEL_READY);
    cr_assert_eq(visit(cache, 1, 2), MODEL_TO_LOAD);
    cr_assert_eq(visit(cache, 2, 1), MODEL_TO_LOAD);
    row.blob += 100; /* of the same epoch: its training began again */
    cr_assert_eq(model_cache_find(cache, &row, &entry, &model), MODEL_TO_LOAD);
    model_cache_failed(cache, entry);
    cr_assert_eq(model_cache_find(cache, &row, &entry, &model), MODEL_TO_LOAD, "it is tried anew");
    model_cache_failed(cache, entry);
    const struct model_cache_counts counts = model_cache_count(cache);
    cr_assert_eq(counts.models, 3);
    cr_assert_eq(counts.in_use, 0);
    cr_assert_eq(counts.hits, 1);
    cr_assert_eq(counts.loads, 5);
    cr_assert_gt(counts.bytes, 3 * model_bytes());
    model_cache_free(cache);
}

Test(model_cache, what_was_not_used_for_longest_goes_first) {
    struct model_cache *cache = model_cache_new(5 * model_bytes()); /* three, and one that loads */
    for (int i = 1; i <= 3; i++)
        cr_assert_eq(visit(cache, i, 1), MODEL_TO_LOAD);
    cr_assert_eq(visit(cache, 1, 1), MODEL_READY);
    cr_assert_eq(visit(cache, 4, 1), MODEL_TO_LOAD); /* in the place of 2 */
    cr_assert_eq(visit(cache, 1, 1), MODEL_READY);
    cr_assert_eq(visit(cache, 3, 1), MODEL_READY);
    cr_assert_eq(visit(cache, 2, 1), MODEL_TO_LOAD);
    cr_assert_leq(model_cache_count(cache).bytes, model_cache_count(cache).limit);
    model_cache_free(cache);
}

Test(model_cache, what_is_in_use_stays_and_one_may_be_beyond_the_limit) {
    struct model_cache *cache = model_cache_new(model_bytes() / 2); /* too small for any */
    struct cached_model *first, *same, *other;
    cr_assert_eq(use(cache, 1, 1, &first), MODEL_TO_LOAD);
    cr_assert_eq(use(cache, 1, 1, &same), MODEL_READY, "it is shared all the same");
    cr_assert_eq(use(cache, 2, 1, &other), MODEL_NO_ROOM);
    model_cache_give_back(cache, first);
    cr_assert_eq(use(cache, 2, 1, &other), MODEL_NO_ROOM, "somebody still uses it");
    model_cache_give_back(cache, same);
    cr_assert_eq(model_cache_count(cache).models, 0, "it does not stay");
    cr_assert_eq(model_cache_count(cache).bytes, 0);
    cr_assert_eq(use(cache, 2, 1, &other), MODEL_TO_LOAD);
    model_cache_give_back(cache, other);
    model_cache_free(cache);
}

Test(model_cache, a_large_one_leaves_room_for_small_ones) {
    struct model_cache *cache = model_cache_new(5 * model_bytes() / 2); /* one, while it loads */
    struct model large = row_of(1, 1);
    struct cached_model *entry, *small;
    const struct dn_model *model;
    large.byte_count *= 100;
    cr_assert_eq(model_cache_find(cache, &large, &entry, &model), MODEL_TO_LOAD);
    cr_assert_eq(use(cache, 2, 1, &small), MODEL_TO_LOAD);
    large.blob += 100;
    struct cached_model *second;
    cr_assert_eq(model_cache_find(cache, &large, &second, &model), MODEL_NO_ROOM);
    model_cache_failed(cache, entry);
    cr_assert_eq(model_cache_find(cache, &large, &second, &model), MODEL_TO_LOAD);
    model_cache_failed(cache, second);
    model_cache_give_back(cache, small);
    model_cache_free(cache);
}

/* ------------------------------------------------------------------ threads */

enum { THREADS = 8, ROUNDS = 300 };

struct visitors {
    struct model_cache *cache;
    atomic_int loading[3], loads, failures;
};

/* Never two at a time that load the same; some loads fail, and then others try. */
static void *visit_often(void *argument) {
    struct visitors *visitors = argument;
    struct model rows[3];
    for (int i = 0; i < 3; i++)
        rows[i] = row_of(i, 1);
    for (int i = 0; i < ROUNDS; i++) {
        struct cached_model *entry;
        const struct dn_model *model = NULL;
        const enum model_found found =
            model_cache_find(visitors->cache, &rows[i % 3], &entry, &model);
        if (found == MODEL_NO_ROOM)
            continue;
        if (found == MODEL_TO_LOAD) {
            cr_assert_eq(atomic_fetch_add(&visitors->loading[i % 3], 1), 0);
            sched_yield();
            atomic_fetch_sub(&visitors->loading[i % 3], 1);
            if (atomic_fetch_add(&visitors->loads, 1) % 4 == 3) {
                atomic_fetch_add(&visitors->failures, 1);
                model_cache_failed(visitors->cache, entry);
                continue;
            }
            model_cache_loaded(visitors->cache, entry, make_model());
        } else {
            cr_assert_eq(dn_model_dim(model), 2);
        }
        model_cache_give_back(visitors->cache, entry);
    }
    return NULL;
}

Test(model_cache, many_threads_share_and_wait, .timeout = 100) {
    struct visitors visitors = {.cache = model_cache_new(3 * model_bytes())};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, visit_often, &visitors);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    const struct model_cache_counts counts = model_cache_count(visitors.cache);
    cr_assert_eq(counts.in_use, 0);
    cr_assert_eq(counts.loads, (uint64_t)visitors.loads);
    cr_assert_leq(counts.bytes, counts.limit);
    model_cache_free(visitors.cache);
}
