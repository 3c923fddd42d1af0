/*
 * column_map.h - the values of a column that follows from another one: for each value of that
 * column, the only value that comes with it.
 *
 * A value of the other column between two of them counts as the lower one. Values are numbers as column_forward
 * has them, missing ones NAN; those of the labels are the places of their classes.
 *
 * As JSON, it is an array of [from, to], with null for a missing value.
 */
#ifndef API_TABLE_COLUMN_MAP_H
#define API_TABLE_COLUMN_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "api/contract/json.h"
#include "server/base/arena.h"

/* Entries of a map, as many as an interpolated column of a model has values. */
enum { COLUMN_MAP_MOST = 1024 };

struct column_map {
    int count;          /* 0: the column does not follow */
    const double *from; /* [count] increasing; only the first may be NAN */
    const double *to;   /* [count] */
};

struct column_pair {
    double from, to;
};

/* Makes a map from pairs [count], of which the values `from` differ, at most one of them NAN; sorts
 * them. Its arrays are in the arena. False: no memory. */
bool column_map_make(struct column_pair *pairs, size_t count, struct arena *arena,
                     struct column_map *map);

/* The value that comes with a value of the other column; below the first entry, that of the first. */
double column_map_value(const struct column_map *map, double from);
/* Finds the only value of the other column with which this one comes. False: there is none, or there
 * are several. */
bool column_map_source(const struct column_map *map, double to, double *from);

void column_map_write(const struct column_map *map, struct json_writer *json);
/* Reads it, into the arena; null is a map without entries. False: it is none, or arena->failed. */
bool column_map_read(const cJSON *json, struct arena *arena, struct column_map *map);

#endif
