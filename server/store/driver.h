/*
 * driver.h - what a database must be able to do for the store. Each has a folder here that fills in
 * one struct driver; store_open chooses it by the name of the database.
 *
 * Functions that can fail return a status, or leave it in session->status, and have logged why.
 */
#ifndef SERVER_STORE_DRIVER_H
#define SERVER_STORE_DRIVER_H

#include <pthread.h>
#include <stdarg.h>

#include "server/store/store.h"

enum { DRIVER_MAX_STATEMENTS = 256, DRIVER_MAX_COLUMNS = 100 };

/* A prepared statement of a session. */
struct sql_statement {
    const char *sql;
    struct store_session *session;
    void *native; /* what the driver keeps of it */
};

/* What is common to the sessions of all drivers, at the start of their own struct. */
struct store_session {
    const struct driver *driver;
    struct store_session *next; /* in the store's list of idle readers */
    bool is_lent;               /* a reader that a patient thread has (store_be_patient) */
    struct sql_statement cache[DRIVER_MAX_STATEMENTS];
    int cached;
    enum store_status status; /* of the current statement: STORE_OK until something fails */
    /* only of the writer: */
    char node[ID_LENGTH + 1]; /* for which it acts, see store_node_join */
    bool is_quiet;            /* its transaction makes no events */
    int64_t limit;            /* maximum bytes of the database; 0: no limit */
    struct {                  /* of store_queue_length_once */
        bool is_known;
        int64_t queued, waiting;
    } queue;
    struct { /* jobs that have ended in this transaction, by status: */
        int64_t noted[JOB_STATUS_COUNT], marked[JOB_STATUS_COUNT]; /* so far; at the savepoint */
    } endings;
};

/* The same for an open database. */
struct store {
    const struct driver *driver;
    char boot[ID_LENGTH + 1];
    struct store_session *writer;
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t freed;  /* a reader is idle, or gone */
    struct store_session *idle;
    int readers, most_readers; /* open ones, and as many as may be; 0: any number */
    int lent;                  /* those of patient threads */
};

struct news;
struct driver {
    bool is_shared;  /* several processes may use a database at the same time */
    int connections; /* to it, besides those of readers; 0: it needs none */
    int row_copies;  /* see store_row_copies */
    struct store_pace pace;

    /* The database: as the functions of store.h with these names. open returns a struct that begins
     * with a struct store, of which it has set only `driver` and `writer`; close frees it, after
     * its idle readers were closed. */
    struct store *(*open)(const char *path, const char *direct, char *error, size_t error_size);
    void (*close)(struct store *store);
    bool (*schema_fits)(struct store *store, char *error, size_t error_size);
    bool (*migrate)(struct store *store, char *error, size_t error_size);
    bool (*backup)(const char *from, const char *to, char *error, size_t error_size);
    const char *(*path)(const struct store *store);
    struct store_reach (*reach)(const struct store *store);
    const char *(*loss)(const struct store *store);
    bool (*is_there)(struct store *store);
    bool (*is_whole)(struct store *store);
    uint64_t (*version)(struct store *store);
    void (*sizes)(const struct store *store, int64_t *database, int64_t *log);
    void (*checkpoint)(struct store *store, bool is_full);
    /* Only of a database that can be away. close ends what keep_contact has started. */
    bool (*keep_contact)(struct store *store);
    double (*away)(const struct store *store);
    bool (*is_silent)(const struct store *store);
    /* Only of a server, which may have no connection left: as store_crowded. *may_connect: it is time
     * to ask it for one. */
    double (*crowded)(const struct store *store, bool *may_connect);

