#include "api/format/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, ALIGN = 8, MAX_VALUES = 4000 };
#define METADATA "__metadata__"

/* ------------------------------------------------------------------ reading */

/* Where the header says that a tensor's values are, in bytes after the header. */
struct span {
    int64_t begin, end;
    struct safetensor tensor;
};

/* A whole number that JSON carries exactly. */
static bool read_integer(const cJSON *json, int64_t *out) {
    const double most = 9007199254740991;
    if (!cJSON_IsNumber(json) || !(json->valuedouble >= 0 && json->valuedouble <= most) ||
        json->valuedouble != floor(json->valuedouble))
        return false;
    *out = (int64_t)json->valuedouble;
    return true;
}

static void read_shape(const cJSON *json, const char *at, struct safetensor *tensor,
                       struct problem_fields *wrong) {
    const char *pointer = arena_format(wrong->arena, "%s/shape", at);
    const int rank = cJSON_GetArraySize(json);
    if (!cJSON_IsArray(json) || rank < 1 || rank > SAFETENSORS_RANK) {
        problem_add(wrong, pointer, "must be a list of 1 to %d whole numbers", SAFETENSORS_RANK);
        return;
    }
    tensor->count = 1;
    for (const cJSON *value = json->child; value; value = value->next) {
        int64_t *dim = &tensor->shape[tensor->rank++];
        if (!read_integer(value, dim) || *dim < 1 || *dim > SAFETENSORS_DIM)
            problem_add(wrong, arena_format(wrong->arena, "%s/%d", pointer, tensor->rank - 1),
                        "must be a whole number from 1 to %d", SAFETENSORS_DIM);
        else if (__builtin_mul_overflow(tensor->count, (size_t)*dim, &tensor->count))
            problem_add(wrong, pointer, "has more values than can be counted");
    }
}

static void read_offsets(const cJSON *json, const char *at, int64_t size, struct span *span,
                         struct problem_fields *wrong) {
    const char *pointer = arena_format(wrong->arena, "%s/data_offsets", at);
    if (!cJSON_IsArray(json) || cJSON_GetArraySize(json) != 2 ||
        !read_integer(json->child, &span->begin) || !read_integer(json->child->next, &span->end))
        problem_add(wrong, pointer, "must be two whole numbers, the start and end offsets");
    else if (span->begin > span->end || span->end > size)
        problem_add(wrong, pointer,
                    "must not end before it begins, nor after byte %lld of the values",
                    (long long)size);
}

static void read_dtype(const cJSON *json, const char *at, struct problem_fields *wrong) {
    if (!cJSON_IsString(json) || strcmp(json->valuestring, "F32") != 0)
        problem_add(wrong, arena_format(wrong->arena, "%s/dtype", at), "must be \"F32\"");
}

/* {"dtype", "shape", "data_offsets"}, each once and nothing else. */
static void read_tensor(const cJSON *json, int64_t size, struct span *span,
                        struct problem_fields *wrong) {
    const char *at = problem_pointer(wrong, "", json->string);
    const int before = wrong->count;
    const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(json, "dtype");
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(json, "shape");
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(json, "data_offsets");
    span->tensor.name = json->string;
    if (!cJSON_IsObject(json) || cJSON_GetArraySize(json) != 3 || !dtype || !shape || !offsets) {
        problem_add(wrong, at, "must be an object with dtype, shape and data_offsets");
        return;
    }
    read_dtype(dtype, at, wrong);
    read_shape(shape, at, &span->tensor, wrong);
    read_offsets(offsets, at, size, span, wrong);
    int64_t bytes;
    if (wrong->count == before &&
        (__builtin_mul_overflow((int64_t)span->tensor.count, (int64_t)sizeof(float), &bytes) ||
         bytes != span->end - span->begin))
        problem_add(wrong, arena_format(wrong->arena, "%s/data_offsets", at),
                    "must span exactly the bytes that the shape needs");
}

static void read_metadata(const cJSON *json, struct safetensors *out,
                          struct problem_fields *wrong) {
    if (!cJSON_IsObject(json)) {
        problem_add(wrong, "/" METADATA, "must be an object");
        return;
    }
    for (const cJSON *text = json->child; text; text = text->next)
        if (!cJSON_IsString(text))
            problem_add(wrong, problem_pointer(wrong, METADATA, text->string), "must be a string");
        else if (json_is_repeated(json, text))
            problem_add(wrong, problem_pointer(wrong, METADATA, text->string),
                        "is given more than once");
    out->metadata = json;
}

/* The header as a tree; NULL, and why. */
static cJSON *read_header(const unsigned char *file, size_t size, size_t *header,
                          struct problem_fields *wrong) {
    uint64_t length;
    char error[200];
    if (size < LENGTH_BYTES) {
        problem_add(wrong, "", "a file begins with the length of its header, in 8 bytes");
        return NULL;
    }
    memcpy(&length, file, sizeof length);
    if (length < 2 || length > SAFETENSORS_HEADER) {
        problem_add(wrong, "", "the header must have 2 to %d bytes", SAFETENSORS_HEADER);
        return NULL;
    }
    if (length > size - LENGTH_BYTES) {
        problem_add(wrong, "", "the file ends within its header");
        return NULL;
    }
    const char *text = (const char *)file + LENGTH_BYTES;
    *header = (size_t)length;
    cJSON *json = text[0] == '{' ? json_read(text, (size_t)length, MAX_VALUES, wrong->arena, error,
                                             sizeof error)
                                 : NULL;
    if (!json)
        problem_add(wrong, "", "the header is not a JSON object%s%s", text[0] == '{' ? ": " : "",
                    text[0] == '{' ? error : "");
    return json;
}

