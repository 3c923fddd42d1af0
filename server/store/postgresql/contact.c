#include "server/store/postgresql/contact.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/bell.h"
#include "server/base/clock.h"
#include "server/base/log.h"

#define FIRST_PAUSE   0.05  /* seconds between two looks for a database that is away, at first, */
#define LONGEST_PAUSE 1.0   /* and at most: a lease must be renewed soon after it is back */
enum { LOOK_SECONDS = 2 };  /* for an answer when somebody looks */
#define SILENT_SECONDS  1.0 /* that somebody looks, after which requests give up */
#define NEAR_SECONDS    0.1 /* since the last sign, in which nobody need look */
#define FIRST_REFUSED   0.1 /* seconds until the next try after the first refusal, */
#define LONGEST_REFUSED 2.0 /* and at most */

/* An answer is lost if the server was not at work on it a while after it was asked, and still nothing
 * has come a while after that. Where other connections of the same age were lost, a short while will
 * do. */
#define LATE_SECONDS      1.0
#define LATE_AMONG_LOST_S 0.25
/* The sessions of this user that the server is at work for, the own one among them. It is not at work
 * while it waits for its client. */
#define SESSIONS_AT_WORK                                                                           \
    "SELECT ' ' || string_agg(pid::text, ' ') || ' ' FROM pg_stat_activity WHERE state = 'active'" \
    " AND usename = session_user AND wait_event_type IS DISTINCT FROM 'Client'"

/* What somebody saw who looked. */
struct sight {
    double began, ended; /* monotonic seconds; 0: nobody has looked */
    char *at_work;       /* of SESSIONS_AT_WORK; NULL: nothing is known of them */
};

/* A server that has no connection left for this one. */
struct crowd {
    double since; /* monotonic seconds; 0: it has some, as far as is known */
    double next;  /* when somebody may try again */
    double pause;
};

struct contact {
    struct postgresql_store *store;
    struct postgresql_session *session; /* of the one who looks */
    struct bell bell;                   /* rings when something is wrong */
    atomic_bool is_lost, is_in_doubt;
    _Atomic double heard;      /* monotonic time of the last sign of the database, */
    _Atomic double broke;      /* when the last connection has ended that somebody used, */
    _Atomic double looking;    /* and when somebody has begun to look; 0: nobody does */
    pthread_cond_t looked;     /* somebody has, with the bell's mutex */
    struct crowd crowd;        /* under the bell's mutex, */
    struct sight sight;        /* and this, too */
    _Atomic double distrusted; /* connections that are older; monotonic seconds */
    unsigned seed;
};

bool contact_is_lost(const struct postgresql_store *store) {
    return store && store->contact && atomic_load(&store->contact->is_lost);
}

double postgresql_away(const struct store *store) {
    const struct postgresql_store *away = (const struct postgresql_store *)store;
    if (!contact_is_lost(away))
        return 0;
    return fmax(clock_monotonic() - atomic_load(&away->contact->heard), 1e-9);
}

bool postgresql_is_silent(const struct store *store) {
    return contact_is_silent((const struct postgresql_store *)store);
}

void contact_heard(struct postgresql_store *store) {
    if (store && store->contact)
        atomic_store(&store->contact->heard, clock_monotonic());
}

void contact_broke(struct postgresql_store *store) {
    if (store && store->contact)
        atomic_store(&store->contact->broke, clock_monotonic());
}

void contact_doubt(struct postgresql_store *store) {
    if (store && store->contact && !atomic_exchange(&store->contact->is_in_doubt, true))
        bell_ring(&store->contact->bell);
}

void contact_lose(struct postgresql_store *store, double since, const char *why) {
    if (!store || !store->contact || atomic_load(&store->contact->heard) > since ||
        atomic_exchange(&store->contact->is_lost, true))
        return;
    log_line(LOG_ERROR, "the database is away: all that needs it waits or is refused", "why=\"%s\"",
             why);
    bell_ring(&store->contact->bell);
}

bool contact_is_silent(const struct postgresql_store *store) {
    if (!store || !store->contact)
        return false;
    const double began = atomic_load(&store->contact->looking);
    return began > 0 && atomic_load(&store->contact->heard) < began &&
           clock_monotonic() - began >= SILENT_SECONDS;
}

