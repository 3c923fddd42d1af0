/* /v1/datasets: the built-in patterns and draws from them. */
#include <stdlib.h>
#include <string.h>

#include "api/answer.h"
#include "api/caching.h"
#include "api/handlers.h"
#include "api/openapi.h"
#include "engine/denoise.h"

static const struct link links[] = {
    {"self", "/v1/datasets/", ""},
    {"points", "/v1/datasets/", "/points"},
};

static void write_dataset(int pattern, struct json_writer *json) {
    const struct dn_pattern_info *info = &dn_patterns[pattern];
    json_open(json, '{');
    json_key(json, "id");
    json_string(json, info->name);
    json_key(json, "name");
    json_string(json, info->name);
    json_key(json, "kind");
    json_string(json, "builtin");
    json_key(json, "description");
    json_string(json, info->doc);
    json_key(json, "dim");
    json_integer(json, 2);
    json_key(json, "n");
    json_null(json); /* endless */
    json_key(json, "labels");
    json_null(json);
    json_key(json, "has_distance");
    json_bool(json, dn_pattern_has_distance((enum dn_pattern)pattern));
    write_links(json, links, sizeof links / sizeof *links, info->name);
    json_close(json, '}');
}

enum http_next api_dataset_list(struct http_exchange *exchange) {
    if (!no_query(exchange))
        return HTTP_REPLY;
    struct json_writer json = json_reply(exchange, 200);
    json_open(&json, '{');
    json_key(&json, "items");
    json_open(&json, '[');
    for (int i = 0; i < DN_PATTERN_COUNT; i++)
        write_dataset(i, &json);
    json_close(&json, ']');
    json_key(&json, "has_more");
    json_bool(&json, false);
    json_key(&json, "next");
    json_null(&json);
    json_close(&json, '}');
    return HTTP_REPLY;
}

/* Index of the pattern that the path names; -1 with 404 as the answer. */
static int find_pattern(struct http_exchange *exchange) {
    for (int i = 0; i < DN_PATTERN_COUNT; i++)
        if (strcmp(dn_patterns[i].name, exchange->request.ids[0]) == 0)
            return i;
    answer_store(exchange, STORE_NOT_FOUND, "dataset");
    return -1;
}

enum http_next api_dataset_get(struct http_exchange *exchange) {
    int pattern = find_pattern(exchange);
    if (pattern < 0 || !no_query(exchange))
        return HTTP_REPLY;
    struct json_writer json = json_reply(exchange, 200);
    write_dataset(pattern, &json);
    return HTTP_REPLY;
}

/* ------------------------------------------------------------------ points */

struct draw {
    int pattern, n;
    uint64_t seed;
    const struct format *format;
    float *memory; /* the points in hand */
    struct look look;
};

static const struct field rows[] = {
    {"", "n", FIELD_INTEGER, offsetof(struct draw, n), 1, DN_MAX_SAMPLES, 0, NULL,
     "Points to draw."},
    {"", "seed", FIELD_SEED, offsetof(struct draw, seed), 0, 0, 0, NULL, "Of the draw."},
    LOOK_SIZE_ROW(offsetof(struct draw, look)),
    LOOK_THEME_ROW(offsetof(struct draw, look)),
};
const struct field_set draw_fields = {rows, sizeof rows / sizeof rows[0]};

static enum dn_status some_points(struct http_exchange *exchange, struct answer *answer,
                                  size_t first, size_t count, const float **points,
                                  struct dn_error *error) {
    (void)exchange, (void)error;
    struct draw *draw = answer->owner;
    float *memory = realloc(draw->memory, count * 2 * sizeof *memory);
    if (!memory)
        return DN_NO_MEMORY;
    *points = draw->memory = memory;
    dn_pattern_draw((enum dn_pattern)draw->pattern, draw->seed, first, count, memory);
    return DN_OK;
}

static void write_head(const void *owner, struct json_writer *json) {
    const struct draw *draw = owner;
    json_key(json, "dataset");
    json_string(json, dn_patterns[draw->pattern].name);
    json_key(json, "seed");
    json_integer(json, (int64_t)draw->seed);
    json_key(json, "n");
    json_integer(json, draw->n);
    json_key(json, "dim");
    json_integer(json, 2);
}

static void write_tail(const void *owner, struct json_writer *json) {
    (void)owner;
    json_key(json, "labels");
    json_null(json);
}

static void draw_clear(struct answer *answer) {
    free(((struct draw *)answer->owner)->memory);
}

static void draw_points(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct draw *draw = exchange->state;
    struct answer *answer = http_alloc(exchange, sizeof *answer);
    if (!answer) {
        problem(exchange, 503, "no_memory", "out of memory");
        return;
    }
    *answer = (struct answer){
        .format = draw->format,
        .layout =
            {.n = (size_t)draw->n, .dim = 2, .head = write_head, .tail = write_tail, .owner = draw},
        .title = dn_patterns[draw->pattern].name,
        .look = draw->look,
        .points = some_points,
        .clear = draw_clear,
        .owner = draw,
    };
    answer_send(exchange, answer);
}

enum http_next api_dataset_points(struct http_exchange *exchange) {
    struct draw *draw = http_alloc(exchange, sizeof *draw);
    if (!draw) {
        problem(exchange, 503, "no_memory", "out of memory");
        return HTTP_REPLY;
    }
    *draw = (struct draw){.pattern = find_pattern(exchange), .n = 1000};
    exchange->state = draw;
    if (draw->pattern < 0 || !(draw->format = format_of(exchange)) ||
        !read_query(exchange, &draw_fields, draw))
        return HTTP_REPLY;
    tag_answer(exchange, false, "draw");
    if (http_not_modified(exchange))
        return HTTP_REPLY;
    return http_on_pool(exchange, draw_points);
}
