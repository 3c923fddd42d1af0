#include "server/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* ------------------------------------------------------------------ system calls */

#if defined(__x86_64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef OUR_ARCHITECTURE
/* Calls that a server never needs. A list of allowed calls would leave less to an attacker, but
 * break with the next version of the C or TLS library. */
static const unsigned denied[] = {
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_pidfd_getfd,
    SYS_kcmp,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_unshare,
    SYS_setns,
    SYS_open_by_handle_at,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_register,
    SYS_io_uring_enter,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_personality,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_quotactl,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_mknodat,
};

enum { X32 = 0x40000000 }; /* a second set of numbers for the same calls on x86-64 */

/* A denied call fails with EPERM, and so does any call of another architecture. Jumps count from
 * the next instruction: after those of the list come "allow" and "deny". */
static bool filter_calls(void) {
    enum { COUNT = LENGTH(denied), BEFORE = 4 };
    struct sock_filter code[BEFORE + COUNT + 2] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCHITECTURE, 0, COUNT + 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, COUNT + 1, 0),
        [BEFORE + COUNT] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        [BEFORE + COUNT + 1] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    for (unsigned i = 0; i < COUNT; i++)
        code[BEFORE + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, denied[i],
                                                        (unsigned char)(COUNT - i), 0);
    const struct sock_fprog program = {.len = BEFORE + COUNT + 2, .filter = code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
#else
static bool filter_calls(void) {
    return false;
}
#endif

/* ------------------------------------------------------------------ files and the network */

/* Rights that are newer than the headers, with the version of the interface. */
#define RIGHT_TRUNCATE  (1ULL << 14) /* 3 */
#define RIGHT_IOCTL_DEV (1ULL << 15) /* 5 */
#define NET_CONNECT_TCP (1ULL << 1)  /* 4 */

#define FILES_OF_1     ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1) /* all of version 1 */
#define RIGHTS_OF_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)
#define READING        (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITING                                                                                    \
    (READING | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |                       \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | RIGHT_TRUNCATE)

/* Rights that the process loses, except where a rule returns them; in the kernel's format. */
struct ruleset_rights {
    __u64 files, network;
};

static bool allow(int ruleset, const char *path, __u64 rights) {
    struct landlock_path_beneath_attr rule = {.allowed_access = rights,
                                              .parent_fd = open(path, O_PATH | O_CLOEXEC)};
    struct stat file;
    if (rule.parent_fd < 0)
        return false;
    if (fstat(rule.parent_fd, &file) == 0 && !S_ISDIR(file.st_mode))
        rule.allowed_access &= RIGHTS_OF_FILE;
    bool added = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    close(rule.parent_fd);
    return added;
}

/* Allows connections to a port; for kernels that can tell ports apart. */
static bool allow_port(int ruleset, int port) {
    enum { RULE_NET_PORT = 2 }; /* newer than the headers, as is its struct */
    const struct { __u64 allowed_access, port; } rule = {NET_CONNECT_TCP, (__u64)port};
    return syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) == 0;
}

/* Allows the directory of the file that a path names. */
static bool allow_directory(int ruleset, const char *path, __u64 rights) {
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
        return false;
    return allow(ruleset, dirname(copy), rights);
}

/* Allows a file by its name, and by the targets of its links. */
static void allow_file(int ruleset, const char *path) {
    char *real = realpath(path, NULL);
    allow_directory(ruleset, path, READING);
    if (real)
        allow_directory(ruleset, real, READING);
    free(real);
}

/* What the C library reads: names of hosts, the number of processors, memory in use. */
static const char *const system_files[] = {
    "/etc/hosts",       "/etc/host.conf", "/etc/nsswitch.conf",
    "/etc/resolv.conf", "/etc/gai.conf",  "/etc/services",
    "/etc/localtime",   "/proc",          "/sys/devices/system/cpu",
    "/dev/urandom",     "/dev/null",
};
/* What a client of a database reads besides: its own name, and certificates. */
static const char *const client_files[] = {"/etc/passwd", "/etc/ssl"};

/* The database: a file in its directory, or servers at ports. */
static bool allow_database(int ruleset, const struct sandbox_files *files,
                           const struct ruleset_rights *handled) {
    char *real = files->database ? realpath(files->database, NULL) : NULL;
    bool good =
        !files->database || (real && allow_directory(ruleset, real, WRITING & handled->files));
    free(real);
    for (size_t i = 0; i < SANDBOX_PORTS && handled->network; i++)
        if (files->connect[i])
            good = allow_port(ruleset, files->connect[i]) && good;
    for (size_t i = 0; i < LENGTH(client_files) && files->connect[0]; i++)
        allow(ruleset, client_files[i], READING & handled->files);
    return good;
}

static bool allow_all(int ruleset, const struct sandbox_files *files,
                      const struct ruleset_rights *rights) {
    const __u64 handled = rights->files;
    const bool found = allow_database(ruleset, files, rights);
    for (size_t i = 0; i < LENGTH(system_files); i++)
        allow(ruleset, system_files[i], READING & handled);
    for (size_t i = 0; i < SANDBOX_PATHS; i++)
        if (files->read[i])
            allow_file(ruleset, files->read[i]);
    return found;
}

/* The rights to take away: all that this kernel knows. */
static struct ruleset_rights rights_of(int version) {
    struct ruleset_rights rights = {.files = FILES_OF_1};
    if (version >= 2)
        rights.files |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        rights.files |= RIGHT_TRUNCATE;
    if (version >= 4)
        rights.network = NET_CONNECT_TCP;
    if (version >= 5)
        rights.files |= RIGHT_IOCTL_DEV;
    return rights;
}

static int version_of_landlock(void) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version < 0 ? 0 : (int)version;
}

/* Returns 0, or the version. */
static int restrict_files(const struct sandbox_files *files) {
    const int version = version_of_landlock();
    const struct ruleset_rights rights = rights_of(version);
    const size_t size = version >= 4 ? sizeof rights : sizeof rights.files;
    int ruleset = version > 0 ? (int)syscall(SYS_landlock_create_ruleset, &rights, size, 0) : -1;
    bool entered = ruleset >= 0 && allow_all(ruleset, files, &rights) &&
                   syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    if (ruleset >= 0)
        close(ruleset);
    return entered ? version : 0;
}

/* ------------------------------------------------------------------ all of it */

struct sandbox sandbox_enter(const struct sandbox_files *files) {
    const struct rlimit none = {0, 0};
    struct sandbox sandbox = {.no_core = setrlimit(RLIMIT_CORE, &none) == 0};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) /* required by the other two */
        return sandbox;
    sandbox.landlock = restrict_files(files);
    sandbox.filter = filter_calls();
    return sandbox;
}
