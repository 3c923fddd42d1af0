/*
 * formats.h - the output formats of points, trajectories and loss histories.
 *
 * One row a format: its suffix, its media type, and what writes it. A route lists the suffixes that
 * it has; the suffix of the path picks one, or else the Accept header.
 */
#ifndef API_FORMAT_FORMATS_H
#define API_FORMAT_FORMATS_H

#include "api/format/pieces.h"
#include "api/format/plot.h"
#include "server/http/http.h"

/* What a format that needs all points at once shows: the points x [n][dim]; or a trajectory, x
 * [frames][n][dim] and the estimates x0 [frames - 1][n][dim] made from all but the last frame. */
struct picture {
    struct layout layout;
    const float *x, *x0;
    const char *title;
    struct look look;
};

struct format {
    const char *suffix, *media_type;
    /* Those of the parameters about the look of an answer, and about what is in it, that count in
     * this format, space-separated. */
    const char *options;
    /* Formats that need all points at once. NULL where the format has no such shape. */
    void (*points)(struct buffer *out, const struct picture *picture);
    void (*trajectory)(struct buffer *out, const struct picture *picture);
    /* Formats that are written a few points at a time. */
    const struct pieces *point_pieces, *trajectory_pieces;
    int usual_frames; /* frames of a trajectory by default; 0: all */
    int panels;       /* panels of a frame of a picture of a trajectory; 0: not a picture */
};

/* The format that the request asks for, of those that its route has. NULL: 406 is already the
 * answer. Sets the answer's content type. */
const struct format *format_of(struct http_exchange *exchange);
bool format_is_json(const struct format *format);
/* Whether a parameter, of those about looks, changes nothing of an answer in this format. */
bool format_ignores(const struct format *format, const char *parameter);
/* Can the format hold more than the points, such as how long they took? */
bool format_says_duration(const struct format *format);
/* Does a trajectory with this number of frames make a picture of reasonable size in this format?
 * False: 422 is already the answer. */
bool format_fits(struct http_exchange *exchange, const struct format *format,
                 const struct look *look, int frames);
/* The maximum memory for making an answer in a format that is not written in pieces. */
size_t format_whole_bytes(const struct format *format, const struct layout *layout,
                          const struct look *look);
const struct format *format_named(const char *suffix, size_t length);

/* Frame k of x, or of x0. */
struct dn_points picture_points(const struct picture *picture, bool is_x0, int k);
/* frame_fit_way for a trajectory. */
bool picture_fit(const struct picture *picture, struct frame *frame);

#endif
