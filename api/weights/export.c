/* The export of models: /v1/models/{id}/weights.safetensors. */
#include "api/weights/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/contract/openapi.h"
#include "api/format/formats.h"
#include "api/format/safetensors.h"
#include "api/models.h"
#include "api/weights/quantiles.h"
#include "server/base/sha256.h"

_Static_assert(5 * DN_MAX_HIDDEN_LAYERS + 2 + 4 < SAFETENSORS_TENSORS &&
                   9 * 4 * DN_MAX_BLOCKS + 12 < SAFETENSORS_TENSORS,
               "a model fits into a file");

/* ------------------------------------------------------------------ the file */

/* Writes the transform exactly: each number reads back as the same double or, for low and high,
 * float. Of images, one number for each channel. */
static void write_transform(const struct dn_model *model, struct json_writer *json) {
    static const char *const keys[] = {"shift", "scale", "low", "high"};
    const size_t dim = (size_t)dn_model_dim(model);
    double *numbers = malloc(4 * dim * sizeof *numbers);
    float *range = malloc(2 * dim * sizeof *range);
    if (numbers && range) {
        dn_model_transform(model, numbers, numbers + dim);
        dn_model_range(model, range, range + dim);
        for (size_t i = 0; i < 2 * dim; i++)
            numbers[2 * dim + i] = (double)range[i];
        json_open(json, '{');
        for (size_t i = 0; i < 4; i++) {
            json_key(json, keys[i]);
            json_numbers(json, numbers + i * dim, dn_spec_columns(dn_model_spec(model)));
        }
        json_close(json, '}');
    } else {
        buffer_fail(json->out);
    }
    free(numbers), free(range);
}

static void write_class_counts(const struct dn_model *model, struct json_writer *json) {
    int32_t counts[DN_MAX_CLASSES];
    json_open(json, '[');
    if (dn_model_class_counts(model, counts))
        for (int k = 0; k < dn_model_spec(model)->dataset.classes; k++)
            json_integer(json, counts[k]);
    json_close(json, ']');
}

/* A member that is JSON, in a text. */
static void write_text(struct json_writer *json, const char *key, const struct dn_model *model,
                       void (*write)(const struct dn_model *, struct json_writer *)) {
    struct buffer text = {0};
    write(model, &(struct json_writer){.out = &text});
    buffer_append(&text, "", 1);
    json_member(json, key, text.failed ? "" : text.data);
    if (text.failed)
        buffer_fail(json->out);
    buffer_clear(&text);
}

static void write_count(struct json_writer *json, const char *key, int value) {
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    json_member(json, key, text);
}

static void write_metadata(const void *owner, struct json_writer *json) {
    const struct loaded_model *loaded = owner;
    const struct dn_spec *spec = dn_model_spec(loaded->model);
    int32_t counts[DN_MAX_CLASSES];
    json_member(json, "format", WEIGHTS_FORMAT);
    if (loaded->row.name)
        json_member(json, "name", loaded->row.name);
    json_member(json, "spec", loaded->row.spec);
    write_count(json, "dim", spec->dataset.dim);
    write_count(json, "classes", spec->dataset.classes);
    if (dn_model_class_counts(loaded->model, counts))
        write_text(json, "class_counts", loaded->model, write_class_counts);
    write_count(json, "epoch", dn_model_epoch(loaded->model));
    json_member(json, "kernels", loaded->row.variant);
    write_text(json, "transform", loaded->model, write_transform);
    if (spec->training.normalization == DN_QUANTILE)
        write_text(json, "quantiles", loaded->model, quantiles_write);
    if (loaded->row.form)
        json_member(json, "form", loaded->row.form);
}

static void write_weights(const struct loaded_model *loaded, struct buffer *out) {
    struct safetensor tensors[SAFETENSORS_TENSORS];
    struct dn_tensor shapes[SAFETENSORS_TENSORS];
    const struct dn_spec *spec = dn_model_spec(loaded->model);
    const int count = dn_model_tensor_count(loaded->model);
    float *values = malloc(dn_spec_tensor_values(spec) * sizeof *values), *at = values;
    if (!values) {
        buffer_fail(out);
        return;
    }
    for (int i = 0; i < count; i++) {
        const struct dn_tensor *shape = &shapes[i];
        dn_spec_tensor(spec, i, &shapes[i]);
        tensors[i] =
            (struct safetensor){.name = shape->name, .rank = shape->rank, .count = 1, .data = at};
        for (int k = 0; k < shape->rank; k++) {
            tensors[i].shape[k] = shape->shape[k];
            tensors[i].count *= (size_t)shape->shape[k];
        }
        dn_model_tensor(loaded->model, i, at);
        at += tensors[i].count;
    }
    safetensors_write(out, tensors, count, write_metadata, loaded);
    free(values);
}

static bool is_plain(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-';
}

/* The file name, from the model's name without the characters that are special in file systems or
 * headers: in ASCII, and also encoded if the name has other letters (RFC 6266, RFC 8187). */
static const char *disposition(struct http_exchange *exchange, const struct model *row) {
    enum { MAX = 63 }; /* characters */
    const char *from = row->name && row->name[0] ? row->name : row->id;
    char ascii[MAX + 1] = "", *at = ascii;
    char encoded[12 * MAX + 1] = "", *end = encoded; /* "%xx" for each of up to 4 bytes */
    bool is_ascii = true;
    while (*from && at < ascii + MAX) {
        const bool plain = is_plain(*from), other = (unsigned char)*from >= 0x80;
        *at++ = plain ? *from : '_';
        is_ascii &= !other;
        if (!other)
            *end++ = at[-1];
        for (int i = 0; other && i < 4 && (i == 0 || ((unsigned char)*from & 0xc0) == 0x80);
             i++, from++)
            end += snprintf(end, 4, "%%%02X", (unsigned char)*from);
        from += !other;
    }
    *at = *end = '\0';
    return is_ascii ? http_format(exchange, "attachment; filename=\"%s.safetensors\"", ascii)
                    : http_format(exchange,
                                  "attachment; filename=\"%s.safetensors\"; "
                                  "filename*=UTF-8''%s.safetensors",
                                  ascii, encoded);
}

static void send_weights(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct loaded_model loaded = {0};
    struct http_response *response = &exchange->response;
    char digest[SHA256_TEXT];
    if (!load_model(exchange, 0, &loaded))
        return;
    /* the copied weights, and the file in a buffer that doubles */
    if (!http_reserve(exchange, 3 * loaded.row.byte_count)) {
        loaded_model_clear(&loaded);
        return;
    }
    const bool is_long = loaded.row.byte_count > WEIGHTS_LONG_BYTES;
    if (is_long)
        pool_begin_alone();
    write_weights(&loaded, &response->body);
    if (!response->body.failed)
        sha256_text(response->body.data, response->body.length, digest);
    if (is_long)
        pool_end_alone();
    if (!response->body.failed) {
        http_set_header(exchange, "Content-Disposition", disposition(exchange, &loaded.row));
        response->status = 200;
        response->etag = http_format(exchange, "%s", digest);
    }
    loaded_model_clear(&loaded);
}

enum http_next api_model_weights(struct http_exchange *exchange) {
    if (!format_of(exchange) || !no_query(exchange) || !path_id(exchange, PROBLEM_NO_SUCH_MODEL))
        return HTTP_REPLY;
    return http_on_pool(exchange, send_weights);
}
