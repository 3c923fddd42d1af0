/* /v1/datasets/{id}/points, /forward and /optimal: the points of a data set, and two ways from them
 * to noise that need no model. */
#include <stdlib.h>
#include <string.h>

#include "api/contract/caching.h"
#include "api/contract/handlers.h"
#include "api/contract/openapi.h"
#include "api/datasets.h"
#include "api/format/point_stream.h"
#include "api/images/images.h"
#include "api/images/process.h"
#include "api/upload/rows.h"

enum {
    STRAIGHT_FRAMES = 41,            /* of straight lines, if not given */
    STRAIGHT_MAX_PAIRS = 1000000000, /* pairs of a point and one of an upload */
};

static const char *const which_names[] = {"x", "x0", NULL};

#define AT(member) offsetof(struct process, member)
// clang-format off
#define COMMON_ROWS \
    {"", "n", FIELD_INTEGER, AT(n), 1, DN_MAX_SAMPLES, 0, NULL, "Points."}, \
    {"", "seed", FIELD_UINT53, AT(seed), 0, 0, 0, NULL, "Seed of the points and of the noise."}, \
    {"", "frames", FIELD_INTEGER, AT(frames), 2, DN_MAX_TIMESTEPS + 1, 0, NULL, \
     "Number of frames, evenly spaced, including the first and the last."}, \
    {"", "which", FIELD_CHOICE, AT(which), 0, 0, 0, which_names, \
     "The array to return in a format that holds one array (npy, txt, png)."}, \
    LOOK_SIZE_ROW(AT(look)), LOOK_THEME_ROW(AT(look)), LOOK_AXES_ROWS(AT(look)), \
    LOOK_FPS_ROW(AT(look))
// clang-format on

static const struct field draw_rows[] = {
    {"", "n", FIELD_INTEGER, AT(n), 1, DN_MAX_SAMPLES, 0, NULL,
     "Number of points to draw; from an upload, at most this number, chosen at random. Default: "
     "1,000 from a built-in data set (digits in JSON: 127), or the first 100,000 of an upload in "
     "the order of its file; "
     "all "
     "of them in CSV, which has every cell as it was in the file. All images of an upload, but in "
     "JSON only as many as have 100,000 values."},
    {"", "seed", FIELD_UINT53, AT(seed), 0, 0, 0, NULL, "Seed of the draw."},
    LOOK_SIZE_ROW(AT(look)),
    LOOK_THEME_ROW(AT(look)),
    LOOK_AXES_ROWS(AT(look)),
};
static const struct field forward_rows[] = {
    COMMON_ROWS,
    {"", "timesteps", FIELD_INTEGER, AT(diffusion.timesteps), 1, DN_MAX_TIMESTEPS, 0, NULL,
     "Number of diffusion steps T."},
    {"", "schedule", FIELD_CHOICE, AT(diffusion.beta_schedule), 0, 0, 0, dn_beta_schedule_names,
     "How the noise per step grows."},
    {"", "beta_start", FIELD_NUMBER, AT(diffusion.beta_start), DN_MIN_BETA, DN_MAX_BETA_START, 0,
     NULL, "First beta of a linear or quadratic schedule, as for T = 1000; multiplied by 1000/T."},
    {"", "beta_end", FIELD_NUMBER, AT(diffusion.beta_end), DN_MIN_BETA, DN_MAX_BETA_END, 0, NULL,
     "Last beta of a linear or quadratic schedule, as for T = 1000; multiplied by 1000/T."},
    {"", "ratio_min", FIELD_NUMBER, AT(diffusion.ratio_min), DN_MIN_RATIO_MIN, DN_MAX_RATIO_MIN, 0,
     NULL, "noise/signal at the first timestep of a log_linear schedule."},
    {"", "ratio_max", FIELD_NUMBER, AT(diffusion.ratio_max), DN_MIN_RATIO_MAX, DN_MAX_RATIO_MAX, 0,
     NULL, "noise/signal at the last timestep of a log_linear schedule."},
    {"", "zero_terminal_snr", FIELD_BOOLEAN, AT(diffusion.zero_terminal_snr), 0, 0, 0, NULL,
     "Rescale the schedule so that no signal is left at T."},
};
static const struct field straight_rows[] = {COMMON_ROWS};
const struct field_set draw_fields = {draw_rows, sizeof draw_rows / sizeof *draw_rows};
const struct field_set forward_fields = {forward_rows, sizeof forward_rows / sizeof *forward_rows};
const struct field_set straight_fields = {straight_rows,
                                          sizeof straight_rows / sizeof *straight_rows};

