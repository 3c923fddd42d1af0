#include "server/store/migrations.h"

#include "server/base/embed.h"

EMBED(postgresql_schema_22, "migrations/postgresql/0022_schema.sql");

const struct migration postgresql_migrations[] = {
    {22, "0022_schema.sql", postgresql_schema_22},
};
const int postgresql_migration_count =
    sizeof postgresql_migrations / sizeof postgresql_migrations[0];
