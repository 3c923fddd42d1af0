/*
 * datasets.h - what the handlers of data sets share: datasets.c (descriptions of both kinds),
 * uploads.c, draws.c.
 */
#ifndef API_DATASETS_H
#define API_DATASETS_H

#include "api/json.h"
#include "api/spec.h"
#include "engine/denoise.h"
#include "server/http.h"
#include "server/store.h"

/* Index of the built-in pattern with this name, or -1. */
int dataset_pattern(const char *name);

/* An uploaded data set as JSON. */
void dataset_write(const struct dataset *dataset, struct json_writer *json);

/* For spec_read; context is the exchange. */
enum store_status dataset_lookup(void *context, struct arena *arena, struct upload_request *upload);

/* An uploaded data set with its points. */
struct dataset_points {
    struct dataset row;
    const char *columns[DN_MAX_DIM], *classes[DN_MAX_CLASSES]; /* names; the trees own them */
    cJSON *column_tree, *class_tree;
};
/* Reads one, on any thread; *set is zero. False: the error is already the answer. */
bool dataset_load(struct http_exchange *exchange, const char *id, struct dataset_points *set);
void dataset_points_clear(struct dataset_points *set);

#endif
