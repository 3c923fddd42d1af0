/* Opens and closes the database: setup, migrations, and sessions. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/fault.h"
#include "server/base/fold.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/store/migrations.h"
#include "server/store/owner.h"
#include "server/store/sql.h"

enum {
    PAGE_BYTES = 4096,
    QUICK_CHECK_BYTES = 64 << 20,
    GROWTH_BYTES = 16 * PAGE_BYTES, /* by how much the file grows at a time */
    WAL_PASSIVE_PAGES = (4 << 20) / PAGE_BYTES,
    WAL_TRUNCATE_PAGES = (64 << 20) / PAGE_BYTES,
    WAL_HEADER_BYTES = 32,
    WAL_FRAME_BYTES = 24, /* before each page */
};

struct store {
    struct owner *owner;
    char boot[ID_LENGTH + 1];
    struct store_session *writer;
    int64_t size;          /* of the file when the log was last moved into it; it never shrinks */
    pthread_mutex_t mutex; /* guards the list */
    struct store_session *idle;
};

static void session_close(struct store_session *session) {
    if (!session)
        return;
    for (int i = 0; i < session->cached; i++)
        sqlite3_finalize(session->cache[i].statement);
    sqlite3_close(session->db);
    free(session);
}

/* fold(text): see fold.h. */
static void sql_fold(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    const char *text = (const char *)sqlite3_value_text(values[0]);
    const size_t length = (size_t)sqlite3_value_bytes(values[0]);
    char *folded = text ? sqlite3_malloc64(FOLD_BYTES(length)) : NULL;
    if (folded)
        sqlite3_result_text64(context, folded, fold_text(text, length, folded), sqlite3_free,
                              SQLITE_UTF8);
    else if (text)
        sqlite3_result_error_nomem(context);
}

int sql_add_functions(sqlite3 *db) {
    return sqlite3_create_function(db, "fold", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                   sql_fold, NULL, NULL);
}