bool contact_is_near(struct postgresql_store *store) {
    struct contact *contact = store->contact;
    const double asked = clock_monotonic();
    const struct timespec until = clock_after(SILENT_SECONDS);
    if (!contact ||
        atomic_load(&contact->heard) > fmax(asked - NEAR_SECONDS, atomic_load(&contact->broke)))
        return true;
    contact_doubt(store);
    int waited = 0;
    pthread_mutex_lock(&contact->bell.mutex);
    while (atomic_load(&contact->heard) < asked && !atomic_load(&contact->is_lost) && waited == 0)
        waited =
            pthread_cond_clockwait(&contact->looked, &contact->bell.mutex, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&contact->bell.mutex);
    return atomic_load(&contact->heard) >= asked;
}

static bool may_try(const struct crowd *crowd, double now) {
    return crowd->since == 0 || now >= crowd->next;
}

double postgresql_crowded(const struct store *store, bool *may_connect) {
    struct contact *contact = ((const struct postgresql_store *)store)->contact;
    *may_connect = true;
    if (!contact)
        return 0;
    pthread_mutex_lock(&contact->bell.mutex);
    const struct crowd crowd = contact->crowd;
    pthread_mutex_unlock(&contact->bell.mutex);
    const double now = clock_monotonic();
    *may_connect = may_try(&crowd, now);
    return crowd.since > 0 ? fmax(now - crowd.since, 1e-9) : 0;
}

bool contact_may_connect(struct postgresql_store *store) {
    struct contact *contact = store->contact;
    if (!contact)
        return true;
    pthread_mutex_lock(&contact->bell.mutex);
    struct crowd *crowd = &contact->crowd;
    const double now = clock_monotonic();
    const bool may = may_try(crowd, now);
    if (may)
        crowd->next = now + crowd->pause; /* the others wait for what it learns */
    pthread_mutex_unlock(&contact->bell.mutex);
    return may;
}

void contact_refused(struct postgresql_store *store, const char *why) {
    struct contact *contact = store->contact;
    if (!contact)
        return;
    pthread_mutex_lock(&contact->bell.mutex);
    struct crowd *crowd = &contact->crowd;
    const double now = clock_monotonic();
    const bool is_first = crowd->since == 0;
    crowd->pause = is_first ? FIRST_REFUSED : fmin(2 * crowd->pause, LONGEST_REFUSED);
    crowd->next = now + crowd->pause;
    if (is_first)
        crowd->since = now;
    pthread_mutex_unlock(&contact->bell.mutex);
    if (is_first)
        log_line(LOG_WARN, "the database has no connection left for this server", "why=\"%s\"",
                 why);
}

void contact_accepted(struct postgresql_store *store) {
    struct contact *contact = store->contact;
    if (!contact)
        return;
    pthread_mutex_lock(&contact->bell.mutex);
    const double since = contact->crowd.since;
    contact->crowd = (struct crowd){0};
    pthread_mutex_unlock(&contact->bell.mutex);
    if (since > 0)
        log_line(LOG_INFO, "the database has connections again", "seconds=%.1f",
                 clock_monotonic() - since);
}

bool contact_is_deaf(const struct postgresql_session *session, double since, double *idle) {
    struct contact *contact = session->store ? session->store->contact : NULL;
    char own[16];
    if (!contact || session->is_pooled) /* whose sessions are those of the pooler */
        return false;
    const double late = contact_is_distrusted(session) ? LATE_AMONG_LOST_S : LATE_SECONDS;
    snprintf(own, sizeof own, " %d ", pq.backendPID(session->connection));
    pthread_mutex_lock(&contact->bell.mutex);
    const struct sight *sight = &contact->sight;
    if (sight->at_work && strstr(sight->at_work, own))
        *idle = 0;
    else if (sight->at_work && *idle == 0 && sight->began - since >= late)
        *idle = sight->ended;
    pthread_mutex_unlock(&contact->bell.mutex);
    return *idle > 0 && clock_monotonic() - *idle >= late;
}

void contact_distrust(struct postgresql_store *store, double since) {
    if (!store || !store->contact)
        return;
    pthread_mutex_lock(&store->contact->bell.mutex);
    const bool is_news = atomic_load(&store->contact->distrusted) < since;
    if (is_news)
        atomic_store(&store->contact->distrusted, since);
    pthread_mutex_unlock(&store->contact->bell.mutex);
    if (is_news)
        log_line(LOG_WARN,
                 "a connection to the database was lost without a word; others are replaced", NULL);
    contact_doubt(store); /* whoever waits on one of them learns it by the next look */
}

