/*
 * formats.h - the output formats of points, trajectories and loss histories.
 *
 * One row per format: its suffix, its media type, and what writes it. A route lists the suffixes
 * that it has; the suffix of the path picks one, or else the Accept header.
 */
#ifndef API_FORMAT_FORMATS_H
#define API_FORMAT_FORMATS_H

#include "api/format/axes.h"
#include "api/format/pieces.h"
#include "api/format/plot.h"
#include "server/http/http.h"

/* What a format that needs all points at once shows: the points x [n][dim]; or a trajectory, x
 * [frames][n][dim] and the estimates x0 [frames - 1][n][dim] made from all but the last frame. What
 * is drawn are the first two coordinates, those of the axes. */
struct picture {
    struct layout layout;
    const float *x, *x0;
    const char *title;
    struct look look;
    struct axes axes;
};

struct format {
    const char *suffix, *media_type;
    /* The parameters about the look and the content of a response that have an effect in this
     * format, space-separated. */
    const char *options;
    /* For formats that need all points at once; NULL if the format cannot show points, or
     * trajectories. */
    void (*points)(struct buffer *out, const struct picture *picture);
    void (*trajectory)(struct buffer *out, const struct picture *picture);
    /* For formats that are written a few points at a time. */
    const struct pieces *point_pieces, *trajectory_pieces;
    int usual_frames; /* frames of a trajectory by default; 0: all */
    int panels;       /* panels of a frame of a picture of a trajectory; 0: not a picture */
};

/* The format that the request asks for, of those that its route has. NULL: 406 is already the
 * response. Sets the response's content type. */
const struct format *format_of(struct http_exchange *exchange);
bool format_is_json(const struct format *format);
/* Is this one of those parameters, and without effect in this format? */
bool format_ignores(const struct format *format, const char *parameter);
/* Can the format hold more than the points, such as how long they took? */
bool format_says_duration(const struct format *format);
/* Does it draw points along axes, rather than write all coordinates? */
bool format_has_axes(const struct format *format, const struct layout *layout);
/* Does a trajectory with this number of frames make a picture of reasonable size in this format?
 * False: 422 is already the response. */
bool format_fits(struct http_exchange *exchange, const struct format *format,
                 const struct look *look, int frames);
/* The maximum memory for making a response in a format that is not written in pieces. */
size_t format_whole_bytes(const struct format *format, const struct layout *layout,
                          const struct look *look);
const struct format *format_named(const char *suffix, size_t length);

/* Frame k of x, or of x0. */
struct dn_points picture_points(const struct picture *picture, bool is_x0, int k);
/* Sets what the axes are like, and the view box: frame_fit_way for a trajectory. */
bool picture_fit(const struct picture *picture, struct frame *frame);

#endif
