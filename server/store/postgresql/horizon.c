/* Events in order, although many sessions make them at once: the horizon, up to which all events are
 * visible, or never will be.
 *
 * Whoever may make events holds a shared lock from before the first id is given to one until after
 * its commit is visible, and the server lists who holds it. A look reads the newest visible event
 * first, and then that list. A transaction that is on it for the first time has given out no id up to
 * the newest event of the look before; and one that is not on it has either ended, or gives out ids
 * beyond the newest event of this look. So the least of these is a horizon. Nobody waits for a look,
 * and it waits for nobody: an event is told as soon as those transactions have ended that were at
 * work when it was committed, whatever has begun since. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/base/clock.h"
#include "server/base/counters.h"
#include "server/base/log.h"
#include "server/store/postgresql/postgresql.h"

/* The newest event and the transactions at work, as "4294967300 3/17 4/5", in one round trip. The
 * statements see what was committed before each, because each has a snapshot of its own. Without such
 * transactions, the newest event is the horizon, and others are told if it is beyond what was known.
 * What is told may be lost, so it need not be on the disk. */
#define LOOK                                                                                       \
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off;"                    \
    "SELECT set_config('denoised.newest', (" POSTGRESQL_NEWEST_EVENT ")::text, true);"             \
    "SELECT concat_ws(' ', newest, writers), CASE WHEN writers IS NULL AND newest > %lld"          \
    " THEN pg_notify(" POSTGRESQL_CHANNEL ", 'h' || newest) END"                                   \
    " FROM (SELECT current_setting('denoised.newest')::bigint AS newest,"                          \
    " string_agg(virtualtransaction, ' ') AS writers FROM pg_locks"                                \
    " WHERE " POSTGRESQL_HAS_WRITERS_LOCK ") AS seen; COMMIT"
#define TELL                                                                                       \
    "BEGIN; SET LOCAL synchronous_commit = off;"                                                   \
    "SELECT pg_notify(" POSTGRESQL_CHANNEL ", 'h%lld'); COMMIT"
/* Anybody who can connect can notify. This is the newest event, if the session of that number is of
 * somebody who could have made it, and is still there. */
#define CAN_KNOW                                                                                   \
    POSTGRESQL_NEWEST_EVENT                                                                        \
    " WHERE (SELECT has_table_privilege(usesysid, 'event', 'INSERT') FROM "                        \
    "pg_stat_get_activity(%d))"

enum {
    FIRST_SECONDS = 60, /* for the first horizon: longer than the server lets a transaction idle */
    TELL_SECONDS = 60,  /* between two lines in the log */
    MOST_RESTS = 4,     /* times LOOK_SECONDS between two looks that are in vain */
    NAME_BYTES = 4,     /* at least, of a transaction in the list: " 1/2" */
};
#define LOOK_SECONDS    0.025 /* between two looks, at least, */
#define FLOOR_SECONDS   1.0   /* and at most, unless others tell their horizon */
#define REQUEST_SECONDS 0.05  /* that a request waits for the thread that looks */
#define LONG_SECONDS    2.0   /* of a transaction that the log tells of */

/* A transaction that was on the list. */
struct writing {
    uint64_t name;
    int64_t bound; /* all its ids are beyond it */
    double since;  /* monotonic seconds: when it was seen first */
};

static void raise_to(atomic_llong *horizon, int64_t id) {
    long long known = atomic_load(horizon);
    while (known < id && !atomic_compare_exchange_weak(horizon, &known, id)) {
    }
}

/* Has this process committed what may be beyond the horizon? */
static bool has_own(struct postgresql_store *store) {
    return atomic_load(&store->horizon.commits) != atomic_load(&store->loud_commits);
}

/* ------------------------------------------------------------------ what others tell */

bool postgresql_heard(struct postgresql_store *store, int64_t id, int teller) {
    struct horizon *horizon = &store->horizon;
    if (id <= atomic_load(&horizon->id))
        return false;
    pthread_mutex_lock(&horizon->hearing);
    horizon->heard_id = id;
    horizon->teller = teller;
    pthread_mutex_unlock(&horizon->hearing);
    return true;
}

/* The last one that was told, if it is news, and by whom. It is told once. */
static int64_t take_heard(struct horizon *horizon, int *teller) {
    pthread_mutex_lock(&horizon->hearing);
    const int64_t id = horizon->heard_id;
    *teller = horizon->teller;
    horizon->heard_id = 0;
    pthread_mutex_unlock(&horizon->hearing);
    return id > atomic_load(&horizon->id) ? id : 0;
}

static bool has_heard(struct horizon *horizon) {
    pthread_mutex_lock(&horizon->hearing);
    const bool is_news = horizon->heard_id > atomic_load(&horizon->id);
    pthread_mutex_unlock(&horizon->hearing);
    return is_news;
}

