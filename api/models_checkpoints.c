/* /v1/models/{id}/checkpoints: the epochs at which earlier checkpoints of the model were kept. */
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
     .doc = "Ordered by epoch, closer together at the start of training; the last one is the "
            "current model."},
};
const struct field_set checkpoints_answer = ANSWER(answer_rows);

enum http_next api_model_checkpoints(struct http_exchange *exchange) {
    const char *id = path_id(exchange, PROBLEM_NO_SUCH_MODEL);
    struct store_session *session = id && no_query(exchange) ? begin_reading(exchange) : NULL;
    if (!session)
        return HTTP_REPLY;
    struct model_checkpoints found;
    const enum store_status status = model_checkpoints(session, id, &found);
    if (status == STORE_OK) {
        const struct checkpoints answer = {found.model,
                                           {found.items, sizeof *found.items, (size_t)found.count}};
        struct json_writer json = json_reply(exchange, 200);
        fields_write(&checkpoints_answer, &answer, &json);
    } else {
        model_problem(exchange, session, id, status);
    }
    end_reading(exchange, session);
    return HTTP_REPLY;
}
