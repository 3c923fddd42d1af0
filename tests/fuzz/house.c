#include "tests/fuzz/house.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "api/contract/json_scan.h"
#include "server/base/counters.h"
#include "server/base/log.h"
#include "server/service.h"
#include "server/store/datasets.h"
#include "server/store/nodes.h"
#include "tests/fuzz/fuzz.h"

#define ID(digit) "00000000-0000-7000-8000-00000000000" #digit

static struct service service = {
    .max_queued = 2, .max_sample_cost = 2e5, .max_training_memory = 256 << 20};
static char directory[] = "/tmp/denoised-fuzz-XXXXXX";

/* ------------------------------------------------------------------ what is in the database */

static const char spec_text[] =
    "{\"dataset\":{\"name\":\"moons\",\"n\":12,\"seed\":1},\"diffusion\":{\"timesteps\":5},"
    "\"network\":{\"hidden_size\":8,\"hidden_layers\":1},"
    "\"training\":{\"epochs\":3,\"batch_size\":4}}";

static void add_job(struct store_session *session, const char *id, const char *key) {
    struct job job = {.name = (char *)"a name",
                      .dataset = (char *)"moons",
                      .spec = (char *)spec_text,
                      .epochs = 3,
                      .steps = 9,
                      .created_at = 1700000000000};
    snprintf(job.id, sizeof job.id, "%s", id);
    fuzz_check(store_job_insert(session, &job, key) == STORE_OK);
}

static struct trained_model model_of(const struct dn_trainer *trainer) {
    struct dn_model *model;
    fuzz_check(dn_trainer_model(trainer, &model, NULL) == DN_OK);
    const struct trained_model trained = {.variant = dn_trainer_kernels(trainer),
                                          .bytes = malloc(dn_model_bytes(model)),
                                          .size = dn_model_bytes(model),
                                          .epoch = dn_model_epoch(model),
                                          .dim = 2,
                                          .parameters = dn_spec_parameters(dn_model_spec(model)),
                                          .transform = calloc(4, sizeof *trained.transform)};
    fuzz_check(trained.bytes && trained.transform);
    dn_model_save(model, trained.bytes);
    dn_trainer_transform(trainer, trained.transform, trained.transform + 2);
    dn_model_free(model);
    return trained;
}

static void report(struct store_session *session, struct claim *claim,
                   const struct dn_trainer *trainer, const struct dn_epoch *epoch) {
    const struct trained_model model = model_of(trainer);
    const struct epoch_row row = {.epoch = epoch->epoch,
                                  .step = epoch->step,
                                  .train_loss = epoch->train_loss,
                                  .val_loss = epoch->val_loss};
    const struct progress progress = {.id = claim->id,
                                      .fence = claim->fence,
                                      .report = ++claim->reports,
                                      .step = epoch->step,
                                      .epochs = &row,
                                      .epoch_count = 1,
                                      .models = &model,
                                      .model_count = 1};
    struct receipt receipt;
    fuzz_check(store_progress(session, &progress, 1700000002000, &receipt) == STORE_OK);
    free(model.bytes);
    free(model.transform);
}

/* Trains the job that the queue gives, and stores each epoch with its model. */
static void train(struct store_session *session) {
    struct claim claim;
    struct training training = {0};
    struct training_failure failure;
    struct dn_trainer *trainer;
    struct dn_epoch epoch;
    const struct node node = {
        .id = "00000000-0000-7000-8000-000000000000", .name = "fuzz", .version = "0"};
    fuzz_check(store_node_join(session, &node, 0) == STORE_OK);
    fuzz_check(store_claim(session, "fuzz", &(struct memory_room){INT64_MAX, INT64_MAX, 0, 0},
                           1700000001000, &claim) == STORE_OK);
    fuzz_check(api_load_training(claim.spec, NULL, &training, NULL, &failure));
    fuzz_check(dn_trainer_new(&training.spec, NULL, &trainer, NULL) == DN_OK);
    for (int i = 0; i < training.spec.training.epochs; i++) {
        fuzz_check(dn_trainer_epoch(trainer, NULL, &epoch, NULL) == DN_OK);
        report(session, &claim, trainer, &epoch);
    }
    fuzz_check(store_finish(session, claim.id, claim.fence,
                            &(struct job_end){.status = JOB_SUCCEEDED}, 1700000003000) == STORE_OK);
    dn_trainer_free(trainer);
    dn_data_clear(&training.data);
    claim_clear(&claim);
}

static void add_dataset(struct store_session *session) {
    struct dataset dataset = {.id = ID(3),
                              .name = (char *)"three",
                              .n = 3,
                              .dim = 2,
                              .columns =
                                  (char *)"[{\"name\":\"x\",\"type\":\"numeric\",\"coordinate\":0},"
                                          "{\"name\":\"y\",\"type\":\"numeric\",\"coordinate\":1}]",
                              .classes = (char *)"[\"a\",\"b\"]",
                              .statistics = (char *)"{}",
                              .created_at = 1700000000000,
                              .points = (float[]){0, 1, 2, 3, 4, 5},
                              .labels = (int32_t[]){0, 1, 0}};
    memset(dataset.sha256, '0', sizeof dataset.sha256 - 1);
    fuzz_check(store_dataset_insert(session, &dataset) == STORE_OK);
}

