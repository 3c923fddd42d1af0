/*
 * number.h - decimal text of floating-point numbers that reads back as the same number, and back.
 */
#ifndef API_FORMAT_NUMBER_H
#define API_FORMAT_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

enum { FLOAT_TEXT = 16, DOUBLE_TEXT = 32 };

/* Writes x with as few digits as read back as the same float (strtof), at most nine, and never
 * longer than "%.9g" does; no NUL; returns the length. x must be finite. */
size_t float_text(char out[FLOAT_TEXT], float x);
/* The same for a double, in 15 to 17 digits. */
size_t double_text(char out[DOUBLE_TEXT], double x);

/* Writes values with commas between them at `at`, where there is room for FLOAT_TEXT + 1 bytes per
 * value; `missing` (up to 4 bytes) stands for one that is not finite. Returns the end; no NUL. */
char *floats_text(char *at, const float *values, size_t count, const char *missing);

/* Reads the whole of text [length] as a decimal number: sign, digits, point, exponent, whatever the
 * locale. The nearest double; infinite when it is too large. False: it is not a number. A character
 * that is not part of a number, such as a delimiter or NUL, must follow the text. */
bool number_read(const char *text, size_t length, double *value);

#endif
