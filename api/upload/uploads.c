/* POST and DELETE /v1/datasets: data sets that users upload. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/contract/handlers.h"
#include "api/contract/idempotency.h"
#include "api/contract/names.h"
#include "api/contract/openapi.h"
#include "api/datasets.h"
#include "api/images/upload.h"
#include "api/table/column_json.h"
#include "api/upload/points.h"
#include "api/upload/readers.h"
#include "api/upload/statistics.h"
#include "api/upload/uploads.h"
#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/sha256.h"
#include "server/threads/blob.h"

/* ------------------------------------------------------------------ POST */

enum { COLUMNS_BYTES = 4096 };

/* An upload on its way from the socket through the pool to the writer. */
struct upload {
    char name[READING_TITLE_BYTES + 1], label[LABEL_NAME_BYTES + 1];
    char columns[COLUMNS_BYTES + 1];
    int header, decimal; /* enum header_mode, enum decimal_mode */
    struct payload payload;
    struct reading reading;
    struct points points;
    struct images images; /* or these, instead of a table */
    struct buffer cells;  /* a block */
    const char *rows;     /* JSON, of a preview */
    struct schema schema;
    bool validate_only;
    struct problem_fields wrong;
    struct dataset row; /* its texts are in the exchange's arena, its arrays in the reading */
    struct replay once;
};

static const char *const header_names[] = {"auto", "true", "false", NULL};
static const char *const decimal_names[] = {"auto", "point", "comma", NULL};

static const struct field rows[] = {
    {"", "name", FIELD_TEXT, offsetof(struct upload, name), 0, READING_TITLE_BYTES, 0, NULL,
     "Display name."},
    {"", "label", FIELD_TEXT, offsetof(struct upload, label), 0, LABEL_NAME_BYTES, 0, NULL,
     "The column that holds the labels, by name, or by number counted from 0, or from "
     "the end with -1. By default, a column named label or class. Labels are text or numbers; a "
     "number is the same class however it is written: 1, 1.0 and 01 are the class 1. Only a class "
     "that is always written with the same leading zeros keeps them: 007. Missing labels are a "
     "class, "
     "called as the table writes them, or `missing` if their cells are empty."},
    {"", "header", FIELD_CHOICE, offsetof(struct upload, header), 0, 0, 0, header_names,
     "CSV: whether the first row has the names of the columns; auto: it does if none of its fields "
     "is a number, or if they are the numbers of columns or years."},
    {"", "decimal", FIELD_CHOICE, offsetof(struct upload, decimal), 0, 0, 0, decimal_names,
     "What marks the decimals of a number; auto: a comma does where it cannot mark thousands, as "
     "in "
     "5,1. Needed only for a column in which all numbers are like 1,234."},
    {"", "columns", FIELD_TEXT, offsetof(struct upload, columns), 0, COLUMNS_BYTES, 0, NULL,
     "npy: names of the columns, with commas between them."},
    {"", "validate_only", FIELD_BOOLEAN, offsetof(struct upload, validate_only), 0, 0, 0, NULL,
     "Answer what would be understood of the file, and keep nothing."},
};
const struct field_set upload_fields = {rows, sizeof rows / sizeof rows[0]};

/* What validate_only answers. */
struct preview {
    bool valid;
    int64_t n;
    int dim;
    int height, width, channels;
    const char *columns, *label, *classes, *statistics, *rows; /* JSON, but for the label */
};
static void write_shape(const void *value, struct json_writer *json) {
    const struct preview *preview = value;
    images_write_shape(preview->height, preview->width, preview->channels, json);
}

