#include "server/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "server/id.h"

const char *const log_level_names[] = {"error", "warn", "info", "debug", NULL};

static atomic_int threshold = LOG_INFO;

void log_set_level(enum log_level level) {
    atomic_store(&threshold, level);
}

bool log_enabled(enum log_level level) {
    return (int)level <= atomic_load(&threshold);
}

void log_line(enum log_level level, const char *message, const char *fields, ...) {
    if (!log_enabled(level))
        return;
    char line[2048], now[CLOCK_TEXT];
    clock_format(clock_now_ms(), now);
    int used = snprintf(line, sizeof line, "time=%s level=%s msg=\"%s\"", now,
                        log_level_names[level], message);
    const int last = (int)sizeof line - 1;
    if (fields && fields[0] && used < last) {
        line[used++] = ' ';
        va_list arguments;
        va_start(arguments, fields);
        int more = vsnprintf(line + used, sizeof line - (size_t)used, fields, arguments);
        va_end(arguments);
        used += more > 0 ? more : 0;
    }
    if (used > last)
        used = last;
    line[used++] = '\n'; /* in the place of the NUL at most */
    /* One write(2), so that lines of different threads do not mix. Nobody is there to be told of a
     * log that cannot be written. */
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)used);
    (void)ignored;
}

static bool is_plain(const char *value) {
    for (; *value; value++)
        if (*value <= ' ' || *value == '"' || *value == '=' || *value == '\\' || *value == 0x7f)
            return false;
    return true;
}

const char *log_quote(const char *value, char *out, int out_size) {
    static const char hex[] = "0123456789abcdef";
    if (value[0] && is_plain(value)) {
        snprintf(out, (size_t)out_size, "%s", value);
        return out;
    }
    int used = 0;
    out[used++] = '"';
    for (; *value && used < out_size - 6; value++) {
        unsigned char c = (unsigned char)*value;
        if (c < ' ' || c == 0x7f) {
            out[used++] = '\\';
            out[used++] = 'x';
            out[used++] = hex[c >> 4];
            out[used++] = hex[c & 15];
        } else {
            if (c == '"' || c == '\\')
                out[used++] = '\\';
            out[used++] = (char)c;
        }
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}
