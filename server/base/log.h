/*
 * log.h - one line per event on standard error, as logfmt (time=… level=… msg="…" key=value …) or
 * as a JSON object with the same keys.
 */
#ifndef SERVER_BASE_LOG_H
#define SERVER_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
extern const char *const log_level_names[]; /* NULL-terminated */
enum log_format { LOG_LOGFMT, LOG_JSON };
extern const char *const log_format_names[]; /* NULL-terminated */

void log_set_level(enum log_level level);
void log_set_format(enum log_format format);
bool log_enabled(enum log_level level);
/* Writes one line at once. `fields` is a printf format of fields separated by spaces, such as
 * "job=%s epoch=%d ms=%.1f", with only integers, %f and %s. In logfmt, a text gets quotes if it has
 * control characters, quotes or spaces, is empty, or looks like a number; it always gets those in
 * the format. "%.80s" truncates it. A NULL omits its field. */
void log_line(enum log_level level, const char *message, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));
/* Writes a text for people on its own line, without time and level. */
void log_text(const char *text);

/* A server must not stop because nobody reads its log. After log_never_wait(), no line waits for a
 * reader: it is kept for later, or dropped and counted. log_start_thread() starts the thread that
 * writes the kept lines; without it, they wait for the next line. */
void log_never_wait(void);
bool log_start_thread(void);
/* At the end of the process: gives a reader a second for the kept lines. */
void log_flush(void);
unsigned long long log_dropped(void); /* lines so far */

#endif