#define AT(member) offsetof(struct preview, member)
static const struct field preview_rows[] = {
    {"", "valid", FIELD_BOOLEAN, AT(valid)},
    {"", "n", FIELD_INT64, AT(n), 2, INFINITY},
    {"", "dim", FIELD_INTEGER, AT(dim), 1, IMAGES_MAX_VALUES},
    {"", "shape", FIELD_WRITTEN, .schema = "Shape", .write = write_shape},
    {"", "columns", FIELD_JSON, AT(columns), .schema = "Columns"},
    {"", "label", FIELD_STRING, AT(label), .flags = FIELD_OR_NULL},
    {"", "classes", FIELD_JSON, AT(classes), .schema = "Classes"},
    {"", "statistics", FIELD_JSON, AT(statistics), .schema = "Statistics"},
    {"", "rows", FIELD_JSON, AT(rows), .schema = "TableRows",
     .doc = "All columns of up to 500 rows, which are spread evenly over the file: numbers as "
            "numbers, and missing cells as null."},
};
const struct field_set dataset_preview = ANSWER(preview_rows);

/* Names as a JSON array, in the exchange's arena; NULL: no memory. */
static char *names_json(struct http_exchange *exchange, const char (*names)[LABEL_NAME_BYTES + 1],
                        int count) {
    struct buffer text = {0};
    struct json_writer json = {.out = &text};
    json_open(&json, '[');
    for (int i = 0; i < count; i++)
        json_string(&json, names[i]);
    json_close(&json, ']');
    return keep_text(exchange, &text);
}

static char *columns_json(struct http_exchange *exchange, const struct points *points) {
    struct buffer text = {0};
    column_write_list(points->columns, points->column_count, &(struct json_writer){.out = &text});
    return keep_text(exchange, &text);
}

static char *statistics_json(struct http_exchange *exchange, const struct points *points) {
    struct buffer text = {0};
    statistics_write(&(struct point_table){points->points, points->n, points->dim, points->labels,
                                           points->class_count},
                     &(struct json_writer){.out = &text});
    return keep_text(exchange, &text);
}

enum { PREVIEW_ROWS = 500 };

/* The rows of a preview. */
static char *rows_json(struct http_exchange *exchange, const struct cells *cells,
                       const struct column *columns) {
    const size_t count = cells->n < PREVIEW_ROWS ? cells->n : PREVIEW_ROWS;
    struct buffer text = {0};
    struct json_writer json = {.out = &text};
    json_open(&json, '[');
    for (size_t i = 0; i < count; i++) {
        json_open(&json, '[');
        for (int j = 0; j < cells->count; j++) {
            const struct cells_column *from = &cells->columns[j];
            const uint32_t code = (uint32_t)from->codes[i * cells->n / count];
            column_write_cell(&columns[j], cells_text(from, code), cells_length(from, code), &json);
        }
        json_close(&json, ']');
    }
    json_close(&json, ']');
    return keep_text(exchange, &text);
}

bool upload_describe(struct http_exchange *exchange, const struct reading *reading,
                     struct points *points, struct dataset *row) {
    row->n = (int64_t)points->n;
    row->dim = points->dim;
    row->columns = columns_json(exchange, points);
    row->statistics = statistics_json(exchange, points);
    row->points = points->points;
    row->labels = points->labels;
    row->label = reading->label_column != READING_NO_LABEL
                     ? points->columns[reading->label_column].name
                     : NULL;
    row->classes =
        points->labels ? names_json(exchange, points->classes, points->class_count) : NULL;
    if (row->columns && row->statistics && (row->classes || !points->labels))
        return true;
    problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this data set");
    return false;
}

static bool send_blob(struct http_exchange *exchange, const void *bytes, size_t size,
                      int64_t *blob) {
    struct service *service = service_of(exchange);
    if (size <= STORE_PIECE_BYTES) /* few enough for the transaction of the row */
        return true;
    const enum store_status status =
        blob_write_all(service->writer, store_boot(service->store), bytes, size, blob);
    if (status != STORE_OK)
        problem_store(exchange, status);
    return status == STORE_OK;
}

bool upload_send(struct http_exchange *exchange, struct dataset *row) {
    return send_blob(exchange, dataset_values(row), dataset_values_bytes(row), &row->blob) &&
           send_blob(exchange, row->cells, row->cells_bytes, &row->cells_blob);
}