/* ------------------------------------------------------------------ the request */

static const struct {
    const char *name;
    const struct field_set *fields;
} kinds[] = {[PROCESS_DRAW] = {"draw", &draw_fields},
             [PROCESS_FORWARD] = {"forward", &forward_fields},
             [PROCESS_STRAIGHT] = {"optimal", &straight_fields}};

static struct choice choice_of(const struct process *process) {
    return (struct choice){process->format, kinds[process->kind].fields, process};
}

/* Which columns a picture shows. */
static void find_axes(struct process *process, struct problem_fields *wrong) {
    const struct dataset_points *set = &process->set;
    const bool is_upload = process->pattern < 0;
    axes_find(&process->look,
              &(struct axes_source){.dim = process->dim,
                                    .names = is_upload ? set->columns : NULL,
                                    .columns = is_upload ? set->all : NULL,
                                    .count = is_upload ? set->column_count : 0,
                                    .are_paths = process->kind != PROCESS_DRAW},
              &process->axes, wrong);
}

/* The checks that depend on the data set. */
static bool fits_data(struct http_exchange *exchange, struct process *process) {
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    const char *id = exchange->request.ids[0];
    const struct dataset *row = &process->set.row;
    process->dim = 2;
    if (process->pattern == DN_DIGITS)
        return process_describe_digits(exchange, process) && process_fits_images(exchange, process);
    if (process->pattern < 0) {
        if (!dataset_load(exchange, id, process_takes_images(process), &process->set))
            return false;
        process->dim = row->dim;
        process->uploaded = (struct dn_points){row->points, (size_t)row->n, row->dim};
        const struct choice choice = choice_of(process);
        dataset_tag(exchange, &choice, kinds[process->kind].name, row);
        if (process_is_of_images(process))
            return process_fits_images(exchange, process);
    }
    find_axes(process, &wrong);
    if (process->kind == PROCESS_DRAW)
        return problem_none(exchange, &wrong);
    process->n = process->n ? process->n : PROCESS_DEFAULT;
    if (process->kind == PROCESS_FORWARD && process->pattern < 0 && process->n > row->n)
        process->n = (int)row->n;
    const char *unusable =
        process->pattern >= 0
            ? NULL
            : dataset_unusable(process->set.all, process->set.column_count, false, wrong.arena);
    if (unusable) {
        problem(exchange, PROBLEM_CANNOT_SAMPLE, unusable);
        return false;
    }
    point_stream_check_size(process->n, process->frames, process->dim, &wrong);
    if (wrong.count == 0 && process->kind == PROCESS_STRAIGHT &&
        process->n * row->n > STRAIGHT_MAX_PAIRS)
        problem_add(&wrong, "/n", "must be at most %lld for an upload of %lld points",
                    (long long)(STRAIGHT_MAX_PAIRS / row->n), (long long)row->n);
    if (!problem_none(exchange, &wrong))
        return false;
    if (process->kind == PROCESS_STRAIGHT && process->pattern >= 0 &&
        !dn_pattern_has_distance((enum dn_pattern)process->pattern))
        problem(exchange, PROBLEM_NO_SHAPE,
                "this data set has no exact shape, so it has no nearest point either");
    else
        return format_fits(exchange, process->format, &process->look, process->frames);
    return false;
}

