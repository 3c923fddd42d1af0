/* How fast servers that share a database can claim jobs and end them, without their trainings: each
 * claimer has the store and the writer of a node, and does it as a worker does. Every job must be
 * claimed once. usage: claims DATABASE CLAIMERS JOBS */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/counters.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/store/migrations.h"
#include "server/store/nodes.h"
#include "server/threads/writer.h"

enum { MAX_CLAIMERS = 64 };

struct claimer {
    pthread_t thread;
    struct store *store;
    struct writer *writer;
    int claims;
};

static void require(bool good, const char *what) {
    if (good)
        return;
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

static enum store_status join(void *argument, struct store_session *session) {
    const struct claimer *claimer = argument;
    struct node node = {.name = "claims", .version = "0", .workers = 1};
    memcpy(node.id, store_boot(claimer->store), sizeof node.id);
    return store_node_join(session, &node, 0);
}

static enum store_status insert(void *argument, struct store_session *session) {
    struct job job = {.dataset = "spiral", .words = "x", .spec = "{}", .epochs = 1, .steps = 1};
    enum store_status status = STORE_OK;
    for (int i = 0; i < *(int *)argument && status == STORE_OK; i++) {
        id_new(job.id);
        status = store_job_insert(session, &job, NULL);
    }
    return status;
}

static enum store_status claim_one(void *argument, struct store_session *session) {
    const struct memory_room room = {.unreserved = INT64_MAX, .all = INT64_MAX};
    return store_claim(session, "0", &room, clock_now_ms(), argument);
}

static enum store_status end_one(void *argument, struct store_session *session) {
    const struct claim *claim = argument;
    return store_finish(session, claim->id, claim->fence,
                        &(struct job_end){.status = JOB_SUCCEEDED}, clock_now_ms());
}

static void *claim_all(void *argument) {
    struct claimer *claimer = argument;
    struct claim claim;
    enum store_status status;
    while ((status = writer_do(claimer->writer, claim_one, &claim)) == STORE_OK) {
        require(writer_do(claimer->writer, end_one, &claim) == STORE_OK, "an end");
        claim_clear(&claim);
        claimer->claims++;
    }
    require(status == STORE_NOT_FOUND, "a claim");
    return NULL;
}

static void open_claimer(struct claimer *claimer, const char *database) {
    char error[300] = "";
    claimer->store = store_open(database, error, sizeof error);
    require(claimer->store && store_migrate(claimer->store, error, sizeof error), error);
    claimer->writer = writer_start(claimer->store, NULL, NULL);
    require(claimer->writer && writer_do(claimer->writer, join, claimer) == STORE_OK, "joining");
}

int main(int count, char **arguments) {
    struct claimer claimers[MAX_CLAIMERS] = {0};
    const int number = count > 3 ? atoi(arguments[2]) : 0;
    int jobs = count > 3 ? atoi(arguments[3]) : 0, claims = 0;
    if (number < 1 || number > MAX_CLAIMERS || jobs < 1)
        return 2;
    require(counters_start(1), "counting");
    log_set_level(LOG_ERROR);
    for (int i = 0; i < number; i++)
        open_claimer(&claimers[i], arguments[1]);
    require(writer_do(claimers[0].writer, insert, &jobs) == STORE_OK, "inserting");
    const double began = clock_monotonic();
    for (int i = 0; i < number; i++)
        require(pthread_create(&claimers[i].thread, NULL, claim_all, &claimers[i]) == 0,
                "a thread");
    for (int i = 0; i < number; i++) {
        pthread_join(claimers[i].thread, NULL);
        claims += claimers[i].claims;
    }
    const double seconds = clock_monotonic() - began;
    require(claims == jobs, "claiming each once");
    printf("%.0f jobs/s claimed and ended by %d\n", claims / seconds, number);
    for (int i = 0; i < number; i++) {
        writer_stop(claimers[i].writer);
        store_close(claimers[i].store);
    }
}
