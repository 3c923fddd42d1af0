/* /v1/datasets: lists and describes the built-in patterns and the uploads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/contract/caching.h"
#include "api/contract/handlers.h"
#include "api/contract/openapi.h"
#include "api/datasets.h"
#include "api/images/images.h"
#include "api/table/column_json.h"
#include "api/table/form.h"
#include "engine/denoise.h"
#include "server/base/id.h"

enum kind { KIND_ANY, KIND_BUILTIN, KIND_UPLOAD, KIND_IMAGES };
static const char *const kind_names[] = {"any", "builtin", "upload", "images", NULL};

/* The description of a data set from either source; NULL becomes null. */
struct description {
    const char *id, *name, *source, *doc;
    int dim;
    int height, width, channels; /* of images; 0: points */
    const char *dtype;
    int64_t n;                                          /* 0: endless */
    const char *columns, *label, *classes, *statistics; /* JSON, but for the label */
    const char *sha256;
    int64_t bytes, created_at; /* 0: null */
    bool has_distance, has_optimal;
};

static void write_dataset_links(const void *value, struct json_writer *json) {
    static const struct link links[] = {
        {"self", "/v1/datasets/", ""},
        {"points", "/v1/datasets/", "/points"},
        {"forward", "/v1/datasets/", "/forward"},
        {"optimal", "/v1/datasets/", "/optimal"}, /* last, because not all have it */
    };
    static const struct link of_images[] = {
        {"self", "/v1/datasets/", ""},
        {"points", "/v1/datasets/", "/points"},
        {"images", "/v1/datasets/", "/images"},
        {"forward", "/v1/datasets/", "/forward"},
    };
    const struct description *set = value;
    if (set->height)
        write_links(json, of_images, sizeof of_images / sizeof *of_images, set->id);
    else
        write_links(json, links, sizeof links / sizeof *links - !set->has_optimal, set->id);
}

/* What the data is: images, or points that are told apart by where they are from, as they were before
 * there were images. */
static void write_kind(const void *value, struct json_writer *json) {
    const struct description *set = value;
    json_string(json, set->height ? kind_names[KIND_IMAGES] : set->source);
}

static void write_shape(const void *value, struct json_writer *json) {
    const struct description *set = value;
    images_write_shape(set->height, set->width, set->channels, json);
}

#define AT(member) offsetof(struct description, member)
static const struct field rows[] = {
    {"", "id", FIELD_STRING, AT(id), .doc = "A UUIDv7; for a built-in data set, its name."},
    {"", "name", FIELD_STRING, AT(name), .flags = FIELD_OR_NULL},
    {"", "kind", FIELD_WRITTEN, .schema = "DatasetKind", .write = write_kind},
    {"", "source", FIELD_STRING, AT(source), .schema = "DatasetSource"},
    {"", "description", FIELD_STRING, AT(doc), .flags = FIELD_OR_NULL},
    {"", "dim", FIELD_INTEGER, AT(dim), 1, IMAGES_MAX_VALUES,
     .doc = "Coordinates of a point, or values of an image."},
    {"", "shape", FIELD_WRITTEN, .schema = "Shape", .write = write_shape},
    {"", "dtype", FIELD_STRING, AT(dtype),
     .doc = "How its values are stored: float32, or uint8 for images."},
    {"", "n", FIELD_INT64, AT(n), 1, INFINITY, FIELD_OR_NULL,
     .doc = "null for a built-in data set, which has any number of points"},
    {"", "columns", FIELD_JSON, AT(columns), .schema = "Columns"},
    {"", "label", FIELD_STRING, AT(label), .flags = FIELD_OR_NULL,
     .doc = "The column that has the labels."},
    {"", "classes", FIELD_JSON, AT(classes), .schema = "Classes"},
    {"", "statistics", FIELD_JSON, AT(statistics), .schema = "Statistics"},
    {"", "has_distance", FIELD_BOOLEAN, AT(has_distance),
     .doc = "Whether the distance to its exact shape can be computed."},
    {"", "sha256", FIELD_STRING, AT(sha256), .flags = FIELD_OR_NULL,
     .doc = "SHA-256 of the uploaded file."},
    {"", "bytes", FIELD_INT64, AT(bytes), 1, INFINITY, FIELD_OR_NULL, .doc = "Size of the file."},
    {"", "created_at", FIELD_TIME, AT(created_at), .flags = FIELD_OR_NULL},
    {"", "links", FIELD_WRITTEN, .schema = "Links", .write = write_dataset_links},
};
const struct field_set dataset_answer = ANSWER(rows);

