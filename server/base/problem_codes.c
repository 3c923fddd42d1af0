#include "server/base/problem_codes.h"

const struct problem_row problem_rows[PROBLEM_CODES] = {
#define PROBLEM(name, code, status, doc) [PROBLEM_##name] = {code, status, doc},
#include "server/base/problem_rows.h"
#undef PROBLEM
};
