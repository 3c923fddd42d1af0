/*
 * fake_mhd.h - stands in for libmicrohttpd, so that the whole service can be called as a function:
 * one request after the other, on one thread, without a socket.
 *
 * It defines what server/http*.c call, and calls their callbacks as libmicrohttpd would.
 */
#ifndef TESTS_FUZZ_FAKE_MHD_H
#define TESTS_FUZZ_FAKE_MHD_H

#include "server/base/buffer.h"

enum { FAKE_HEADERS = 32 };

struct fake_header {
    const char *name, *value;
};

struct fake_request {
    const char *method, *target, *version;
    struct fake_header headers[FAKE_HEADERS];
    int header_count;
    const char *body;
    size_t body_length;
};

struct fake_answer {
    unsigned status; /* 0: none came, and the connection was closed */
    const char *content_type, *content_encoding;
    struct buffer body; /* at most its first FAKE_BODY bytes */
    bool is_whole;      /* it ended as it should */
};
enum { FAKE_BODY = 256 << 10 };

/* After http_start. The answer's texts live until the next request; the caller clears its body. */
void fake_mhd_ask(const struct fake_request *request, struct fake_answer *answer);

#endif
