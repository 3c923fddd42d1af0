/*
 * process.h - a request for points of a data set, or for their way to or from noise.
 */
#ifndef API_IMAGES_PROCESS_H
#define API_IMAGES_PROCESS_H

#include <string.h>

#include "api/datasets.h"
#include "api/format/formats.h"

enum { PROCESS_DEFAULT = 1000 /* points */ };

enum process_kind { PROCESS_DRAW, PROCESS_FORWARD, PROCESS_STRAIGHT };
struct process {
    enum process_kind kind;
    int n;                /* number of points; 0 if a draw from an upload does not give it */
    int frames;           /* 0 for a draw */
    bool frames_are_open; /* they are those of the format, not of the request */
    uint64_t seed;
    struct dn_diffusion_spec diffusion; /* of forward */
    const struct format *format;
    struct look look;
    struct axes axes;
    int which; /* index into which_names */

    int pattern; /* or -1: an upload */
    struct dataset_points set;
    struct dn_points uploaded; /* its points */
    int dim;
    int *timesteps;  /* [frames] */
    float *memory;   /* x, then x0; of a draw: the points of the current piece */
    int32_t *order;  /* the points of an upload in random order; NULL: as they are stored */
    int32_t *labels; /* [n] of an upload with labels, else NULL */
    /* A draw from a table as npy: its cells, and the numbers of the current piece. */
    bool is_exact;
    struct cells cells;
    double *values;
};

static inline bool process_is_csv(const struct process *process) {
    return strcmp(process->format->suffix, "csv") == 0;
}
static inline bool process_is_text(const struct process *process) {
    return strcmp(process->format->suffix, "txt") == 0;
}
static inline bool process_is_of_images(const struct process *process) {
    return process->set.row.height > 0;
}

/* ------------------------------------------------------------------ process.c */

/* Does the format have the pixels of images? In lists of them, or on their way to noise. */
bool process_takes_images(const struct process *process);
/* Describes the built-in digits. False: the response is the error. */
bool process_describe_digits(struct http_exchange *exchange, struct process *process);
/* The checks of images; fills in what the request leaves open. False: the response is the error. */
bool process_fits_images(struct http_exchange *exchange, struct process *process);
/* Images of a draw, if not given: all, or as many as JSON has. all: in the data set. */
int process_usual_images(const struct process *process, int all);
/* Digits first..first+count-1, as values [count][dim] from 0 to 255. */
void process_draw_digits(const struct process *process, size_t first, size_t count, float *values);
/* Makes their labels, of the first n. False: no memory. */
bool process_label_digits(struct process *process);
/* Does what a picture shows of the layout fit into it? False: the response is the error. */
bool process_fits_picture(struct http_exchange *exchange, const struct process *process,
                          const struct layout *layout);

#endif
