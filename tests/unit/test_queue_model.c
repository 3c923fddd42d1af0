/* The queue against a model of it: random operations on a real store and on a few structs, which
 * must say the same after each. Commits, crashes between them, stale workers and a clock that jumps
 * are among the operations. QUEUE_SEED repeats a run, QUEUE_SEQUENCES makes it longer. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/random.h"
#include "server/base/id.h"
#include "server/base/sha256.h"
#include "server/store/store.h"
#include "tests/unit/store_file.h"

enum {
    SEQUENCES = 2000,
    OPERATIONS = 50,
    MAX_JOBS = OPERATIONS,
    MAX_CLAIMS = OPERATIONS,
    KEYS = 6,
    STEPS = 10, /* per epoch */
    MAX_EPOCHS = 6,
    STALLS_ALLOWED = 3,
    MAX_MEMORY = 3,
    ALL_MEMORY = 5,
    KINDS_OF_ARITHMETIC = 3,
};

/* ------------------------------------------------------------------ the model */

struct point {
    int64_t step;
    int epoch;
};

static const char *const arithmetic_names[] = {NULL, "one", "two", "three"};

struct model_job {
    char id[ID_LENGTH + 1];
    char key[8]; /* "" without one */
    bool is_deleted, cancel_requested;
    enum job_status status;
    int64_t fence;
    int memory;
    int arithmetic;                           /* that it is bound to; 0: none */
    int attempt, stalls, epochs, model_epoch; /* 0: no model */
    int64_t reports;                          /* of the claim */
    struct point at, checkpoints[2];          /* the newest at first */
    int checkpoint_count;
    int64_t started_at, finished_at;
    const char *error;
};

struct model_claim {
    struct model_job *job;
    int64_t fence;
    struct point checkpoint; /* that it was given */
};

/* All there is to know, so that a crash takes it back to the last commit. */
static struct queue {
    struct model_job jobs[MAX_JOBS];
    int job_count;
    unsigned offered; /* 1 << arithmetic, added up */
} model, committed;

/* What workers believe, which no crash of the store takes back. */
static struct model_claim claims[MAX_CLAIMS];
static int claim_count;

static int64_t clock_ms;
static uint64_t seed, drawn;
static uint32_t sequence;
static int operation;
static const char *name; /* of the operation */

#define CHECK(condition)                                                                           \
    cr_assert(condition, "QUEUE_SEED=%llu sequence %u, operation %d (%s)",                         \
              (unsigned long long)seed, sequence, operation, name)

static int pick(int count) {
    return (int)(random_uniform(seed, RANDOM_DATA, sequence, drawn++) * count);
}

/* Any job there ever was, or NULL. */
static struct model_job *pick_job(void) {
    return model.job_count ? &model.jobs[pick(model.job_count)] : NULL;
}

/* Any claim there ever was, a late one more often. */
static struct model_claim *pick_claim(void) {
    if (claim_count == 0)
        return NULL;
    return &claims[pick(2) ? claim_count - 1 : pick(claim_count)];
}

static bool is_active(const struct model_job *job) {
    return job->status == JOB_QUEUED || job->status == JOB_RUNNING;
}

static bool waits(const struct model_job *job) {
    return job->status == JOB_QUEUED && job->arithmetic && !(model.offered >> job->arithmetic & 1);
}

/* The fence is what decides. */
static bool holds(const struct model_claim *claim) {
    const struct model_job *job = claim->job;
    return job < model.jobs + model.job_count && !job->is_deleted && job->status == JOB_RUNNING &&
           job->fence == claim->fence;
}

static void end(struct model_job *job, enum job_status status, const char *error) {
    job->status = status;
    job->error = error;
    job->finished_at = clock_ms;
}

/* ------------------------------------------------------------------ operations */

