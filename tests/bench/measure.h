/* measure.h - what the measurements of quality share. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/denoise.h"
#include "tests/bench/peak.h"

static inline void must(enum dn_status status, const struct dn_error *error) {
    if (status == DN_OK)
        return;
    fprintf(stderr, "%s\n", error->text);
    exit(1);
}

/* Trains to the end on the data (NULL: on what the spec says). The model is the caller's. */
static inline struct dn_model *train(const struct dn_spec *spec, const struct dn_data *data) {
    struct dn_trainer *trainer;
    struct dn_model *model;
    struct dn_epoch epoch;
    struct dn_error error = {""};
    must(dn_trainer_new(spec, data, &trainer, &error), &error);
    for (int i = 0; i < spec->training.epochs; i++)
        must(dn_trainer_epoch(trainer, NULL, &epoch, &error), &error);
    must(dn_trainer_model(trainer, &model, &error), &error);
    dn_trainer_free(trainer);
    return model;
}

static inline int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { MAX_SEEDS = 25 };

/* The median of the double at an offset into n results of that size. */
static inline double median(const void *results, size_t size, int n, size_t offset) {
    double values[MAX_SEEDS];
    for (int i = 0; i < n; i++)
        memcpy(&values[i], (const char *)results + (size_t)i * size + offset, sizeof values[i]);
    qsort(values, (size_t)n, sizeof *values, compare);
    return values[n / 2];
}
#define MEDIAN(member) median(results, sizeof *results, seeds, offsetof(struct result, member))

#endif
