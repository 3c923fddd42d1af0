/* /v1/models/{id}/checkpoints: the epochs of a training that one can look back at. */
#include "api/contract/openapi.h"
#include "api/models.h"

#define AT(member) offsetof(struct snapshot, member)
static const struct field rows[] = {
    {"", "epoch", FIELD_INTEGER, AT(epoch), 1, INFINITY,
     .doc = "Value for the parameter `epoch` of samples, trajectories and evaluation."},
    {"", "at", FIELD_TIME, AT(at)},
    {"", "bytes", FIELD_INT64, AT(bytes), 1, INFINITY},
};
static const struct field_set checkpoint = ANSWER(rows);

struct checkpoints {
    const char *model;
    struct field_list items;
};
static const struct field answer_rows[] = {
    {"", "model", FIELD_STRING, offsetof(struct checkpoints, model), .schema = "Id"},
    {"", "items", FIELD_LIST, offsetof(struct checkpoints, items), 1, STORE_MAX_SNAPSHOTS + 1,
     .set = &checkpoint,
     .doc = "Ordered by epoch, closer together at the start of the training; the last one is the "
            "current model."},
};
const struct field_set checkpoints_answer = ANSWER(answer_rows);

static void reply(struct http_exchange *exchange, const char *id, const struct snapshot *snapshots,
                  int count) {
    const struct checkpoints answer = {id, {snapshots, sizeof *snapshots, (size_t)count}};
    struct json_writer json = json_reply(exchange, 200);
    fields_write(&checkpoints_answer, &answer, &json);
}

enum http_next api_model_checkpoints(struct http_exchange *exchange) {
    const char *id = path_id(exchange, PROBLEM_NO_SUCH_MODEL);
    struct store_session *session = id && no_query(exchange) ? begin_reading(exchange) : NULL;
    if (!session)
        return HTTP_REPLY;
    struct snapshot snapshots[STORE_MAX_SNAPSHOTS + 1];
    struct model model;
    int count = 0;
    enum store_status status = store_model_get(session, id, &model);
    if (status == STORE_NOT_FOUND) {
        answer_no_model(exchange, session, id);
    } else if (status != STORE_OK) {
        problem_store(exchange, status);
    } else {
        status = store_snapshots(session, model.id, snapshots, &count);
        if (status == STORE_OK)
            reply(exchange, model.id, snapshots, count);
        else
            problem_store(exchange, status);
        model_clear(&model);
    }
    end_reading(exchange, session);
    return HTTP_REPLY;
}
