#include "api/measure/score_rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/table/cell.h"
#include "api/upload/label.h"

/* A cell of a row, by the name of its column or, without one, by its place. */
struct score_cell {
    const char *name;
    int row, place;
    struct cell_sent sent;
};

/* ------------------------------------------------------------------ reading */

bool score_rows_are_here(const cJSON *points) {
    for (const cJSON *row = cJSON_IsArray(points) ? points->child : NULL; row; row = row->next) {
        if (cJSON_IsObject(row))
            return true;
        for (const cJSON *cell = cJSON_IsArray(row) ? row->child : NULL; cell; cell = cell->next)
            if (cJSON_IsString(cell) || cJSON_IsBool(cell))
                return true;
    }
    return false;
}

void score_rows_read(const cJSON *points, struct score_rows *rows, struct problem_fields *wrong) {
    struct arena *arena = wrong->arena;
    const int n = cJSON_GetArraySize(points);
    size_t count = 0;
    if (n > DN_MAX_SAMPLES) {
        problem_add(wrong, "/points", "must be an array of 1 to %d points", DN_MAX_SAMPLES);
        return;
    }
    for (const cJSON *row = points->child; row; row = row->next)
        count += (size_t)cJSON_GetArraySize(row);
    rows->cells = arena_alloc(arena, (count + 1) * sizeof *rows->cells);
    if (!rows->cells)
        return;
    rows->n = n;
    int i = 0;
    for (const cJSON *row = points->child; row; row = row->next, i++) {
        int place = 0;
        if (!cJSON_IsObject(row) && !cJSON_IsArray(row))
            problem_add(wrong, arena_format(arena, "/points/%d", i),
                        "must be an array or an object of cells");
        for (const cJSON *cell = row->child; cell; cell = cell->next, place++)
            rows->cells[rows->count++] = (struct score_cell){
                cell->string ? arena_copy(arena, cell->string, strlen(cell->string)) : NULL, i,
                place, cell_sent(cell, arena)};
    }
}

bool score_rows_take(struct http_exchange *exchange, const struct sent_rows *sent,
                     struct score_rows *rows) {
    const size_t width = (size_t)sent->count, count = (size_t)sent->n * width;
    struct score_cell *cells = http_reserve(exchange, count * sizeof *cells)
                                   ? http_alloc(exchange, count * sizeof *cells)
                                   : NULL;
    for (size_t e = 0; cells && e < count; e++)
        cells[e] = (struct score_cell){sent->names[e % width], (int)(e / width), (int)(e % width),
                                       sent->cells[e]};
    *rows = (struct score_rows){cells, cells ? count : 0, sent->n, sent->lines};
    return cells != NULL;
}

const struct table_form *score_rows_form(const char *const *names, int dim, struct arena *arena) {
    struct table_form *form = arena_alloc(arena, sizeof *form);
    struct column *columns = arena_alloc(arena, (size_t)dim * sizeof *columns);
    int *sources = arena_alloc(arena, (size_t)dim * sizeof *sources);
    if (!form || !columns || !sources)
        return NULL;
    for (int j = 0; j < dim; j++) {
        columns[j] = (struct column){
            .type = TYPE_NUMERIC, .coordinate = j, .format = "0.#", .missing_text = ""};
        snprintf(columns[j].name, sizeof columns[j].name, "%s", names[j]);
        sources[j] = -1;
    }
    *form = (struct table_form){columns, dim, -1, sources, 0};
    return form;
}

/* ------------------------------------------------------------------ for a model */

struct fitting {
    const struct table_form *form;
    const char *const *names; /* of the columns, up to a NULL */
    int dim;
    double *points;      /* [n][dim] */
    const size_t *lines; /* as in struct score_rows */
    const char *label;
    bool is_mixed; /* another label was refused; one error is enough */
    struct problem_fields *wrong;
};

static const char *pointer_of(const struct fitting *fitting, const struct score_cell *cell) {
    struct arena *arena = fitting->wrong->arena;
    if (!cell->name)
        return arena_format(arena, "/points/%d/%d", cell->row, cell->place);
    return problem_pointer(fitting->wrong, arena_format(arena, "points/%d", cell->row), cell->name);
}

