/* Statements whose answers nobody waits for: they are sent with the next one that somebody does wait
 * for, in the pipeline mode of libpq, so that many of them take one round trip. */
#include <stdlib.h>

#include "server/store/postgresql/postgresql.h"

bool postgresql_may_run_later(const struct postgresql_session *session) {
    return session->connection && !session->running && !session->is_pooled && !session->has_grown &&
           session->unanswered < POSTGRESQL_MOST_UNANSWERED;
}

bool postgresql_enter_pipeline(struct postgresql_session *session, const char *sql) {
    if (session->unanswered == 0 && !pq.enterPipelineMode(session->connection))
        return false;
    session->unanswered_sql[session->unanswered++] = sql;
    return true;
}

/* Reads the answer to one statement. After one that has failed, the server has not run the others. */
static enum store_status read_answer(struct postgresql_session *session, const char *sql) {
    enum store_status status = STORE_OK;
    PGresult *result;
    while ((result = postgresql_result(session))) {
        const ExecStatusType kind = pq.resultStatus(result);
        if (kind == PGRES_PIPELINE_ABORTED)
            status = STORE_ERROR;
        else if (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK)
            status = postgresql_failure(session, result, sql);
        else
            session->has_changed |= postgresql_has_changed(result);
        pq.clear(result);
    }
    return status == STORE_OK && !session->connection ? STORE_AWAY : status;
}

/* Reads those of all statements that nobody has waited for: the first failure, or STORE_OK. */
static enum store_status read_unanswered(struct postgresql_session *session) {
    const int count = session->unanswered;
    enum store_status status = STORE_OK;
    session->unanswered = 0;
    for (int i = 0; i < count && session->connection; i++) {
        const enum store_status one = read_answer(session, session->unanswered_sql[i]);
        status = status == STORE_OK ? one : status;
    }
    return status;
}

bool postgresql_leave_pipeline(struct postgresql_session *session) {
    PGresult *end = postgresql_result(session);
    const bool is_end = end && pq.resultStatus(end) == PGRES_PIPELINE_SYNC;
    pq.clear(end);
    session->is_in_pipeline = false;
    if (is_end && pq.exitPipelineMode(session->connection))
        return true;
    if (session->connection)
        postgresql_failure(session, NULL, "the end of a pipeline");
    postgresql_disconnect(session);
    return false;
}

/* The server sends its answers as soon as it has a sync. */
static enum store_status ask_for_answers(struct postgresql_session *session) {
    if (session->connection && pq.pipelineSync(session->connection))
        return read_unanswered(session);
    session->unanswered = 0;
    return postgresql_failure(session, NULL, "a pipeline");
}

enum store_status postgresql_catch_up(struct postgresql_session *session) {
    if (session->unanswered == 0)
        return STORE_OK;
    const enum store_status status = ask_for_answers(session);
    return postgresql_leave_pipeline(session) || status != STORE_OK ? status : STORE_AWAY;
}

enum store_status postgresql_join_pipeline(struct postgresql_session *session, const char *sql) {
    const enum store_status status = ask_for_answers(session);
    session->is_in_pipeline = true;
    if (status != STORE_OK) {
        read_answer(session, sql); /* it was not run */
        postgresql_leave_pipeline(session);
    }
    return status;
}
