#!/bin/sh
# Lints api/openapi.json, generates a TypeScript client from it, type-checks a program that uses it, and runs that against
# a real server. Ends with "client: N passed, M failed".
# usage: tests/client/run.sh BINARY
set -eu
binary=$(realpath "$1")
mkdir -p build/client
cp tests/client/*.ts tests/client/*.mjs tests/client/*.json build/client/
cp api/openapi.json build/client/
cd build/client
if ! cmp -s package-lock.json node_modules/installed; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    cp package-lock.json node_modules/installed
fi
failed=0
step() { # name, command...
    name=$1
    shift
    if "$@"; then
        echo "ok   $name"
    else
        echo "FAIL $name"
        failed=$((failed + 1))
    fi
}
step "the description breaks no rule of the linter" node lint.mjs openapi.json
step "types are generated from the description" node node_modules/openapi-typescript/bin/cli.js openapi.json -o schema.d.ts
step "a program that uses it is well typed" node node_modules/typescript/bin/tsc -p .
if [ "$failed" -gt 0 ]; then
    echo "client: $((3 - failed)) passed, $failed failed"
    exit 1
fi
node out/main.js "$binary" 3
