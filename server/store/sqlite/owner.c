#include "server/store/sqlite/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "server/base/log.h"

enum { MAX_LINKS = 40, SUFFIX_BYTES = 8 };

/* The database and the files that SQLite keeps next to it. */
enum { DATABASE, LOG, INDEX, FILES };
static const char *const suffixes[FILES] = {"", "-wal", "-shm"};

enum { NOT_LOST, BEING_LOGGED, LOST };

struct owner {
    char path[PATH_MAX], lock_path[PATH_MAX + SUFFIX_BYTES];
    int file;      /* the database, locked */
    int name_lock; /* NAME.lock, locked: version 0.1.0 checks nothing else */
    bool made_file, made_name_lock;
    int watched; /* number of files that are checked */
    struct {
        char path[PATH_MAX + SUFFIX_BYTES];
        dev_t device;
        ino_t inode;
    } files[FILES];
    atomic_int state; /* NOT_LOST, .. */
    char loss[PATH_MAX + 64];
};

bool owner_fail(char *error, size_t error_size, const char *path, const char *why) {
    snprintf(error, error_size, "%s: %s", path, why);
    return false;
}

/* ------------------------------------------------------------------ which file it is */

/* `name` in the directory of `path`, unless it is absolute. False: too long. */
static bool beside(const char *path, const char *name, char out[static PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    const int directory = slash && name[0] != '/' ? (int)(slash - path) + 1 : 0;
    return snprintf(out, PATH_MAX, "%.*s%s", directory, path, name) < PATH_MAX;
}

/* For a file that does not exist yet: its directory must exist. */
static bool resolve_new(const char *path, char out[static PATH_MAX]) {
    char directory[PATH_MAX], real[PATH_MAX];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!name[0]) {
        errno = EISDIR;
        return false;
    }
    if (!beside(path, ".", directory))
        return false;
    return realpath(directory, real) &&
           snprintf(out, PATH_MAX, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name) < PATH_MAX;
}

/* Makes a path absolute and free of links, even if the last one leads to a file that does not exist
 * yet. */
static bool resolve(const char *path, char out[static PATH_MAX]) {
    char at[PATH_MAX], target[PATH_MAX], next[PATH_MAX];
    struct stat file;
    errno = ENAMETOOLONG;
    if (snprintf(at, sizeof at, "%s", path) >= (int)sizeof at)
        return false;
    for (int links = 0; links < MAX_LINKS; links++) {
        if (realpath(at, out))
            return true;
        if (errno != ENOENT || stat(at, &file) == 0) /* an open file that was removed */
            return false;
        const ssize_t length = readlink(at, target, sizeof target - 1);
        if (length < 0)
            return resolve_new(at, out);
        target[length] = '\0';
        errno = ENAMETOOLONG;
        if (!beside(at, target, next))
            return false;
        memcpy(at, next, sizeof at);
    }
    errno = ELOOP;
    return false;
}

static bool check_names(const struct stat *file, const char *path, char *error, size_t error_size) {
    if (file->st_nlink > 1)
        snprintf(error, error_size,
                 "%s has %lu names (hard links): the database's log is kept next to only one of "
                 "them, so remove the others",
                 path, (unsigned long)file->st_nlink);
    return file->st_nlink <= 1;
}

bool owner_has_one_name(const char *path, char *error, size_t error_size) {
    struct stat file;
    return stat(path, &file) != 0 || check_names(&file, path, error, error_size);
}

/* ------------------------------------------------------------------ the locks */

/* On network file systems, flock() takes the kind of lock that SQLite takes, and they conflict. */
static bool has_true_flock(int file) {
    static const unsigned long network[] = {0x6969 /* NFS */, 0xFF534D42 /* CIFS */,
                                            0xFE534D42 /* SMB2 */, 0x517B /* SMB */};
    struct statfs system;
    if (fstatfs(file, &system) != 0)
        return true;
    for (size_t i = 0; i < sizeof network / sizeof *network; i++)
        if (((unsigned long)system.f_type & 0xFFFFFFFF) == network[i])
            return false;
    return true;
}

