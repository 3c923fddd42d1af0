#include "api/format/axes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/contract/fields.h"
#include "api/table/column.h"

static const char *const usual_names[] = {"x", "y", "z", NULL};

static const char *name_of(const struct axes_source *source, int coordinate) {
    return source->names ? source->names[coordinate] : usual_names[coordinate];
}

static const struct column *column_at(const struct axes_source *source, int coordinate) {
    for (int j = 0; j < source->count; j++)
        if (source->columns[j].coordinate == coordinate)
            return &source->columns[j];
    return NULL;
}

static bool is_number(const struct axes_source *source, int coordinate) {
    const struct column *column = column_at(source, coordinate);
    return !column || column_is_number(column);
}

/* The first coordinate that is not `taken`: a number, if there is one; -1: there is none. */
static int first_free(const struct axes_source *source, int taken) {
    for (int k = 0; k < source->dim; k++)
        if (k != taken && is_number(source, k))
            return k;
    for (int k = 0; k < source->dim; k++)
        if (k != taken)
            return k;
    return -1;
}

/* The coordinate with this name; -1: there is none, or none is asked for. */
static int find(const struct axes_source *source, const char *name, const char *pointer,
                struct problem_fields *wrong) {
    const char *names[DN_MAX_DIM + 1] = {NULL};
    for (int k = 0; k < source->dim; k++)
        names[k] = name_of(source, k);
    const int found = name[0] ? fields_index(names, name) : -1;
    if (name[0] && found < 0)
        problem_add(wrong, pointer, "must be a column that the model learns or the points have: %s",
                    fields_list(names, wrong->arena));
    return found;
}

/* Are the points simply called x, y and z? */
static bool are_usual(const struct axes_source *source) {
    bool usual = source->dim <= 3;
    for (int k = 0; usual && k < source->dim; k++)
        usual = strcmp(name_of(source, k), usual_names[k]) == 0;
    return usual;
}

void axes_find(const struct look *look, const struct axes_source *source, struct axes *axes,
               struct problem_fields *wrong) {
    const int wanted = find(source, look->x, "/x", wrong);
    int y = find(source, look->y, "/y", wrong);
    const int x = wanted >= 0 ? wanted : first_free(source, y);
    if (y >= 0 && (y == x || x < 0)) /* x < 0: it is the only column */
        problem_add(wrong, "/y", "must be another column than that of x");
    y = y >= 0 ? y : first_free(source, x);
    const bool usual = are_usual(source), is_titled = !usual || source->dim > 2 || x > 0;
    *axes = (struct axes){.coordinates = {x >= 0 ? x : 0, y}, .is_free = !usual};
    for (int axis = 0; axis < 2 && axes->coordinates[axis] >= 0; axis++) {
        const int at = axes->coordinates[axis];
        axes->names[axis] = is_titled ? name_of(source, at) : NULL;
        axes->columns[axis] = column_at(source, at);
    }
    axes->is_pile = y < 0 && !source->are_paths;
    axes->is_free |= axes->is_pile;
}

void axes_caption(const struct axes *axes, char caption[AXES_CAPTION]) {
    const char *x = axes->names[0], *y = axes->names[1];
    snprintf(caption, AXES_CAPTION, y ? "\"%s\" over \"%s\"" : "%s%s",
             y   ? y
             : x ? x
                 : "",
             y ? x : "");
}

bool axes_need_copy(const struct axes *axes, int dim) {
    return axes->is_pile || dim > 2 || axes->coordinates[0] > 0;
}

enum { PILES = 100 };

/* Each dot lies on those before it in the same hundredth of the range. */
static void pile_up(const float *points, size_t count, float *out) {
    size_t heights[PILES + 1] = {0};
    double min = INFINITY, max = -INFINITY;
    for (size_t i = 0; i < count; i++)
        range_include(&min, &max, (double)points[i]);
    for (size_t i = 0; i < count; i++) {
        const double share = max > min ? ((double)points[i] - min) / (max - min) : 0;
        const bool is_here = isfinite(points[i]);
        out[2 * i] = points[i];
        out[2 * i + 1] = is_here ? (float)++heights[(size_t)(share * PILES)] : NAN;
    }
}

void axes_copy(const struct axes *axes, const float *points, size_t count, int dim, float *out) {
    if (axes->is_pile) {
        pile_up(points, count, out);
        return;
    }
    for (size_t i = 0; i < count; i++)
        for (int axis = 0; axis < 2; axis++)
            out[2 * i + (size_t)axis] = points[i * (size_t)dim + (size_t)axes->coordinates[axis]];
}
