/*
 * evaluation.h - an evaluation of a model: shared by request and answer (evaluation.c) and
 * computation (measure.c).
 */
#ifndef API_EVALUATION_H
#define API_EVALUATION_H

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
    struct dn_sample_request request, asked; /* the complete request, and the request as received,
                                                without defaults */
    int epoch;                               /* of the checkpoint; 0: the newest */
    const char *key;                         /* key of the cached answer */
    struct loaded_model loaded;
    struct dn_data data;     /* data that the model was trained on */
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
