/*
 * log_out.h - where the lines of the log go: to standard error, without waiting for whoever reads
 * that.
 *
 * A pipe that nobody empties takes 64 KiB, and then every write waits. So a line is written by the
 * thread that has it as long as there is room, and is on its way then, whatever happens to the
 * process. When there is none, lines go to a backlog, which a thread hands on; when that is full,
 * too, they are dropped and counted, and the log says how many as soon as it can.
 */
#ifndef SERVER_BASE_LOG_OUT_H
#define SERVER_BASE_LOG_OUT_H

#include <stdbool.h>
#include <stddef.h>

enum { LOG_OUT_LONGEST = 12 << 10 }; /* a line, in bytes */

/* Whole lines, up to LOG_OUT_LONGEST bytes. Any thread. */
void log_out(const char *line, size_t length);

/* Writes all of `text` to a descriptor within so many milliseconds; false if its reader does not
 * take it. */
bool log_out_within(int fd, const char *text, size_t length, int milliseconds);

/* log.c: the line that says how many were dropped; its length. */
size_t log_format_dropped(char line[LOG_OUT_LONGEST], unsigned long long lines);

#endif
