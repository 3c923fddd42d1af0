/*
 * store.h - the durable state, behind one interface: jobs, loss history, checkpoints, models; and
 * data sets (datasets.h).
 *
 * One process owns a database (owner.h). One session writes: only the writer's thread (writer.h)
 * may use it. Any other thread borrows a read-only session for as long as one request needs it.
 * Functions marked W need the writing session inside a transaction; the others take either.
 *
 * Rows are plain structs; strings and blobs in them are copies from malloc, freed by the matching
 * _clear. Times are milliseconds since 1970 (clock_now_ms), 0 meaning "not yet".
 */
#ifndef SERVER_STORE_STORE_H
#define SERVER_STORE_STORE_H

#include "server/base/id.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_session;

enum store_status {
    STORE_OK = 0,
    STORE_NOT_FOUND,
    STORE_CONFLICT,    /* the row is in a state that forbids this */
    STORE_NO_SNAPSHOT, /* the model exists, but its state at that epoch was not kept */
    STORE_LOST,        /* the fence has changed: the job no longer belongs to the caller */
    STORE_FULL,        /* the disk or the disk quota is full */
    STORE_OVER_LIMIT,  /* it would exceed store_limit */
    STORE_DISK,        /* the disk reports an error */
    STORE_GONE,        /* the database was moved, replaced or removed */
    STORE_BUSY,        /* other transactions are in its way: the same one may succeed now */
    STORE_TAKEN,       /* another transaction has inserted the same key: this one may find it now */
    STORE_AWAY,        /* the database cannot be reached; nothing has changed */
    STORE_IN_DOUBT,    /* it was lost during a commit, which took place or did not */
    STORE_ERROR,       /* anything else; already logged */
};

enum { STORE_EXIT_STATUS = 70 }; /* exit status of a process that lost its database */

enum job_status {
    JOB_QUEUED,
    JOB_RUNNING,
    JOB_SUCCEEDED,
    JOB_FAILED,
    JOB_CANCELLED,
    JOB_STATUS_COUNT
};
extern const char *const job_status_names[JOB_STATUS_COUNT + 1]; /* NULL-terminated */

/* Why a job failed: each is one row of job_error_rows.h. */
enum job_error {
    JOB_ERROR_NONE,
#define JOB_ERROR(name, code, doc) JOB_ERROR_##name,
#include "server/store/job_error_rows.h"
#undef JOB_ERROR
    JOB_ERRORS
};
struct job_error_row {
    const char *code; /* as it is stored, and as programs compare it */
    const char *doc;
};
extern const struct job_error_row job_error_rows[JOB_ERRORS]; /* by enum job_error */

/* The main results of an evaluation: mean distance to the exact shape, energy distance to the data,
 * and the fraction of the data with a sample nearby, each with the score of real data. NAN: not
 * defined. */
struct figure {
    double value, floor;
};
struct figures {
    int n; /* points; 0: it was not evaluated */
    struct figure curve, energy, coverage;
};

/* Why a job failed; NULL, NULL unless it did. */
struct job_failure {
    char *code, *detail;
};

struct job {
    char id[ID_LENGTH + 1];
    int64_t seq;   /* the order of submission */
    char *name;    /* NULL if the client gave none */
    char *dataset; /* name of the data set, for filters */
    char *words;   /* the texts that a search looks through, one per line: name, data sets, preset;
                     * for store_job_insert, else NULL */
    char *spec;    /* the whole normalized spec as JSON text; opaque here */
    char *form;    /* of the rows of its table, as JSON text; opaque here; NULL: points are numbers;
                     * for store_job_insert, else NULL */
    char *warnings; /* about the spec and the result, as JSON text; NULL: none */
    enum job_status status;
    int64_t queue_position; /* 0: next to run; -1: not queued, or waiting for an offer */
    int epoch, epochs;
    int64_t step, steps;
    double seconds;              /* of training so far, in all attempts */
    double train_loss, val_loss; /* losses of the last stored epoch; NAN if none */
    struct job_failure error;
    int attempt;
    int64_t memory;       /* estimated maximum bytes that its training takes; 0: not known */
    char *node;           /* id of the node that trains it; NULL: none */
    char *arithmetic;     /* that its checkpoints continue with; NULL: any, or not known */
    bool waits_for_offer; /* queued, and no running server offers that arithmetic (store_offer) */
    bool cancel_requested;
    bool has_model;         /* the first epoch was trained, and the model has not been deleted */
    struct figures figures; /* of the current model with the default sampling settings */
    int64_t created_at, started_at, finished_at;
};
void job_clear(struct job *job);

