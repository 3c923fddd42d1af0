/*
 * text_table.h - rows of a table for the terminal, in columns.
 */
#ifndef API_FORMAT_TEXT_TABLE_H
#define API_FORMAT_TEXT_TABLE_H

#include "server/base/buffer.h"

/* The most rows that are shown: a terminal of 24 lines has room for them, the names and its prompt. */
enum { TEXT_TABLE_ROWS = 20 };

/* Writes CSV [length], as csv_write makes it, with columns of equal width: first the names, then at
 * most TEXT_TABLE_ROWS rows, and a line that says so if there are more, `rows` in all. Columns of
 * numbers are aligned on the right. Long cells are cut; characters that control a terminal are
 * replaced. */
void text_table(struct buffer *out, const char *csv, size_t length, size_t rows);

#endif
