#include "server/store/migrations.h"

#include "server/base/embed.h"

EMBED(schema_20, "migrations/0020_schema.sql");

const struct migration migrations[] = {
    {20, "0020_schema.sql", schema_20},
};
const int migration_count = sizeof migrations / sizeof migrations[0];
