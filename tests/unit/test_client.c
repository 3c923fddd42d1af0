/* The program's own HTTP client, against answers byte by byte. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/client.h"

struct stand_in {
    int listener;
    const char *answer;
};

/* One connection: reads until the request's head is over, answers, closes. */
static void *answer_once(void *argument) {
    const struct stand_in *server = argument;
    char request[4096] = "";
    size_t used = 0;
    const int fd = accept(server->listener, NULL, NULL);
    while (used < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
        const ssize_t n = recv(fd, request + used, sizeof request - 1 - used, 0);
        if (n <= 0)
            break;
        used += (size_t)n;
        request[used] = '\0';
    }
    send(fd, server->answer, strlen(server->answer), MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

/* What the client makes of these bytes. */
static int ask(const char *answer, struct buffer *body) {
    struct stand_in server = {.listener = socket(AF_INET, SOCK_STREAM, 0), .answer = answer};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_t thread;
    cr_assert_eq(bind(server.listener, (struct sockaddr *)&address, size), 0);
    cr_assert_eq(listen(server.listener, 1), 0);
    getsockname(server.listener, (struct sockaddr *)&address, &size);
    cr_assert_eq(pthread_create(&thread, NULL, answer_once, &server), 0);
    const struct client_server place = {.host = "127.0.0.1", .port = ntohs(address.sin_port)};
    const int status = client_request(&place, "GET", "/", NULL, 10, body);
    pthread_join(thread, NULL);
    close(server.listener);
    return status;
}

#define HEAD    "HTTP/1.1 200 OK\r\nX: 1\r\n"
#define CHUNKED HEAD "transfer-encoding: chunked\r\n\r\n"

Test(client, bodies_however_they_are_framed) {
    static const struct {
        const char *answer;
        int status; /* -1: not a whole answer */
        const char *body;
    } rows[] = {
        {HEAD "Content-Length: 5\r\n\r\nhello", 200, "hello"},
        {HEAD "\r\nuntil the end", 200, "until the end"},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", 404, "{}"},
        {"HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
        {CHUNKED "5\r\nhello\r\n0\r\n\r\n", 200, "hello"},
        {CHUNKED "3\r\nhel\r\n2;name=value\r\nlo\r\n0\r\n\r\n", 200, "hello"},
        {CHUNKED "A\r\n0123456789\r\n1\r\nx\r\n000\r\n\r\n", 200, "0123456789x"},
        {CHUNKED "4\r\n\r\n\r\n\r\n0\r\n\r\n", 200, "\r\n\r\n"},
        {CHUNKED "0\r\n\r\n", 200, ""},
        /* cut short, or no answer at all */
        {HEAD "Content-Length: 6\r\n\r\nhello", -1, NULL},
        {CHUNKED "5\r\nhello\r\n", -1, NULL},
        {CHUNKED "5\r\nhel", -1, NULL},
        {CHUNKED "5\r\nhello", -1, NULL},
        {CHUNKED "5\r\nhelloX\r\n0\r\n\r\n", -1, NULL},
        {CHUNKED "5", -1, NULL},
        {CHUNKED "-1\r\nhello\r\n0\r\n\r\n", -1, NULL},
        {CHUNKED "hello\r\n0\r\n\r\n", -1, NULL},
        {CHUNKED "", -1, NULL},
        {HEAD "Transfer-Encoding: gzip\r\n\r\nx", -1, NULL},
        {HEAD "Content-Length: 5\r\n", -1, NULL},
        {"SSH-2.0-OpenSSH_9.2\r\n\r\n", -1, NULL},
        {"", -1, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer body = {0};
        const int status = ask(rows[i].answer, &body);
        cr_expect_eq(status, rows[i].status, "row %zu: %d", i, status);
        if (status > 0) {
            cr_expect_str_eq(body.data, rows[i].body, "row %zu: %s", i, body.data);
            cr_expect_eq(body.length, strlen(rows[i].body));
        }
        buffer_clear(&body);
    }
}

Test(client, nobody_there) {
    struct buffer body = {0};
    const struct client_server place = {.host = "127.0.0.1", .port = 1};
    cr_assert_eq(client_request(&place, "GET", "/", NULL, 1, &body), -1);
    cr_assert_null(body.data);
}