/* The numbers of an epoch: kind, name, description. A row is a column of the tables history and
 * event (a migration adds it there), a member of struct epoch_row, a column of the history in JSON
 * and CSV, and a member of the epoch's event and of its schema. */
#define EPOCH_COLUMNS(COLUMN)                                                                      \
    COLUMN(INTEGER, epoch, "Epochs are counted from 1.")                                           \
    COLUMN(INTEGER64, step, "Optimizer steps since the start of training.")                        \
    COLUMN(NULLABLE, train_loss, "Mean loss over the epoch.")                                      \
    COLUMN(NULLABLE, val_loss, "Mean loss over the validation points; null without any.")          \
    COLUMN(NULLABLE, learning_rate, "Learning rate of the last step.")                             \
    COLUMN(NULLABLE, gradient_norm, "Mean gradient norm over the steps, before clipping.")         \
    COLUMN(NUMBER, seconds, "Training time up to the end of the epoch.")                           \
    COLUMN(NULLABLE, curve_distance,                                                               \
           "Mean distance of 500 samples to the exact shape of the data; null unless it was "      \
           "measured, see evaluate_every.")                                                        \
    COLUMN(NULLABLE, energy_distance,                                                              \
           "Energy distance of 500 samples and the same number of fresh data points.")

/* The kinds; NAN in a NULLABLE one is stored as NULL. */
#define EPOCH_INTEGER                   int
#define EPOCH_INTEGER64                 int64_t
#define EPOCH_NUMBER                    double
#define EPOCH_NULLABLE                  double
#define EPOCH_MEMBER(kind, name, about) EPOCH_##kind name;
struct epoch_row {
    EPOCH_COLUMNS(EPOCH_MEMBER)
};

/* A state from which training resumes. The newest two of a job are kept. */
struct checkpoint {
    int64_t blob; /* where its bytes are stored; 0: nowhere yet */
    void *bytes;  /* the training state; NULL in a claim: store_blob_read has them */
    size_t size;
    char sha256[65];        /* the digest of these bytes */
    const char *arithmetic; /* that it continues with, while it is reported; NULL in a claim */
    int64_t step;
    int epoch;      /* the last epoch of the history that belongs to it */
    double seconds; /* of training */
};

/* A claimed job, as a worker holds it. */
struct claim {
    char id[ID_LENGTH + 1];
    char *spec;
    int64_t fence;
    int attempt;
    int64_t created_at;
    bool cancel_requested;
    char *arithmetic;             /* as of a job; one that was offered, or NULL */
    int64_t memory;               /* maximum bytes that its training takes; 0: not known */
    bool is_beside;               /* it takes them from the room for small jobs */
    int64_t reports;              /* numbers given to its reports so far */
    struct checkpoint checkpoint; /* the newest, without bytes; all zero to start from step 0 */
};
void claim_clear(struct claim *claim);

/* A model as it was after some epoch. */
struct trained_model {
    int64_t blob; /* where its bytes are stored; 0: nowhere yet */
    void *bytes;  /* serialized dn_model */
    size_t size;
    int epoch; /* earlier than the training's epoch if the model was better then */
    int dim;
    int64_t parameters;
    double *transform;   /* [2][dim]: shift and scale of dn_model_transform */
    const char *variant; /* of the kernels that trained it; a constant */
};

/* What a worker reports: its progress, the epochs since its last report, models after some of them,
 * and perhaps a checkpoint. */
struct progress {
    const char *id;
    int64_t fence;
    int64_t report; /* the first of a claim is 1, the next 2, .. */
    int64_t step;
    double seconds;                 /* of training */
    const struct epoch_row *epochs; /* [epoch_count], ascending; may be empty */
    size_t epoch_count;
    const struct checkpoint *checkpoint; /* or NULL */
    const struct trained_model *models;  /* [model_count], ascending; may be empty */
    size_t model_count;
};