/* Takes the horizon that was told, if it is one. */
static enum store_status believe(struct postgresql_session *reader) {
    struct horizon *horizon = &reader->store->horizon;
    char ask[sizeof CAN_KNOW + 20], *newest = NULL;
    int teller;
    const int64_t id = take_heard(horizon, &teller);
    if (id == 0)
        return STORE_OK;
    snprintf(ask, sizeof ask, CAN_KNOW, teller);
    const enum store_status status = postgresql_ask(reader, ask, &newest);
    const bool is_true = status == STORE_OK && newest && id <= strtoll(newest, NULL, 10);
    free(newest);
    if (is_true)
        raise_to(&horizon->id, id);
    atomic_store(&horizon->heard, is_true ? clock_monotonic() : -FLOOR_SECONDS);
    return status;
}

/* ------------------------------------------------------------------ a look */

/* Reads the name of a transaction, "3/17". The numbers start again only with the server: then one may
 * be taken for an older one, whose bound is lower. */
static uint64_t read_name(char **at) {
    const uint64_t session = (uint32_t)strtol(*at, at, 10);
    *at += **at == '/';
    return session << 32 | (uint32_t)strtoul(*at, at, 10);
}

static struct writing writing_of(const struct horizon *horizon, uint64_t name, double now) {
    for (size_t i = 0; i < horizon->count; i++)
        if (horizon->writing[i].name == name)
            return horizon->writing[i];
    return (struct writing){.name = name, .bound = horizon->newest, .since = now};
}

static void tell_of_long(struct horizon *horizon, double since) {
    const double now = clock_monotonic();
    if (now - since < LONG_SECONDS)
        return;
    counters_add_late_look();
    if (now - horizon->told < TELL_SECONDS)
        return;
    horizon->told = now;
    log_line(LOG_WARN, "events wait for a transaction that takes long", "seconds=%.1f",
             now - since);
}

/* Takes the place of the list before. The horizon by what was seen; 0: none is known yet, or there is
 * no memory. */
static int64_t note_list(struct horizon *horizon, int64_t newest, char *list) {
    struct writing *writing = malloc((strlen(list) / NAME_BYTES + 1) * sizeof *writing);
    const double now = clock_monotonic();
    double oldest = now;
    int64_t settled = newest;
    size_t count = 0;
    if (!writing)
        return 0;
    for (char *at = list; *at == ' '; count++) {
        writing[count] = writing_of(horizon, read_name(&at), now);
        settled = writing[count].bound < settled ? writing[count].bound : settled;
        oldest = fmin(oldest, writing[count].since);
    }
    free(horizon->writing);
    horizon->writing = writing;
    horizon->count = count;
    horizon->newest = newest;
    tell_of_long(horizon, oldest);
    return settled;
}

/* Notes that a look, which began after so many commits of this process, has found this to be the
 * newest event. When the horizon has come to the newest event of a look, it has come to all that was
 * committed before that. */
static void note_commits(struct horizon *horizon, unsigned long long commits, int64_t newest) {
    const int64_t known = atomic_load(&horizon->id);
    const bool is_owed = horizon->owed > 0;
    if (known >= newest)
        atomic_store(&horizon->commits, commits);
    else if (is_owed && known >= horizon->owed)
        atomic_store(&horizon->commits, horizon->owed_commits);
    if (is_owed && known < horizon->owed)
        return;
    horizon->owed = known < newest ? newest : 0;
    horizon->owed_commits = commits;
}

/* Looks, and tells others a new horizon. The mutex is held. */
static enum store_status look(struct postgresql_session *reader) {
    struct horizon *horizon = &reader->store->horizon;
    const unsigned long long commits = atomic_load(&reader->store->loud_commits);
    const int64_t before = atomic_load(&horizon->id);
    char text[sizeof LOOK + 20], *answer = NULL, *list;
    snprintf(text, sizeof text, LOOK, (long long)before);
    enum store_status status = postgresql_ask(reader, text, &answer);
    if (status == STORE_OK && answer) {
        const int64_t newest = strtoll(answer, &list, 10),
                      settled = note_list(horizon, newest, list);
        raise_to(&horizon->id, settled);
        note_commits(horizon, commits, newest);
        snprintf(text, sizeof text, TELL, (long long)settled);
        if (horizon->count > 0 && settled > before)
            status = postgresql_command(reader, text);
    }
    free(answer);
    if (status != STORE_OK)
        postgresql_roll_back(reader);
    return status;
}

/* Is there an event beyond the horizon? */
static enum store_status is_behind(struct postgresql_session *reader, bool *is) {
    char *newest = NULL;
    const enum store_status status = postgresql_ask(reader, POSTGRESQL_NEWEST_EVENT, &newest);
    *is = status == STORE_OK && newest &&
          strtoll(newest, NULL, 10) > atomic_load(&reader->store->horizon.id);
    free(newest);
    return status;
}

/* Looks if there is anything to find, and notes when it is time for the next look. The mutex is
 * held. */
