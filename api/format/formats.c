#include "api/format/formats.h"

#include <string.h>
#include <strings.h>

#include "api/contract/problem.h"
#include "api/format/braille.h"
#include "api/format/gif.h"
#include "api/format/png.h"
#include "api/format/svg.h"
#include "api/format/text_table.h"
#include "api/images/film.h"
#include "server/http/content.h"
#include "server/http/router.h"

/* ------------------------------------------------------------------ writers */

struct dn_points picture_points(const struct picture *picture, bool is_x0, int k) {
    const struct layout *layout = &picture->layout;
    const size_t before = (size_t)k * layout->n * (size_t)layout->dim;
    return (struct dn_points){(is_x0 ? picture->x0 : picture->x) + before, layout->n, layout->dim};
}

bool picture_fit(const struct picture *picture, struct frame *frame) {
    const struct dn_points first = picture_points(picture, false, 0);
    frame->is_free = picture->axes.is_free;
    frame->columns[0] = picture->axes.columns[0];
    frame->columns[1] = picture->axes.columns[1];
    if (picture->layout.frames == 0) {
        frame_fit(frame, &first);
        return true;
    }
    const struct dn_points last = picture_points(picture, false, picture->layout.frames - 1);
    return frame_fit_way(frame, &first, &last);
}

/* A terminal of 80 x 24 shows a picture as a whole, with its prompt below. */
enum { TEXT_COLUMNS = 78, TEXT_ROWS = 22, FRAME_COLUMNS = 60, FRAME_ROWS = 20, TEXT_FRAMES = 5 };

/* The first rows of a table. */
static void rows_txt(struct buffer *out, const struct layout *layout, const float *points) {
    const size_t shown = layout->n < TEXT_TABLE_ROWS ? layout->n : TEXT_TABLE_ROWS;
    struct buffer csv = {0};
    pieces_csv.lead(&csv, layout, 0);
    pieces_csv.rows(&csv, layout, points, 0, shown);
    if (csv.failed)
        buffer_fail(out);
    else
        text_table(out, csv.data, csv.length, layout->n);
    buffer_clear(&csv);
}

/* Points are plotted, rows of a table are listed. */
static void points_txt(struct buffer *out, const struct picture *picture) {
    const struct dn_points points = picture_points(picture, false, 0);
    if (picture->layout.form) {
        rows_txt(out, &picture->layout, points.points);
        return;
    }
    braille_points(out, &points, TEXT_COLUMNS, TEXT_ROWS, picture->axes.is_free);
}

/* A few frames, as plots. */
static void trajectory_txt(struct buffer *out, const struct picture *picture) {
    const struct layout *layout = &picture->layout;
    const int last = layout->frames - (layout->which_x0 ? 2 : 1);
    char caption[AXES_CAPTION];
    axes_caption(&picture->axes, caption);
    for (int i = 0; i < TEXT_FRAMES; i++) {
        int k = last * i / (TEXT_FRAMES - 1);
        if (i > 0 && k == last * (i - 1) / (TEXT_FRAMES - 1))
            continue;
        const struct dn_points frame = picture_points(picture, layout->which_x0, k);
        buffer_format(out, "t = %d", layout->timesteps[k]);
        buffer_format(out, "%s%s\n", caption[0] ? ", " : "", caption);
        braille_points(out, &frame, FRAME_COLUMNS, FRAME_ROWS, picture->axes.is_free);
    }
}

/* Images are shown as they are. */
static void points_png(struct buffer *out, const struct picture *picture) {
    (picture->layout.shape.height ? film_samples : png_points)(out, picture);
}

static void trajectory_png(struct buffer *out, const struct picture *picture) {
    (picture->layout.shape.height ? film_strips : png_trajectory)(out, picture);
}

static void trajectory_gif(struct buffer *out, const struct picture *picture) {
    (picture->layout.shape.height ? film_animation : gif_trajectory)(out, picture);
}

/* ------------------------------------------------------------------ the table */

static const struct format formats[] = {
    {"json", "application/json", "", NULL, NULL, &pieces_json, &pieces_frames_json, 0, 0},
    {"csv", "text/csv", "", NULL, NULL, &pieces_csv, NULL, 0, 0},
    {"ndjson", "application/x-ndjson", "", NULL, NULL, NULL, &pieces_ndjson, 0, 0},
    {"npy", "application/octet-stream", "which dtype", NULL, NULL, &pieces_npy, &pieces_npy, 0, 0},
    {"svg", "image/svg+xml", "size theme x y", svg_points, NULL, NULL, NULL, 0, 0},
    {"png", "image/png", "size theme which x y columns scale", points_png, trajectory_png, NULL,
     NULL, 5, 1},
    {"gif", "image/gif", "size theme fps x y columns scale", NULL, trajectory_gif, NULL, NULL, 101,
     2},
    {"txt", "text/plain", "which x y", points_txt, trajectory_txt, NULL, NULL, 0, 0},
    {"safetensors", "application/octet-stream", "", NULL, NULL, NULL, &pieces_frames_safetensors, 0,
     0},
    {"sse", "text/event-stream", "", NULL, NULL, NULL, NULL, 0, 0},
};
enum { FORMATS = sizeof formats / sizeof formats[0] };

