#include "api/images/upload.h"

#include "api/contract/handlers.h"
#include "api/images/reading.h"

/* Memory for reading: arrays have as many bytes as their file, packed images as many as there
 * can be. Once more for arrays that are unpacked first; labels, and what is known of the files of
 * an archive. */
static size_t memory_for(const struct payload *payload) {
    const bool is_array = payload->file[0] != 'P';
    const size_t pixels = is_array ? payload->file_length : 2 * payload->most;
    return pixels + payload->file_length / 2 + DN_MAX_POINTS * sizeof(int32_t) +
           (is_array ? 0 : IMAGES_MOST_LABELS);
}

bool images_take(struct http_exchange *exchange, const struct payload *payload,
                 struct images *images) {
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    struct images_reading reading = {.file = payload->file,
                                     .length = payload->file_length,
                                     .labels = payload->labels,
                                     .labels_length = payload->labels_length,
                                     .most = payload->most,
                                     .wrong = &wrong};
    if (!http_reserve(exchange, memory_for(payload)))
        return false;
    const bool read = images_read(&reading);
    *images = reading.images;
    if (reading.no_memory)
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for these images");
    else if (reading.unreadable)
        problem(exchange, reading.code, reading.unreadable);
    else if (!read)
        problem_list(exchange, PROBLEM_INVALID_DATA, "the images cannot be used", &wrong);
    return read && !reading.no_memory;
}

static char *statistics_json(struct http_exchange *exchange, const struct images *images) {
    struct buffer text = {0};
    images_write_statistics(images, &(struct json_writer){.out = &text});
    return keep_text(exchange, &text);
}

static char *classes_json(struct http_exchange *exchange, const struct images *images) {
    struct buffer text = {0};
    struct json_writer json = {.out = &text};
    json_open(&json, '[');
    for (int k = 0; k < images->class_count; k++)
        json_string(&json, images->classes[k]);
    json_close(&json, ']');
    return keep_text(exchange, &text);
}

bool images_describe(struct http_exchange *exchange, const struct images *images,
                     struct dataset *row) {
    row->n = (int64_t)images->n;
    row->dim = (int)images_dim(images);
    row->height = images->height;
    row->width = images->width;
    row->channels = images->channels;
    row->columns = http_format(exchange, "[]");
    row->statistics = statistics_json(exchange, images);
    row->classes = images->labels ? classes_json(exchange, images) : NULL;
    row->pixels = images->pixels;
    row->labels = images->labels;
    if (row->columns && row->statistics && (row->classes || !images->labels))
        return true;
    problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for these images");
    return false;
}
