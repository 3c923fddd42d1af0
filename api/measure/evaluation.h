/*
 * evaluation.h - an evaluation of a model: shared by request and response (evaluation.c) and
 * computation (measure.c).
 */
#ifndef API_EVALUATION_H
#define API_EVALUATION_H

#include "api/measure/images.h"
#include "api/measure/table.h"
#include "api/models.h"

enum { EVALUATION_FRAMES = 101 }; /* maximum for the distance per step */

struct evaluation;
struct measurement;
typedef void (*measurement_run)(struct evaluation *evaluation, struct measurement *it);

/* One or two numbers, computed by one thread. */
struct measurement {
    measurement_run run;
    int index;         /* index among those of its kind */
    double value, p99; /* NAN: not defined for these points */
    enum dn_status status;
    struct dn_error error;
};

/* Three measurements per class. */
enum { CLASS_CURVE, CLASS_ENERGY, CLASS_ENERGY_FLOOR, PER_CLASS };

struct evaluation {
    struct http_exchange *exchange;
    struct dn_sample_request request, asked; /* complete; as received, without defaults */
    int epoch;                               /* 0: the current model */
    const char *key;                         /* of the stored response */
    struct loaded_model loaded;
    struct dn_data data;     /* data that the model was trained on */
    struct dn_data fresh[2]; /* the reference, and the second set that gives the floor */
    bool has_curve;
    int frames;    /* 0 without curve */
    float *points; /* [n][dim], with the labels of fresh[0]; x and x0 follow in the same memory */
    float *x, *x0; /* [frames][n][dim] and [frames - 1][n][dim]; NULL without curve */
    struct range *ranges;
    int range_count;
    struct measurement *tasks;
    int task_count;
    /* index of the first task of each kind: two (value and floor) for each metric, for the nearest
     * training points, and for the curve; two (x and x0) for each frame except the last, which has
     * one; PER_CLASS for each class */
    int first_metric, first_nearest, first_curve, first_frame, first_class;
    struct dn_denoising denoising;
    struct table_measure table;
    const char *judge_key;       /* of the stored judge; NULL: none */
    struct image_measure images; /* if there is a report on these, nothing else is measured */
    struct dn_error error;       /* of the first failure */
};

/* Computes everything; request, loaded and data are given. Otherwise evaluation->error says why. */
enum dn_status evaluation_run(struct evaluation *evaluation);
void evaluation_clear(struct evaluation *evaluation); /* may be called again */

#endif
