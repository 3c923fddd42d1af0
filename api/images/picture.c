/* /v1/datasets/{id}/images: images of a data set side by side, and one of them. */
#include <stdlib.h>
#include <string.h>

#include "api/contract/caching.h"
#include "api/contract/handlers.h"
#include "api/contract/openapi.h"
#include "api/datasets.h"
#include "api/format/png_file.h"
#include "api/images/images.h"

enum { PICTURE_DEFAULT = 100, LABEL_TEXT = 64 };

struct picture_request {
    bool is_one;    /* only the image `first`, as it is */
    bool is_digits; /* the built-in ones */
    int n, first;
    uint64_t seed;
    char label[LABEL_TEXT + 1];
    struct grid_look look;
    const struct format *format;
    const struct field_set *fields; /* of its query */
    /* what it shows; but for the first two, of the arena */
    struct dataset row;
    int32_t *all;    /* [row.n] the labels of all images; NULL: there are none */
    int32_t *places; /* [n] of the images that are shown, ascending */
    int32_t *labels; /* [n] theirs, or NULL */
    uint8_t *pixels; /* [n][row.dim] */
};

#define AT(member) offsetof(struct picture_request, member)
#define SEED_ROW                                                                                   \
    { "", "seed", FIELD_UINT53, AT(seed), 0, 0, 0, NULL, "Of the built-in digits: their seed." }
static const struct field rows[] = {
    {"", "n", FIELD_INTEGER, AT(n), 1, DN_MAX_SAMPLES, 0, NULL,
     "Images, at most. With labels, about as many of each class."},
    {"", "first", FIELD_INTEGER, AT(first), 0, DN_MAX_POINTS, 0, NULL,
     "The number of the first one in the data set, from 0."},
    {"", "label", FIELD_TEXT, AT(label), 1, LABEL_TEXT, FIELD_OR_NUMBER, NULL,
     "Only images of the class with this name."},
    SEED_ROW,
    GRID_ROWS(AT(look)),
};
const struct field_set picture_fields = {rows, sizeof rows / sizeof *rows};
static const struct field image_rows[] = {
    {"", "scale", FIELD_INTEGER, AT(look.scale), 1, GRID_MAX_SCALE, 0, NULL,
     "The side in pixels of each of its pixels."},
    SEED_ROW,
};
const struct field_set image_fields = {image_rows, sizeof image_rows / sizeof *image_rows};

/* ------------------------------------------------------------------ which images */

/* Between two parts of the work. False: the response is the error. */
static bool go_on(struct http_exchange *exchange) {
    pool_pause();
    if (http_is_stopping(exchange))
        problem(exchange, PROBLEM_STOPPING, "the server is stopping");
    return !http_is_stopping(exchange);
}

/* How many images of each class the picture has, if there are enough: n altogether. only: the
 * class, or -1. */
static void share(int n, int classes, int only, int most[DN_MAX_CLASSES]) {
    for (int k = 0; k < classes; k++)
        most[k] = only >= 0 ? (k == only ? n : 0) : n / classes + (k < n % classes);
}

/* Chooses the first images from `first` on, of each class its share. */
static void choose(struct picture_request *picture, int classes, int only) {
    int most[DN_MAX_CLASSES] = {0}, wanted = picture->n, n = 0;
    share(wanted, classes, only, most);
    for (int64_t i = picture->first; i < picture->row.n && n < wanted; i++) {
        const int label = picture->all ? picture->all[i] : 0;
        if (picture->all && most[label]-- <= 0)
            continue;
        if (picture->all)
            picture->labels[n] = label;
        picture->places[n++] = (int32_t)i;
    }
    picture->n = n;
}

/* The index of the class that is asked for, -1: all. False: there is none; the response is the
 * error. */
static bool find_class(struct http_exchange *exchange, const struct picture_request *picture,
                       int *classes, int *only) {
    const char *names[DN_MAX_CLASSES + 1] = {NULL};
    cJSON *tree = NULL;
    *only = -1;
    if (!json_names(picture->row.classes, &tree, names, DN_MAX_CLASSES)) {
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this data set");
        return false;
    }
    *classes = cJSON_GetArraySize(tree);
    const bool found = !picture->label[0] || (*only = label_find(names, picture->label)) >= 0;
    cJSON_Delete(tree);
    if (!found)
        problem_field(exchange, "/label",
                      *classes ? "must be the name of a class of the data set"
                               : "the data set has no labels");
    return found;
}

/* The labels of digits from `first` on. False: the response is the error. */
static bool draw_labels(struct http_exchange *exchange, const struct picture_request *picture) {
    enum { BLOCK = 4096 };
    const size_t all = (size_t)picture->row.n;
    for (size_t i = (size_t)picture->first; i < all && go_on(exchange); i += BLOCK)
        dn_digits_draw(picture->seed, i, all - i < BLOCK ? all - i : BLOCK, NULL, picture->all + i);
    return !http_is_stopping(exchange);
}

