#!/bin/sh
# Formatting, static analysis, and shell syntax of everything that is committed.
set -eu
sources=$(git ls-files '*.c' '*.h')
# shellcheck disable=SC2086
clang-format --dry-run -Werror $sources
for script in $(git ls-files '*.sh' .ci/run); do
    sh -n "$script"
done
files=$(git ls-files 'engine/*.c' 'server/*.c' 'api/*.c' | grep -v engine/base/kernels_impl.c)
echo "$files" | xargs -n 8 -P "$(nproc)" sh -c 'clang-tidy --quiet --warnings-as-errors="*" "$@" -- -std=gnu17 -I. -Iengine \
    -isystem /usr/include/postgresql -DWITH_POSTGRESQL -D_GNU_SOURCE -DDENOISED_VERSION=\"\" -DDENOISED_COMMIT=\"\"' sh
npm ci --prefix server/dashboard --ignore-scripts --no-audit --no-fund --loglevel=error
mkdir -p build/dashboard # for the types of the contract
npm run --silent --prefix server/dashboard types >/dev/null
npm run --silent --prefix server/dashboard check
echo "lint: clean"
