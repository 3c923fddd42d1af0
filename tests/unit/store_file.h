/* A store on a file of its own for each test, inside a transaction. */
#ifndef TESTS_UNIT_STORE_FILE_H
#define TESTS_UNIT_STORE_FILE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/store/store.h"

static const struct memory_room EVERYTHING __attribute__((unused)) = {INT64_MAX, INT64_MAX, 0, 0};
static char directory[32], path[64];
static struct store *store;
static struct store_session *session;

static void open_store(void) {
    char error[300];
    store = store_open(path, error, sizeof error);
    cr_assert(store, "%s", error);
    session = store_writer(store);
}

static void setup(void) {
    snprintf(directory, sizeof directory, "/tmp/denoised-store-XXXXXX");
    cr_assert(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/a.db", directory);
    open_store();
    cr_assert_eq(store_begin(session), STORE_OK);
}

static void teardown(void) {
    store_abort(session);
    store_close(store);
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", directory);
    cr_assert_eq(system(command), 0);
}

#endif
