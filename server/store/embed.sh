#!/bin/sh
# Prints a C file that holds the given migrations, in order: `struct migration migrations[]`, see server/store/migrations.h.
set -eu
echo '#include "server/store/migrations.h"'
echo 'const struct migration migrations[] = {'
for file in "$@"; do
    number=$(basename "$file" | sed 's/^0*\([0-9]*\)_.*/\1/')
    printf '    {%s, "%s",\n' "$number" "$(basename "$file")"
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/     "/' -e 's/$/\\n"/' "$file"
    echo '    },'
done
echo '};'
echo 'const int migration_count = sizeof migrations / sizeof migrations[0];'
