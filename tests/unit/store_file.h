/* A store of its own for each test, inside a transaction: a file, or with
 * TEST_POSTGRESQL="PROGRAMS SOCKET_DIRECTORY", a database there, whose user is postgres. */
#ifndef TESTS_UNIT_STORE_FILE_H
#define TESTS_UNIT_STORE_FILE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/migrations.h"
#include "server/store/nodes.h"

static const struct memory_room EVERYTHING __attribute__((unused)) = {INT64_MAX, INT64_MAX, 0, 0};
static char directory[32], path[200];
static struct store *store;
static struct store_session *session;

static void open_store(void) {
    char error[300];
    store = store_open(path, error, sizeof error);
    cr_assert(store, "%s", error);
    cr_assert(store_migrate(store, error, sizeof error), "%s", error);
    session = store_writer(store);
    struct node node = {.name = "test", .version = "0"};
    memcpy(node.id, store_boot(store), sizeof node.id);
    cr_assert_eq(store_begin(session), STORE_OK);
    cr_assert_eq(store_node_join(session, &node, 0), STORE_OK);
    cr_assert_eq(store_commit(session), STORE_OK);
}

/* Creates or drops the database of this test; false: it is a file. */
static bool on_postgresql(const char *program, const char *options) {
    char programs[100], sockets[100], command[400];
    const char *place = getenv("TEST_POSTGRESQL");
    if (!place || sscanf(place, "%99s %99s", programs, sockets) != 2)
        return false;
    const char *name = strrchr(directory, '/') + 1;
    snprintf(command, sizeof command, "%s/%s -h %s -U postgres %s %s", programs, program, sockets,
             options, name);
    cr_assert_eq(system(command), 0);
    snprintf(path, sizeof path, "postgresql:///%s?host=%s&user=postgres", name, sockets);
    return true;
}

static void setup(void) {
    snprintf(directory, sizeof directory, "/tmp/denoised-store-XXXXXX");
    cr_assert(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/a.db", directory);
    on_postgresql("createdb", "-T template0 -E UTF8");
    open_store();
    cr_assert_eq(store_begin(session), STORE_OK);
}

static void teardown(void) {
    store_abort(session);
    store_close(store);
    on_postgresql("dropdb", "-f");
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", directory);
    cr_assert_eq(system(command), 0);
}

#endif
