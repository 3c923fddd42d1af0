/*
 * problem_codes.h - what can be wrong with a request, or with the server while it responds.
 *
 * Each code is one row of problem_rows.h, which makes the enumerators here, the code's text and
 * status in every error response, and its part of the API's description.
 */
#ifndef SERVER_BASE_PROBLEM_CODES_H
#define SERVER_BASE_PROBLEM_CODES_H

enum problem_code {
    PROBLEM_NONE,
#define PROBLEM(name, code, status, doc) PROBLEM_##name,
#include "server/base/problem_rows.h"
#undef PROBLEM
    PROBLEM_CODES
};

struct problem_row {
    const char *code; /* the stable name that programs compare */
    int status;
    const char *doc; /* what it means, and what to do about it */
};
extern const struct problem_row problem_rows[PROBLEM_CODES]; /* by enum problem_code */

#endif
