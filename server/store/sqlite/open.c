/* Opens and closes the file of a database: setup, migrations, and sessions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/fault.h"
#include "server/base/log.h"
#include "server/store/migrations.h"
#include "server/store/sqlite/owner.h"
#include "server/store/sqlite/sqlite.h"

enum {
    QUICK_CHECK_BYTES = 64 << 20,
    GROWTH_BYTES = 16 * SQLITE_PAGE_BYTES, /* by how much the file grows at a time */
    WAL_PASSIVE_PAGES = (4 << 20) / SQLITE_PAGE_BYTES,
    WAL_TRUNCATE_PAGES = (64 << 20) / SQLITE_PAGE_BYTES,
    WAL_HEADER_BYTES = 32,
    WAL_FRAME_BYTES = 24, /* before each page */
};

struct sqlite_store {
    struct store base;
    struct owner *owner;
    int64_t size; /* of the file when the log was last moved into it; it never shrinks */
};

static struct sqlite_store *sqlite_of(const struct store *store) {
    return (struct sqlite_store *)store;
}

static struct sqlite_session *writer_of(const struct store *store) {
    return (struct sqlite_session *)store->writer;
}

static void session_close(struct sqlite_session *session) {
    if (!session)
        return;
    for (int i = 0; i < session->base.cached; i++)
        sqlite3_finalize(session->base.cache[i].native);
    sqlite3_close(session->db);
    free(session);
}

void sqlite_close_session(struct store_session *session) {
    session_close((struct sqlite_session *)session);
}