/* What a worker hears when it reports. */
struct receipt {
    bool cancel_requested;
    bool is_repeated; /* it was stored before, and nothing has changed now */
};

struct model {
    char id[ID_LENGTH + 1];
    char *name;
    char *spec; /* as of a job */
    char *form; /* as of a job; NULL: points are numbers */
    char *variant;
    int epoch;
    int dim;
    int64_t parameters;
    double *transform; /* [2][dim]: shift and scale of dn_model_transform */
    void *bytes;       /* serialized dn_model; NULL in a description */
    size_t byte_count;
    int64_t blob;   /* where they are stored; 0 in store_model_insert: nowhere yet */
    char *warnings; /* of its job, as JSON text; NULL without a job */
    char *words;    /* as of a job; for store_model_insert, else NULL */
    bool has_job;   /* the job with its id has trained it here; otherwise, it was imported */
    struct figures figures; /* of the current model with the default sampling settings */
    int64_t created_at, updated_at;
};
void model_clear(struct model *model);

#define STORE_POSTGRESQL "postgresql://" /* with which the names of databases on a server begin */
bool store_names_server(const char *path);
/* Opens a database on PostgreSQL, or opens or creates a file, locks it, applies migrations. NULL and
 * a message on failure: it is in use, it is no database, its schema is newer than this program. */
struct store *store_open(const char *path, char *error, size_t error_size);
/* The same through a pooler that gives each transaction any session; direct: where the database is,
 * to listen to other processes. NULL: path is no pooler. */
struct store *store_open_pooled(const char *path, const char *direct, char *error,
                                size_t error_size);
void store_close(struct store *store);             /* all sessions must be back */
const char *store_boot(const struct store *store); /* a unique name of this opening */
const char *store_path(const struct store *store); /* for people; a file's is absolute */
/* What it goes on to use once it is open, for a sandbox; NULL or 0: nothing. */
enum { STORE_REACH_FILES = 17, STORE_REACH_PORTS = 8 };
struct store_reach {
    const char *file, *read[STORE_REACH_FILES]; /* the database itself, and what is only read */
    int ports[STORE_REACH_PORTS];               /* of TCP, to connect to */
};
struct store_reach store_reach(const struct store *store);
/* How often, and how much at a time, a job that trains may write. */
struct store_pace {
    /* Seconds between two of its reports: within these limits, so many that storing them takes a
     * small share of the time. */
    double report_least, report_most;
    /* Does the time in which a checkpoint is stored count as a cost of it? Otherwise, only that in
     * which training waits for it. */
    bool counts_storing;
    /* Larger models and checkpoints are stored in transactions of their own before the one that
     * names them. */
    size_t bytes_at_once;
};
struct store_pace store_pace(const struct store *store);
/* Are the database and its log still where they were? Once they are not, no session is available,
 * and nothing may be written or acknowledged. Any thread. */
bool store_is_there(struct store *store);
/* And are they at least as long as they must be? For the writer. */
bool store_is_whole(struct store *store);
/* What has happened to them, for people; NULL: nothing that was noticed yet. Any thread. */
const char *store_loss(const struct store *store);
/* How many times the bytes of a large row are in the memory of the database's library, at most, while
 * it is read: besides what it was read into, and only until then. */
int store_row_copies(const struct store *store);
/* Can several processes use the database at the same time (nodes.h)? */
bool store_is_shared(const struct store *store);
/* For a server, once it may start threads: from now on, while a database on another machine is away,
 * one thread waits for it, and whatever else needs it gets STORE_AWAY at once. False: there is no
 * memory or thread. */
bool store_keep_contact(struct store *store);
/* Seconds since the last sign of the database, while it is away; 0: as far as is known, it can be
 * reached. Any thread. */
double store_away(const struct store *store);
/* Is it not known yet whether the database, of which there was no sign for a while, is away? A request
 * that would wait for that gets no session. Any thread. */
bool store_is_silent(const struct store *store);
/* Seconds for which the database, which is there, has had no connection left for this process, beside
 * those that are open; 0: as far as is known, it has. Any thread. */
double store_crowded(const struct store *store);
/* Grows with every commit of this process. */
uint64_t store_commits(struct store *store);
/* Grows with every commit, before the commit is acknowledged. Unknown during a commit: other
 * sessions may already see what it wrote, but it is not counted yet. Always unknown if other
 * processes may commit. */
