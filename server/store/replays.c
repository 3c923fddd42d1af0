/* Which requests with an Idempotency-Key have been served. */
#include <string.h>

#include "server/store/sql.h"

enum store_status sql_served(struct store_session *session, struct sql_statement *row,
                             char id[ID_LENGTH + 1], bool *same) {
    const bool found = sql_row(session, row);
    if (found) {
        memcpy(id, sql_chars(row, 0), ID_LENGTH + 1);
        *same = sql_int(row, 1);
    }
    return sql_found(session, row, found, STORE_NOT_FOUND);
}

enum store_status store_replay_find(struct store_session *session, const struct replay *replay,
                                    char id[ID_LENGTH + 1], bool *same) {
    struct sql_statement *row = sql_prepare(session,
                                            "SELECT id, request = ?3 FROM replay"
                                            " WHERE operation = ?1 AND key = ?2",
                                            "ttt", replay->operation, replay->key, replay->request);
    return sql_served(session, row, id, same);
}

enum store_status store_replay_keep(struct store_session *session, const struct replay *replay,
                                    const char *id) {
    enum store_status status =
        sql_need_room(session, (int64_t)(strlen(replay->key) + strlen(replay->request)));
    if (status == STORE_OK)
        status = sql_run(session,
                         "INSERT INTO replay (operation, key, request, id) VALUES (?1, ?2, ?3, ?4)"
                         " ON CONFLICT (operation, key) DO NOTHING",
                         "tttt", replay->operation, replay->key, replay->request, id);
    if (status != STORE_OK || sql_changes(session) == 0)
        return status != STORE_OK ? status : STORE_CONFLICT;
    return sql_run(session,
                   "DELETE FROM replay WHERE id = ?1 AND number <="
                   " (SELECT number FROM replay WHERE id = ?1"
                   "  ORDER BY number DESC LIMIT 1 OFFSET ?2)",
                   "ti", id, (int64_t)STORE_REPLAYS_KEPT);
}
