#include "server/store/migrations.h"

#include "server/base/embed.h"

EMBED(schema_20, "migrations/0020_schema.sql");
EMBED(tables_21, "migrations/0021_tables.sql");

const struct migration migrations[] = {
    {20, "0020_schema.sql", schema_20},
    {21, "0021_tables.sql", tables_21},
};
const int migration_count = sizeof migrations / sizeof migrations[0];