bool contact_is_distrusted(const struct postgresql_session *session) {
    return session->store && session->store->contact &&
           session->connected < atomic_load(&session->store->contact->distrusted);
}

/* What the server works on, as it says on the session of the one who looks. A server that does not
 * tell that does not name this session, either. */
static void note_sight(struct contact *contact, double began) {
    struct postgresql_session *session = contact->session;
    char own[16], *at_work = NULL;
    snprintf(own, sizeof own, " %d ", pq.backendPID(session->connection));
    if (postgresql_ask(session, SESSIONS_AT_WORK, &at_work) != STORE_OK ||
        (at_work && !strstr(at_work, own))) {
        free(at_work);
        at_work = NULL;
    }
    pthread_mutex_lock(&contact->bell.mutex);
    free(contact->sight.at_work);
    contact->sight = (struct sight){began, clock_monotonic(), at_work};
    pthread_mutex_unlock(&contact->bell.mutex);
}

static void find(struct contact *contact) {
    const double seconds = postgresql_away(&contact->store->base);
    contact_heard(contact->store);
    if (atomic_exchange(&contact->is_lost, false))
        log_line(LOG_INFO, "the database is back", "seconds=%.1f", seconds);
}

/* Is the database there? One that has no connection left for this one is. */
static bool is_there(struct contact *contact, char *why, size_t size) {
    struct postgresql_session *session = contact->session;
    const double began = clock_monotonic();
    const bool is_connected = postgresql_connect(session, contact->store->uri, why, size);
    if (is_connected && !session->is_pooled)
        note_sight(contact, began);
    postgresql_disconnect(session);
    return is_connected || session->is_refused;
}

/* Looks once. */
static bool look(struct contact *contact) {
    char why[400];
    const double began = clock_monotonic();
    atomic_store(&contact->is_in_doubt, false);
    atomic_store(&contact->looking, began);
    const bool found = is_there(contact, why, sizeof why);
    if (found)
        find(contact);
    else
        contact_lose(contact->store, began, why);
    atomic_store(&contact->looking, 0);
    pthread_mutex_lock(&contact->bell.mutex);
    pthread_cond_broadcast(&contact->looked);
    pthread_mutex_unlock(&contact->bell.mutex);
    return !atomic_load(&contact->is_lost);
}

/* The nodes should not all come back in the same moment. */
static double jittered(struct contact *contact, double seconds) {
    return seconds * (0.5 + rand_r(&contact->seed) / (2.0 * RAND_MAX));
}

static void *contact_main(void *argument) {
    struct contact *contact = argument;
    while (bell_wait(&contact->bell, INFINITY)) {
        double pause = FIRST_PAUSE;
        while (!look(contact) && bell_pause(&contact->bell, jittered(contact, pause)))
            pause = fmin(2 * pause, LONGEST_PAUSE);
    }
    return NULL;
}

bool postgresql_keep_contact(struct store *store) {
    struct contact *contact = calloc(1, sizeof *contact);
    struct postgresql_session *session = calloc(1, sizeof *session);
    if (contact && session) {
        session->base.driver = &postgresql_driver;
        session->patience = LOOK_SECONDS;
        session->is_pooled = ((struct postgresql_store *)store)->direct != NULL;
        *contact = (struct contact){.store = (struct postgresql_store *)store,
                                    .session = session,
                                    .heard = clock_monotonic(),
                                    .seed = (unsigned)clock_now_ms()};
        pthread_cond_init(&contact->looked, NULL);
        if (bell_start(&contact->bell, contact_main, contact)) {
            contact->store->contact = contact;
            return true;
        }
        pthread_cond_destroy(&contact->looked);
    }
    free(contact);
    free(session);
    return false;
}

void contact_end(struct contact *contact) {
    if (!contact)
        return;
    bell_stop(&contact->bell);
    pthread_cond_destroy(&contact->looked);
    postgresql_disconnect(contact->session);
    free(contact->sight.at_work);
    free(contact->session);
    free(contact);
}