static void submit(void) {
    char key[8] = "", id[ID_LENGTH + 1];
    bool same = false;
    struct job job = {.dataset = "spiral", .spec = "{}", .created_at = clock_ms};
    if (pick(2))
        snprintf(key, sizeof key, "k%d", pick(KEYS));
    for (int i = 0; key[0] && i < model.job_count; i++)
        if (!model.jobs[i].is_deleted && strcmp(model.jobs[i].key, key) == 0) {
            CHECK(store_job_by_key(session, key, &job, id, &same) == STORE_OK);
            CHECK(strcmp(id, model.jobs[i].id) == 0 && same);
            return;
        }
    CHECK(!key[0] || store_job_by_key(session, key, &job, id, &same) == STORE_NOT_FOUND);
    struct model_job *made = &model.jobs[model.job_count++];
    *made = (struct model_job){
        .status = JOB_QUEUED, .epochs = 1 + pick(MAX_EPOCHS), .memory = pick(MAX_MEMORY + 1)};
    id_new(made->id);
    memcpy(made->key, key, sizeof key);
    job.epochs = made->epochs;
    job.steps = STEPS * made->epochs;
    job.memory = made->memory;
    memcpy(job.id, made->id, sizeof job.id);
    CHECK(store_job_insert(session, &job, key[0] ? key : NULL) == STORE_OK);
}

static void take_checkpoint(struct model_job *job, struct model_claim *claim) {
    job->at = claim->checkpoint = job->checkpoint_count ? job->checkpoints[0] : (struct point){0};
}

/* The first in the queue that takes at most so much memory. */
static struct model_job *first_of(int memory) {
    for (int i = 0; i < model.job_count; i++) {
        struct model_job *job = &model.jobs[i];
        if (!job->is_deleted && job->status == JOB_QUEUED && !waits(job) && job->memory <= memory)
            return job;
    }
    return NULL;
}

/* What those that run take, of them that were submitted before this one, or of all with NULL. */
static int taken_before(const struct model_job *last) {
    int sum = 0;
    for (struct model_job *job = model.jobs; job < model.jobs + model.job_count; job++)
        if (!job->is_deleted && job->status == JOB_RUNNING && (!last || job < last))
            sum += job->memory;
    return sum;
}

static void claim_next(void) {
    const int left = ALL_MEMORY - taken_before(NULL);
    const struct memory_room room = {ALL_MEMORY, pick(4) ? left : left - 1, 1, pick(2)};
    struct model_job *first = first_of(MAX_MEMORY), *job = first_of((int)room.unreserved);
    if (job != first && first->memory + taken_before(first) <= ALL_MEMORY)
        job = NULL;
    const bool beside = !job;
    if (beside)
        job = first_of(room.beside < room.small ? (int)room.beside : (int)room.small);
    struct claim claim;
    CHECK(store_claim(session, "w", &room, clock_ms, &claim) == (job ? STORE_OK : STORE_NOT_FOUND));
    if (!job)
        return;
    CHECK(claim.memory == job->memory && claim.is_beside == beside);
    job->status = JOB_RUNNING;
    job->fence++;
    job->reports = 0;
    job->attempt++;
    job->stalls++;
    if (!job->started_at)
        job->started_at = clock_ms;
    struct model_claim *made = &claims[claim_count++];
    *made = (struct model_claim){.job = job, .fence = job->fence};
    take_checkpoint(job, made);
    CHECK(strcmp(claim.id, job->id) == 0 && claim.fence == job->fence &&
          claim.attempt == job->attempt && claim.cancel_requested == job->cancel_requested);
    CHECK(claim.checkpoint.step == job->at.step && claim.checkpoint.epoch == job->at.epoch);
    CHECK((claim.checkpoint.size > 0) == (job->at.step > 0));
    CHECK(job->arithmetic ? strcmp(claim.arithmetic, arithmetic_names[job->arithmetic]) == 0
                          : !claim.arithmetic);
    claim_clear(&claim);
}

/* The two newest are kept; one of the same step takes the place of the one before. */
static void keep_checkpoint(struct model_job *job) {
    const bool same = job->checkpoint_count && job->checkpoints[0].step == job->at.step;
    if (!same)
        job->checkpoints[1] = job->checkpoints[0];
    job->checkpoints[0] = job->at;
    job->checkpoint_count += !same && job->checkpoint_count < 2;
}

