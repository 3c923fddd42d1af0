/* /v1/models: list, read, delete. */
#include "api/models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/contract/lists.h"
#include "api/contract/openapi.h"
#include "api/format/point_stream.h"
#include "api/spec/spec.h"
#include "engine/denoise.h"

void model_problem(struct http_exchange *exchange, struct store_session *session, const char *id,
                   enum store_status status) {
    struct job job;
    if (status == STORE_NOT_FOUND && store_job_get(session, id, &job) == STORE_OK) {
        if (job.epoch > 0)
            problem(exchange, PROBLEM_MODEL_DELETED, "the model of this job has been deleted");
        else
            problem(exchange, PROBLEM_NO_MODEL_YET,
                    "the job with this id has not saved a checkpoint yet");
        job_clear(&job);
    } else {
        answer_store(exchange, status, PROBLEM_NO_SUCH_MODEL);
    }
}

enum store_status model_checkpoints(struct store_session *session, const char *id,
                                    struct model_checkpoints *found) {
    struct model model;
    enum store_status status = store_model_get(session, id, &model);
    if (status == STORE_OK) {
        memcpy(found->model, model.id, sizeof found->model);
        status = store_snapshots(session, model.id, found->items, &found->count);
        model_clear(&model);
    }
    return status;
}

/* Answers 422: the model has no checkpoint of this epoch. */
static void answer_no_snapshot(struct http_exchange *exchange, struct store_session *session,
                               const char *id, int epoch) {
    struct model_checkpoints found;
    enum store_status status = model_checkpoints(session, id, &found);
    if (status != STORE_OK) {
        problem_store(exchange, status);
        return;
    }
    const char *list = "";
    for (int i = 0; i < found.count && list; i++)
        list = http_format(exchange, "%s%s%d", list, i == 0 ? "" : ", ", found.items[i].epoch);
    problem_field(exchange, "/epoch",
                  http_format(exchange, "there is no checkpoint of epoch %d; available epochs: %s",
                              epoch, list ? list : "(not enough memory to list them)"));
}

bool read_model(struct http_exchange *exchange, int epoch, bool with_bytes, struct model *row) {
    const char *id = path_id(exchange, PROBLEM_NO_SUCH_MODEL);
    struct store_session *session = id ? begin_reading(exchange) : NULL;
    if (!session)
        return false;
    enum store_status status = store_model_at(session, id, epoch, with_bytes, row);
    if (status == STORE_NO_SNAPSHOT)
        answer_no_snapshot(exchange, session, id, epoch);
    else if (status != STORE_OK)
        model_problem(exchange, session, id, status);
    end_reading(exchange, session);
    return status == STORE_OK;
}

enum reading { READ, READ_OTHER, READ_FAILED };

/* Makes a model from the stored bytes. READ_OTHER: the row is outdated. READ_FAILED: the error is
 * already the response. */
static enum reading read_bytes(struct http_exchange *exchange, int epoch, const struct model *row,
                               struct dn_model **model) {
    struct model whole;
    struct dn_error error;
    if (!read_model(exchange, epoch, true, &whole))
        return READ_FAILED;
    enum dn_status status = DN_OK;
    const bool is_same = strcmp(whole.id, row->id) == 0 && whole.blob == row->blob;
    if (is_same)
        status = dn_model_load(whole.bytes, whole.byte_count, model, &error);
    model_clear(&whole);
    if (status == DN_NO_MEMORY)
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this model");
    else if (status != DN_OK)
        problem(exchange, PROBLEM_MODEL_UNREADABLE, error.text);
    return status != DN_OK ? READ_FAILED : is_same ? READ : READ_OTHER;
}

enum { LONG_BYTES = 1 << 20 }; /* larger models are loaded alone, without pauses */

static enum reading load(struct http_exchange *exchange, int epoch, struct loaded_model *loaded) {
    struct dn_model *model = NULL;
    const bool is_long = loaded->row.byte_count > LONG_BYTES;
    if (is_long)
        pool_begin_alone();
    const enum reading reading = read_bytes(exchange, epoch, &loaded->row, &model);
    if (reading == READ)
        model_cache_loaded(loaded->cache, loaded->entry, model);
    else
        model_cache_failed(loaded->cache, loaded->entry);
    if (is_long)
        pool_end_alone();
    loaded->model = model;
    return reading;
}

