#include "api/table/column_map.h"

#include <math.h>
#include <stdlib.h>

static int by_from(const void *a, const void *b) {
    const struct column_pair *x = a, *y = b;
    if (isnan(x->from) || isnan(y->from)) /* first */
        return !isnan(x->from) - !isnan(y->from);
    return (x->from > y->from) - (x->from < y->from);
}

static bool is_same(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

bool column_map_make(struct column_pair *pairs, size_t count, struct arena *arena,
                     struct column_map *map) {
    double *from = arena_alloc(arena, (count + 1) * sizeof *from);
    double *to = arena_alloc(arena, (count + 1) * sizeof *to);
    if (!from || !to)
        return false;
    qsort(pairs, count, sizeof *pairs, by_from);
    for (size_t i = 0; i < count; i++) {
        from[i] = pairs[i].from;
        to[i] = pairs[i].to;
    }
    *map = (struct column_map){(int)count, from, to};
    return true;
}

double column_map_value(const struct column_map *map, double from) {
    const bool has_missing = map->count > 0 && isnan(map->from[0]);
    int low = has_missing, high = map->count; /* the entry is the last one not above `from` */
    if (isnan(from) || low == high)
        return has_missing ? map->to[0] : NAN;
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (map->from[middle] <= from)
            low = middle;
        else
            high = middle;
    }
    return map->to[low];
}

bool column_map_source(const struct column_map *map, double to, double *from) {
    int found = 0;
    for (int i = 0; i < map->count; i++)
        if (is_same(map->to[i], to)) {
            *from = map->from[i];
            found++;
        }
    return found == 1;
}

void column_map_write(const struct column_map *map, struct json_writer *json) {
    if (map->count == 0) {
        json_null(json);
        return;
    }
    json_open(json, '[');
    for (int i = 0; i < map->count; i++)
        json_numbers(json, (double[]){map->from[i], map->to[i]}, 2);
    json_close(json, ']');
}

/* A number, or null. */
static bool read_value(const cJSON *json, double *value) {
    *value = cJSON_IsNumber(json) ? json->valuedouble : NAN;
    return cJSON_IsNumber(json) || cJSON_IsNull(json);
}

bool column_map_read(const cJSON *json, struct arena *arena, struct column_map *map) {
    const int count = cJSON_GetArraySize(json);
    *map = (struct column_map){.count = 0};
    if (!json || cJSON_IsNull(json))
        return true;
    if (!cJSON_IsArray(json) || count < 1 || count > COLUMN_MAP_MOST)
        return false;
    double *from = arena_alloc(arena, (size_t)count * sizeof *from);
    double *to = arena_alloc(arena, (size_t)count * sizeof *to);
    int i = 0;
    if (!from || !to)
        return false;
    for (const cJSON *pair = json->child; pair; pair = pair->next, i++) {
        if (!cJSON_IsArray(pair) || cJSON_GetArraySize(pair) != 2 ||
            !read_value(pair->child, &from[i]) || !read_value(pair->child->next, &to[i]))
            return false;
        if (i > 0 && !(isnan(from[i - 1]) ? !isnan(from[i]) : from[i] > from[i - 1]))
            return false;
    }
    *map = (struct column_map){count, from, to};
    return true;
}
