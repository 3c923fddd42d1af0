/* The import of models: POST /v1/models. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/contract/idempotency.h"
#include "api/contract/names.h"
#include "api/contract/openapi.h"
#include "api/format/safetensors.h"
#include "api/models.h"
#include "api/spec/spec.h"
#include "api/upload/label.h"
#include "api/weights/form.h"
#include "api/weights/quantiles.h"
#include "api/weights/weights.h"
#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/sha256.h"
#include "server/threads/blob.h"

struct import {
    char name[JOB_NAME_BYTES + 1];
    struct problem_fields wrong;
    struct safetensors file;
    struct job_request job; /* the spec */
    int epoch;
    double shift[DN_MAX_DIM], scale[DN_MAX_DIM];
    float low[DN_MAX_DIM], high[DN_MAX_DIM];
    struct dn_quantile quantiles[DN_MAX_DIM]; /* numbers in the exchange's arena */
    int32_t class_counts[DN_MAX_CLASSES];     /* all 0: unknown */
    char *form;                               /* of a table's rows, in the arena; or NULL */
    float *values;                            /* all tensors, in the order of the architecture */
    struct dn_model *model;
    struct model row; /* texts in the exchange's arena, bytes from malloc */
    struct replay once;
};

static const struct field import_rows[] = {
    {"", "name", FIELD_TEXT, offsetof(struct import, name), 0, JOB_NAME_BYTES, 0, NULL,
     "Display name; by default, the name in the file."},
};
const struct field_set model_import_fields = {import_rows, 1};

#define META "/__metadata__/"

static const char *need_text(struct import *import, const char *key) {
    const char *text = safetensors_text(&import->file, key);
    if (!text)
        problem_add(&import->wrong, problem_pointer(&import->wrong, "__metadata__", key),
                    "is missing");
    return text;
}

static void read_count(struct import *import, const char *key, int min, int max, int *out) {
    const char *text = need_text(import, key);
    if (!text)
        return;
    const size_t length = strspn(text, "0123456789");
    const long value = length > 0 && length < 9 && !text[length] ? strtol(text, NULL, 10) : -1;
    const char *pointer = problem_pointer(&import->wrong, "__metadata__", key);
    if (min == max && value != min)
        problem_add(&import->wrong, pointer, "must be %d, as in the spec", min);
    else if (value < min || value > max)
        problem_add(&import->wrong, pointer, "must be a whole number from %d to %d", min, max);
    else
        *out = (int)value;
}

static cJSON *read_object(struct import *import, const char *key) {
    char error[200];
    const char *text = need_text(import, key);
    cJSON *json = text ? json_read(text, strlen(text), JSON_MAX_VALUES, import->wrong.arena, error,
                                   sizeof error)
                       : NULL;
    if (text && !cJSON_IsObject(json))
        problem_add(&import->wrong, problem_pointer(&import->wrong, "__metadata__", key), "%s",
                    json ? "must be a JSON object" : error);
    return json;
}

/* Checks the names of classes, columns and data sets anywhere in a spec. */
static void check_names(struct import *import, const cJSON *json) {
    for (; json; json = json->next) {
        const char *text = cJSON_IsString(json) ? json->valuestring : "";
        const char *wrong = name_wrong(text, strlen(text));
        if (wrong)
            problem_add(&import->wrong, META "spec", "a string in it %s", wrong);
        check_names(import, json->child);
    }
}

/* The names of classes must be different, because requests use them. */
static void check_classes(struct import *import, const cJSON *spec) {
    const cJSON *dataset = cJSON_GetObjectItemCaseSensitive(spec, "dataset");
    if (cJSON_IsArray(dataset) && cJSON_GetArraySize(dataset) == 1)
        dataset = dataset->child; /* a list of one is the same as its one member */
    const cJSON *classes = cJSON_GetObjectItemCaseSensitive(dataset, "classes");
    bool right = true;
    for (const cJSON *name = classes ? classes->child : NULL; name && right; name = name->next) {
        right = cJSON_IsString(name) && name->valuestring[0] &&
                strlen(name->valuestring) <= LABEL_NAME_BYTES;
        for (const cJSON *other = classes->child; other != name && right; other = other->next)
            right = strcmp(other->valuestring, name->valuestring) != 0;
    }
    if (!right)
        problem_add(&import->wrong, META "spec",
                    "/dataset/classes: must be different names of 1 to %d bytes", LABEL_NAME_BYTES);
}

