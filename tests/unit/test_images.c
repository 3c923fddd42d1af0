/* Comparisons of images: the Frechet distance against closed forms and another algorithm, the nearest images
 * against a slow search, and the report on sets of which the answer is known. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/denoise.h"

/* ------------------------------------------------------------------ the Frechet distance */

static double frechet(const float *x, size_t n, const float *y, size_t m, int dim) {
    const struct dn_points a = {x, n, dim}, b = {y, m, dim};
    struct dn_error error = {""};
    double result = -1;
    cr_assert_eq(dn_frechet_distance(&a, &b, &result, NULL, &error), DN_OK, "%s", error.text);
    return result;
}

/* mean + root times each axis, forth and back: 2 dim points with exactly this mean, and the covariance
 * 2 root root^T / (2 dim - 1). */
static void cross(int dim, const double *mean, const double *root, float *points) {
    for (int k = 0; k < dim; k++)
        for (int sign = 0; sign < 2; sign++)
            for (int j = 0; j < dim; j++)
                *points++ = (float)(mean[j] + (sign ? -1 : 1) * root[j * dim + k]);
}

/* With diagonal covariances: sum (m - m')^2 + (s - s')^2. */
Test(frechet, is_exact_for_diagonal_covariances) {
    enum { DIM = 7 };
    const double factor = 2.0 / (2 * DIM - 1);
    double mean[2][DIM], root[2][DIM * DIM] = {{0}}, wanted = 0;
    float points[2][2 * DIM * DIM];
    for (int j = 0; j < DIM; j++) {
        for (int set = 0; set < 2; set++) {
            mean[set][j] = set ? 0.25 * j : -0.5 * j;
            root[set][j * DIM + j] = set ? 8 - j : j; /* one of them is 0 */
        }
        const double shift = mean[0][j] - mean[1][j];
        const double spread = root[0][j * DIM + j] - root[1][j * DIM + j];
        wanted += shift * shift + factor * spread * spread;
    }
    for (int set = 0; set < 2; set++)
        cross(DIM, mean[set], root[set], points[set]);
    const double found = frechet(points[0], 2 * DIM, points[1], 2 * DIM, DIM);
    cr_assert_float_eq(found, wanted, 1e-9 * wanted, "%.12g for %.12g", found, wanted);
}

/* In the plane, tr (X Y)^(1/2) = sqrt(tr X Y + 2 sqrt(det X det Y)). */
Test(frechet, is_exact_for_full_covariances_in_the_plane) {
    const double mean[2][2] = {{1, -2}, {0.5, 0.25}};
    const double root[2][4] = {{2, 0.5, -1, 1.5}, {0.5, -3, 2.5, 1}};
    const double factor = 2.0 / 3;
    float points[2][8];
    double c[2][4];
    for (int set = 0; set < 2; set++) {
        const double *r = root[set];
        cross(2, mean[set], r, points[set]);
        c[set][0] = factor * (r[0] * r[0] + r[1] * r[1]);
        c[set][1] = c[set][2] = factor * (r[0] * r[2] + r[1] * r[3]);
        c[set][3] = factor * (r[2] * r[2] + r[3] * r[3]);
    }
    const double product = c[0][0] * c[1][0] + 2 * c[0][1] * c[1][1] + c[0][3] * c[1][3];
    const double dets =
        (c[0][0] * c[0][3] - c[0][1] * c[0][1]) * (c[1][0] * c[1][3] - c[1][1] * c[1][1]);
    const double wanted = 0.25 + 2.25 * 2.25 + c[0][0] + c[0][3] + c[1][0] + c[1][3] -
                          2 * sqrt(product + 2 * sqrt(dets));
    const double found = frechet(points[0], 4, points[1], 4, 2);
    cr_assert_float_eq(found, wanted, 1e-9 * wanted, "%.12g for %.12g", found, wanted);
}

/* y = 3 x in any direction: the distance is (3 - 1)^2 tr S, with |m - m'|^2. Of fewer points than
 * dimensions, so that S is singular. */
