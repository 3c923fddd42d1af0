/* Requests for images of a data set, or for their way to noise. */
#include "api/images/process.h"

#include <stdlib.h>

#include "api/format/point_stream.h"
#include "api/images/film.h"
#include "server/threads/pool.h"

enum {
    JSON_VALUES = 100000, /* in JSON, which is no format for more */
    TEXT_FRAMES = 11,     /* in JSON, if not given, */
    ANIMATED_FRAMES = 26, /* and in an animation */
    USUAL_STRIPS = 10,    /* images on their way to noise, if not given, */
    USUAL_ANIMATED = 64,  /* and in an animation */
};

static bool is_json(const struct process *process) {
    return format_is_json(process->format) || strcmp(process->format->suffix, "ndjson") == 0;
}

/* The formats in which images are rows of values; or, on their way to noise, all but text. */
bool process_takes_images(const struct process *process) {
    const bool is_list = process_is_csv(process) || format_is_json(process->format) ||
                         strcmp(process->format->suffix, "npy") == 0;
    return process->kind == PROCESS_DRAW
               ? is_list
               : process->kind == PROCESS_FORWARD && !process_is_text(process);
}

/* A value of an image is a column of a table, pixel0, pixel1, .. False: no memory. */
static bool name_pixels(struct arena *arena, struct process *process) {
    const char **names = arena_alloc(arena, ((size_t)process->dim + 1) * sizeof *names);
    for (int j = 0; names && j < process->dim; j++)
        names[j] = arena_format(arena, "pixel%d", j);
    process->set.columns = names;
    return names && !arena->failed;
}

static int usual_frames(const struct process *process) {
    const int most = (JSON_VALUES / process->dim + 1) / 2;
    if (is_json(process))
        return most < TEXT_FRAMES ? most : TEXT_FRAMES;
    return process->format->panels > 1 ? ANIMATED_FRAMES : process->frames;
}

/* All frames of an image would be a long text, or a large animation. */
static void thin_frames(struct process *process) {
    const int thin = usual_frames(process);
    if (!process->frames_are_open || process->frames <= thin)
        return;
    process->frames = thin;
    for (int k = 0; k < thin; k++)
        process->timesteps[k] = dn_frame_step(k, thin, process->diffusion.timesteps);
}

/* Images that the response has: as many as there are, as many as are usual, or as asked for. */
static void count_images(struct process *process) {
    const int usual = process->format->panels > 1 ? USUAL_ANIMATED : USUAL_STRIPS;
    const int most = JSON_VALUES / (process->dim * (2 * process->frames - 1));
    if (process->n == 0)
        process->n = is_json(process) ? (most > usual ? usual
                                         : most > 0   ? most
                                                      : 1)
                                      : point_stream_most(usual, process->frames, process->dim);
    if (process->pattern < 0 && process->n > process->set.row.n)
        process->n = (int)process->set.row.n;
}

/* The checks of images on their way to noise. */
static void check_way(struct process *process, struct problem_fields *wrong) {
    thin_frames(process);
    count_images(process);
    point_stream_check_size(process->n, process->frames, process->dim, wrong);
    const long long values = (long long)process->n * process->dim * (2 * process->frames - 1);
    if (wrong->count == 0 && is_json(process) && values > JSON_VALUES)
        problem_add(wrong, "/n",
                    "%d images in %d frames would make a text of %lld numbers; the maximum is %d: "
                    "request fewer of both, or npy, which has any number",
                    process->n, process->frames, values, JSON_VALUES);
}

/* The checks of images. False: the response is the error. */
bool process_fits_images(struct http_exchange *exchange, struct process *process) {
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    const int most = JSON_VALUES / process->dim;
    if (process->kind == PROCESS_STRAIGHT)
        problem(exchange, PROBLEM_CANNOT_SAMPLE,
                "this data set has images, which have no nearest point: their way to noise is "
                "/forward");
    else if (!process_takes_images(process))
        problem(exchange, PROBLEM_NOT_ACCEPTABLE,
                http_format(exchange,
                            "images have the formats %s here, and /v1/datasets/%s/images.png shows "
                            "them",
                            process->kind == PROCESS_DRAW ? "json csv npy"
                                                          : "json ndjson npy safetensors png gif",
                            process->set.row.id));
    else if (process->kind == PROCESS_FORWARD)
        check_way(process, &wrong);
    else if (format_is_json(process->format) && process->n > most)
        problem_add(&wrong, "/n",
                    "must be at most %d for images of %d values in JSON; points.npy has any number "
                    "of them",
                    most, process->dim);
    else if (process_is_csv(process) && !name_pixels(http_arena(exchange), process))
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for these images");
    return exchange->response.status == 0 && problem_none(exchange, &wrong);
}

bool process_describe_digits(struct http_exchange *exchange, struct process *process) {
    struct dataset_points *set = &process->set;
    if (!dataset_describe_digits(&set->row) ||
        !json_names(set->row.classes, &set->class_tree, set->classes, DN_MAX_CLASSES)) {
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this data set");
        return false;
    }
    process->dim = set->row.dim;
    return true;
}

bool process_fits_picture(struct http_exchange *exchange, const struct process *process,
                          const struct layout *layout) {
    return process->format->panels == 0 ||
           film_fits(exchange, process->format, layout, &process->look);
}

int process_usual_images(const struct process *process, int all) {
    return is_json(process) && JSON_VALUES / process->dim < all ? JSON_VALUES / process->dim : all;
}

/* ------------------------------------------------------------------ digits */

void process_draw_digits(const struct process *process, size_t first, size_t count, float *values) {
    const size_t dim = (size_t)process->dim;
    uint8_t pixels[DN_DIGITS_SIDE * DN_DIGITS_SIDE];
    for (size_t i = 0; i < count; i++) {
        pool_pause();
        dn_digits_draw(process->seed, first + i, 1, pixels, NULL);
        for (size_t j = 0; j < dim; j++)
            values[i * dim + j] = pixels[j];
    }
}

bool process_label_digits(struct process *process) {
    const size_t n = (size_t)process->n;
    process->labels = malloc(n * sizeof *process->labels);
    if (process->labels)
        dn_digits_draw(process->seed, 0, n, NULL, process->labels);
    return process->labels != NULL;
}
