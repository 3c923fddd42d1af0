#!/bin/sh
# The dashboard in a real browser; ends with "browser: N passed, N failed". Needs npm and Debian's chromium.
# usage: tests/browser/run.sh BINARY
set -eu
here=$(dirname "$0")
binary=$(realpath "$1")
modules=$here/node_modules/.package-lock.json
if [ ! -e "$modules" ] || [ "$here/package-lock.json" -nt "$modules" ]; then
    npm ci --prefix "$here" --ignore-scripts --no-audit --no-fund --loglevel=error
    touch "$modules"
fi
output=$(mktemp)
trap 'rm -f "$output"' EXIT
{ DENOISED_BINARY=$binary node --test --test-concurrency=1 "$here"/*.test.mjs 2>&1 || true; } | tee "$output" |
    sed -u -n -e '/^not ok /,/^# Subtest/{p;d}' -e '/^ok /p' -e '/^# /p' # a failure with all it says, and as it comes
passed=$(sed -n 's/^. pass \([0-9]*\)$/\1/p' "$output" | tail -n 1)
failed=$(sed -n 's/^. fail \([0-9]*\)$/\1/p' "$output" | tail -n 1)
echo "browser: ${passed:-0} passed, ${failed:-1} failed"
