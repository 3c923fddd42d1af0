/*
 * log.h - one logfmt line per event on standard error: time=… level=… msg="…" key=value …
 */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
extern const char *const log_level_names[]; /* NULL-terminated */

void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
/* Writes one line at once. `fields` is printf-formatted text in logfmt, such as "job=%s epoch=%d".
 */
void log_line(enum log_level level, const char *message, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));
/* Quotes a value for logfmt: control characters, quotes and spaces; returns out. */
const char *log_quote(const char *value, char *out, int out_size);

#endif
