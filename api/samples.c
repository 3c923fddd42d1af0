/* The requests for /v1/models/{id}/samples and /trajectories. */
#include <math.h>
#include <string.h>

#include "api/contract/caching.h"
#include "api/contract/openapi.h"
#include "api/samples.h"
#include "api/samples_given.h"
#include "api/samples_images.h"
#include "api/spec/cost.h"
#include "api/upload/label.h"

enum { SAMPLES_DEFAULT = 1000 };

static const char *const which_names[] = {"x", "x0", NULL};
static const char *const dtype_names[] = {"f32", "u8", NULL};

#define AT(member) offsetof(struct sampling, request.member)
static const char *const missing_names[] = {"drawn", "never", NULL};

static const struct field rows[] = {
    /* in the query beside a body only */
    {"", "draws", FIELD_INTEGER, AT(draws), 1, DN_MAX_SAMPLES, 0, NULL,
     "Only with rows: the number of points to draw for each of them, one after the other; default "
     "1. Members of a JSON body count instead of the parameters here."},
    /* samples only */
    {"", "missing", FIELD_CHOICE, offsetof(struct sampling, missing), 0, 0, 0, missing_names,
     "Missing cells of a table are drawn as they are in its data (the default), or never: they are "
     "drawn again given the row's other cells, in up to three further passes, or by the values of "
     "their column alone if the model cannot be given any. Neither are missing labels, unless "
     "their "
     "class is asked for."},
    {"", "n", FIELD_INTEGER, AT(n), 1, DN_MAX_SAMPLES, 0, NULL,
     "Number of points to draw, 1,000 by default. Of images: 100 by default, fewer in pictures of "
     "trajectories and where there is no room for so many. The default is smaller still if one "
     "request may not cost as much (--max-sample-cost). In JSON, images have at most 100,000 "
     "values."},
    {"", "seed", FIELD_UINT53, AT(seed), 0, 0, 0, NULL,
     "Seed of the start noise and of the fresh noise of each step."},
    {"", "sampler", FIELD_CHOICE, AT(sampler), 0, 0, 0, dn_sampler_names,
     "Sampling method. The default is ddpm, dpmpp_2m for a model with the normalization quantile, "
     "and dpmpp_2m_sde with given or rows. Those of second order need the fewest steps."},
    {"", "steps", FIELD_INTEGER, AT(steps), 1, DN_MAX_TIMESTEPS, 0, NULL,
     "Number of steps from noise to points; the default and maximum is the model's number of "
     "timesteps, but for the default sampler the default is 50 of a model with the normalization "
     "quantile, and 20 of a model of images. "
     "When there are few, they are placed closer together near the data."},
    {"", "eta", FIELD_NUMBER, AT(eta), 0, 1, 0, NULL,
     "Only for ddim: the share of fresh noise per step, from 0 (none, the default) to 1 (as much "
     "as ddpm)."},
    {"", "guidance", FIELD_NUMBER, AT(guidance), 0, DN_MAX_GUIDANCE, 0, NULL,
     "Only for models with labels: the scale of classifier-free guidance. 1 (the default; 2 "
     "for images): no guidance; 0: labels have no effect, and the points have none; any other "
     "value needs two network evaluations instead of one. Values other than 1 need a model trained "
     "with p_uncond above 0."},
    {"", "guidance_ratio_min", FIELD_NUMBER, AT(guidance_ratio_min), 0, DN_MAX_RATIO_MAX, 0, NULL,
     "Guidance has an effect only at timesteps whose noise/signal is at least this: 0 by default, "
     "0.2 for images. At others, the network is evaluated once, with the label alone. noise/signal "
     "is 1/sqrt(snr) in the model's schedule, and in the units of diffusion.ratio_min and "
     "ratio_max."},
    {"", "guidance_ratio_max", FIELD_NUMBER, AT(guidance_ratio_max), 0, DN_MAX_RATIO_MAX,
     FIELD_OPEN_MIN, NULL,
     "Guidance has an effect only at timesteps whose noise/signal is at most this: 10,000 by "
     "default, which is no limit, and 5 for images. Guidance where there is much noise costs "
     "variety."},
    {"", "label", FIELD_TEXT, offsetof(struct sampling, label), 1, LABEL_TEXT, FIELD_OR_NUMBER,
     NULL,
     "Only for models with labels: the name of the class to draw, as in classes. In JSON, a name "
     "that is a number may be given as a number up to 2^53, and as a string beyond. Without label "
     "and class, each class is drawn as often as it is in the data."},
    {"", "class", FIELD_INTEGER, AT(label), 0, DN_MAX_CLASSES - 1, 0, NULL,
     "Instead of label: the index of the class in classes, counted from 0."},
    {"", "balance", FIELD_BOOLEAN, offsetof(struct sampling, balance), 0, 0, 0, NULL,
     "Only for models with labels: the classes take turns, whatever their frequencies in the data. "
     "Point i has the class i modulo the number of classes. Not with label or class."},
    {"", "shared_noise", FIELD_BOOLEAN, offsetof(struct sampling, shares_noise), 0, 0, 0, NULL,
     "Only where the classes take turns, which is with balance and in pictures of images: the "
     "points of a turn, one of each class, have the same noise, at the start and of each step. "
     "The points of a class are then those that the seed has for this class alone."},
    {"", "clip", FIELD_BOOLEAN, AT(clip), 0, 0, 0, NULL,
     "Clip the estimate of x0 to the range of the training data, axis by axis. Without it, errors "
     "of a network that predicts epsilon are multiplied by noise/signal (see the model's schedule; "
     "157 at the start of the DDPM schedule), so points of an undertrained model can land far from "
     "the data, especially in many dimensions. With v_prediction and sample, errors are not "
     "multiplied. Samples of a table stay in the range of each of its columns in any case."},
    {"", "noise", FIELD_OTHER, 0, 0, 0, 0, NULL,
     "Start points [n][dim] in data units instead of the seed's (JSON body only); of images, noise "
     "for each, [height][width][channels] without the inner brackets. A body has at most 400,000 "
     "numbers, which are 32 images of 64 x 64 x 3 values, or 509 of 28 x 28."},
    {"", "given", FIELD_OTHER, 0, 0, 0, 0, NULL,
     "Known cells by the names of the columns: they come back as they are, and the others are "
     "drawn "
     "given them. Of a table, as the table writes them, or true and false; null is drawn, and an "
     "empty text is known to be missing. The column with the labels is the class; if it is not "
     "given, classes are drawn by their frequencies, whatever else is given. Needs a model trained "
     "with training.conditioning any (JSON body only)."},
    {"", "rows", FIELD_OTHER, 0, 0, 0, 0, NULL,
     "Instead of given and n: one object of known cells for each row. Those that are absent or "
     "null are drawn (JSON body only)."},
    {"", "draws", FIELD_OTHER, 0, 0, 0, 0, NULL,
     "Only with rows: the number of points to draw for each row, one after the other; default 1 "
     "(JSON body only)."},
    EPOCH_ROW(offsetof(struct sampling, epoch)),
    LOOK_SIZE_ROW(offsetof(struct sampling, look)),
    LOOK_THEME_ROW(offsetof(struct sampling, look)),
    LOOK_AXES_ROWS(offsetof(struct sampling, look)),
    GRID_ROWS(offsetof(struct sampling, look.grid)),
    {"", "dtype", FIELD_CHOICE, offsetof(struct sampling, dtype), 0, 0, 0, dtype_names,
     "Of images in npy: f32 (the default), or u8: rounded to bytes from 0 to 255, as the data "
     "are."},
    /* trajectories only */
    LOOK_FPS_ROW(offsetof(struct sampling, look)),
    {"", "which", FIELD_CHOICE, offsetof(struct sampling, which), 0, 0, 0, which_names,
     "The array to return in a format that holds one array (npy, txt, png)."},
    {"", "frames", FIELD_INTEGER, AT(frames), 2, DN_MAX_TIMESTEPS + 1, 0, NULL,
     "Keep at most this number of frames, evenly spaced, including the first and the last."},
};
enum { ROWS = sizeof rows / sizeof rows[0] };
const struct field_set sample_row_fields = {rows, ROWS - 3};
const struct field_set sample_fields = {rows + 1, ROWS - 4};
const struct field_set trajectory_fields = {rows + 2, ROWS - 2};

