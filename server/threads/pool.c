#include "server/threads/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include "server/base/clock.h"
#include "server/store/store.h"

/* A computation checks at most this often whether its turn is over. */
#define LOOK_SECONDS 0.001

enum { MAX_CARRIERS = 512, IDLE_CARRIERS = 2, STACK_BYTES = 1 << 20 };

/* A thread, and the task that it has begun. */
struct carrier {
    struct pool *pool;
    struct carrier *next; /* in the list of idle ones, or of those that can be made */
    pthread_t thread;
    pthread_cond_t woken;
    struct task *task; /* NULL: it is idle */
    bool has_turn, has_thread;
    double since;  /* when it got its turn, or was last charged for it */
    double spent;  /* seconds of this turn before that */
    double looked; /* when it last checked whether the turn is over */
};

struct pool {
    pthread_mutex_t mutex;
    struct turns turns;
    int threads, max_waiting, at_work, begun;
    struct carrier *idle, *unused;
    int idle_count, carrier_count;
    bool is_closed;
    atomic_int waiting; /* for a turn; read without the mutex */
    uint64_t turns_given[TURN_CLASSES];
    pthread_mutex_t alone; /* held during work that cannot pause */
    struct carrier carriers[MAX_CARRIERS];
};

/* The carrier of this thread; NULL outside a pool. */
static _Thread_local struct carrier *current;

static struct task *task_of(struct turn *turn) {
    return (struct task *)((char *)turn - offsetof(struct task, turn));
}

/* ------------------------------------------------------------------ turns, with the mutex held */

static void note_waiting(struct pool *pool) {
    int waiting = 0;
    for (int i = 0; i < TURN_CLASSES; i++)
        waiting += pool->turns.lines[i].waiting;
    atomic_store_explicit(&pool->waiting, waiting, memory_order_relaxed);
}

/* Gives free turns to the tasks that come next. */
static void give_turns(struct pool *pool) {
    struct turn *turn;
    while (pool->at_work < pool->threads && (turn = turns_take(&pool->turns, pool->idle != NULL))) {
        struct carrier *carrier = turn->holder;
        if (!carrier) {
            carrier = pool->idle;
            pool->idle = carrier->next;
            pool->idle_count--;
            carrier->task = task_of(turn);
            pool->begun++;
            turn->holder = carrier;
        }
        pool->at_work++;
        pool->turns_given[turn->class]++;
        carrier->has_turn = true;
        pthread_cond_signal(&carrier->woken);
    }
    note_waiting(pool);
}

static void charge(struct carrier *me) {
    const double now = clock_monotonic();
    turns_charge(&me->pool->turns, &me->task->turn, now - me->since);
    me->spent += now - me->since;
    me->since = now;
}

static void give_away(struct carrier *me) {
    charge(me);
    me->has_turn = false;
    me->pool->at_work--;
}

static void await_turn(struct carrier *me) {
    give_turns(me->pool);
    while (!me->has_turn)
        pthread_cond_wait(&me->woken, &me->pool->mutex);
    me->since = clock_monotonic();
    me->spent = 0;
}

/* ------------------------------------------------------------------ threads */

static void *carry(void *argument);

/* Adds an idle thread, if there can be one more. */
static void make_carrier(struct pool *pool) {
    struct carrier *carrier = pool->unused;
    if (!carrier || pool->is_closed)
        return;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (carrier->has_thread) /* its previous thread, which is ending */
        pthread_join(carrier->thread, NULL);
    pool->unused = carrier->next;
    carrier->has_thread = pthread_create(&carrier->thread, &attributes, carry, carrier) == 0;
    if (carrier->has_thread) {
        carrier->next = pool->idle;
        pool->idle = carrier;
        pool->idle_count++;
        pool->carrier_count++;
    } else {
        carrier->next = pool->unused;
        pool->unused = carrier;
    }
    pthread_attr_destroy(&attributes);
}

/* Runs the carrier's task to its end. Called with the mutex, which it unlocks meanwhile. */
static void work(struct carrier *me) {
    struct pool *pool = me->pool;
    struct task *task = me->task;
    me->since = clock_monotonic();
    me->spent = 0;
    if (!pool->idle) { /* so that the next turn finds a thread */
        make_carrier(pool);
        give_turns(pool);
    }
    pthread_mutex_unlock(&pool->mutex);
    task->run(task, NULL);
    pthread_mutex_lock(&pool->mutex);
    charge(me);
    turns_end(&pool->turns, &task->turn);
    task->turn.holder = NULL;
    me->task = NULL;
    pool->begun--;
    pthread_mutex_unlock(&pool->mutex);
    task->done(task, TASK_DONE);
    /* The turn ends only now, so that work which done() posted gets this thread and its caches. */
    pthread_mutex_lock(&pool->mutex);
    me->has_turn = false;
    pool->at_work--;
}

