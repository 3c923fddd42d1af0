/*
 * dates.h - dates and times as texts.
 *
 * A format is a text in which %Y %m %d %H %M %S are year, month, day, hour, minute and second in two
 * digits (the year in four), %-m %-d %-H the same without a leading zero, %y a year in two digits,
 * %b Jan, %B January, %3f a fraction of a second in three digits; %I is an hour from 1 to 12, with %p
 * AM or PM, or %P am or pm; all else stands for itself. A time without a date is one of 1970-01-01.
 */
#ifndef API_TABLE_DATES_H
#define API_TABLE_DATES_H

#include <stdbool.h>
#include <stddef.h>

enum { DATE_FORMAT_BYTES = 48, DATE_TEXT = 64 };

/* The format in which all texts are dates. text(context, i, &length) is text i of count. False:
 * there is none, or day and month cannot be told apart: *ambiguous. */
struct date_texts {
    const char *(*text)(const void *context, size_t i, size_t *length);
    const void *context;
    size_t count;
};
bool date_find_format(const struct date_texts *texts, char format[DATE_FORMAT_BYTES],
                      bool *ambiguous);

/* Seconds since 1970, as if the clock had shown the time in UTC. False: the text is not in this
 * format, or there is no such day. Digits may lack their leading zero where another digit does not
 * follow. */
bool date_read(const char *format, const char *text, size_t length, double *seconds);

/* The time, rounded down to what the format shows, and NUL; its length. Years 0 to 9999. */
size_t date_text(const char *format, double seconds, char out[DATE_TEXT]);

/* The largest divisor of a step, in whole seconds, of which a time is a multiple; 0: the step is 0, or
 * the time has a fraction. */
double date_step(double step, double seconds);

#endif