#define STORE_VERSION_UNKNOWN UINT64_MAX
uint64_t store_version(struct store *store);
/* For another process, while a server may use the database: copies all committed data into a new
 * file, checks it, and makes it durable before it gets its name. On failure, returns false and a
 * message, and creates no file. */
bool store_backup(const char *from, const char *to, char *error, size_t error_size);
/* At most so many connections to a server of databases are open at the same time, at least
 * STORE_LEAST_CONNECTIONS. A file has none. Before any session is used. */
enum { STORE_LEAST_CONNECTIONS = 6 };
void store_limit_connections(struct store *store, int most);
struct store_session *store_writer(struct store *store);
/* A read-only session; NULL when none can be opened, and then why that is so. */
struct store_session *store_acquire(struct store *store);
/* From now on, this thread waits for a session for up to 2 seconds rather than 50 ms, because nobody
 * waits for the thread, and leaves the last one to those that cannot wait. */
void store_be_patient(void);
enum store_status store_why_none(const struct store *store);
void store_release(struct store *store, struct store_session *session);
enum store_status store_ping(struct store_session *session); /* does a trivial read work? */
/* Bytes of the database file and of its write-ahead log. */
void store_sizes(const struct store *store, int64_t *database, int64_t *log);

/* For the writing session: the maximum size of the database in bytes, 0 for no limit. Beyond it,
 * whatever makes the database grow returns STORE_OVER_LIMIT; changes and deletes still work. Old
 * checkpoints and earlier states of models are removed first. */
enum store_status store_limit(struct store_session *session, int64_t bytes);
/* Bytes of the database in use, without the room that deleted rows have left. */
enum store_status store_used(struct store_session *session, int64_t *bytes);

/* W. Large bytes are stored apart, in pieces: begin a blob, add pieces 0, 1, .. in transactions of
 * their own, then write a row that names the blob. Until then it belongs to this boot (store_boot).
 * The next sweep deletes an abandoned blob; the next start abandons those of other boots. */
enum { STORE_PIECE_BYTES = 1 << 20 };
enum store_status store_blob_begin(struct store_session *session, const char *boot, size_t size,
                                   int64_t *id);
enum store_status store_blob_add(struct store_session *session, int64_t id, int64_t number,
                                 const void *bytes, size_t size);
enum store_status store_blob_abandon(struct store_session *session, int64_t id);
/* The bytes of a blob, from malloc, with a NUL after them. STORE_NOT_FOUND if it is incomplete. */
enum store_status store_blob_read(struct store_session *session, int64_t id, size_t size,
                                  void **bytes);
/* Copies `size` of its bytes, from the byte `first` on. STORE_NOT_FOUND if they are not there. */
enum store_status store_blob_part(struct store_session *session, int64_t id, size_t first,
                                  size_t size, void *bytes);
/* W. Deletes at most `most` pieces of blobs that no row names; *count says how many. */
enum store_status store_blob_sweep(struct store_session *session, int most, int *count);

/* Transactions of the writer: a group of savepoints between begin and commit. */
enum store_status store_begin(struct store_session *session);
/* The same for a transaction that makes no events (store_events): it keeps nobody from reading
 * those of others, however long it takes. Events of one that makes some all the same may be lost. */
enum store_status store_begin_quiet(struct store_session *session);
enum store_status store_commit(struct store_session *session);
void store_abort(struct store_session *session); /* rolls back the whole group */
enum store_status store_savepoint(struct store_session *session);
/* Releases the savepoint, or rolls it back. STORE_CONFLICT: only the whole transaction can be. */
enum store_status store_keep(struct store_session *session, bool keep);

/* For the writer, between transactions: moves the write-ahead log into the database file when the
 * log has grown, or when the disk is full, because then the log's own room is all that is left for
 * writing. */
void store_checkpoint(struct store *store, bool is_full);

/* W. A new queued job: id, name, dataset, spec, form, warnings, epochs, steps, memory and created_at
 * are taken from `job`. idempotency_key may be NULL. STORE_CONFLICT:
 * another node has just inserted a job with this key. */
enum store_status store_job_insert(struct store_session *session, const struct job *job,
                                   const char *idempotency_key);
