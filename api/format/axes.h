/*
 * axes.h - which coordinates of points a picture shows: two of them, each along an axis.
 */
#ifndef API_FORMAT_AXES_H
#define API_FORMAT_AXES_H

#include "api/contract/problem.h"
#include "api/format/plot.h"

struct axes {
    int coordinates[2];              /* x and y; the second is -1 if the points have only one */
    const char *names[2];            /* the titles of the axes; NULL: the axes have none */
    const struct column *columns[2]; /* of a table, which write the numbers of an axis; or NULL */
    bool is_free;                    /* each axis has a scale of its own */
    bool is_pile;                    /* of one coordinate: dots are piled up like a histogram */
};

/* What the coordinates are. */
struct axes_source {
    int dim;
    const char *const *names;     /* [dim], which the axes keep; NULL: x and y */
    const struct column *columns; /* [count] of a table; NULL: the points are numbers */
    int count;
    bool are_paths; /* of points from noise, which are not piled up */
};

/* Takes the columns that the look asks for, or the first two, numbers before others. Points called x,
 * y and z have the same scale on both axes, other columns their own; what axes show is written beside
 * them unless they are simply x and y. Adds what is wrong with the request. */
void axes_find(const struct look *look, const struct axes_source *source, struct axes *axes,
               struct problem_fields *wrong);

/* What is drawn, in words: "height" over "age". "" if the axes have no titles. */
enum { AXES_CAPTION = 160 };
void axes_caption(const struct axes *axes, char caption[AXES_CAPTION]);

/* Does it take a copy of the points to draw them? */
bool axes_need_copy(const struct axes *axes, int dim);
/* Writes the x and y of points [count][dim] to out [count][2]. A pile takes all points at once. */
void axes_copy(const struct axes *axes, const float *points, size_t count, int dim, float *out);

#endif