/* ------------------------------------------------------------------ computing */

/* The points of the upload at these places [n], and their labels. */
static enum dn_status take(struct process *process, const int32_t *places, float *points) {
    const size_t n = (size_t)process->n;
    dataset_take(&process->set, places, 0, n, points);
    return dataset_take_labels(&process->set, places, n, &process->labels) ? DN_OK : DN_NO_MEMORY;
}

/* The order in which the seed chooses points of an upload. False: no memory. */
static bool shuffle(struct process *process) {
    const int all = (int)process->set.row.n;
    process->order = malloc((size_t)all * sizeof *process->order);
    if (process->order)
        dn_shuffle(process->seed, all, process->order);
    pool_pause();
    return process->order != NULL;
}

/* The numbers of the table's cells in a piece of the rows. False: no memory. */
static bool take_values(struct process *process, size_t first, size_t count) {
    const size_t dim = (size_t)process->dim;
    double *values = realloc(process->values, count * dim * sizeof *values);
    if (!values)
        return false;
    process->values = values;
    for (int j = 0; j < process->set.column_count; j++) {
        const struct column *column = &process->set.all[j];
        const struct cells_column *cells = &process->cells.columns[j];
        for (size_t i = 0; i < count && column->coordinate >= 0; i++) {
            const size_t row = process->order ? (size_t)process->order[first + i] : first + i;
            const uint32_t code = (uint32_t)cells->codes[row];
            values[i * dim + (size_t)column->coordinate] =
                column_forward(column, cells_text(cells, code), cells_length(cells, code));
        }
    }
    return true;
}

static enum dn_status some_points(struct http_exchange *exchange, struct point_stream *answer,
                                  size_t first, size_t count, const float **points,
                                  struct dn_error *error) {
    (void)exchange, (void)error;
    struct process *process = answer->owner;
    float *memory = realloc(process->memory, count * (size_t)process->dim * sizeof *memory);
    if (!memory)
        return DN_NO_MEMORY;
    *points = process->memory = memory;
    if (process->is_exact && !take_values(process, first, count))
        return DN_NO_MEMORY;
    answer->layout.values = process->values;
    if (process->pattern == DN_DIGITS)
        process_draw_digits(process, first, count, memory);
    else if (process->pattern >= 0)
        dn_pattern_draw((enum dn_pattern)process->pattern, process->seed, first, count, memory);
    else
        dataset_take(&process->set, process->order, first, count, memory);
    return DN_OK;
}

/* Prepares for some_points. */
static enum dn_status draw(struct process *process) {
    const bool are_digits = process->pattern == DN_DIGITS;
    const int all = are_digits ? PROCESS_DEFAULT : (int)process->set.row.n;
    const int usual = process_is_of_images(process) ? process_usual_images(process, all)
                      : process_is_csv(process)     ? all /* however large */
                                                    : DN_MAX_SAMPLES;
    const int most = process->n ? process->n : usual;
    if (process->pattern >= 0 && !are_digits)
        return DN_OK;
    if (are_digits) {
        process->n = most;
        return process_label_digits(process) ? DN_OK : DN_NO_MEMORY;
    }
    if (process->n > 0 && !shuffle(process))
        return DN_NO_MEMORY;
    process->n = most < all ? most : all;
    return dataset_take_labels(&process->set, process->order, (size_t)process->n, &process->labels)
               ? DN_OK
               : DN_NO_MEMORY;
}

/* The points of an upload that are nearest to x. */
static enum dn_status take_nearest(struct http_exchange *exchange, struct process *process,
                                   const float *x, float *points, struct dn_error *error) {
    const size_t n = (size_t)process->n;
    const struct dn_breaks breaks = breaks_of(exchange);
    int32_t *places = malloc(n * sizeof *places);
    enum dn_status status = DN_NO_MEMORY;
    if (places)
        status = dn_nearest(&(struct dn_points){x, n, process->dim}, &process->uploaded, NULL,
                            places, &breaks, error);
    if (status == DN_OK)
        status = take(process, places, points);
    free(places);
    return status;
}

