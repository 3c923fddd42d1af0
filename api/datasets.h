/*
 * datasets.h - shared by the handlers of data sets (datasets.c, upload/) and of jobs.
 */
#ifndef API_DATASETS_H
#define API_DATASETS_H

#include "api/contract/json.h"
#include "api/spec/spec.h"
#include "api/table/column.h"
#include "engine/denoise.h"
#include "server/http/http.h"
#include "server/store/datasets.h"

/* An uploaded data set as JSON. */
void dataset_write(const struct dataset *dataset, struct json_writer *json);

/* A spec_lookup; context is the exchange. */
enum store_status dataset_lookup(void *context, struct arena *arena, struct upload_request *upload);

/* An uploaded data set with its points. */
struct dataset_points {
    struct dataset row;
    struct column *all; /* [column_count], every column of the table; of an arena */
    int column_count;
    const char **columns; /* names of the coordinates, up to a NULL; of the arena */
    const char *classes[DN_MAX_CLASSES + 1]; /* the tree owns them */
    cJSON *class_tree;
};
/* Reads an upload, on any thread; *set is zero. Of images, reads only the description unless
 * with_pixels. False: the error is already the response. */
bool dataset_load(struct http_exchange *exchange, const char *id, bool with_pixels,
                  struct dataset_points *set);
/* The description of the built-in digits, whose n is 0: they have no end. The caller clears it. False: no
 * memory. */
bool dataset_describe_digits(struct dataset *row);
void dataset_points_clear(struct dataset_points *set);
size_t dataset_bytes(const struct dataset *row); /* memory of the points or pixels, and labels */
/* Is it more than points on a line or in the plane? label: the name of the column with the labels, or
 * NULL. */
bool dataset_is_table(const struct column *columns, int count, const char *label);
/* NULL, or why the points are not numbers, which the client gets: names the columns. completes: columns
 * that follow from others are to be filled in, which takes exact values. */
const char *dataset_unusable(const struct column *columns, int count, bool completes,
                             struct arena *arena);
struct choice;
/* Sets the entity tag of a response made from an upload. It depends on the names of the upload, its
 * columns and its classes, because the response contains them. `what`: which kind of response. */
void dataset_tag(struct http_exchange *exchange, const struct choice *choice, const char *what,
                 const struct dataset *row);
/* Copies the points at these indices (NULL: all points in order), from index `first` on, into
 * points [count][dim]; of images, their values from 0 to 255. */
void dataset_take(const struct dataset_points *set, const int32_t *places, size_t first,
                  size_t count, float *points);
/* The same for the labels of the first n points; the caller frees them. NULL if there are none.
 * False: no memory. */
bool dataset_take_labels(const struct dataset_points *set, const int32_t *places, size_t n,
                         int32_t **labels);

#endif
