#include "server/janitor.h"

#include <stdlib.h>

#include "server/base/bell.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/nodes.h"

enum {
    SWEEP_SECONDS = 600,
    PROBE_SECONDS = 1, /* while writing fails */
    MAX_ROWS = 500,    /* rows in one transaction, */
    MAX_JOBS = 20,     /* or jobs with everything that they have, */
    MAX_PIECES = 4,    /* or pieces of blobs */
};
#define DAY_MS 86400000LL

struct janitor {
    struct store *store;
    struct writer *writer;
    int keep_events_days, keep_jobs_days;
    struct bell bell;
};

/* One kind of data to delete. */
struct sweep {
    const char *what; /* for the log; NULL: not logged */
    enum store_status (*run)(struct store_session *session, int64_t before, int most, int *count);
    int64_t before; /* ms */
    int most, count;
    bool makes_events;
    bool is_alone; /* one node at a time is enough */
};

static enum store_status sweep_blobs(struct store_session *session, int64_t before, int most,
                                     int *count) {
    (void)before;
    return store_blob_sweep(session, most, count);
}

static enum store_status run_sweep(void *argument, struct store_session *session) {
    struct sweep *sweep = argument;
    bool is_ours = true;
    sweep->count = 0;
    if (sweep->is_alone) {
        const enum store_status status = store_try_alone(session, &is_ours);
        if (status != STORE_OK || !is_ours)
            return status;
    }
    return sweep->run(session, sweep->before, sweep->most, &sweep->count);
}

/* Deletes in parts; what fails is tried again the next time: false. */
static bool sweep_all(struct janitor *janitor, struct sweep *sweep) {
    enum store_status status;
    int64_t total = 0;
    do {
        status = sweep->makes_events ? writer_do(janitor->writer, run_sweep, sweep)
                                     : writer_do_quietly(janitor->writer, run_sweep, sweep);
        if (status != STORE_OK)
            break;
        total += sweep->count;
    } while (sweep->count == sweep->most && !bell_is_closed(&janitor->bell));
    if (total > 0 && sweep->what)
        log_line(LOG_INFO, "old data removed", "what=%s count=%lld", sweep->what, (long long)total);
    return status == STORE_OK;
}

static void sweep_house(struct janitor *janitor) {
    const int64_t now = clock_now_ms();
    struct sweep checkpoints = {"checkpoints", store_forget_checkpoints, now, .most = MAX_ROWS,
                                .is_alone = true};
    struct sweep events = {"events", store_forget_events, now - janitor->keep_events_days * DAY_MS,
                           .most = MAX_ROWS, .is_alone = true};
    struct sweep jobs = {
        "jobs",           store_forget_jobs, now - janitor->keep_jobs_days * DAY_MS,
        .most = MAX_JOBS, .is_alone = true,  .makes_events = true};
    sweep_all(janitor, &checkpoints);
    if (janitor->keep_events_days > 0)
        sweep_all(janitor, &events);
    if (janitor->keep_jobs_days > 0)
        sweep_all(janitor, &jobs);
}

static enum store_status run_probe(void *argument, struct store_session *session) {
    (void)argument;
    return store_probe(session, clock_now_ms());
}

static void *janitor_main(void *argument) {
    struct janitor *janitor = argument;
    struct writer *writer = janitor->writer;
    int since = SWEEP_SECONDS;
    struct sweep blobs = {NULL, sweep_blobs, .most = MAX_PIECES};
    uint64_t swept = STORE_VERSION_UNKNOWN; /* the commits after which none was left */
    do {
        const uint64_t commits = store_commits(janitor->store);
        if (writer_state(writer) != TASK_DONE && writer_do(writer, run_probe, NULL) == STORE_OK)
            log_line(LOG_INFO, "writing works again", NULL);
        since += PROBE_SECONDS;
        /* What other processes leave, they remove, or the next round does. */
        if ((commits != swept || since >= SWEEP_SECONDS) && sweep_all(janitor, &blobs))
            swept = commits;
        if (since >= SWEEP_SECONDS) {
            sweep_house(janitor);
            since = 0;
        }
    } while (bell_wait(&janitor->bell, PROBE_SECONDS));
    return NULL;
}

struct janitor *janitor_start(struct store *store, struct writer *writer, int keep_events_days,
                              int keep_jobs_days) {
    struct janitor *janitor = calloc(1, sizeof *janitor);
    if (!janitor)
        return NULL;
    *janitor = (struct janitor){.store = store,
                                .writer = writer,
                                .keep_events_days = keep_events_days,
                                .keep_jobs_days = keep_jobs_days};
    if (!bell_start(&janitor->bell, janitor_main, janitor)) {
        free(janitor);
        return NULL;
    }
    return janitor;
}

void janitor_stop(struct janitor *janitor) {
    bell_stop(&janitor->bell);
    free(janitor);
}