static enum dn_status take_digits(struct process *process, float *values) {
    if (!process_label_digits(process))
        return DN_NO_MEMORY;
    process_draw_digits(process, 0, (size_t)process->n, values);
    return DN_OK;
}

/* The points of the data set become x0, of which all frames are the same. */
static enum dn_status go_forward(struct http_exchange *exchange, struct process *process, float *x,
                                 float *x0, struct dn_error *error) {
    const size_t n = (size_t)process->n;
    const struct dn_breaks breaks = breaks_of(exchange);
    enum dn_status status = DN_OK;
    if (process->pattern == DN_DIGITS)
        status = take_digits(process, x0);
    else if (process->pattern >= 0)
        dn_pattern_draw((enum dn_pattern)process->pattern, process->seed, 0, n, x0);
    else
        status = shuffle(process) ? take(process, process->order, x0) : DN_NO_MEMORY;
    if (status != DN_OK)
        return status;
    /* All values of images are scaled alike, as if each were a point on a line. */
    static const float bytes[] = {0, 255};
    const struct dn_points points = {x0, n, process->dim},
                           values = {x0, n * (size_t)process->dim, 1}, range = {bytes, 2, 1};
    const bool is_upload = process->pattern < 0, are_images = process_is_of_images(process);
    return dn_forward(&process->diffusion, are_images ? &values : &points,
                      are_images  ? &range
                      : is_upload ? &process->uploaded
                                  : NULL,
                      process->seed, process->frames, x, &breaks, error);
}

/* The closest points of the data set become x0. */
static enum dn_status go_straight(struct http_exchange *exchange, struct process *process, float *x,
                                  float *x0, struct dn_error *error) {
    const size_t n = (size_t)process->n;
    const bool uploaded = process->pattern < 0;
    enum dn_status status = DN_OK;
    dn_noise(process->seed, n, process->dim, uploaded ? &process->uploaded : NULL, x);
    if (uploaded)
        status = take_nearest(exchange, process, x, x0, error);
    else
        dn_pattern_distances((enum dn_pattern)process->pattern, x, n, NULL, x0);
    if (status == DN_OK)
        dn_straight_lines(x, x0, n * (size_t)process->dim, process->frames, x);
    return status;
}

/* Memory for x, x0 and the order. */
static size_t bytes_of(const struct process *process) {
    const size_t frames = process->kind == PROCESS_DRAW ? 0 : (size_t)(2 * process->frames - 1);
    const size_t ordered = process->kind == PROCESS_STRAIGHT ? 0 : (size_t)process->set.row.n;
    return (size_t)process->n * (size_t)process->dim * frames * sizeof *process->memory +
           ordered * sizeof *process->order;
}

static enum dn_status compute(struct http_exchange *exchange, struct process *process,
                              struct point_stream *answer) {
    const size_t frame = (size_t)process->n * (size_t)process->dim;
    const size_t frames = (size_t)process->frames;
    answer->points = some_points;
    if (process->kind == PROCESS_DRAW)
        return draw(process);
    process->memory = malloc(frame * (2 * frames - 1) * sizeof *process->memory);
    if (!process->memory)
        return DN_NO_MEMORY;
    float *x = process->memory, *x0 = x + frame * frames;
    enum dn_status status = process->kind == PROCESS_STRAIGHT
                                ? go_straight(exchange, process, x, x0, &answer->error)
                                : go_forward(exchange, process, x, x0, &answer->error);
    for (size_t k = 1; k + 1 < frames; k++)
        memcpy(x0 + k * frame, x0, frame * sizeof *x0);
    answer->x = x;
    answer->x0 = x0;
    return status;
}

/* ------------------------------------------------------------------ the response */

