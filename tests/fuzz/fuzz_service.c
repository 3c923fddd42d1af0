/* Requests to the whole service, from the headers to the last byte of the answer.
 *
 * The input is a request as text: "POST /v1/jobs HTTP/1.1", headers, an empty line, the body. */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/house.h"

/* The three words of the first line; NULL is none. */
static void read_first(char *line, struct fake_request *request) {
    request->method = strsep(&line, " ");
    request->target = strsep(&line, " ");
    request->version = line;
}

static void read_header(char *line, struct fake_request *request) {
    const char *name = strsep(&line, ":");
    if (!line || request->header_count == FAKE_HEADERS)
        return;
    request->headers[request->header_count++] =
        (struct fake_header){name, line + strspn(line, " ")};
}

static bool read_request(char *text, size_t size, struct fake_request *request) {
    char *at = text;
    read_first(strsep(&at, "\n"), request);
    while (at && *at && *at != '\n')
        read_header(strsep(&at, "\n"), request);
    if (at && *at == '\n')
        at++;
    request->body = at ? at : "";
    request->body_length = at ? size - (size_t)(at - text) : 0;
    return request->target && request->version && !strchr(request->target, '\r');
}

/* Drawing a hundred thousand points takes a while, and finds no more than a thousand do. */
static bool is_costly(const char *target) {
    for (; *target; target++)
        if (strspn(target, "0123456789") > 4 && strspn(target, "0123456789abcdef-") != 36)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct fake_request request = {0};
    char *text = fuzz_text(bytes, size);
    if (read_request(text, size, &request) && !is_costly(request.target))
        house_ask(&request);
    free(text);
    return 0;
}
