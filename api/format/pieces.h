/*
 * pieces.h - formats that are written a few points at a time, so that a response of any length
 * needs little memory.
 *
 * Such a response is a list of parts: runs of n points with some text before each, and some after
 * the last one. A draw has one part. A trajectory has a part per frame of x and of x0, in an order
 * that the format decides.
 */
#ifndef API_FORMAT_PIECES_H
#define API_FORMAT_PIECES_H

#include <stdbool.h>
#include <stdint.h>

#include "api/contract/json.h"
#include "api/format/grid.h"
#include "api/table/form.h"

/* The layout of a response made of points. */
struct layout {
    size_t n; /* points of a part */
    int dim;
    const int32_t *labels;      /* the classes of the points [n]; NULL: none */
    const char *const *classes; /* the names of the classes, up to a NULL */
    const char *const *columns; /* names of the coordinates [dim]; NULL: x, y, z, or x0, x1, .. */
    /* Of a table: the form of its rows, and the rows' values [count][dim] in full precision, beside
     * the points that are written; NULL: points are numbers. CSV, JSON and npy of points only. has_values: npy has the values as they
     * are, without a form. */
    const struct table_form *form;
    const double *values;
    bool has_values;
    /* Cells that are written as they are, [..][form->count] as in struct form_row: of each run of
     * `draws` points, or of all if that is 0; NULL: none. */
    const char *const *known;
    int draws;
    /* Of images, dim = height * width * channels: the array of a npy has these dimensions, and
     * is_bytes: values from 0 to 255, each of which becomes a byte of it. height 0: points. */
    struct grid_shape shape;
    bool is_bytes;
    int frames;           /* of x in a trajectory; 0: this is not a trajectory */
    const int *timesteps; /* [frames] */
    bool which_x0;        /* a format for one array holds x0 */
    /* JSON only: the members of the object before the points, and after them and their labels; the
     * latter may be NULL. */
    void (*head)(const void *owner, struct json_writer *json);
    void (*tail)(const void *owner, struct json_writer *json);
    void *owner;
};

/* One run of points. */
struct part {
    bool is_x0; /* x0 has one frame less than x */
    int frame;
};

enum part_order { PARTS_ONE_ARRAY, PARTS_X_THEN_X0, PARTS_BY_FRAME };

struct pieces {
    enum part_order order;
    /* Writes what comes before a part's points and, with index = number of parts, after the last
     * one. */
    void (*lead)(struct buffer *out, const struct layout *layout, int index);
    /* Points first..first+count-1 of a part, [count][dim]. */
    void (*rows)(struct buffer *out, const struct layout *layout, const float *points, size_t first,
                 size_t count);
    /* The total number of bytes, in a format with a header and then the values as they are in
     * memory; NULL: not known in advance. */
    uint64_t (*length)(const struct layout *layout);
};

/* Bytes of a point in an array of such a format. */
size_t pieces_point_bytes(const struct layout *layout);

int pieces_count(const struct pieces *pieces, const struct layout *layout);
struct part pieces_part(const struct pieces *pieces, const struct layout *layout, int index);

extern const struct pieces pieces_csv, pieces_json; /* points */
extern const struct pieces pieces_frames_json, pieces_ndjson,
    pieces_frames_safetensors;         /* frames */
extern const struct pieces pieces_npy; /* both */

#endif