static void write_head(const void *owner, struct json_writer *json) {
    const struct process *process = owner;
    json_member(json, "dataset",
                process->pattern >= 0 ? dn_patterns[process->pattern].name : process->set.row.id);
    json_member_integer(json, "seed", (int64_t)process->seed);
    if (process->kind == PROCESS_FORWARD)
        json_member(json, "schedule", dn_beta_schedule_names[process->diffusion.beta_schedule]);
    else if (process->kind == PROCESS_STRAIGHT)
        json_member(json, "schedule", NULL);
    json_member_integer(json, "n", process->n);
    json_member_integer(json, "dim", process->dim);
    if (process_is_of_images(process)) {
        json_key(json, "shape");
        images_write_shape(process->set.row.height, process->set.row.width,
                           process->set.row.channels, json);
    }
}

static void process_clear(void *owner) {
    struct process *process = owner;
    free(process->memory);
    free(process->values);
    cells_clear(&process->cells);
    free(process->order);
    free(process->labels);
    dataset_points_clear(&process->set);
}

static void clear_answer(struct point_stream *answer) {
    process_clear(answer->owner);
}

/* Numbers of the plane, with or without labels, are plotted for the terminal; other rows are
 * listed. */
static bool is_listed(const struct process *process) {
    const struct dataset_points *set = &process->set;
    const char *label = set->row.label ? set->row.label : "";
    bool is_plane = process->dim <= 2;
    for (int j = 0; j < set->column_count; j++)
        is_plane &= strcmp(set->all[j].name, label) == 0 ||
                    (column_is_number(&set->all[j]) && set->all[j].missing == 0);
    return process_is_text(process) && !is_plane;
}

/* Is the response a table as it was written? */
static bool is_table(const struct process *process) {
    return process->kind == PROCESS_DRAW && process->pattern < 0 &&
           !process_is_of_images(process) &&
           (format_is_json(process->format) || process_is_csv(process) || is_listed(process));
}

/* Does the response have the numbers of a table's cells? */
static bool is_exact(const struct process *process) {
    const struct dataset_points *set = &process->set;
    return process->kind == PROCESS_DRAW && process->pattern < 0 && set->row.cells_blob &&
           strcmp(process->format->suffix, "npy") == 0 &&
           dataset_is_table(set->all, set->column_count, set->row.label);
}

/* Responds with rows of a table, which takes the process over. */
static void send_rows(struct http_exchange *exchange, struct process *process) {
    free(process->set.row.points); /* the cells have all */
    process->set.row.points = NULL;
    rows_reply(exchange, &(struct rows_request){.set = &process->set,
                                                .order = process->order,
                                                .n = (size_t)process->n,
                                                .is_json = format_is_json(process->format),
                                                .is_text = process_is_text(process),
                                                .head = write_head,
                                                .labels = process->labels,
                                                .held = bytes_of(process),
                                                .owner = process,
                                                .done = process_clear});
}

static void run(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct process *process = exchange->state;
    struct point_stream *answer = http_alloc(exchange, sizeof *answer);
    if (!answer)
        return;
    *answer = (struct point_stream){
        .clear = clear_answer, .owner = process, .format = process->format, .look = process->look};
    if (!fits_data(exchange, process) || !http_reserve(exchange, bytes_of(process))) {
        process_clear(process);
        return;
    }
    enum dn_status status = compute(exchange, process, answer);
    if (status != DN_OK) {
        point_stream_failure(exchange, status, answer->error.text);
        process_clear(process);
        return;
    }
    if (is_table(process)) {
        send_rows(exchange, process);
        return;
    }
    process->is_exact = is_exact(process);
    if (process->is_exact && !rows_load(exchange, &process->set, &process->cells)) {
        process_clear(process);
        return;
    }
    const struct dataset *row = &process->set.row;
    answer->axes = process->axes;
    answer->layout = (struct layout){.n = (size_t)process->n,
                                     .dim = process->dim,
                                     .labels = process->labels,
                                     .classes = process->set.classes,
                                     .columns = process->set.columns,
                                     .has_values = process->is_exact,
                                     .shape = {row->height, row->width, row->channels},
                                     .is_bytes = row->height > 0 && process->kind == PROCESS_DRAW,
                                     .frames = process->frames,
                                     .timesteps = process->timesteps,
                                     .which_x0 = process->which == 1,
                                     .head = write_head,
                                     .owner = process};
    answer->title = process->pattern >= 0   ? dn_patterns[process->pattern].name
                    : process->set.row.name ? process->set.row.name
                                            : "upload";
    answer->held = dataset_bytes(&process->set.row) + bytes_of(process) +
                   (process->is_exact ? rows_bytes(&process->cells) : 0);
    if (process_is_of_images(process) && !process_fits_picture(exchange, process, &answer->layout))
        process_clear(process);
    else
        point_stream_send(exchange, answer);
}

