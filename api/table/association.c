#include "api/table/association.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/denoise.h"
#include "server/threads/pool.h"

static bool says_something(const struct column *column) {
    return column_is_trained(column) && column->type != TYPE_CONSTANT;
}

/* The numbers of the distinct texts [distinct] of a column; the caller frees them. NULL: no memory. */
static double *values_of(const struct cells_column *from, const struct column *column) {
    double *values = malloc(((size_t)from->distinct + 1) * sizeof *values);
    if (values)
        column_numbers(column, from, values);
    return values;
}

/* ------------------------------------------------------------------ levels */

/* The columns as codes: numbers in bins, which are allocated; ids and constants say nothing. */
struct coded {
    struct dn_codes codes[CELLS_MAX_COLUMNS + 1];
    int column[CELLS_MAX_COLUMNS]; /* of the table */
    int32_t *bins[CELLS_MAX_COLUMNS];
    int count;
};

/* Codes of bins of a column of numbers or dates. False: no memory. */
static bool add_bins(const struct cells *cells, const struct column *column, int j,
                     struct coded *coded) {
    const struct cells_column *from = &cells->columns[j];
    double *of_text = values_of(from, column);
    double *values = malloc(cells->n * sizeof *values);
    int32_t *bins = malloc(cells->n * sizeof *bins);
    struct dn_error error;
    int levels = 0;
    bool added = of_text && values && bins;
    if (added) {
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

/* Adds the columns that follow, or those that do not. False: no memory. */
static bool encode(const struct cells *cells, const struct column *columns, bool follow,
                   struct coded *coded) {
    bool encoded = true;
    for (int j = 0; j < cells->count && encoded; j++) {
        const struct column *column = &columns[j];
        if (!says_something(column) || (column->follows != NULL) != follow)
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

/* Puts the levels of coded column k into order, if it is a category, by the first `kept` columns.
 * False: no memory. */
static bool order_column(const struct cells *cells, struct coded *coded, int k, int kept,
                         struct column *columns, struct arena *arena) {
    struct column *column = &columns[coded->column[k]];
    const struct dn_codes next = coded->codes[kept];
    const bool follows = k >= kept;
    struct dn_error error;
    int32_t order[DN_MAX_LEVELS];
    if (!has_order(column) || coded->codes[k].levels > DN_MAX_LEVELS)
        return true;
    if (follows) /* it comes with the others, but they do not come with it */
        coded->codes[kept] = coded->codes[k];
    const enum dn_status status =
        dn_levels_order(coded->codes, kept + follows, cells->n, follows ? kept : k, order, &error);
    coded->codes[kept] = next;
    return status == DN_OK && reorder(&cells->columns[coded->column[k]], order, arena, column);
}

static bool order_levels(const struct cells *cells, struct column *columns, struct arena *arena) {
    int ordered = 0;
    for (int j = 0; j < cells->count; j++)
        ordered += has_order(&columns[j]);
    if (ordered == 0)
        return true;
    struct coded *coded = calloc(1, sizeof *coded);
    bool done = coded && encode(cells, columns, false, coded);
    const int kept = done ? coded->count : 0;
    done = done && encode(cells, columns, true, coded);
    for (int k = 0; done && k < coded->count; k++) {
        done = order_column(cells, coded, k, kept, columns, arena);
        pool_pause();
    }
    for (int k = 0; coded && k < coded->count; k++)
        free(coded->bins[k]);
    free(coded);
    return done;
}

/* ------------------------------------------------------------------ columns that follow */

/* The columns of few values as codes, of which each stands for one value. */
struct followers {
    struct dn_codes codes[CELLS_MAX_COLUMNS];
    int column[CELLS_MAX_COLUMNS];   /* of the table */
    int32_t *own[CELLS_MAX_COLUMNS]; /* codes that are allocated; or NULL */
    int from[CELLS_MAX_COLUMNS];     /* as dn_columns_follow has it */
    int count, labels;               /* labels: which of them has them; or -1 */
};

static void followers_clear(struct followers *all) {
    for (int k = 0; all && k < all->count; k++)
        free(all->own[k]);
    free(all);
}

static bool is_same_value(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

/* Several texts may have the same value: 1 and 1.0, or those of missing cells. Gives each text the
 * code of its value, place [distinct]; returns the number of values. */
static int merge(const double *values, uint32_t distinct, int32_t *place) {
    int count = 0;
    uint32_t first[COLUMN_MAP_MOST]; /* texts of the values so far */
    for (uint32_t code = 0; code < distinct; code++) {
        int k = 0;
        while (k < count && !is_same_value(values[first[k]], values[code]))
            k++;
        if (k == count)
            first[count++] = code;
        place[code] = k;
    }
    return count;
}

/* False: no memory. */
static bool add_values(const struct cells *cells, const struct column *column, int j,
                       struct followers *all) {
    const struct cells_column *from = &cells->columns[j];
    int32_t place[COLUMN_MAP_MOST], *own = NULL;
    double *values = values_of(from, column);
    if (!values)
        return false;
    const int levels = merge(values, from->distinct, place);
    free(values);
    if ((uint32_t)levels < from->distinct) {
        own = malloc(cells->n * sizeof *own);
        for (size_t i = 0; own && i < cells->n; i++)
            own[i] = place[from->codes[i]];
        if (!own)
            return false;
    }
    all->own[all->count] = own;
    all->column[all->count] = j;
    all->codes[all->count++] = (struct dn_codes){own ? own : from->codes, levels};
    return true;
}

static void add_labels(const struct association_labels *labels, struct followers *all) {
    all->labels = all->count;
    all->column[all->count] = labels->column;
    all->codes[all->count++] = (struct dn_codes){labels->classes, labels->count};
}

/* The labels and numbers come first: of a number and a name that say the same, the name follows,
 * because columns are tried from the last. False: no memory. */
static bool gather(const struct cells *cells, const struct association_labels *labels,
                   const struct column *columns, struct followers *all) {
    bool gathered = true;
    all->labels = -1;
    if (labels->column >= 0)
        add_labels(labels, all);
    for (int pass = 0; pass < 2; pass++)
        for (int j = 0; j < cells->count && gathered; j++) {
            const bool is_name = columns[j].level_count > 0;
            if (j == labels->column || is_name != (pass == 1) || !says_something(&columns[j]) ||
                cells->columns[j].distinct > COLUMN_MAP_MOST)
                continue;
            gathered = add_values(cells, &columns[j], j, all);
            pool_pause();
        }
    return gathered;
}

/* Points of the plane are no table. */
static bool is_plane(const struct cells *cells, const struct association_labels *labels,
                     const struct column *columns) {
    int coordinates = 0;
    for (int j = 0; j < cells->count; j++) {
        if (j == labels->column || !column_is_trained(&columns[j]))
            continue;
        if (!column_is_number(&columns[j]) || columns[j].missing > 0)
            return false;
        coordinates++;
    }
    return coordinates <= 2;
}

/* If all other columns follow from the labels, none does: something has to be trained on. */
static void keep_some(const struct cells *cells, const struct association_labels *labels,
                      struct followers *all, const struct column *columns) {
    int kept = 0;
    for (int j = 0; j < cells->count; j++)
        kept += j != labels->column && column_is_trained(&columns[j]);
    for (int k = 0; k < all->count; k++)
        kept -= all->from[k] >= 0;
    for (int k = 0; k < all->count && kept == 0; k++)
        all->from[k] = -1;
}

static void note_follower(struct column *column, const struct column *from, const char *outcome,
                          struct arena *arena) {
    for (int i = 0; i < COLUMN_MAX_NOTES; i++)
        if (!column->notes[i]) {
            column->notes[i] = arena_format(
                arena,
                "It follows from \"%s\": each value there has always the same value here. %s",
                from->name, outcome);
            return;
        }
}

/* Does column k follow from column c, too? False: no memory. */
static bool follows_too(const struct followers *all, size_t n, int k, int c, bool *follows) {
    const struct dn_codes pair[] = {all->codes[c], all->codes[k]};
    struct dn_error error;
    int from[2];
    const bool found = dn_columns_follow(pair, 2, n, 0, from, &error) == DN_OK;
    *follows = found && from[1] == 0;
    return found;
}

/* Of a city, its country and its continent, the continent follows from the country, the nearest one,
 * once that is independent: from the city it could be another one than the country's. False: no
 * memory. */
static bool follow_independent(struct followers *all, size_t n, const struct column *columns) {
    for (int k = 0; k < all->count; k++) {
        const int source = all->from[k];
        if (source < 0 || columns[all->column[k]].independent)
            continue;
        for (int c = 0; c < all->count; c++) {
            bool follows;
            if (!columns[all->column[c]].independent || all->from[c] != source ||
                all->codes[c].levels >= all->codes[all->from[k]].levels)
                continue;
            if (!follows_too(all, n, k, c, &follows))
                return false;
            if (follows)
                all->from[k] = c;
        }
    }
    return true;
}

/* Columns that are independent do not follow, though others may still follow from the same ones. */
static void release_independent(struct followers *all, struct column *columns,
                                struct arena *arena) {
    for (int k = 0; k < all->count; k++) {
        struct column *column = &columns[all->column[k]];
        if (!column->independent || all->from[k] < 0)
            continue;
        note_follower(column, &columns[all->column[all->from[k]]],
                      "But it is trained on, as you chose, and samples may differ from that.",
                      arena);
        all->from[k] = -1;
    }
}

/* Which columns follow. False: no memory. */
static bool find_followers(const struct cells *cells, const struct association_labels *labels,
                           struct followers *all, struct column *columns, struct arena *arena) {
    struct dn_error error;
    if (is_plane(cells, labels, columns))
        return true;
    if (!gather(cells, labels, columns, all) ||
        dn_columns_follow(all->codes, all->count, cells->n, all->labels, all->from, &error) !=
            DN_OK ||
        !follow_independent(all, cells->n, columns))
        return false;
    release_independent(all, columns, arena);
    keep_some(cells, labels, all, columns);
    for (int k = 0; k < all->count; k++)
        if (all->from[k] >= 0) {
            const struct column *from = &columns[all->column[all->from[k]]];
            columns[all->column[k]].follows = from->name;
            note_follower(&columns[all->column[k]], from,
                          "So it is not trained on, but filled in after sampling.", arena);
        }
    return true;
}

/* The value of each code of column k; the caller frees them. NULL: no memory. */
static double *code_values(const struct cells *cells, const struct followers *all, int k,
                           const struct column *columns) {
    const int j = all->column[k];
    const struct dn_codes *codes = &all->codes[k];
    double *of_text = k == all->labels ? NULL : values_of(&cells->columns[j], &columns[j]);
    double *values = malloc(((size_t)codes->levels + 1) * sizeof *values);
    if (!values || (k != all->labels && !of_text)) {
        free(values);
        values = NULL;
    }
    for (int code = 0; values && k == all->labels && code < codes->levels; code++)
        values[code] = code;
    for (size_t i = 0; values && k != all->labels && i < cells->n; i++)
        values[codes->codes[i]] = of_text[cells->columns[j].codes[i]];
    free(of_text);
    return values;
}

/* Fills in the map of column k. False: no memory. */
static bool make_map(const struct cells *cells, const struct followers *all, int k,
                     struct column *columns, struct arena *arena) {
    const struct dn_codes *from = &all->codes[all->from[k]];
    double *values = code_values(cells, all, k, columns);
    double *sources = code_values(cells, all, all->from[k], columns);
    int32_t *map = malloc(((size_t)from->levels + 1) * sizeof *map);
    struct column_pair *pairs = malloc(((size_t)from->levels + 1) * sizeof *pairs);
    bool made = values && sources && map && pairs;
    if (made) {
        dn_columns_map(from, &all->codes[k], cells->n, map);
        for (int code = 0; code < from->levels; code++)
            pairs[code] = (struct column_pair){sources[code], values[map[code]]};
        made = column_map_make(pairs, (size_t)from->levels, arena, &columns[all->column[k]].map);
    }
    free(values);
    free(sources);
    free(map);
    free(pairs);
    return made;
}

/* More columns than a point may have are refused, and their order would take long. */
static bool are_too_many(const struct cells *cells, const struct association_labels *labels,
                         const struct column *columns) {
    int count = 0;
    for (int j = 0; j < cells->count; j++)
        count += j != labels->column && column_is_trained(&columns[j]) && !columns[j].follows;
    return count > DN_MAX_DIM;
}

bool association_find(const struct cells *cells, struct association_labels labels,
                      struct column *columns, struct arena *arena) {
    struct followers *all = calloc(1, sizeof *all);
    bool found = all && find_followers(cells, &labels, all, columns, arena);
    const bool goes_on = found && !are_too_many(cells, &labels, columns);
    found = found && (!goes_on || order_levels(cells, columns, arena)); /* changes their values */
    for (int k = 0; goes_on && found && k < all->count; k++) {
        found = all->from[k] < 0 || make_map(cells, all, k, columns, arena);
        pool_pause();
    }
    followers_clear(all);
    return found && !arena->failed;
}
