/*
 * house.h - the whole service as a function: on fake_mhd.h, and a database with a finished job, a
 * queued one, an upload and a model. Nothing that a request writes stays: each is rolled back.
 */
#ifndef TESTS_FUZZ_HOUSE_H
#define TESTS_FUZZ_HOUSE_H

#include "tests/fuzz/fake_mhd.h"

/* Asks, and checks what holds for every answer. Returns the status; 0: there was no answer. */
unsigned house_ask(const struct fake_request *request);

#endif