/* The id of the job that was inserted with this key, and whether that was with the name and the
 * spec of `job`: it may have been extended since. */
enum store_status store_job_by_key(struct store_session *session, const char *idempotency_key,
                                   const struct job *job, char id[ID_LENGTH + 1], bool *same);
/* A request with an Idempotency-Key, except the submission of a job: its operation, its key, and
 * what distinguishes it from other requests. */
struct replay {
    const char *operation, *key, *request;
};
/* What a request with this key has created, and whether it was the same request; STORE_NOT_FOUND:
 * the key is new. */
enum store_status store_replay_find(struct store_session *session, const struct replay *replay,
                                    char id[ID_LENGTH + 1], bool *same);
/* W. Records what the request creates. The key expires when that is deleted, or after this number
 * of later requests that created the same. STORE_CONFLICT: another node has just recorded the key. */
enum { STORE_REPLAYS_KEPT = 16 };
enum store_status store_replay_keep(struct store_session *session, const struct replay *replay,
                                    const char *id);
/* W. Puts an ended job back into the queue with a new spec, epochs, steps and memory; its
 * checkpoint, history and model stay. STORE_CONFLICT while it is queued or running. */
enum store_status store_job_resume(struct store_session *session, const char *id, const char *spec,
                                   int epochs, int64_t steps, int64_t memory);
/* W. Puts a job that is not running into the queue, to be trained from the beginning: the same as
 * above, but deletes its checkpoints, history and model. STORE_CONFLICT while it is running. */
enum store_status store_job_restart(struct store_session *session, const char *id, const char *spec,
                                    int epochs, int64_t steps, int64_t memory);
/* id may be "latest". */
enum store_status store_job_get(struct store_session *session, const char *id, struct job *job);
enum store_status store_job_count(struct store_session *session, enum job_status which,
                                  int64_t *count);
/* The number of queued jobs, and of those that wait for an arithmetic that nobody offers. once: W, in
 * a transaction that only inserts jobs, if others write, too; counted once. */
enum store_status store_queue_length(struct store_session *session, int64_t *queued,
                                     int64_t *waiting);
enum store_status store_queue_length_once(struct store_session *session, int64_t *queued,
                                          int64_t *waiting);

/* The loss of up to `most` epochs, evenly spread, including the first and the last: the validation
 * loss if there is one, otherwise the training loss; NAN where it is not known. Sets *count. */
enum store_status store_sparkline(struct store_session *session, const struct job *job, int most,
                                  double *losses, int *count);

/* W. Queued: cancelled at once. Running: marked, the worker stops. Ended: nothing changes. */
enum store_status store_job_cancel(struct store_session *session, const char *id, int64_t now);
/* W. The same, for what may run several times: `now` is the same each time. is_in_doubt: an earlier
 * run may have been committed, but was not counted. */
enum store_status store_job_cancel_again(struct store_session *session, const char *id, int64_t now,
                                         bool is_in_doubt);
/* W. Deletes the job, its history, checkpoints and model. STORE_CONFLICT while running, unless
 * forced. */
enum store_status store_job_delete(struct store_session *session, const char *id, bool force);

/* Epochs after `after`, ascending; rows [limit]. store_history_peaks thins them to `most` (at least
 * 4): the first, the last, and those with the highest and lowest training loss of equal ranges. */
enum store_status store_history_peaks(struct store_session *session, const char *job_id, int after,
                                      int most, struct epoch_row *rows, int *count);
enum store_status store_history(struct store_session *session, const char *job_id, int after,
                                int limit, struct epoch_row *rows, int *count, bool *has_more);

/* Something that happened to a job. It is written together with the change itself (migrations/). */
enum event_kind { EVENT_STATUS, EVENT_EPOCH, EVENT_CHECKPOINT, EVENT_KIND_COUNT };
extern const char *const event_kind_names[EVENT_KIND_COUNT + 1]; /* NULL-terminated */

enum { EVENT_TEXT = 24 };

struct event {
    int64_t id; /* ascending in the order of the commits; never reused */
    char job[ID_LENGTH + 1];
    int64_t at;
    enum event_kind kind;
    struct epoch_row row; /* of an epoch event; the others have only `epoch`, of the job */
    /* only of status events: */
    char status[EVENT_TEXT]; /* one of job_status_names, or "deleted" */
    bool is_end;             /* no event follows unless the job is resumed */
    struct job_failure error;
};
void event_clear(struct event *event);

