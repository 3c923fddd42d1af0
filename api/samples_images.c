#include "api/samples_images.h"

#include <string.h>

enum {
    PICTURES = 100,       /* in a picture, or in other formats by default */
    EACH = 6,             /* of a class, in an animation */
    STRIPS = 10,          /* rows of a picture of a trajectory */
    TEXT_VALUES = 100000, /* in JSON, which is no format for more */
};

bool samples_are_images(const struct dn_model *model) {
    return dn_model_spec(model)->dataset.height > 0;
}

static bool is_one_of(const char *const *suffixes, const struct format *format) {
    for (; *suffixes; suffixes++)
        if (strcmp(*suffixes, format->suffix) == 0)
            return true;
    return false;
}

static bool is_text(const struct format *format) {
    return is_one_of((const char *const[]){"json", "ndjson", NULL}, format);
}

static bool is_picture(const struct format *format) {
    return format->panels > 0;
}

bool samples_images_accept(struct http_exchange *exchange, const struct sampling *sampling) {
    static const char *const no_images[] = {"svg", "txt", NULL};
    if (!is_one_of(no_images, sampling->format))
        return true;
    problem(exchange, PROBLEM_NOT_ACCEPTABLE,
            sampling->is_trajectory ? "images have the formats gif png npy json ndjson safetensors"
                                    : "images have the formats png npy json csv");
    return false;
}

/* Values of an image in the response. */
static long long values_of(const struct sampling *sampling, int dim) {
    return sampling->is_trajectory ? (2LL * sampling->request.frames - 1) * dim : dim;
}

/* How many images there are by default, if there is room for them: in pictures as many of each
 * class. */
static int usual_n(const struct sampling *sampling, int classes) {
    const bool is_animated = sampling->format->panels > 1;
    if (sampling->is_trajectory && !is_animated)
        return classes > 0 && classes < STRIPS ? classes : STRIPS;
    if (classes == 0)
        return is_animated ? EACH * EACH : PICTURES;
    const int most = is_animated ? EACH * STRIPS : PICTURES, each = most / classes;
    return (each < 1 ? 1 : is_animated && each > EACH ? EACH : each) * classes;
}

/* Without a label, the classes take turns in a picture. */
static void choose_labels(struct sampling *sampling, int classes) {
    struct dn_sample_request *request = &sampling->request;
    if (is_picture(sampling->format) && classes > 0 && request->guidance != 0 &&
        request->label == DN_LABELS_BY_FREQUENCY)
        request->label = DN_LABELS_IN_TURN;
}

/* pixel0, pixel1, ..: as those of a data set. NULL: no memory, which the arena reports. */
static const char *const *name_values(struct arena *arena, int dim) {
    const char **names = arena_alloc(arena, ((size_t)dim + 1) * sizeof *names);
    for (int j = 0; names && j < dim; j++)
        names[j] = arena_format(arena, "pixel%d", j);
    return names;
}

void samples_images_fit(struct sampling *sampling, const struct dn_model *model,
                        struct problem_fields *wrong) {
    const int dim = dn_model_dim(model), classes = dn_model_spec(model)->dataset.classes;
    const bool has_limit = is_text(sampling->format);
    const long long values = values_of(sampling, dim), limit = TEXT_VALUES / values;
    struct dn_sample_request *request = &sampling->request;
    const bool is_open = request->n == 0;
    choose_labels(sampling, classes);
    if (strcmp(sampling->format->suffix, "csv") == 0)
        sampling->columns = name_values(wrong->arena, dim);
    if (is_open)
        request->n = usual_n(sampling, classes);
    if (is_open && sampling->is_trajectory)
        request->n = point_stream_most(request->n, request->frames, dim);
    if (is_open && has_limit && request->n > limit)
        request->n = limit > 0 ? (int)limit : 1;
    if (has_limit && request->n > limit)
        problem_add(wrong, "/n",
                    "%d images would make a text of %lld numbers; the maximum is %d, which is n = "
                    "%lld%s; npy has any number",
                    request->n, request->n * values, TEXT_VALUES, limit,
                    sampling->is_trajectory ? " or fewer frames" : "");
}
