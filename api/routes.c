/* Every path of the service. */
#include "api/api.h"
#include "api/contract/handlers.h"
#include "api/contract/openapi.h"

#define JSON_BODY(bytes) (bytes), "application/json"
#define ROWS_BODY(bytes) (bytes), "application/json text/csv text/tab-separated-values"
#define NO_BODY          0, NULL

enum { SMALL_BODY = 256 << 10, NOISE_BODY = 8 << 20 };

/* operationId, tag, query, body, status and response on success, problems; the macro's name says
 * who may use the operation (enum http_access). */
#define OPERATION(...)       &(const struct operation){.id = __VA_ARGS__}, HTTP_BY_METHOD
#define READ_OPERATION(...)  &(const struct operation){.id = __VA_ARGS__}, HTTP_READS
#define OPEN_OPERATION(...)  &(const struct operation){.id = __VA_ARGS__}, HTTP_OPEN
#define PROBE_OPERATION(...) &(const struct operation){.id = __VA_ARGS__}, HTTP_PROBE
/* The problems specific to an operation, and some that several share. */
#define PROBLEMS(...)                                                                              \
    (const enum problem_code[]) {                                                                  \
        __VA_ARGS__, PROBLEM_NONE                                                                  \
    }
#define ID_OF_MODEL PROBLEM_NO_SUCH_MODEL, PROBLEM_NO_MODEL_YET, PROBLEM_MODEL_DELETED
#define DRAWS       PROBLEM_CANNOT_SAMPLE, PROBLEM_NOT_FINITE, PROBLEM_TOO_EXPENSIVE
#define CSV_ROWS    PROBLEM_INVALID_CSV, PROBLEM_INVALID_UPLOAD
#define WATCHES                                                                                    \
    PROBLEM_NO_SUCH_JOB, PROBLEM_NOT_ACCEPTABLE, PROBLEM_BAD_LAST_EVENT_ID, PROBLEM_TOO_MANY_STREAMS
#define ONCE   PROBLEM_BAD_IDEMPOTENCY_KEY, PROBLEM_IDEMPOTENCY_KEY_REUSED
#define WRITES PROBLEM_DATABASE_FULL, PROBLEM_DISK_FULL
/* Responses with an entity tag. */
#define KEPT                                                                                       \
    .headers = "ETag Accept-Ranges", .takes = "If-None-Match Range If-Range", .other = kept_outcomes
/* The embedded pages (pages.c). */
#define PAGE(path, id, type, about)                                                                \
    {                                                                                              \
        "GET", path, NULL, api_page, NO_BODY, about,                                               \
            OPEN_OPERATION(id, "operations", NULL, NULL, 200, NULL, NULL,                          \
                           .media = type "; charset=utf-8", KEPT)                                  \
    }

static const struct outcome create_outcomes[] = {
    {200,
     "The job of an earlier request with the same Idempotency-Key, or the result of a validation.",
     "JobOrValidation", "Location Idempotency-Replayed Preference-Applied"},
    {0},
};
static const struct outcome upload_outcomes[] = {
    {200,
     "The data set of an earlier request with the same Idempotency-Key, or the result of a "
     "validation.",
     "DatasetOrPreview", "Location Idempotency-Replayed"},
    {0},
};
static const struct outcome replayed_outcomes[] = {
    {200, "The response to an earlier request with the same Idempotency-Key.", SAME,
     "Location Idempotency-Replayed"},
    {0},
};
static const struct outcome kept_outcomes[] = {
    {206, "The part that the Range header asks for.", SAME, "ETag Accept-Ranges Content-Range"},
    {304, "Not modified since the entity tag in If-None-Match.", NULL, "ETag"},
    {0},
};
static const struct outcome file_outcomes[] = {
    {206, "The part that the Range header asks for.", SAME,
     "ETag Accept-Ranges Content-Range Content-Disposition"},
    {304, "Not modified since the entity tag in If-None-Match.", NULL, "ETag Content-Disposition"},
    {0},
};
static const struct outcome event_outcomes[] = {
    {204, "The job has ended and all of its events have been sent.", NULL, NULL},
    {0},
};