static bool lock(int file, const char *path, const char *locked, char *error, size_t error_size) {
    if (flock(file, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno != EWOULDBLOCK)
        return owner_fail(error, error_size, locked, strerror(errno));
    snprintf(error, error_size, "%s is in use by another denoised (%s is locked)", path, locked);
    return false;
}

/* Opens a file, or creates it and sets *made. -1: errno says why. */
static int open_or_make(const char *path, int flags, bool *made) {
    const int common = O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags;
    int file;
    do {
        *made = false;
        file = open(path, common);
        if (file >= 0 || errno != ENOENT)
            return file;
        *made = true;
        file = open(path, common | O_CREAT | O_EXCL, 0600);
    } while (file < 0 && errno == EEXIST);
    return file;
}

/* Is the file still the one of this name? A start that was refused may have removed it. */
static bool is_named(int file, const char *path) {
    struct stat ours, named;
    return fstat(file, &ours) == 0 && lstat(path, &named) == 0 && ours.st_dev == named.st_dev &&
           ours.st_ino == named.st_ino;
}

static bool lock_name(struct owner *owner, char *error, size_t error_size) {
    const char *path = owner->lock_path;
    for (;;) {
        owner->name_lock = open_or_make(path, 0, &owner->made_name_lock);
        if (owner->name_lock < 0)
            return owner_fail(error, error_size, path, strerror(errno));
        if (!lock(owner->name_lock, owner->path, path, error, error_size)) {
            owner->made_name_lock = false;                   /* another process uses it now, */
            owner->made_file &= has_true_flock(owner->file); /* and, without flock(), the file */
            return false;
        }
        if (is_named(owner->name_lock, path))
            return true;
        close(owner->name_lock);
    }
}

static bool lock_file(struct owner *owner, char *error, size_t error_size) {
    struct stat file;
    /* O_NONBLOCK: do not wait if it is a pipe. */
    owner->file = open_or_make(owner->path, O_NONBLOCK | O_NOCTTY, &owner->made_file);
    if (owner->file < 0 || fstat(owner->file, &file) != 0)
        return owner_fail(error, error_size, owner->path, strerror(errno));
    if (!S_ISREG(file.st_mode))
        return owner_fail(error, error_size, owner->path, "is not a regular file");
    if (!check_names(&file, owner->path, error, error_size))
        return false;
    if (!has_true_flock(owner->file))
        log_line(LOG_WARN,
                 "the database is on a network file system: only its lock file keeps out a second "
                 "server",
                 NULL);
    else if (!lock(owner->file, owner->path, "the file", error, error_size)) {
        owner->made_file = false;
        return false;
    }
    /* Its previous owner may have moved it. */
    if (!is_named(owner->file, owner->path))
        return owner_fail(error, error_size, owner->path, "was moved while it was being opened");
    owner->files[DATABASE].device = file.st_dev;
    owner->files[DATABASE].inode = file.st_ino;
    owner->watched = DATABASE + 1;
    return true;
}

struct owner *owner_take(const char *path, char *error, size_t error_size) {
    struct owner *owner = calloc(1, sizeof *owner);
    char real[PATH_MAX] = "";
    if (!owner) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    owner->file = owner->name_lock = -1;
    if (!resolve(path, real)) {
        owner_fail(error, error_size, path, strerror(errno));
        owner_release(owner);
        return NULL;
    }
    memcpy(owner->path, real, sizeof real);
    snprintf(owner->lock_path, sizeof owner->lock_path, "%s.lock", real);
    for (int i = 0; i < FILES; i++)
        snprintf(owner->files[i].path, sizeof owner->files[i].path, "%s%s", real, suffixes[i]);
    if (!lock_file(owner, error, error_size) || !lock_name(owner, error, error_size)) {
        owner_refuse(owner);
        return NULL;
    }
    return owner;
}

void owner_refuse(struct owner *owner) {
    struct stat file;
    if (owner->made_name_lock && owner->name_lock >= 0 &&
        is_named(owner->name_lock, owner->lock_path))
        unlink(owner->lock_path);
    if (owner->made_file && owner->file >= 0 && fstat(owner->file, &file) == 0 &&
        file.st_size == 0 && is_named(owner->file, owner->path))
        unlink(owner->path);
    owner_release(owner);
}

void owner_release(struct owner *owner) {
    if (!owner)
        return;
    if (owner->name_lock >= 0)
        close(owner->name_lock); /* the file stays: deleting it would race with the next owner */
    if (owner->file >= 0)
        close(owner->file);
    free(owner);
}

const char *owner_path(const struct owner *owner) {
    return owner->path;
}

/* ------------------------------------------------------------------ is it still there? */

bool owner_watch_log(struct owner *owner) {
    struct stat file;
    for (int i = LOG; i < FILES; i++) {
        if (lstat(owner->files[i].path, &file) != 0)
            return false;
        owner->files[i].device = file.st_dev;
        owner->files[i].inode = file.st_ino;
    }
    owner->watched = FILES;
    return true;
}

static void log_loss(struct owner *owner, int which, const char *what) {
    int expected = NOT_LOST;
    if (!atomic_compare_exchange_strong(&owner->state, &expected, BEING_LOGGED))
        return;
    snprintf(owner->loss, sizeof owner->loss, "%s %s", owner->files[which].path, what);
    log_line(LOG_ERROR, "the database is gone: nothing more is written", "what=\"%s\" path=%s",
             what, owner->files[which].path);
    atomic_store(&owner->state, LOST);
}

/* What has happened to one of the files; NULL: nothing. */
static const char *what_happened(const struct owner *owner, int which, int64_t least) {
    struct stat file, ours;
    if (lstat(owner->files[which].path, &file) != 0) {
        /* These errors say nothing about where it is, and SQLite will meet them as well. */
        if (errno == EIO || errno == ENOMEM)
            return NULL;
        const bool is_moved =
            which == DATABASE && fstat(owner->file, &ours) == 0 && ours.st_nlink > 0;
        return is_moved ? "was moved away" : "was removed";
    }
    if (file.st_dev != owner->files[which].device || file.st_ino != owner->files[which].inode)
        return S_ISLNK(file.st_mode) ? "was replaced by a link" : "was replaced by another file";
    return file.st_size < least ? "was truncated" : NULL;
}

bool owner_check_sizes(struct owner *owner, int64_t database, int64_t log) {
    const int64_t least[FILES] = {[DATABASE] = database, [LOG] = log};
    for (int i = 0; i < FILES && i < owner->watched && atomic_load(&owner->state) == NOT_LOST;
         i++) {
        const char *what = what_happened(owner, i, least[i]);
        if (what)
            log_loss(owner, i, what);
    }
    return atomic_load(&owner->state) == NOT_LOST;
}

bool owner_check(struct owner *owner) {
    /* Once the log is there, the file has its first page. */
    return owner_check_sizes(owner, owner->watched == FILES, 0);
}

int64_t owner_size(const struct owner *owner) {
    struct stat file;
    return fstat(owner->file, &file) == 0 ? file.st_size : 0;
}

int64_t owner_log_size(const struct owner *owner) {
    struct stat file;
    return stat(owner->files[LOG].path, &file) == 0 ? file.st_size : 0;
}

const char *owner_loss(const struct owner *owner) {
    const int state = atomic_load(&owner->state);
    return state == NOT_LOST ? NULL : state == LOST ? owner->loss : "the database is gone";
}
