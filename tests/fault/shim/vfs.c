/*
 * vfs.c - the file system under SQLite, with a memory and with moods.
 *
 * It stands before the real one. Each operation that changes or reads a file first passes a point
 * at which the process may die (page.c), then may fail as the page says, and at last is written
 * down in the file that DENOISED_FAULT_RECORD names, if it went well: what a disk was asked to do,
 * in order, from which tests/fault/powercut.py makes what a power cut may have left of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "server/base/fault.h"
#include "tests/fault/shim/page.h"

static sqlite3_vfs *real;
static int record = -1;
static pthread_mutex_t record_mutex = PTHREAD_MUTEX_INITIALIZER;

enum { NAME_BYTES = 16 };

struct file {
    sqlite3_file base;
    char name[NAME_BYTES]; /* what follows ".db", or "" */
    bool is_recorded;
    sqlite3_file *inner; /* follows this struct in memory */
};

static sqlite3_file *inner_of(sqlite3_file *file) {
    return ((struct file *)file)->inner;
}

/* ------------------------------------------------------------------ the record */

/* 'w'rite, 't'runcate (offset is the size), 's'ync, 'd'elete. harness.py knows this layout. */
struct entry {
    char what, name[NAME_BYTES - 1];
    int64_t offset, length;
};

static void write_down(char what, const char *name, int64_t offset, const void *bytes,
                       int64_t length) {
    if (record < 0)
        return;
    struct entry entry = {.what = what, .offset = offset, .length = length};
    strncpy(entry.name, name, sizeof entry.name - 1);
    pthread_mutex_lock(&record_mutex);
    const struct iovec parts[] = {{&entry, sizeof entry}, {(void *)bytes, (size_t)length}};
    if (writev(record, parts, 2) != (ssize_t)sizeof entry + length)
        _exit(99); /* a record with a hole would prove nothing */
    /* Not a sum: the server before may have been killed between its last entry and its counting. */
    atomic_store(&fault_page->recorded, (long long)lseek(record, 0, SEEK_CUR));
    pthread_mutex_unlock(&record_mutex);
}

/* "-wal" of ".../a.db-wal", "" of the database itself. */
static const char *suffix_of(const char *path) {
    const char *base = path ? strrchr(path, '/') : NULL;
    const char *end = base ? strstr(base, ".db") : NULL;
    return end ? end + strlen(".db") : "";
}

/* ------------------------------------------------------------------ failing operations */

static bool is(enum io_failure failure) {
    return atomic_load(&fault_page->io_failure) == (long long)failure;
}

/* errno is what SQLite asks for the reason. */
static bool fails(void) {
    if (!fault_fires(&fault_page->io))
        return false;
    errno = is(IO_QUOTA) ? EDQUOT : is(IO_NO_SPACE) || is(IO_SHORT_WRITE) ? ENOSPC : EIO;
    return true;
}

static int shim_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset) {
    if (is(IO_ERROR) && fails())
        return SQLITE_IOERR_READ;
    return inner_of(file)->pMethods->xRead(inner_of(file), bytes, size, offset);
}

static int shim_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset) {
    const struct file *self = (struct file *)file;
    FAULT_POINT("vfs.write");
    if (!is(IO_SYNC) && fails()) {
        if (is(IO_SHORT_WRITE))
            inner_of(file)->pMethods->xWrite(inner_of(file), bytes, size / 2, offset);
        return is(IO_ERROR) || is(IO_QUOTA) ? SQLITE_IOERR_WRITE : SQLITE_FULL;
    }
    int code = inner_of(file)->pMethods->xWrite(inner_of(file), bytes, size, offset);
    if (code == SQLITE_OK && self->is_recorded)
        write_down('w', self->name, offset, bytes, size);
    return code;
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size) {
    const struct file *self = (struct file *)file;
    FAULT_POINT("vfs.truncate");
    if (is(IO_ERROR) && fails())
        return SQLITE_IOERR_TRUNCATE;
    int code = inner_of(file)->pMethods->xTruncate(inner_of(file), size);
    if (code == SQLITE_OK && self->is_recorded)
        write_down('t', self->name, size, NULL, 0);
    return code;
}

static int shim_sync(sqlite3_file *file, int flags) {
    const struct file *self = (struct file *)file;
    FAULT_POINT("vfs.sync");
    if ((is(IO_ERROR) || is(IO_SYNC)) && fails())
        return SQLITE_IOERR_FSYNC;
    const long long delay = atomic_load(&fault_page->sync_delay);
    nanosleep(&(struct timespec){.tv_nsec = 1000L * (long)delay}, NULL);
    int code = inner_of(file)->pMethods->xSync(inner_of(file), flags);
    if (code == SQLITE_OK && self->is_recorded)
        write_down('s', self->name, 0, NULL, 0);
    return code;
}

