/* The program's own migrations against the files in migrations/. */
#include <criterion/criterion.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/migrations.h"

/* Two with one number: a database of the version before would never get the second. One that is not
 * in the table would not be there at all. */
static void check_migrations(const char *pattern, const struct migration *migrations, int count) {
    glob_t files;
    cr_assert_eq(glob(pattern, 0, NULL, &files), 0);
    cr_assert_eq((int)files.gl_pathc, count);
    for (int i = 0; i < count; i++) {
        cr_assert_eq(migrations[i].number, migrations[0].number + i, "%s", migrations[i].name);
        cr_assert_eq(migrations[i].number, atoi(migrations[i].name));
        cr_assert_str_eq(strrchr(files.gl_pathv[i], '/') + 1, migrations[i].name);
    }
    globfree(&files);
}

Test(migration_files, they_are_numbered_one_after_another_and_complete) {
    check_migrations("migrations/sqlite/*.sql", sqlite_migrations, sqlite_migration_count);
#ifdef WITH_POSTGRESQL
    check_migrations("migrations/postgresql/*.sql", postgresql_migrations,
                     postgresql_migration_count);
#endif
}
