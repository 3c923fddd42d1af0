#include "server/store/migrations.h"

#include "server/base/embed.h"

EMBED(schema_20, "migrations/0020_schema.sql");
EMBED(tables_21, "migrations/0021_tables.sql");
EMBED(table_models_22, "migrations/0022_table_models.sql");

const struct migration migrations[] = {
    {20, "0020_schema.sql", schema_20},
    {21, "0021_tables.sql", tables_21},
    {22, "0022_table_models.sql", table_models_22},
};
const int migration_count = sizeof migrations / sizeof migrations[0];