/* A job that is watched. */
struct watched_job {
    char id[ID_LENGTH + 1];
    int64_t seq;
};
/* id may be "latest". Also finds a job that was deleted less than a day ago. */
enum store_status store_watched_job(struct store_session *session, const char *id,
                                    struct watched_job *job);

struct event_filter {
    const struct watched_job *jobs; /* [job_count]; 0: all jobs */
    int job_count;
    int64_t after, until; /* ids: after < id <= until */
    int limit;
};
/* Sets events [limit], in order, and *count: those before which no other can appear any more. The
 * caller clears them. */
enum store_status store_events(struct store_session *session, const struct event_filter *filter,
                               struct event *events, int *count);
/* The number of events with after < id <= until that are visible now. */
enum store_status store_event_count(struct store_session *session, int64_t after, int64_t until,
                                    int64_t *count);
/* The id of the newest event, even if that has been deleted; no earlier one can appear any more.
 * Its bits from EVENT_MARK_BITS on are the mark of the database (migrations/). */
enum { EVENT_MARK_BITS = 32 };
enum store_status store_event_last(struct store_session *session, int64_t *id);
/* Finds out up to which event no other can appear any more, and tells that to other processes that
 * share the database. for_others: also if only they have made events; otherwise, whoever asks for
 * events finds that out. */
enum store_status store_events_settle(struct store_session *session, bool for_others);
/* Seconds after which there may be events, although this process has committed nothing; INFINITY:
 * never. */
double store_event_pause(struct store *store);
/* Sets an id that a client has kept to 0, before the first event, unless it is from this database:
 * a database that replaced it, or was restored from a backup, sends its events from the start. */
enum store_status store_event_place(struct store_session *session, int64_t *id);
/* Have all these jobs ended or been deleted, with no event after `after`? */
enum store_status store_events_over(struct store_session *session, const struct watched_job *jobs,
                                    int job_count, int64_t after, bool *over);

/* The description of a model, without bytes. id may be "latest": the one that was updated last. */
enum store_status store_model_get(struct store_session *session, const char *id,
                                  struct model *model);
/* The same for the model as it was after an epoch, 0 for the newest. STORE_NO_SNAPSHOT: that was
 * not kept. */
enum store_status store_model_at(struct store_session *session, const char *id, int epoch,
                                 bool with_bytes, struct model *model);

enum { STORE_MAX_SNAPSHOTS = 32 };

/* Will a model of this size and epoch, of a training of `epochs`, be kept as a snapshot when it is
 * no longer the newest? `before`: the epoch of the one stored before it; 0: none is known. */
bool store_is_snapshot(size_t bytes, int epochs, int before, int epoch);

/* An earlier checkpoint of a model, as clients see it; training does not resume from these. */
struct snapshot {
    int epoch;
    int64_t at, bytes;
};
/* In the order of their epochs; the last one is the model itself. id may not be "latest". None:
 * there is no such model. */
enum store_status store_snapshots(struct store_session *session, const char *id,
                                  struct snapshot snapshots[static STORE_MAX_SNAPSHOTS + 1],
                                  int *count);

/* The cached answer of an evaluation, from malloc. key: everything that it depends on besides the
 * model and its epoch. STORE_NOT_FOUND: there is none. */
enum store_status store_evaluation_get(struct store_session *session, const char *model_id,
                                       int epoch, const char *key, char **answer);
/* W. Stores it; the oldest of the model are deleted. figures: the main results, if the default
 * sampling settings were used; otherwise NULL. */
enum store_status store_evaluation_keep(struct store_session *session, const struct model *model,
                                        const char *key, const char *answer,
                                        const struct figures *figures);
/* The bytes of a judge of images, from malloc. key: everything that they depend on. STORE_NOT_FOUND:
 * there is none. */
enum store_status store_judge_get(struct store_session *session, const char *key, void **bytes,
                                  size_t *size);
/* W. Stores them, instead of others with this key; the oldest judges are deleted. */
enum store_status store_judge_keep(struct store_session *session, const char *key,
                                   const void *bytes, size_t size);