static enum reading find(struct http_exchange *exchange, int epoch, struct loaded_model *loaded) {
    switch (model_cache_find(loaded->cache, &loaded->row, &loaded->entry, &loaded->model)) {
    case MODEL_READY: return READ;
    case MODEL_TO_LOAD: return load(exchange, epoch, loaded);
    case MODEL_NO_ROOM: break;
    }
    problem(exchange, PROBLEM_MODEL_MEMORY_FULL, "too many large models are in use; try again");
    return READ_FAILED;
}

bool load_model(struct http_exchange *exchange, int epoch, struct loaded_model *loaded) {
    enum reading reading = READ_OTHER;
    while (reading == READ_OTHER) { /* training may change the model between two reads */
        struct loaded_model one = {.cache = service_of(exchange)->models};
        if (!read_model(exchange, epoch, false, &one.row))
            return false;
        reading = find(exchange, epoch, &one);
        if (reading == READ)
            *loaded = one;
        else
            model_clear(&one.row);
    }
    return reading == READ;
}

void loaded_model_clear(struct loaded_model *loaded) {
    if (loaded->cache)
        model_cache_give_back(loaded->cache, loaded->entry);
    model_clear(&loaded->row);
    *loaded = (struct loaded_model){0};
}

static const struct field figure_rows[] = {
    {"", "value", FIELD_NUMBER, offsetof(struct figure, value)},
    {"", "floor", FIELD_NUMBER, offsetof(struct figure, floor), .flags = FIELD_OR_NULL,
     .doc = "The score of real data."},
};
const struct field_set figure_answer = ANSWER(figure_rows, .may_be_null = true);

#define FIGURE(name, member, ...)                                                                  \
    {                                                                                              \
        "", name, FIELD_OBJECT, offsetof(struct figures, member),                                  \
            .schema = "Figure", .set = &figure_answer, __VA_ARGS__                                 \
    }
static const struct field figures_rows[] = {
    {"", "n", FIELD_INTEGER, offsetof(struct figures, n), 1, INFINITY,
     .doc = "Number of points drawn for the evaluation."},
    FIGURE("curve_distance", curve,
           .doc = "Mean distance to the exact shape of the data; null if it has none."),
    FIGURE("energy_distance", energy),
    FIGURE("coverage", coverage,
           .doc = "The fraction of the data with a sample of the model nearby; higher is better."),
};
const struct field_set figures_answer =
    ANSWER(figures_rows, .may_be_null = true,
           .doc = "The main metrics of the last evaluation of the current model with the default "
                  "sampling settings; null if there was none.");

static void write_job(const void *value, struct json_writer *json) {
    const struct model *row = value;
    json_string(json, row->has_job ? row->id : NULL);
}

static void write_warnings(const void *value, struct json_writer *json) {
    const char *const *warnings = value;
    json_raw(json, *warnings ? *warnings : "[]");
}

static void write_model_links(const void *value, struct json_writer *json) {
    static const struct link links[] = {
        {"self", "/v1/models/", ""},
        {"samples", "/v1/models/", "/samples"},
        {"evaluation", "/v1/models/", "/evaluation"},
        {"trajectories", "/v1/models/", "/trajectories"},
        {"schedule", "/v1/models/", "/schedule"},
        {"checkpoints", "/v1/models/", "/checkpoints"},
        {"weights", "/v1/models/", "/weights.safetensors"},
        {"job", "/v1/jobs/", ""}, /* last, because imported models have none */
    };
    const struct model *row = value;
    write_links(json, links, sizeof links / sizeof *links - !row->has_job, row->id);
}

/* Writes what follows from the spec of a model; null if it cannot be read. */
static void write_from_spec(const struct model *row,
                            void (*write)(const struct job_request *, struct json_writer *),
                            struct json_writer *json) {
    struct arena arena = {0};
    struct job_request request;
    struct dn_error error;
    if (spec_read_stored(row->spec, &request, &arena, &error))
        write(&request, json);
    else if (arena.failed)
        buffer_fail(json->out);
    else
        json_null(json);
    arena_clear(&arena);
}

/* Of images, one number for each channel. */
static int transform_columns(const struct model *row) {
    struct arena arena = {0};
    struct job_request request;
    struct dn_error error;
    const bool is_read = spec_read_stored(row->spec, &request, &arena, &error);
    arena_clear(&arena);
    return is_read ? dn_spec_columns(&request.spec) : row->dim;
}

static void write_shift(const void *value, struct json_writer *json) {
    const struct model *row = value;
    json_numbers(json, row->transform, transform_columns(row));
}

static void write_scale(const void *value, struct json_writer *json) {
    const struct model *row = value;
    json_numbers(json, row->transform + row->dim, transform_columns(row));
}

static void write_classes(const void *value, struct json_writer *json) {
    write_from_spec(value, spec_write_classes, json);
}

