/* The shared page, and the points at which the process dies. */
#include "tests/fault/shim/page.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/base/fault.h"

static struct page private_page;
struct page *fault_page = &private_page;

bool fault_fires(struct run *run) {
    const long long first = atomic_load(&run->first);
    if (first == 0)
        return false;
    const long long call = atomic_fetch_add(&run->seen, 1) + 1;
    if (call < first || call - first >= atomic_load(&run->length))
        return false;
    atomic_fetch_add(&run->fired, 1);
    return true;
}

enum { LAST_WORDS_US = 100000 };

/* DENOISED_FAULT_KILL=NAME:N dies when the point NAME is passed for the N-th time; a moment later,
 * in which other threads can send what they must not have promised yet. */
void fault_point(const char *name) {
    static atomic_int passings;
    const char *wanted = getenv("DENOISED_FAULT_KILL");
    const size_t length = strlen(name);
    if (wanted && strncmp(wanted, name, length) == 0 && wanted[length] == ':' &&
        atomic_fetch_add(&passings, 1) + 1 == atoi(wanted + length + 1)) {
        usleep(LAST_WORDS_US);
        raise(SIGKILL);
    }
}

__attribute__((constructor)) static void attach(void) {
    const char *path = getenv("DENOISED_FAULT_PAGE");
    if (!path)
        return;
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    void *shared = fd < 0
                       ? MAP_FAILED
                       : mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED) {
        perror(path);
        _exit(99);
    }
    close(fd);
    fault_page = shared;
    atomic_store(&fault_page->pid, getpid());
}
