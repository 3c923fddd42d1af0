/*
 * image_report.c - how much generated images are like the data (dn_image_report).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/random.h"
#include "engine/internal.h"
#include "engine/metrics/images.h"

enum { MOST = 10000, PROBES = 1000, FEW_PROBES = 10 };
#define PROBE_PRODUCTS 2e11 /* multiply-adds for all distances: a few seconds */

struct report {
    const struct dn_image_sets *sets;
    struct dn_image_report *result;
    size_t probes;  /* images of a set for which distances are computed, at most */
    int32_t *order; /* of the training images: a random one */
    const struct dn_breaks *breaks;
    struct dn_error *error;
};

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* ------------------------------------------------------------------ choices */

/* The first n of the images. */
static struct dn_images first_of(const struct dn_images *images, size_t n) {
    struct dn_images few = *images;
    few.n = least(images->n, n);
    return few;
}

/* Copies the training images first..first+n-1 of the random order; NULL pixels: out of memory. */
static struct dn_images choose(const struct report *report, size_t first, size_t n) {
    struct dn_images chosen = report->sets->training;
    const size_t values = images_values(&chosen);
    uint8_t *pixels = malloc(n * values + 1);
    for (size_t i = 0; i < n && pixels; i++)
        memcpy(pixels + i * values, chosen.pixels + (size_t)report->order[first + i] * values,
               values);
    chosen.pixels = pixels;
    chosen.labels = NULL;
    chosen.n = n;
    return chosen;
}

/* ------------------------------------------------------------------ what the judge sees */

struct seen {
    size_t n;
    float *features;  /* [n][DN_JUDGE_FEATURES] */
    int32_t *classes; /* [n] */
};

static void seen_clear(struct seen *seen) {
    free(seen->features);
    free(seen->classes);
}

static enum dn_status see(const struct report *report, const struct dn_images *images,
                          struct seen *seen) {
    seen->n = images->n;
    seen->features = calloc(images->n * DN_JUDGE_FEATURES + 1, sizeof *seen->features);
    seen->classes = calloc(images->n + 1, sizeof *seen->classes);
    if (!seen->features || !seen->classes)
        return error_set(report->error, DN_NO_MEMORY, "out of memory");
    return dn_judge_look(report->sets->judge, images, seen->features, seen->classes, report->breaks,
                         report->error);
}

static enum dn_status fld(const struct report *report, const struct seen *x, const struct seen *y,
                          double *distance) {
    const struct dn_points of_x = {x->features, x->n, DN_JUDGE_FEATURES},
                           of_y = {y->features, y->n, DN_JUDGE_FEATURES};
    if (x->n < 2 || y->n < 2)
        return DN_OK;
    return dn_frechet_distance(&of_x, &of_y, distance, report->breaks, report->error);
}

/* The share of images with their label; also counts them, unless confusion is NULL. */
static enum dn_status agreement(const struct report *report, const struct dn_images *images,
                                const struct seen *seen, int32_t *confusion, double *share) {
    const int classes = dn_judge_classes(report->sets->judge);
    size_t right = 0;
    for (size_t i = 0; i < images->n && images->labels; i++) {
        const int32_t label = images->labels[i];
        if (label < 0 || label >= classes)
            return error_set(report->error, DN_INVALID, "label %d is not a class of the judge",
                             (int)label);
        right += seen->classes[i] == label;
        if (confusion)
            confusion[label * classes + seen->classes[i]]++;
    }
    if (images->n > 0 && images->labels)
        *share = (double)right / (double)images->n;
    return DN_OK;
}

static enum dn_status compare_seen(const struct report *report, const struct seen *generated,
                                   const struct seen *holdout, const struct seen *training) {
    const struct dn_image_sets *sets = report->sets;
    struct dn_image_report *result = report->result;
    const struct dn_images few = first_of(&sets->holdout, MOST),
                           own = first_of(&sets->generated, MOST);
    enum dn_status status = fld(report, generated, holdout, &result->fld.value);
    if (status == DN_OK)
        status = fld(report, training, holdout, &result->fld.floor);
    if (status == DN_OK)
        status = agreement(report, &own, generated, result->confusion, &result->accuracy.value);
    if (status == DN_OK)
        status = agreement(report, &few, holdout, NULL, &result->accuracy.floor);
    return status;
}

static enum dn_status measure_seen(const struct report *report) {
    const struct dn_image_sets *sets = report->sets;
    struct seen generated = {0}, holdout = {0}, training = {0};
    const struct dn_images few = first_of(&sets->holdout, MOST),
                           own = first_of(&sets->generated, MOST);
    struct dn_images other = choose(report, 0, least(sets->training.n, own.n));
    enum dn_status status =
        other.pixels ? DN_OK : error_set(report->error, DN_NO_MEMORY, "out of memory");
    if (status == DN_OK)
        status = see(report, &own, &generated);
    if (status == DN_OK)
        status = see(report, &few, &holdout);
    if (status == DN_OK)
        status = see(report, &other, &training);
    if (status == DN_OK)
        status = compare_seen(report, &generated, &holdout, &training);
    seen_clear(&generated);
    seen_clear(&holdout);
    seen_clear(&training);
    free((void *)other.pixels);
    return status;
}

/* ------------------------------------------------------------------ distances */

/* The mean distance of the first images of x from the nearest training image, and the share at no
 * distance. */
