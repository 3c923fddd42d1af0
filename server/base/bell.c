#include "server/base/bell.h"

#include <math.h>
#include <time.h>

#include "server/base/clock.h"

void bell_init(struct bell *bell) {
    pthread_mutex_init(&bell->mutex, NULL);
    pthread_cond_init(&bell->changed, NULL);
    bell->rung = bell->closed = false;
}

void bell_clear(struct bell *bell) {
    pthread_cond_destroy(&bell->changed);
    pthread_mutex_destroy(&bell->mutex);
}

bool bell_start(struct bell *bell, void *(*run)(void *argument), void *argument) {
    bell_init(bell);
    if (pthread_create(&bell->thread, NULL, run, argument) == 0)
        return true;
    bell_clear(bell);
    return false;
}

void bell_join(struct bell *bell) {
    bell_close(bell);
    pthread_join(bell->thread, NULL);
}

void bell_stop(struct bell *bell) {
    bell_join(bell);
    bell_clear(bell);
}

static void set(struct bell *bell, bool *what) {
    pthread_mutex_lock(&bell->mutex);
    *what = true;
    pthread_cond_signal(&bell->changed);
    pthread_mutex_unlock(&bell->mutex);
}

void bell_ring(struct bell *bell) {
    set(bell, &bell->rung);
}

void bell_close(struct bell *bell) {
    set(bell, &bell->closed);
}

bool bell_is_closed(struct bell *bell) {
    pthread_mutex_lock(&bell->mutex);
    const bool is_closed = bell->closed;
    pthread_mutex_unlock(&bell->mutex);
    return is_closed;
}

static bool wait(struct bell *bell, double seconds, bool *rung) {
    const bool has_limit = isfinite(seconds);
    const struct timespec until = clock_after(has_limit ? seconds : 0);
    int waited = 0;
    pthread_mutex_lock(&bell->mutex);
    while (!*rung && !bell->closed && waited == 0)
        waited = has_limit
                     ? pthread_cond_clockwait(&bell->changed, &bell->mutex, CLOCK_MONOTONIC, &until)
                     : pthread_cond_wait(&bell->changed, &bell->mutex);
    *rung = false;
    const bool is_open = !bell->closed;
    pthread_mutex_unlock(&bell->mutex);
    return is_open;
}

bool bell_wait(struct bell *bell, double seconds) {
    return wait(bell, seconds, &bell->rung);
}

bool bell_pause(struct bell *bell, double seconds) {
    return wait(bell, seconds, &(bool){false});
}