    /* Sessions. A reader is NULL when none can be opened. is_patient: for a patient thread. */
    struct store_session *(*open_reader)(struct store *store, bool is_patient);
    /* Only if it is shared: another session that writes, which store_begin connects, and which waits
     * for an answer for so many seconds. */
    struct store_session *(*open_writer)(struct store *store, double patience);
    /* Connects it, unless it is connected; NULL: there is nothing to connect. */
    enum store_status (*connect)(struct store_session *session);
    /* Only if it is shared: as the functions of nodes.h. */
    bool (*is_outdated)(struct store_session *session);
    enum store_status (*try_alone)(struct store_session *session, bool *is_alone);
    struct store_session *(*open_listener)(struct store *store);
    enum store_status (*listen)(struct store_session *listener, int wake, struct news *news);
    enum store_status (*tell_cancel)(struct store_session *listener, const char *job);
    bool (*is_usable)(struct store_session *session); /* an idle one: its connection is not lost */
    void (*close_session)(struct store_session *session);
    enum store_status (*ping)(struct store_session *session);
    enum store_status (*limit)(struct store_session *session, int64_t bytes);
    enum store_status (*used)(struct store_session *session, int64_t *bytes);
    /* The last id that was given to an event, also if it has been deleted. */
    enum store_status (*last_event)(struct store_session *session, int64_t *id);
    /* The same, but at most `wanted`, and such that no event with a smaller id can appear any more.
     * At first it waits until it knows one. NULL: it is the last event. */
    enum store_status (*horizon)(struct store_session *session, int64_t wanted, int64_t *id);
    /* Raises that; not for the session of a writer. NULL with horizon. */
    enum store_status (*settle)(struct store_session *session, bool for_others);
    double (*event_pause)(struct store *store); /* NULL: as long as nothing is committed here */

    /* Transactions. What fails with STORE_BUSY, STORE_TAKEN or STORE_AWAY has ended its
     * transaction: keep and commit return the same, and abort is due. */
    enum store_status (*begin)(struct store_session *session);
    enum store_status (*commit)(struct store_session *session);
    void (*abort)(struct store_session *session);
    enum store_status (*savepoint)(struct store_session *session);
    enum store_status (*keep)(struct store_session *session, bool keep);
    enum store_status (*begin_reading)(struct store_session *session);
    enum store_status (*end_reading)(struct store_session *session);

    /* Statements. prepare returns what is kept in sql_statement.native, or NULL; the statement is
     * valid until its session is closed. bind gets some values, from the parameter `first` on,
     * counted from 1: all at once, or in several calls. */
    void *(*prepare)(struct store_session *session, const char *sql, const char *types);
    void (*bind)(struct sql_statement *statement, int first, const char *types, va_list values);
    bool (*row)(struct sql_statement *statement);
    void (*done)(struct sql_statement *statement);
    /* Runs a bound statement instead of row, as sql_later; done follows. */
    void (*later)(struct sql_statement *statement);
    int64_t (*changes)(struct store_session *session);

    /* The transaction of a copy may take as long as it needs. NULL: any may. */
    enum store_status (*take_time)(struct store_session *session);
    /* Copies of whole tables (copy.c), in a transaction of the writer. load_begin turns off what a
     * table does by itself when rows change, and keeps others from writing to it, and load_end turns
     * it on again. load inserts all rows of another database's statement, column by column of the
     * same name. last is the last number that was given to the table's key, also if its row has been
     * deleted; 0: none. */
    enum store_status (*load_begin)(struct store_session *session, const char *table);
    enum store_status (*load)(struct store_session *session, const char *table,
                              struct sql_statement *rows, int64_t *count);
    enum store_status (*load_end)(struct store_session *session, const char *table);
    enum store_status (*last)(struct store_session *session, const char *table, const char *key,
                              int64_t *last);
    enum store_status (*set_last)(struct store_session *session, const char *table, const char *key,
                                  int64_t last);

    /* The columns of the current row, counted from 0. NULL is 0, or a NULL pointer. Pointers are
     * valid until the next row. */
    bool (*is_null)(const struct sql_statement *row, int column);
    int64_t (*integer)(const struct sql_statement *row, int column);
    double (*number)(const struct sql_statement *row, int column);
    const char *(*text)(const struct sql_statement *row, int column);
    const void *(*blob)(const struct sql_statement *row, int column, size_t *size);
    /* The name of a column, and its type as for sql_prepare; 0: there is no such column. */
    char (*column)(const struct sql_statement *row, int column, const char **name);
};

extern const struct driver sqlite_driver;     /* sqlite/driver.c */
extern const struct driver postgresql_driver; /* postgresql/driver.c */

#endif
