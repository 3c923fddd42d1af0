/* POST /v1/datasets/{id}/nearest: the images of a data set that are nearest to given ones. */
#include <math.h>
#include <stdlib.h>

#include "api/contract/handlers.h"
#include "api/contract/openapi.h"
#include "api/datasets.h"
#include "api/images/images.h"
#include "api/samples.h"
#include "server/threads/pool.h"

enum {
    USUAL = 5,
    MOST = 100,            /* images of a request, and of the data set for each */
    DIGITS = 60000,        /* that are searched, if not given: as many as a job trains on */
    PIECE_BYTES = 1 << 20, /* that are compared without a pause */
    DIGITS_AT_A_TIME = 64, /* of which each takes some 30 microseconds to draw */
};
#define MOST_COMPARED 1e10 /* pairs of values: about a second of one core */

struct nearest {
    struct sampling_points points; /* of the request, */
    struct dn_images images;       /* and as bytes */
    int k;
    int n; /* of the built-in digits; 0: it is not given */
    uint64_t seed;
    bool is_digits;
    const char *id;
    struct dataset row;
    struct dn_neighbor *found;               /* [points.n][k] */
    int32_t *labels;                         /* [row.n] of an upload with classes; else NULL */
    cJSON *class_tree;                       /* owns them: */
    const char *classes[DN_MAX_CLASSES + 1]; /* up to a NULL */
};

#define AT(member) offsetof(struct nearest, member)
static const struct field rows[] = {
    {"", "points", FIELD_OTHER, 0, 0, 0, 0, NULL,
     "The images, up to 100, each an array of its values in the order of points.npy: [n][height * "
     "width * channels]. As in pictures, values are rounded to bytes, from 0 to 255."},
    {"", "k", FIELD_INTEGER, AT(k), 1, MOST, 0, NULL,
     "How many of the nearest images to find for each."},
    {"", "n", FIELD_INTEGER, AT(n), 1, DN_MAX_POINTS, 0, NULL,
     "Only of the built-in digits: how many of them to search, as in the data set of a job; 60,000 "
     "by default."},
    {"", "seed", FIELD_UINT53, AT(seed), 0, 0, 0, NULL, "Only of the built-in digits: their seed."},
};
const struct field_set nearest_fields = {rows, sizeof rows / sizeof *rows};

/* ------------------------------------------------------------------ the request */

static void read_points(const cJSON *body, void *values, struct problem_fields *wrong) {
    struct nearest *nearest = values;
    const cJSON *points = cJSON_GetObjectItemCaseSensitive(body, "points");
    if (!points)
        problem_add(wrong, "/points", "is required: an array of images, each an array of numbers");
    else if (sampling_read_points(points, "/points", false, &nearest->points, wrong) &&
             nearest->points.n > MOST)
        problem_add(wrong, "/points", "must be at most %d images", MOST);
}

/* Finds the data set. False: the response is the error. */
static bool describe(struct http_exchange *exchange, struct nearest *nearest) {
    struct dataset *row = &nearest->row;
    enum store_status status = STORE_OK;
    bool done = true;
    if (nearest->is_digits) {
        done = dataset_describe_digits(row);
        row->n = nearest->n ? nearest->n : DIGITS;
    } else {
        struct store_session *session = begin_reading(exchange);
        if (!session)
            return false;
        status = store_dataset_get(session, nearest->id, false, row);
        if (status == STORE_OK && row->height > 0 && row->classes)
            status = store_dataset_labels(session, row->id, &nearest->labels);
        end_reading(exchange, session);
    }
    if (status == STORE_OK && done)
        done = json_names(row->classes, &nearest->class_tree, nearest->classes, DN_MAX_CLASSES);
    if (status != STORE_OK)
        answer_store(exchange, status, PROBLEM_NO_SUCH_DATASET);
    else if (!done)
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this data set");
    else if (row->height == 0)
        problem(exchange, PROBLEM_NO_IMAGES, NULL);
    return exchange->response.status == 0;
}