static const struct field usual_rows[] = {
    {"", "sampler", FIELD_CHOICE, offsetof(struct dn_usual_sampling, sampler),
     .choices = dn_sampler_names},
    {"", "steps", FIELD_INTEGER, offsetof(struct dn_usual_sampling, steps), 1, DN_MAX_TIMESTEPS},
    {"", "guidance", FIELD_NUMBER, offsetof(struct dn_usual_sampling, guidance), 0,
     DN_MAX_GUIDANCE},
    {"", "guidance_ratio_min", FIELD_NUMBER, offsetof(struct dn_usual_sampling, guidance_ratio_min),
     0, DN_MAX_RATIO_MAX},
    {"", "guidance_ratio_max", FIELD_NUMBER, offsetof(struct dn_usual_sampling, guidance_ratio_max),
     0, DN_MAX_RATIO_MAX},
};
static const struct field_set usual_set =
    ANSWER(usual_rows, .may_be_null = true,
           .doc = "What samples and evaluations use when the request does not say.");

static void write_usual_of(const struct job_request *request, struct json_writer *json) {
    const struct dn_usual_sampling usual = dn_sample_usual(&request->spec, false);
    fields_write(&usual_set, &usual, json);
}

static void write_usual(const void *value, struct json_writer *json) {
    write_from_spec(value, write_usual_of, json);
}

static void write_columns(const void *value, struct json_writer *json) {
    write_from_spec(value, spec_write_columns, json);
}

/* As it is stored: api/table/form.h. */
static void write_table(const void *value, struct json_writer *json) {
    json_raw(json, ((const struct model *)value)->form);
}

#define AT(member) offsetof(struct model, member)
static const struct field listed_rows[] = {
    {"", "id", FIELD_ID, AT(id)},
    {"", "name", FIELD_STRING, AT(name), .flags = FIELD_OR_NULL},
    {"", "job", FIELD_ID, .flags = FIELD_OR_NULL, .write = write_job,
     .doc = "The job that trained it; null for an imported model."},
    {"", "epoch", FIELD_INTEGER, AT(epoch), 1, INFINITY, .doc = "Epoch of the checkpoint."},
    {"", "spec", FIELD_JSON, AT(spec), .schema = "JobRequest"},
    {"", "warnings", FIELD_WRITTEN, AT(warnings), .schema = "Warnings", .write = write_warnings},
    {"", "kernels", FIELD_STRING, AT(variant), .doc = "Kernels used for training."},
    {"", "bytes", FIELD_INT64, AT(byte_count)},
    {"", "created_at", FIELD_TIME, AT(created_at)},
    {"", "updated_at", FIELD_TIME, AT(updated_at)},
    {"", "evaluation", FIELD_OBJECT, AT(figures), .schema = "Figures", .set = &figures_answer},
    {"", "links", FIELD_WRITTEN, .schema = "Links", .write = write_model_links},
};
const struct field_set listed_model_answer =
    ANSWER(listed_rows, .doc = "A model, without the fields that are computed from its weights.");
static const struct field model_rows[] = {
    {"", "", FIELD_MEMBERS, .set = &listed_model_answer},
    {"", "dim", FIELD_INTEGER, AT(dim), 1, DN_MAX_VALUES},
    {"", "parameters", FIELD_INT64, AT(parameters), 1, INFINITY},
    {"", "transform", FIELD_GROUP, .doc = "model units = (data units - shift) * scale"},
    {"transform", "shift", FIELD_WRITTEN, .schema = "Numbers", .write = write_shift},
    {"transform", "scale", FIELD_WRITTEN, .schema = "Numbers", .write = write_scale},
    {"", "columns", FIELD_WRITTEN, .schema = "Names", .write = write_columns,
     .doc = "Names of the coordinates, as `given` and `rows` of a request for samples take them."},
    {"", "table", FIELD_WRITTEN, .schema = "ModelTable", .write = write_table},
    {"", "classes", FIELD_WRITTEN, .schema = "Classes", .write = write_classes},
    {"", "sampling", FIELD_OBJECT, .set = &usual_set, .write = write_usual},
};
const struct field_set model_answer = ANSWER(model_rows);

