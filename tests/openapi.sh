#!/bin/sh
# Prints the description that the server of a build gives of itself.
# usage: tests/openapi.sh BINARY
set -eu
directory=$(mktemp -d)
"$1" serve --port 0 --database "$directory/openapi.db" >"$directory/out" 2>"$directory/log" &
server=$!
trap 'kill $server; wait $server; rm -rf "$directory"' EXIT
while ! grep -q listening "$directory/out"; do
    kill -0 $server
    sleep 0.05
done
curl -sf "$(sed -n 's/^listening on //p' "$directory/out")/openapi.json" | python3 -m json.tool --indent 1 --no-ensure-ascii