static const struct field_set *fields_of(const struct sampling *sampling) {
    return sampling->is_trajectory ? &trajectory_fields : &sample_fields;
}

/* ------------------------------------------------------------------ the request */

/* Numbers that fit in a float; null is NAN. */
static bool read_row(const cJSON *row, int dim, bool may_miss, double *out) {
    if (!cJSON_IsArray(row) || cJSON_GetArraySize(row) != dim)
        return false;
    for (const cJSON *value = row->child; value; value = value->next, out++) {
        *out = cJSON_IsNumber(value) ? value->valuedouble : NAN;
        if (!isfinite((float)*out) && !(may_miss && cJSON_IsNull(value)))
            return false;
    }
    return true;
}

bool sampling_read_points(const cJSON *array, const char *pointer, bool may_miss,
                          struct sampling_points *out, struct problem_fields *wrong) {
    const int n = cJSON_GetArraySize(array);
    const int dim = n > 0 ? cJSON_GetArraySize(array->child) : 0;
    if (!cJSON_IsArray(array) || n > DN_MAX_SAMPLES || dim < 1 || dim > DN_MAX_VALUES) {
        problem_add(wrong, pointer,
                    "must be an array of 1 to %d points, each an array of 1 to %d numbers",
                    DN_MAX_SAMPLES, DN_MAX_VALUES);
        return false;
    }
    double *points = arena_alloc(wrong->arena, (size_t)n * (size_t)dim * sizeof *points);
    int i = 0;
    for (const cJSON *row = points ? array->child : NULL; row; row = row->next, i++)
        if (!read_row(row, dim, may_miss, points + (size_t)i * (size_t)dim)) {
            problem_add(wrong, arena_format(wrong->arena, "%s/%d", pointer, i),
                        "must be an array of %d finite numbers", dim);
            return false;
        }
    *out = (struct sampling_points){points, n, dim};
    return points != NULL;
}