/* Reads the spec, which is a job as a client would send it. */
static void read_spec(struct import *import) {
    struct problem_fields inner = {.arena = import->wrong.arena};
    cJSON *json = read_object(import, "spec");
    if (cJSON_IsObject(json))
        spec_read(json, &import->job, NULL, NULL, &inner);
    check_names(import, json);
    check_classes(import, json);
    for (int i = 0; i < inner.count && i < PROBLEM_MAX_FIELDS; i++)
        problem_add(&import->wrong, META "spec", "%s: %s", inner.items[i].pointer,
                    inner.items[i].detail);
    cJSON_Delete(json);
    if (import->wrong.count > 0)
        return;
    const struct dn_dataset_spec *dataset = &import->job.spec.dataset;
    int dim, classes; /* repeated for readers that do not know the spec */
    read_count(import, "dim", dataset->dim, dataset->dim, &dim);
    read_count(import, "classes", dataset->classes, dataset->classes, &classes);
    read_count(import, "epoch", 1, DN_MAX_EPOCHS, &import->epoch);
}

/* Reads a number between -most and most for each column. */
static void read_numbers(struct import *import, const cJSON *transform, const char *key,
                         double most, double *out) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(transform, key);
    const int columns = dn_spec_columns(&import->job.spec);
    bool right = cJSON_IsArray(list) && cJSON_GetArraySize(list) == columns;
    for (const cJSON *value = right ? list->child : NULL; value; value = value->next) {
        right &= cJSON_IsNumber(value) && fabs(value->valuedouble) <= most;
        *out++ = value->valuedouble;
    }
    if (!right)
        problem_add(&import->wrong, META "transform", "%s must be a list of %d finite numbers", key,
                    columns);
}

static void read_transform(struct import *import) {
    double low[DN_MAX_DIM] = {0}, high[DN_MAX_DIM] = {0};
    cJSON *json = read_object(import, "transform");
    if (cJSON_IsObject(json)) {
        read_numbers(import, json, "shift", DBL_MAX, import->shift);
        read_numbers(import, json, "scale", DBL_MAX, import->scale);
        read_numbers(import, json, "low", FLT_MAX, low);
        read_numbers(import, json, "high", FLT_MAX, high);
    }
    cJSON_Delete(json);
    for (int i = 0; i < dn_spec_columns(&import->job.spec) && import->wrong.count == 0; i++) {
        import->low[i] = (float)low[i];
        import->high[i] = (float)high[i];
    }
}

/* Optional: a whole number for each class. */
static void read_class_counts(struct import *import) {
    const int classes = import->job.spec.dataset.classes;
    const char *text = safetensors_text(&import->file, "class_counts");
    char error[200];
    if (!text)
        return;
    cJSON *json =
        json_read(text, strlen(text), DN_MAX_CLASSES + 1, import->wrong.arena, error, sizeof error);
    bool right = cJSON_IsArray(json) && cJSON_GetArraySize(json) == classes;
    int k = 0;
    for (const cJSON *value = right ? json->child : NULL; value && right; value = value->next) {
        const double count = cJSON_IsNumber(value) ? value->valuedouble : -1;
        right = count >= 0 && count <= DN_MAX_POINTS && count == floor(count);
        if (right)
            import->class_counts[k++] = (int32_t)count;
    }
    if (!right)
        problem_add(&import->wrong, META "class_counts",
                    "must be a list of %d whole numbers from 0 to %d", classes, DN_MAX_POINTS);
    cJSON_Delete(json);
}

