#include "api/contract/idempotency.h"

#include <string.h>
#include <strings.h>

#include "api/contract/problem.h"
#include "server/base/id.h"
#include "server/base/utf8.h"

enum { KEY_BYTES = 255 };

bool idempotency_key(struct http_exchange *exchange, const char **key) {
    const char *given = http_header(exchange, "Idempotency-Key");
    *key = NULL;
    if (!given)
        return true;
    const size_t length = strlen(given);
    if (length == 0 || length > KEY_BYTES || !utf8_is_valid(given, length))
        problem(exchange, PROBLEM_BAD_IDEMPOTENCY_KEY,
                "Idempotency-Key must be 1 to 255 bytes of text");
    else
        *key = http_format(exchange, "%s", given);
    return *key;
}

void idempotency_reused(struct http_exchange *exchange) {
    problem(exchange, PROBLEM_IDEMPOTENCY_KEY_REUSED,
            "this Idempotency-Key was already used with a different request");
}

void idempotency_replayed(struct http_exchange *exchange, const char *base, const char *id) {
    http_set_header(exchange, "Location", http_format(exchange, "%s%s", base, id));
    http_set_header(exchange, "Idempotency-Replayed", "true");
}

bool idempotency_is_new(struct http_exchange *exchange, struct store_session *session,
                        const struct replay *replay, const char *id,
                        void (*again)(struct http_exchange *exchange, struct store_session *session,
                                      const char *id)) {
    char served[ID_LENGTH + 1];
    bool same = false;
    if (!replay->key)
        return true;
    enum store_status status = store_replay_find(session, replay, served, &same);
    if (status == STORE_NOT_FOUND) {
        status = store_replay_keep(session, replay, id);
        if (status == STORE_OK)
            return true;
        if (status == STORE_CONFLICT) /* another node was faster */
            status = store_replay_find(session, replay, served, &same);
    }
    if (status != STORE_OK)
        problem_store(exchange, status);
    else if (same)
        again(exchange, session, served);
    else
        idempotency_reused(exchange);
    return false;
}

bool idempotency_created(struct http_exchange *exchange, enum store_status status, const char *base,
                         const char *id) {
    if (status == STORE_OK)
        http_set_header(exchange, "Location", http_format(exchange, "%s%s", base, id));
    else
        problem_store(exchange, status);
    return status == STORE_OK;
}

/* Clients draw another boundary for each attempt. */
static int told_type(const char *type) {
    const size_t length = strcspn(type, "; \t");
    const bool is_form = length > 10 && strncasecmp(type, "multipart/", 10) == 0;
    return (int)(is_form ? length : strlen(type));
}

const char *idempotency_upload(struct http_exchange *exchange, const char *sha256) {
    const struct http_request *request = &exchange->request;
    const char *type = http_header(exchange, "Content-Type");
    const char *text =
        http_format(exchange, "%s %.*s", sha256, type ? told_type(type) : 0, type ? type : "");
    for (size_t i = 0; text && i < request->query_count; i++)
        text = http_format(exchange, "%s\n%s=%s", text, request->query[i].name,
                           request->query[i].value);
    return text;
}
