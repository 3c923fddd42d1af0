#!/bin/sh
# The dashboard's modules without a browser, by node's own test runner; ends with "dashboard: N passed, N failed".
# esbuild, which the dashboard is built with, bundles each file of tests with the TypeScript that it tests.
# usage: tests/dashboard/run.sh BINARY (which is not used)
set -eu
here=$(dirname "$0")
modules=$here/../../server/dashboard
if [ ! -e "$modules/node_modules/esbuild" ]; then
    npm ci --prefix "$modules" --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$modules/node_modules/.bin/esbuild" "$here"/*.test.mjs --bundle --platform=node --format=esm --out-extension:.js=.mjs \
    --outdir="$work" --jsx=automatic --jsx-import-source=preact --log-level=warning
node --test "$work"/*.test.mjs >"$work/out" 2>&1 || true
awk '/^ok |^# (pass|fail)/; /^# Subtest/ { whole = 0 } /^not ok / { whole = 1 } whole' "$work/out" # a failure with all it says
passed=$(sed -n 's/^. pass \([0-9]*\)$/\1/p' "$work/out" | tail -n 1)
failed=$(sed -n 's/^. fail \([0-9]*\)$/\1/p' "$work/out" | tail -n 1)
echo "dashboard: ${passed:-0} passed, ${failed:-1} failed"
