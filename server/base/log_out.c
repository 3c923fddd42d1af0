#include "server/base/log_out.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/base/clock.h"

enum {
    BACKLOG_BYTES = 256 << 10, /* memory that exists only once it was needed */
    ROOM_MS = 1000,            /* the thread waits this long for room, at a time */
    STOP_MS = 1000,            /* the end of the process waits this long for a reader */
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_serving; /* from here on nobody waits */
    bool has_thread;
    char backlog[BACKLOG_BYTES]; /* a ring: `length` bytes from `first` */
    size_t first, length;
    unsigned long long dropped, unreported; /* in total, and since the log last reported it */
} out = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ------------------------------------------------------------------ the descriptor */

/* Writes the first bytes, as many as fit without waiting longer than that; 0: none. A pipe that is
 * ready has room for PIPE_BUF bytes. -1: nobody reads any more. */
static ssize_t write_some(int fd, const char *bytes, size_t size, int milliseconds) {
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    if (poll(&ready, 1, milliseconds) != 1)
        return 0;
    const ssize_t written = write(fd, bytes, size < PIPE_BUF ? size : PIPE_BUF);
    return written >= 0 ? written : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

bool log_out_within(int fd, const char *text, size_t length, int milliseconds) {
    const double until = clock_monotonic() + 1e-3 * milliseconds;
    while (length > 0) {
        const double left = until - clock_monotonic();
        const ssize_t written = write_some(fd, text, length, left > 0 ? (int)(1e3 * left) : 0);
        if (written < 0 || (written == 0 && left <= 0))
            return false;
        text += written;
        length -= (size_t)written;
    }
    return true;
}

/* ------------------------------------------------------------------ the backlog */

/* All of these are called with the mutex held. */

static void drop(unsigned long long lines) {
    out.dropped += lines;
    out.unreported += lines;
}

static bool append(const char *line, size_t length) {
    if (length > BACKLOG_BYTES - out.length)
        return false;
    const size_t last = (out.first + out.length) % BACKLOG_BYTES;
    const size_t before_end = BACKLOG_BYTES - last;
    const size_t part = length < before_end ? length : before_end;
    memcpy(out.backlog + last, line, part);
    memcpy(out.backlog, line + part, length - part);
    out.length += length;
    return true;
}

/* The number of bytes from `first` on that are contiguous. */
static size_t piece_length(void) {
    const size_t before_end = BACKLOG_BYTES - out.first;
    return out.length < before_end ? out.length : before_end;
}

/* This number of bytes of the first piece was written; -1: nothing can be written any more. */
static void advance(ssize_t written) {
    if (written < 0) {
        for (size_t i = 0; i < out.length; i++)
            drop(out.backlog[(out.first + i) % BACKLOG_BYTES] == '\n');
        written = (ssize_t)out.length;
    }
    out.first = (out.first + (size_t)written) % BACKLOG_BYTES;
    out.length -= (size_t)written;
    pthread_cond_broadcast(&out.changed);
}

/* Reports the dropped lines where they are missing, once half of the backlog is free again; until
 * then more may be dropped. False: there are some that could not be reported. */
static bool report_dropped(void) {
    char line[LOG_OUT_LONGEST];
    if (out.unreported > 0 && out.length <= BACKLOG_BYTES / 2 &&
        append(line, log_format(line, LOG_WARN, "log lines were dropped because nobody read them",
                                "lines=%llu", out.unreported)))
        out.unreported = 0;
    return out.unreported == 0;
}

/* Writes what has room now, from the backlog. */
static void drain(int milliseconds) {
    while (out.length > 0) {
        const ssize_t written =
            write_some(STDERR_FILENO, out.backlog + out.first, piece_length(), milliseconds);
        if (written == 0)
            return;
        advance(written);
    }
}

static void *hand_on(void *unused) {
    (void)unused;
    pthread_mutex_lock(&out.mutex);
    for (;;) {
        while (out.length == 0)
            pthread_cond_wait(&out.changed, &out.mutex);
        const char *piece = out.backlog + out.first;
        const size_t length = piece_length();
        pthread_mutex_unlock(&out.mutex); /* others only append */
        const ssize_t written = write_some(STDERR_FILENO, piece, length, ROOM_MS);
        pthread_mutex_lock(&out.mutex);
        advance(written);
        if (written > 0)
            report_dropped();
    }
    return NULL;
}

/* ------------------------------------------------------------------ lines */

/* Writes everything and waits, like a program at a terminal. */
static void write_all(const char *line, size_t length) {
    while (length > 0) {
        const ssize_t written = write(STDERR_FILENO, line, length);
        if (written < 0 && errno != EINTR)
            return; /* there is nowhere to report a log that cannot be written */
        line += written > 0 ? written : 0;
        length -= written > 0 ? (size_t)written : 0;
    }
}

/* Writes what has room now of a line; the rest goes to the backlog, where it fits. */
static void write_now(const char *line, size_t length) {
    while (length > 0) {
        const ssize_t written = write_some(STDERR_FILENO, line, length, 0);
        if (written < 0) {
            drop(1);
            return;
        }
        if (written == 0)
            break;
        line += written;
        length -= (size_t)written;
    }
    append(line, length);
}

void log_out(const char *line, size_t length) {
    pthread_mutex_lock(&out.mutex);
    if (out.is_serving && !out.has_thread)
        drain(0);
    if (!out.is_serving) {
        write_all(line, length);
    } else if (out.length == 0) {
        write_now(line, length);
    } else if (!report_dropped() || !append(line, length)) {
        drop(1);
    }
    if (out.length > 0)
        pthread_cond_broadcast(&out.changed);
    pthread_mutex_unlock(&out.mutex);
}

/* ------------------------------------------------------------------ log.h */

void log_never_wait(void) {
    signal(SIGPIPE, SIG_IGN); /* a closed reader must not end the process */
    pthread_mutex_lock(&out.mutex);
    out.is_serving = true;
    pthread_mutex_unlock(&out.mutex);
}

bool log_start_thread(void) {
    pthread_t thread;
    const bool started = pthread_create(&thread, NULL, hand_on, NULL) == 0;
    if (started)
        pthread_detach(thread); /* it may be waiting for a reader at the end */
    pthread_mutex_lock(&out.mutex);
    out.has_thread = started;
    pthread_mutex_unlock(&out.mutex);
    return started;
}

void log_flush(void) {
    const struct timespec until = clock_after(1e-3 * STOP_MS);
    pthread_mutex_lock(&out.mutex);
    report_dropped();
    pthread_cond_broadcast(&out.changed);
    if (!out.has_thread)
        drain(STOP_MS);
    int waited = 0;
    while (out.has_thread && out.length > 0 && waited == 0)
        waited = pthread_cond_clockwait(&out.changed, &out.mutex, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&out.mutex);
}

unsigned long long log_dropped(void) {
    pthread_mutex_lock(&out.mutex);
    const unsigned long long dropped = out.dropped;
    pthread_mutex_unlock(&out.mutex);
    return dropped;
}