static enum dn_status measure_nearest(const struct report *report, const struct dn_images *x,
                                      double *mean, double *copies) {
    const struct dn_images few = first_of(x, report->probes);
    double *distances = calloc(few.n + 1, sizeof *distances), sum = 0;
    size_t equal = 0;
    enum dn_status status =
        distances ? DN_OK : error_set(report->error, DN_NO_MEMORY, "out of memory");
    if (status == DN_OK)
        status = dn_images_nearest(&few, &report->sets->training, distances, NULL, report->breaks,
                                   report->error);
    for (size_t i = 0; i < few.n && status == DN_OK; i++) {
        sum += distances[i];
        equal += !(distances[i] > 0);
    }
    if (status == DN_OK && few.n > 0) {
        *mean = sum / (double)few.n;
        *copies = (double)equal / (double)few.n;
    }
    free(distances);
    return status;
}

/* The share of x that is nearer to one of `near` than to one of `far`; ties count half. */
static enum dn_status share_nearer(const struct report *report, const struct dn_images *x,
                                   const struct dn_images *near, const struct dn_images *far,
                                   double *share) {
    double *to_near = calloc(2 * x->n + 1, sizeof *to_near), *to_far = to_near + x->n, won = 0;
    enum dn_status status =
        to_near ? DN_OK : error_set(report->error, DN_NO_MEMORY, "out of memory");
    if (status == DN_OK)
        status = dn_images_nearest(x, near, to_near, NULL, report->breaks, report->error);
    if (status == DN_OK)
        status = dn_images_nearest(x, far, to_far, NULL, report->breaks, report->error);
    for (size_t i = 0; i < x->n && status == DN_OK; i++)
        won += to_near[i] < to_far[i] ? 1 : to_near[i] > to_far[i] ? 0 : 0.5;
    if (status == DN_OK && x->n > 0)
        *share = won / (double)x->n;
    free(to_near);
    return status;
}

/* As many training images as held-out ones, and the other training images for the floor. */
static enum dn_status measure_nearer(const struct report *report) {
    const struct dn_image_sets *sets = report->sets;
    struct dn_measured *nearer = &report->result->nearer_to_training;
    const size_t each = least(least(sets->holdout.n, sets->training.n / 2), MOST);
    if (each == 0)
        return DN_OK;
    const struct dn_images far = first_of(&sets->holdout, each),
                           x = first_of(&sets->generated, report->probes);
    struct dn_images near = choose(report, 0, each);
    struct dn_images other = choose(report, each, least(sets->training.n - each, report->probes));
    enum dn_status status = near.pixels && other.pixels
                                ? DN_OK
                                : error_set(report->error, DN_NO_MEMORY, "out of memory");
    if (status == DN_OK)
        status = share_nearer(report, &x, &near, &far, &nearer->value);
    if (status == DN_OK)
        status = share_nearer(report, &other, &near, &far, &nearer->floor);
    free((void *)near.pixels);
    free((void *)other.pixels);
    return status;
}

/* ------------------------------------------------------------------ all of it */

/* As many as are affordable. */
static size_t probes_of(const struct dn_image_sets *sets) {
    const double each = 2 * (double)images_values(&sets->training) *
                        ((double)sets->training.n + 2 * (double)least(sets->holdout.n, MOST));
    const double affordable = PROBE_PRODUCTS / each;
    return affordable >= PROBES      ? PROBES
           : affordable > FEW_PROBES ? (size_t)affordable
                                     : FEW_PROBES;
}

enum dn_status dn_image_report(const struct dn_image_sets *sets, uint64_t seed,
                               struct dn_image_report *report, const struct dn_breaks *breaks,
                               struct dn_error *error) {
    const struct dn_measured none = {NAN, NAN};
    struct report all = {.sets = sets,
                         .result = report,
                         .probes = probes_of(sets),
                         .breaks = breaks,
                         .error = error};
    if (sets->training.n < 2 || sets->training.n > DN_MAX_POINTS || sets->generated.n < 2)
        return error_set(error, DN_INVALID, "a report needs two or more images of each kind");
    if (!images_same_size(&sets->training, &sets->generated) ||
        (sets->holdout.n > 0 && !images_same_size(&sets->training, &sets->holdout)))
        return error_set(error, DN_INVALID, "the images must have one size");
    report->fld = report->accuracy = report->nearest = report->nearer_to_training = report->copies =
        none;
    if (sets->judge && report->confusion) {
        const size_t classes = (size_t)dn_judge_classes(sets->judge);
        memset(report->confusion, 0, classes * classes * sizeof *report->confusion);
    }
    all.order = calloc(sets->training.n, sizeof *all.order);
    if (!all.order)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    dn_shuffle(seed, (int32_t)sets->training.n, all.order);
    enum dn_status status = sets->judge ? measure_seen(&all) : DN_OK;
    if (status == DN_OK)
        status =
            measure_nearest(&all, &sets->generated, &report->nearest.value, &report->copies.value);
    if (status == DN_OK && sets->holdout.n > 0)
        status =
            measure_nearest(&all, &sets->holdout, &report->nearest.floor, &report->copies.floor);
    if (status == DN_OK)
        status = measure_nearer(&all);
    free(all.order);
    return status;
}

/* Of the two parts, which run one after another, the one with the larger memory. */
size_t dn_image_report_bytes(const struct dn_image_sets *sets) {
    const size_t values = images_values(&sets->training), probes = probes_of(sets);
    const size_t own = least(sets->generated.n, MOST), few = least(sets->holdout.n, MOST);
    const size_t chosen = least(sets->training.n, own);
    const size_t seen =
        chosen * values + (own + few + chosen) * (DN_JUDGE_FEATURES + 1) * sizeof(float);
    const size_t near = (few + probes) * values + probes * 5 * sizeof(double) +
                        images_nearest_bytes(probes, values);
    return sets->training.n * sizeof(int32_t) + (seen > near ? seen : near);
}