static struct store_session *session_open(const char *path, int flags, const char *setup,
                                          char *error, size_t error_size) {
    struct store_session *session = calloc(1, sizeof *session);
    if (!session) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    int code = sqlite3_open_v2(path, &session->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(session->db, 1);
        sqlite3_db_config(session->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_busy_timeout(session->db, 5000);
        code = sql_add_functions(session->db);
    }
    if (code == SQLITE_OK)
        code = sqlite3_exec(session->db, setup, NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        owner_fail(error, error_size, path,
                   session->db ? sqlite3_errmsg(session->db) : sqlite3_errstr(code));
        session_close(session);
        return NULL;
    }
    return session;
}

int sql_integer(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement = NULL;
    int value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static bool is_sound(struct store_session *session, const char *path, char *error,
                     size_t error_size) {
    sqlite3 *db = session->db;
    int application = sql_integer(db, "PRAGMA application_id");
    int tables = sql_integer(db, "SELECT count(*) FROM sqlite_schema");
    if (application != SQL_APPLICATION_ID && (application != 0 || tables != 0)) {
        snprintf(error, error_size, "%s is not a denoised database", path);
        return false;
    }
    const int version = sql_integer(db, "PRAGMA user_version");
    const int newest = migrations[migration_count - 1].number;
    if (version > 0 && version < migrations[0].number) {
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
static bool is_undamaged(struct store_session *session, const struct owner *owner, char *error,
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
    int version = sql_integer(db, "PRAGMA user_version");
    int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    const char *at = "begin";
    if (version == 0)
        log_line(LOG_INFO, "created a new database", "schema=%d",
                 migrations[migration_count - 1].number);
    for (int i = 0; i < migration_count && code == SQLITE_OK; i++) {
        if (migrations[i].number <= version)
            continue;
        at = migrations[i].name;
        code = sqlite3_exec(db, migrations[i].sql, NULL, NULL, NULL);
        if (version > 0)
            log_line(LOG_INFO, "migrating", "migration=%s", at);
    }
    if (code == SQLITE_OK) {
        /* PRAGMA takes no parameters; both values are integers of this program. */
        char marks[96];
        snprintf(marks, sizeof marks,
                 "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", SQL_APPLICATION_ID,
                 migrations[migration_count - 1].number);
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
    struct store_session *session = argument;
    session->wal_pages = pages;
    atomic_fetch_add(&session->commits, 1);
    return SQLITE_OK;
}

static void move_log(struct store_session *session, int mode) {
    const int code = sqlite3_wal_checkpoint_v2(session->db, NULL, mode, NULL, NULL);
    if (code == SQLITE_OK && mode == SQLITE_CHECKPOINT_TRUNCATE)
        session->wal_pages = 0; /* until the next commit */
    /* SQLITE_BUSY only means that a reader still needs part of the log: the next one succeeds. */
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY)
        sql_failure(session->db, code, "checkpoint");
}

/* Moves a long log, for which a stop had no time, into the database before anybody waits for it. */
static void move_long_log(struct store_session *session, const struct owner *owner) {
    const int64_t bytes = owner_log_size(owner);
    if (bytes / PAGE_BYTES <= WAL_TRUNCATE_PAGES)
        return;
    log_line(LOG_INFO, "moving a long write-ahead log into the database", "bytes=%lld",
             (long long)bytes);
    move_log(session, SQLITE_CHECKPOINT_TRUNCATE);
}

static struct store_session *open_writer(const struct owner *owner, char *error,
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
    struct store_session *session = session_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
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
static bool watch_files(struct store *store, char *error, size_t error_size) {
    store->writer->page_bytes = sql_integer(store->writer->db, "PRAGMA page_size");
    store->size = owner_size(store->owner);
    if (owner_watch_log(store->owner) && store_is_whole(store))
        return true;
    snprintf(error, error_size, "%s was moved while it was being opened", store_path(store));
    return false;
}

struct store *store_open(const char *path, char *error, size_t error_size) {
    struct store *store = calloc(1, sizeof *store);
    if (!store) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    fold_begin();
    id_new(store->boot);
    pthread_mutex_init(&store->mutex, NULL);
    store->owner = owner_take(path, error, error_size);
    if (store->owner)
        store->writer = open_writer(store->owner, error, error_size);
    if (!store->writer && store->owner) {
        owner_refuse(store->owner);
        store->owner = NULL;
    }
    if (!store->writer || !watch_files(store, error, error_size)) {
        store_close(store);
        return NULL;
    }
    return store;
}

void store_close(struct store *store) {
    while (store->idle) {
        struct store_session *session = store->idle;
        store->idle = session->next;
        session_close(session);
    }
    FAULT_POINT("store.before_close");
    /* Closing the last connection moves the log into the database, unless that would take long:
     * then the next start does it. It also deletes the log by its name. If another file has that
     * name now, the connection and the locks stay until the process ends. */
    if (!store->owner || owner_check(store->owner)) {
        if (store->writer && store->writer->wal_pages > WAL_TRUNCATE_PAGES)
            sqlite3_db_config(store->writer->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        session_close(store->writer);
        owner_release(store->owner);
    }
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

const char *store_boot(const struct store *store) {
    return store->boot;
}

const char *store_path(const struct store *store) {
    return owner_path(store->owner);
}

bool store_is_there(struct store *store) {
    return owner_check(store->owner);
}

bool store_is_whole(struct store *store) {
    const int64_t frame = WAL_FRAME_BYTES + store->writer->page_bytes,
                  pages = store->writer->wal_pages;
    return owner_check_sizes(store->owner, store->size,
                             pages > 0 ? WAL_HEADER_BYTES + pages * frame : 0);
}

const char *store_loss(const struct store *store) {
    return owner_loss(store->owner);
}

struct store_session *store_writer(struct store *store) {
    return store->writer;
}

uint64_t store_version(struct store *store) {
    return atomic_load(&store->writer->committing) ? STORE_VERSION_UNKNOWN
                                                   : atomic_load(&store->writer->commits);
}

enum store_status store_limit(struct store_session *session, int64_t bytes) {
    char pragma[64];
    session->limit = bytes;
    if (bytes == 0)
        return STORE_OK;
    /* SQLite itself refuses to let the file grow beyond this. PRAGMA takes no parameters. */
    snprintf(pragma, sizeof pragma, "PRAGMA max_page_count = %lld", (long long)bytes / PAGE_BYTES);
    int code = sqlite3_exec(session->db, pragma, NULL, NULL, NULL);
    return code == SQLITE_OK ? STORE_OK : sql_failure(session->db, code, pragma);
}

/* Opens a new session, unless it may have opened another file. */
static struct store_session *open_reader(struct store *store) {
    char error[256];
    if (!store_is_there(store))
        return NULL;
    struct store_session *session =
        session_open(store_path(store), SQLITE_OPEN_READONLY,
                     "PRAGMA wal_autocheckpoint=0; PRAGMA query_only=ON;"
                     "PRAGMA trusted_schema=OFF; PRAGMA mmap_size=0;"
                     "PRAGMA temp_store=MEMORY;" /* the sandbox allows no other files */
                     "PRAGMA schema_version;",   /* reads, and so opens the log */
                     error, sizeof error);
    if (!session)
        log_line(LOG_ERROR, "cannot open a read-only session", "detail=%s", error);
    if (store_is_there(store))
        return session;
    session_close(session);
    return NULL;
}

struct store_session *store_acquire(struct store *store) {
    if (store_loss(store))
        return NULL;
    pthread_mutex_lock(&store->mutex);
    struct store_session *session = store->idle;
    if (session)
        store->idle = session->next;
    pthread_mutex_unlock(&store->mutex);
    return session ? session : open_reader(store);
}

void store_release(struct store *store, struct store_session *session) {
    pthread_mutex_lock(&store->mutex);
    session->next = store->idle;
    store->idle = session;
    pthread_mutex_unlock(&store->mutex);
}

bool store_ping(struct store_session *session) {
    int64_t tables;
    sqlite3_stmt *row = sql_prepare(session, "SELECT count(*) FROM sqlite_schema", "");
    return sql_value(session, row, &tables, STORE_ERROR) == STORE_OK;
}

void store_sizes(const struct store *store, int64_t *database, int64_t *log) {
    *database = owner_size(store->owner);
    *log = owner_log_size(store->owner);
}

void store_checkpoint(struct store *store, bool is_full) {
    struct store_session *session = store->writer;
    const int enough = is_full ? 1 : WAL_PASSIVE_PAGES;
    if (session->wal_pages < enough || !store_is_whole(store))
        return;
    const int mode = session->wal_pages < WAL_TRUNCATE_PAGES ? SQLITE_CHECKPOINT_PASSIVE
                                                             : SQLITE_CHECKPOINT_TRUNCATE;
    FAULT_POINT("store.before_checkpoint");
    move_log(session, mode);
    store->size = owner_size(store->owner);
    session->file_bytes = 0; /* a rollback may have cut the file */
}