/* With the normalization "quantile": a list with the map of each column. */
static void read_quantiles(struct import *import) {
    char error[200];
    const bool has = import->job.spec.training.normalization == DN_QUANTILE;
    const char *text = has ? need_text(import, "quantiles") : NULL;
    if (text && !quantiles_read(text, import->job.spec.dataset.dim, import->quantiles,
                                import->wrong.arena, error, sizeof error))
        problem_add(&import->wrong, META "quantiles", "%s", error);
}

/* Of a model of a table: the form of its rows. */
static void read_form(struct import *import) {
    char error[200];
    const char *text = safetensors_text(&import->file, "form");
    if (text && !(import->form = weights_form_read(text, &import->job.spec, import->wrong.arena,
                                                   error, sizeof error)))
        problem_add(&import->wrong, META "form", "%s", error);
}

static const struct safetensor *find(const struct import *import, const char *name) {
    for (int i = 0; i < import->file.count; i++)
        if (strcmp(import->file.tensors[i].name, name) == 0)
            return &import->file.tensors[i];
    return NULL;
}

/* If the file has any of the moments, it must have all of them. */
static bool has_moments(const struct import *import) {
    struct dn_tensor wanted;
    bool has = false;
    for (int i = 0; i < dn_spec_tensor_count(&import->job.spec); i++) {
        dn_spec_tensor(&import->job.spec, i, &wanted);
        has |= wanted.is_moment && find(import, wanted.name);
    }
    return has;
}

/* Checks that the file has tensor i of the model with the right shape. */
static void check_tensor(struct import *import, int i, const struct safetensor **found) {
    struct dn_tensor wanted;
    dn_spec_tensor(&import->job.spec, i, &wanted);
    *found = find(import, wanted.name);
    const char *pointer = problem_pointer(&import->wrong, "", wanted.name);
    if (!*found && wanted.is_moment && !has_moments(import))
        return;
    if (!*found) {
        problem_add(&import->wrong, pointer, "is missing: the spec's network has this tensor");
        return;
    }
    bool same = (*found)->rank == wanted.rank;
    for (int k = 0; k < wanted.rank && same; k++)
        same = (*found)->shape[k] == wanted.shape[k];
    if (!same && wanted.rank == 1)
        problem_add(&import->wrong, pointer, "must have the shape [%d]", wanted.shape[0]);
    else if (!same && wanted.rank == 2)
        problem_add(&import->wrong, pointer, "must have the shape [%d, %d]", wanted.shape[0],
                    wanted.shape[1]);
    else if (!same)
        problem_add(&import->wrong, pointer, "must have the shape [%d, %d, %d, %d]",
                    wanted.shape[0], wanted.shape[1], wanted.shape[2], wanted.shape[3]);
}

/* Checks that the network needs every tensor of the file. */
static void check_others(struct import *import, const struct safetensor *const *found, int count) {
    for (int k = 0; k < import->file.count; k++) {
        bool known = false;
        for (int i = 0; i < count && !known; i++)
            known = found[i] == &import->file.tensors[k];
        if (!known)
            problem_add(&import->wrong,
                        problem_pointer(&import->wrong, "", import->file.tensors[k].name),
                        "is not a tensor of the spec's network");
    }
}