void upload_abandon(struct http_exchange *exchange, const struct dataset *row) {
    const int64_t blobs[] = {row->blob, row->cells_blob};
    for (size_t i = 0; i < sizeof blobs / sizeof *blobs; i++)
        if (blobs[i])
            blob_abandon(service_of(exchange)->writer, blobs[i]);
}

/* What distinguishes the upload from others: the digests of its parts. NULL: no memory. */
static const char *name_request(struct http_exchange *exchange, const struct upload *upload) {
    const struct payload *payload = &upload->payload;
    const struct {
        const char *name, *bytes;
        size_t length;
    } parts[] = {{"labels", payload->labels, payload->labels_length},
                 {"schema", payload->schema, payload->schema_length}};
    const char *text = upload->row.sha256;
    for (size_t i = 0; text && i < sizeof parts / sizeof *parts; i++) {
        char digest[SHA256_TEXT];
        if (!parts[i].bytes)
            continue;
        sha256_text(parts[i].bytes, parts[i].length, digest);
        text = http_format(exchange, "%s %s %s", text, parts[i].name, digest);
    }
    return text ? idempotency_upload(exchange, text) : NULL;
}

/* The row to insert. False: the error is already the response. */
static bool make_row(struct http_exchange *exchange, struct upload *upload) {
    const struct payload *payload = &upload->payload;
    struct dataset *row = &upload->row;
    *row = (struct dataset){
        .name = upload->name[0]            ? upload->name
                : upload->reading.title[0] ? upload->reading.title
                                           : NULL,
        .bytes = (int64_t)(payload->file_length + payload->labels_length),
        .created_at = clock_now_ms(),
        .cells = upload->cells.data,
        .cells_bytes = upload->cells.length,
    };
    id_new(row->id);
    sha256_text(payload->file, payload->file_length, row->sha256);
    upload->once.request = name_request(exchange, upload);
    if (!upload->once.request) {
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this data set");
        return false;
    }
    return payload->is_images ? images_describe(exchange, &upload->images, row)
                              : upload_describe(exchange, &upload->reading, &upload->points, row);
}

/* The response of the first time: the data set, as it is now. */
static void reply_again(struct http_exchange *exchange, struct store_session *session,
                        const char *id) {
    struct dataset row;
    enum store_status status = store_dataset_get(session, id, false, &row);
    if (status != STORE_OK) {
        answer_store(exchange, status, PROBLEM_NO_SUCH_DATASET);
        return;
    }
    struct json_writer json = json_reply(exchange, 200);
    dataset_write(&row, &json);
    idempotency_replayed(exchange, "/v1/datasets/", id);
    dataset_clear(&row);
}

static bool is_there(struct store_session *session, const char *id) {
    struct dataset row;
    const bool found = store_dataset_get(session, id, false, &row) == STORE_OK;
    if (found)
        dataset_clear(&row);
    return found;
}

static void insert(struct http_exchange *exchange, struct store_session *session) {
    struct upload *upload = exchange->state;
    const bool is_stored = http_is_in_doubt(exchange) && is_there(session, upload->row.id);
    if (!is_stored &&
        !idempotency_is_new(exchange, session, &upload->once, upload->row.id, reply_again))
        return;
    const enum store_status status =
        is_stored ? STORE_OK : store_dataset_insert(session, &upload->row);
    if (!idempotency_created(exchange, status, "/v1/datasets/", upload->row.id))
        return;
    struct json_writer json = json_reply(exchange, 201);
    dataset_write(&upload->row, &json);
}

/* For validate_only. */
static void reply_preview(struct http_exchange *exchange, const struct upload *upload) {
    const struct dataset *row = &upload->row;
    struct json_writer json = json_reply(exchange, 200);
    fields_write(&dataset_preview,
                 &(struct preview){true, row->n, row->dim, row->height, row->width, row->channels,
                                   row->columns, row->label, row->classes, row->statistics,
                                   upload->rows ? upload->rows : "[]"},
                 &json);
}

