#!/bin/sh
# The tests of one folder that are written for pytest; ends with "NAME: N passed, N failed".
# usage: tests/pytest.sh http|restart|fault BUILD/denoised
set -u
name=$1
output=$(mktemp)
trap 'rm -f "$output" "$output.status"' EXIT
{
    DENOISED_BINARY=$(realpath "$2") PYTHONUNBUFFERED=1 \
        /usr/bin/python3 -m pytest -p no:cacheprovider --durations=12 "tests/$name" 2>&1
    echo $? >"$output.status"
} | tee "$output"
good=$(grep -oE '[0-9]+ passed' "$output" | tail -n 1 | cut -d ' ' -f 1)
bad=$(grep -cE '^(FAILED|ERROR) ' "$output")
if [ "$(cat "$output.status")" -ne 0 ] && [ "$bad" -eq 0 ]; then
    bad=1
fi
echo "$name: ${good:-0} passed, $bad failed"