void dataset_write(const struct dataset *dataset, struct json_writer *json) {
    fields_write(&dataset_answer,
                 &(struct description){.id = dataset->id,
                                       .name = dataset->name,
                                       .source = kind_names[KIND_UPLOAD],
                                       .dim = dataset->dim,
                                       .height = dataset->height,
                                       .width = dataset->width,
                                       .channels = dataset->channels,
                                       .dtype = dataset->height ? "uint8" : "float32",
                                       .n = dataset->n,
                                       .columns = dataset->columns,
                                       .label = dataset->label,
                                       .classes = dataset->classes,
                                       .statistics = dataset->statistics,
                                       .sha256 = dataset->sha256,
                                       .bytes = dataset->bytes,
                                       .created_at = dataset->created_at,
                                       .has_optimal = !dataset->height}, /* to the nearest point */
                 json);
}

/* The coordinates of a pattern, as JSON in the exchange's arena. */
static const char *pattern_columns(struct http_exchange *exchange) {
    struct column columns[2];
    for (int j = 0; j < 2; j++)
        columns[j] = (struct column){.name = {"xy"[j]},
                                     .type = TYPE_NUMERIC,
                                     .coordinate = j,
                                     .min = NAN,
                                     .max = NAN,
                                     .mean = NAN,
                                     .std = NAN,
                                     .missing_text = ""};
    struct buffer text = {0};
    column_write_list(columns, 2, &(struct json_writer){.out = &text});
    return keep_text(exchange, &text);
}

static void write_digits(struct json_writer *json) {
    const struct dn_pattern_info *info = &dn_patterns[DN_DIGITS];
    fields_write(&dataset_answer,
                 &(struct description){.id = info->name,
                                       .name = info->name,
                                       .source = kind_names[KIND_BUILTIN],
                                       .doc = info->doc,
                                       .dim = DN_DIGITS_SIDE * DN_DIGITS_SIDE,
                                       .height = DN_DIGITS_SIDE,
                                       .width = DN_DIGITS_SIDE,
                                       .channels = 1,
                                       .dtype = "uint8",
                                       .columns = "[]",
                                       .classes = spec_digit_classes},
                 json);
}

static void write_builtin(struct http_exchange *exchange, int pattern, struct json_writer *json) {
    if (pattern == DN_DIGITS) {
        write_digits(json);
        return;
    }
    const struct dn_pattern_info *info = &dn_patterns[pattern];
    const bool has_distance = dn_pattern_has_distance((enum dn_pattern)pattern);
    fields_write(&dataset_answer,
                 &(struct description){.id = info->name,
                                       .name = info->name,
                                       .source = kind_names[KIND_BUILTIN],
                                       .doc = info->doc,
                                       .dim = 2,
                                       .dtype = "float32",
                                       .columns = pattern_columns(exchange),
                                       .has_distance = has_distance,
                                       .has_optimal = has_distance},
                 json);
}

enum http_next api_dataset_get(struct http_exchange *exchange) {
    const char *id = exchange->request.ids[0];
    const int pattern = fields_index(dn_pattern_names, id);
    struct dataset dataset;
    if (!no_query(exchange))
        return HTTP_REPLY;
    if (pattern >= 0) {
        tag_answer(exchange, NULL, false, "pattern %d", pattern);
        struct json_writer json = json_reply(exchange, 200);
        write_builtin(exchange, pattern, &json);
        return HTTP_REPLY;
    }
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return HTTP_REPLY;
    enum store_status status = store_dataset_get(session, id, false, &dataset);
    end_reading(exchange, session);
    if (status != STORE_OK) {
        answer_store(exchange, status, PROBLEM_NO_SUCH_DATASET);
        return HTTP_REPLY;
    }
    struct json_writer json = json_reply(exchange, 200);
    dataset_write(&dataset, &json);
    const struct buffer *body = &exchange->response.body;
    exchange->response.etag = tag_of(exchange, body->data, body->length);
    dataset_clear(&dataset);
    return HTTP_REPLY;
}