Test(frechet, is_exact_for_a_scaled_copy_with_few_points) {
    enum { DIM = 84, N = 20 };
    static float x[N * DIM], y[N * DIM];
    double mean[DIM] = {0}, wanted = 0;
    random_normals(kernels_get(), 4, RANDOM_START, 0, 0, N * DIM, x);
    for (int i = 0; i < N * DIM; i++) {
        x[i] = roundf(1024 * x[i]) / 1024; /* so that 3 x is exact */
        y[i] = 3 * x[i];
        mean[i % DIM] += (double)x[i] / N;
    }
    for (int i = 0; i < N * DIM; i++) {
        const double centered = (double)x[i] - mean[i % DIM];
        wanted += 4 * centered * centered / (N - 1) + 4 * mean[i % DIM] * mean[i % DIM] / N;
    }
    const double found = frechet(x, N, y, N, DIM);
    cr_assert_float_eq(found, wanted, 1e-6 * wanted, "%.12g for %.12g", found, wanted);
    cr_assert_lt(frechet(x, N, x, N, DIM), 1e-4); /* the root of rounding errors */
}

/* a [dim][dim] becomes its inverse, by elimination with pivots. */
static void invert(int dim, double *a, double *inverse) {
    memset(inverse, 0, (size_t)(dim * dim) * sizeof *inverse);
    for (int j = 0; j < dim; j++)
        inverse[j * dim + j] = 1;
    for (int p = 0; p < dim; p++) {
        int best = p;
        for (int i = p; i < dim; i++)
            best = fabs(a[i * dim + p]) > fabs(a[best * dim + p]) ? i : best;
        for (int j = 0; j < dim; j++) {
            double t = a[p * dim + j];
            a[p * dim + j] = a[best * dim + j], a[best * dim + j] = t;
            t = inverse[p * dim + j];
            inverse[p * dim + j] = inverse[best * dim + j], inverse[best * dim + j] = t;
        }
        const double pivot = a[p * dim + p];
        for (int j = 0; j < dim; j++)
            a[p * dim + j] /= pivot, inverse[p * dim + j] /= pivot;
        for (int i = 0; i < dim; i++) {
            const double factor = i == p ? 0 : a[i * dim + p];
            for (int j = 0; j < dim; j++) {
                a[i * dim + j] -= factor * a[p * dim + j];
                inverse[i * dim + j] -= factor * inverse[p * dim + j];
            }
        }
    }
}

/* tr M^(1/2) by the iteration of Denman and Beavers (1976), which knows nothing of eigenvalues:
 * Y <- (Y + Z^-1) / 2, Z <- (Z + Y^-1) / 2 from Y = M, Z = 1. */
static double slow_trace_of_root(int dim, const double *m) {
    const int size = dim * dim;
    double *y = calloc((size_t)size, 8), *z = calloc((size_t)size, 8),
           *room = calloc((size_t)size, 8), *of_y = calloc((size_t)size, 8),
           *of_z = calloc((size_t)size, 8), trace = 0;
    memcpy(y, m, (size_t)size * 8);
    for (int j = 0; j < dim; j++)
        z[j * dim + j] = 1;
    for (int round = 0; round < 60; round++) {
        memcpy(room, y, (size_t)size * 8);
        invert(dim, room, of_y);
        memcpy(room, z, (size_t)size * 8);
        invert(dim, room, of_z);
        for (int e = 0; e < size; e++) {
            y[e] = (y[e] + of_z[e]) / 2;
            z[e] = (z[e] + of_y[e]) / 2;
        }
    }
    for (int j = 0; j < dim; j++)
        trace += y[j * dim + j];
    free(y), free(z), free(room), free(of_y), free(of_z);
    return trace;
}

static void slow_moments(const float *points, int n, int dim, double *mean, double *covariance) {
    memset(mean, 0, (size_t)dim * 8);
    for (int i = 0; i < n * dim; i++)
        mean[i % dim] += (double)points[i] / n;
    for (int j = 0; j < dim; j++)
        for (int k = 0; k < dim; k++) {
            double sum = 0;
            for (int i = 0; i < n; i++)
                sum += ((double)points[i * dim + j] - mean[j]) *
                       ((double)points[i * dim + k] - mean[k]);
            covariance[j * dim + k] = sum / (n - 1);
        }
}

