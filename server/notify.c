#include "server/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify(const char *lines) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = path ? strlen(path) : 0;
    if (length == 0 || length >= sizeof address.sun_path || !strchr("/@", path[0]))
        return;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* an abstract address */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    /* It does not matter if the service manager does not listen. */
    ssize_t ignored = sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (struct sockaddr *)&address,
                             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    (void)ignored;
    close(fd);
}

int64_t notify_watchdog_us(void) {
    const char *period = getenv("WATCHDOG_USEC"), *whom = getenv("WATCHDOG_PID");
    if (!period || (whom && whom[0] && strtol(whom, NULL, 10) != getpid()))
        return 0;
    const long long us = strtoll(period, NULL, 10);
    return us > 0 ? us : 0;
}