static void fill(struct store_session *session) {
    fuzz_check(store_begin(session) == STORE_OK);
    add_job(session, ID(1), "first");
    train(session);
    add_job(session, ID(2), NULL);
    add_dataset(session);
    fuzz_check(store_commit(session) == STORE_OK);
}

/* ------------------------------------------------------------------ the service around it */

/* The executors: all at once, on this thread. */
static void post_write(void *self, struct task *task) {
    struct store_session *session = store_writer(self);
    fuzz_check(store_begin(session) == STORE_OK && store_savepoint(session) == STORE_OK);
    fuzz_check(store_keep(session, task->run(task, session)) == STORE_OK);
    store_abort(session);
    task->done(task, TASK_DONE);
}

static void post_computing(void *unused, struct task *task) {
    (void)unused;
    task->run(task, NULL);
    task->done(task, TASK_DONE);
}

static void post_waiting(void *unused, struct task *task) {
    (void)unused;
    void *exchange = (char *)task - offsetof(struct http_exchange, task);
    ((struct http_exchange *)exchange)->stopping = true; /* so nobody waits */
    fuzz_check(task->run(task, NULL));
    task->done(task, TASK_DONE);
}

/* In the place of worker.c: what was rolled back is nothing to look for. */
void workers_wake(struct workers *workers) {
    (void)workers;
}
void workers_interrupt(struct workers *workers, const char *id, int64_t fence) {
    (void)workers, (void)id, (void)fence;
}
void peers_cancelled(struct peers *peers, const char *id) {
    (void)peers, (void)id;
}
int64_t workers_memory(struct workers *workers) {
    (void)workers;
    return 0;
}

static void remove_files(void) {
    static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(path, sizeof path, "%s/fuzz.db%s", directory, endings[i]);
        unlink(path);
    }
    rmdir(directory);
}

static void start(void) {
    static struct http_server *server;
    char path[PATH_MAX], error[512];
    if (server)
        return;
    log_set_level(LOG_ERROR);
    fuzz_check(mkdtemp(directory));
    atexit(remove_files);
    snprintf(path, sizeof path, "%s/fuzz.db", directory);
    service.store = store_open(path, error, sizeof error);
    fuzz_check(service.store && counters_start(api_route_count));
    fill(store_writer(service.store));
    service.watch = watch_start(1, WATCH_FLOOR_SECONDS);
    service.events = events_start(service.store, service.watch, api_event_data);
    /* for its state: it is given nothing to do */
    service.writer = writer_start(service.store, NULL, NULL);
    service.pool = pool_start(1, 1);
    service.replies = reply_cache_new();
    service.models = model_cache_new(16 << 20);
    service.ready = true;
    struct http_socket socket;
    fuzz_check(http_socket_bind(&socket, "127.0.0.1", 0, error, sizeof error));
    server = http_start(
        &(struct http_config){
            .socket = socket,
            .cors_origins = "https://a.example",
            .max_connections = 16,
            .max_connections_per_ip = 16,
            .routes = api_routes,
            .route_count = api_route_count,
            .service = &service,
            .max_upload = 1 << 20,
            .max_body_memory = 16 << 20,
            .problem = problem,
            .writer = {post_write, service.store},
            .pool = {post_computing, NULL},
            .watch = {post_waiting, NULL},
            .pieces = {post_computing, NULL},
            .counts = &service.counts,
        },
        error, sizeof error);
    fuzz_check(server);
}

/* ------------------------------------------------------------------ the answer */

static bool is_json(const char *type) {
    return strcmp(type, "application/json") == 0 || strcmp(type, "application/problem+json") == 0;
}

static void check(const struct fake_answer *answer) {
    struct json_scan scan;
    fuzz_check(answer->status != 500);
    fuzz_check(answer->status < 400 || !answer->is_whole || answer->body.length == 0 ||
               strcmp(answer->content_type, "application/problem+json") == 0);
    if (!answer->is_whole || answer->status == 206 || answer->body.length == 0 ||
        answer->content_encoding[0] || !is_json(answer->content_type))
        return;
    fuzz_check(json_scan_begin(&scan, answer->body.data, answer->body.length, SIZE_MAX) &&
               json_scan_value(&scan, 1) && json_scan_end(&scan));
}

unsigned house_ask(const struct fake_request *request) {
    struct fake_answer answer;
    start();
    fake_mhd_ask(request, &answer);
    check(&answer);
    buffer_clear(&answer.body);
    return answer.status;
}