Test(frechet, agrees_with_an_iteration_for_the_root) {
    enum { DIM = 24, N = 400, M = 90 };
    static float x[N * DIM], y[M * DIM];
    double mean[2][DIM], c[2][DIM * DIM], product[DIM * DIM] = {0}, wanted = 0;
    random_normals(kernels_get(), 1, RANDOM_START, 0, 0, N * DIM, x);
    random_normals(kernels_get(), 2, RANDOM_START, 0, 0, M * DIM, y);
    for (int i = 0; i < N * DIM; i++) /* each coordinate leans on the one before */
        x[i] = x[i] * (float)(1 + i % DIM) + (i % DIM ? 0.7f * x[i - 1] : 5);
    for (int i = M * DIM - 1; i > 0; i--)
        y[i] += y[i - 1];
    slow_moments(x, N, DIM, mean[0], c[0]);
    slow_moments(y, M, DIM, mean[1], c[1]);
    for (int j = 0; j < DIM; j++) {
        wanted += (mean[0][j] - mean[1][j]) * (mean[0][j] - mean[1][j]) + c[0][j * DIM + j] +
                  c[1][j * DIM + j];
        for (int k = 0; k < DIM; k++)
            for (int i = 0; i < DIM; i++)
                product[j * DIM + k] += c[0][j * DIM + i] * c[1][i * DIM + k];
    }
    wanted -= 2 * slow_trace_of_root(DIM, product);
    const double found = frechet(x, N, y, M, DIM);
    cr_assert_float_eq(found, wanted, 1e-8 * wanted, "%.12g for %.12g", found, wanted);
    cr_assert_float_eq(frechet(y, M, x, N, DIM), found, 1e-8 * wanted);
}

Test(frechet, refuses_what_has_no_covariance) {
    const float points[6] = {1, 2, 3, 4, 5, INFINITY};
    const struct dn_points three = {points, 3, 2}, two = {points, 2, 2}, one = {points, 1, 2},
                           line = {points, 2, 1}, none = {points, 2, 0};
    struct dn_error error;
    double result;
    cr_assert_eq(dn_frechet_distance(&two, &one, &result, NULL, &error), DN_INVALID);
    cr_assert_eq(dn_frechet_distance(&one, &two, &result, NULL, &error), DN_INVALID);
    cr_assert_eq(dn_frechet_distance(&two, &line, &result, NULL, &error), DN_INVALID);
    cr_assert_eq(dn_frechet_distance(&none, &none, &result, NULL, &error), DN_INVALID);
    cr_assert_eq(dn_frechet_distance(&two, &three, &result, NULL, &error), DN_INVALID);
    cr_assert_not_null(strstr(error.text, "not finite"));
    const volatile bool stop = true;
    const struct dn_breaks breaks = {.stop = &stop};
    cr_assert_eq(dn_frechet_distance(&two, &two, &result, &breaks, &error), DN_STOPPED);
}

/* ------------------------------------------------------------------ the nearest images */

/* A few bright values on black, so that several images are alike. */
static struct dn_images draw(uint64_t seed, size_t n, int height, int width, int channels) {
    const size_t values = (size_t)height * (size_t)width * (size_t)channels;
    uint8_t *pixels = calloc(n * values + 1, 1);
    for (size_t i = 0; i < n * values; i++) {
        const double u = random_uniform(seed, RANDOM_DATA, 0, i);
        pixels[i] = (uint8_t)(u < 0.8 ? 0 : u < 0.9 ? 255 : 2550 * (u - 0.9));
    }
    return (struct dn_images){pixels, NULL, n, height, width, channels};
}

static double slow_distance(const struct dn_images *x, size_t i, const struct dn_images *y,
                            size_t j) {
    const size_t values = (size_t)x->height * (size_t)x->width * (size_t)x->channels;
    double sum = 0;
    for (size_t v = 0; v < values; v++)
        sum += pow((double)x->pixels[i * values + v] - (double)y->pixels[j * values + v], 2);
    return sqrt(sum / (double)values) / 255;
}