const struct http_route api_routes[] = {
    {"GET", "/", NULL, api_index, NO_BODY,
     "The dashboard; without `text/html` in Accept, a list of links.",
     OPEN_OPERATION("getIndex", "operations", NULL, NULL, 200, "Index", NULL,
                    .media = "text/html; charset=utf-8", KEPT)},
    {"POST", "/v1/jobs", NULL, api_job_create, JSON_BODY(SMALL_BODY), "Submit a training job.",
     OPERATION("createJob", "jobs", &job_create_fields, "JobRequest", 201, "Job",
               PROBLEMS(PROBLEM_NO_SUCH_JOB, PROBLEM_DATASET_MISSING, PROBLEM_TOO_LARGE,
                        PROBLEM_QUEUE_FULL, ONCE, WRITES),
               .headers = "Location Preference-Applied", .takes = "Idempotency-Key Prefer",
               .other = create_outcomes)},
    {"GET", "/v1/jobs", "json", api_job_list, NO_BODY,
     "List the jobs, newest first unless `sort` is given.",
     OPERATION("listJobs", "jobs", &job_list_fields, NULL, 200, "JobList", NULL)},
    {"GET", "/v1/jobs/{id}", "json", api_job_get, NO_BODY, "Get a job.",
     OPERATION("getJob", "jobs", NULL, NULL, 200, "Job", PROBLEMS(PROBLEM_NO_SUCH_JOB))},
    {"DELETE", "/v1/jobs/{id}", NULL, api_job_delete, NO_BODY,
     "Delete a job with its history and model.",
     OPERATION("deleteJob", "jobs", &job_delete_fields, NULL, 204, NULL,
               PROBLEMS(PROBLEM_NO_SUCH_JOB, PROBLEM_JOB_RUNNING, WRITES))},
    {"POST", "/v1/jobs/{id}/cancel", NULL, api_job_cancel, JSON_BODY(SMALL_BODY),
     "Cancel a job and keep its last checkpoint. The response shows the job's final state, or "
     "`running` "
     "if its current step takes more than two seconds: the job then stops after that step.",
     OPERATION("cancelJob", "jobs", NULL, "EmptyRequest", 200, "Job",
               PROBLEMS(PROBLEM_NO_SUCH_JOB, WRITES))},
    {"POST", "/v1/jobs/{id}/resume", NULL, api_job_resume, JSON_BODY(SMALL_BODY),
     "Continue training from the last checkpoint, optionally for more epochs, or start it afresh.",
     OPERATION("resumeJob", "jobs", &job_resume_query_fields, "ResumeRequest", 202, "Job",
               PROBLEMS(PROBLEM_NO_SUCH_JOB, PROBLEM_JOB_ACTIVE, PROBLEM_DATASET_MISSING,
                        PROBLEM_TOO_LARGE, PROBLEM_QUEUE_FULL, ONCE, WRITES),
               .headers = "Location", .takes = "Idempotency-Key", .other = replayed_outcomes)},
    {"GET", "/v1/jobs/{id}/history", "json csv svg", api_history, NO_BODY,
     "Get the loss of each epoch.",
     OPERATION("getHistory", "jobs", &history_fields, NULL, 200, "History",
               PROBLEMS(PROBLEM_NO_SUCH_JOB, PROBLEM_NOT_ACCEPTABLE), KEPT)},
    {"GET", "/v1/jobs/{id}/events", "sse json", api_job_events, NO_BODY,
     "Stream the events of a job.",
     OPERATION("getJobEvents", "events", &job_event_fields, NULL, 200, "EventList",
               PROBLEMS(WATCHES), .takes = "Last-Event-ID", .other = event_outcomes)},
    {"GET", "/v1/events", "sse json", api_events, NO_BODY,
     "Stream the events of some jobs, or of all.",
     OPERATION("getEvents", "events", &event_fields, NULL, 200, "EventList", PROBLEMS(WATCHES),
               .takes = "Last-Event-ID", .other = event_outcomes)},
    {"GET", "/v1/models", "json", api_model_list, NO_BODY,
     "List the models, newest first unless `sort` is given.",
     OPERATION("listModels", "models", &model_list_fields, NULL, 200, "ModelList", NULL)},
    {"POST", "/v1/models", NULL, api_model_import, HTTP_UPLOAD, "application/octet-stream",
     "Import a model from a safetensors file, as exported by this server.",
     OPERATION("importModel", "models", &model_import_fields, NULL, 201, "Model",
               PROBLEMS(PROBLEM_INVALID_SAFETENSORS, ONCE, WRITES), .headers = "Location",
               .takes = "Idempotency-Key", .other = replayed_outcomes)},
    {"GET", "/v1/models/{id}", "json", api_model_get, NO_BODY, "Get a model's description.",
     OPERATION("getModel", "models", NULL, NULL, 200, "Model", PROBLEMS(ID_OF_MODEL))},
    {"DELETE", "/v1/models/{id}", NULL, api_model_delete, NO_BODY,
     "Delete a model and the checkpoints of its training; the job stays.",
     OPERATION("deleteModel", "models", NULL, NULL, 204, NULL,
               PROBLEMS(ID_OF_MODEL, PROBLEM_MODEL_IN_TRAINING, WRITES))},
    {"GET", "/v1/models/{id}/schedule", "json csv svg", api_model_schedule, NO_BODY,
     "Get the noise schedule: the noise level at each timestep.",
     OPERATION("getSchedule", "models", NULL, NULL, 200, "Schedule",
               PROBLEMS(ID_OF_MODEL, PROBLEM_NOT_ACCEPTABLE))},
    {"GET", "/v1/models/{id}/checkpoints", "json", api_model_checkpoints, NO_BODY,
     "List the epochs of a model's saved checkpoints, in order; at most 33.",
     OPERATION("listCheckpoints", "models", NULL, NULL, 200, "CheckpointList",
               PROBLEMS(ID_OF_MODEL))},
    {"GET", "/v1/models/{id}/weights", "safetensors", api_model_weights, NO_BODY,
     "Export the weights by name, with everything that sampling needs, as a safetensors file. "
     "`/docs/elsewhere` has the formulas and a numpy program that draws samples from the file.",
     OPERATION("getWeights", "models", NULL, NULL, 200, NULL,
               PROBLEMS(ID_OF_MODEL, PROBLEM_NOT_ACCEPTABLE), .media = "application/octet-stream",
               .headers = "ETag Accept-Ranges Content-Disposition",
               .takes = "If-None-Match Range If-Range", .other = file_outcomes)},
    {"GET", "/v1/models/{id}/evaluation", "json", api_evaluation, NO_BODY,
     "Evaluate a model; each metric comes with its floor, the score of real data.",
     OPERATION("getEvaluation", "models", &evaluation_fields, NULL, 200, "Evaluation",
               PROBLEMS(ID_OF_MODEL, PROBLEM_DATASET_MISSING, PROBLEM_DATASET_DIFFERS, DRAWS))},
    {"GET", "/v1/models/{id}/samples", "json csv npy svg png txt", api_samples, NO_BODY,
     "Draw samples from a model. For a table, they are rows in the form of its file.",
     OPERATION("getSamples", "models", &sample_fields, NULL, 200, "Samples",
               PROBLEMS(ID_OF_MODEL, PROBLEM_NOT_ACCEPTABLE, DRAWS), KEPT)},
    {"POST", "/v1/models/{id}/samples", "json csv npy svg png txt", api_samples,
     ROWS_BODY(NOISE_BODY),
     "Draw samples, with the parameters in a JSON body; also with given values, or to fill the "
     "gaps of rows. They may be a CSV file, whose missing cells are drawn; the parameters are then "
     "in the query.",
     READ_OPERATION("postSamples", "models", &sample_row_fields, "SampleRequest", 200, "Samples",
                    PROBLEMS(ID_OF_MODEL, PROBLEM_NOT_ACCEPTABLE, CSV_ROWS, DRAWS))},
    {"GET", "/v1/models/{id}/trajectories", "json ndjson npy safetensors png gif txt",
     api_trajectories, NO_BODY, "Get the whole trajectory of samples from noise to data.",
     OPERATION("getTrajectories", "models", &trajectory_fields, NULL, 200, "Trajectories",
               PROBLEMS(ID_OF_MODEL, PROBLEM_NOT_ACCEPTABLE, DRAWS), KEPT)},
    {"POST", "/v1/models/{id}/trajectories", "json ndjson npy safetensors png gif txt",
     api_trajectories, JSON_BODY(NOISE_BODY),
     "Get trajectories, with the parameters in a JSON body.",
     READ_OPERATION("postTrajectories", "models", NULL, "TrajectoryRequest", 200, "Trajectories",
                    PROBLEMS(ID_OF_MODEL, PROBLEM_NOT_ACCEPTABLE, DRAWS))},
    {"POST", "/v1/models/{id}/score", "json csv", api_score, ROWS_BODY(NOISE_BODY),
     "Get the log-density of points or rows, and their percentiles among held-out rows. The rows "
     "may "
     "be a CSV file; the parameters are then in the query.",
     READ_OPERATION("postScore", "models", &score_fields, "ScoreRequest", 200, "Score",
                    PROBLEMS(ID_OF_MODEL, PROBLEM_NOT_ACCEPTABLE, CSV_ROWS, DRAWS))},
    {"GET", "/v1/datasets", "json", api_dataset_list, NO_BODY,
     "List the data sets: the built-in ones, then the uploads, newest first.",
     OPERATION("listDatasets", "datasets", &dataset_list_fields, NULL, 200, "DatasetList", NULL)},
    {"POST", "/v1/datasets", NULL, api_dataset_create, HTTP_UPLOAD,
     "text/csv text/tab-separated-values application/json application/x-ndjson "
     "application/octet-stream multipart/form-data application/gzip application/zip "
     "application/x-zip-compressed",
     "Upload a data set: points, a table with columns of any type, or images: IDX as MNIST has it, "
     "an "
     "array of NumPy (uint8, [n][height][width] or with channels), each with the labels as a "
     "second "
     "part `labels` of a form, or a zip archive of PNG files with a folder for each class.",
     OPERATION("createDataset", "datasets", &upload_fields, "Upload", 201, "Dataset",
               PROBLEMS(PROBLEM_INVALID_CSV, PROBLEM_INVALID_JSON, PROBLEM_INVALID_NPY,
                        PROBLEM_INVALID_UPLOAD, PROBLEM_INVALID_DATA, ONCE, WRITES),
               .headers = "Location", .takes = "Idempotency-Key", .other = upload_outcomes)},
    {"GET", "/v1/datasets/{id}", "json", api_dataset_get, NO_BODY, "Get a data set.",
     OPERATION("getDataset", "datasets", NULL, NULL, 200, "Dataset",
               PROBLEMS(PROBLEM_NO_SUCH_DATASET), KEPT)},
    {"PATCH", "/v1/datasets/{id}", NULL, api_dataset_update, JSON_BODY(SMALL_BODY),
     "Change the types of an uploaded table's columns, whether they follow from others, or which "
     "one "
     "has the labels, until a job uses it.",
     OPERATION("updateDataset", "datasets", NULL, "TableSchema", 200, "Dataset",
               PROBLEMS(PROBLEM_NO_SUCH_DATASET, PROBLEM_DATASET_IN_USE, PROBLEM_DATASET_BUILT_IN,
                        WRITES))},
    {"DELETE", "/v1/datasets/{id}", NULL, api_dataset_delete, NO_BODY,
     "Delete an uploaded data set.",
     OPERATION("deleteDataset", "datasets", NULL, NULL, 204, NULL,
               PROBLEMS(PROBLEM_NO_SUCH_DATASET, PROBLEM_DATASET_IN_USE, PROBLEM_DATASET_BUILT_IN,
                        WRITES))},
    {"GET", "/v1/datasets/{id}/points", "json csv npy svg png txt", api_dataset_points, NO_BODY,
     "Draw points from a data set; without `n`, get an upload as it was in its file.",
     OPERATION("getPoints", "datasets", &draw_fields, NULL, 200, "DatasetPoints",
               PROBLEMS(PROBLEM_NO_SUCH_DATASET, PROBLEM_NOT_ACCEPTABLE), KEPT)},
    {"GET", "/v1/datasets/{id}/images", "png", api_dataset_images, NO_BODY,
     "Get a picture of images of a data set, side by side; with labels, each class begins a row.",
     OPERATION("getImages", "datasets", &picture_fields, NULL, 200, NULL,
               PROBLEMS(PROBLEM_NO_SUCH_DATASET, PROBLEM_NOT_ACCEPTABLE, PROBLEM_NO_IMAGES),
               .media = "image/png", KEPT)},
    {"GET", "/v1/datasets/{id}/images/{index}", "png", api_dataset_image, NO_BODY,
     "Get one image of a data set, with its own pixels unless `scale` is given.",
     OPERATION("getImage", "datasets", &image_fields, NULL, 200, NULL,
               PROBLEMS(PROBLEM_NO_SUCH_DATASET, PROBLEM_NOT_FOUND, PROBLEM_NOT_ACCEPTABLE,
                        PROBLEM_NO_IMAGES),
               .media = "image/png", KEPT)},
    {"POST", "/v1/datasets/{id}/nearest", "json", api_dataset_nearest, JSON_BODY(NOISE_BODY),
     "Find the images of a data set that are nearest to given ones, by their pixels: whether a "
     "model has memorized its data.",
     READ_OPERATION("postNearest", "datasets", NULL, "NearestRequest", 200, "NearestImages",
                    PROBLEMS(PROBLEM_NO_SUCH_DATASET, PROBLEM_NO_IMAGES))},
    {"GET", "/v1/datasets/{id}/forward", "json ndjson npy safetensors png gif txt",
     api_dataset_forward, NO_BODY,
     "Get the forward process of a data set: points that turn into noise.",
     OPERATION("getForward", "datasets", &forward_fields, NULL, 200, "Process",
               PROBLEMS(PROBLEM_NO_SUCH_DATASET, PROBLEM_NOT_ACCEPTABLE, PROBLEM_CANNOT_SAMPLE,
                        PROBLEM_NOT_FINITE),
               KEPT)},
    {"GET", "/v1/datasets/{id}/optimal", "json ndjson npy safetensors png gif txt",
     api_dataset_optimal, NO_BODY,
     "Get straight paths from noise points to the nearest points of a data set.",
     OPERATION("getOptimal", "datasets", &straight_fields, NULL, 200, "Process",
               PROBLEMS(PROBLEM_NO_SUCH_DATASET, PROBLEM_NOT_ACCEPTABLE, PROBLEM_NO_SHAPE,
                        PROBLEM_CANNOT_SAMPLE),
               KEPT)},
    {"GET", "/livez", NULL, api_livez, NO_BODY, "Liveness: the process is running.",
     PROBE_OPERATION("getLivez", "operations", NULL, NULL, 200, "Health", NULL)},
    {"GET", "/readyz", NULL, api_readyz, NO_BODY, "Readiness: the server can serve requests.",
     PROBE_OPERATION("getReadyz", "operations", NULL, NULL, 200, "Health",
                     PROBLEMS(PROBLEM_NOT_READY))},
    {"GET", "/metrics", NULL, api_metrics, NO_BODY, "Metrics for Prometheus.",
     OPERATION("getMetrics", "operations", NULL, NULL, 200, NULL, NULL,
               .media = "text/plain; version=0.0.4; charset=utf-8")},
    {"GET", "/version", NULL, api_version, NO_BODY, "Get the version and build of the server.",
     OPERATION("getVersion", "operations", NULL, NULL, 200, "Version", NULL)},
    {"GET", "/v1/nodes", "json", api_nodes, NO_BODY,
     "List the nodes: the processes that share the database, and train its jobs.",
     OPERATION("listNodes", "operations", NULL, NULL, 200, "NodeList", NULL)},
    {"GET", "/openapi.json", NULL, api_openapi, NO_BODY, "This API as an OpenAPI 3.1 description.",
     OPEN_OPERATION("getOpenApi", "operations", NULL, NULL, 200, "OpenApi", NULL)},
    PAGE("/assets/app.js", "getDashboardScript", "text/javascript", "The script of the dashboard."),
    PAGE("/assets/shared.js", "getDashboardShared", "text/javascript",
         "What the scripts of the dashboard share."),
    PAGE("/assets/tables.js", "getDashboardTables", "text/javascript",
         "The script for tables, which the dashboard loads when it shows one."),
    {"GET", "/assets/icon.svg", NULL, api_page, NO_BODY, "The icon of the dashboard.",
     OPEN_OPERATION("getDashboardIcon", "operations", NULL, NULL, 200, NULL, NULL,
                    .media = "image/svg+xml", KEPT)},
    PAGE("/docs", "getDocs", "text/html", "The reference of this API as a page."),
    PAGE("/docs/page.css", "getDocsStyle", "text/css", "The style sheet of the reference page."),
    PAGE("/docs/page.js", "getDocsScript", "text/javascript", "The script of the reference page."),
    PAGE("/docs/guide", "getGuide", "text/html", "How to use this server, by example."),
    PAGE("/docs/operating", "getOperating", "text/html", "How to operate this server."),
    PAGE("/docs/elsewhere", "getElsewhere", "text/html",
         "Every formula that an exported model needs to draw samples."),
    PAGE("/elsewhere.py", "getElsewhereProgram", "text/x-python",
         "A numpy program that draws samples from an exported model."),
};
const size_t api_route_count = sizeof api_routes / sizeof api_routes[0];