bool format_is_json(const struct format *format) {
    return format == &formats[0];
}

bool format_ignores(const struct format *format, const char *parameter) {
    static const char options[] = "size theme fps which x y columns scale dtype";
    const size_t length = strlen(parameter);
    return router_has_word(options, parameter, length) &&
           !router_has_word(format->options, parameter, length);
}

bool format_says_duration(const struct format *format) {
    return format_is_json(format) || format->trajectory_pieces == &pieces_frames_safetensors;
}

bool format_has_axes(const struct format *format, const struct layout *layout) {
    const bool lists_rows = layout->form && format->points == points_txt;
    return !lists_rows && !layout->shape.height && !format_ignores(format, "x");
}

enum { PICTURE_SIZE = 320, PICTURE_MAX_PIXELS = 64000000 }; /* default; of all frames */

bool format_fits(struct http_exchange *exchange, const struct format *format,
                 const struct look *look, int frames) {
    const int64_t size = look->size ? look->size : PICTURE_SIZE;
    const int64_t pixels = size * size * format->panels * frames;
    if (pixels <= PICTURE_MAX_PIXELS)
        return true;
    problem_field(exchange, look->size ? "/size" : "/frames",
                  http_format(exchange,
                              "%d frames of this size have %lld pixels; the maximum is %d: request "
                              "fewer frames or a smaller size",
                              frames, (long long)pixels, PICTURE_MAX_PIXELS));
    return false;
}

size_t format_whole_bytes(const struct format *format, const struct layout *layout,
                          const struct look *look) {
    enum {
        POINT_BYTES = 128 /* a circle of an SVG, in a buffer that doubles */,
        STRIP_BYTES = 8 /* per pixel, with its raster */
    };
    if (layout->shape.height)
        return film_bytes(format, layout, look);
    const size_t size = (size_t)(look->size ? look->size : PICTURE_SIZE);
    const size_t panels = (size_t)(layout->frames ? layout->frames : 1) *
                          (size_t)(format->panels ? format->panels : 1);
    const size_t values = layout->n * (size_t)layout->dim * sizeof(float);
    const size_t pixels = size * size * panels;
    const size_t text = layout->form ? 3 * TEXT_TABLE_ROWS * layout->form->most : 0;
    return text + 4 * values +
           (format->panels == 1  ? STRIP_BYTES * pixels
            : format->panels > 1 ? 2 * pixels /* of one frame at a time */
                                 : layout->n * POINT_BYTES);
}

const struct format *format_named(const char *suffix, size_t length) {
    for (size_t i = 0; i < FORMATS; i++)
        if (strlen(formats[i].suffix) == length && memcmp(formats[i].suffix, suffix, length) == 0)
            return &formats[i];
    return NULL;
}

/* The q of a media type in an Accept header, by its most specific range (RFC 9110, 12.5.1). */
static double quality(const char *accept, const char *media_type) {
    const size_t type = strcspn(media_type, "/");
    double found = 0;
    int best = 0;
    while (*accept) {
        accept += strspn(accept, ", \t");
        const size_t range = strcspn(accept, ",; \t"), whole = strcspn(accept, ",");
        int specific = 0;
        if (range == strlen(media_type) && strncasecmp(accept, media_type, range) == 0)
            specific = 3;
        else if (range == type + 2 && strncasecmp(accept, media_type, type + 1) == 0 &&
                 accept[type + 1] == '*')
            specific = 2;
        else if (range == 3 && strncmp(accept, "*/*", 3) == 0)
            specific = 1;
        if (specific > best) {
            best = specific;
            found = content_quality(accept, whole);
        }
        accept += whole;
    }
    return found;
}

const struct format *format_of(struct http_exchange *exchange) {
    const struct http_request *request = &exchange->request;
    const struct format *best = NULL;
    if (request->format[0]) {
        best = format_named(request->format, strlen(request->format));
    } else {
        const char *accept = http_header(exchange, "Accept");
        http_set_header(exchange, "Vary", "Accept");
        double best_quality = 0;
        for (const char *word = request->formats; *word; word += strspn(word, " ")) {
            size_t length = strcspn(word, " ");
            const struct format *format = format_named(word, length);
            double q = accept ? quality(accept, format->media_type) : 1;
            if (q > best_quality) { /* the first in the list wins a tie */
                best_quality = q;
                best = format;
            }
            word += length;
        }
    }
    if (best)
        exchange->response.content_type = best->media_type;
    else
        problem(exchange, PROBLEM_NOT_ACCEPTABLE,
                http_format(exchange, "available formats: %s", request->formats));
    return best;
}
