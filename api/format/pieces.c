#include "api/format/pieces.h"

#include <stdio.h>
#include <string.h>

#include "api/format/csv.h"
#include "api/format/number.h"
#include "api/format/safetensors.h"
#include "engine/denoise.h"

int pieces_count(const struct pieces *pieces, const struct layout *layout) {
    if (layout->frames == 0)
        return 1;
    if (pieces->order == PARTS_ONE_ARRAY)
        return layout->frames - layout->which_x0;
    return 2 * layout->frames - 1;
}

struct part pieces_part(const struct pieces *pieces, const struct layout *layout, int index) {
    if (pieces->order == PARTS_ONE_ARRAY)
        return (struct part){layout->which_x0, index};
    if (pieces->order == PARTS_BY_FRAME)
        return (struct part){index % 2, index / 2};
    const bool is_x0 = index >= layout->frames;
    return (struct part){is_x0, index - (is_x0 ? layout->frames : 0)};
}

/* ------------------------------------------------------------------ CSV (RFC 4180) */

static void csv_lead(struct buffer *out, const struct layout *layout, int index) {
    static const char *const axes[] = {"x", "y", "z"};
    if (index > 0)
        return;
    if (layout->form) {
        form_csv_names(layout->form, out);
        return;
    }
    for (int j = 0; j < layout->dim; j++) {
        if (j > 0)
            buffer_append(out, ",", 1);
        if (layout->columns)
            csv_write(out, layout->columns[j]);
        else if (layout->dim <= 3)
            buffer_text(out, axes[j]);
        else
            buffer_format(out, "x%d", j);
    }
    buffer_text(out, layout->labels ? ",label\r\n" : "\r\n");
}

/* Row i of those whose values are in the layout, the first of which is row `first`. */
static struct form_row row_of(const struct layout *layout, size_t first, size_t i) {
    const int label = layout->labels ? layout->labels[first + i] : -1;
    const size_t run = layout->draws > 0 ? (first + i) / (size_t)layout->draws : 0;
    return (struct form_row){
        layout->values + i * (size_t)layout->dim, label, label < 0 ? NULL : layout->classes[label],
        first + i, layout->known ? layout->known + run * (size_t)layout->form->count : NULL};
}

static void csv_rows(struct buffer *out, const struct layout *layout, const float *points,
                     size_t first, size_t count) {
    const size_t width = (size_t)layout->dim;
    for (size_t i = 0; i < count && layout->form; i++) {
        const struct form_row row = row_of(layout, first, i);
        form_csv_row(layout->form, &row, out);
    }
    for (size_t i = 0; i < count && !layout->form; i++) {
        char *start = buffer_reserve(out, width * (FLOAT_TEXT + 1));
        if (!start)
            return;
        out->length += (size_t)(floats_text(start, points + i * width, width, "nan") - start);
        if (layout->labels) {
            buffer_append(out, ",", 1);
            csv_write(out, layout->classes[layout->labels[first + i]]);
        }
        buffer_append(out, "\r\n", 2);
    }
}

const struct pieces pieces_csv = {PARTS_ONE_ARRAY, csv_lead, csv_rows, NULL};

/* ------------------------------------------------------------------ NPY, version 1.0 */

enum { NPY_HEADER = 256, MOST_SIDES = 3 };

/* The dimensions of the array of a point, or of an image; returns their number. */
static int find_sides(const struct layout *layout, int sides[MOST_SIDES]) {
    const struct grid_shape *shape = &layout->shape;
    sides[0] = shape->height ? shape->height : layout->dim;
    sides[1] = shape->width;
    sides[2] = shape->channels;
    return shape->height ? MOST_SIDES : 1;
}

static int npy_shape(char *out, size_t size, const struct layout *layout) {
    int sides[MOST_SIDES], used = 0;
    const int count = find_sides(layout, sides);
    for (int i = 0; i < count; i++)
        used += snprintf(out + used, size - (size_t)used, "%s%d", i ? ", " : "", sides[i]);
    return used;
}

/* Does npy have values in full precision? */
static bool is_double(const struct layout *layout) {
    return layout->form || layout->has_values;
}

