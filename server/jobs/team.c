#include "server/jobs/team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A thread spins for about 50 us before it sleeps, and the caller before it yields its core. */
enum { SPINS = 4000 };

struct member {
    struct team *team;
    pthread_t thread;
    int part;
};

struct team {
    struct dn_team base;
    void (*work)(void *argument, int part);
    void *argument;
    atomic_uint round;   /* changes when there is work */
    atomic_int left;     /* members that have not finished the round */
    atomic_int sleepers; /* members that wait for `woken` */
    atomic_bool stop;
    pthread_mutex_t mutex;
    pthread_cond_t woken;
    struct member members[];
};

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void wait_for_round(struct team *team, unsigned seen) {
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&team->round) != seen)
            return;
        relax();
    }
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(&team->sleepers, 1); /* before it reads `round`: run() does the reverse */
    while (atomic_load(&team->round) == seen)
        pthread_cond_wait(&team->woken, &team->mutex);
    atomic_fetch_sub(&team->sleepers, 1);
    pthread_mutex_unlock(&team->mutex);
}

static void start_round(struct team *team) {
    atomic_fetch_add(&team->round, 1);
    if (atomic_load(&team->sleepers) > 0) {
        pthread_mutex_lock(&team->mutex);
        pthread_cond_broadcast(&team->woken);
        pthread_mutex_unlock(&team->mutex);
    }
}

static void *member_main(void *argument) {
    struct member *member = argument;
    struct team *team = member->team;
    for (unsigned seen = 0;; seen++) {
        wait_for_round(team, seen);
        if (atomic_load(&team->stop))
            return NULL;
        team->work(team->argument, member->part);
        atomic_fetch_sub(&team->left, 1);
    }
}

static void run(struct dn_team *base, void (*work)(void *argument, int part), void *argument) {
    struct team *team = (struct team *)base;
    team->work = work;
    team->argument = argument;
    atomic_store(&team->left, base->size - 1);
    start_round(team);
    work(argument, 0);
    for (int i = 0; atomic_load(&team->left) > 0; i++) {
        if (i < SPINS)
            relax();
        else
            sched_yield(); /* there are more threads than cores */
    }
}

struct dn_team *team_start(int size) {
    struct team *team = calloc(1, sizeof *team + (size_t)size * sizeof team->members[0]);
    if (!team)
        return NULL;
    team->base = (struct dn_team){.size = 1, .run = run};
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->woken, NULL);
    for (int part = 1; part < size; part++) {
        struct member *member = &team->members[part];
        *member = (struct member){.team = team, .part = part};
        if (pthread_create(&member->thread, NULL, member_main, member) != 0) {
            team_stop(&team->base);
            return NULL;
        }
        team->base.size++;
    }
    return &team->base;
}

void team_stop(struct dn_team *base) {
    if (!base)
        return;
    struct team *team = (struct team *)base;
    atomic_store(&team->stop, true);
    start_round(team);
    for (int part = 1; part < base->size; part++)
        pthread_join(team->members[part].thread, NULL);
    pthread_cond_destroy(&team->woken);
    pthread_mutex_destroy(&team->mutex);
    free(team);
}