static void read_noise(const cJSON *body, void *values, struct problem_fields *wrong) {
    struct sampling *sampling = values;
    const cJSON *noise = cJSON_GetObjectItemCaseSensitive(body, "noise");
    struct sampling_points points;
    if (!noise || !sampling_read_points(noise, "/noise", false, &points, wrong))
        return;
    if (sampling->request.n > 0 && sampling->request.n != points.n)
        problem_add(wrong, "/n", "is %d, but noise has %d points", sampling->request.n, points.n);
    const size_t count = (size_t)points.n * (size_t)points.dim;
    float *start = arena_alloc(wrong->arena, count * sizeof *start);
    for (size_t e = 0; start && e < count; e++)
        start[e] = (float)points.points[e];
    sampling->request.noise = start;
    sampling->request.n = points.n;
    sampling->noise_dim = points.dim;
}

static void read_others(const cJSON *body, void *values, struct problem_fields *wrong) {
    read_noise(body, values, wrong);
    samples_given_read(body, values, wrong);
}

/* The rows of a file, whose number decides how many points there are. */
static bool read_file(struct http_exchange *exchange, struct sampling *sampling) {
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    struct sent_rows sent;
    if (!sent_rows_read(exchange, &sent))
        return false;
    return samples_given_take(exchange, &sent, sampling, &wrong) && !wrong.arena->failed &&
           problem_none(exchange, &wrong);
}

static bool read_body(struct http_exchange *exchange, struct sampling *sampling) {
    if (sampling->is_file)
        return read_file(exchange, sampling);
    return read_members(exchange, fields_of(sampling), sampling, POINTS_MAX_VALUES, read_others);
}

