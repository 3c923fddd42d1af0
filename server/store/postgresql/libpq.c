#include "server/store/postgresql/libpq.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

struct libpq pq;

bool libpq_load(char *error, size_t error_size) {
    static const char *const names[] = {
#define NAME(name) "PQ" #name,
        LIBPQ_FUNCTIONS(NAME)
#undef NAME
    };
    enum { COUNT = sizeof names / sizeof names[0] };
    void *found[COUNT];
    _Static_assert(sizeof found == sizeof pq, "a pointer for each function");
    if (pq.clear)
        return true;
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    bool complete = library != NULL;
    for (int i = 0; i < COUNT && complete; i++) {
        found[i] = dlsym(library, names[i]);
        complete = found[i] != NULL;
    }
    if (!complete) {
        snprintf(error, error_size,
                 "a database at postgresql:// needs the library libpq (Debian: libpq5): %s",
                 dlerror());
        if (library)
            dlclose(library);
        return false;
    }
    memcpy(&pq, found, sizeof pq);
    return true;
}
