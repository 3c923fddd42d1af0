#include "tests/fuzz/fake_mhd.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "tests/fuzz/fuzz.h"

struct MHD_Response {
    struct fake_header headers[FAKE_HEADERS];
    int header_count;
    const char *bytes; /* of a whole body: its memory is the response's */
    uint64_t size;
    MHD_ContentReaderCallback reader;
    void *reader_self;
};

struct MHD_Connection {
    const struct fake_request *request;
    struct MHD_Response *response;
    void *socket_context;
    bool suspended;
    struct fake_answer *answer;
};

/* The one daemon, with the callbacks that it was given. */
static struct MHD_Daemon {
    MHD_AccessHandlerCallback handle;
    void *self;
    void *(*target)(void *self, const char *target, struct MHD_Connection *connection);
    MHD_RequestCompletedCallback completed;
    MHD_NotifyConnectionCallback connection;
    int fd; /* of a socket whose other end says nothing */
} the_daemon;

/* ------------------------------------------------------------------ the daemon */

static void read_option(enum MHD_OPTION option, va_list *more) {
    switch (option) {
    case MHD_OPTION_URI_LOG_CALLBACK:
        the_daemon.target = va_arg(*more, void *(*)(void *, const char *, struct MHD_Connection *));
        break;
    case MHD_OPTION_NOTIFY_COMPLETED:
        the_daemon.completed = va_arg(*more, MHD_RequestCompletedCallback);
        break;
    case MHD_OPTION_NOTIFY_CONNECTION:
        the_daemon.connection = va_arg(*more, MHD_NotifyConnectionCallback);
        break;
    case MHD_OPTION_EXTERNAL_LOGGER: (void)va_arg(*more, void *); break;
    case MHD_OPTION_SOCK_ADDR:
    case MHD_OPTION_ARRAY: (void)va_arg(*more, void *); return;
    case MHD_OPTION_CONNECTION_MEMORY_LIMIT:
    case MHD_OPTION_THREAD_STACK_SIZE: (void)va_arg(*more, size_t); return;
    default: (void)va_arg(*more, unsigned); return;
    }
    (void)va_arg(*more, void *); /* the callback's own argument: the same for all */
}

struct MHD_Daemon *MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback accept,
                                    void *accept_self, MHD_AccessHandlerCallback handle, void *self,
                                    ...) {
    (void)flags, (void)port, (void)accept, (void)accept_self;
    int pair[2];
    va_list more;
    the_daemon.handle = handle;
    the_daemon.self = self;
    va_start(more, self);
    for (enum MHD_OPTION option; (option = va_arg(more, enum MHD_OPTION)) != MHD_OPTION_END;)
        read_option(option, &more);
    va_end(more);
    fuzz_check(the_daemon.target && the_daemon.completed && the_daemon.connection);
    fuzz_check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    the_daemon.fd = pair[0];
    return &the_daemon;
}

const union MHD_DaemonInfo *MHD_get_daemon_info(struct MHD_Daemon *any,
                                                enum MHD_DaemonInfoType type, ...) {
    static const union MHD_DaemonInfo info = {.port = 1};
    (void)any, (void)type;
    return &info;
}

MHD_socket MHD_quiesce_daemon(struct MHD_Daemon *any) {
    (void)any;
    return MHD_INVALID_SOCKET;
}

void MHD_stop_daemon(struct MHD_Daemon *any) {
    (void)any;
}

/* ------------------------------------------------------------------ the connection */

const union MHD_ConnectionInfo *MHD_get_connection_info(struct MHD_Connection *connection,
                                                        enum MHD_ConnectionInfoType type, ...) {
    static union MHD_ConnectionInfo info;
    static struct sockaddr_in address = {.sin_family = AF_INET};
    info = (union MHD_ConnectionInfo){.client_addr = (struct sockaddr *)&address};
    if (type == MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        info.socket_context = connection->socket_context;
    else if (type == MHD_CONNECTION_INFO_CONNECTION_FD)
        info.connect_fd = the_daemon.fd;
    return &info;
}

/* One that refuses heads with folded lines and the like by itself: here there are no such bytes. */
const char *MHD_get_version(void) {
    return "1.0.0";
}

int MHD_get_connection_values_n(struct MHD_Connection *connection, enum MHD_ValueKind kind,
                                MHD_KeyValueIteratorN iterator, void *self) {
    const struct fake_request *request = connection->request;
    for (int i = 0; iterator && i < request->header_count; i++) {
        const struct fake_header *header = &request->headers[i];
        if (iterator(self, kind, header->name, strlen(header->name), header->value,
                     strlen(header->value)) != MHD_YES)
            return i + 1;
    }
    return request->header_count;
}

void MHD_suspend_connection(struct MHD_Connection *connection) {
    fuzz_check(!connection->suspended);
    connection->suspended = true;
}

void MHD_resume_connection(struct MHD_Connection *connection) {
    fuzz_check(connection->suspended);
    connection->suspended = false;
}

/* ------------------------------------------------------------------ the response */

struct MHD_Response *MHD_create_response_from_buffer(size_t size, void *bytes,
                                                     enum MHD_ResponseMemoryMode mode) {
    struct MHD_Response *response = calloc(1, sizeof *response);
    fuzz_check(response && mode == MHD_RESPMEM_MUST_FREE);
    response->bytes = bytes;
    response->size = size;
    return response;
}

struct MHD_Response *MHD_create_response_from_callback(uint64_t size, size_t block,
                                                       MHD_ContentReaderCallback reader, void *self,
                                                       MHD_ContentReaderFreeCallback release) {
    struct MHD_Response *response = calloc(1, sizeof *response);
    fuzz_check(response && block > 0 && !release);
    response->size = size;
    response->reader = reader;
    response->reader_self = self;
    return response;
}

/* A header with a line break in it would be two. */
enum MHD_Result MHD_add_response_header(struct MHD_Response *response, const char *name,
                                        const char *value) {
    fuzz_check(response->header_count < FAKE_HEADERS);
    fuzz_check(!strpbrk(name, "\r\n\t :") && !strpbrk(value, "\r\n"));
    response->headers[response->header_count++] = (struct fake_header){strdup(name), strdup(value)};
    return MHD_YES;
}

enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned status,
                                   struct MHD_Response *response) {
    fuzz_check(!connection->response && !connection->suspended && status >= 200 && status < 600);
    connection->response = response;
    connection->answer->status = status;
    return MHD_YES;
}