/* Chooses the number of frames to keep, and finds their timesteps. */
static bool choose_frames(struct http_exchange *exchange, struct sampling *sampling,
                          const struct dn_model *model) {
    const int steps = sampling->request.steps;
    int *frames = &sampling->request.frames;
    if (*frames == 0)
        *frames = sampling->format->usual_frames;
    if (*frames == 0 || *frames > steps + 1)
        *frames = steps + 1;
    int *timesteps = http_alloc(exchange, (size_t)(steps + 1) * sizeof *timesteps);
    if (!timesteps)
        return false;
    dn_sample_timesteps(model, &sampling->request, timesteps);
    for (int k = 0; k < *frames; k++) /* in place, because dn_frame_step(k) >= k */
        timesteps[k] = timesteps[dn_frame_step(k, *frames, steps)];
    sampling->timesteps = timesteps;
    return true;
}

/* The samplers without a fixed eta, for a message. */
static const char *names_with_eta(struct arena *arena) {
    const char *names[DN_SAMPLER_COUNT + 1] = {NULL};
    for (int i = 0, count = 0; i < DN_SAMPLER_COUNT; i++)
        if (isnan(dn_samplers[i].eta))
            names[count++] = dn_sampler_names[i];
    return fields_list(names, arena);
}

static void fit_sampler(struct dn_sample_request *request, const struct dn_model *model,
                        struct problem_fields *wrong) {
    const int T = dn_model_spec(model)->diffusion.timesteps;
    const struct dn_usual_sampling usual = dn_sample_usual(dn_model_spec(model), request->given);
    if (request->steps > T)
        problem_add(wrong, "/steps", "must be at most the model's timesteps, %d", T);
    if ((int)request->sampler == SAMPLER_OPEN)
        request->sampler = usual.sampler;
    if (request->steps == 0 || request->steps > T)
        request->steps = request->sampler == usual.sampler ? usual.steps : T;
    const double own = dn_samplers[request->sampler].eta;
    if (!isnan(request->eta) && !isnan(own))
        problem_add(wrong, "/eta", "belongs to the sampler %s; \"%s\" %s",
                    names_with_eta(wrong->arena), dn_sampler_names[request->sampler],
                    own > 0 ? "always draws fresh noise, like eta = 1" : "draws no noise");
    if (isnan(request->eta))
        request->eta = isnan(own) ? 0 : own;
}

static const char unlabeled[] = "needs a model trained with labels; this model has none";

/* One end of the interval of noise levels. */
static void fit_guidance_limit(double *limit, double usual, const char *pointer, int classes,
                               const struct dn_sample_request *request,
                               struct problem_fields *wrong) {
    if (isnan(*limit))
        *limit = usual;
    else if (classes == 0)
        problem_add(wrong, pointer, unlabeled);
    else if (request->guidance == 0)
        problem_add(wrong, pointer, "has no effect with guidance = 0; leave out one of them");
}

static void fit_guidance(struct dn_sample_request *request, const struct dn_model *model,
                         struct problem_fields *wrong) {
    const int classes = dn_model_spec(model)->dataset.classes;
    if (classes == 0 && !isnan(request->guidance))
        problem_add(wrong, "/guidance", unlabeled);
    if (classes > 0 && !isnan(request->guidance) && request->guidance != 1 &&
        dn_model_spec(model)->training.p_uncond == 0)
        problem_add(wrong, "/guidance",
                    "must be 1: the model never saw points without a label (p_uncond was 0)");
    const struct dn_usual_sampling usual = dn_sample_usual(dn_model_spec(model), request->given);
    const bool has_least = !isnan(request->guidance_ratio_min);
    if (isnan(request->guidance))
        request->guidance = usual.guidance;
    fit_guidance_limit(&request->guidance_ratio_min, usual.guidance_ratio_min,
                       "/guidance_ratio_min", classes, request, wrong);
    fit_guidance_limit(&request->guidance_ratio_max, usual.guidance_ratio_max,
                       "/guidance_ratio_max", classes, request, wrong);
    if (request->guidance_ratio_min <= request->guidance_ratio_max)
        return;
    if (has_least)
        problem_add(wrong, "/guidance_ratio_min", "must be at most guidance_ratio_max, %.10g",
                    request->guidance_ratio_max);
    else
        problem_add(wrong, "/guidance_ratio_max", "must be at least guidance_ratio_min, %.10g",
                    request->guidance_ratio_min);
}