/* Copies a list of the statistics to the arena; NULL: missing, or no memory. */
static const double *read_bounds(struct arena *arena, const cJSON *statistics, const char *name,
                                 int dim) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(statistics, name);
    double *out =
        cJSON_GetArraySize(list) == dim ? arena_alloc(arena, (size_t)dim * sizeof *out) : NULL;
    int j = 0;
    for (const cJSON *value = out ? list->child : NULL; value; value = value->next)
        out[j++] = value->valuedouble;
    return out;
}

static void read_ranges(struct arena *arena, const struct dataset *row,
                        struct upload_request *upload) {
    cJSON *statistics = row->statistics ? cJSON_Parse(row->statistics) : NULL;
    upload->high = read_bounds(arena, statistics, "max", row->dim);
    upload->low = upload->high ? read_bounds(arena, statistics, "min", row->dim) : NULL;
    cJSON_Delete(statistics);
}

/* Appends the name of a column to a list. */
static const char *add_name(const char *list, const struct column *column, struct arena *arena) {
    const char *longer = arena_format(arena, "%s%s\"%s\"", list, list[0] ? ", " : "", column->name);
    return longer ? longer : list;
}

/* Appends what is said of a list of names, if there are any. */
static const char *add_list(const char *text, const char *what, const char *names,
                            struct arena *arena) {
    if (!names[0])
        return text;
    const char *longer = arena_format(arena, "%s%s%s%s", text, text[0] ? "; " : "", what, names);
    return longer ? longer : text;
}

/* The three kinds of columns that are not plain numbers; "" for none. */
static const char *find_unusable(const struct column *columns, int count, bool completes,
                                 struct arena *arena) {
    const char *texts = "", *holes = "", *followers = "";
    for (int j = 0; j < count; j++) {
        if (columns[j].map.count > 0)
            followers = add_name(followers, &columns[j], arena);
        if (columns[j].coordinate < 0)
            continue;
        if (!column_is_number(&columns[j]))
            texts = add_name(texts, &columns[j], arena);
        else if (columns[j].missing > 0)
            holes = add_name(holes, &columns[j], arena);
    }
    const char *text = add_list("", "not numbers are the columns ", texts, arena);
    text = add_list(text, "cells are missing in the columns ", holes, arena);
    return completes ? add_list(text, "from others follow the columns ", followers, arena) : text;
}

const char *dataset_unusable(const struct column *columns, int count, bool completes,
                             struct arena *arena) {
    const char *text = find_unusable(columns, count, completes, arena);
    return text[0] ? arena_format(arena, "only numbers can be used here: %s", text) : NULL;
}

/* Points have at most two coordinates, which are
 * numbers without missing cells. If they are called x and y, in any order, or x alone, they may be
 * integers, and have labels or numbers of their rows; other columns are then those of a table, whose
 * rows come back as they are written. */
bool dataset_is_table(const struct column *columns, int count, const char *label) {
    bool has_others = label != NULL; /* only a drawing may have them without being a table */
    bool is_drawing = true, has_x = false;
    int coordinates = 0;
    for (int j = 0; j < count; j++) {
        const struct column *column = &columns[j];
        if (label && strcmp(column->name, label) == 0)
            continue;
        if (column->coordinate < 0 && column->map.count == 0) {
            has_others = true;
            continue;
        }
        if (column->coordinate < 0 || !column_is_number(column) || column->missing > 0)
            return true;
        const bool is_x = strcmp(column->name, "x") == 0;
        has_x |= is_x;
        is_drawing &= is_x || strcmp(column->name, "y") == 0;
        has_others |= column->type == TYPE_INTEGER;
        coordinates++;
    }
    return coordinates > 2 || (has_others && !(is_drawing && has_x));
}

