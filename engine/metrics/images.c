/*
 * images.c - the nearest images of a set, by their pixels: the one of each of many images, or several of
 * each of a few.
 *
 * |a - b|^2 = |a|^2 + |b|^2 - 2 a b, with all products a b of two blocks of images by the kernel
 * `gemm`. Of values less 128, they are whole numbers below 2^24, so exact, for up to 1,024 values; the
 * distance of the image that is found is computed once more, from the bytes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/internal.h"
#include "engine/metrics/images.h"

enum { QUERIES = 64, REFERENCES = 64 };

/* Blocks of images, and the nearest of the references so far. */
struct search {
    const struct kernels *kernels;
    const struct dn_images *x, *reference;
    size_t values;   /* of an image */
    float *queries;  /* [QUERIES][values] */
    float *rows;     /* [REFERENCES][values] */
    float *columns;  /* [values][REFERENCES] */
    float *products; /* [QUERIES][REFERENCES] */
    double *least;   /* [x->n] of |b|^2 - 2 a b */
    int32_t *places; /* [x->n] */
};

size_t images_nearest_bytes(size_t n, size_t values) {
    return 3 * floats_bytes(QUERIES * values) + floats_bytes(QUERIES * REFERENCES) +
           (n + 1) * (sizeof(double) + sizeof(int32_t));
}

/* Returns the sum of squares. */
static int32_t read_image(const uint8_t *pixels, size_t values, float *out) {
    int32_t sum = 0;
    for (size_t j = 0; j < values; j++) {
        const int32_t value = (int32_t)pixels[j] - 128;
        out[j] = (float)value;
        sum += value * value;
    }
    return sum;
}

static int32_t squares_of(const uint8_t *a, const uint8_t *b, size_t values) {
    int32_t sum = 0; /* at most DN_MAX_VALUES 255^2, which fits */
    for (size_t j = 0; j < values; j++)
        sum += ((int32_t)a[j] - b[j]) * ((int32_t)a[j] - b[j]);
    return sum;
}

static double distance_of(const uint8_t *a, const uint8_t *b, size_t values) {
    return sqrt((double)squares_of(a, b, values) / (double)values) / 255;
}

/* Compares the references first..first+n-1 with all queries. */
static enum dn_status search_block(struct search *search, size_t first, size_t n,
                                   const struct dn_breaks *breaks, struct dn_error *error) {
    const size_t values = search->values;
    int32_t squares[REFERENCES];
    enum dn_status status = DN_OK;
    for (size_t j = 0; j < n; j++)
        squares[j] = read_image(search->reference->pixels + (first + j) * values, values,
                                search->rows + j * values);
    search->kernels->transpose(n, values, search->rows, values, search->columns, REFERENCES);
    for (size_t start = 0; start < search->x->n && status == DN_OK; start += QUERIES) {
        const size_t left = search->x->n - start, count = left < QUERIES ? left : QUERIES;
        for (size_t i = 0; i < count; i++)
            read_image(search->x->pixels + (start + i) * values, values,
                       search->queries + i * values);
        search->kernels->gemm(count, REFERENCES, values, search->queries, values, 1,
                              search->columns, REFERENCES, search->products, REFERENCES, NULL,
                              false);
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < n; j++) {
                const double key = squares[j] - 2 * (double)search->products[i * REFERENCES + j];
                if (key < search->least[start + i]) {
                    search->least[start + i] = key;
                    search->places[start + i] = (int32_t)(first + j);
                }
            }
        status = break_check(breaks, error);
    }
    return status;
}

static enum dn_status search_all(struct search *search, const struct dn_breaks *breaks,
                                 struct dn_error *error) {
    enum dn_status status = DN_OK;
    for (size_t i = 0; i < search->x->n; i++)
        search->least[i] = INFINITY;
    for (size_t first = 0; first < search->reference->n && status == DN_OK; first += REFERENCES) {
        const size_t left = search->reference->n - first;
        status = search_block(search, first, left < REFERENCES ? left : REFERENCES, breaks, error);
    }
    return status;
}

enum dn_status dn_images_nearest(const struct dn_images *x, const struct dn_images *reference,
                                 double *distances, int32_t *places, const struct dn_breaks *breaks,
                                 struct dn_error *error) {
    const size_t values = images_values(x);
    if (reference->n == 0 || !images_same_size(x, reference))
        return error_set(error, DN_INVALID, "there are no images of this size to compare with");
    struct search search = {.kernels = kernels_get(), .x = x, .reference = reference};
    search.values = values;
    search.queries = floats_new(QUERIES * values);
    search.rows = floats_new(REFERENCES * values);
    search.columns = floats_new(REFERENCES * values);
    search.products = floats_new(QUERIES * REFERENCES);
    search.least = calloc(x->n + 1, sizeof *search.least);
    search.places = calloc(x->n + 1, sizeof *search.places);
    enum dn_status status = search.queries && search.rows && search.columns && search.products &&
                                    search.least && search.places
                                ? search_all(&search, breaks, error)
                                : error_set(error, DN_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < x->n && status == DN_OK; i++) {
        const size_t place = (size_t)search.places[i];
        if (distances)
            distances[i] =
                distance_of(x->pixels + i * values, reference->pixels + place * values, values);
        if (places)
            places[i] = (int32_t)place;
    }
    free(search.queries);
    free(search.rows);
    free(search.columns);
    free(search.products);
    free(search.least);
    free(search.places);
    return status;
}

void dn_images_neighbors(const struct dn_images *x, const struct dn_images *piece, int first, int k,
                         struct dn_neighbor *neighbors) {
    const size_t values = images_values(x);
    for (size_t i = 0; i < x->n; i++) {
        struct dn_neighbor *own = neighbors + i * (size_t)k;
        for (size_t j = 0; j < piece->n; j++) {
            const int32_t squares =
                squares_of(x->pixels + i * values, piece->pixels + j * values, values);
            int at = k;
            for (; at > 0 && squares < own[at - 1].squares; at--)
                if (at < k)
                    own[at] = own[at - 1];
            if (at < k)
                own[at] = (struct dn_neighbor){first + (int32_t)j, squares};
        }
    }
}
