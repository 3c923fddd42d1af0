#include "api/table/association.h"

#include <stdlib.h>
#include <string.h>

#include "engine/denoise.h"
#include "server/threads/pool.h"

/* ------------------------------------------------------------------ levels */

/* The columns as codes: numbers in bins, which are allocated; ids and constants say nothing. */
struct coded {
    struct dn_codes codes[CELLS_MAX_COLUMNS];
    int column[CELLS_MAX_COLUMNS]; /* of the table */
    int32_t *bins[CELLS_MAX_COLUMNS];
    int count;
};

/* Codes of bins of a column of numbers or dates. False: no memory. */
static bool add_bins(const struct cells *cells, const struct column *column, int j,
                     struct coded *coded) {
    const struct cells_column *from = &cells->columns[j];
    double *of_text = malloc(from->distinct * sizeof *of_text);
    double *values = malloc(cells->n * sizeof *values);
    int32_t *bins = malloc(cells->n * sizeof *bins);
    struct dn_error error;
    int levels = 0;
    bool added = of_text && values && bins;
    if (added) {
        column_numbers(column, from, of_text);
        for (size_t i = 0; i < cells->n; i++)
            values[i] = of_text[from->codes[i]];
        added = dn_columns_bin(values, cells->n, bins, &levels, &error) == DN_OK;
    }
    free(of_text);
    free(values);
    coded->bins[coded->count] = bins;
    coded->column[coded->count] = j;
    coded->codes[coded->count++] = (struct dn_codes){bins, levels};
    return added;
}

static bool encode(const struct cells *cells, const struct column *columns, struct coded *coded) {
    bool encoded = true;
    *coded = (struct coded){.count = 0};
    for (int j = 0; j < cells->count && encoded; j++) {
        const struct column *column = &columns[j];
        if (!column_is_trained(column) || column->type == TYPE_CONSTANT)
            continue;
        if (column_is_number(column) || column->type == TYPE_DATETIME) {
            encoded = add_bins(cells, column, j, coded);
        } else {
            coded->column[coded->count] = j;
            coded->codes[coded->count++] =
                (struct dn_codes){cells->columns[j].codes, (int)cells->columns[j].distinct};
        }
        pool_pause();
    }
    return encoded;
}

/* The levels of coded column k, in the order of its codes. */
static bool reorder(const struct cells_column *from, const int32_t *order, struct arena *arena,
                    struct column *column) {
    const char **levels = arena_alloc(arena, ((size_t)column->level_count + 1) * sizeof *levels);
    struct column_histogram *histogram = &column->histogram;
    int64_t *counts = arena_alloc(arena, (size_t)column->level_count * sizeof *counts);
    int count = 0;
    if (!levels || !counts)
        return false;
    for (uint32_t place = 0; place < from->distinct; place++) {
        const uint32_t code = (uint32_t)order[place];
        const double level =
            column_forward(column, cells_text(from, code), cells_length(from, code));
        if (!(level >= 0)) /* it is missing */
            continue;
        counts[count] = histogram->counts[(int)level];
        levels[count++] = column->levels[(int)level];
    }
    column->levels = levels;
    histogram->counts = counts;
    return count == column->level_count;
}

/* Does it have levels that can be ordered? */
static bool has_order(const struct column *column) {
    return column->type == TYPE_CATEGORICAL && column->level_count >= 3;
}

static bool order_levels(const struct cells *cells, struct column *columns, struct arena *arena) {
    int ordered = 0;
    for (int j = 0; j < cells->count; j++)
        ordered += has_order(&columns[j]);
    if (ordered == 0)
        return true;
    struct coded *coded = malloc(sizeof *coded);
    struct dn_error error;
    int32_t order[DN_MAX_LEVELS];
    bool done = coded && encode(cells, columns, coded);
    for (int k = 0; done && k < coded->count; k++) {
        struct column *column = &columns[coded->column[k]];
        if (!has_order(column) || coded->codes[k].levels > DN_MAX_LEVELS)
            continue;
        done = dn_levels_order(coded->codes, coded->count, cells->n, k, order, &error) == DN_OK &&
               reorder(&cells->columns[coded->column[k]], order, arena, column);
        pool_pause();
    }
    for (int k = 0; coded && k < coded->count; k++)
        free(coded->bins[k]);
    free(coded);
    return done;
}

/* ------------------------------------------------------------------ columns that follow */

static void note_follower(struct column *column, const struct column *from, struct arena *arena) {
    column->follows = from->name;
    for (int i = 0; i < COLUMN_MAX_NOTES; i++)
        if (!column->notes[i]) {
            column->notes[i] = arena_format(
                arena, "It follows from \"%s\": each value there has always the same value here.",
                from->name);
            return;
        }
}

static bool find_followers(const struct cells *cells, struct column *columns, struct arena *arena) {
    struct dn_codes codes[CELLS_MAX_COLUMNS];
    int place[CELLS_MAX_COLUMNS], from[CELLS_MAX_COLUMNS], count = 0;
    struct dn_error error;
    for (int j = 0; j < cells->count; j++)
        if (column_is_trained(&columns[j]) && columns[j].type != TYPE_CONSTANT) {
            place[count] = j;
            codes[count++] =
                (struct dn_codes){cells->columns[j].codes, (int)cells->columns[j].distinct};
        }
    if (count == 0)
        return true;
    if (dn_columns_follow(codes, count, cells->n, from, &error) != DN_OK)
        return false;
    for (int k = 0; k < count; k++)
        if (from[k] >= 0)
            note_follower(&columns[place[k]], &columns[place[from[k]]], arena);
    return true;
}

bool association_find(const struct cells *cells, struct column *columns, struct arena *arena) {
    return order_levels(cells, columns, arena) && find_followers(cells, columns, arena) &&
           !arena->failed;
}
