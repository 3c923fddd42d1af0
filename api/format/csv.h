/*
 * csv.h - text in CSV that spreadsheets would evaluate as a formula.
 *
 * A program that opens a CSV file computes a field that begins with = + - or @ (or a tab or a
 * carriage return before one), so a class called =HYPERLINK(..) would run for whoever named it.
 * Such text gets an apostrophe in front, which spreadsheets do not show (OWASP, "CSV Injection"),
 * and which is removed when the text is read here. Text that has apostrophes before such a
 * character gets one more, so that nothing is lost. Numbers stay as they are, and so does what
 * begins with + or - and cannot call a function, start a program or read another file: -, -1 year,
 * +44 (0)20 7946 0018, and the bin -10.000). Tables are full of those.
 */
#ifndef API_FORMAT_CSV_H
#define API_FORMAT_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/buffer.h"

/* Does text [length] that was read begin with one? */
bool csv_is_guarded(const char *text, size_t length);

/* Appends a text as a field: in quotes if a reader could take it for several fields, trim it, or
 * take it for a comment, and with the apostrophe that it needs. An empty one is written as "". */
void csv_write(struct buffer *out, const char *text);

#endif
