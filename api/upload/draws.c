/* /v1/datasets/{id}/points: draws from the built-in patterns, and the points of uploads. */
#include <stdlib.h>
#include <string.h>

#include "api/contract/caching.h"
#include "api/contract/handlers.h"
#include "api/contract/openapi.h"
#include "api/datasets.h"
#include "api/format/point_stream.h"
#include "engine/denoise.h"

enum { DRAW_DEFAULT = 1000 };

struct draw {
    int n; /* 0: not given */
    uint64_t seed;
    int pattern; /* or -1: an upload */
    const struct format *format;
    struct look look;
    float *memory; /* the points of the current piece */
    /* for an upload */
    struct dataset_points set;
    int32_t *order;  /* [n], which points; NULL: the first ones, as they are stored */
    int32_t *labels; /* [n], of those points */
};

static const struct field rows[] = {
    {"", "n", FIELD_INTEGER, offsetof(struct draw, n), 1, DN_MAX_SAMPLES, 0, NULL,
     "Number of points to draw; from an upload, at most this number, chosen at random. Default: "
     "1,000 from a built-in data set, or the first 100,000 of an upload in the order of its file."},
    {"", "seed", FIELD_UINT53, offsetof(struct draw, seed), 0, 0, 0, NULL, "Seed of the draw."},
    LOOK_SIZE_ROW(offsetof(struct draw, look)),
    LOOK_THEME_ROW(offsetof(struct draw, look)),
};
const struct field_set draw_fields = {rows, sizeof rows / sizeof rows[0]};

/* Chooses the points of the upload, and their labels. False: no memory. */
static bool choose(struct draw *draw) {
    const int all = (int)draw->set.row.n;
    if (draw->n > 0) {
        draw->order = malloc((size_t)all * sizeof *draw->order);
        if (!draw->order)
            return false;
        dn_shuffle(draw->seed, all, draw->order);
        pool_pause();
    }
    if (draw->n == 0)
        draw->n = DN_MAX_SAMPLES;
    if (draw->n > all)
        draw->n = all;
    return dataset_take_labels(&draw->set, draw->order, (size_t)draw->n, &draw->labels);
}

/* ------------------------------------------------------------------ the response */

static int dimension(const struct draw *draw) {
    return draw->pattern >= 0 ? 2 : draw->set.row.dim;
}

static enum dn_status some_points(struct http_exchange *exchange, struct point_stream *answer,
                                  size_t first, size_t count, const float **points,
                                  struct dn_error *error) {
    (void)exchange, (void)error;
    struct draw *draw = answer->owner;
    float *memory = realloc(draw->memory, count * (size_t)dimension(draw) * sizeof *memory);
    if (!memory)
        return DN_NO_MEMORY;
    *points = draw->memory = memory;
    if (draw->pattern >= 0)
        dn_pattern_draw((enum dn_pattern)draw->pattern, draw->seed, first, count, memory);
    else
        dataset_take(&draw->set, draw->order, first, count, memory);
    return DN_OK;
}

static void write_head(const void *owner, struct json_writer *json) {
    const struct draw *draw = owner;
    json_member(json, "dataset",
                draw->pattern >= 0 ? dn_patterns[draw->pattern].name : draw->set.row.id);
    json_member_integer(json, "seed", (int64_t)draw->seed);
    json_member_integer(json, "n", draw->n);
    json_member_integer(json, "dim", dimension(draw));
}

static void draw_clear(struct point_stream *answer) {
    struct draw *draw = answer->owner;
    free(draw->memory);
    free(draw->order);
    free(draw->labels);
    dataset_points_clear(&draw->set);
}

/* False: the error is already the response. */
static bool take_upload(struct http_exchange *exchange, struct draw *draw,
                        struct point_stream *answer) {
    if (!dataset_load(exchange, exchange->request.ids[0], &draw->set))
        return false;
    dataset_tag(exchange, &(struct choice){draw->format, &draw_fields, draw}, "draw",
                &draw->set.row);
    const bool fits = http_reserve(exchange, (size_t)draw->set.row.n * sizeof *draw->order);
    const bool chosen = fits && choose(draw);
    if (fits && !chosen)
        point_stream_failure(exchange, DN_NO_MEMORY, "");
    if (!chosen)
        draw_clear(answer);
    return chosen;
}

static void draw_points(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct draw *draw = exchange->state;
    struct point_stream *answer = http_alloc(exchange, sizeof *answer);
    if (!answer)
        return;
    *answer = (struct point_stream){.clear = draw_clear, .owner = draw};
    if (draw->pattern < 0 && !take_upload(exchange, draw, answer))
        return;
    answer->format = draw->format;
    answer->layout = (struct layout){.n = (size_t)draw->n,
                                     .dim = dimension(draw),
                                     .labels = draw->labels,
                                     .classes = draw->set.classes,
                                     .columns = draw->pattern >= 0 ? NULL : draw->set.columns,
                                     .head = write_head,
                                     .owner = draw};
    answer->title = draw->pattern >= 0   ? dn_patterns[draw->pattern].name
                    : draw->set.row.name ? draw->set.row.name
                                         : "upload";
    answer->look = draw->look;
    answer->held = dataset_bytes(&draw->set.row);
    if (draw->order)
        answer->held += (size_t)draw->set.row.n * sizeof *draw->order;
    answer->points = some_points;
    point_stream_send(exchange, answer);
}

enum http_next api_dataset_points(struct http_exchange *exchange) {
    struct draw *draw = http_alloc(exchange, sizeof *draw);
    if (!draw)
        return HTTP_REPLY;
    draw->pattern = dataset_pattern(exchange->request.ids[0]);
    exchange->state = draw;
    if (!(draw->format = format_of(exchange)) || !read_query(exchange, &draw_fields, draw))
        return HTTP_REPLY;
    if (draw->pattern >= 0) {
        draw->n = draw->n ? draw->n : DRAW_DEFAULT;
        tag_answer(exchange, &(struct choice){draw->format, &draw_fields, draw}, false, "draw %s",
                   dn_patterns[draw->pattern].name);
        if (http_not_modified(exchange))
            return HTTP_REPLY;
    }
    return http_on_pool(exchange, draw_points);
}