static int by_place(const void *a, const void *b) {
    const struct span *x = a, *y = b;
    return x->begin != y->begin ? (x->begin > y->begin) - (x->begin < y->begin)
                                : (x->end > y->end) - (x->end < y->end);
}

/* Sorts the spans, and checks that they cover all values exactly once. */
static void place(struct span *spans, int count, const unsigned char *data, int64_t size,
                  struct safetensors *out, struct problem_fields *wrong) {
    int64_t end = 0;
    qsort(spans, (size_t)count, sizeof *spans, by_place);
    for (int i = 0; i < count; i++) {
        if (spans[i].begin != end)
            problem_add(wrong, problem_pointer(wrong, "", spans[i].tensor.name),
                        "%s: the values before it end at byte %lld, but its own begin at %lld",
                        spans[i].begin < end ? "overlaps another tensor" : "leaves a gap",
                        (long long)end, (long long)spans[i].begin);
        end = spans[i].end;
        out->tensors[i] = spans[i].tensor;
        out->tensors[i].data = data + spans[i].begin;
    }
    out->count = count;
    if (wrong->count == 0 && end != size)
        problem_add(wrong, "", "the tensors end at byte %lld of the values, but the file has %lld",
                    (long long)end, (long long)size);
}

bool safetensors_read(const void *file, size_t size, struct safetensors *out,
                      struct problem_fields *wrong) {
    struct span spans[SAFETENSORS_TENSORS] = {0};
    size_t header = 0;
    int count = 0;
    *out = (struct safetensors){.header = read_header(file, size, &header, wrong)};
    if (!out->header)
        return false;
    if (cJSON_GetArraySize(out->header) > SAFETENSORS_TENSORS) {
        problem_add(wrong, "", "the header has more than %d members", SAFETENSORS_TENSORS);
        return false;
    }
    const unsigned char *data = (const unsigned char *)file + LENGTH_BYTES + header;
    const int64_t bytes = (int64_t)(size - LENGTH_BYTES - header);
    for (const cJSON *member = out->header->child; member; member = member->next) {
        if (json_is_repeated(out->header, member))
            problem_add(wrong, problem_pointer(wrong, "", member->string),
                        "is given more than once");
        else if (strcmp(member->string, METADATA) == 0)
            read_metadata(member, out, wrong);
        else
            read_tensor(member, bytes, &spans[count++], wrong);
    }
    if (wrong->count == 0)
        place(spans, count, data, bytes, out, wrong);
    return wrong->count == 0;
}

void safetensors_clear(struct safetensors *file) {
    cJSON_Delete(file->header);
    *file = (struct safetensors){0};
}

const char *safetensors_text(const struct safetensors *file, const char *key) {
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(file->metadata, key);
    return text ? text->valuestring : NULL;
}

/* ------------------------------------------------------------------ writing */

static void write_tensor(const struct safetensor *tensor, size_t begin, struct json_writer *json) {
    json_member_open(json, tensor->name, '{');
    json_member(json, "dtype", "F32");
    json_member_open(json, "shape", '[');
    for (int i = 0; i < tensor->rank; i++)
        json_integer(json, tensor->shape[i]);
    json_close(json, ']');
    json_member_open(json, "data_offsets", '[');
    json_integer(json, (int64_t)begin);
    json_integer(json, (int64_t)(begin + tensor->count * sizeof(float)));
    json_close(json, ']');
    json_close(json, '}');
}

void safetensors_write_header(struct buffer *out, const struct safetensor *tensors, int count,
                              void (*metadata)(const void *owner, struct json_writer *json),
                              const void *owner) {
    const size_t start = out->length;
    struct json_writer json = {.out = out};
    size_t begin = 0;
    buffer_append(out, &(uint64_t){0}, LENGTH_BYTES);
    json_open(&json, '{');
    json_member_open(&json, METADATA, '{');
    metadata(owner, &json);
    json_close(&json, '}');
    for (int i = 0; i < count; i++) {
        write_tensor(&tensors[i], begin, &json);
        begin += tensors[i].count * sizeof(float);
    }
    json_close(&json, '}');
    while (!out->failed && (out->length - start) % ALIGN != 0)
        buffer_append(out, " ", 1);
    if (out->failed)
        return;
    const uint64_t length = out->length - start - LENGTH_BYTES;
    memcpy(out->data + start, &length, sizeof length);
}

void safetensors_write(struct buffer *out, const struct safetensor *tensors, int count,
                       void (*metadata)(const void *owner, struct json_writer *json),
                       const void *owner) {
    safetensors_write_header(out, tensors, count, metadata, owner);
    for (int i = 0; i < count; i++)
        buffer_append(out, tensors[i].data, tensors[i].count * sizeof(float));
}