static int shim_file_size(sqlite3_file *file, sqlite3_int64 *size) {
    return inner_of(file)->pMethods->xFileSize(inner_of(file), size);
}

/* The index of the log is a file, too, but nothing of it outlives a crash. It grows here. */
static int shim_shm_map(sqlite3_file *file, int page, int size, int extend,
                        void volatile **memory) {
    if (!is(IO_SHORT_WRITE) && !is(IO_SYNC) && extend && fails())
        return SQLITE_IOERR_SHMSIZE;
    return inner_of(file)->pMethods->xShmMap(inner_of(file), page, size, extend, memory);
}

/* ------------------------------------------------------------------ operations that pass through
 */

static int shim_close(sqlite3_file *file) {
    return inner_of(file)->pMethods->xClose(inner_of(file));
}

static int shim_lock(sqlite3_file *file, int level) {
    return inner_of(file)->pMethods->xLock(inner_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level) {
    return inner_of(file)->pMethods->xUnlock(inner_of(file), level);
}

static int shim_check_lock(sqlite3_file *file, int *is_reserved) {
    return inner_of(file)->pMethods->xCheckReservedLock(inner_of(file), is_reserved);
}

static int shim_control(sqlite3_file *file, int operation, void *argument) {
    return inner_of(file)->pMethods->xFileControl(inner_of(file), operation, argument);
}

static int shim_sector_size(sqlite3_file *file) {
    return inner_of(file)->pMethods->xSectorSize(inner_of(file));
}

static int shim_characteristics(sqlite3_file *file) {
    return inner_of(file)->pMethods->xDeviceCharacteristics(inner_of(file));
}

static int shim_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    return inner_of(file)->pMethods->xShmLock(inner_of(file), offset, count, flags);
}

static void shim_shm_barrier(sqlite3_file *file) {
    inner_of(file)->pMethods->xShmBarrier(inner_of(file));
}

static int shim_shm_unmap(sqlite3_file *file, int is_last) {
    return inner_of(file)->pMethods->xShmUnmap(inner_of(file), is_last);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* no mapping of the database itself: mmap_size is 0 */
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_file_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check_lock,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector_size,
    .xDeviceCharacteristics = shim_characteristics,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

/* ------------------------------------------------------------------ files */

static int shim_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                     int *flags_out) {
    (void)vfs;
    struct file *self = (struct file *)file;
    memset(self, 0, sizeof *self);
    FAULT_POINT("vfs.open");
    if (is(IO_ERROR) && fails())
        return SQLITE_CANTOPEN;
    self->inner = (sqlite3_file *)(self + 1);
    self->is_recorded =
        path && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
    strncpy(self->name, suffix_of(path), sizeof self->name - 1);
    int code = real->xOpen(real, path, self->inner, flags, flags_out);
    if (self->inner->pMethods)
        self->base.pMethods = &methods;
    return code;
}

static int shim_delete(sqlite3_vfs *vfs, const char *path, int sync_directory) {
    (void)vfs;
    FAULT_POINT("vfs.delete");
    if (is(IO_ERROR) && fails())
        return SQLITE_IOERR_DELETE;
    int code = real->xDelete(real, path, sync_directory);
    if (code == SQLITE_OK)
        write_down('d', suffix_of(path), sync_directory, NULL, 0);
    return code;
}

static int shim_access(sqlite3_vfs *vfs, const char *path, int flags, int *result) {
    (void)vfs;
    return real->xAccess(real, path, flags, result);
}

static int shim_full_pathname(sqlite3_vfs *vfs, const char *path, int size, char *full) {
    (void)vfs;
    return real->xFullPathname(real, path, size, full);
}

__attribute__((constructor)) static void stand_before_the_real_one(void) {
    static sqlite3_vfs shim;
    const char *path = getenv("DENOISED_FAULT_RECORD");
    sqlite3_initialize();
    real = sqlite3_vfs_find(NULL);
    if (path && (record = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
        _exit(99);
    shim = *real; /* what needs no file of ours, such as the time, is the real one's */
    shim.zName = "denoised-faults";
    shim.szOsFile = (int)sizeof(struct file) + real->szOsFile;
    shim.xOpen = shim_open;
    shim.xDelete = shim_delete;
    shim.xAccess = shim_access;
    shim.xFullPathname = shim_full_pathname;
    if (sqlite3_vfs_register(&shim, 1) != SQLITE_OK)
        _exit(99);
}