static void *carry(void *argument) {
    struct carrier *me = current = argument;
    struct pool *pool = me->pool;
    store_be_patient();
    pthread_mutex_lock(&pool->mutex);
    for (;;) { /* here the carrier is in the list of idle ones */
        while (!me->task && !pool->is_closed)
            pthread_cond_wait(&me->woken, &pool->mutex);
        if (!me->task)
            break;
        work(me);
        if (pool->is_closed || pool->idle_count >= pool->threads + IDLE_CARRIERS)
            break;
        me->next = pool->idle;
        pool->idle = me;
        pool->idle_count++;
        give_turns(pool);
    }
    give_turns(pool);
    me->next = pool->unused;
    pool->unused = me;
    pool->carrier_count--;
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* ------------------------------------------------------------------ start and stop */

struct pool *pool_start(int threads, int max_waiting) {
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_mutex_init(&pool->alone, NULL);
    turns_init(&pool->turns);
    pool->threads = threads;
    pool->max_waiting = max_waiting;
    for (int i = MAX_CARRIERS - 1; i >= 0; i--) {
        struct carrier *carrier = &pool->carriers[i];
        *carrier = (struct carrier){.pool = pool, .next = pool->unused};
        pthread_cond_init(&carrier->woken, NULL);
        pool->unused = carrier;
    }
    pthread_mutex_lock(&pool->mutex);
    for (int i = 0; i < threads && i == pool->carrier_count; i++)
        make_carrier(pool);
    const bool has_any = pool->carrier_count > 0;
    pthread_mutex_unlock(&pool->mutex);
    if (has_any)
        return pool;
    pool_stop(pool);
    return NULL;
}

int pool_threads(const struct pool *pool) {
    return pool->threads;
}

static void refuse_all(struct pool *pool) {
    pthread_mutex_lock(&pool->mutex);
    for (struct turn *turn; (turn = turns_drop(&pool->turns));) {
        pthread_mutex_unlock(&pool->mutex);
        struct task *task = task_of(turn);
        task->done(task, TASK_REFUSED);
        pthread_mutex_lock(&pool->mutex);
    }
    note_waiting(pool);
    pthread_mutex_unlock(&pool->mutex);
}

void pool_stop(struct pool *pool) {
    pthread_mutex_lock(&pool->mutex);
    pool->is_closed = true;
    pthread_mutex_unlock(&pool->mutex);
    refuse_all(pool);
    pthread_mutex_lock(&pool->mutex);
    for (int i = 0; i < MAX_CARRIERS; i++)
        pthread_cond_signal(&pool->carriers[i].woken);
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < MAX_CARRIERS; i++) {
        if (pool->carriers[i].has_thread)
            pthread_join(pool->carriers[i].thread, NULL);
        pthread_cond_destroy(&pool->carriers[i].woken);
    }
    pthread_mutex_destroy(&pool->alone);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

/* ------------------------------------------------------------------ for any thread */

static void post(struct pool *pool, struct task *task, bool even_if_full) {
    pthread_mutex_lock(&pool->mutex);
    const bool accepted =
        !pool->is_closed &&
        (even_if_full || pool->turns.lines[task->turn.class].fresh < pool->max_waiting);
    if (accepted) {
        task->turn.holder = NULL;
        turns_join(&pool->turns, &task->turn);
        give_turns(pool);
    }
    pthread_mutex_unlock(&pool->mutex);
    if (!accepted)
        task->done(task, TASK_REFUSED);
}

void pool_post(void *self, struct task *task) {
    post(self, task, false);
}

void pool_post_piece(void *self, struct task *task) {
    post(self, task, true);
}

struct pool_counts pool_count(struct pool *pool) {
    pthread_mutex_lock(&pool->mutex);
    struct pool_counts counts = {
        .at_work = pool->at_work, .threads = pool->threads, .begun = pool->begun};
    for (int i = 0; i < TURN_CLASSES; i++) {
        counts.waiting[i] = pool->turns.lines[i].waiting;
        counts.turns[i] = pool->turns_given[i];
    }
    pthread_mutex_unlock(&pool->mutex);
    return counts;
}

/* ------------------------------------------------------------------ for tasks that run */

const struct turn *pool_turn(void) {
    return current && current->task ? &current->task->turn : NULL;
}

void pool_pause(void) {
    struct carrier *me = current;
    if (!me || !me->task || atomic_load_explicit(&me->pool->waiting, memory_order_relaxed) == 0)
        return;
    const double now = clock_monotonic();
    if (now - me->looked < LOOK_SECONDS)
        return;
    struct pool *pool = me->pool;
    me->looked = now;
    pthread_mutex_lock(&pool->mutex);
    const double held = me->spent + now - me->since;
    if (turns_is_over(&pool->turns, &me->task->turn, held)) {
        give_away(me);
        turns_back(&pool->turns, &me->task->turn);
        await_turn(me);
    }
    pthread_mutex_unlock(&pool->mutex);
}

void pool_step_out(void) {
    struct carrier *me = current;
    if (!me || !me->task)
        return;
    pthread_mutex_lock(&me->pool->mutex);
    give_away(me);
    give_turns(me->pool);
    pthread_mutex_unlock(&me->pool->mutex);
}

void pool_step_in(void) {
    struct carrier *me = current;
    if (!me || !me->task)
        return;
    pthread_mutex_lock(&me->pool->mutex);
    turns_back(&me->pool->turns, &me->task->turn);
    await_turn(me);
    pthread_mutex_unlock(&me->pool->mutex);
}

void pool_begin_alone(void) {
    if (!pool_turn())
        return;
    pool_step_out();
    pthread_mutex_lock(&current->pool->alone);
}

void pool_end_alone(void) {
    if (!pool_turn())
        return;
    pthread_mutex_unlock(&current->pool->alone);
    pool_step_in();
}