struct sampling_guidance sampling_guidance_of(const struct dn_model *model,
                                              const struct dn_sample_request *request) {
    if (dn_model_spec(model)->dataset.classes == 0)
        return (struct sampling_guidance){NAN, NAN, NAN};
    return (struct sampling_guidance){request->guidance, request->guidance_ratio_min,
                                      request->guidance_ratio_max};
}

struct dn_sample_request sampling_default(int n) {
    return (struct dn_sample_request){
        .n = n,
        .sampler = (enum dn_sampler)SAMPLER_OPEN,
        .clip = true,
        .eta = NAN,
        .guidance = NAN,
        .guidance_ratio_min = NAN,
        .guidance_ratio_max = NAN,
        .label = DN_LABELS_BY_FREQUENCY,
    };
}

void sampling_fit(struct dn_sample_request *request, const struct dn_model *model,
                  struct problem_fields *wrong) {
    fit_sampler(request, model, wrong);
    fit_guidance(request, model, wrong);
}

static void wrong_label(const char *label, const char *const *classes,
                        struct problem_fields *wrong) {
    const char *meant = fields_nearest(classes, label);
    const char *list = fields_list(classes, wrong->arena);
    if (meant)
        problem_add(wrong, "/label",
                    "there is no class \"%s\"; did you mean \"%s\"? The classes are %s", label,
                    meant, list);
    else
        problem_add(wrong, "/label",
                    "there is no class \"%s\"; the parameter class is an index into the list of "
                    "classes, counted from 0: %s",
                    label, list);
}

bool sampling_find_class(const char *label, int *class, const struct dn_model *model,
                         const char *const *classes, struct problem_fields *wrong) {
    const int count = dn_model_spec(model)->dataset.classes;
    const bool has_label = label[0], has_class = *class >= 0;
    if (!has_label && !has_class)
        return false;
    if (has_label && has_class)
        problem_add(wrong, "/class", "means the same as label; give only one of them");
    else if (count == 0)
        problem_add(wrong, has_label ? "/label" : "/class", unlabeled);
    else if (has_class && *class >= count)
        problem_add(wrong, "/class", "must be an index into the list of classes, from 0 to %d",
                    count - 1);
    else if (has_label && (*class = label_find(classes, label)) < 0)
        wrong_label(label, classes, wrong);
    else
        return true;
    return false;
}

/* Finds the requested class by its name or its index. */
static void fit_label(struct sampling *sampling, const struct dn_model *model,
                      struct problem_fields *wrong) {
    struct dn_sample_request *request = &sampling->request;
    const bool is_one = sampling->label[0] || request->label >= 0;
    const char *pointer = sampling->label[0] ? "/label" : is_one ? "/class" : "/balance";
    if (is_one && sampling->balance)
        problem_add(wrong, "/balance",
                    "has no effect when one class is drawn; leave out %s or balance", pointer + 1);
    else if (sampling->balance && dn_model_spec(model)->dataset.classes == 0)
        problem_add(wrong, "/balance", unlabeled);
    else if ((sampling_find_class(sampling->label, &request->label, model, sampling->classes,
                                  wrong) ||
              sampling->balance) &&
             request->guidance == 0)
        problem_add(wrong, pointer, "has no effect with guidance = 0; leave out one of them");
    if (sampling->balance && !is_one)
        request->label = DN_LABELS_IN_TURN;
}