static enum dn_status build(struct import *import, struct dn_error *error) {
    const struct safetensor *found[SAFETENSORS_TENSORS] = {0};
    const float *tensors[SAFETENSORS_TENSORS];
    const int count = dn_spec_tensor_count(&import->job.spec);
    for (int i = 0; i < count; i++)
        check_tensor(import, i, &found[i]);
    check_others(import, found, count);
    if (import->wrong.count > 0)
        return DN_INVALID;
    import->values = malloc(dn_spec_tensor_values(&import->job.spec) * sizeof *import->values);
    if (!import->values)
        return DN_NO_MEMORY;
    float *at = import->values;
    for (int i = 0; i < count; i++) { /* the file's values may not be aligned */
        tensors[i] = NULL;
        if (!found[i])
            continue;
        memcpy(at, found[i]->data, found[i]->count * sizeof *at);
        tensors[i] = at;
        at += found[i]->count;
    }
    const struct dn_model_parts parts = {.spec = &import->job.spec,
                                         .epoch = import->epoch,
                                         .shift = import->shift,
                                         .scale = import->scale,
                                         .low = import->low,
                                         .high = import->high,
                                         .quantiles = import->quantiles,
                                         .class_counts = import->class_counts,
                                         .tensors = tensors};
    return dn_model_build(&parts, &import->model, error);
}

/* Fills in the row to insert. False: no memory. */
static bool make_row(struct http_exchange *exchange, struct import *import) {
    const char *named = safetensors_text(&import->file, "name");
    const char *kernels = safetensors_text(&import->file, "kernels");
    struct buffer spec = {0}, words = {0};
    spec_write(&import->job, &(struct json_writer){.out = &spec});
    if (!import->name[0] && named)
        snprintf(import->name, sizeof import->name, "%s", named);
    spec_words(&import->job, import->name, &words);
    struct model *row = &import->row;
    const size_t dim = (size_t)dn_model_dim(import->model);
    *row = (struct model){
        .name = import->name[0] ? import->name : NULL,
        .spec = keep_text(exchange, &spec),
        .words = keep_text(exchange, &words),
        .form = import->form,
        .variant = http_format(exchange, "%s", kernels),
        .epoch = import->epoch,
        .dim = (int)dim,
        .parameters = dn_spec_parameters(dn_model_spec(import->model)),
        .transform = arena_alloc(http_arena(exchange), 2 * dim * sizeof(double)),
        .byte_count = dn_model_bytes(import->model),
        .created_at = clock_now_ms(),
    };
    if (!row->transform)
        return false;
    dn_model_transform(import->model, row->transform, row->transform + dim);
    row->updated_at = row->created_at;
    row->bytes = malloc(row->byte_count);
    if (!row->bytes || !row->spec || !row->words || !row->variant)
        return false;
    id_new(row->id);
    dn_model_save(import->model, row->bytes);
    return true;
}

/* Stores the bytes of a large model first, in pieces, so that other writes do not wait for them. */
static enum store_status send_bytes(struct http_exchange *exchange, struct import *import) {
    struct service *service = service_of(exchange);
    struct model *row = &import->row;
    if (row->byte_count <= STORE_PIECE_BYTES)
        return STORE_OK;
    return blob_write_all(service->writer, store_boot(service->store), row->bytes, row->byte_count,
                          &row->blob);
}

/* The response of the first time: the model as it is now. */
static void reply_again(struct http_exchange *exchange, struct store_session *session,
                        const char *id) {
    model_reply(exchange, session, id);
    if (exchange->response.status == 200)
        idempotency_replayed(exchange, "/v1/models/", id);
}

static bool is_there(struct store_session *session, const char *id) {
    struct model row;
    const bool found = store_model_get(session, id, &row) == STORE_OK;
    if (found)
        model_clear(&row);
    return found;
}

static void insert(struct http_exchange *exchange, struct store_session *session) {
    struct import *import = exchange->state;
    const bool is_stored = http_is_in_doubt(exchange) && is_there(session, import->row.id);
    if (!is_stored &&
        !idempotency_is_new(exchange, session, &import->once, import->row.id, reply_again))
        return;
    const enum store_status status =
        is_stored ? STORE_OK : store_model_insert(session, &import->row);
    if (!idempotency_created(exchange, status, "/v1/models/", import->row.id))
        return;
    struct json_writer json = json_reply(exchange, 201);
    fields_write(&model_answer, &import->row, &json);
}

