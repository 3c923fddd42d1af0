/*
 * number.h - decimal text of floating-point numbers that reads back as the same number.
 */
#ifndef API_FORMAT_NUMBER_H
#define API_FORMAT_NUMBER_H

#include <stddef.h>

enum { FLOAT_TEXT = 16, DOUBLE_TEXT = 32 };

/* Writes x with as few of 6..9 digits as round-trip a float; no NUL; returns the length. x must be
 * finite. */
size_t float_text(char out[FLOAT_TEXT], float x);
size_t double_text(char out[DOUBLE_TEXT], double x); /* the same for a double, 15..17 digits */

#endif
