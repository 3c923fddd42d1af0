/*
 * evaluation.h - an evaluation of a model, between its request and answer (evaluation.c) and its
 * computing (measure.c).
 */
#ifndef API_EVALUATION_H
#define API_EVALUATION_H

#include "api/models.h"

enum { EVALUATION_FRAMES = 101 }; /* of the distance per step, at most */

struct evaluation;
struct measurement;
typedef void (*measurement_run)(struct evaluation *evaluation, struct measurement *it);

/* One number or two, computed by one thread. */
struct measurement {
    measurement_run run;
    int index;         /* says which one of its kind */
    double value, p99; /* NAN: not defined for these points */
    enum dn_status status;
    struct dn_error error;
};

/* Of each class: three measurements. */
enum { CLASS_CURVE, CLASS_ENERGY, CLASS_ENERGY_FLOOR, PER_CLASS };

struct evaluation {
    struct http_exchange *exchange;
    struct dn_sample_request request, asked; /* as it will be, and as it came: without defaults */
    int epoch;                               /* of the checkpoint; 0: the newest */
    const char *key;                         /* of the answer that is kept */
    struct loaded_model loaded;
    struct dn_data data;     /* that the model was trained on */
    struct dn_data fresh[2]; /* the reference, and what the floor is measured with */
    bool has_curve;
    int frames;    /* 0 without curve */
    float *memory; /* owns the next three */
    float *points; /* [n][dim], with the labels of fresh[0] */
    float *x, *x0; /* [frames][n][dim] and one less */
    struct range *ranges;
    int range_count;
    struct measurement *tasks;
    int task_count;
    /* the first of each kind: two (value and floor) of each metric, of the nearest training points,
     * and of the curve; two (x and x0) of each frame but the last, which has one; PER_CLASS of each
     * class */
    int first_metric, first_nearest, first_curve, first_frame, first_class;
    struct dn_denoising denoising;
    struct dn_error error;
};

/* Computes everything; request, loaded and data are given. */
enum dn_status evaluation_run(struct evaluation *evaluation, const char **detail);
void evaluation_clear(struct evaluation *evaluation); /* may be called again */

#endif