/* The names of the columns that are coordinates, as a JSON array. NULL: no memory. */
static const char *coordinate_names(const struct column *columns, int count, struct arena *arena) {
    const char **names = column_names(columns, count, arena);
    struct buffer text = {0};
    struct json_writer json = {.out = &text};
    json_open(&json, '[');
    for (int j = 0; names && names[j]; j++)
        json_string(&json, names[j]);
    json_close(&json, ']');
    const char *copy = names && !text.failed ? arena_copy(arena, text.data, text.length) : NULL;
    buffer_clear(&text);
    arena->failed |= !copy;
    return copy;
}

/* The form of the rows, in the arena. NULL: no memory. */
static const char *form_text(const struct dataset *row, const struct column *columns, int count,
                             struct arena *arena) {
    struct table_form form = {.columns = columns, .count = count, .label = -1};
    struct buffer text = {0};
    for (int j = 0; j < count && row->label; j++)
        if (strcmp(columns[j].name, row->label) == 0)
            form.label = j;
    form_write(&form, &(struct json_writer){.out = &text});
    const char *copy = text.failed ? NULL : arena_copy(arena, text.data, text.length);
    buffer_clear(&text);
    return copy;
}

/* What a job needs to know of the columns of a table. */
static enum store_status look_at_columns(const struct dataset *row, struct arena *arena,
                                         struct upload_request *upload) {
    struct column *columns;
    int count;
    read_ranges(arena, row, upload);
    if (!column_read_list(row->columns, arena, &columns, &count))
        return STORE_ERROR;
    upload->unusable = dataset_unusable(columns, count, true, arena);
    upload->is_table = dataset_is_table(columns, count, row->label);
    upload->columns = coordinate_names(columns, count, arena);
    const bool has_cells = row->cells_blob != 0;
    upload->form = has_cells ? form_text(row, columns, count, arena) : NULL;
    return has_cells && !upload->form ? STORE_ERROR : STORE_OK;
}

enum store_status dataset_lookup(void *context, struct arena *arena,
                                 struct upload_request *upload) {
    struct http_exchange *exchange = context;
    struct store_session *session = store_acquire(service_of(exchange)->store);
    struct dataset row;
    if (!session)
        return store_why_none(service_of(exchange)->store);
    enum store_status status = store_dataset_get(session, upload->id, false, &row);
    end_reading(exchange, session);
    if (status != STORE_OK)
        return status;
    cJSON *classes = row.classes ? cJSON_Parse(row.classes) : NULL;
    snprintf(upload->name, sizeof upload->name, "%s", row.name ? row.name : "");
    upload->n = (int)row.n;
    upload->dim = row.dim;
    upload->class_count = cJSON_GetArraySize(classes);
    upload->height = row.height;
    upload->width = row.width;
    upload->channels = row.channels;
    if (row.height == 0)
        status = look_at_columns(&row, arena, upload);
    if (row.classes)
        upload->classes = arena_copy(arena, row.classes, strlen(row.classes));
    if (row.classes && (!classes || !upload->classes))
        status = STORE_ERROR;
    cJSON_Delete(classes);
    dataset_clear(&row);
    return status;
}

/* ------------------------------------------------------------------ list */

enum { LIST_DEFAULT = 100, LIST_MAX = 200, LIST_BYTES = 4 << 20, ID_BYTES = 100 };

struct list_query {
    int kind; /* enum kind */
    char after[ID_BYTES + 1];
    int limit;
};

static const struct field list_rows[] = {
    {"", "kind", FIELD_CHOICE, offsetof(struct list_query, kind), 0, 0, 0, kind_names,
     "Only data sets of this kind. builtin and upload are all from this source, with those of "
     "images."},
    {"", "limit", FIELD_INTEGER, offsetof(struct list_query, limit), 1, LIST_MAX, 0, NULL,
     "Maximum number of data sets per page. A page also ends with the one that makes it longer "
     "than "
     "4 MiB, because columns may have many levels."},
    {"", "after", FIELD_TEXT, offsetof(struct list_query, after), 0, ID_BYTES, 0, NULL,
     "`next` of the previous page. It stays valid if that page's last data set has been deleted."},
};
const struct field_set dataset_list_fields = {list_rows, sizeof list_rows / sizeof list_rows[0]};