/* Reads the labels of all images from `first` on. False: the response is the error. */
static bool read_labels(struct http_exchange *exchange, struct store_session *session,
                        struct picture_request *picture) {
    if (!picture->is_digits) {
        const enum store_status status =
            store_dataset_labels(session, picture->row.id, &picture->all);
        if (status != STORE_OK)
            answer_store(exchange, status, PROBLEM_NO_SUCH_DATASET);
        return status == STORE_OK;
    }
    picture->all = malloc((size_t)picture->row.n * sizeof *picture->all);
    if (!picture->all)
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this data set");
    return picture->all && draw_labels(exchange, picture);
}

/* Finds the images to show. False: the response is the error. */
static bool choose_images(struct http_exchange *exchange, struct store_session *session,
                          struct picture_request *picture) {
    int classes = 0, only = -1;
    if (!find_class(exchange, picture, &classes, &only) ||
        !http_reserve(exchange, (size_t)picture->row.n * sizeof *picture->all))
        return false;
    const size_t n = (size_t)picture->n;
    picture->places = http_alloc(exchange, n * sizeof *picture->places);
    picture->labels = http_alloc(exchange, n * sizeof *picture->labels);
    if (!picture->places || !picture->labels)
        return false;
    if (classes && !read_labels(exchange, session, picture))
        return false;
    choose(picture, classes, only);
    if (picture->n == 0)
        problem_field(exchange, "/first", "there are no such images from this one on");
    return picture->n > 0;
}

/* ------------------------------------------------------------------ their pixels */

static bool draw_digits(struct http_exchange *exchange, const struct picture_request *picture) {
    const size_t dim = (size_t)picture->row.dim, n = (size_t)picture->n;
    for (size_t i = 0; i < n; i++) {
        if (!go_on(exchange))
            return false;
        dn_digits_draw(picture->seed, (uint64_t)picture->places[i], 1, picture->pixels + i * dim,
                       NULL);
    }
    return true;
}

/* Reads what lies between the images that are wanted, too, up to this many bytes at once: the store
 * would read them anyway, again and again. */
enum { NEAR_BYTES = 1 << 20 };

static bool read_near(struct http_exchange *exchange, struct store_session *session,
                      const struct picture_request *picture, uint8_t *near) {
    const size_t dim = (size_t)picture->row.dim, n = (size_t)picture->n;
    for (size_t i = 0, next; i < n; i = next) {
        const size_t from = (size_t)picture->places[i];
        for (next = i + 1; next < n && (size_t)picture->places[next] - from < NEAR_BYTES / dim;)
            next++;
        const size_t count = (size_t)picture->places[next - 1] - from + 1;
        const enum store_status status =
            store_dataset_images(session, &picture->row, from, count, near);
        if (status != STORE_OK)
            answer_store(exchange, status, PROBLEM_NO_SUCH_DATASET);
        if (status != STORE_OK || !go_on(exchange))
            return false;
        for (size_t k = i; k < next; k++)
            memcpy(picture->pixels + k * dim, near + ((size_t)picture->places[k] - from) * dim,
                   dim);
    }
    return true;
}

/* False: the response is the error. */
static bool read_pixels(struct http_exchange *exchange, struct store_session *session,
                        const struct picture_request *picture) {
    if (picture->is_digits)
        return draw_digits(exchange, picture);
    uint8_t *near = malloc(NEAR_BYTES);
    if (!near)
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this picture");
    const bool is_read = near && read_near(exchange, session, picture, near);
    free(near);
    return is_read;
}

/* Draws the picture, the grid of which fits. */
static void draw(struct http_exchange *exchange, struct store_session *session,
                 struct picture_request *picture, const struct grid *grid) {
    const size_t bytes = (size_t)picture->n * (size_t)picture->row.dim;
    if (!http_reserve(exchange, bytes + NEAR_BYTES + grid_png_bytes(grid)) ||
        !(picture->pixels = http_alloc(exchange, bytes)) ||
        !read_pixels(exchange, session, picture))
        return;
    exchange->response.status = 200;
    grid_png(&exchange->response.body, grid, picture->pixels, NULL);
}

static void show(struct http_exchange *exchange, struct store_session *session,
                 struct picture_request *picture) {
    struct grid grid;
    const struct dataset *row = &picture->row;
    const struct grid_shape shape = {row->height, row->width, row->channels};
    if (!choose_images(exchange, session, picture))
        return;
    if (!grid_init(&grid, &shape, (size_t)picture->n, picture->all ? picture->labels : NULL,
                   picture->look)) {
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this picture");
        return;
    }
    if (grid_fits(&grid))
        draw(exchange, session, picture, &grid);
    else
        problem_field(exchange, picture->look.scale > 1 ? "/scale" : "/n",
                      http_format(exchange,
                                  "a picture of %d x %d pixels is too large: request fewer images "
                                  "or a smaller scale",
                                  grid_width(&grid), grid_height(&grid)));
    grid_clear(&grid);
}

/* ------------------------------------------------------------------ one image */

