#include "api/format/point_stream.h"

#include <stdlib.h>
#include <string.h>

#include "api/contract/handlers.h"

enum {
    PIECE_BYTES = 32 << 10, /* a piece ends once it is this long */
    PIECES = 2,             /* that exist at a time */
    NUMBER_BYTES = 16,      /* of a number as text */
    ROWS_VALUES = 4096,     /* numbers that are made and written at a time.. */
    ROWS_MIN = 1000,        /* ..but at least this number of points, which are computed together */
    MAX_VALUES = 8000000,   /* in a trajectory */
};

int point_stream_most(int n, int frames, int dim) {
    const long long most = MAX_VALUES / ((2LL * frames - 1) * dim);
    return most < 1 ? 1 : most < n ? (int)most : n;
}

void point_stream_check_size(int n, int frames, int dim, struct problem_fields *wrong) {
    const long long each = (2LL * frames - 1) * dim; /* numbers of a point, in x and x0 */
    if (n * each > MAX_VALUES)
        problem_add(wrong, "/n",
                    "%d points in %d frames would make a response of %lld numbers; the maximum is "
                    "%d: request n = %lld or fewer frames",
                    n, frames, n * each, MAX_VALUES, MAX_VALUES / each);
}

void point_stream_failure(struct http_exchange *exchange, enum dn_status status,
                          const char *detail) {
    if (status == DN_STOPPED)
        problem(exchange, PROBLEM_STOPPING, "the server is stopping");
    else if (status == DN_NO_MEMORY)
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this number of points");
    else if (status == DN_NOT_FINITE)
        problem(exchange, PROBLEM_NOT_FINITE, detail);
    else
        problem(exchange, PROBLEM_CANNOT_SAMPLE, detail);
}

static bool is_trajectory(const struct point_stream *answer) {
    return answer->layout.frames > 0;
}

static const struct pieces *pieces_of(const struct point_stream *answer) {
    return is_trajectory(answer) ? answer->format->trajectory_pieces : answer->format->point_pieces;
}

static size_t rows_at_once(const struct layout *layout) {
    size_t rows = ROWS_VALUES / (size_t)layout->dim;
    return rows > ROWS_MIN ? rows : ROWS_MIN;
}

static enum http_piece write_rows(struct http_exchange *exchange, struct point_stream *answer,
                                  struct buffer *out) {
    const struct layout *layout = &answer->layout;
    const struct pieces *pieces = pieces_of(answer);
    const size_t left = layout->n - answer->row, most = rows_at_once(layout);
    const size_t count = left < most ? left : most, first = answer->row;
    const float *points = NULL;
    if (is_trajectory(answer)) {
        const struct part part = pieces_part(pieces, layout, answer->part);
        points = (part.is_x0 ? answer->x0 : answer->x) +
                 ((size_t)part.frame * layout->n + first) * (size_t)layout->dim;
    } else {
        answer->status = answer->points(exchange, answer, first, count, &points, &answer->error);
        if (answer->status != DN_OK)
            return HTTP_PIECE_FAIL;
    }
    pieces->rows(out, layout, points, first, count);
    answer->row += count;
    return HTTP_PIECE_MORE;
}

/* One piece, from where the last one ended. */
static enum http_piece write_piece(struct http_exchange *exchange, struct point_stream *answer,
                                   struct buffer *out) {
    const struct layout *layout = &answer->layout;
    const struct pieces *pieces = pieces_of(answer);
    const int parts = pieces_count(pieces, layout);
    const size_t enough = out->length + PIECE_BYTES;
    while (out->length < enough && !out->failed) {
        if (answer->row == 0)
            pieces->lead(out, layout, answer->part);
        if (answer->part == parts)
            return HTTP_PIECE_LAST;
        if (write_rows(exchange, answer, out) == HTTP_PIECE_FAIL)
            return HTTP_PIECE_FAIL;
        if (answer->row == layout->n) {
            answer->row = 0;
            answer->part++;
        }
    }
    return HTTP_PIECE_MORE;
}

/* Of the bytes after the first `before` ones of the piece, keeps those that are in the range. */
static enum http_piece cut_piece(struct point_stream *answer, struct buffer *piece, size_t before) {
    const uint64_t made = piece->length - before, skip = answer->skip < made ? answer->skip : made;
    const uint64_t kept = made - skip < answer->left ? made - skip : answer->left;
    if (kept > 0)
        memmove(piece->data + before, piece->data + before + skip, kept);
    piece->length = before + kept;
    answer->skip -= skip;
    answer->left -= kept;
    return answer->left > 0 ? HTTP_PIECE_MORE : HTTP_PIECE_LAST;
}

static enum http_piece next_piece(struct http_exchange *exchange, struct buffer *piece) {
    struct point_stream *answer = exchange->state;
    const size_t before = piece->length;
    const enum http_piece state = write_piece(exchange, answer, piece);
    return state == HTTP_PIECE_FAIL || piece->failed || answer->left == 0
               ? state
               : cut_piece(answer, piece, before);
}

