/*
 * log_out.h - writes the lines of the log to standard error without waiting for their reader.
 *
 * A pipe that nobody reads takes 64 KiB, and then every write blocks. So each thread writes its own
 * line as long as there is room, and the line survives whatever happens to the process. Otherwise
 * lines go to a backlog, which a thread writes; when the backlog is full, too, they are dropped and
 * counted, and the log reports their number as soon as it can.
 */
#ifndef SERVER_BASE_LOG_OUT_H
#define SERVER_BASE_LOG_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/log.h"

enum { LOG_OUT_LONGEST = 2 << 10 }; /* a line, in bytes */

/* Whole lines, up to LOG_OUT_LONGEST bytes. Any thread. */
void log_out(const char *line, size_t length);

/* Writes the whole text to a descriptor within this number of milliseconds; false if the reader is
 * too slow. */
bool log_out_within(int fd, const char *text, size_t length, int milliseconds);

/* log.c: the text of a line (log_line), and its length. */
size_t log_format(char line[LOG_OUT_LONGEST], enum log_level level, const char *message,
                  const char *fields, ...) __attribute__((format(printf, 4, 5)));

#endif