/* Once it is known whether the classes take turns. */
static void fit_noise(struct sampling *sampling, const struct dn_model *model,
                      struct problem_fields *wrong) {
    struct dn_sample_request *request = &sampling->request;
    const int classes = dn_model_spec(model)->dataset.classes;
    if (!sampling->shares_noise)
        return;
    if (classes == 0)
        problem_add(wrong, "/shared_noise", unlabeled);
    else if (request->label != DN_LABELS_IN_TURN || request->guidance == 0 || request->given)
        problem_add(wrong, "/shared_noise",
                    "is for classes that take turns: it needs balance, and no class, known cells "
                    "or guidance = 0");
    else if (request->noise)
        problem_add(wrong, "/shared_noise", "is for the seed's noise; leave out noise");
    request->per_noise = request->drawn_classes > 0 ? request->drawn_classes : classes;
}

/* Which columns a picture shows. */
static void find_axes(struct sampling *sampling, int dim, struct problem_fields *wrong) {
    const struct table_form *form = sampling->form;
    axes_find(&sampling->look,
              &(struct axes_source){.dim = dim,
                                    .names = sampling->columns,
                                    .columns = form ? form->columns : NULL,
                                    .count = form ? form->count : 0,
                                    .are_paths = sampling->is_trajectory},
              &sampling->axes, wrong);
}

/* Without n, there are no more points than one request may cost, and as many of each class if they take
 * turns. */
static void fit_cost(struct http_exchange *exchange, struct dn_sample_request *request,
                     const struct dn_model *model) {
    const double most = fmax(cost_affordable(exchange, model, request), 1);
    const int classes = dn_model_spec(model)->dataset.classes;
    if (request->n <= most)
        return;
    request->n = (int)most;
    if (request->label == DN_LABELS_IN_TURN && request->n > classes)
        request->n -= request->n % classes;
}

/* Checks what depends on the model. */
static bool fits_model(struct http_exchange *exchange, struct sampling *sampling,
                       const struct dn_model *model) {
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    struct dn_sample_request *request = &sampling->request;
    const int dim = dn_model_dim(model);
    const bool are_images = samples_are_images(model), is_open = request->n == 0;
    if (are_images && !samples_images_accept(exchange, sampling))
        return false;
    if (request->n == 0 && !are_images)
        request->n = SAMPLES_DEFAULT;
    request->never_missing = sampling->missing > 0;
    const int missing = form_missing_class(sampling->form, sampling->classes);
    if (request->never_missing && missing > 0)
        request->drawn_classes = missing; /* which is the last class */
    if (!samples_given_fit(exchange, sampling, model, &sampling->loaded->row, &wrong))
        return false;
    sampling_fit(request, model, &wrong);
    fit_label(sampling, model, &wrong);
    if (!are_images)
        find_axes(sampling, dim, &wrong);
    if (sampling->is_trajectory && !choose_frames(exchange, sampling, model))
        return false;
    if (are_images)
        samples_images_fit(sampling, model, &wrong);
    fit_noise(sampling, model, &wrong);
    if (is_open)
        fit_cost(exchange, request, model);
    if (request->noise && sampling->noise_dim != dim)
        problem_add(&wrong, "/noise", "has %d coordinates, but the model has %d",
                    sampling->noise_dim, dim);
    if (sampling->is_trajectory)
        point_stream_check_size(request->n, request->frames, dim, &wrong);
    if (!problem_none(exchange, &wrong) ||
        (sampling->is_trajectory && !are_images &&
         !format_fits(exchange, sampling->format, &sampling->look, request->frames)))
        return false;
    return cost_fits(exchange, model, request);
}

/* Some formats contain the duration, so two responses may differ only in that. */
static void tag(struct http_exchange *exchange, const struct model *model) {
    const struct sampling *sampling = exchange->state;
    if (strcmp(exchange->request.method, "GET") == 0)
        tag_model_answer(exchange,
                         &(struct choice){sampling->format, fields_of(sampling), sampling},
                         format_says_duration(sampling->format),
                         sampling->is_trajectory ? "trajectories" : "samples", model);
}