/* What a worker may report: it is at a step, with some epochs behind it. */
static void report(void) {
    static char state[] = "state", weights[] = "weights";
    struct model_claim *claim = pick_claim();
    if (!claim)
        return;
    const bool held = holds(claim);
    struct point from = held ? claim->job->at : (struct point){0};
    const int epochs = held ? claim->job->epochs : MAX_EPOCHS;
    struct point to = {.epoch = from.epoch + pick(epochs - from.epoch + 1)};
    to.step = to.epoch * STEPS + (to.epoch < epochs ? pick(STEPS) : 0);
    if (to.step <= from.step)
        to = from;
    struct epoch_row rows[MAX_EPOCHS];
    for (int e = from.epoch + 1; e <= to.epoch; e++)
        rows[e - from.epoch - 1] = (struct epoch_row){
            .epoch = e, .step = STEPS * e, .train_loss = 1.0 / e, .val_loss = e, .seconds = e};
    struct checkpoint checkpoint = {.bytes = state,
                                    .size = sizeof state,
                                    .step = to.step,
                                    .epoch = to.epoch,
                                    .seconds = 0.25 * (double)to.step};
    const int arithmetic =
        held && claim->job->arithmetic ? claim->job->arithmetic : 1 + pick(KINDS_OF_ARITHMETIC);
    checkpoint.arithmetic = arithmetic_names[arithmetic];
    sha256_text(state, sizeof state, checkpoint.sha256);
    const bool with_checkpoint = to.step > 0 && pick(2), with_model = to.epoch > 0 && pick(2);
    const struct trained_model trained = {.variant = "avx2",
                                          .bytes = weights,
                                          .size = sizeof weights,
                                          .epoch = to.epoch,
                                          .dim = 1,
                                          .transform = (double[]){0, 1}};
    const struct progress progress = {.id = claim->job->id,
                                      .fence = claim->fence,
                                      .report = claim->job->reports + 1,
                                      .step = to.step,
                                      .seconds = 0.25 * (double)to.step,
                                      .epochs = rows,
                                      .epoch_count = (size_t)(to.epoch - from.epoch),
                                      .checkpoint = with_checkpoint ? &checkpoint : NULL,
                                      .models = &trained,
                                      .model_count = with_model};
    struct receipt receipt;
    CHECK(store_progress(session, &progress, clock_ms, &receipt) == (held ? STORE_OK : STORE_LOST));
    if (!held)
        return;
    struct model_job *job = claim->job;
    job->reports++;
    CHECK(receipt.cancel_requested == job->cancel_requested && !receipt.is_repeated);
    if (pick(3) == 0) { /* as if its commit had been in doubt */
        CHECK(store_progress(session, &progress, clock_ms, &receipt) == STORE_OK);
        CHECK(receipt.cancel_requested == job->cancel_requested && receipt.is_repeated);
    }
    job->at = to;
    if (with_checkpoint) {
        keep_checkpoint(job);
        job->stalls = 0;
        job->arithmetic = arithmetic;
    }
    if (with_model && to.epoch > job->model_epoch)
        job->model_epoch = to.epoch;
}

static void finish(void) {
    struct model_claim *claim = pick_claim();
    if (!claim)
        return;
    const bool held = holds(claim);
    const enum job_status status =
        (enum job_status[]){JOB_SUCCEEDED, JOB_FAILED, JOB_CANCELLED}[pick(3)];
    const enum job_error error = status == JOB_FAILED ? JOB_ERROR_DIVERGED : JOB_ERROR_NONE;
    const char *code = error ? "diverged" : NULL;
    const struct job_end how = {status, error, code, NULL};
    CHECK(store_finish(session, claim->job->id, claim->fence, &how, clock_ms) ==
          (held ? STORE_OK : STORE_LOST));
    if (!held)
        return;
    end(claim->job, status, code);
    if (claim->job->checkpoint_count > 1) /* the newest is kept, to be resumed from */
        claim->job->checkpoint_count = 1;
}

