#!/bin/sh
# The dashboard in a real browser; ends with "browser: N passed, N failed". Needs npm and Debian's chromium.
# usage: tests/browser/run.sh BINARY
set -eu
here=$(dirname "$0")
binary=$(realpath "$1")
for place in "$here" "$here/../../server/dashboard"; do # what drives the page, and what bundles it
    modules=$place/node_modules/.package-lock.json
    if [ ! -e "$modules" ] || [ "$place/package-lock.json" -nt "$modules" ]; then
        npm ci --prefix "$place" --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error
        touch "$modules"
    fi
done
output=$(mktemp)
trap 'rm -f "$output"' EXIT
{ DENOISED_BINARY=$binary node --test --test-concurrency=1 "$here"/*.test.mjs 2>&1 || true; } | tee "$output" |
    sed -u -n -e '/^not ok /,/^# Subtest/{p;d}' -e '/^ok /p' -e '/^# /p' # a failure with all it says, and as it comes
passed=$(sed -n 's/^. pass \([0-9]*\)$/\1/p' "$output" | tail -n 1)
failed=$(sed -n 's/^. fail \([0-9]*\)$/\1/p' "$output" | tail -n 1)
echo "browser: ${passed:-0} passed, ${failed:-1} failed"