/* The part `schema` of a form, and the label that it names. False: the error is already the
 * response. */
static bool read_schema(struct http_exchange *exchange, struct upload *upload) {
    const struct payload *payload = &upload->payload;
    struct reading *reading = &upload->reading;
    char wrong[PAYLOAD_WRONG];
    if (!payload->schema)
        return true;
    cJSON *json = json_read(payload->schema, payload->schema_length, JSON_MAX_VALUES,
                            http_arena(exchange), wrong, sizeof wrong);
    if (!json) {
        problem(exchange, PROBLEM_INVALID_JSON,
                http_format(exchange, "the part schema: %s", wrong));
        return false;
    }
    schema_init(&upload->schema);
    schema_read(json, &reading->cells, &upload->schema, &upload->wrong);
    cJSON_Delete(json);
    reading->schema = &upload->schema;
    if (upload->schema.label != SCHEMA_LABEL_OPEN)
        reading->label_column = upload->schema.label;
    return true;
}

/* Memory per byte of a file: a number of one byte takes four here, in an array that grows by
 * doubling. */
enum { READ_BYTES = 6 };

/* Keeps the table as it was written, or some of its rows to show. False: no memory. */
static bool keep_cells(struct http_exchange *exchange, struct upload *upload) {
    struct cells *cells = &upload->reading.cells;
    if (upload->validate_only) {
        upload->rows = rows_json(exchange, cells, upload->points.columns);
        return upload->rows;
    }
    cells_write(cells, &upload->cells);
    return !upload->cells.failed;
}

/* Finds the file in the body. False: the error is already the response. */
static bool open_file(struct http_exchange *exchange, struct upload *upload) {
    struct payload *payload = &upload->payload;
    if (!http_reserve(exchange, payload_memory(payload)))
        return false;
    if (payload_open(payload))
        return true;
    const bool is_unreadable = payload->code == PROBLEM_INVALID_DATA;
    problem(exchange, is_unreadable ? readers_code(payload->media_type) : payload->code,
            payload->wrong);
    return false;
}

/* Reads a table and makes points of it. False: the error is already the response. */
static bool read_table(struct http_exchange *exchange, struct upload *upload) {
    struct payload *payload = &upload->payload;
    struct reading *reading = &upload->reading;
    if (!http_reserve(exchange, READ_BYTES * payload->text_length))
        return false;
    const enum problem_code unreadable = readers_read(payload, reading);
    if (unreadable == PROBLEM_UNSUPPORTED_MEDIA_TYPE) {
        problem(exchange, unreadable,
                http_format(exchange,
                            "the file has the type %s: send text/csv, text/tab-separated-values, "
                            "application/json, application/x-ndjson, application/octet-stream "
                            "(npy, IDX) or application/zip (PNG files)",
                            payload->media_type));
        return false;
    }
    if (reading_goes_on(reading) && upload->wrong.count == 0 && !read_schema(exchange, upload))
        return false;
    if (reading_goes_on(reading) && upload->wrong.count == 0)
        if (points_make(reading, &upload->points))
            reading->no_memory |= !keep_cells(exchange, upload);
    cells_clear(&reading->cells);
    if (reading->no_memory)
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this data set");
    else if (reading->unreadable[0])
        problem(exchange, unreadable, reading->unreadable);
    else if (upload->wrong.count > 0)
        problem_list(exchange, PROBLEM_INVALID_DATA, "places of the file cannot be used",
                     &upload->wrong);
    else
        return true;
    return false;
}

/* Reads images, which have no columns to say something about. False: the error is already the
 * response. */
static bool read_images(struct http_exchange *exchange, struct upload *upload) {
    const char *columns[] = {upload->label[0] ? "/label" : NULL,
                             upload->columns[0] ? "/columns" : NULL};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (columns[i])
            problem_add(&upload->wrong, columns[i], "images have no columns");
    return problem_none(exchange, &upload->wrong) &&
           images_take(exchange, &upload->payload, &upload->images);
}