static void unclaim(void) {
    struct model_claim *claim = pick_claim();
    if (!claim)
        return;
    const bool held = holds(claim);
    CHECK(store_unclaim(session, claim->job->id, claim->fence) == (held ? STORE_OK : STORE_LOST));
    if (held) {
        claim->job->status = JOB_QUEUED;
        claim->job->attempt--;
        claim->job->stalls -= claim->job->stalls > 0;
    }
}

/* What a worker does that cannot compute what its checkpoint needs. */
static void unclaim_bound(void) {
    struct model_claim *claim = pick_claim();
    if (!claim || (holds(claim) && claim->job->checkpoint_count == 0))
        return;
    const bool held = holds(claim);
    const int arithmetic = 1 + pick(KINDS_OF_ARITHMETIC);
    CHECK(store_unclaim_bound(session, claim->job->id, claim->fence,
                              arithmetic_names[arithmetic]) == (held ? STORE_OK : STORE_LOST));
    if (held) {
        claim->job->status = JOB_QUEUED;
        claim->job->attempt--;
        claim->job->stalls -= claim->job->stalls > 0;
        claim->job->arithmetic = arithmetic;
    }
}

/* Another process, with another CPU. */
static void offer(void) {
    const char *names[KINDS_OF_ARITHMETIC];
    int count = 0;
    model.offered = 1 + (unsigned)pick((1 << KINDS_OF_ARITHMETIC) - 1);
    model.offered <<= 1;
    for (int i = 1; i <= KINDS_OF_ARITHMETIC; i++)
        if (model.offered >> i & 1)
            names[count++] = arithmetic_names[i];
    CHECK(store_offer(session, names, count) == STORE_OK);
}

/* What a worker does that cannot read its checkpoint. */
static void drop_checkpoint(void) {
    struct model_claim *claim = pick_claim();
    if (!claim)
        return;
    const bool held = holds(claim);
    struct claim real = {.fence = claim->fence, .checkpoint = {.step = claim->checkpoint.step}};
    memcpy(real.id, claim->job->id, sizeof real.id);
    CHECK(store_drop_checkpoint(session, &real) == (held ? STORE_OK : STORE_LOST));
    if (held) {
        struct model_job *job = claim->job;
        while (job->checkpoint_count && job->checkpoints[0].step >= claim->checkpoint.step) {
            job->checkpoints[0] = job->checkpoints[1];
            job->checkpoint_count--;
        }
        take_checkpoint(job, claim);
        if (job->checkpoint_count == 0)
            job->model_epoch = job->arithmetic = 0;
        CHECK(real.checkpoint.step == job->at.step && real.checkpoint.epoch == job->at.epoch);
    }
    claim_clear(&real);
}

static void cancel(void) {
    struct model_job *job = pick_job();
    if (!job)
        return;
    CHECK(store_job_cancel(session, job->id, clock_ms) ==
          (job->is_deleted ? STORE_NOT_FOUND : STORE_OK));
    if (job->is_deleted || !is_active(job))
        return;
    job->cancel_requested = true;
    if (job->status == JOB_QUEUED)
        end(job, JOB_CANCELLED, NULL);
}

static void delete_job(void) {
    struct model_job *job = pick_job();
    if (!job)
        return;
    const bool force = pick(2), may = force || job->status != JOB_RUNNING;
    CHECK(store_job_delete(session, job->id, force) == (job->is_deleted ? STORE_NOT_FOUND
                                                        : may           ? STORE_OK
                                                                        : STORE_CONFLICT));
    job->is_deleted |= may;
}

static void resume(void) {
    struct model_job *job = pick_job();
    if (!job)
        return;
    const int epochs = job->epochs + (job->epochs < MAX_EPOCHS && pick(2));
    const bool may = !job->is_deleted && !is_active(job);
    CHECK(store_job_resume(session, job->id, "{}", epochs, epochs * STEPS, job->memory) ==
          (may ? STORE_OK : STORE_CONFLICT));
    if (!may)
        return;
    job->status = JOB_QUEUED;
    job->epochs = epochs;
    job->stalls = 0;
    job->cancel_requested = false;
    job->error = NULL;
    job->finished_at = 0;
}

