/*
 * digits.h - the shapes of the drawn digits: strokes of a pen, in the ways in which people write them.
 *
 * A stroke is a uniform quadratic B-spline: it runs from the middle between two knots to the middle
 * between the next two, tangent to the lines between them, and ends at its first and last knot. A
 * knot that is there twice is a corner.
 */
#ifndef ENGINE_DATA_DIGITS_H
#define ENGINE_DATA_DIGITS_H

#include <stddef.h>
#include <stdint.h>

/* A knot lies anywhere between these two places, (x, y) with y down, in hundredths of a digit's
 * height. */
struct digit_knot {
    int8_t from[2], to[2];
};

/* Strokes one after another, DIGIT_LIFT between two of them. */
struct digit_style {
    int digit;
    double share; /* of the images of this digit */
    const struct digit_knot *knots;
    size_t count;
};
#define DIGIT_LIFT                                                                                 \
    {                                                                                              \
        {INT8_MIN, INT8_MIN}, {                                                                    \
            INT8_MIN, INT8_MIN                                                                     \
        }                                                                                          \
    }

enum { DIGIT_STYLES = 41, DIGIT_MAX_KNOTS = 32 };
extern const struct digit_style digit_styles[DIGIT_STYLES]; /* digit_strokes.c */

#endif