/* The names that `write` writes, if there are `count` of them, else their indices. */
static const char *const *names_of(const struct model *row, int count,
                                   void (*write)(const void *row, struct json_writer *json),
                                   struct arena *arena) {
    enum { MOST = DN_MAX_CLASSES > DN_MAX_DIM ? DN_MAX_CLASSES : DN_MAX_DIM };
    struct buffer text = {0};
    const char *stored[MOST + 1];
    const char **names = arena_alloc(arena, ((size_t)count + 1) * sizeof *names);
    cJSON *tree = NULL;
    int found = 0;
    write(row, &(struct json_writer){.out = &text});
    buffer_append(&text, "", 1);
    bool made = names && !text.failed && json_names(text.data, &tree, stored, MOST);
    while (made && stored[found])
        found++;
    for (int i = 0; i < count && made; i++) {
        names[i] = found == count ? arena_copy(arena, stored[i], strlen(stored[i]))
                                  : arena_format(arena, "%d", i);
        made = names[i];
    }
    cJSON_Delete(tree);
    buffer_clear(&text);
    arena->failed |= !made;
    return made ? names : NULL;
}

const char *const *model_class_names(const struct model *row, int count, struct arena *arena) {
    return names_of(row, count, write_classes, arena);
}

const char *const *model_column_names(const struct model *row, struct arena *arena) {
    return names_of(row, row->dim, write_columns, arena);
}

void model_reply(struct http_exchange *exchange, struct store_session *session, const char *id) {
    struct model row;
    enum store_status status = store_model_get(session, id, &row);
    if (status != STORE_OK) {
        model_problem(exchange, session, id, status);
        return;
    }
    struct json_writer json = json_reply(exchange, 200);
    fields_write(&model_answer, &row, &json);
    model_clear(&row);
}

enum http_next api_model_get(struct http_exchange *exchange) {
    const char *id = path_id(exchange, PROBLEM_NO_SUCH_MODEL);
    struct store_session *session = id && no_query(exchange) ? begin_reading(exchange) : NULL;
    if (!session)
        return HTTP_REPLY;
    model_reply(exchange, session, id);
    end_reading(exchange, session);
    return HTTP_REPLY;
}

/* ------------------------------------------------------------------ list */

enum { LIST_DEFAULT = 20, LIST_MAX = 200 };

struct list_query {
    char search[SEARCH_BYTES + 1], after[CURSOR_BYTES + 1];
    int sort; /* index into order_names */
    int origin;
    int limit;
    struct model_filter filter;
};

/* as enum model_sort */
static const char *const order_names[] = {
    ORDER("created_at"), ORDER("updated_at"), ORDER("name"), ORDER("epoch"),
    ORDER("parameters"), ORDER("bytes"),      NULL};
static const char *const imported_names[] = {"any", "false", "true", NULL}; /* enum origin */
static const struct field list_rows[] = {
    {"", "search", FIELD_TEXT, offsetof(struct list_query, search), 0, SEARCH_BYTES, 0, NULL,
     "Only models that contain this text in their name, their preset's name, or a data set's name, "
     "ignoring case, or whose id starts with it."},
    {"", "imported", FIELD_CHOICE, offsetof(struct list_query, origin), 0, 0, 0, imported_names,
     "true: only imported models; false: only models trained by this server."},
    {"", "sort", FIELD_CHOICE, offsetof(struct list_query, sort), 0, 0, 0, order_names,
     "Sort order; a leading \"-\" means descending. Equal ones are sorted by id, in the same "
     "direction. Names are compared by their first 60 characters."},
    {"", "limit", FIELD_INTEGER, offsetof(struct list_query, limit), 1, LIST_MAX, 0, NULL,
     "Maximum number of models per page."},
    {"", "after", FIELD_TEXT, offsetof(struct list_query, after), 0, CURSOR_BYTES, 0, NULL,
     "`next` of the previous page. It stays valid if that page's last model has been deleted."},
};
const struct field_set model_list_fields = {list_rows, sizeof list_rows / sizeof list_rows[0]};

static void reply_list(struct http_exchange *exchange, const struct model *models, int count,
                       const char *next) {
    struct json_writer json = page_begin(exchange);
    for (int i = 0; i < count; i++)
        fields_write(&listed_model_answer, &models[i], &json);
    page_end(&json, next);
}

/* Answers, unless the client wants more than `most` models and there are more: then false. */
static bool answer_list(struct http_exchange *exchange, int most) {
    const struct list_query *query = exchange->state;
    struct model_filter filter = query->filter;
    struct list_place last;
    filter.limit = query->limit < most ? query->limit : most;
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return true;
    struct model *models = calloc((size_t)filter.limit, sizeof *models);
    int count = 0;
    bool has_more = false;
    enum store_status status =
        models ? store_model_list(session, &filter, models, &count, &has_more, &last) : STORE_ERROR;
    end_reading(exchange, session);
    const bool is_cut = status == STORE_OK && has_more && filter.limit < query->limit;
    if (status != STORE_OK)
        problem_store(exchange, status);
    else if (!is_cut)
        reply_list(exchange, models, count,
                   has_more ? cursor_write(exchange, &last, order_names, query->sort) : NULL);
    for (int i = 0; i < count; i++)
        model_clear(&models[i]);
    free(models);
    return !is_cut;
}