static void restart(void) {
    struct model_job *job = pick_job();
    if (!job)
        return;
    const int epochs = 1 + pick(MAX_EPOCHS);
    const bool may = !job->is_deleted && job->status != JOB_RUNNING;
    CHECK(store_job_restart(session, job->id, "{}", epochs, epochs * STEPS, job->memory) ==
          (may ? STORE_OK : STORE_CONFLICT));
    if (!may)
        return;
    job->status = JOB_QUEUED;
    job->epochs = epochs;
    job->stalls = job->checkpoint_count = job->model_epoch = job->arithmetic = 0;
    job->at = (struct point){0};
    job->cancel_requested = false;
    job->error = NULL;
    job->finished_at = 0;
}

static void delete_model(void) {
    struct model_job *job = pick_job();
    if (!job)
        return;
    const bool there = !job->is_deleted && job->model_epoch > 0;
    CHECK(store_model_delete(session, job->id) == (!there           ? STORE_NOT_FOUND
                                                   : is_active(job) ? STORE_CONFLICT
                                                                    : STORE_OK));
    if (there && !is_active(job))
        job->model_epoch = job->checkpoint_count = job->arithmetic = 0;
}

/* A new boot: whoever ran does not any more. */
static void recover(void) {
    int requeued = 0, expected = 0;
    CHECK(store_recover(session, MAX_MEMORY, clock_ms, &requeued) == STORE_OK);
    for (int i = 0; i < model.job_count; i++) {
        struct model_job *job = &model.jobs[i];
        if (job->is_deleted || job->status != JOB_RUNNING)
            continue;
        if (job->cancel_requested)
            end(job, JOB_CANCELLED, NULL);
        else if (job->stalls >= STALLS_ALLOWED)
            end(job, JOB_FAILED, "crash_loop");
        else
            job->status = JOB_QUEUED;
        expected += job->status == JOB_QUEUED;
    }
    CHECK(requeued == expected);
}

static void commit(void) {
    CHECK(store_commit(session) == STORE_OK);
    CHECK(store_begin(session) == STORE_OK);
    committed = model;
}

/* A power cut: what was not committed has not happened, though workers may believe in it. */
static void crash(void) {
    store_abort(session);
    CHECK(store_begin(session) == STORE_OK);
    model = committed;
    for (int i = claim_count - 1; i >= 0; i--) /* a boot has no claims of the one before.. */
        if (claims[i].job >= model.jobs + model.job_count || !holds(&claims[i]))
            claims[i] = claims[--claim_count];
    recover(); /* ..that it honours */
}

static void jump(void) {
    clock_ms += pick(2) ? 86400000 : -86400000;
}

static const struct {
    const char *name;
    void (*run)(void);
    int weight;
} operations[] = {
    {"submit", submit, 6},
    {"claim", claim_next, 8},
    {"progress", report, 14},
    {"finish", finish, 4},
    {"unclaim", unclaim, 3},
    {"drop_checkpoint", drop_checkpoint, 2},
    {"cancel", cancel, 3},
    {"delete", delete_job, 2},
    {"resume", resume, 4},
    {"delete_model", delete_model, 1},
    {"recover", recover, 3},
    {"commit", commit, 1},
    {"crash", crash, 1},
    {"clock", jump, 1},
    {"offer", offer, 2},
    {"restart", restart, 2},
    {"unclaim_bound", unclaim_bound, 2},
};
enum { KINDS = sizeof operations / sizeof operations[0] };

/* ------------------------------------------------------------------ both say the same */

static void compare_history(const struct model_job *job) {
    struct epoch_row rows[MAX_EPOCHS + 1];
    int count;
    bool more;
    CHECK(store_history(session, job->id, 0, MAX_EPOCHS + 1, rows, &count, &more) == STORE_OK);
    CHECK(count == job->at.epoch && !more);
    for (int e = 1; e <= count; e++)
        CHECK(rows[e - 1].epoch == e && rows[e - 1].step == STEPS * e &&
              rows[e - 1].train_loss == 1.0 / e);
}

