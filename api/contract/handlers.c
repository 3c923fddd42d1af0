#include "api/contract/handlers.h"

#include <stdio.h>
#include <string.h>

#include "api/contract/openapi.h"
#include "server/base/id.h"

struct service *service_of(struct http_exchange *exchange) {
    return exchange->service;
}

static void pause_on_pool(void *unused) {
    (void)unused;
    pool_pause();
}

struct dn_breaks breaks_of(const struct http_exchange *exchange) {
    return (struct dn_breaks){.stop = &exchange->stopping, .pause = pause_on_pool};
}

char *keep_text(struct http_exchange *exchange, struct buffer *text) {
    struct arena *arena = http_arena(exchange);
    arena->failed |= text->failed;
    char *copy =
        text->failed ? NULL : arena_copy(arena, text->length > 0 ? text->data : "", text->length);
    buffer_clear(text);
    return copy;
}

struct json_writer json_reply(struct http_exchange *exchange, int status) {
    exchange->response.status = status;
    exchange->response.content_type = "application/json";
    return (struct json_writer){
        .out = &exchange->response.body, .is_answer = true, .base_path = http_base_path(exchange)};
}

struct json_writer page_begin(struct http_exchange *exchange) {
    struct json_writer json = json_reply(exchange, 200);
    json_open(&json, '{');
    json_member_open(&json, "items", '[');
    return json;
}

static void end_items(struct json_writer *json, bool has_more) {
    json_close(json, ']');
    json_key(json, "has_more");
    json_bool(json, has_more);
    json_key(json, "next");
}

void page_end_items(struct json_writer *json, const char *next) {
    end_items(json, next);
    json_string(json, next);
}

void page_end(struct json_writer *json, const char *next) {
    page_end_items(json, next);
    json_close(json, '}');
}

void page_end_number(struct json_writer *json, int64_t next) {
    end_items(json, next > 0);
    if (next > 0)
        json_integer(json, next);
    else
        json_null(json);
    json_close(json, '}');
}

cJSON *json_body(struct http_exchange *exchange, size_t max_values) {
    const struct http_request *request = &exchange->request;
    char error[200];
    cJSON *json = request->body_length == 0
                      ? cJSON_CreateObject()
                      : json_read(request->body, request->body_length, max_values,
                                  http_arena(exchange), error, sizeof error);
    if (!json && request->body_length == 0)
        http_arena(exchange)->failed = true;
    else if (!json)
        problem(exchange, PROBLEM_INVALID_JSON, error);
    return json;
}

const struct field_set empty_fields = {NULL, 0};

bool read_members(struct http_exchange *exchange, const struct field_set *fields, void *values,
                  size_t max_values,
                  void (*more)(const cJSON *body, void *values, struct problem_fields *wrong)) {
    cJSON *json = json_body(exchange, max_values);
    if (!json)
        return false;
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    if (cJSON_IsObject(json))
        fields_read(fields, "", json, values, &wrong);
    else
        problem_add(&wrong, "", "must be a JSON object");
    if (more && cJSON_IsObject(json))
        more(json, values, &wrong);
    cJSON_Delete(json);
    return problem_none(exchange, &wrong);
}

bool no_members(struct http_exchange *exchange) {
    return read_members(exchange, &empty_fields, NULL, JSON_MAX_VALUES, NULL);
}

bool read_query(struct http_exchange *exchange, const struct field_set *set, void *target) {
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    fields_read_query(set, &exchange->request, target, &wrong);
    return problem_none(exchange, &wrong);
}

bool no_query(struct http_exchange *exchange) {
    return read_query(exchange, &empty_fields, NULL);
}

struct store_session *begin_reading(struct http_exchange *exchange) {
    struct store *store = service_of(exchange)->store;
    struct store_session *session = store_acquire(store);
    const enum store_status status = session ? STORE_OK : store_why_none(store);
    if (status == STORE_AWAY && store_away(store) == 0 && !store_is_silent(store))
        problem(exchange, PROBLEM_DATABASE_UNAVAILABLE,
                "all connections to the database are in use");
    else if (!session)
        problem_store(exchange, status);
    return session;
}

void end_reading(struct http_exchange *exchange, struct store_session *session) {
    store_release(service_of(exchange)->store, session);
}

void answer_store(struct http_exchange *exchange, enum store_status status,
                  enum problem_code not_found) {
    if (status == STORE_NOT_FOUND)
        problem(exchange, not_found, NULL);
    else
        problem_store(exchange, status);
}

const char *path_id(struct http_exchange *exchange, enum problem_code not_found) {
    const char *id = exchange->request.ids[0];
    if (strcmp(id, "latest") == 0 || id_valid(id))
        return id;
    problem(exchange, not_found, NULL);
    return NULL;
}

void write_links(struct json_writer *json, const struct link *links, size_t count, const char *id) {
    json_open(json, '{');
    for (size_t i = 0; i < count; i++) {
        char url[512];
        snprintf(url, sizeof url, "%s%s%s%s", json->base_path ? json->base_path : "", links[i].base,
                 id, links[i].rest);
        json_key(json, links[i].name);
        json_string(json, url);
    }
    json_close(json, '}');
}