/* How many frames, and the timestep of each: 0 to T on the way to noise, and from however many
 * steps there are to 0 on the way back. */
static bool choose_frames(struct http_exchange *exchange, struct process *process) {
    const int steps = process->diffusion.timesteps;
    process->frames_are_open = process->frames == 0;
    if (process->frames_are_open)
        process->frames = process->format->usual_frames;
    if (process->kind == PROCESS_STRAIGHT)
        process->frames = process->frames ? process->frames : STRAIGHT_FRAMES;
    else if (process->frames == 0 || process->frames > steps + 1)
        process->frames = steps + 1;
    process->timesteps = http_alloc(exchange, (size_t)process->frames * sizeof(int));
    if (!process->timesteps)
        return false;
    for (int k = 0; k < process->frames; k++)
        process->timesteps[k] = process->kind == PROCESS_STRAIGHT
                                    ? process->frames - 1 - k
                                    : dn_frame_step(k, process->frames, steps);
    return true;
}

static bool fits_schedule(struct http_exchange *exchange, const struct process *process) {
    struct dn_error error;
    if (dn_diffusion_check(&process->diffusion, &error) == DN_OK)
        return true;
    problem_field(exchange, "", error.text);
    return false;
}

static enum http_next start(struct http_exchange *exchange, enum process_kind kind) {
    struct process *process = http_alloc(exchange, sizeof *process);
    const int pattern = fields_index(dn_pattern_names, exchange->request.ids[0]);
    const bool is_open = kind != PROCESS_STRAIGHT &&
                         (kind == PROCESS_FORWARD || pattern < 0 || pattern == DN_DIGITS);
    if (!process)
        return HTTP_REPLY;
    *process = (struct process){.kind = kind,
                                .n = is_open ? 0 : PROCESS_DEFAULT,
                                .diffusion = dn_presets[0].spec.diffusion,
                                .pattern = pattern};
    process->diffusion.prediction_type = DN_V; /* allowed with every schedule */
    exchange->state = process;
    if (!(process->format = format_of(exchange)) ||
        !read_query(exchange, kinds[kind].fields, process) ||
        (kind == PROCESS_FORWARD && !fits_schedule(exchange, process)) ||
        (kind != PROCESS_DRAW && !choose_frames(exchange, process)))
        return HTTP_REPLY;
    if (process->pattern >= 0) {
        const struct choice choice = choice_of(process);
        tag_answer(exchange, &choice, false, "%s %s", kinds[kind].name,
                   dn_patterns[process->pattern].name);
        if (http_not_modified(exchange))
            return HTTP_REPLY;
    }
    return http_on_pool(exchange, run);
}

enum http_next api_dataset_points(struct http_exchange *exchange) {
    return start(exchange, PROCESS_DRAW);
}

enum http_next api_dataset_forward(struct http_exchange *exchange) {
    return start(exchange, PROCESS_FORWARD);
}

enum http_next api_dataset_optimal(struct http_exchange *exchange) {
    return start(exchange, PROCESS_STRAIGHT);
}
