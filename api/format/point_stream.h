/*
 * point_stream.h - answers made of points: samples, draws, trajectories, in whatever format was asked
 * for.
 *
 * A short answer is made whole. A long one in a format that allows it is made piece by piece while
 * it is sent: its text never exists as a whole, and the points of a draw need not either.
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
    /* Makes points [count][dim], those from `first` on, and says where they are until the next
     * call. For answers that are not trajectories; else x and x0 below are set. */
    enum dn_status (*points)(struct http_exchange *exchange, struct point_stream *answer,
                             size_t first, size_t count, const float **points,
                             struct dn_error *error);
    const float *x, *x0; /* [frames][n][dim], [frames - 1][n][dim] */
    /* Frees what the answer stands on. Called once. */
    void (*clear)(struct point_stream *answer);
    void *owner; /* for the functions above */
    size_t held; /* bytes of memory that it stands on */

    int part; /* point_stream.c: where it is */
    size_t row;
    uint64_t skip, left; /* of a range: bytes that are not of it, and so many are; 0: no range */
    enum dn_status status;
    struct dn_error error;
};

/* Answers the exchange, on the pool, and sees to the clearing. `answer` is in the arena. */
void point_stream_send(struct http_exchange *exchange, struct point_stream *answer);

/* Whether a trajectory is short enough for one answer; adds to `wrong` if it is not. */
void point_stream_check_size(int n, int frames, int dim, struct problem_fields *wrong);

/* The answer to a computation that failed. */
void point_stream_failure(struct http_exchange *exchange, enum dn_status status,
                          const char *detail);

#endif
