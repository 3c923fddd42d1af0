#include "server/store/migrations.h"

#include "server/base/embed.h"

EMBED(schema_20, "migrations/sqlite/0020_schema.sql");
EMBED(tables_21, "migrations/sqlite/0021_tables.sql");
EMBED(table_models_22, "migrations/sqlite/0022_table_models.sql");
EMBED(arithmetic_23, "migrations/sqlite/0023_arithmetic.sql");
EMBED(reports_24, "migrations/sqlite/0024_reports.sql");
EMBED(nodes_25, "migrations/sqlite/0025_nodes.sql");
EMBED(images_26, "migrations/sqlite/0026_images.sql");
EMBED(judges_27, "migrations/sqlite/0027_judges.sql");
EMBED(dataset_pieces_28, "migrations/sqlite/0028_dataset_pieces.sql");
EMBED(begin_again_29, "migrations/sqlite/0029_begin_again.sql");

const struct migration sqlite_migrations[] = {
    {20, "0020_schema.sql", schema_20},
    {21, "0021_tables.sql", tables_21},
    {22, "0022_table_models.sql", table_models_22},
    {23, "0023_arithmetic.sql", arithmetic_23},
    {24, "0024_reports.sql", reports_24},
    {25, "0025_nodes.sql", nodes_25},
    {26, "0026_images.sql", images_26},
    {27, "0027_judges.sql", judges_27},
    {28, "0028_dataset_pieces.sql", dataset_pieces_28},
    {29, "0029_begin_again.sql", begin_again_29},
};
const int sqlite_migration_count = sizeof sqlite_migrations / sizeof sqlite_migrations[0];