/* The checks that depend on the data set. */
static bool fits(struct http_exchange *exchange, const struct nearest *nearest) {
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    const struct dataset *row = &nearest->row;
    const double most = MOST_COMPARED / ((double)row->n * row->dim);
    if (!nearest->is_digits && nearest->n > 0)
        problem_add(&wrong, "/n",
                    "is for the built-in digits; all images of an upload are searched");
    if (nearest->points.dim != row->dim)
        problem_add(&wrong, "/points", "has images of %d values, but those of the data set have %d",
                    nearest->points.dim, row->dim);
    else if (nearest->points.n > 1 && nearest->points.n > most)
        problem_add(&wrong, "/points", "must be at most %d images for a data set of this size",
                    most > 1 ? (int)most : 1);
    return problem_none(exchange, &wrong);
}

/* As bytes, like those of pictures. False: no memory, which the arena reports. */
static bool round_points(struct http_exchange *exchange, struct nearest *nearest) {
    const size_t n = (size_t)nearest->points.n, count = n * (size_t)nearest->row.dim;
    const size_t all = n * (size_t)nearest->k;
    uint8_t *pixels = http_alloc(exchange, count);
    nearest->found = http_alloc(exchange, all * sizeof *nearest->found);
    if (!pixels || !nearest->found)
        return false;
    for (size_t e = 0; e < count; e++)
        pixels[e] = (uint8_t)lrint(fmin(fmax(nearest->points.points[e], 0), 255));
    for (size_t e = 0; e < all; e++)
        nearest->found[e] = DN_NO_NEIGHBOR;
    nearest->images = (struct dn_images){
        pixels, NULL, n, nearest->row.height, nearest->row.width, nearest->row.channels};
    return true;
}

/* ------------------------------------------------------------------ the search */

/* Images first..first+count-1 of the data set. A connection is not held while others have their
 * turns. False: the response is the error. */
static bool read_piece(struct http_exchange *exchange, const struct nearest *nearest, size_t first,
                       size_t count, uint8_t *pixels) {
    if (nearest->is_digits) {
        dn_digits_draw(nearest->seed, first, count, pixels, NULL);
        return true;
    }
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return false;
    const enum store_status status =
        store_dataset_images(session, &nearest->row, first, count, pixels);
    end_reading(exchange, session);
    if (status != STORE_OK)
        answer_store(exchange, status, PROBLEM_NO_SUCH_DATASET);
    return status == STORE_OK;
}

/* False: the response is the error. */
static bool search(struct http_exchange *exchange, const struct nearest *nearest, uint8_t *pixels) {
    const size_t all = (size_t)nearest->row.n;
    const size_t room = PIECE_BYTES / (size_t)nearest->row.dim;
    const size_t most = nearest->is_digits ? DIGITS_AT_A_TIME : room;
    struct dn_images piece = nearest->images;
    piece.pixels = pixels;
    for (size_t first = 0; first < all; first += piece.n) {
        piece.n = all - first < most ? all - first : most;
        pool_pause();
        if (http_is_stopping(exchange)) {
            problem(exchange, PROBLEM_STOPPING, "the server is stopping");
            return false;
        }
        if (!read_piece(exchange, nearest, first, piece.n, pixels))
            return false;
        dn_images_neighbors(&nearest->images, &piece, (int)first, nearest->k, nearest->found);
    }
    return true;
}

/* ------------------------------------------------------------------ the response */

static const char *label_of(const struct nearest *nearest, int place) {
    int32_t label = 0;
    if (!nearest->classes[0])
        return NULL;
    if (nearest->is_digits)
        dn_digits_draw(nearest->seed, (uint64_t)place, 1, NULL, &label);
    else
        label = nearest->labels[place];
    return nearest->classes[label];
}

