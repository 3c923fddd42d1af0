/* /v1/nodes: the processes that share the database. */
#include <stdlib.h>

#include "api/contract/handlers.h"
#include "api/contract/openapi.h"
#include "server/store/nodes.h"

enum { MAX_NODES = 1000 };

static void write_arithmetic(const void *value, struct json_writer *json) {
    const struct node *node = value;
    json_open(json, '[');
    for (int i = 0; i < node->offers; i++)
        json_string(json, node->arithmetic[i]);
    json_close(json, ']');
}

#define AT(member) offsetof(struct node, member)
static const struct field rows[] = {
    {"", "id", FIELD_ID, AT(id), .doc = "A new one at each start."},
    {"", "name", FIELD_STRING, AT(name), .doc = "Its host and port, for people."},
    {"", "version", FIELD_STRING, AT(version)},
    {"", "arithmetic", FIELD_WRITTEN, .schema = "Names", .write = write_arithmetic,
     .doc = "The kinds of arithmetic that it offers to jobs, best first."},
    {"", "workers", FIELD_INTEGER, AT(workers), 0, INFINITY,
     .doc = "Maximum number of jobs that it trains at the same time."},
    {"", "running", FIELD_INTEGER, AT(running), 0, INFINITY,
     .doc = "Number of jobs that it trains now."},
    {"", "draining", FIELD_BOOLEAN, AT(is_draining),
     .doc = "It is stopping, and starts no more jobs."},
    {"", "started_at", FIELD_TIME, AT(started_at)},
    {"", "lease_until", FIELD_TIME, AT(lease_until), .flags = FIELD_OR_NULL,
     .doc = "Unless it renews its lease before, other nodes continue its jobs; null when the "
            "database is a file, which only one process can use."},
};
const struct field_set node_answer = ANSWER(rows);

static void list(struct http_exchange *exchange, struct store_session *session,
                 struct node *nodes) {
    int count;
    const enum store_status status = store_nodes(session, nodes, MAX_NODES, &count);
    if (status != STORE_OK) {
        problem_store(exchange, status);
        return;
    }
    struct json_writer json = json_reply(exchange, 200);
    json_open(&json, '{');
    json_member_open(&json, "items", '[');
    for (int i = 0; i < count; i++) {
        fields_write(&node_answer, &nodes[i], &json);
        node_clear(&nodes[i]);
    }
    json_close(&json, ']');
    json_close(&json, '}');
}

enum http_next api_nodes(struct http_exchange *exchange) {
    struct store_session *session = no_query(exchange) ? begin_reading(exchange) : NULL;
    if (!session)
        return HTTP_REPLY;
    struct node *nodes = calloc(MAX_NODES, sizeof *nodes);
    if (nodes)
        list(exchange, session, nodes);
    else
        problem_store(exchange, STORE_ERROR);
    free(nodes);
    end_reading(exchange, session);
    return HTTP_REPLY;
}
