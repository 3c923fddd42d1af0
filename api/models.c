/* /v1/models/{id}: what a trained model is. */
#include "api/models.h"

#include <stdlib.h>

#include "api/spec.h"
#include "engine/denoise.h"

static void answer_missing(struct http_exchange *exchange, struct store_session *session,
                           const char *id) {
    struct job job;
    if (store_job_get(session, id, &job) == STORE_OK) {
        job_clear(&job);
        problem(exchange, 404, "no_model_yet",
                "the job with this id has not made a checkpoint yet");
    } else {
        answer_store(exchange, STORE_NOT_FOUND, "model");
    }
}

bool load_model(struct http_exchange *exchange, struct loaded_model *loaded) {
    const char *id = path_id(exchange, "model");
    struct store_session *session = id ? begin_reading(exchange) : NULL;
    if (!session)
        return false;
    enum store_status status = store_model_get(session, id, true, &loaded->row);
    if (status == STORE_NOT_FOUND)
        answer_missing(exchange, session, id);
    else if (status != STORE_OK)
        problem_store(exchange, status);
    end_reading(exchange, session);
    if (status != STORE_OK)
        return false;
    struct dn_error error;
    enum dn_status loading =
        dn_model_load(loaded->row.bytes, loaded->row.byte_count, &loaded->model, &error);
    if (loading != DN_OK) {
        if (loading == DN_NO_MEMORY)
            problem(exchange, 503, "no_memory", "not enough memory for this model");
        else
            problem(exchange, 500, "model_unreadable", error.text);
        model_clear(&loaded->row);
    }
    return loading == DN_OK;
}

void loaded_model_clear(struct loaded_model *loaded) {
    dn_model_free(loaded->model);
    model_clear(&loaded->row);
}

static void write_transform(const struct dn_model *model, struct json_writer *json) {
    double shift[DN_MAX_DIM], scale[DN_MAX_DIM];
    const int dim = dn_model_dim(model);
    dn_model_transform(model, shift, scale);
    json_key(json, "transform");
    json_open(json, '{');
    for (int part = 0; part < 2; part++) {
        json_key(json, part == 0 ? "shift" : "scale");
        json_open(json, '[');
        for (int i = 0; i < dim; i++)
            json_double(json, part == 0 ? shift[i] : scale[i]);
        json_close(json, ']');
    }
    json_close(json, '}');
}

static const struct link links[] = {
    {"self", "/v1/models/", ""},
    {"job", "/v1/jobs/", ""},
    {"samples", "/v1/models/", "/samples"},
    {"evaluation", "/v1/models/", "/evaluation"},
    {"trajectories", "/v1/models/", "/trajectories"},
};

/* What the labels 0, 1, .. mean. */
static void write_classes(const struct model *row, struct json_writer *json) {
    struct arena arena = {0};
    struct job_request request;
    struct dn_error error;
    json_key(json, "classes");
    if (spec_read_stored(row->spec, &request, &arena, &error))
        spec_write_classes(&request, json);
    else
        json_null(json);
    arena_clear(&arena);
}

enum http_next api_model_get(struct http_exchange *exchange) {
    struct loaded_model loaded = {0};
    if (!no_query(exchange) || !load_model(exchange, &loaded))
        return HTTP_REPLY;
    struct json_writer json = json_reply(exchange, 200);
    json_open(&json, '{');
    json_key(&json, "id");
    json_string(&json, loaded.row.id);
    json_key(&json, "name");
    json_string(&json, loaded.row.name);
    json_key(&json, "epoch");
    json_integer(&json, dn_model_epoch(loaded.model));
    json_key(&json, "dim");
    json_integer(&json, dn_model_dim(loaded.model));
    json_key(&json, "parameters");
    json_integer(&json, dn_spec_parameters(dn_model_spec(loaded.model)));
    write_transform(loaded.model, &json);
    write_classes(&loaded.row, &json);
    json_key(&json, "spec");
    json_raw(&json, loaded.row.spec);
    json_key(&json, "kernels");
    json_string(&json, loaded.row.variant);
    json_key(&json, "bytes");
    json_integer(&json, (int64_t)loaded.row.byte_count);
    json_key(&json, "created_at");
    json_time(&json, loaded.row.created_at);
    json_key(&json, "updated_at");
    json_time(&json, loaded.row.updated_at);
    write_links(&json, links, sizeof links / sizeof *links, loaded.row.id);
    json_close(&json, '}');
    loaded_model_clear(&loaded);
    return HTTP_REPLY;
}
