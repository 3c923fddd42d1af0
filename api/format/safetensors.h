/*
 * safetensors.h - named arrays of float32 in one file: the length of a header in eight bytes
 * (little-endian), the header in JSON, the values.
 *
 *     {"__metadata__": {"key": "text", ..},
 *      "name": {"dtype": "F32", "shape": [10, 2], "data_offsets": [0, 80]}, ..}
 *
 * The reader trusts nothing: sizes are bounded before anything is allocated, and a file is refused
 * unless its tensors cover the bytes after the header exactly once.
 */
#ifndef API_FORMAT_SAFETENSORS_H
#define API_FORMAT_SAFETENSORS_H

#include "api/contract/json.h"
#include "api/contract/problem.h"

enum {
    SAFETENSORS_TENSORS = 256,     /* maximum of a file */
    SAFETENSORS_RANK = 4,          /* of a tensor that is read, */
    SAFETENSORS_MOST_RANK = 5,     /* and of one that is written: frames of images */
    SAFETENSORS_DIM = 1 << 20,     /* of a dimension */
    SAFETENSORS_HEADER = 16 << 20, /* bytes of the header: the maps of a table are in it */
};

struct safetensor {
    const char *name;
    int rank;
    int64_t shape[SAFETENSORS_MOST_RANK];
    size_t count;     /* values: the product of the shape */
    const void *data; /* float32, little-endian, perhaps not aligned */
};

struct safetensors {
    struct safetensor tensors[SAFETENSORS_TENSORS]; /* in the order of the values */
    int count;
    const cJSON *metadata; /* an object of strings, or NULL */
    cJSON *header;         /* owns the names and the metadata */
};

/* Reads a file, which must outlive the result. False, and what is wrong, with pointers into the
 * header; safetensors_clear is needed either way. */
bool safetensors_read(const void *file, size_t size, struct safetensors *out,
                      struct problem_fields *wrong);
void safetensors_clear(struct safetensors *file);

/* A text of the metadata, or NULL. */
const char *safetensors_text(const struct safetensors *file, const char *key);

/* Writes a file with tensors [count], in this order. metadata writes the members of the object:
 * keys and strings. */
void safetensors_write(struct buffer *out, const struct safetensor *tensors, int count,
                       void (*metadata)(const void *owner, struct json_writer *json),
                       const void *owner);
/* The same up to the values, which the caller appends: of the tensors it uses only name, rank,
 * shape and count. */
void safetensors_write_header(struct buffer *out, const struct safetensor *tensors, int count,
                              void (*metadata)(const void *owner, struct json_writer *json),
                              const void *owner);

#endif
