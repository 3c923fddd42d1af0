#include "server/store/copy.h"

#include <stdio.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/driver.h"
#include "server/store/nodes.h"
#include "server/store/sql.h"

/* The tables, each after those that it refers to. */
#define TABLE(name, key, which)                                                                    \
    { name, key, "SELECT * FROM " name which, "SELECT 1 FROM " name " LIMIT 1" }
static const struct table {
    const char *name;
    const char *key;  /* a number that the database gives; NULL: none */
    const char *rows; /* bytes that no row names are left behind */
    const char *first;
} tables[] = {
    TABLE("job", "seq", " ORDER BY seq"),
    TABLE("history", NULL, " ORDER BY job_seq, epoch"),
    TABLE("blob", "id", " WHERE refs > 0 ORDER BY id"),
    TABLE("piece", NULL,
          " WHERE blob_id IN (SELECT id FROM blob WHERE refs > 0) ORDER BY blob_id, number"),
    TABLE("dataset", "seq", " ORDER BY seq"),
    TABLE("job_dataset", NULL, ""),
    TABLE("checkpoint", NULL, ""),
    TABLE("model", NULL, ""),
    TABLE("snapshot", NULL, ""),
    TABLE("evaluation", "id", " ORDER BY id"),
    TABLE("judge", "id", " ORDER BY id"),
    TABLE("event", "id", " ORDER BY id"),
    TABLE("replay", "number", " ORDER BY number"),
};
enum { TABLES = sizeof tables / sizeof *tables };

/* A copy under way, and the table that it is at. */
struct copy {
    struct store_session *from, *to;
    const struct table *at;
    bool is_used; /* one of the two, by servers that go on with it */
};

static enum store_status check_empty(struct copy *copy) {
    int64_t one;
    const enum store_status status =
        sql_value(copy->to, sql_prepare(copy->to, copy->at->first, ""), &one, STORE_NOT_FOUND);
    return status == STORE_OK ? STORE_CONFLICT : status == STORE_NOT_FOUND ? STORE_OK : status;
}

static enum store_status close_to(struct copy *copy) {
    return copy->to->driver->load_begin(copy->to, copy->at->name);
}

static enum store_status move(struct copy *copy) {
    int64_t count = 0, last = 0;
    struct sql_statement *rows = sql_prepare(copy->from, copy->at->rows, "");
    enum store_status status =
        rows ? copy->to->driver->load(copy->to, copy->at->name, rows, &count) : copy->from->status;
    const enum store_status read = sql_done(copy->from, rows);
    if (status == STORE_OK)
        status = read;
    if (status == STORE_OK && copy->at->key)
        status = copy->from->driver->last(copy->from, copy->at->name, copy->at->key, &last);
    if (status == STORE_OK)
        log_line(LOG_INFO, "copied", "table=%s rows=%lld", copy->at->name, (long long)count);
    if (status == STORE_OK && copy->at->key)
        status = copy->to->driver->set_last(copy->to, copy->at->name, copy->at->key, last);
    return status;
}

static enum store_status open_to(struct copy *copy) {
    return copy->to->driver->load_end(copy->to, copy->at->name);
}

static enum store_status for_each(struct copy *copy, enum store_status (*step)(struct copy *copy)) {
    enum store_status status = STORE_OK;
    for (copy->at = tables; copy->at < tables + TABLES && status == STORE_OK; copy->at++)
        status = step(copy);
    copy->at = status == STORE_OK ? NULL : copy->at - 1; /* where it failed */
    return status;
}

/* What a start does with jobs that ran when the last server ended. */
static enum store_status requeue(struct copy *copy) {
    int requeued;
    return store_recover(copy->to, INT64_MAX, clock_now_ms(), &requeued);
}

static enum store_status take_time(struct store_session *session) {
    return session->driver->take_time ? session->driver->take_time(session) : STORE_OK;
}

/* A job that runs would go on in both databases. A file in use cannot be opened. */
static enum store_status check_unused(struct copy *copy, struct store_session *session) {
    int64_t nodes;
    const enum store_status status = store_lease_count(session, &nodes);
    if (status == STORE_OK)
        copy->is_used = nodes > 0;
    return status == STORE_OK && nodes > 0 ? STORE_CONFLICT : status;
}

static enum store_status copy_all(struct copy *copy) {
    enum store_status status = store_begin(copy->to);
    if (status != STORE_OK)
        return status;
    status = take_time(copy->from);
    if (status == STORE_OK)
        status = take_time(copy->to);
    /* Nobody may write to the tables between the look at them and the commit. */
    if (status == STORE_OK)
        status = check_unused(copy, copy->from);
    if (status == STORE_OK)
        status = check_unused(copy, copy->to);
    if (status == STORE_OK)
        status = for_each(copy, close_to);
    if (status == STORE_OK)
        status = for_each(copy, check_empty);
    if (status == STORE_OK)
        status = for_each(copy, move);
    if (status == STORE_OK)
        status = for_each(copy, open_to);
    if (status == STORE_OK)
        status = requeue(copy);
    if (status == STORE_OK)
        status = store_commit(copy->to);
    if (status != STORE_OK)
        store_abort(copy->to);
    return status;
}

bool store_copy(struct store *from, struct store *to, char *error, size_t error_size) {
    struct copy copy = {.from = store_acquire(from), .to = store_writer(to)};
    if (!copy.from) {
        snprintf(error, error_size, "%s cannot be read", store_path(from));
        return false;
    }
    enum store_status status = sql_begin_reading(copy.from);
    if (status == STORE_OK)
        status = sql_end_reading(copy.from, copy_all(&copy));
    store_release(from, copy.from);
    if (copy.is_used)
        snprintf(error, error_size,
                 "servers use one of the two databases: stop them all; one that was killed counts "
                 "until its lease ends");
    else if (status == STORE_CONFLICT && copy.at)
        snprintf(error, error_size, "%s is not empty: its table %s has rows", store_path(to),
                 copy.at->name);
    else if (status == STORE_FULL)
        snprintf(error, error_size, "there is no room for the copy at %s", store_path(to));
    else if (status != STORE_OK)
        snprintf(error, error_size, "the copy failed%s%s, see above",
                 copy.at ? " at the table " : "", copy.at ? copy.at->name : "");
    return status == STORE_OK;
}
