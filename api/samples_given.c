#include "api/samples_given.h"

#include <math.h>
#include <string.h>

/* A value of a row, by the name of its column. */
struct given_cell {
    const char *name;
    double value;
    int row;
};

/* Where a row is in the request, for a pointer. */
static const char *place_of(const struct sampling *sampling, int row, struct arena *arena) {
    return sampling->has_rows ? arena_format(arena, "rows/%d", row) : "given";
}

/* ------------------------------------------------------------------ reading */

/* Members that are null are holes. */
static void read_cells(const cJSON *object, int row, struct sampling *sampling,
                       struct problem_fields *wrong) {
    const char *place = place_of(sampling, row, wrong->arena);
    if (!cJSON_IsObject(object)) {
        problem_add(wrong, arena_format(wrong->arena, "/%s", place),
                    "must be an object with a number or null for each column");
        return;
    }
    for (const cJSON *member = object->child; member; member = member->next) {
        if (!cJSON_IsNumber(member) && !cJSON_IsNull(member)) {
            problem_add(wrong, problem_pointer(wrong, place, member->string),
                        "must be a number, or null to be drawn");
            continue;
        }
        sampling->cells[sampling->cell_count++] =
            (struct given_cell){arena_copy(wrong->arena, member->string, strlen(member->string)),
                                cJSON_IsNull(member) ? NAN : member->valuedouble, row};
    }
}

/* Room for all members of these objects. */
static bool make_cells(const cJSON *first, struct sampling *sampling, struct arena *arena) {
    size_t count = 0;
    for (const cJSON *row = first; row; row = row->next)
        count += (size_t)cJSON_GetArraySize(row);
    sampling->cells = arena_alloc(arena, (count + 1) * sizeof *sampling->cells);
    return sampling->cells;
}

static int read_draws(const cJSON *body, struct problem_fields *wrong) {
    const cJSON *draws = cJSON_GetObjectItemCaseSensitive(body, "draws");
    const double value = draws ? cJSON_GetNumberValue(draws) : 1;
    if (value >= 1 && value <= DN_MAX_SAMPLES && value == floor(value))
        return (int)value;
    problem_add(wrong, "/draws", "must be a whole number from 1 to %d", DN_MAX_SAMPLES);
    return 1;
}

static void read_rows(const cJSON *body, const cJSON *rows, struct sampling *sampling,
                      struct problem_fields *wrong) {
    struct dn_sample_request *request = &sampling->request;
    const int count = cJSON_IsArray(rows) ? cJSON_GetArraySize(rows) : 0;
    const int draws = read_draws(body, wrong);
    if (count < 1 || count > DN_MAX_SAMPLES) {
        problem_add(wrong, "/rows", "must be an array of 1 to %d objects", DN_MAX_SAMPLES);
        return;
    }
    const int64_t n = (int64_t)count * draws;
    if (n > DN_MAX_SAMPLES)
        problem_add(wrong, "/draws", "makes %lld points of %d rows, more than %d", (long long)n,
                    count, DN_MAX_SAMPLES);
    else if ((cJSON_GetObjectItemCaseSensitive(body, "n") || request->noise) && request->n != n)
        problem_add(wrong, request->noise ? "/noise" : "/n",
                    "means %d points, but rows and draws mean %lld", request->n, (long long)n);
    else
        request->n = (int)n;
    request->draws = draws;
    sampling->has_rows = true;
    sampling->row_count = count;
    int row = 0;
    for (const cJSON *each = rows->child; each; each = each->next)
        read_cells(each, row++, sampling, wrong);
}

void samples_given_read(const cJSON *body, struct sampling *sampling,
                        struct problem_fields *wrong) {
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(body, "given");
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(body, "rows");
    if (given && rows)
        problem_add(wrong, "/rows",
                    "has the known values of each point; given has those of all "
                    "points; use only one of them");
    if (!rows && cJSON_GetObjectItemCaseSensitive(body, "draws"))
        problem_add(wrong, "/draws", "has no effect without rows");
    if (wrong->count > 0 || (!given && !rows) ||
        !make_cells(rows ? rows->child : given, sampling, wrong->arena))
        return;
    if (rows) {
        read_rows(body, rows, sampling, wrong);
        return;
    }
    sampling->row_count = 1;
    read_cells(given, 0, sampling, wrong);
}

/* ------------------------------------------------------------------ for a model */

static int find_column(const struct sampling *sampling, const struct given_cell *cell,
                       const char *const *columns, struct problem_fields *wrong) {
    for (int j = 0; columns[j]; j++)
        if (strcmp(columns[j], cell->name) == 0)
            return j;
    const char *meant = fields_nearest(columns, cell->name);
    const char *pointer =
        problem_pointer(wrong, place_of(sampling, cell->row, wrong->arena), cell->name);
    const char *list = fields_list(columns, wrong->arena);
    if (meant)
        problem_add(wrong, pointer, "is no column; did you mean \"%s\"? The columns are %s", meant,
                    list);
    else
        problem_add(wrong, pointer, "is no column; the columns are %s", list);
    return -1;
}

/* The model knows nothing about values far from its data: it takes those in the range of the
 * training data, widened by its own width on both sides. */
struct limits {
    double low[DN_MAX_DIM], high[DN_MAX_DIM]; /* of the training data, in data units */
};

static struct limits limits_of(const struct dn_model *model) {
    double shift[DN_MAX_DIM], scale[DN_MAX_DIM];
    float low[DN_MAX_DIM], high[DN_MAX_DIM];
    struct limits limits;
    dn_model_transform(model, shift, scale);
    dn_model_range(model, low, high);
    for (int j = 0; j < dn_model_dim(model); j++) {
        limits.low[j] = (double)low[j] / scale[j] + shift[j];
        limits.high[j] = (double)high[j] / scale[j] + shift[j];
    }
    return limits;
}

static void fit_cell(const struct sampling *sampling, const struct given_cell *cell, int column,
                     const struct limits *limits, double *at, struct problem_fields *wrong) {
    const double low = limits->low[column], high = limits->high[column], width = high - low;
    if (cell->value < low - width || cell->value > high + width)
        problem_add(
            wrong, problem_pointer(wrong, place_of(sampling, cell->row, wrong->arena), cell->name),
            "is %.9g, too far from the training data, which lies from %.9g to %.9g: must be %.9g "
            "to %.9g",
            cell->value, low, high, low - width, high + width);
    *at = cell->value;
}

void samples_given_fit(struct sampling *sampling, const struct dn_model *model,
                       const struct model *row, struct problem_fields *wrong) {
    const size_t dim = (size_t)dn_model_dim(model), count = (size_t)sampling->row_count * dim;
    if (sampling->row_count == 0)
        return;
    if (dn_model_spec(model)->training.conditioning != DN_GIVEN_ANY) {
        problem_add(wrong, sampling->has_rows ? "/rows" : "/given",
                    "needs a model trained with training.conditioning \"any\"; this model's is "
                    "\"none\"");
        return;
    }
    const char *const *columns = model_column_names(row, wrong->arena);
    double *given = arena_alloc(wrong->arena, count * sizeof *given);
    for (size_t e = 0; given && e < count; e++)
        given[e] = NAN;
    const struct limits limits = limits_of(model);
    for (size_t i = 0; columns && given && i < sampling->cell_count; i++) {
        const struct given_cell *cell = &sampling->cells[i];
        const int column = cell->name ? find_column(sampling, cell, columns, wrong) : -1;
        if (column >= 0)
            fit_cell(sampling, cell, column, &limits,
                     &given[(size_t)cell->row * dim + (size_t)column], wrong);
    }
    sampling->request.given = given;
}
