#include "api/weights/quantiles.h"

#include <stdio.h>
#include <string.h>

void quantiles_write(const struct dn_model *model, struct json_writer *json) {
    struct dn_quantile map;
    json_open(json, '[');
    for (int j = 0; j < dn_model_dim(model) && dn_model_quantile(model, j, &map); j++) {
        json_open(json, '{');
        json_key(json, "missing");
        json_double(json, map.missing);
        json_key(json, "interpolates");
        json_bool(json, map.interpolates);
        json_key(json, "values");
        json_numbers(json, map.values, map.count);
        json_key(json, "shares");
        json_numbers(json, map.shares, map.count);
        json_close(json, '}');
    }
    json_close(json, ']');
}

/* Reads a list of numbers into memory of the arena; NULL: it is not one, or has another length than
 * *count, if that is not negative. dn_model_build checks their order. */
static const double *read_list(struct arena *arena, const cJSON *object, const char *key,
                               int *count) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(object, key);
    const int size = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : -1;
    if (size < 0 || size > DN_MAX_QUANTILE_COUNT || (*count >= 0 && size != *count))
        return NULL;
    double *numbers = arena_alloc(arena, ((size_t)size + 1) * sizeof *numbers);
    double *at = numbers;
    *count = size;
    for (const cJSON *value = list->child; value && at; value = value->next) {
        if (!cJSON_IsNumber(value))
            return NULL;
        *at++ = value->valuedouble;
    }
    return numbers;
}

static bool read_quantile(struct arena *arena, const cJSON *object, struct dn_quantile *out) {
    const cJSON *missing = cJSON_GetObjectItemCaseSensitive(object, "missing");
    const cJSON *interpolates = cJSON_GetObjectItemCaseSensitive(object, "interpolates");
    int count = -1;
    const double *values = read_list(arena, object, "values", &count);
    const double *shares = values ? read_list(arena, object, "shares", &count) : NULL;
    if (!shares || !cJSON_IsNumber(missing) || !cJSON_IsBool(interpolates))
        return false;
    *out = (struct dn_quantile){missing->valuedouble, cJSON_IsTrue(interpolates), count, values,
                                shares};
    return true;
}

bool quantiles_read(const char *text, int dim, struct dn_quantile *out, struct arena *arena,
                    char *error, size_t error_size) {
    enum { MOST_VALUES = DN_MAX_DIM * (2 * DN_MAX_QUANTILE_COUNT + 8) };
    snprintf(error, error_size, "must be a list with a map for each of %d columns", dim);
    cJSON *json = json_read(text, strlen(text), MOST_VALUES, arena, error, error_size);
    bool right = cJSON_IsArray(json) && cJSON_GetArraySize(json) == dim;
    int j = 0;
    for (const cJSON *map = right ? json->child : NULL; map && right; map = map->next, j++)
        if (!(right = read_quantile(arena, map, &out[j])))
            snprintf(error, error_size,
                     "column %d needs missing, interpolates, and values and shares, which are two "
                     "lists of up to %d numbers and have the same length",
                     j, DN_MAX_QUANTILE_COUNT);
    cJSON_Delete(json);
    return right;
}