/* A client that has the current response already causes no computation. */
static bool is_known(struct http_exchange *exchange) {
    const struct sampling *sampling = exchange->state;
    struct store_session *session;
    struct model model;
    if (!http_header(exchange, "If-None-Match") || !(session = begin_reading(exchange)))
        return false;
    const bool found = store_model_at(session, exchange->request.ids[0], sampling->epoch, false,
                                      &model) == STORE_OK;
    end_reading(exchange, session);
    if (!found)
        return false;
    tag(exchange, &model);
    model_clear(&model);
    return http_not_modified(exchange);
}

/* Called for a large request that was refused, or whose client is gone. */
static void release_model(struct http_exchange *exchange) {
    loaded_model_clear(((struct sampling *)exchange->state)->loaded);
}

static void sample_much(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    exchange->release = NULL;
    sampling_answer(exchange);
}

/* Only the loaded model tells whether the request is much work. */
static void sample_on_pool(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct sampling *sampling = exchange->state;
    if (sampling->is_unread && !read_body(exchange, sampling))
        return;
    const struct dn_sample_request *request = &sampling->request;
    struct loaded_model *loaded = sampling->loaded = http_alloc(exchange, sizeof *loaded);
    if (!loaded || !load_model(exchange, sampling->epoch, loaded))
        return;
    tag(exchange, &loaded->row);
    sampling->classes = model_class_names(
        &loaded->row, dn_model_spec(loaded->model)->dataset.classes, http_arena(exchange));
    sampling->columns = model_column_names(&loaded->row, http_arena(exchange));
    if (loaded->row.form && sampling->classes) {
        sampling->form = form_read(loaded->row.form, http_arena(exchange));
        if (!sampling->form) {
            problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for the form of the rows");
            loaded_model_clear(loaded);
            return;
        }
    }
    if (!sampling->classes || !sampling->columns ||
        !fits_model(exchange, sampling, loaded->model)) {
        loaded_model_clear(loaded);
    } else if (cost_is_large(loaded->model, request)) {
        exchange->release = release_model;
        http_then_on_pool(exchange, sample_much, TURN_LARGE);
    } else {
        sampling_answer(exchange);
    }
}

/* Reads the query, and the body, unless that is for the pool. */
static bool read_parameters(struct http_exchange *exchange, struct sampling *sampling,
                            bool is_post) {
    const struct field_set *query = !is_post                  ? fields_of(sampling)
                                    : sampling->is_trajectory ? &empty_fields
                                                              : &sample_row_fields;
    return read_query(exchange, query, sampling) &&
           (!is_post || sampling->is_unread || read_body(exchange, sampling));
}

static enum http_next start(struct http_exchange *exchange, bool is_trajectory) {
    struct sampling *sampling = http_alloc(exchange, sizeof *sampling);
    if (!sampling)
        return HTTP_REPLY;
    sampling->request = sampling_default(0); /* n is open */
    sampling->is_trajectory = is_trajectory;
    exchange->state = sampling;
    const bool is_post = strcmp(exchange->request.method, "POST") == 0;
    sampling->is_file = is_post && !is_trajectory && sent_rows_are_here(exchange);
    sampling->is_unread =
        is_post && (sampling->is_file || exchange->request.body_length > BODY_ON_LOOP);
    sampling->format = format_of(exchange);
    if (!sampling->format || !path_id(exchange, PROBLEM_NO_SUCH_MODEL))
        return HTTP_REPLY;
    if (!read_parameters(exchange, sampling, is_post))
        return HTTP_REPLY;
    if (is_known(exchange))
        return HTTP_REPLY;
    return http_on_pool(exchange, sample_on_pool);
}

enum http_next api_samples(struct http_exchange *exchange) {
    return start(exchange, false);
}

enum http_next api_trajectories(struct http_exchange *exchange) {
    return start(exchange, true);
}