Test(nearest, agrees_with_a_slow_search) {
    static const int shapes[][3] = {{4, 4, 1}, {28, 28, 1}, {8, 12, 3}, {64, 64, 3}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const int *shape = shapes[s];
        for (size_t n = 1; n <= 150; n += 149) {
            struct dn_images x = draw(1, 70, shape[0], shape[1], shape[2]),
                             y = draw(2, n, shape[0], shape[1], shape[2]);
            double distances[70];
            int32_t places[70];
            struct dn_error error;
            memcpy((void *)x.pixels, y.pixels,
                   (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2]);
            cr_assert_eq(dn_images_nearest(&x, &y, distances, places, NULL, &error), DN_OK);
            cr_assert_eq(distances[0], 0);
            cr_assert_eq(places[0], 0);
            for (size_t i = 0; i < 70; i++) {
                size_t best = 0;
                for (size_t j = 1; j < n; j++)
                    if (slow_distance(&x, i, &y, j) < slow_distance(&x, i, &y, best))
                        best = j;
                cr_assert_eq(places[i], (int32_t)best);
                cr_assert_float_eq(distances[i], slow_distance(&x, i, &y, best), 1e-12);
            }
            free((void *)x.pixels);
            free((void *)y.pixels);
        }
    }
}

Test(nearest, spans_0_to_1_and_refuses_other_sizes) {
    uint8_t black[16] = {0}, white[16];
    memset(white, 255, sizeof white);
    const struct dn_images x = {black, NULL, 1, 4, 4, 1}, y = {white, NULL, 1, 4, 4, 1};
    struct dn_images none = y, other = y;
    none.n = 0;
    other.height = 8;
    double distance;
    struct dn_error error;
    cr_assert_eq(dn_images_nearest(&x, &y, &distance, NULL, NULL, &error), DN_OK);
    cr_assert_float_eq(distance, 1, 1e-15);
    cr_assert_eq(dn_images_nearest(&x, &none, &distance, NULL, NULL, &error), DN_INVALID);
    cr_assert_eq(dn_images_nearest(&x, &other, &distance, NULL, NULL, &error), DN_INVALID);
}

/* The k nearest by a search that looks for each one again among those that are not taken. */
static void slow_neighbors(const struct dn_images *x, size_t i, const struct dn_images *y, int k,
                           struct dn_neighbor *out) {
    const double values = x->height * x->width * x->channels;
    bool *taken = calloc(y->n, sizeof *taken);
    for (int rank = 0; rank < k; rank++) {
        size_t best = y->n;
        for (size_t j = 0; j < y->n; j++)
            if (!taken[j] &&
                (best == y->n || slow_distance(x, i, y, j) < slow_distance(x, i, y, best)))
                best = j;
        out[rank] = DN_NO_NEIGHBOR;
        if (best == y->n)
            continue;
        taken[best] = true;
        out[rank] = (struct dn_neighbor){
            (int32_t)best, (int32_t)lround(pow(255 * slow_distance(x, i, y, best), 2) * values)};
    }
    free(taken);
}

Test(neighbors, agree_with_a_slow_search_whatever_the_pieces) {
    enum { N = 70, MOST = 90 };
    static const int shapes[][3] = {{4, 4, 1}, {28, 28, 1}, {8, 12, 3}, {64, 64, 3}};
    static const int counts[] = {1, 5, MOST}, pieces[] = {1, 7, N};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const int *shape = shapes[s];
        const size_t values = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
        struct dn_images x = draw(1, 3, shape[0], shape[1], shape[2]),
                         y = draw(2, N, shape[0], shape[1], shape[2]);
        memcpy((void *)x.pixels, y.pixels + 9 * values, values);
        memcpy((void *)(y.pixels + 40 * values), y.pixels + 9 * values, values); /* a tie */
        for (size_t c = 0; c < 3; c++)
            for (size_t p = 0; p < 3; p++) {
                const int k = counts[c];
                struct dn_neighbor found[3 * MOST], wanted[MOST];
                for (int i = 0; i < 3 * k; i++)
                    found[i] = DN_NO_NEIGHBOR;
                for (int first = 0; first < N; first += pieces[p]) {
                    struct dn_images piece = y;
                    piece.pixels += (size_t)first * values;
                    piece.n = (size_t)(N - first < pieces[p] ? N - first : pieces[p]);
                    dn_images_neighbors(&x, &piece, first, k, found);
                }
                for (size_t i = 0; i < 3; i++) {
                    slow_neighbors(&x, i, &y, k, wanted);
                    for (int j = 0; j < k; j++) {
                        cr_assert_eq(found[i * (size_t)k + (size_t)j].place, wanted[j].place);
                        cr_assert_eq(found[i * (size_t)k + (size_t)j].squares, wanted[j].squares);
                    }
                }
                cr_assert(found[0].place == 9 && found[0].squares == 0);
                cr_assert(k == 1 || (found[1].place == 40 && found[1].squares == 0));
            }
        free((void *)x.pixels);
        free((void *)y.pixels);
    }
}

