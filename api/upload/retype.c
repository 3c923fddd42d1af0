/* PATCH /v1/datasets/{id}: other types for its columns, or another column with the labels. */
#include <stdlib.h>
#include <string.h>

#include "api/contract/handlers.h"
#include "api/contract/openapi.h"
#include "api/table/column_json.h"
#include "api/table/number_format.h"
#include "api/upload/uploads.h"
#include "server/base/id.h"

struct retyping {
    struct dataset found; /* the row as it is */
    struct column *columns;
    int count;
    struct schema schema;
    struct reading reading;
    struct points points;
    struct problem_fields wrong;
    cJSON *json;
    struct dataset row; /* the row as it will be; its texts are in the arena */
};

static void release(struct http_exchange *exchange) {
    struct retyping *retyping = exchange->state;
    if (exchange->response.status != 200)
        upload_abandon(exchange, &retyping->row);
    dataset_clear(&retyping->found);
    reading_clear(&retyping->reading);
    points_clear(&retyping->points);
    cJSON_Delete(retyping->json);
}

/* Reads the row and its cells. False: the error is already the response. */
static bool load(struct http_exchange *exchange, struct store_session *session,
                 struct retyping *retyping) {
    const char *id = exchange->request.ids[0];
    struct cells *cells = &retyping->reading.cells;
    void *block = NULL;
    size_t bytes = 0;
    enum store_status status = store_dataset_get(session, id, false, &retyping->found);
    if (status == STORE_OK && retyping->found.height) {
        problem_field(exchange, "", "this data set has images, which have no columns");
        return false;
    }
    if (status == STORE_OK)
        status = store_dataset_cells(session, id, &block, &bytes);
    if (status != STORE_OK) {
        answer_store(exchange, status, PROBLEM_NO_SUCH_DATASET);
        return false;
    }
    const bool read = block && http_reserve(exchange, 4 * bytes) &&
                      cells_read(cells, block, bytes) &&
                      column_read_list(retyping->found.columns, http_arena(exchange),
                                       &retyping->columns, &retyping->count) &&
                      retyping->count == cells->count;
    if (!block)
        problem(exchange, PROBLEM_DATASET_IN_USE,
                "this data set was uploaded to an earlier version, which did not keep its table: "
                "upload it again");
    else if (!read && cells->no_memory)
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this data set");
    else if (!read && exchange->response.status == 0)
        answer_store(exchange, STORE_ERROR, PROBLEM_NO_SUCH_DATASET);
    free(block);
    return read;
}

/* What is known of the columns; the client's words go over that. */
static void recall(struct retyping *retyping) {
    struct reading *reading = &retyping->reading;
    const char *label = retyping->found.label;
    schema_init(&retyping->schema);
    retyping->schema.label = label ? cells_find_column(&reading->cells, label) : SCHEMA_NO_LABEL;
    for (int j = 0; j < retyping->count; j++) {
        const struct column *column = &retyping->columns[j];
        struct number_format format;
        retyping->schema.types[j] = (int)column->type;
        if (column->independent)
            retyping->schema.follows[j] = SCHEMA_INDEPENDENT;
        if (!column_is_number(column) || !number_format_read(&format, column->format))
            continue;
        if (format.notation.decimal == ',')
            reading->decimal = DECIMAL_COMMA;
        else if (format.notation.thousands == ',')
            reading->decimal = DECIMAL_POINT;
    }
}

static bool is_same(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* A job may have begun to use it after an earlier run, whose commit got no answer, had changed it: is
 * it as it should be? */
static enum store_status find_update(struct store_session *session, const struct dataset *wanted) {
    struct dataset found;
    const enum store_status status = store_dataset_get(session, wanted->id, false, &found);
    if (status != STORE_OK)
        return status;
    const bool is_done =
        is_same(found.columns, wanted->columns) && is_same(found.classes, wanted->classes) &&
        is_same(found.statistics, wanted->statistics) && is_same(found.label, wanted->label);
    dataset_clear(&found);
    return is_done ? STORE_OK : STORE_CONFLICT;
}

static void update(struct http_exchange *exchange, struct store_session *session) {
    struct retyping *retyping = exchange->state;
    enum store_status status = store_dataset_update(session, &retyping->row);
    if (status == STORE_CONFLICT && http_is_in_doubt(exchange))
        status = find_update(session, &retyping->row);
    if (status == STORE_CONFLICT) {
        problem(exchange, PROBLEM_DATASET_IN_USE,
                "a job has used this data set, so its columns cannot change any more: upload it "
                "again");
        return;
    }
    if (status != STORE_OK) {
        answer_store(exchange, status, PROBLEM_NO_SUCH_DATASET);
        return;
    }
    struct json_writer json = json_reply(exchange, 200);
    dataset_write(&retyping->row, &json);
}

static void retype(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct retyping *retyping = exchange->state;
    struct reading *reading = &retyping->reading;
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return;
    const bool loaded = load(exchange, session, retyping);
    end_reading(exchange, session);
    if (!loaded)
        return;
    recall(retyping);
    schema_read(retyping->json, &reading->cells, &retyping->schema, &retyping->wrong);
    reading->schema = &retyping->schema;
    reading->label_column = retyping->schema.label;
    if (retyping->wrong.count == 0)
        points_make(reading, &retyping->points);
    if (reading->no_memory) {
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this data set");
    } else if (retyping->wrong.count > 0) {
        problem_list(exchange, PROBLEM_INVALID_FIELDS, "fields are wrong", &retyping->wrong);
    } else {
        retyping->row = retyping->found;
        retyping->row.blob = retyping->row.cells_blob = 0; /* other points; the cells stay */
        if (upload_describe(exchange, reading, &retyping->points, &retyping->row) &&
            upload_send(exchange, &retyping->row))
            http_then_on_writer(exchange, update);
    }
}

enum http_next api_dataset_update(struct http_exchange *exchange) {
    const char *id = exchange->request.ids[0];
    struct retyping *retyping = http_alloc(exchange, sizeof *retyping);
    if (!retyping || !no_query(exchange))
        return HTTP_REPLY;
    if (fields_index(dn_pattern_names, id) >= 0) {
        problem(exchange, PROBLEM_DATASET_BUILT_IN, "a built-in data set cannot be changed");
        return HTTP_REPLY;
    }
    if (!id_valid(id)) {
        answer_store(exchange, STORE_NOT_FOUND, PROBLEM_NO_SUCH_DATASET);
        return HTTP_REPLY;
    }
    retyping->wrong.arena = http_arena(exchange);
    retyping->reading =
        (struct reading){.label = "", .names = "", .unit = "row", .wrong = &retyping->wrong};
    retyping->json = json_body(exchange, JSON_MAX_VALUES);
    if (!retyping->json)
        return HTTP_REPLY;
    exchange->state = retyping;
    exchange->release = release;
    return http_on_pool(exchange, retype);
}
