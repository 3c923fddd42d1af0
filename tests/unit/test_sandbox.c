/* What a process in the sandbox can still do. Each attempt is made in a child. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/sandbox.h"

enum { CANNOT_BE_TOLD = 77 };

static char home[] = "/tmp/denoised-sandbox-XXXXXX", database[100], beside[100], outside[100];

static void make_files(void) {
    cr_assert(mkdtemp(home));
    snprintf(database, sizeof database, "%s/in/a.db", home);
    snprintf(beside, sizeof beside, "%s/in/a.db-wal", home);
    snprintf(outside, sizeof outside, "%s/outside", home);
    char directory[100];
    snprintf(directory, sizeof directory, "%s/in", home);
    cr_assert_eq(mkdir(directory, 0700), 0);
    close(open(database, O_CREAT | O_WRONLY, 0600));
    close(open(outside, O_CREAT | O_WRONLY, 0600));
}

static void remove_files(void) {
    char directory[100];
    snprintf(directory, sizeof directory, "%s/in", home);
    unlink(database), unlink(beside), unlink(outside);
    rmdir(directory), rmdir(home);
}

TestSuite(sandbox, .init = make_files, .fini = remove_files);

/* What the attempt says from inside; CANNOT_BE_TOLD: this kernel lacks what would stop it. */
static int inside(int (*attempt)(struct sandbox sandbox), bool reads_outside) {
    const pid_t child = fork();
    int status;
    if (child == 0)
        _exit(attempt(sandbox_enter(&(struct sandbox_files){
            .database = database, .read = {reads_outside ? outside : NULL}})));
    cr_assert(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int use_database(struct sandbox sandbox) {
    (void)sandbox;
    const int fd = open(beside, O_RDWR | O_CREAT | O_TRUNC, 0600);
    return fd < 0 || write(fd, "x", 1) != 1 || ftruncate(fd, 0) != 0 || unlink(beside) != 0 ||
                   open(database, O_RDWR) < 0 || open("/proc/self/statm", O_RDONLY) < 0
               ? errno
               : 0;
}

Test(sandbox, leaves_the_database) {
    cr_assert_eq(inside(use_database, false), 0);
}

static int read_outside(struct sandbox sandbox) {
    return open(outside, O_RDONLY) >= 0 ? (sandbox.landlock > 0 ? 0 : CANNOT_BE_TOLD) : errno;
}

static int write_outside(struct sandbox sandbox) {
    return open(outside, O_WRONLY) >= 0 ? (sandbox.landlock > 0 ? 0 : CANNOT_BE_TOLD) : errno;
}

/* A key that was replaced is a new file in its directory. */
static int read_replaced(struct sandbox sandbox) {
    (void)sandbox;
    return open(outside, O_RDONLY) >= 0 ? 0 : errno;
}

#define DENIED(code) ((code) == EACCES || (code) == EPERM || (code) == CANNOT_BE_TOLD)

Test(sandbox, closes_other_files) {
    const int reading = inside(read_outside, false), writing = inside(write_outside, true);
    cr_assert(DENIED(reading), "%d", reading);
    cr_assert(DENIED(writing), "%d", writing);
    cr_assert_eq(inside(read_replaced, true), 0);
}

static int start_program(struct sandbox sandbox) {
    execl("/bin/true", "true", NULL);
    return sandbox.filter || sandbox.landlock ? errno : CANNOT_BE_TOLD;
}

static int trace(struct sandbox sandbox) {
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? (sandbox.filter ? 0 : CANNOT_BE_TOLD)
                                                      : errno;
}

Test(sandbox, starts_no_program_and_traces_nobody) {
    const int program = inside(start_program, false), tracing = inside(trace, false);
    cr_assert(DENIED(program), "%d", program);
    cr_assert(DENIED(tracing), "%d", tracing);
}

static int call_out(struct sandbox sandbox) {
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (sandbox.landlock < 4)
        return CANNOT_BE_TOLD;
    return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
}

Test(sandbox, calls_nobody) {
    const int calling = inside(call_out, false);
    cr_assert(DENIED(calling), "%d", calling);
}

/* Nobody listens at either port; the answer says who refuses. */
static int call_database(struct sandbox sandbox) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int answers[2];
    if (sandbox.landlock < 4)
        return CANNOT_BE_TOLD;
    for (int i = 0; i < 2; i++) {
        address.sin_port = htons((uint16_t)(9 + i));
        const int fd = socket(AF_INET, SOCK_STREAM, 0);
        answers[i] =
            connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    }
    const bool writes = open(beside, O_WRONLY | O_CREAT, 0600) >= 0;
    return answers[0] == ECONNREFUSED && DENIED(answers[1]) && !writes ? 0 : 1;
}

Test(sandbox, calls_a_database_at_its_port_only) {
    const pid_t child = fork();
    int status;
    if (child == 0)
        _exit(call_database(sandbox_enter(&(struct sandbox_files){.connect = {9}})));
    cr_assert(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    cr_assert(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == CANNOT_BE_TOLD, "%d",
              WEXITSTATUS(status));
}

static int core_limit(struct sandbox sandbox) {
    struct rlimit limit;
    return sandbox.no_core && getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 ? 0 : 1;
}

Test(sandbox, leaves_no_core) {
    cr_assert_eq(inside(core_limit, false), 0);
}
