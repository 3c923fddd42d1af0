/* What the nodes tell each other by NOTIFY, on a connection that does nothing else. It saves time;
 * nothing depends on it, because PostgreSQL keeps nothing for a listener that is not connected. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/log.h"
#include "server/store/nodes.h"
#include "server/store/postgresql/contact.h"
#include "server/store/postgresql/postgresql.h"
#include "server/store/sql.h"

enum {
    LISTEN_PATIENCE = 5, /* seconds until an answer to a short statement */
    LOOK_MS =
        2000, /* between two looks whether others of this age were lost: nobody would notice */
};

struct listener {
    struct postgresql_session session;
    bool is_lost; /* and the log says so */
};

struct store_session *postgresql_open_listener(struct store *store) {
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return NULL;
    listener->session.base.driver = &postgresql_driver;
    listener->session.store = (struct postgresql_store *)store;
    listener->session.patience = LISTEN_PATIENCE;
    listener->session.is_direct = true;
    return &listener->session.base; /* postgresql_listen connects it */
}

static bool connect_and_listen(struct listener *listener) {
    struct postgresql_session *session = &listener->session;
    char listen[60], *channel = NULL;
    bool is_listening =
        postgresql_take(session) == STORE_OK &&
        postgresql_ask(session, "SELECT " POSTGRESQL_CHANNEL, &channel) == STORE_OK &&
        channel != NULL;
    snprintf(listen, sizeof listen, "LISTEN %s", channel ? channel : "");
    free(channel);
    is_listening = is_listening && postgresql_command(session, listen) == STORE_OK;
    if (!is_listening && !listener->is_lost)
        log_line(LOG_WARN, "news of other nodes come late: cannot listen to them", NULL);
    else if (is_listening && listener->is_lost)
        log_line(LOG_INFO, "listening to other nodes again", NULL);
    listener->is_lost = !is_listening;
    if (!is_listening)
        postgresql_disconnect(session);
    return is_listening;
}

/* The meaning of what was told; false: there is nothing new in it. */
static bool read_news(struct postgresql_session *session, const PGnotify *notice,
                      struct news *news) {
    const char *payload = notice->extra;
    if (payload[0] == 'h' &&
        postgresql_heard(session->store, strtoll(payload + 1, NULL, 10), notice->be_pid))
        news->kind = NEWS_OF_EVENTS;
    else if (payload[0] == 'c' && strlen(payload + 1) == ID_LENGTH)
        news->kind = NEWS_OF_CANCEL;
    if (news->kind == NEWS_OF_CANCEL)
        memcpy(news->job, payload + 1, sizeof news->job);
    return news->kind != NO_NEWS;
}

/* What has arrived and was not read yet. */
static bool take_news(struct postgresql_session *session, struct news *news) {
    PGnotify *notice;
    bool is_new = false;
    while (!is_new && (notice = pq.notifies(session->connection))) {
        is_new = read_news(session, notice, news);
        pq.freemem(notice);
    }
    return is_new;
}

/* Waits for something to arrive, or for somebody who wakes; false: the connection is lost. */
static bool wait_for_news(struct postgresql_session *session, int wake, bool *is_woken) {
    struct pollfd either[2] = {{.fd = pq.socket(session->connection), .events = POLLIN},
                               {.fd = wake, .events = POLLIN}};
    if (!postgresql_is_connected(session)) /* lost while something was asked on it */
        return false;
    const int ready = poll(either, 2, LOOK_MS);
    if (ready < 0)
        return errno == EINTR;
    if (ready == 0)
        return !contact_is_distrusted(session);
    *is_woken = either[1].revents != 0;
    return !either[0].revents ||
           (pq.consumeInput(session->connection) && postgresql_is_connected(session));
}

enum store_status postgresql_listen(struct store_session *base, int wake, struct news *news) {
    struct listener *listener = (struct listener *)base;
    struct postgresql_session *session = &listener->session;
    *news = (struct news){0};
    if (!postgresql_is_connected(session)) {
        if (!connect_and_listen(listener))
            return STORE_ERROR;
        postgresql_suspect(session->store);
        news->kind = NEWS_OF_ANYTHING;
        return STORE_OK;
    }
    for (bool is_woken = false; !take_news(session, news) && !is_woken;)
        if (!wait_for_news(session, wake, &is_woken)) {
            postgresql_disconnect(session);
            return STORE_ERROR;
        }
    return STORE_OK;
}

enum store_status postgresql_tell_cancel(struct store_session *session, const char *job) {
    return sql_run(session, "SELECT pg_notify(" POSTGRESQL_CHANNEL ", 'c' || ?1)", "t", job);
}
