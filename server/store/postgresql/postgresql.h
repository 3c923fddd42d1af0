/*
 * postgresql.h - the parts of the driver for PostgreSQL: connections (connection.c), whether the
 * database can be reached (contact.c), statements (driver.c), the database (open.c), and its schema
 * (schema.c).
 */
#ifndef SERVER_STORE_POSTGRESQL_POSTGRESQL_H
#define SERVER_STORE_POSTGRESQL_POSTGRESQL_H

#include <stdatomic.h>

#include "server/store/driver.h"
#include "server/store/postgresql/libpq.h"

enum { POSTGRESQL_MOST_UNANSWERED = 64 };

struct postgresql_session {
    struct store_session base;
    PGconn *connection;            /* NULL: none; begin opens the writer's again */
    int generation;                /* of the connection: statements were prepared on one */
    double connected;              /* when that was made, in monotonic seconds */
    struct sql_statement *running; /* whose rows are still arriving */
    int64_t changes;               /* rows that the last statement has changed */
    int unanswered; /* statements whose answers were not read (pipeline.c), and their texts: */
    const char *unanswered_sql[POSTGRESQL_MOST_UNANSWERED];
    bool reads_alone;               /* a transaction that only begin_reading has begun */
    double patience;                /* seconds to wait for an answer; 0: the usual ones */
    struct postgresql_store *store; /* NULL: it looks whether the database is there */
    /* STORE_BUSY, STORE_TAKEN or STORE_AWAY, once that has ended the transaction */
    enum store_status trouble;
    bool is_in_pipeline; /* the running statement is the last of one */
    bool is_pooled; /* its connection is to a pooler, which gives each transaction any session */
    bool is_direct; /* it must not be */
    bool has_grown; /* its connection keeps the memory of a large row until it is closed */
    bool is_vital;  /* the lease depends on it: it never waits until somebody may connect */
    bool need_not_last; /* what it commits may be lost when the server crashes */
    bool is_reader;   /* requests wait for it, unless a patient thread has it (store_be_patient) */
    bool is_refused;  /* the server had no connection left for it */
    bool has_changed; /* since the last savepoint, of one that writes, */
    bool had_changed; /* and in this transaction before that */
    long long own_lock; /* of one that writes: the advisory lock of its transactions */
};

/* Of events (horizon.c). */
struct horizon {
    atomic_llong id;       /* all up to this one are visible, or never will be; 0: not known yet */
    atomic_ullong commits; /* of the loud ones of this process, those whose events are up to it */
    _Atomic double heard;  /* monotonic seconds: when somebody looked, or told it */
    _Atomic double next;   /* the same: when to look for it again, at the earliest */
    atomic_int
        failures; /* looks since the last one after which no event of this process was beyond */
    pthread_mutex_t mutex;   /* one thread at a time looks for it; guards the rest */
    int64_t newest;          /* event as of the last look; 0: there was none */
    struct writing *writing; /* [count]: the transactions that might make events, as of that */
    size_t count;
    int64_t owed; /* newest event of an earlier look; 0: the horizon has come to it, and with it */
    unsigned long long owed_commits; /* to what so many commits had made */
    double told;                     /* when the log told of delays */
    pthread_mutex_t hearing;         /* guards what follows */
    int64_t heard_id;                /* told by somebody, and not believed yet; 0: nothing */
    int teller;                      /* the number of that session of the server */
};

struct postgresql_store {
    struct store base;
    char *uri;    /* as given, with its password: never shown */
    char *direct; /* past a pooler at uri, as given; NULL: there is no pooler */
    char *name;   /* for people: host, port and database */
    struct store_reach reach;
    char *files[STORE_REACH_FILES]; /* those of it */
    atomic_ullong commits;          /* of this process that have changed something, */
    atomic_ullong loud_commits;     /* and those of them that may have made events */
    struct horizon horizon;
    struct contact *contact; /* NULL: nobody watches over it */
};

/* ---------------------------------------------------------------- connections */

/* Connects, if there is no connection that works; false and a message on failure. */
bool postgresql_connect(struct postgresql_session *session, const char *uri, char *error,
                        size_t error_size);
/* Closes the connection; what it was doing is undone by the server. */
void postgresql_disconnect(struct postgresql_session *session);
bool postgresql_is_connected(const struct postgresql_session *session);
/* Is it of use for another transaction: connected, outside of one, without the memory of a large row,
 * and has the server nothing to say? Usually that would be why it has ended the connection. It is of
 * none if others of its age were lost without a word. */
bool postgresql_is_idle(const struct postgresql_session *session);
/* For a session that reads or writes: the same, but not while the database is away. */
enum store_status postgresql_take(struct postgresql_session *session);
/* Waits for the next result; NULL: there is no further one, or the connection is lost. */
PGresult *postgresql_result(struct postgresql_session *session);
/* Reads all that is left, into nothing. The last failure among the results, or STORE_OK. */
enum store_status postgresql_drain(struct postgresql_session *session, const char *sql);
/* The meaning of a failed result, or with NULL, of a lost connection; logs it. */
enum store_status postgresql_failure(struct postgresql_session *session, const PGresult *result,
                                     const char *sql);
/* What the server does for a session (SET), or if it cannot be told that, for a transaction (SET
 * LOCAL). It ends the transaction of a client that is frozen, or cut off without a word, because the
 * locks that it holds would stop all others. */
#define POSTGRESQL_LIMITS(set)                                                                     \
    set " idle_in_transaction_session_timeout = '5s';" set " statement_timeout = '12s';" set       \
        " lock_timeout = '2s';"