/* Writes the image with each of its pixels `scale` times in both directions. */
static void write_image(const struct picture_request *picture, struct png_file *file,
                        uint8_t *line) {
    const struct dataset *row = &picture->row;
    const int scale = picture->look.scale;
    const size_t channels = (size_t)row->channels;
    for (int y = 0; y < row->height * scale; y++) {
        const uint8_t *from = picture->pixels + (size_t)(y / scale * row->width) * channels;
        for (int x = 0; x < row->width * scale; x++)
            memcpy(line + (size_t)x * channels, from + (size_t)(x / scale) * channels, channels);
        png_file_row(file, line);
    }
}

static void show_one(struct http_exchange *exchange, struct store_session *session,
                     struct picture_request *picture) {
    const struct dataset *row = &picture->row;
    const struct png_header header = {.color = row->channels == 3 ? PNG_RGB : PNG_GRAY,
                                      .width = row->width * picture->look.scale,
                                      .height = row->height * picture->look.scale};
    if (picture->first >= row->n) {
        problem(
            exchange, PROBLEM_NOT_FOUND,
            http_format(exchange, "the data set has the images 0 to %lld", (long long)row->n - 1));
        return;
    }
    struct png_file *file = http_alloc(exchange, sizeof *file);
    uint8_t *line = http_alloc(exchange, (size_t)header.width * IMAGES_MAX_CHANNELS);
    picture->pixels = http_alloc(exchange, (size_t)row->dim);
    if (!file || !line || !picture->pixels)
        return;
    picture->n = 1;
    picture->places = &picture->first;
    if (!read_pixels(exchange, session, picture))
        return;
    exchange->response.status = 200;
    png_file_begin(file, &exchange->response.body, &header);
    write_image(picture, file, line);
    png_file_end(file);
}

/* ------------------------------------------------------------------ the response */

static void answer_points(struct http_exchange *exchange) {
    problem(exchange, PROBLEM_NO_IMAGES,
            "this data set has points, not images: points.png shows them");
}

/* The digits have no end, so there are as many as the request needs. */
static void run_digits(struct http_exchange *exchange, struct picture_request *picture) {
    const bool done = dataset_describe_digits(&picture->row);
    picture->row.n =
        picture->is_one ? DN_MAX_POINTS : picture->first + DN_DIGITS_CLASSES * (picture->n + 1LL);
    if (done)
        (picture->is_one ? show_one : show)(exchange, NULL, picture);
    else
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this data set");
}

static void run(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct picture_request *picture = exchange->state;
    const struct choice choice = {picture->format, picture->fields, picture};
    const char *what = picture->is_one ? exchange->request.ids[1] : "images";
    if (picture->is_digits) {
        tag_answer(exchange, &choice, false, "digits %s", what);
        run_digits(exchange, picture);
        return;
    }
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return;
    const enum store_status status =
        store_dataset_get(session, exchange->request.ids[0], false, &picture->row);
    if (status != STORE_OK) {
        answer_store(exchange, status, PROBLEM_NO_SUCH_DATASET);
    } else if (picture->row.height == 0) {
        answer_points(exchange);
    } else {
        dataset_tag(exchange, &choice, what, &picture->row);
        (picture->is_one ? show_one : show)(exchange, session, picture);
    }
    end_reading(exchange, session);
}

static void release(struct http_exchange *exchange) {
    struct picture_request *picture = exchange->state;
    dataset_clear(&picture->row);
    free(picture->all);
}

/* The picture, with its defaults, as the query changes it. */
static enum http_next start(struct http_exchange *exchange, struct picture_request *picture) {
    if (!(picture->format = format_of(exchange)) || !read_query(exchange, picture->fields, picture))
        return HTTP_REPLY;
    const int pattern = fields_index(dn_pattern_names, exchange->request.ids[0]);
    picture->is_digits = pattern == DN_DIGITS;
    if (pattern >= 0 && !picture->is_digits) {
        answer_points(exchange);
        return HTTP_REPLY;
    }
    exchange->state = picture;
    exchange->release = release;
    return http_on_pool(exchange, run);
}

enum http_next api_dataset_images(struct http_exchange *exchange) {
    struct picture_request *picture = http_alloc(exchange, sizeof *picture);
    if (!picture)
        return HTTP_REPLY;
    picture->fields = &picture_fields;
    picture->n = PICTURE_DEFAULT;
    return start(exchange, picture);
}

enum http_next api_dataset_image(struct http_exchange *exchange) {
    struct picture_request *picture = http_alloc(exchange, sizeof *picture);
    const char *index = exchange->request.ids[1];
    if (!picture)
        return HTTP_REPLY;
    picture->fields = &image_fields;
    picture->is_one = true;
    picture->look.scale = 1;
    picture->first = DN_MAX_POINTS; /* no data set has one with this number */
    if (index[0] && strlen(index) < 8 && index[strspn(index, "0123456789")] == '\0')
        picture->first = (int)strtol(index, NULL, 10);
    return start(exchange, picture);
}