/* W. Inserts an imported model: everything except updated_at and has_job is taken from `model`. */
enum store_status store_model_insert(struct store_session *session, const struct model *model);
/* W. Deletes a model and the checkpoints of its training; its job and history stay. STORE_CONFLICT
 * while the job is queued or running. */
enum store_status store_model_delete(struct store_session *session, const char *id);

/* Bytes of memory for training: the total, and what the running jobs leave of it. Small jobs, of at
 * most `small` bytes, also have a room of their own, so that no large job keeps them waiting. */
struct memory_room {
    int64_t all, unreserved;
    int64_t small, beside; /* beside: what is left of the room for small jobs */
};
enum { STORE_MAX_OFFERS = 4 };
/* W. Claims the first job in the queue, without those that wait for an offer, if it fits into the
 * room. A later job that fits may overtake it as long as it waits for a job before it to end. owner
 * names the worker within its node. STORE_NOT_FOUND when no job can run now. */
enum store_status store_claim(struct store_session *session, const char *owner,
                              const struct memory_room *room, int64_t now, struct claim *claim);
/* W. Puts back into the queue what a worker of the session's node holds, and forgets: a claim whose
 * commit got no answer may have taken place. For a worker that holds nothing; *count says how many
 * jobs it was. */
enum store_status store_put_back(struct store_session *session, const char *owner, int *count);
/* W. Stores all of a report, once: if a commit has failed, or its outcome is not known, the same
 * report may come again. What ends the job in the same transaction then stays as it is, too.
 * STORE_LOST if the fence does not match, here and below, or if a report is missing before it. */
enum store_status store_progress(struct store_session *session, const struct progress *progress,
                                 int64_t now, struct receipt *receipt);
/* W. The checkpoint of a claimed job cannot be used: deletes it, and puts the previous one into the
 * claim. Without one, deletes the job's model and history: the training starts from the
 * beginning. */
enum store_status store_drop_checkpoint(struct store_session *session, struct claim *claim);
/* How a job ends. */
struct job_end {
    enum job_status status; /* succeeded, failed or cancelled */
    enum job_error error;   /* why it failed, */
    const char *detail;     /* and the same for people; else NULL */
    const char *warnings;   /* to be added to its own: a JSON array that is not empty, or NULL */
};
/* W. Returns STORE_OK also if a commit without an answer has stored this end at this time. */
enum store_status store_finish(struct store_session *session, const char *id, int64_t fence,
                               const struct job_end *end, int64_t now);
/* The lowest loss of an epoch: the validation loss or, without one, the training loss. */
struct lowest_loss {
    double loss; /* NAN: no epoch has ended */
    int epoch;
};
enum store_status store_lowest_loss(struct store_session *session, const char *id,
                                    struct lowest_loss *lowest);
/* W. Replaces the warnings of a job. */
enum store_status store_rewarn(struct store_session *session, const char *id, const char *warnings);
/* W. Puts a job back into the queue without counting the attempt: the server is stopping. */
enum store_status store_unclaim(struct store_session *session, const char *id, int64_t fence);
/* W. The same for a job whose checkpoint continues only with this arithmetic. */
enum store_status store_unclaim_bound(struct store_session *session, const char *id, int64_t fence,
                                      const char *arithmetic);
/* W. At the start of the server, when every running job belongs to a dead boot: puts it back into
 * the queue, or ends it: cancelled if that was requested, failed ("crash_loop") after three crashes
 * without a checkpoint in between. Jobs that take more than `memory` bytes could never start: they
 * fail ("too_large"). */
enum store_status store_recover(struct store_session *session, int64_t memory, int64_t now,
                                int *requeued);

/* W. Deletes data of jobs that ended before this time, at most `most` items; *count says how many
 * were deleted. Events, except the last of each job; checkpoints, except the newest of each job,
 * from which it can be resumed; and the jobs, with everything that belongs to them. */
enum store_status store_forget_events(struct store_session *session, int64_t before, int most,
                                      int *count);
enum store_status store_forget_checkpoints(struct store_session *session, int64_t before, int most,
                                           int *count);
enum store_status store_forget_jobs(struct store_session *session, int64_t before, int most,
                                    int *count);
/* W. Writes, to see whether that works. */
enum store_status store_probe(struct store_session *session, int64_t now);

#endif