void MHD_destroy_response(struct MHD_Response *response) {
    (void)response; /* it is only freed when it was sent */
}

static void free_response(struct MHD_Response *response) {
    for (int i = 0; response && i < response->header_count; i++) {
        free((char *)response->headers[i].name);
        free((char *)response->headers[i].value);
    }
    if (response)
        free((char *)response->bytes);
    free(response);
}

/* ------------------------------------------------------------------ one request */

/* A client that reads until the end, has had enough, or would have to wait. */
static void read_body(struct MHD_Connection *connection, struct fake_answer *answer) {
    enum { BLOCK = 32 << 10 };
    struct MHD_Response *response = connection->response;
    if (!response->reader) {
        buffer_append(&answer->body, response->bytes, response->size);
        answer->is_whole = true;
        return;
    }
    while (answer->body.length < FAKE_BODY) {
        char *room = buffer_reserve(&answer->body, BLOCK);
        fuzz_check(room);
        ssize_t got =
            response->reader(response->reader_self, answer->body.length, room, (size_t)BLOCK);
        fuzz_check(got <= BLOCK && (got != 0 || connection->suspended));
        answer->is_whole = got == MHD_CONTENT_READER_END_OF_STREAM;
        if (got <= 0)
            break;
        answer->body.length += (size_t)got;
    }
    if (answer->is_whole && response->size != MHD_SIZE_UNKNOWN)
        fuzz_check(answer->body.length == response->size);
}

static const char *keep(const struct MHD_Response *response, const char *name, char text[100]) {
    text[0] = '\0';
    for (int i = 0; i < response->header_count; i++)
        if (strcasecmp(response->headers[i].name, name) == 0)
            snprintf(text, 100, "%s", response->headers[i].value);
    return text;
}

static void take_answer(struct MHD_Connection *connection, struct fake_answer *answer) {
    static char type[100], encoding[100];
    answer->content_type = keep(connection->response, "Content-Type", type);
    answer->content_encoding = keep(connection->response, "Content-Encoding", encoding);
    if (strcmp(connection->request->method, "HEAD") == 0)
        answer->is_whole = true;
    else
        read_body(connection, answer);
}

static bool call(struct MHD_Connection *connection, const char *bytes, size_t *size, void **slot) {
    const struct fake_request *request = connection->request;
    return the_daemon.handle(the_daemon.self, connection, request->target, request->method,
                             request->version, bytes, size, slot) == MHD_YES;
}

/* The calls that libmicrohttpd makes: the headers, the body (here in two parts), the end. */
static bool deliver(struct MHD_Connection *connection, void **slot) {
    const struct fake_request *request = connection->request;
    const size_t half = request->body_length / 2;
    size_t none = 0;
    if (!call(connection, NULL, &none, slot))
        return false;
    for (int part = 0; part < 2 && !connection->response; part++) {
        size_t size = part == 0 ? half : request->body_length - half;
        if (size > 0 && !call(connection, request->body + (part == 0 ? 0 : half), &size, slot))
            return false;
    }
    while (!connection->response) {
        if (!call(connection, NULL, &none, slot))
            return false;
        fuzz_check(!connection->suspended); /* deferred work runs at once here */
    }
    return true;
}

void fake_mhd_ask(const struct fake_request *request, struct fake_answer *answer) {
    struct MHD_Connection connection = {.request = request, .answer = answer};
    void *slot = NULL;
    *answer = (struct fake_answer){.content_type = "", .content_encoding = ""};
    the_daemon.connection(the_daemon.self, &connection, &connection.socket_context,
                          MHD_CONNECTION_NOTIFY_STARTED);
    the_daemon.target(the_daemon.self, request->target, &connection);
    const bool delivered = deliver(&connection, &slot);
    if (delivered)
        take_answer(&connection, answer);
    the_daemon.completed(the_daemon.self, &connection, &slot,
                         delivered ? MHD_REQUEST_TERMINATED_COMPLETED_OK
                                   : MHD_REQUEST_TERMINATED_WITH_ERROR);
    the_daemon.connection(the_daemon.self, &connection, &connection.socket_context,
                          MHD_CONNECTION_NOTIFY_CLOSED);
    free_response(connection.response);
}
