#!/bin/sh
# Lints api/openapi.json, generates a TypeScript client from it, type-checks a program that uses it, and runs that against
# a real server. Checks the Kubernetes manifests by the types of their kinds. Then other people's clients, from curl to Chromium, do what their users do, directly and behind nginx.
# Ends with "client: N passed, M failed".
# usage: tests/client/run.sh BINARY
set -eu
here=$PWD
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
mkdir -p manifests
/usr/bin/python3 "$here/tests/client/manifests.py" "$here/docker" >manifests/all.ts
step "the Kubernetes manifests have the fields of their kinds" node node_modules/typescript/bin/tsc -p tsconfig.manifests.json
if [ "$failed" -gt 0 ]; then
    echo "client: $((4 - failed)) passed, $failed failed"
    exit 1
fi
cd "$here"
. tests/sum.sh
(cd build/client && part node out/main.js "$binary" 3)
part sh tests/pytest.sh client "$binary"
sum client