/* Checks the texts that are stored unchanged. */
static void check_texts(struct import *import) {
    const char *format = need_text(import, "format"), *kernels = need_text(import, "kernels");
    const char *name = safetensors_text(&import->file, "name");
    if (format && strcmp(format, WEIGHTS_FORMAT) != 0)
        problem_add(&import->wrong, META "format", "must be \"%s\"", WEIGHTS_FORMAT);
    if (kernels && (strlen(kernels) > 32 || !kernels[0]))
        problem_add(&import->wrong, META "kernels", "must be 1 to 32 bytes of text");
    if (name && strlen(name) > JOB_NAME_BYTES)
        problem_add(&import->wrong, META "name", "must be at most %d bytes of text",
                    JOB_NAME_BYTES);
    const char *wrong = name ? name_wrong(name, strlen(name)) : NULL;
    if (wrong)
        problem_add(&import->wrong, META "name", "%s", wrong);
}

/* With an Idempotency-Key, identifies the file by its digest. False: no memory. */
static bool name_request(struct http_exchange *exchange, struct replay *once) {
    char digest[SHA256_TEXT];
    if (!once->key)
        return true;
    sha256_text(exchange->request.body, exchange->request.body_length, digest);
    once->request = idempotency_upload(exchange, digest);
    return once->request;
}

static void parse(struct http_exchange *exchange) {
    static void (*const readers[])(struct import *) = {
        read_spec, read_transform, read_class_counts, read_quantiles, read_form, NULL};
    struct import *import = exchange->state;
    struct dn_error error;
    enum dn_status status = DN_INVALID;
    enum store_status sent;
    if (safetensors_read(exchange->request.body, exchange->request.body_length, &import->file,
                         &import->wrong))
        check_texts(import);
    for (int i = 0; readers[i] && import->wrong.count == 0; i++)
        readers[i](import);
    if (import->wrong.count == 0)
        status = build(import, &error);
    if (status == DN_INVALID && import->wrong.count == 0)
        problem_add(&import->wrong, "", "%s", error.text);
    if (status == DN_INVALID)
        problem_list(exchange, PROBLEM_INVALID_SAFETENSORS, "errors in the file", &import->wrong);
    else if (status != DN_OK || !make_row(exchange, import) ||
             !name_request(exchange, &import->once))
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this model");
    else if ((sent = send_bytes(exchange, import)) != STORE_OK)
        problem_store(exchange, sent);
    else
        http_then_on_writer(exchange, insert);
}

static void parse_on_pool(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    const size_t bytes = exchange->request.body_length;
    /* the values, the model, its stored form, and what is read of the header, which may be all */
    if (!http_reserve(exchange,
                      3 * bytes + 5 * (bytes < SAFETENSORS_HEADER ? bytes : SAFETENSORS_HEADER)))
        return;
    if (bytes > WEIGHTS_LONG_BYTES)
        pool_begin_alone();
    parse(exchange);
    if (bytes > WEIGHTS_LONG_BYTES)
        pool_end_alone();
}

static void release(struct http_exchange *exchange) {
    struct import *import = exchange->state;
    if (import->row.blob && exchange->response.status != 201)
        blob_abandon(service_of(exchange)->writer, import->row.blob);
    safetensors_clear(&import->file);
    dn_model_free(import->model);
    free(import->values);
    free(import->row.bytes);
}

enum http_next api_model_import(struct http_exchange *exchange) {
    struct import *import = http_alloc(exchange, sizeof *import);
    if (!import || !read_query(exchange, &model_import_fields, import))
        return HTTP_REPLY;
    import->once.operation = "importModel";
    if (!idempotency_key(exchange, &import->once.key))
        return HTTP_REPLY;
    const char *wrong = name_wrong(import->name, strlen(import->name));
    if (wrong) {
        problem_field(exchange, "/name", wrong);
        return HTTP_REPLY;
    }
    import->wrong.arena = http_arena(exchange);
    exchange->state = import;
    exchange->release = release;
    return http_on_pool(exchange, parse_on_pool);
}