/* Writes the header of an array in C order; returns its length (numpy.lib.format). */
static size_t npy_header(char out[NPY_HEADER], const struct layout *layout) {
    enum { PREFIX = 10, ALIGN = 64 };
    char *text = out + PREFIX;
    const size_t room = NPY_HEADER - PREFIX;
    int used = snprintf(text, room, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                        layout->is_bytes    ? "|u1"
                        : is_double(layout) ? "<f8"
                                            : "<f4");
    if (layout->frames > 0)
        used +=
            snprintf(text + used, room - (size_t)used, "%d, ", layout->frames - layout->which_x0);
    used += snprintf(text + used, room - (size_t)used, "%zu, ", layout->n);
    used += npy_shape(text + used, room - (size_t)used, layout);
    used += snprintf(text + used, room - (size_t)used, "), }");
    while ((PREFIX + used + 1) % ALIGN != 0)
        text[used++] = ' ';
    text[used++] = '\n';
    memcpy(out, "\x93NUMPY\x01", 8); /* the 8th byte, a NUL, is the minor version */
    out[8] = (char)(used & 0xff);
    out[9] = (char)(used >> 8);
    return PREFIX + (size_t)used;
}

static void npy_lead(struct buffer *out, const struct layout *layout, int index) {
    char header[NPY_HEADER];
    if (index == 0)
        buffer_append(out, header, npy_header(header, layout));
}

static void raw_rows(struct buffer *out, const struct layout *layout, const float *points,
                     size_t first, size_t count) {
    (void)first;
    buffer_append(out, points, count * (size_t)layout->dim * sizeof *points);
}

static void byte_rows(struct buffer *out, const float *points, size_t values) {
    char *bytes = buffer_reserve(out, values);
    for (size_t i = 0; bytes && i < values; i++)
        bytes[i] = (char)grid_pixel(points[i]);
    out->length += bytes ? values : 0;
}

/* The numbers of the rows' cells. */
static void number_rows(struct buffer *out, const struct layout *layout, size_t first,
                        size_t count) {
    double numbers[DN_MAX_DIM];
    for (size_t i = 0; i < count; i++) {
        const struct form_row row = row_of(layout, first, i);
        form_numbers(layout->form, &row, numbers);
        buffer_append(out, numbers, (size_t)layout->dim * sizeof *numbers);
    }
}

static void npy_rows(struct buffer *out, const struct layout *layout, const float *points,
                     size_t first, size_t count) {
    if (layout->is_bytes)
        byte_rows(out, points, count * (size_t)layout->dim);
    else if (layout->form)
        number_rows(out, layout, first, count);
    else if (layout->has_values)
        buffer_append(out, layout->values, count * (size_t)layout->dim * sizeof *layout->values);
    else
        raw_rows(out, layout, points, first, count);
}

size_t pieces_point_bytes(const struct layout *layout) {
    const size_t value = layout->is_bytes ? 1 : is_double(layout) ? sizeof(double) : sizeof(float);
    return (size_t)layout->dim * value;
}

static uint64_t npy_length(const struct layout *layout) {
    char header[NPY_HEADER];
    const uint64_t frames = layout->frames ? (uint64_t)(layout->frames - layout->which_x0) : 1;
    return npy_header(header, layout) + frames * layout->n * pieces_point_bytes(layout);
}

const struct pieces pieces_npy = {PARTS_ONE_ARRAY, npy_lead, npy_rows, npy_length};

/* ------------------------------------------------------------------ JSON */

static void json_begin(struct buffer *out, const struct layout *layout) {
    struct json_writer json = {.out = out};
    json_open(&json, '{');
    layout->head(layout->owner, &json);
    buffer_append(out, ",", 1);
}

static void json_labels(struct json_writer *json, const struct layout *layout) {
    json_member_open(json, "labels", '[');
    for (size_t i = 0; i < layout->n; i++)
        json_string(json, layout->classes[layout->labels[i]]);
    json_close(json, ']');
    json_key(json, "classes");
    json_strings(json, layout->classes);
}

static void json_end(struct buffer *out, const struct layout *layout) {
    struct json_writer json = {.out = out, .needs_comma = true, .is_answer = true, .depth = 1};
    if (layout->labels)
        json_labels(&json, layout);
    else
        buffer_text(out, ",\"labels\":null,\"classes\":null");
    if (layout->tail)
        layout->tail(layout->owner, &json);
    json_close(&json, '}');
}

static void json_points_rows(struct buffer *out, const struct layout *layout, const float *points,
                             size_t first, size_t count) {
    json_rows(out, points, count, layout->dim, first == 0);
}