/* Statements without parameters and rows. */
enum store_status postgresql_command(struct postgresql_session *session, const char *sql);
/* Ends a transaction that has failed. A connection that is lost has none any more. */
void postgresql_roll_back(struct postgresql_session *session);
/* Has a statement that was run changed rows? Those of one that only reads do not count. */
bool postgresql_has_changed(PGresult *result);
/* As in driver.h. */
enum store_status postgresql_take_time(struct store_session *session);
/* The text in the first column of the last statement that has a row, from malloc; NULL without
 * one. */
enum store_status postgresql_ask(struct postgresql_session *session, const char *sql, char **text);

/* May a statement that is prepared there be sent without waiting for its answer (pipeline.c)? */
bool postgresql_may_run_later(const struct postgresql_session *session);
/* Notes that this one is sent like that. */
bool postgresql_enter_pipeline(struct postgresql_session *session, const char *sql);
/* Waits for all answers that nobody has waited for: the first failure, or STORE_OK. Comes before
 * whatever else is done on the connection. */
enum store_status postgresql_catch_up(struct postgresql_session *session);
/* The same after a statement that somebody waits for was sent behind them: its own answer is the next.
 * When that was read, leave_pipeline is due, unless this has failed; false: the connection is lost. */
enum store_status postgresql_join_pipeline(struct postgresql_session *session, const char *sql);
bool postgresql_leave_pipeline(struct postgresql_session *session);

/* As in driver.h (contact.c). */
bool postgresql_keep_contact(struct store *store);
double postgresql_away(const struct store *store);
bool postgresql_is_silent(const struct store *store);
double postgresql_crowded(const struct store *store, bool *may_connect);

/* ---------------------------------------------------------------- the database */

struct store *postgresql_open(const char *uri, const char *direct, char *error, size_t error_size);
void postgresql_close(struct store *store);
bool postgresql_backup(const char *from, const char *to, char *error, size_t error_size);
const char *postgresql_path(const struct store *store);
struct store_reach postgresql_reach(const struct store *store);
uint64_t postgresql_version(struct store *store);
/* The last id that was given to an event that is visible. The sequence is ahead of that; before the
 * first event, it has the mark of the database. */
#define POSTGRESQL_NEWEST_EVENT                                                                    \
    "SELECT greatest((SELECT max(id) FROM event), (SELECT last_value >> 32 << 32 FROM "            \
    "event_id_seq))"
void postgresql_sizes(const struct store *store, int64_t *database, int64_t *log);
struct store_session *postgresql_open_reader(struct store *store, bool is_patient);
void postgresql_close_session(struct store_session *session);

bool postgresql_schema_fits(struct store *store, char *error, size_t error_size);
bool postgresql_is_outdated(struct store_session *session);
bool postgresql_migrate(struct store *store, char *error, size_t error_size);

/* Copies of tables (load.c): as the driver's functions of these names. */
enum store_status postgresql_load_begin(struct store_session *session, const char *table);
enum store_status postgresql_load(struct store_session *to, const char *table,
                                  struct sql_statement *rows, int64_t *count);
enum store_status postgresql_load_end(struct store_session *session, const char *table);
enum store_status postgresql_last(struct store_session *session, const char *table, const char *key,
                                  int64_t *last);
enum store_status postgresql_set_last(struct store_session *session, const char *table,
                                      const char *key, int64_t last);

/* ---------------------------------------------------------------- several nodes (shared.c, horizon.c) */

/* Other databases of denoised may be schemas of the same database of PostgreSQL, where advisory locks
 * and channels are of all: the object id of a table makes both the own ones of this schema. */
#define POSTGRESQL_LOCK(number) "(" #number ", 'event'::regclass::oid::int4)"
#define POSTGRESQL_CHANNEL      "concat('denoised_', 'event'::regclass::oid)"
/* Of transactions that may make events: shared ("deno"). An earlier version waited for the end of all
 * of them by holding it alone, and used the next number. */
#define POSTGRESQL_WRITERS_LOCK  POSTGRESQL_LOCK(1684369007)
#define POSTGRESQL_JANITORS_LOCK POSTGRESQL_LOCK(1684369009)
/* A row of pg_locks. */
#define POSTGRESQL_HAS_WRITERS_LOCK                                                                \
    "locktype = 'advisory' AND mode = 'ShareLock' AND granted AND classid = 1684369007"            \
    " AND objid = 'event'::regclass::oid AND objsubid = 2"                                         \
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"

/* Begins a transaction that may make events. */
enum store_status postgresql_begin(struct postgresql_session *session);
void postgresql_make_own_lock(struct postgresql_session *session);
/* As in driver.h. */
struct store_session *postgresql_open_writer(struct store *store, double patience);
enum store_status postgresql_horizon(struct store_session *session, int64_t wanted, int64_t *id);
enum store_status postgresql_settle(struct store_session *session, bool for_others);
double postgresql_event_pause(struct store *base);
/* Somebody with a session of the server that has this number has told a horizon. It is believed when
 * it is needed: if there is such an event, and the session is of somebody who could have made one.
 * False: it is not new. */
bool postgresql_heard(struct postgresql_store *store, int64_t horizon, int teller);
/* News may have been lost. */
void postgresql_suspect(struct postgresql_store *store);

enum store_status postgresql_try_alone(struct store_session *session, bool *is_alone);

/* As in driver.h (listen.c). */
struct store_session *postgresql_open_listener(struct store *store);
enum store_status postgresql_listen(struct store_session *base, int wake, struct news *news);
enum store_status postgresql_tell_cancel(struct store_session *session, const char *job);

#endif