static enum store_status look_if_due(struct postgresql_session *reader) {
    struct horizon *horizon = &reader->store->horizon;
    bool is_due = has_own(reader->store);
    enum store_status status = is_due ? STORE_OK : is_behind(reader, &is_due);
    if (is_due && status == STORE_OK)
        status = look(reader);
    const double now = clock_monotonic();
    const int rests = has_own(reader->store) ? atomic_fetch_add(&horizon->failures, 1) + 1 : 1;
    if (!has_own(reader->store))
        atomic_store(&horizon->failures, 0);
    if (status == STORE_OK)
        atomic_store(&horizon->heard, now);
    atomic_store(&horizon->next, now + LOOK_SECONDS * (rests < MOST_RESTS ? rests : MOST_RESTS));
    return status;
}

/* ------------------------------------------------------------------ when to look */

/* Is there an event of this process beyond the horizon, or may there be one of others that was not
 * heard? */
static bool is_due(struct postgresql_store *store, bool for_others) {
    const struct horizon *horizon = &store->horizon;
    return has_own(store) || atomic_load(&horizon->id) == 0 ||
           (for_others && clock_monotonic() - atomic_load(&horizon->heard) >= FLOOR_SECONDS);
}

double postgresql_event_pause(struct store *base) {
    struct postgresql_store *store = (struct postgresql_store *)base;
    return has_own(store) ? fmax(atomic_load(&store->horizon.next) - clock_monotonic(), 0)
                          : FLOOR_SECONDS;
}

void postgresql_suspect(struct postgresql_store *store) {
    atomic_store(&store->horizon.heard, -FLOOR_SECONDS);
}

enum store_status postgresql_settle(struct store_session *session, bool for_others) {
    struct postgresql_session *reader = (struct postgresql_session *)session;
    struct horizon *horizon = &reader->store->horizon;
    enum store_status status = reader->connection ? STORE_OK : STORE_AWAY;
    pthread_mutex_lock(&horizon->mutex);
    if (status == STORE_OK && for_others)
        status = believe(reader);
    if (status == STORE_OK && is_due(reader->store, for_others) &&
        clock_monotonic() >= atomic_load(&horizon->next))
        status = look_if_due(reader);
    pthread_mutex_unlock(&horizon->mutex);
    return session->status = status;
}

/* ------------------------------------------------------------------ what it is */

static void sleep_until(double time) {
    const double seconds = fmax(time - clock_monotonic(), 0);
    nanosleep(&(struct timespec){.tv_sec = (time_t)seconds,
                                 .tv_nsec = (long)(1e9 * (seconds - floor(seconds)))},
              NULL);
}

/* A server that starts knows no horizon yet: as if there were no events, it would tell all again. */
static enum store_status look_first(struct postgresql_session *reader) {
    struct horizon *horizon = &reader->store->horizon;
    const double until = clock_monotonic() + FIRST_SECONDS;
    enum store_status status = postgresql_settle(&reader->base, true);
    while (status == STORE_OK && atomic_load(&horizon->id) == 0 && clock_monotonic() < until) {
        sleep_until(atomic_load(&horizon->next));
        status = postgresql_settle(&reader->base, true);
    }
    if (status == STORE_OK && atomic_load(&horizon->id) == 0) {
        log_line(LOG_ERROR,
                 "another node's transaction does not end, so the last event is not known", NULL);
        status = STORE_ERROR;
    }
    return status;
}

/* For a client that asks for what it has just done, or has seen elsewhere. It does not wait for the
 * thread that looks if that was in vain before. */
static enum store_status look_at_once(struct postgresql_session *reader) {
    struct horizon *horizon = &reader->store->horizon;
    const struct timespec until =
        clock_after(atomic_load(&horizon->failures) > 0 ? 0 : REQUEST_SECONDS);
    enum store_status status = STORE_OK;
    if (pthread_mutex_clocklock(&horizon->mutex, CLOCK_MONOTONIC, &until) != 0)
        return STORE_OK;
    status = believe(reader);
    if (status == STORE_OK && is_due(reader->store, true))
        status = look_if_due(reader);
    pthread_mutex_unlock(&horizon->mutex);
    return status;
}

enum store_status postgresql_horizon(struct store_session *session, int64_t wanted, int64_t *id) {
    struct postgresql_session *reader = (struct postgresql_session *)session;
    if (!reader->connection)
        return session->status = STORE_AWAY;
    /* A transaction that writes goes by what it sees. */
    if (!reader->reads_alone && pq.transactionStatus(reader->connection) != PQTRANS_IDLE) {
        const enum store_status seen = postgresql_driver.last_event(session, id);
        *id = wanted < *id ? wanted : *id;
        return seen;
    }
    const atomic_llong *horizon = &reader->store->horizon.id;
    enum store_status status = STORE_OK;
    if (atomic_load(horizon) == 0)
        status = reader->reads_alone ? STORE_ERROR : look_first(reader);
    else if (wanted > atomic_load(horizon) && !reader->reads_alone &&
             (is_due(reader->store, true) || has_heard(&reader->store->horizon)))
        status = look_at_once(reader);
    const int64_t known = atomic_load(horizon);
    *id = wanted < known ? wanted : known;
    return session->status = status;
}