struct neighbor {
    int index;
    double distance;
    int squared_distance;
    const char *label;
};
#define OF(member) offsetof(struct neighbor, member)
static const struct field neighbor_rows[] = {
    {"", "index", FIELD_INTEGER, OF(index), 0, INFINITY,
     .doc = "The place of the image in the data set, from 0: images/{index}.png shows it."},
    {"", "distance", FIELD_NUMBER, OF(distance), 0, INFINITY,
     .doc = "The root of the mean squared difference of the values over 255: 0 for a copy, 1 for "
            "black and white; as `nearest` in the evaluation of a model."},
    {"", "squared_distance", FIELD_INTEGER, OF(squared_distance), 0, INFINITY,
     .doc = "The sum of the squared differences of the bytes."},
    {"", "label", FIELD_STRING, OF(label), .flags = FIELD_OR_NULL,
     .doc = "Its class; null if the data set has none."},
};
const struct field_set neighbor_answer = ANSWER(neighbor_rows);

/* Of each image of the request, a list. */
static void write_nearest(const void *value, struct json_writer *json) {
    const struct nearest *nearest = value;
    const double values = nearest->row.dim;
    json_open(json, '[');
    for (int i = 0; i < nearest->points.n; i++) {
        json_open(json, '[');
        for (int j = 0; j < nearest->k && j < nearest->row.n; j++) {
            const struct dn_neighbor *found = &nearest->found[i * nearest->k + j];
            const struct neighbor neighbor = {found->place, sqrt(found->squares / values) / 255,
                                              found->squares, label_of(nearest, found->place)};
            fields_write(&neighbor_answer, &neighbor, json);
        }
        json_close(json, ']');
    }
    json_close(json, ']');
}

static const struct field answer_rows[] = {
    {"", "dataset", FIELD_STRING, AT(id)},
    {"", "n", FIELD_INT64, AT(row.n), 1, INFINITY, .doc = "Images that were searched."},
    {"", "nearest", FIELD_WRITTEN, .schema = "Nearest", .write = write_nearest,
     .doc = "Of each image of the request, in its order, the nearest ones of the data set: the "
            "nearest first, and of equally near ones that with the smaller index."},
};
const struct field_set nearest_answer = ANSWER(answer_rows);

static void run(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct nearest *nearest = exchange->state;
    if (!read_members(exchange, &nearest_fields, nearest, POINTS_MAX_VALUES, read_points) ||
        !describe(exchange, nearest) || !fits(exchange, nearest) ||
        !round_points(exchange, nearest) ||
        !http_reserve(exchange, PIECE_BYTES + (size_t)nearest->row.n * sizeof *nearest->labels))
        return;
    uint8_t *pixels = malloc(PIECE_BYTES);
    if (!pixels)
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this search");
    else if (search(exchange, nearest, pixels)) {
        struct json_writer json = json_reply(exchange, 200);
        fields_write(&nearest_answer, nearest, &json);
    }
    free(pixels);
}

static void release(struct http_exchange *exchange) {
    struct nearest *nearest = exchange->state;
    dataset_clear(&nearest->row);
    cJSON_Delete(nearest->class_tree);
    free(nearest->labels);
}

enum http_next api_dataset_nearest(struct http_exchange *exchange) {
    struct nearest *nearest = http_alloc(exchange, sizeof *nearest);
    if (!nearest || !no_query(exchange))
        return HTTP_REPLY;
    nearest->id = exchange->request.ids[0];
    const int pattern = fields_index(dn_pattern_names, nearest->id);
    nearest->k = USUAL;
    nearest->is_digits = pattern == DN_DIGITS;
    if (pattern >= 0 && !nearest->is_digits) {
        problem(exchange, PROBLEM_NO_IMAGES, NULL);
        return HTTP_REPLY;
    }
    exchange->state = nearest;
    exchange->release = release;
    return http_on_pool(exchange, run);
}
