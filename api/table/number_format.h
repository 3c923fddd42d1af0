/*
 * number_format.h - how a column writes its numbers: the marks, and how many decimals.
 *
 * As text it is a pattern, such as spreadsheets have: 0 (integers), 0.## (up to two decimals), 0.0#
 * (at least one), #,##0.00 (thousands), 0,0 (a decimal comma; 0, if only numbers such as 1,5e3 have
 * it), #.## (.5 rather than 0.5), 0.##e0 (1.23e-20: three digits of numbers too small for decimals).
 */
#ifndef API_TABLE_NUMBER_FORMAT_H
#define API_TABLE_NUMBER_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "api/table/notation.h"

enum { NUMBER_MAX_DECIMALS = 17, NUMBER_FORMAT_BYTES = 40, NUMBER_TEXT = 80 };

struct number_format {
    struct notation notation;
    int least, most; /* decimals: always as many, and never more */
    bool is_bare;    /* .5 */
    /* Some are so small that the most decimals lose them: all have an exponent, and so many digits. */
    bool has_exponent;
    int digits;
};

/* Widens the format so that it can write a text that is a number in its notation. At first, least
 * is NUMBER_MAX_DECIMALS and most is 0. */
void number_format_see(struct number_format *format, const char *text, size_t length);

/* The pattern, with NUL; and back. False: it is none. */
void number_format_write(const struct number_format *format, char out[NUMBER_FORMAT_BYTES]);
bool number_format_read(struct number_format *format, const char *pattern);

/* The number, at most 1e18 in size, rounded to the most decimals or digits; its length. With NUL. */
size_t number_format_text(const struct number_format *format, double value, char out[NUMBER_TEXT]);

#endif