static void refuse(const struct fitting *fitting, const struct score_cell *cell, const char *what) {
    sent_rows_refuse(fitting->wrong, pointer_of(fitting, cell), fitting->lines, cell->row, what);
}

/* -1: `wrong` says why. */
static int column_of(const struct fitting *fitting, const struct score_cell *cell) {
    const struct table_form *form = fitting->form;
    int place = cell->place;
    for (int j = 0; j < form->count; j++)
        if (cell->name ? strcmp(fitting->names[j], cell->name) == 0
                       : j != form->label && place-- == 0)
            return j;
    if (fitting->lines && cell->row > 0) /* all rows of a file have the same columns */
        return -1;
    const char *list = fields_list(fitting->names, fitting->wrong->arena);
    problem_add(fitting->wrong, pointer_of(fitting, cell), "is no column; the columns are %s",
                list);
    return -1;
}

static void fit_label(struct fitting *fitting, const struct score_cell *cell) {
    const struct cell_sent *sent = &cell->sent;
    const char *text = sent->kind == CELL_SENT_NUMBER
                           ? arena_format(fitting->wrong->arena, "%.17g", sent->number)
                           : sent->text;
    const struct column *column = &fitting->form->columns[fitting->form->label];
    if (text && !text[0] && column->missing > 0)
        text = label_missing_name(column->missing_text);
    if (!text || !text[0])
        refuse(fitting, cell, "must be the name of a class");
    else if (!fitting->label)
        fitting->label = text;
    else if (strcmp(fitting->label, text) != 0 && !fitting->is_mixed) {
        fitting->is_mixed = true;
        refuse(fitting, cell,
               "is another class than that of the rows before: score the rows of each class on "
               "their own, or leave this column out");
    }
}

static void fit_cell(struct fitting *fitting, const struct score_cell *cell, int j) {
    const struct column *column = &fitting->form->columns[j];
    struct cell_value value;
    const char *wrong = cell_read(column, &cell->sent, &value, fitting->wrong->arena);
    if (wrong)
        refuse(fitting, cell, wrong);
    else if (column->coordinate >= 0)
        fitting->points[cell->row * fitting->dim + column->coordinate] = value.value;
}

static const char *const *names_of(const struct table_form *form, struct arena *arena) {
    const char **names = arena_alloc(arena, ((size_t)form->count + 1) * sizeof *names);
    for (int j = 0; names && j < form->count; j++)
        names[j] = form->columns[j].name;
    return names;
}

bool score_rows_fit(struct http_exchange *exchange, const struct score_rows *rows,
                    const struct table_form *form, int dim, struct sampling_points *out,
                    const char **label, struct problem_fields *wrong) {
    const size_t count = (size_t)rows->n * (size_t)dim;
    if (!http_reserve(exchange, count * sizeof *out->points))
        return false;
    struct fitting fitting = {.form = form,
                              .names = names_of(form, wrong->arena),
                              .dim = dim,
                              .points = arena_alloc(wrong->arena, count * sizeof *fitting.points),
                              .lines = rows->lines,
                              .wrong = wrong};
    if (!fitting.names || !fitting.points)
        return false;
    for (size_t e = 0; e < count; e++)
        fitting.points[e] = NAN;
    for (size_t i = 0; i < rows->count && !problem_enough(wrong); i++) {
        const struct score_cell *cell = &rows->cells[i];
        const int j = column_of(&fitting, cell);
        if (j < 0 || cell->sent.kind == CELL_SENT_NULL)
            continue;
        const bool is_file = rows->lines != NULL; /* in which nothing but a text can be missing */
        if (is_file && cell_stands_for_missing(&form->columns[j], &cell->sent))
            continue;
        if (j == form->label)
            fit_label(&fitting, cell);
        else
            fit_cell(&fitting, cell, j);
    }
    *out = (struct sampling_points){fitting.points, rows->n, dim};
    *label = fitting.label;
    return true;
}
