#include "server/store/migrations.h"

#include "server/base/embed.h"

EMBED(postgresql_schema_22, "migrations/postgresql/0022_schema.sql");
EMBED(postgresql_arithmetic_23, "migrations/postgresql/0023_arithmetic.sql");
EMBED(postgresql_reports_24, "migrations/postgresql/0024_reports.sql");
EMBED(postgresql_nodes_25, "migrations/postgresql/0025_nodes.sql");
EMBED(postgresql_images_26, "migrations/postgresql/0026_images.sql");
EMBED(postgresql_judges_27, "migrations/postgresql/0027_judges.sql");
EMBED(postgresql_dataset_pieces_28, "migrations/postgresql/0028_dataset_pieces.sql");
EMBED(postgresql_begin_again_29, "migrations/postgresql/0029_begin_again.sql");

const struct migration postgresql_migrations[] = {
    {22, "0022_schema.sql", postgresql_schema_22, true},
    {23, "0023_arithmetic.sql", postgresql_arithmetic_23, true},
    {24, "0024_reports.sql", postgresql_reports_24, false},
    {25, "0025_nodes.sql", postgresql_nodes_25, true},
    {26, "0026_images.sql", postgresql_images_26, true},
    {27, "0027_judges.sql", postgresql_judges_27, false},
    {28, "0028_dataset_pieces.sql", postgresql_dataset_pieces_28, true},
    {29, "0029_begin_again.sql", postgresql_begin_again_29, false},
};
const int postgresql_migration_count =
    sizeof postgresql_migrations / sizeof postgresql_migrations[0];
