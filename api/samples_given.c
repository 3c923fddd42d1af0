#include "api/samples_given.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/table/cell.h"
#include "api/upload/label.h"

/* A cell of a row, by the name of its column. */
struct given_cell {
    const char *name;
    struct cell_sent sent;
    int row;
};

/* Where a row is in the request, for a pointer. */
static const char *place_of(const struct sampling *sampling, int row, struct arena *arena) {
    return sampling->has_rows ? arena_format(arena, "rows/%d", row) : "given";
}

/* ------------------------------------------------------------------ reading */

/* Rows mostly have the same names in the same order, of which one copy is enough. */
static const char *name_of(const cJSON *member, size_t place, const struct sampling *sampling,
                           struct arena *arena) {
    const char *name = place < sampling->cell_count ? sampling->cells[place].name : NULL;
    return name && strcmp(name, member->string) == 0
               ? name
               : arena_copy(arena, member->string, strlen(member->string));
}

static void read_cells(const cJSON *object, int row, struct sampling *sampling,
                       struct problem_fields *wrong) {
    if (!cJSON_IsObject(object)) {
        problem_add(wrong, arena_format(wrong->arena, "/%s", place_of(sampling, row, wrong->arena)),
                    "must be an object with a value or null for each column");
        return;
    }
    size_t place = 0;
    for (const cJSON *member = object->child; member; member = member->next, place++) {
        const char *name = name_of(member, place, sampling, wrong->arena);
        sampling->cells[sampling->cell_count++] =
            (struct given_cell){name, cell_sent(member, wrong->arena), row};
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

/* Of the body, or else of the query. */
static int read_draws(const cJSON *body, int usual, struct problem_fields *wrong) {
    const cJSON *draws = cJSON_GetObjectItemCaseSensitive(body, "draws");
    const double value = draws ? cJSON_GetNumberValue(draws) : usual > 0 ? usual : 1;
    if (value >= 1 && value <= DN_MAX_SAMPLES && value == floor(value))
        return (int)value;
    problem_add(wrong, "/draws", "must be a whole number from 1 to %d", DN_MAX_SAMPLES);
    return 1;
}

/* Sets the number of points, which the client may have said, too. */
static void count_points(int rows, int draws, struct sampling *sampling,
                         struct problem_fields *wrong) {
    struct dn_sample_request *request = &sampling->request;
    const int64_t n = (int64_t)rows * draws;
    if (n > DN_MAX_SAMPLES)
        problem_add(wrong, "/draws", "makes %lld points of %d rows, more than %d", (long long)n,
                    rows, DN_MAX_SAMPLES);
    else if (request->n > 0 && request->n != n)
        problem_add(wrong, request->noise ? "/noise" : "/n",
                    "means %d points, but rows and draws mean %lld", request->n, (long long)n);
    else
        request->n = (int)n;
    request->draws = draws;
    sampling->has_rows = true;
    sampling->row_count = rows;
}

static void read_rows(const cJSON *body, const cJSON *rows, struct sampling *sampling,
                      struct problem_fields *wrong) {
    const int count = cJSON_IsArray(rows) ? cJSON_GetArraySize(rows) : 0;
    const int draws = read_draws(body, sampling->request.draws, wrong);
    if (count < 1 || count > DN_MAX_SAMPLES) {
        problem_add(wrong, "/rows", "must be an array of 1 to %d objects", DN_MAX_SAMPLES);
        return;
    }
    count_points(count, draws, sampling, wrong);
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
    if (!rows && (cJSON_GetObjectItemCaseSensitive(body, "draws") || sampling->request.draws > 0))
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

bool samples_given_take(struct http_exchange *exchange, const struct sent_rows *rows,
                        struct sampling *sampling, struct problem_fields *wrong) {
    const size_t count = (size_t)rows->n * (size_t)rows->count;
    const int draws = sampling->request.draws > 0 ? sampling->request.draws : 1;
    if (!http_reserve(exchange, count * sizeof *sampling->cells))
        return false;
    sampling->cells = arena_alloc(wrong->arena, count * sizeof *sampling->cells);
    if (!sampling->cells)
        return false;
    count_points(rows->n, draws, sampling, wrong);
    sampling->lines = rows->lines;
    sampling->cell_count = count;
    for (size_t e = 0; e < count; e++)
        sampling->cells[e] = (struct given_cell){rows->names[e % (size_t)rows->count],
                                                 rows->cells[e], (int)(e / (size_t)rows->count)};
    return true;
}

/* ------------------------------------------------------------------ for a model */

/* What is known of the points, while it is found. */
struct known {
    struct sampling *sampling;
    const struct dn_model *model;
    const struct column *columns; /* [count] */
    int count, label;             /* the column of the classes; -1: none */
    const char *const *names;     /* of the columns, up to a NULL */
    double *given;                /* [row_count][dim] */
    int32_t *labels;              /* [row_count] */
    const char **texts;           /* [row_count][count] */
    struct problem_fields *wrong;
};

static const char *pointer_of(const struct known *known, const struct given_cell *cell) {
    struct arena *arena = known->wrong->arena;
    return problem_pointer(known->wrong, place_of(known->sampling, cell->row, arena), cell->name);
}

static int column_of(const struct known *known, const struct given_cell *cell) {
    for (int j = 0; known->names[j]; j++)
        if (strcmp(known->names[j], cell->name) == 0)
            return j;
    return -1;
}

static void refuse(const struct known *known, const struct given_cell *cell, const char *what) {
    sent_rows_refuse(known->wrong, pointer_of(known, cell), known->sampling->lines, cell->row,
                     what);
}

/* All rows of a file have the same columns, so one error is enough. */
static void unknown_column(const struct known *known, const struct given_cell *cell) {
    if (known->sampling->lines && cell->row > 0)
        return;
    const char *meant = fields_nearest(known->names, cell->name);
    const char *list = fields_list(known->names, known->wrong->arena);
    if (meant)
        problem_add(known->wrong, pointer_of(known, cell),
                    "is no column; did you mean \"%s\"? The columns are %s", meant, list);
    else
        problem_add(known->wrong, pointer_of(known, cell), "is no column; the columns are %s",
                    list);
}

/* The column of the labels is the class. */
static void take_label(struct known *known, const struct given_cell *cell) {
    const char *const *classes = known->sampling->classes;
    struct column column = {.type = TYPE_CATEGORICAL, .missing_text = "", .levels = classes};
    struct cell_value value;
    while (classes[column.level_count])
        column.level_count++;
    const char *wrong = cell_read(&column, &cell->sent, &value, known->wrong->arena);
    const int missing = form_missing_class(known->sampling->form, classes);
    if (!wrong && isnan(value.value) && missing < 0)
        wrong = "must not be missing: no label of the training data is; null is drawn";
    if (wrong)
        refuse(known, cell, wrong);
    else
        known->labels[cell->row] = isnan(value.value) ? missing : (int32_t)value.value;
}

static void take_value(struct known *known, const struct given_cell *cell, int j) {
    const struct column *column = &known->columns[j];
    struct arena *arena = known->wrong->arena;
    struct cell_value value;
    const char *wrong = cell_read(column, &cell->sent, &value, arena);
    if (!wrong)
        wrong = cell_too_far(column, value.value, arena);
    if (!wrong && column->coordinate >= 0 && isnan(value.value) && column->missing == 0)
        wrong = "must not be missing: no cell of the training data is; null is drawn";
    if (wrong) {
        refuse(known, cell, wrong);
        return;
    }
    const size_t dim = (size_t)dn_model_dim(known->model), row = (size_t)cell->row;
    known->texts[row * (size_t)known->count + (size_t)j] = value.text;
    if (column->coordinate >= 0)
        known->given[row * dim + (size_t)column->coordinate] =
            isnan(value.value) ? -INFINITY : value.value;
}

/* What is known of the column from which another one follows: its value, NAN if it is missing.
 * False: it is to be drawn. */
static bool source_value(const struct known *known, int row, int source, double *value) {
    const int at = known->columns[source].coordinate, dim = dn_model_dim(known->model);
    if (source == known->label) {
        *value = known->labels[row];
        return known->labels[row] >= 0;
    }
    const double given = known->given[(size_t)row * (size_t)dim + (size_t)at];
    *value = isinf(given) ? NAN : given;
    return !isnan(given);
}

static void set_source(struct known *known, int row, int source, double value) {
    const int at = known->columns[source].coordinate, dim = dn_model_dim(known->model);
    if (source == known->label)
        known->labels[row] = (int32_t)value;
    else
        known->given[(size_t)row * (size_t)dim + (size_t)at] = isnan(value) ? -INFINITY : value;
}

static bool is_same(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

/* Makes the column known from which this one follows. NULL, or why that is not possible. */
static const char *take_source(struct known *known, int row, int j, double value) {
    const int source = known->sampling->form->sources[j];
    const struct column_map *map = &known->columns[j].map;
    const char *name = known->columns[source].name;
    double have, from = NAN;
    int fitting = 0;
    if (source_value(known, row, source, &have))
        return is_same(column_map_value(map, have), value)
                   ? NULL
                   : arena_format(known->wrong->arena,
                                  "does not go with the value of \"%s\", from which it follows; "
                                  "leave it out",
                                  name);
    for (int i = 0; i < map->count; i++)
        if (is_same(map->to[i], value)) {
            from = map->from[i];
            fitting++;
        }
    if (fitting != 1)
        return arena_format(known->wrong->arena,
                            "follows from \"%s\", of which %d values have it: give \"%s\"", name,
                            fitting, name);
    set_source(known, row, source, from);
    return NULL;
}

/* A column that follows from another one, which is known by now if it was given. */
static void take_follower(struct known *known, const struct given_cell *cell, int j) {
    struct cell_value value;
    const char *wrong = cell_read(&known->columns[j], &cell->sent, &value, known->wrong->arena);
    if (!wrong)
        wrong = take_source(known, cell->row, j, value.value);
    if (wrong)
        refuse(known, cell, wrong);
    else
        known->texts[(size_t)cell->row * (size_t)known->count + (size_t)j] = value.text;
}

/* Is the cell to be drawn? In a file, that is what any missing one means. */
static bool is_hole(const struct known *known, const struct given_cell *cell, int j) {
    return cell->sent.kind == CELL_SENT_NULL ||
           (known->sampling->lines && cell_stands_for_missing(&known->columns[j], &cell->sent));
}

static void take_cells(struct known *known, bool are_followers) {
    const struct sampling *sampling = known->sampling;
    for (size_t i = 0; i < sampling->cell_count && !problem_enough(known->wrong); i++) {
        const struct given_cell *cell = &sampling->cells[i];
        const int j = cell->name ? column_of(known, cell) : -1; /* without memory: no name */
        const bool follows =
            j >= 0 && known->sampling->form && known->sampling->form->sources[j] >= 0;
        if (j < 0 && cell->name && !are_followers)
            unknown_column(known, cell);
        if (j < 0 || follows != are_followers || is_hole(known, cell, j))
            continue;
        if (follows)
            take_follower(known, cell, j);
        else if (j == known->label)
            take_label(known, cell);
        else
            take_value(known, cell, j);
    }
}

/* The coordinates of a model that is not of a table, as columns of numbers within the range of the
 * training data. */
static struct column *columns_of(const struct dn_model *model, const char *const *names,
                                 struct arena *arena) {
    const int dim = dn_model_dim(model);
    double *shift = arena_alloc(arena, 2 * (size_t)dim * sizeof *shift), *scale = shift + dim;
    float *low = arena_alloc(arena, 2 * (size_t)dim * sizeof *low), *high = low + dim;
    struct column *columns = arena_alloc(arena, (size_t)dim * sizeof *columns);
    if (!shift || !low || !columns)
        return NULL;
    dn_model_transform(model, shift, scale);
    dn_model_range(model, low, high);
    for (int j = 0; j < dim; j++) {
        columns[j] = (struct column){
            .type = TYPE_NUMERIC, .coordinate = j, .format = "0.#", .missing_text = ""};
        snprintf(columns[j].name, sizeof columns[j].name, "%s", names[j]);
        columns[j].min = (double)low[j] / scale[j] + shift[j];
        columns[j].max = (double)high[j] / scale[j] + shift[j];
    }
    return columns;
}

static const char *const *names_of(const struct column *columns, int count, struct arena *arena) {
    const char **names = arena_alloc(arena, ((size_t)count + 1) * sizeof *names);
    for (int j = 0; names && j < count; j++)
        names[j] = columns[j].name;
    return names;
}

/* False: no memory. */
static bool find_columns(struct known *known, const struct model *row) {
    const struct table_form *form = known->sampling->form;
    struct arena *arena = known->wrong->arena;
    if (form) {
        known->columns = form->columns;
        known->count = form->count;
        known->label = form->label;
        known->names = names_of(form->columns, form->count, arena);
    } else {
        known->count = dn_model_dim(known->model);
        known->label = -1;
        known->names = model_column_names(row, arena);
        known->columns = known->names ? columns_of(known->model, known->names, arena) : NULL;
    }
    return known->names && known->columns;
}

/* What make_room takes. */
static size_t bytes_of(const struct known *known) {
    const size_t dim = (size_t)dn_model_dim(known->model), count = (size_t)known->count;
    return (size_t)known->sampling->row_count *
           (dim * sizeof *known->given + sizeof *known->labels + count * sizeof *known->texts);
}

/* False: no memory. */
static bool make_room(struct known *known) {
    const size_t rows = (size_t)known->sampling->row_count,
                 dim = (size_t)dn_model_dim(known->model);
    struct arena *arena = known->wrong->arena;
    known->given = arena_alloc(arena, rows * dim * sizeof *known->given);
    known->labels = arena_alloc(arena, rows * sizeof *known->labels);
    known->texts = arena_alloc(arena, rows * (size_t)known->count * sizeof *known->texts);
    if (!known->given || !known->labels || !known->texts)
        return false;
    for (size_t e = 0; e < rows * dim; e++)
        known->given[e] = NAN;
    for (size_t i = 0; i < rows; i++)
        known->labels[i] = -1;
    return true;
}

/* A label that is given to all points is the class of the request. */
static void use_labels(const struct known *known) {
    struct dn_sample_request *request = &known->sampling->request;
    bool is_labeled = false;
    for (int i = 0; i < known->sampling->row_count; i++)
        is_labeled |= known->labels[i] >= 0;
    if (!is_labeled)
        return;
    const char *place = known->sampling->has_rows ? "/rows" : "/given";
    if (known->sampling->label[0] || request->label >= 0 || known->sampling->balance)
        problem_add(known->wrong, place, "has classes, so leave out label, class and balance");
    else if (request->guidance == 0)
        problem_add(known->wrong, place,
                    "has classes, which have no effect with guidance = 0; leave out one of them");
    else
        request->given_labels = known->labels;
}

static bool has_given(const struct known *known) {
    const size_t count = (size_t)known->sampling->row_count * (size_t)dn_model_dim(known->model);
    for (size_t e = 0; e < count; e++)
        if (!isnan(known->given[e]))
            return true;
    return false;
}

bool samples_given_fit(struct http_exchange *exchange, struct sampling *sampling,
                       const struct dn_model *model, const struct model *row,
                       struct problem_fields *wrong) {
    struct known known = {.sampling = sampling, .model = model, .wrong = wrong};
    if (sampling->row_count == 0)
        return true;
    if (!find_columns(&known, row) || !http_reserve(exchange, bytes_of(&known)) ||
        !make_room(&known))
        return false;
    const int before = wrong->count;
    take_cells(&known, false);
    take_cells(&known, true);
    use_labels(&known);
    if (sampling->form)
        sampling->known = known.texts;
    if (dn_model_spec(model)->training.conditioning == DN_GIVEN_ANY)
        sampling->request.given = known.given;
    else if (sampling->has_rows || has_given(&known) || wrong->count > before)
        problem_add(wrong, sampling->has_rows ? "/rows" : "/given",
                    "needs a model trained with training.conditioning \"any\"; this model's is "
                    "\"none\"");
    return true;
}