static void json_table_rows(struct buffer *out, const struct layout *layout, const float *points,
                            size_t first, size_t count) {
    struct json_writer json = {.out = out, .needs_comma = first > 0, .depth = 2};
    if (!layout->form)
        json_points_rows(out, layout, points, first, count);
    for (size_t i = 0; i < count && layout->form; i++) {
        const struct form_row row = row_of(layout, first, i);
        form_json_row(layout->form, &row, &json);
    }
}

static void json_lead(struct buffer *out, const struct layout *layout, int index) {
    if (index == 0) {
        json_begin(out, layout);
        if (layout->form) {
            buffer_text(out, "\"columns\":");
            form_json_names(layout->form, &(struct json_writer){.out = out, .depth = 1});
            buffer_text(out, ",");
        }
        buffer_text(out, "\"points\":[");
    } else {
        buffer_text(out, "]");
        json_end(out, layout);
    }
}

const struct pieces pieces_json = {PARTS_ONE_ARRAY, json_lead, json_table_rows, NULL};

static void json_timesteps(struct buffer *out, const struct layout *layout) {
    buffer_text(out, "\"timesteps\":[");
    for (int k = 0; k < layout->frames; k++)
        buffer_format(out, "%s%d", k ? "," : "", layout->timesteps[k]);
    buffer_text(out, "]");
}

static void frames_json_lead(struct buffer *out, const struct layout *layout, int index) {
    if (index == 0) {
        json_begin(out, layout);
        json_timesteps(out, layout);
        buffer_text(out, ",\"x\":[[");
    } else if (index == layout->frames) {
        buffer_text(out, "]],\"x0\":[[");
    } else if (index < 2 * layout->frames - 1) {
        buffer_text(out, "],[");
    } else {
        buffer_text(out, "]]");
        json_end(out, layout);
    }
}

const struct pieces pieces_frames_json = {PARTS_X_THEN_X0, frames_json_lead, json_points_rows,
                                          NULL};

/* ------------------------------------------------------------------ NDJSON: a line a frame */

/* {"timestep", "x", "x0"}; the last frame has no x0. The first one has the labels, too. */
static void ndjson_lead(struct buffer *out, const struct layout *layout, int index) {
    if (index == 0 && layout->labels) {
        struct json_writer json = {.out = out};
        json_open(&json, '{');
        json_labels(&json, layout);
        buffer_format(out, ",\"timestep\":%d,\"x\":[", layout->timesteps[0]);
    } else if (index == 2 * layout->frames - 1) {
        buffer_text(out, "],\"x0\":null}\n");
    } else if (index % 2 == 1) {
        buffer_text(out, "],\"x0\":[");
    } else {
        buffer_format(out, "%s{\"timestep\":%d,\"x\":[", index ? "]}\n" : "",
                      layout->timesteps[index / 2]);
    }
}

const struct pieces pieces_ndjson = {PARTS_BY_FRAME, ndjson_lead, json_points_rows, NULL};

/* ------------------------------------------------------------------ safetensors: x and x0 */

/* {"answer": the JSON of the same response, without x and x0} */
static void safetensors_metadata(const void *owner, struct json_writer *json) {
    const struct layout *layout = owner;
    struct buffer text = {0};
    json_begin(&text, layout);
    json_timesteps(&text, layout);
    json_end(&text, layout);
    buffer_append(&text, "", 1);
    json_member(json, "answer", text.failed ? "" : text.data);
    if (text.failed)
        buffer_fail(json->out);
    buffer_clear(&text);
}

static void safetensors_lead(struct buffer *out, const struct layout *layout, int index) {
    static const char *const names[] = {"x", "x0"};
    struct safetensor tensors[2];
    int sides[MOST_SIDES];
    const int count = find_sides(layout, sides);
    if (index > 0)
        return;
    for (int i = 0; i < 2; i++) {
        tensors[i] = (struct safetensor){
            .name = names[i],
            .rank = 2 + count,
            .shape = {layout->frames - i, (int64_t)layout->n},
            .count = (size_t)(layout->frames - i) * layout->n * (size_t)layout->dim,
        };
        for (int k = 0; k < count; k++)
            tensors[i].shape[2 + k] = sides[k];
    }
    safetensors_write_header(out, tensors, 2, safetensors_metadata, layout);
}

const struct pieces pieces_frames_safetensors = {PARTS_X_THEN_X0, safetensors_lead, raw_rows, NULL};