/* ------------------------------------------------------------------ the report */

/* Class 0: a bright square in the upper left; class 1: in the lower right; at random places, on noise. */
static struct dn_images draw_squares(uint64_t seed, size_t n) {
    enum { SIDE = 20 };
    uint8_t *pixels = malloc(n * SIDE * SIDE);
    int32_t *labels = malloc(n * sizeof *labels);
    for (size_t i = 0; i < n; i++) {
        labels[i] = (int32_t)(i % 2);
        const int from = labels[i] ? 9 : 1;
        const int left = from + (int)(5 * random_uniform(seed, RANDOM_START, 1, i));
        const int top = from + (int)(5 * random_uniform(seed, RANDOM_START, 2, i));
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                const bool inside = x >= left && x < left + 5 && y >= top && y < top + 5;
                const double grain = random_uniform(seed, RANDOM_DATA, (uint32_t)i,
                                                    (uint64_t)y * SIDE + (uint64_t)x);
                pixels[(i * SIDE + (size_t)y) * SIDE + (size_t)x] =
                    (uint8_t)((inside ? 180 : 0) + 70 * grain);
            }
    }
    return (struct dn_images){pixels, labels, n, SIDE, SIDE, 1};
}

static void images_free(struct dn_images *images) {
    free((void *)images->pixels);
    free((void *)images->labels);
}

struct world {
    struct dn_image_sets sets;
    struct dn_judge *judge;
    int32_t confusion[4];
    struct dn_image_report report;
};

static void world_init(struct world *world) {
    struct dn_error error = {""};
    memset(world, 0, sizeof *world);
    world->sets.training = draw_squares(1, 600);
    world->sets.holdout = draw_squares(2, 200);
    cr_assert_eq(dn_judge_train(&world->sets.training, 2, 3, &world->judge, NULL, &error), DN_OK);
    world->sets.judge = world->judge;
    world->report.confusion = world->confusion;
}

static void world_clear(struct world *world) {
    dn_judge_free(world->judge);
    images_free(&world->sets.training);
    images_free(&world->sets.holdout);
}

static const struct dn_image_report *report_on(struct world *world,
                                               const struct dn_images *generated) {
    struct dn_error error = {""};
    world->sets.generated = *generated;
    cr_assert_eq(dn_image_report(&world->sets, 7, &world->report, NULL, &error), DN_OK, "%s",
                 error.text);
    return &world->report;
}

Test(report, tells_good_images_from_copies_and_noise) {
    struct world world;
    world_init(&world);
    struct dn_images good = draw_squares(3, 300), noise = draw_squares(4, 300),
                     copies = world.sets.training;
    copies.n = 300;
    for (size_t i = 0; i < 300 * 400; i++)
        ((uint8_t *)noise.pixels)[i] = (uint8_t)(256 * random_uniform(9, RANDOM_DATA, 0, i));

    struct dn_image_report it = *report_on(&world, &good);
    cr_assert_float_eq(it.accuracy.value, 1, 1e-9);
    cr_assert_float_eq(it.accuracy.floor, 1, 1e-9);
    cr_assert(world.confusion[0] == 150 && world.confusion[3] == 150 && world.confusion[1] == 0);
    cr_assert_lt(it.fld.value, 5 * it.fld.floor);
    cr_assert_float_eq(it.nearest.value, it.nearest.floor, 0.05 * it.nearest.floor);
    /* 0.5, within four deviations of 300 and 400 draws */
    cr_assert_float_eq(it.nearer_to_training.value, 0.5, 0.12);
    cr_assert_float_eq(it.nearer_to_training.floor, 0.5, 0.1);
    cr_assert(it.copies.value == 0 && it.copies.floor == 0);

    it = *report_on(&world, &copies);
    cr_assert_eq(it.copies.value, 1);
    cr_assert_eq(it.nearest.value, 0);
    cr_assert_gt(it.nearest.floor, 0.01);
    /* a third of the training images are among those that are compared */
    cr_assert_gt(it.nearer_to_training.value, 0.57);

    it = *report_on(&world, &noise);
    cr_assert_gt(it.fld.value, 100 * it.fld.floor);
    cr_assert_gt(it.nearest.value, 2 * it.nearest.floor);
    cr_assert_lt(it.accuracy.value, 0.8);
    cr_assert_eq(world.confusion[0] + world.confusion[1], 150);
    cr_assert_eq(world.confusion[2] + world.confusion[3], 150);
    images_free(&good);
    images_free(&noise);
    world_clear(&world);
}