static struct sqlite_session *session_open(const char *path, int flags, const char *setup,
                                           char *error, size_t error_size) {
    struct sqlite_session *session = calloc(1, sizeof *session);
    if (!session) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    session->base.driver = &sqlite_driver;
    int code = sqlite3_open_v2(path, &session->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(session->db, 1);
        sqlite3_db_config(session->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_busy_timeout(session->db, 5000);
        code = sqlite3_exec(session->db, setup, NULL, NULL, NULL);
    }
    if (code != SQLITE_OK) {
        owner_fail(error, error_size, path,
                   session->db ? sqlite3_errmsg(session->db) : sqlite3_errstr(code));
        session_close(session);
        return NULL;
    }
    return session;
}

int sqlite_integer(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement = NULL;
    int value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static bool is_sound(struct sqlite_session *session, const char *path, char *error,
                     size_t error_size) {
    sqlite3 *db = session->db;
    int application = sqlite_integer(db, "PRAGMA application_id");
    int tables = sqlite_integer(db, "SELECT count(*) FROM sqlite_schema");
    if (application != SQLITE_APPLICATION && (application != 0 || tables != 0)) {
        snprintf(error, error_size, "%s is not a denoised database", path);
        return false;
    }
    const int version = sqlite_integer(db, "PRAGMA user_version");
    const int newest = sqlite_migrations[sqlite_migration_count - 1].number;
    if (version > 0 && version < sqlite_migrations[0].number) {
        snprintf(
            error, error_size,
            "%s was made by denoised 0.1.0, which this version cannot read: start with another "
            "--database, or keep denoised 0.1.0 for it",
            path);
        return false;
    }
    if (version > newest) {
        snprintf(error, error_size,
                 "%s has schema %d, but this program knows only up to %d: use a newer denoised",
                 path, version, newest);
        return false;
    }
    return true;
}

/* Are the pages of the file valid? This takes as long as reading the file. */
static bool is_undamaged(struct sqlite_session *session, const struct owner *owner, char *error,
                         size_t error_size) {
    const int64_t size = owner_size(owner);
    if (size > QUICK_CHECK_BYTES) {
        log_line(LOG_INFO, "the database is too large to be checked at the start", "bytes=%lld",
                 (long long)size);
        return true;
    }
    sqlite3_stmt *row = NULL;
    const char *found = NULL;
    int code = sqlite3_prepare_v2(session->db, "PRAGMA quick_check(1)", -1, &row, NULL);
    if (code == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW)
        found = (const char *)sqlite3_column_text(row, 0);
    const bool good = found && strcmp(found, "ok") == 0;
    if (!good)
        snprintf(error, error_size, "%s is damaged (%s): replace it with a backup",
                 owner_path(owner), found ? found : sqlite3_errmsg(session->db));
    sqlite3_finalize(row);
    return good;
}

/* Applies all missing migrations in one transaction: the file has the old schema or the new one,
 * and nothing in between. */
static bool migrate(sqlite3 *db, char *error, size_t error_size) {
    int version = sqlite_integer(db, "PRAGMA user_version");
    int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    const char *at = "begin";
    if (version == 0)
        log_line(LOG_INFO, "created a new database", "schema=%d",
                 sqlite_migrations[sqlite_migration_count - 1].number);
    for (int i = 0; i < sqlite_migration_count && code == SQLITE_OK; i++) {
        if (sqlite_migrations[i].number <= version)
            continue;
        at = sqlite_migrations[i].name;
        code = sqlite3_exec(db, sqlite_migrations[i].sql, NULL, NULL, NULL);
        if (version > 0)
            log_line(LOG_INFO, "migrating", "migration=%s", at);
    }
    if (code == SQLITE_OK) {
        /* PRAGMA takes no parameters; both values are integers of this program. */
        char marks[96];
        snprintf(marks, sizeof marks,
                 "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", SQLITE_APPLICATION,
                 sqlite_migrations[sqlite_migration_count - 1].number);
        at = "commit";
        FAULT_POINT("migrate.before_commit");
        code = sqlite3_exec(db, marks, NULL, NULL, NULL);
    }
    if (code != SQLITE_OK) {
        snprintf(error, error_size, "migration %s: %s", at, sqlite3_errmsg(db));
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    return code == SQLITE_OK;
}

/* Called after the commit, and before it is reported to anybody. */
static int on_commit(void *argument, sqlite3 *db, const char *name, int pages) {
    (void)db, (void)name;
    struct sqlite_session *session = argument;
    session->wal_pages = pages;
    atomic_fetch_add(&session->commits, 1);
    return SQLITE_OK;
}

static void move_log(struct sqlite_session *session, int mode) {
    const int code = sqlite3_wal_checkpoint_v2(session->db, NULL, mode, NULL, NULL);
    if (code == SQLITE_OK && mode == SQLITE_CHECKPOINT_TRUNCATE)
        session->wal_pages = 0; /* until the next commit */
    /* SQLITE_BUSY only means that a reader still needs part of the log: the next one succeeds. */
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY)
        sqlite_failure(session->db, code, "checkpoint");
}

/* Moves a long log, for which a stop had no time, into the database before anybody waits for it. */
static void move_long_log(struct sqlite_session *session, const struct owner *owner) {
    const int64_t bytes = owner_log_size(owner);
    if (bytes / SQLITE_PAGE_BYTES <= WAL_TRUNCATE_PAGES)
        return;
    log_line(LOG_INFO, "moving a long write-ahead log into the database", "bytes=%lld",
             (long long)bytes);
    move_log(session, SQLITE_CHECKPOINT_TRUNCATE);
}

static struct sqlite_session *open_writer(const struct owner *owner, char *error,
                                          size_t error_size) {
    /* Only this connection moves the log into the database, between transactions and never
     * automatically: SQLite 3.40 can lose a commit when two connections reset the log at once.
     * EXTRA until the log is in use: a new database gets its first page through a rollback journal.
     * If that reappeared after a power cut, it would roll the database back to nothing, and the log
     * with it. EXTRA syncs the directory when the journal is deleted. */
    static const char setup[] =
        "PRAGMA synchronous=EXTRA; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA "
        "wal_autocheckpoint=0;"
        "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
        "PRAGMA secure_delete=FAST; PRAGMA journal_size_limit=67108864; PRAGMA mmap_size=0;"
        "PRAGMA temp_store=MEMORY;";
    const char *path = owner_path(owner);
    struct sqlite_session *session = session_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                                  "PRAGMA trusted_schema=OFF", error, error_size);
    if (!session)
        return NULL;
    if (!is_sound(session, path, error, error_size) ||
        !is_undamaged(session, owner, error, error_size))
        goto fail;
    if (sqlite3_exec(session->db, setup, NULL, NULL, NULL) != SQLITE_OK) {
        owner_fail(error, error_size, path, sqlite3_errmsg(session->db));
        goto fail;
    }
    sqlite3_wal_hook(session->db, on_commit, session);
    sqlite3_file_control(session->db, "main", SQLITE_FCNTL_CHUNK_SIZE, &(int){GROWTH_BYTES});
    if (!migrate(session->db, error, error_size))
        goto fail;
    FAULT_POINT("migrate.committed");
    move_long_log(session, owner);
    return session;
fail:
    session_close(session);
    return NULL;
}

/* The database and what SQLite has created must exist: the file may have been moved meanwhile. */
static bool watch_files(struct sqlite_store *store, char *error, size_t error_size) {
    struct sqlite_session *writer = writer_of(&store->base);
    writer->page_bytes = sqlite_integer(writer->db, "PRAGMA page_size");
    store->size = owner_size(store->owner);
    if (owner_watch_log(store->owner) && sqlite_is_whole(&store->base))
        return true;
    snprintf(error, error_size, "%s was moved while it was being opened", owner_path(store->owner));
    return false;
}

struct store *sqlite_open(const char *path, const char *unused, char *error, size_t error_size) {
    (void)unused;
    struct sqlite_store *store = calloc(1, sizeof *store);
    if (!store) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    struct sqlite_session *writer = NULL;
    store->base.driver = &sqlite_driver;
    store->owner = owner_take(path, error, error_size);
    if (store->owner)
        writer = open_writer(store->owner, error, error_size);
    if (!writer && store->owner) {
        owner_refuse(store->owner);
        store->owner = NULL;
    }
    store->base.writer = (struct store_session *)writer;
    if (!writer || !watch_files(store, error, error_size)) {
        sqlite_close(&store->base);
        return NULL;
    }
    return &store->base;
}

void sqlite_close(struct store *store) {
    struct owner *owner = sqlite_of(store)->owner;
    struct sqlite_session *writer = writer_of(store);
    /* Closing the last connection moves the log into the database, unless that would take long:
     * then the next start does it. It also deletes the log by its name. If another file has that
     * name now, the connection and the locks stay until the process ends. */
    if (!owner || owner_check(owner)) {
        if (writer && writer->wal_pages > WAL_TRUNCATE_PAGES)
            sqlite3_db_config(writer->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        session_close(writer);
        owner_release(owner);
    }
    free(sqlite_of(store));
}

const char *sqlite_path(const struct store *store) {
    return owner_path(sqlite_of(store)->owner);
}

const char *sqlite_loss(const struct store *store) {
    return owner_loss(sqlite_of(store)->owner);
}

bool sqlite_is_there(struct store *store) {
    return owner_check(sqlite_of(store)->owner);
}

bool sqlite_is_whole(struct store *store) {
    const struct sqlite_session *writer = writer_of(store);
    const int64_t frame = WAL_FRAME_BYTES + writer->page_bytes, pages = writer->wal_pages;
    return owner_check_sizes(sqlite_of(store)->owner, sqlite_of(store)->size,
                             pages > 0 ? WAL_HEADER_BYTES + pages * frame : 0);
}

uint64_t sqlite_version(struct store *store) {
    struct sqlite_session *writer = writer_of(store);
    return atomic_load(&writer->committing) ? STORE_VERSION_UNKNOWN : atomic_load(&writer->commits);
}

void sqlite_sizes(const struct store *store, int64_t *database, int64_t *log) {
    *database = owner_size(sqlite_of(store)->owner);
    *log = owner_log_size(sqlite_of(store)->owner);
}

enum store_status sqlite_limit(struct store_session *session, int64_t bytes) {
    sqlite3 *db = ((struct sqlite_session *)session)->db;
    char pragma[64];
    if (bytes == 0)
        return STORE_OK;
    /* SQLite itself refuses to let the file grow beyond this. PRAGMA takes no parameters. */
    snprintf(pragma, sizeof pragma, "PRAGMA max_page_count = %lld",
             (long long)bytes / SQLITE_PAGE_BYTES);
    int code = sqlite3_exec(db, pragma, NULL, NULL, NULL);
    return code == SQLITE_OK ? STORE_OK : sqlite_failure(db, code, pragma);
}

/* Opens a new session, unless it may have opened another file. */
struct store_session *sqlite_open_reader(struct store *store, bool is_patient) {
    char error[256];
    (void)is_patient;
    if (!sqlite_is_there(store))
        return NULL;
    struct sqlite_session *session =
        session_open(sqlite_path(store), SQLITE_OPEN_READONLY,
                     "PRAGMA wal_autocheckpoint=0; PRAGMA query_only=ON;"
                     "PRAGMA trusted_schema=OFF; PRAGMA mmap_size=0;"
                     "PRAGMA temp_store=MEMORY;" /* the sandbox allows no other files */
                     "PRAGMA schema_version;",   /* reads, and so opens the log */
                     error, sizeof error);
    if (!session)
        log_line(LOG_ERROR, "cannot open a read-only session", "detail=%s", error);
    if (sqlite_is_there(store))
        return (struct store_session *)session;
    session_close(session);
    return NULL;
}

void sqlite_checkpoint(struct store *store, bool is_full) {
    struct sqlite_session *session = writer_of(store);
    const int enough = is_full ? 1 : WAL_PASSIVE_PAGES;
    if (session->wal_pages < enough || !sqlite_is_whole(store))
        return;
    const int mode = session->wal_pages < WAL_TRUNCATE_PAGES ? SQLITE_CHECKPOINT_PASSIVE
                                                             : SQLITE_CHECKPOINT_TRUNCATE;
    FAULT_POINT("store.before_checkpoint");
    move_log(session, mode);
    sqlite_of(store)->size = owner_size(sqlite_of(store)->owner);
    session->file_bytes = 0; /* a rollback may have cut the file */
}