/* A search reads many rows without a pause, so it runs outside the turns. */
static void list_on_pool(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    pool_begin_alone();
    answer_list(exchange, LIST_MAX);
    pool_end_alone();
}

enum http_next api_model_list(struct http_exchange *exchange) {
    struct list_query *query = http_alloc(exchange, sizeof *query);
    if (!query)
        return HTTP_REPLY;
    query->limit = LIST_DEFAULT;
    exchange->state = query;
    if (!read_query(exchange, &model_list_fields, query))
        return HTTP_REPLY;
    query->filter = (struct model_filter){.origin = (enum origin)query->origin,
                                          .search = query->search[0] ? query->search : NULL,
                                          .sort = (enum model_sort)order_of(query->sort),
                                          .descending = order_descends(query->sort)};
    if (!cursor_read(exchange, query->after, order_names, query->sort, &query->filter.after))
        return HTTP_REPLY;
    if (store_model_list_is_quick(&query->filter) && answer_list(exchange, ROWS_ON_LOOP))
        return HTTP_REPLY;
    return http_on_pool(exchange, list_on_pool);
}

/* ------------------------------------------------------------------ its data */

static const enum problem_code load_problems[JOB_ERRORS] = {
    [JOB_ERROR_NO_MEMORY] = PROBLEM_NO_MEMORY,
    [JOB_ERROR_DATASET_MISSING] = PROBLEM_DATASET_MISSING,
    [JOB_ERROR_DATASET_DIFFERS] = PROBLEM_DATASET_DIFFERS,
    [JOB_ERROR_SPEC_UNREADABLE] = PROBLEM_SPEC_UNREADABLE,
};

static bool is_gone(enum job_error error) {
    return error == JOB_ERROR_DATASET_MISSING || error == JOB_ERROR_DATASET_DIFFERS;
}

bool load_training_data(struct http_exchange *exchange, const struct model *row,
                        struct dn_data *data, bool *gone) {
    struct training training = {0};
    struct training_failure failure = {0};
    enum dn_status status = DN_OK;
    const struct dn_breaks breaks = breaks_of(exchange), alone = {.stop = breaks.stop};
    pool_begin_alone();
    const bool loaded =
        api_load_training(row->spec, service_of(exchange)->store, &training, &alone, &failure);
    pool_end_alone();
    if (failure.is_stopped)
        status = DN_STOPPED;
    else if (!loaded && gone && is_gone(failure.error))
        *gone = true;
    else if (!loaded && failure.error)
        problem(exchange, load_problems[failure.error],
                failure.why.text[0] ? failure.why.text : NULL);
    else if (!loaded)
        problem_store(exchange, failure.store);
    else if (training.data.n == 0)
        status = dn_data_draw(&training.spec, NULL, &training.data, &breaks, &failure.why);
    if (status != DN_OK)
        point_stream_failure(exchange, status, failure.why.text);
    *data = training.data;
    return loaded && status == DN_OK;
}

/* ------------------------------------------------------------------ delete */

static void delete_model(struct http_exchange *exchange, struct store_session *session) {
    struct model model;
    const char *resolved = exchange->state; /* by an earlier run; NULL: this is the first */
    const char *id = resolved ? resolved : exchange->request.ids[0];
    enum store_status status = store_model_get(session, id, &model); /* "latest" is resolved */
    if (status == STORE_OK) {
        exchange->state = http_format(exchange, "%s", model.id);
        status = store_model_delete(session, model.id);
        model_clear(&model);
    } else if (status == STORE_NOT_FOUND && resolved && http_is_in_doubt(exchange)) {
        status = STORE_OK; /* an earlier run has deleted it */
    }
    if (status == STORE_OK)
        exchange->response.status = 204;
    else if (status == STORE_CONFLICT)
        problem(exchange, PROBLEM_MODEL_IN_TRAINING,
                "the model's job is queued or running: cancel or delete the job first");
    else
        model_problem(exchange, session, id, status);
}

enum http_next api_model_delete(struct http_exchange *exchange) {
    if (!path_id(exchange, PROBLEM_NO_SUCH_MODEL) || !no_query(exchange))
        return HTTP_REPLY;
    return http_on_writer(exchange, delete_model);
}
