/* Every path of the service. */
#include "api/api.h"
#include "api/handlers.h"

#define JSON_BODY(bytes) (bytes), "application/json"
#define NO_BODY          0, NULL

enum { SMALL_BODY = 256 << 10, NOISE_BODY = 8 << 20 };

const struct http_route api_routes[] = {
    {"GET", "/", NULL, api_index, NO_BODY, "This list."},
    {"POST", "/v1/jobs", NULL, api_job_create, JSON_BODY(SMALL_BODY), "Queue a training."},
    {"GET", "/v1/jobs", "json", api_job_list, NO_BODY, "Jobs, newest first."},
    {"GET", "/v1/jobs/{id}", "json", api_job_get, NO_BODY, "One job."},
    {"DELETE", "/v1/jobs/{id}", NULL, api_job_delete, NO_BODY,
     "Delete a job with its history and its model."},
    {"POST", "/v1/jobs/{id}/cancel", NULL, api_job_cancel, NO_BODY,
     "Stop a job; its last checkpoint stays."},
    {"POST", "/v1/jobs/{id}/resume", NULL, api_job_resume, JSON_BODY(SMALL_BODY),
     "Train on from the last checkpoint, perhaps for more epochs."},
    {"GET", "/v1/jobs/{id}/history", "json csv svg", api_history, NO_BODY, "The loss per epoch."},
    {"GET", "/v1/models/{id}", "json", api_model_get, NO_BODY, "What a model is."},
    {"GET", "/v1/models/{id}/samples", "json csv npy svg txt", api_samples, NO_BODY,
     "Points drawn from a model."},
    {"POST", "/v1/models/{id}/samples", "json csv npy svg txt", api_samples, JSON_BODY(NOISE_BODY),
     "The same, with the request as JSON."},
    {"GET", "/v1/models/{id}/trajectories", "json ndjson npy txt", api_trajectories, NO_BODY,
     "The whole way from noise to points."},
    {"POST", "/v1/models/{id}/trajectories", "json ndjson npy txt", api_trajectories,
     JSON_BODY(NOISE_BODY), "The same, with the request as JSON."},
    {"GET", "/v1/datasets", "json", api_dataset_list, NO_BODY, "The data sets."},
    {"GET", "/v1/datasets/{id}", "json", api_dataset_get, NO_BODY, "One data set."},
    {"GET", "/v1/datasets/{id}/points", "json csv npy svg txt", api_dataset_points, NO_BODY,
     "A draw from it."},
    {"GET", "/livez", NULL, api_livez, NO_BODY, "The process runs."},
    {"GET", "/readyz", NULL, api_readyz, NO_BODY, "The service works."},
    {"GET", "/version", NULL, api_version, NO_BODY, "What this server is."},
};
const size_t api_route_count = sizeof api_routes / sizeof api_routes[0];

void api_problem(struct http_exchange *exchange, int status, const char *code, const char *detail) {
    problem(exchange, status, code, detail);
}