/* A page: patterns [first_pattern, last_pattern), then uploads. */
struct page {
    int first_pattern, last_pattern;
    struct dataset uploads[LIST_MAX];
    int upload_count;
    bool has_more;
    bool is_cut; /* there are more uploads that the client wants on this page */
};

/* Chooses the patterns of the page; they come before the uploads. */
static void choose_patterns(const struct list_query *query, int after, struct page *page) {
    if (query->kind == KIND_UPLOAD || (query->after[0] && after < 0))
        return; /* none, or all were on earlier pages */
    page->first_pattern = query->after[0] ? after + 1 : 0;
    if (query->kind == KIND_IMAGES && page->first_pattern < DN_DIGITS)
        page->first_pattern = DN_DIGITS; /* the only one of images, and the last */
    page->last_pattern = page->first_pattern + query->limit;
    page->has_more = page->last_pattern < DN_BUILTIN_COUNT;
    if (page->last_pattern > DN_BUILTIN_COUNT)
        page->last_pattern = DN_BUILTIN_COUNT;
}

/* Reads at most `most` uploads of the page. */
static enum store_status choose_uploads(struct store_session *session,
                                        const struct list_query *query, int after, int most,
                                        struct page *page) {
    const int wanted = query->limit - (page->last_pattern - page->first_pattern);
    const int room = wanted < most ? wanted : most;
    const char *last = query->after[0] && after < 0 ? query->after : NULL;
    if (page->has_more)
        return STORE_OK;
    const bool on_loop = most < LIST_MAX;
    enum store_status status = store_dataset_list(
        session, last, query->kind == KIND_IMAGES, room, on_loop ? BYTES_ON_LOOP : LIST_BYTES,
        page->uploads, &page->upload_count, &page->has_more);
    page->is_cut = status == STORE_OK && page->has_more && on_loop && page->upload_count < wanted;
    return status;
}

static void reply_page(struct http_exchange *exchange, const struct page *page) {
    struct json_writer json = page_begin(exchange);
    const char *last = NULL;
    for (int i = page->first_pattern; i < page->last_pattern; i++) {
        write_builtin(exchange, i, &json);
        last = dn_patterns[i].name;
    }
    for (int i = 0; i < page->upload_count; i++) {
        dataset_write(&page->uploads[i], &json);
        last = page->uploads[i].id;
    }
    page_end(&json, page->has_more ? last : NULL);
}

/* Answers, unless the client wants more than `most` uploads and there are more: then false. */
static bool answer_list(struct http_exchange *exchange, int most) {
    const struct list_query *query = exchange->state;
    const int after = fields_index(dn_pattern_names, query->after);
    struct page *page = http_alloc(exchange, sizeof *page);
    if (!page)
        return true;
    choose_patterns(query, after, page);
    if (query->kind == KIND_BUILTIN) { /* the database knows none of them */
        reply_page(exchange, page);
        return true;
    }
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return true;
    enum store_status status = choose_uploads(session, query, after, most, page);
    end_reading(exchange, session);
    if (status != STORE_OK)
        problem_store(exchange, status);
    else if (!page->is_cut)
        reply_page(exchange, page);
    for (int i = 0; i < page->upload_count; i++)
        dataset_clear(&page->uploads[i]);
    return !page->is_cut;
}

/* A list of images reads the rows between them without a pause, so it runs outside the turns. */
static void list_on_pool(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    pool_begin_alone();
    answer_list(exchange, LIST_MAX);
    pool_end_alone();
}

enum http_next api_dataset_list(struct http_exchange *exchange) {
    struct list_query *query = http_alloc(exchange, sizeof *query);
    if (!query)
        return HTTP_REPLY;
    query->limit = LIST_DEFAULT;
    exchange->state = query;
    if (!read_query(exchange, &dataset_list_fields, query))
        return HTTP_REPLY;
    if (query->after[0] && fields_index(dn_pattern_names, query->after) < 0 &&
        !id_valid(query->after)) {
        problem_field(exchange, "/after", "must be the `next` of another page");
        return HTTP_REPLY;
    }
    if (query->kind != KIND_IMAGES && answer_list(exchange, ROWS_ON_LOOP))
        return HTTP_REPLY;
    return http_on_pool(exchange, list_on_pool);
}

