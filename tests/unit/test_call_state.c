/* The states of a request: which may follow which, and what is counted. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/http/connection.h"

static const char *const names[] = {
    [CALL_READING] = "READING",  [CALL_WAITING] = "WAITING", [CALL_ANSWERED] = "ANSWERED",
    [CALL_SENT_EARLY] = "EARLY", [CALL_SENDING] = "SENDING", [CALL_STREAMING] = "STREAMING",
    [CALL_LOOKING] = "LOOKING",  [CALL_PAUSED] = "PAUSED",   [CALL_OVER] = "OVER",
};
enum { STATES = sizeof names / sizeof names[0] };

/* The arrows of the drawing in connection.h. */
static const char *const legal[] = {
    "READING>WAITING",  "READING>EARLY",    "READING>SENDING",   "READING>STREAMING",
    "READING>OVER",     "WAITING>ANSWERED", "ANSWERED>SENDING",  "ANSWERED>STREAMING",
    "ANSWERED>OVER",    "EARLY>OVER",       "SENDING>OVER",      "STREAMING>LOOKING",
    "STREAMING>PAUSED", "STREAMING>OVER",   "LOOKING>STREAMING", "PAUSED>STREAMING",
};

static bool is_legal(int from, int to) {
    char arrow[40];
    snprintf(arrow, sizeof arrow, "%s>%s", names[from], names[to]);
    for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++)
        if (strcmp(legal[i], arrow) == 0)
            return true;
    return false;
}

/* libmicrohttpd cannot suspend or resume what is no connection of it. */
static bool is_suspended(int state) {
    return state == CALL_WAITING || state == CALL_PAUSED;
}

static void change(int from, int to) {
    struct http_counts counts = {0};
    struct http_server server = {.config = {.counts = &counts}};
    struct http_call call = {.server = &server, .state = (enum call_state)from};
    http_set_state(&call, (enum call_state)to);
}

/* Does the process survive the change? */
static bool survives(int from, int to) {
    const pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO); /* what assert says */
        change(from, to);
        _exit(0);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) || WTERMSIG(status) == SIGABRT);
    return WIFEXITED(status);
}

Test(call_state, only_what_is_drawn_may_follow, .timeout = 60) {
    int tried = 0;
    for (int from = 0; from < STATES; from++)
        for (int to = 0; to < STATES; to++) {
            if (is_legal(from, to) && (is_suspended(from) || is_suspended(to)))
                continue;
            cr_expect_eq(survives(from, to), is_legal(from, to), "%s > %s", names[from], names[to]);
            tried++;
        }
    cr_assert_eq(tried, STATES * STATES - 4);
}

Test(call_state, a_stream_is_counted_until_it_is_over) {
    static const struct {
        enum call_state to;
        int streams;
    } life[] = {{CALL_STREAMING, 1}, {CALL_LOOKING, 1}, {CALL_STREAMING, 1}, {CALL_OVER, 0}};
    struct http_counts counts = {0};
    struct http_server server = {.config = {.counts = &counts}};
    struct http_call call = {.server = &server};
    for (size_t i = 0; i < sizeof life / sizeof life[0]; i++) {
        http_set_state(&call, life[i].to);
        cr_assert_eq(call.state, life[i].to);
        cr_assert_eq(atomic_load(&counts.streams), life[i].streams);
        cr_assert_eq(server.suspended, 0);
    }
}

Test(call_state, a_wake_ends_a_look_and_changes_nothing_else) {
    struct http_counts counts = {0};
    struct http_server server = {.config = {.counts = &counts}};
    for (int state = 0; state < STATES; state++) {
        struct http_call call = {.server = &server, .state = (enum call_state)state};
        if (state == CALL_PAUSED) /* resumes a connection */
            continue;
        http_wake_stream(&call);
        cr_assert_eq(call.state, state == CALL_LOOKING ? CALL_STREAMING : (enum call_state)state);
    }
}