/* Each figure is what the functions that it is made of give. */
Test(report, is_made_of_its_parts) {
    struct world world;
    world_init(&world);
    struct dn_images good = draw_squares(3, 120);
    const struct dn_image_report *it = report_on(&world, &good);
    static float own[120][DN_JUDGE_FEATURES], held[200][DN_JUDGE_FEATURES];
    double distances[120], mean = 0;
    struct dn_error error;
    cr_assert_eq(dn_judge_look(world.judge, &good, own[0], NULL, NULL, &error), DN_OK);
    cr_assert_eq(dn_judge_look(world.judge, &world.sets.holdout, held[0], NULL, NULL, &error),
                 DN_OK);
    cr_assert_eq(it->fld.value, frechet(own[0], 120, held[0], 200, DN_JUDGE_FEATURES));
    cr_assert_eq(dn_images_nearest(&good, &world.sets.training, distances, NULL, NULL, &error),
                 DN_OK);
    for (size_t i = 0; i < 120; i++)
        mean += distances[i] / 120;
    cr_assert_float_eq(it->nearest.value, mean, 1e-12);
    images_free(&good);
    world_clear(&world);
}

/* Without a judge there are distances, and without held-out images there is no floor. */
Test(report, leaves_out_what_it_cannot_measure) {
    struct world world;
    world_init(&world);
    struct dn_images good = draw_squares(3, 40), other = draw(1, 40, 20, 24, 1);
    struct dn_error error;
    world.sets.judge = NULL;
    const struct dn_image_report *it = report_on(&world, &good);
    cr_assert(isnan(it->fld.value) && isnan(it->fld.floor) && isnan(it->accuracy.value));
    cr_assert(it->nearest.value > 0 && it->nearest.floor > 0);
    world.sets.judge = world.judge;
    const size_t held = world.sets.holdout.n;
    world.sets.holdout.n = 0;
    it = report_on(&world, &good);
    cr_assert(isnan(it->fld.value) && isnan(it->fld.floor) && isnan(it->accuracy.floor));
    cr_assert(isnan(it->nearest.floor) && isnan(it->nearer_to_training.value));
    cr_assert(it->accuracy.value > 0 && it->nearest.value > 0 && it->copies.value == 0);
    world.sets.holdout.n = held;
    world.sets.generated = good;
    world.sets.generated.labels = NULL;
    cr_assert_eq(dn_image_report(&world.sets, 7, &world.report, NULL, &error), DN_OK);
    cr_assert(isnan(world.report.accuracy.value) && world.report.accuracy.floor > 0);
    world.sets.generated = other;
    cr_assert_eq(dn_image_report(&world.sets, 7, &world.report, NULL, &error), DN_INVALID);
    world.sets.generated = good;
    world.sets.generated.n = 1;
    cr_assert_eq(dn_image_report(&world.sets, 7, &world.report, NULL, &error), DN_INVALID);
    world.sets.generated = good;
    ((int32_t *)good.labels)[5] = 2;
    cr_assert_eq(dn_image_report(&world.sets, 7, &world.report, NULL, &error), DN_INVALID);
    cr_assert_not_null(strstr(error.text, "label 2"), "%s", error.text);
    images_free(&good);
    images_free(&other);
    world_clear(&world);
}