/* ------------------------------------------------------------------ the points of an upload */

/* Reserves memory for the points, and reads them with their row. False: the error is already the
 * response. */
static bool read_points(struct http_exchange *exchange, struct store_session *session,
                        const char *id, bool with_pixels, struct dataset *row) {
    struct dataset found = {0};
    enum store_status status = store_dataset_get(session, id, false, &found);
    if (status == STORE_OK && found.height && !with_pixels) {
        *row = found;
    } else if (status == STORE_OK) {
        const size_t labels = (size_t)found.n * sizeof *row->labels;
        const size_t bytes = dataset_values_bytes(&found) + labels;
        dataset_clear(&found);
        const size_t copies = (size_t)store_row_copies(service_of(exchange)->store);
        if (!http_reserve(exchange, bytes + copies * labels))
            return false;
        status = store_dataset_get(session, id, true, row);
    }
    if (status != STORE_OK)
        answer_store(exchange, status, PROBLEM_NO_SUCH_DATASET);
    return status == STORE_OK;
}

bool dataset_load(struct http_exchange *exchange, const char *id, bool with_pixels,
                  struct dataset_points *set) {
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return false;
    const bool read = read_points(exchange, session, id, with_pixels, &set->row);
    end_reading(exchange, session);
    if (!read)
        return false;
    struct arena *arena = http_arena(exchange);
    const bool has_columns = set->row.height > 0 || column_read_list(set->row.columns, arena,
                                                                     &set->all, &set->column_count);
    set->columns = has_columns ? column_names(set->all, set->column_count, arena) : NULL;
    if (set->columns &&
        json_names(set->row.classes, &set->class_tree, set->classes, DN_MAX_CLASSES))
        return true;
    dataset_points_clear(set);
    problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this data set");
    return false;
}

bool dataset_describe_digits(struct dataset *row) {
    *row = (struct dataset){.height = DN_DIGITS_SIDE,
                            .width = DN_DIGITS_SIDE,
                            .channels = 1,
                            .dim = DN_DIGITS_SIDE * DN_DIGITS_SIDE,
                            .classes = strdup(spec_digit_classes)};
    snprintf(row->id, sizeof row->id, "%s", dn_patterns[DN_DIGITS].name);
    return row->classes != NULL;
}

void dataset_tag(struct http_exchange *exchange, const struct choice *choice, const char *what,
                 const struct dataset *row) {
    tag_answer(exchange, choice, false, "%s %s %s %s %s %s", what, row->id, row->sha256,
               row->columns, row->classes ? row->classes : "", row->name ? row->name : "");
}

size_t dataset_bytes(const struct dataset *row) {
    const size_t of_labels = row->labels ? sizeof *row->labels : 0;
    const size_t of_values = (size_t)row->dim * (row->points   ? sizeof *row->points
                                                 : row->pixels ? sizeof *row->pixels
                                                               : 0);
    return of_values ? (size_t)row->n * (of_values + of_labels) : 0;
}

void dataset_points_clear(struct dataset_points *set) {
    cJSON_Delete(set->class_tree);
    dataset_clear(&set->row);
    *set = (struct dataset_points){0};
}

void dataset_take(const struct dataset_points *set, const int32_t *places, size_t first,
                  size_t count, float *points) {
    const size_t dim = (size_t)set->row.dim;
    for (size_t i = 0; i < count; i++) {
        const size_t from = places ? (size_t)places[first + i] : first + i;
        if (set->row.points)
            memcpy(points + i * dim, set->row.points + from * dim, dim * sizeof *points);
        for (size_t j = 0; set->row.pixels && j < dim; j++)
            points[i * dim + j] = set->row.pixels[from * dim + j];
    }
}

bool dataset_take_labels(const struct dataset_points *set, const int32_t *places, size_t n,
                         int32_t **labels) {
    *labels = NULL;
    if (!set->row.labels)
        return true;
    *labels = malloc(n * sizeof **labels);
    for (size_t i = 0; *labels && i < n; i++)
        (*labels)[i] = set->row.labels[places ? (size_t)places[i] : i];
    return *labels != NULL;
}
