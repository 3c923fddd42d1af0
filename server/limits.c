#include "server/limits.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/http/linger.h"

enum {
    OWN_FILES = 24, /* the log, the listener, epolls and their alarms, the lock, a backup, .. */
    FILES_OF_THREAD = 2, /* the database and its log, each with its own locks */
    SERVING_THREADS = 8, /* HTTP, the writer, events, the watch */
    FEWEST = 4,
};

void limits_open_standard(void) {
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        abort(); /* without a descriptor or /dev/null, nothing can be relied on */
    close(fd);
}

int limits_connections(int wanted, int threads, int database) {
    const int reserve = OWN_FILES + FILES_OF_THREAD * (SERVING_THREADS + threads) + database;
    const rlim_t needed = (rlim_t)reserve + (rlim_t)wanted;
    const rlim_t useful = needed + LINGER_SOCKETS; /* a server can do without these */
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return wanted;
    if (files.rlim_cur < useful) {
        const rlim_t before = files.rlim_cur;
        files.rlim_cur = files.rlim_max < useful ? files.rlim_max : useful;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0)
            files.rlim_cur = before;
    }
    if (files.rlim_cur >= needed)
        return wanted;
    const int fit = (int)files.rlim_cur - reserve;
    log_line(LOG_WARN,
             "fewer connections than --max-connections, because of the limit of open files",
             "files=%d connections=%d wanted=%d", (int)files.rlim_cur, fit, wanted);
    return fit < FEWEST ? 0 : fit;
}
