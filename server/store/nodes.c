/* The nodes: the processes that share this database, each with a lease. */
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/store/driver.h"
#include "server/store/nodes.h"
#include "server/store/sql.h"

void node_clear(struct node *node) {
    free(node->name);
    free(node->version);
    for (int i = 0; i < node->offers; i++)
        free(node->arithmetic[i]);
    *node = (struct node){0};
}

/* ------------------------------------------------------------------ the own node */

enum store_status store_node_join(struct store_session *session, const struct node *node,
                                  int64_t lease) {
    memcpy(session->node, node->id, sizeof session->node);
    enum store_status status =
        sql_run(session,
                "INSERT INTO node (id, name, version, workers, started_at, lease_until)"
                " VALUES (?1, ?2, ?3, ?4, ?5,"
                "  CASE WHEN ?6 > 0 THEN (SELECT ms FROM clock) + ?6 END)"
                " ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until",
                "tttiii", node->id, node->name, node->version, (int64_t)node->workers,
                node->started_at, lease);
    return status == STORE_OK && node->offers > 0
               ? store_offer(session, (const char *const *)node->arithmetic, node->offers)
               : status;
}

enum store_status store_offer(struct store_session *session, const char *const *arithmetic,
                              int count) {
    enum store_status status =
        sql_run(session, "DELETE FROM offer WHERE node = ?1", "t", session->node);
    for (int i = 0; i < count && status == STORE_OK; i++)
        status = sql_run(session,
                         "INSERT INTO offer (node, arithmetic, place) VALUES (?1, ?2, ?3)"
                         " ON CONFLICT (node, arithmetic) DO NOTHING",
                         "tti", session->node, arithmetic[i], (int64_t)i);
    return status;
}

#define IS_ANY_DEAD "EXISTS (SELECT 1 FROM node WHERE lease_until < (SELECT ms FROM clock))"
/* Has a node that is gone left anything? This reads all jobs that are running, and on PostgreSQL what
 * is left in their index of others. */
#define IS_ANY_LEFT                                                                                \
    "EXISTS (SELECT 1 FROM job WHERE job.status = 'running'"                                       \
    "        AND " SQL_NODE("job") " NOT IN (SELECT node.id FROM node))"                           \
                                   " OR EXISTS (SELECT 1 FROM blob WHERE writer IS NOT NULL"       \
                                   "            AND writer NOT IN (SELECT node.id FROM node))"

/* PostgreSQL's subqueries see the row as it was before the update. */
enum store_status store_node_renew(struct store_session *session, int64_t lease, bool is_draining,
                                   int64_t room, bool looks, struct duties *duties) {
    const double asked = clock_monotonic();
    struct sql_statement *row =
        sql_prepare(session,
                    "UPDATE node SET lease_until = (SELECT ms FROM clock) + ?2, draining = ?3"
                    " WHERE id = ?1 RETURNING CASE WHEN " IS_ANY_DEAD
                    " OR (?5 <> 0 AND (" IS_ANY_LEFT ")) THEN 1 ELSE 0 END,"
                    " CASE WHEN EXISTS (SELECT 1 FROM job WHERE " SQL_CAN_RUN
                    " AND memory <= ?4) THEN 1 ELSE 0 END,"
                    " CASE WHEN (SELECT old.lease_until FROM node AS old WHERE old.id = ?1)"
                    "  < (SELECT ms FROM clock) THEN 1 ELSE 0 END,"
                    " (SELECT ms FROM clock)",
                    "tiiii", session->node, lease, (int64_t)is_draining, room, (int64_t)looks);
    const bool found = sql_row(session, row);
    *duties = (struct duties){0};
    if (found)
        *duties = (struct duties){
            .take_over = sql_int(row, 0), .claim = sql_int(row, 1), .was_over = sql_int(row, 2)};
    if (found && session->driver->is_shared)
        clock_follow(asked, sql_int64(row, 3));
    return sql_found(session, row, found, STORE_LOST);
}

enum store_status store_node_leave(struct store_session *session) {
    return sql_run(session, "DELETE FROM node WHERE id = ?1", "t", session->node);
}

/* ------------------------------------------------------------------ all nodes */

enum store_status store_must_stop(struct store_session *session, const char *job, int64_t *fence) {
    const enum store_status status =
        sql_value(session,
                  sql_prepare(session,
                              "SELECT CASE WHEN status = 'running' AND cancel_requested = 0 THEN 0"
                              " ELSE fence END FROM job WHERE id = ?1",
                              "t", job),
                  fence, STORE_NOT_FOUND);
    if (status == STORE_NOT_FOUND)
        *fence = INT64_MAX; /* no other job will have its id */
    return status == STORE_NOT_FOUND ? STORE_OK : status;
}

enum store_status store_node_count(struct store_session *session, int64_t *count) {
    return sql_value(session,
                     sql_prepare(session, "SELECT count(*) FROM node WHERE " SQL_IS_LIVE, ""),
                     count, STORE_OK);
}

enum store_status store_lease_count(struct store_session *session, int64_t *count) {
    return sql_value(
        session,
        sql_prepare(session, "SELECT count(*) FROM node WHERE lease_until > (SELECT ms FROM clock)",
                    ""),
        count, STORE_OK);
}

static void read_node(struct store_session *session, struct sql_statement *row, struct node *node) {
    *node = (struct node){
        .name = sql_text(session, row, 1),
        .version = sql_text(session, row, 2),
        .workers = sql_int(row, 3),
        .is_draining = sql_int(row, 4),
        .started_at = sql_int64(row, 5),
        .lease_until = sql_int64(row, 6),
        .running = sql_int(row, 7),
    };
    memcpy(node->id, sql_chars(row, 0), ID_LENGTH);
}

static enum store_status read_offers(struct store_session *session, struct node *node) {
    struct sql_statement *row =
        sql_prepare(session, "SELECT arithmetic FROM offer WHERE node = ?1 ORDER BY place LIMIT ?2",
                    "ti", node->id, (int64_t)STORE_MAX_OFFERS);
    while (sql_row(session, row))
        node->arithmetic[node->offers++] = sql_text(session, row, 0);
    return sql_done(session, row);
}

static enum store_status read_nodes(struct store_session *session, struct node *nodes, int limit,
                                    int *count) {
    struct sql_statement *row =
        sql_prepare(session,
                    "SELECT id, name, version, workers, draining, started_at, lease_until,"
                    " (SELECT count(*) FROM job WHERE status = 'running' AND " SQL_NODE(
                        "job") " = node.id)"
                               " FROM node WHERE " SQL_IS_LIVE " ORDER BY started_at, id LIMIT ?1",
                    "i", (int64_t)limit);
    while (sql_row(session, row))
        read_node(session, row, &nodes[(*count)++]);
    return sql_done(session, row);
}

enum store_status store_nodes(struct store_session *session, struct node *nodes, int limit,
                              int *count) {
    *count = 0;
    enum store_status status = sql_begin_reading(session);
    if (status != STORE_OK)
        return status;
    status = read_nodes(session, nodes, limit, count);
    for (int i = 0; i < *count && status == STORE_OK; i++)
        status = read_offers(session, &nodes[i]);
    status = sql_end_reading(session, status);
    while (status != STORE_OK && *count > 0)
        node_clear(&nodes[--*count]);
    return status;
}
