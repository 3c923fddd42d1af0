/* Counts the jobs that end, where that is committed: once, however many processes read the events. */
#include <string.h>

#include "server/base/counters.h"
#include "server/store/driver.h"
#include "server/store/sql.h"

void sql_ended(struct store_session *session, enum job_status status, int64_t jobs) {
    session->endings.noted[status] += jobs;
}

void sql_endings_mark(struct store_session *session) {
    memcpy(session->endings.marked, session->endings.noted, sizeof session->endings.marked);
}

void sql_endings_return(struct store_session *session) {
    memcpy(session->endings.noted, session->endings.marked, sizeof session->endings.noted);
}

void sql_endings_over(struct store_session *session, bool is_committed) {
    for (int i = 0; i < JOB_STATUS_COUNT && is_committed; i++)
        counters_add_endings(job_status_names[i], session->endings.noted[i]);
    memset(&session->endings, 0, sizeof session->endings);
}