/* For formats whose length is known: a header, then the values one after another. */
static void seek(struct http_exchange *exchange, uint64_t first, uint64_t count) {
    struct point_stream *answer = exchange->state;
    const struct layout *layout = &answer->layout;
    const struct pieces *pieces = pieces_of(answer);
    const uint64_t row_bytes = pieces_point_bytes(layout);
    const uint64_t rows = (uint64_t)pieces_count(pieces, layout) * layout->n;
    const uint64_t header = pieces->length(layout) - rows * row_bytes;
    const uint64_t row = first < header ? 0 : (first - header) / row_bytes;
    answer->part = (int)(row / layout->n);
    answer->row = row % layout->n;
    answer->skip = row == 0 ? first : first - header - row * row_bytes;
    answer->left = count;
}

/* The numbers of the coordinates of the axes: of x, and of x0 beside it. */
static size_t axes_values(const struct layout *layout) {
    const size_t frames = layout->frames > 0 ? (size_t)layout->frames : 1;
    return 2 * layout->n * (frames + (frames - 1));
}

static bool needs_axes(const struct format *format, const struct layout *layout,
                       const struct axes *axes) {
    return format_has_axes(format, layout) && axes_need_copy(axes, layout->dim);
}

static void close_stream(struct http_exchange *exchange) {
    struct point_stream *answer = exchange->state;
    answer->clear(answer);
}

/* Reduces a picture to the coordinates of its axes, which are copied to *copy; the caller frees it.
 * False: no memory. */
static bool take_axes(struct picture *picture, float **copy) {
    struct layout *layout = &picture->layout;
    const size_t frames = layout->frames > 0 ? (size_t)layout->frames : 1;
    const size_t x = layout->n * frames, x0 = layout->n * (frames - 1);
    *copy = malloc(axes_values(layout) * sizeof **copy);
    if (!*copy)
        return false;
    axes_copy(&picture->axes, picture->x, x, layout->dim, *copy);
    if (x0 > 0)
        axes_copy(&picture->axes, picture->x0, x0, layout->dim, *copy + 2 * x);
    picture->x = *copy;
    picture->x0 = *copy + 2 * x;
    layout->dim = 2;
    return true;
}

static enum dn_status draw(const struct point_stream *answer, struct picture *picture,
                           struct buffer *out) {
    float *copy = NULL;
    if (needs_axes(answer->format, &picture->layout, &picture->axes) && !take_axes(picture, &copy))
        return DN_NO_MEMORY;
    if (is_trajectory(answer))
        answer->format->trajectory(out, picture);
    else
        answer->format->points(out, picture);
    free(copy);
    return DN_OK;
}

/* For formats that need to see all points. */
static enum dn_status write_whole(struct http_exchange *exchange, struct point_stream *answer,
                                  struct buffer *out) {
    const struct layout *layout = &answer->layout;
    struct picture picture = {*layout,       answer->x,    answer->x0,
                              answer->title, answer->look, answer->axes};
    enum dn_status status = DN_OK;
    if (!is_trajectory(answer)) {
        status = answer->points(exchange, answer, 0, layout->n, &picture.x, &answer->error);
        picture.layout.values = layout->values; /* which came with the points */
    }
    return status == DN_OK ? draw(answer, &picture, out) : status;
}

/* Of the names of the points' classes, which some formats write in one piece. */
static size_t label_bytes(const struct layout *layout) {
    size_t bytes = 0;
    for (size_t i = 0; layout->labels && i < layout->n; i++)
        bytes += strlen(layout->classes[layout->labels[i]]) + 3; /* quotes and a comma */
    return bytes;
}

/* The memory for the pieces, or for the whole. */
static size_t bytes_to_write(const struct point_stream *answer) {
    const struct layout *layout = &answer->layout;
    const size_t most = rows_at_once(layout), rows = layout->n < most ? layout->n : most;
    const size_t values = rows * (size_t)layout->dim;
    const size_t texts = layout->form ? rows * layout->form->most : values * NUMBER_BYTES;
    const size_t axes =
        needs_axes(answer->format, layout, &answer->axes) ? axes_values(layout) * sizeof(float) : 0;
    const bool has_values = layout->form || layout->has_values;
    const size_t value = sizeof(float) + (has_values ? sizeof(double) : 0);
    return pieces_of(answer) ? PIECES * (PIECE_BYTES + texts + label_bytes(layout)) +
                                   values * value * !is_trajectory(answer)
                             : format_whole_bytes(answer->format, layout, &answer->look) + axes;
}

void point_stream_send(struct http_exchange *exchange, struct point_stream *answer) {
    struct http_response *response = &exchange->response;
    const struct pieces *pieces = pieces_of(answer);
    enum http_piece piece = HTTP_PIECE_LAST;
    if (!http_reserve(exchange, bytes_to_write(answer))) {
        answer->clear(answer);
        return;
    }
    if (pieces)
        piece = write_piece(exchange, answer, &response->body);
    else
        answer->status = write_whole(exchange, answer, &response->body);
    if (answer->status != DN_OK) {
        point_stream_failure(exchange, answer->status, answer->error.text);
    } else {
        response->status = 200;
        response->content_type = answer->format->media_type;
    }
    if (answer->status != DN_OK || piece == HTTP_PIECE_LAST) {
        answer->clear(answer);
        return;
    }
    exchange->state = answer;
    response->stream = (struct http_stream){
        .next = next_piece,
        .on_pool = true,
        .length = pieces->length ? pieces->length(&answer->layout) : 0,
        .seek = pieces->length ? seek : NULL,
        .held = answer->held + bytes_to_write(answer),
        .closed = close_stream,
    };
}