static void parse(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct upload *upload = exchange->state;
    if (!open_file(exchange, upload))
        return;
    const bool is_read =
        upload->payload.is_images ? read_images(exchange, upload) : read_table(exchange, upload);
    if (!is_read || !make_row(exchange, upload))
        return;
    payload_clear(&upload->payload); /* the database needs memory for the row */
    http_drop_body(exchange);
    if (upload->validate_only)
        reply_preview(exchange, upload);
    else if (upload_send(exchange, &upload->row))
        http_then_on_writer(exchange, insert);
}

static void release(struct http_exchange *exchange) {
    struct upload *upload = exchange->state;
    if (exchange->response.status != 201)
        upload_abandon(exchange, &upload->row);
    payload_clear(&upload->payload);
    reading_clear(&upload->reading);
    points_clear(&upload->points);
    images_clear(&upload->images);
    buffer_clear(&upload->cells);
}

enum http_next api_dataset_create(struct http_exchange *exchange) {
    struct upload *upload = http_alloc(exchange, sizeof *upload);
    if (!upload)
        return HTTP_REPLY;
    const char *type = http_header(exchange, "Content-Type");
    if (!read_query(exchange, &upload_fields, upload))
        return HTTP_REPLY;
    if (!type) { /* the transport accepts a request without a body */
        problem(exchange, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                "a data set needs a Content-Type, such as text/csv");
        return HTTP_REPLY;
    }
    upload->once.operation = "createDataset";
    if (!idempotency_key(exchange, &upload->once.key))
        return HTTP_REPLY;
    const char *wrong = name_wrong(upload->name, strlen(upload->name));
    if (wrong) {
        problem_field(exchange, "/name", wrong);
        return HTTP_REPLY;
    }
    upload->wrong.arena = http_arena(exchange);
    upload->payload =
        (struct payload){.body = exchange->request.body,
                         .length = exchange->request.body_length,
                         .content_type = type,
                         .content_encoding = http_header(exchange, "Content-Encoding"),
                         .most = http_body_limit(exchange),
                         .takes_schema = true,
                         .takes_images = true};
    upload->reading.label = upload->label;
    upload->reading.names = upload->columns;
    upload->reading.header = (enum header_mode)upload->header;
    upload->reading.decimal = (enum decimal_mode)upload->decimal;
    upload->reading.wrong = &upload->wrong;
    exchange->state = upload;
    exchange->release = release;
    return http_on_pool(exchange, parse);
}

/* ------------------------------------------------------------------ DELETE */

static void delete_dataset(struct http_exchange *exchange, struct store_session *session) {
    enum store_status status = store_dataset_delete(session, exchange->request.ids[0]);
    if (status == STORE_NOT_FOUND && http_is_in_doubt(exchange))
        status = STORE_OK; /* an earlier run has deleted it */
    if (status == STORE_OK)
        exchange->response.status = 204;
    else if (status == STORE_CONFLICT)
        problem(exchange, PROBLEM_DATASET_IN_USE,
                "a queued or running job trains on this data set: wait for it, or cancel it");
    else
        answer_store(exchange, status, PROBLEM_NO_SUCH_DATASET);
}

enum http_next api_dataset_delete(struct http_exchange *exchange) {
    const char *id = exchange->request.ids[0];
    if (!no_query(exchange))
        return HTTP_REPLY;
    if (fields_index(dn_pattern_names, id) >= 0)
        problem(exchange, PROBLEM_DATASET_BUILT_IN, "a built-in data set cannot be deleted");
    else if (!id_valid(id))
        answer_store(exchange, STORE_NOT_FOUND, PROBLEM_NO_SUCH_DATASET);
    else
        return http_on_writer(exchange, delete_dataset);
    return HTTP_REPLY;
}