static void compare_job(const struct model_job *job, int64_t position) {
    struct job real;
    if (job->is_deleted) {
        CHECK(store_job_get(session, job->id, &real) == STORE_NOT_FOUND);
        return;
    }
    CHECK(store_job_get(session, job->id, &real) == STORE_OK);
    CHECK(real.status == job->status && real.attempt == job->attempt);
    CHECK(real.cancel_requested == job->cancel_requested);
    CHECK(real.epochs == job->epochs && real.steps == STEPS * job->epochs);
    CHECK(real.epoch == job->at.epoch && real.step == job->at.step);
    CHECK(real.seconds == 0.25 * (double)job->at.step);
    CHECK(real.has_model == (job->model_epoch > 0));
    CHECK(real.started_at == job->started_at && real.finished_at == job->finished_at);
    CHECK(real.queue_position == (job->status == JOB_QUEUED && !waits(job) ? position : -1));
    CHECK(real.waits_for_offer == waits(job));
    CHECK(job->arithmetic ? strcmp(real.arithmetic, arithmetic_names[job->arithmetic]) == 0
                          : !real.arithmetic);
    CHECK(!job->error ? !real.error.code : strcmp(real.error.code, job->error) == 0);
    job_clear(&real);
    compare_history(job);
}

static void compare_all(void) {
    int64_t counts[JOB_STATUS_COUNT] = {0}, count, waiting = 0;
    for (int i = 0; i < model.job_count; i++) {
        const struct model_job *job = &model.jobs[i];
        compare_job(job, counts[JOB_QUEUED] - waiting);
        waiting += !job->is_deleted && waits(job);
        counts[job->status] += !job->is_deleted;
    }
    for (int s = 0; s < JOB_STATUS_COUNT; s++) {
        CHECK(store_job_count(session, (enum job_status)s, &count) == STORE_OK);
        CHECK(count == counts[s]);
    }
    CHECK(store_count_waiting(session, &count) == STORE_OK && count == waiting);
    int64_t queued;
    CHECK(store_queue_length(session, &queued, &count) == STORE_OK);
    CHECK(queued == counts[JOB_QUEUED] && count == waiting);
}

/* ------------------------------------------------------------------ sequences */

static void run_operation(void) {
    int total = 0, at = 0;
    for (int i = 0; i < KINDS; i++)
        total += operations[i].weight;
    for (int left = pick(total); left >= operations[at].weight; at++)
        left -= operations[at].weight;
    clock_ms += pick(1000);
    name = operations[at].name;
    operations[at].run();
}

static void run_sequence(void) {
    drawn = 0;
    claim_count = 0;
    clock_ms = 1700000000000;
    model = committed = (struct queue){0};
    name = "the start";
    offer();
    commit();
    for (operation = 0; operation < OPERATIONS; operation++) {
        run_operation();
        if (operation % 5 == 4)
            compare_all();
    }
    name = "the end";
    for (int i = 0; i < model.job_count; i++)
        if (!model.jobs[i].is_deleted)
            CHECK(store_job_delete(session, model.jobs[i].id, true) == STORE_OK);
    CHECK(store_commit(session) == STORE_OK && store_begin(session) == STORE_OK);
}

/* On a store of their own: it remembers deleted jobs for a day, so it would get slower. */
static void run_sequences(uint32_t last) {
    setup();
    for (; sequence < last; sequence++)
        run_sequence();
    teardown();
}

Test(queue_model, says_the_same_as_the_store) {
    const char *wanted = getenv("QUEUE_SEED"), *longer = getenv("QUEUE_SEQUENCES");
    const uint32_t sequences = longer ? (uint32_t)atoi(longer) : SEQUENCES;
    seed = wanted ? strtoull(wanted, NULL, 10) : (uint64_t)time(NULL);
    for (uint32_t last = 0; last < sequences;) {
        last = last + SEQUENCES < sequences ? last + SEQUENCES : sequences;
        run_sequences(last);
    }
    printf("queue: %u sequences of %d operations, QUEUE_SEED=%llu: the store and its model agree\n",
           sequences, OPERATIONS, (unsigned long long)seed);
}
