/*
 * point_stream.h - responses made of points: samples, draws and trajectories, in the requested
 * format.
 *
 * A short response is made whole. A long one in a format that allows it is made piece by piece
 * while it is sent: its text never exists as a whole, and neither do all points of a draw.
 */
#ifndef API_FORMAT_POINT_STREAM_H
#define API_FORMAT_POINT_STREAM_H

#include "api/contract/problem.h"
#include "api/format/formats.h"
#include "engine/denoise.h"

struct point_stream {
    const struct format *format;
    struct layout layout;
    const char *title; /* of a picture */
    struct look look;
    struct axes axes; /* of a picture */
    /* Makes the points [count][dim] from index `first` on; *points is valid until the next call.
     * Trajectories have x and x0 instead. */
    enum dn_status (*points)(struct http_exchange *exchange, struct point_stream *answer,
                             size_t first, size_t count, const float **points,
                             struct dn_error *error);
    const float *x, *x0; /* [frames][n][dim], [frames - 1][n][dim] */
    /* Frees the memory of the response. Called once. */
    void (*clear)(struct point_stream *answer);
    void *owner; /* for the functions above */
    size_t held; /* bytes of memory that it uses */

    int part; /* point_stream.c: where it is */
    size_t row;
    uint64_t skip, left; /* of a range: bytes to skip, and bytes that are left to send; 0: no
                          * range */
    enum dn_status status;
    struct dn_error error;
};

/* Responds to the exchange, on the pool, and calls clear. `answer` is in the arena. */
void point_stream_send(struct http_exchange *exchange, struct point_stream *answer);

/* Of n points, as many as a trajectory may have, but at least one. */
int point_stream_most(int n, int frames, int dim);

/* Whether a trajectory is short enough for one response; adds to `wrong` if it is not. */
void point_stream_check_size(int n, int frames, int dim, struct problem_fields *wrong);

/* The response to a computation that failed. */
void point_stream_failure(struct http_exchange *exchange, enum dn_status status,
                          const char *detail);

#endif
