#!/bin/sh
# The tests of one folder that are written for pytest, or of some files; ends with "NAME: N passed, N failed".
# usage: tests/pytest.sh NAME BUILD/denoised [PATH...]
set -u
name=$1
binary=$(realpath "$2")
shift 2
[ $# -gt 0 ] || set -- "tests/$name"
output=$(mktemp)
trap 'rm -f "$output" "$output.status"' EXIT
{
    DENOISED_BINARY=$binary PYTHONUNBUFFERED=1 \
        /usr/bin/python3 -m pytest -p no:cacheprovider --durations=12 "$@" 2>&1
    echo $? >"$output.status"
} | tee "$output"
good=$(grep -oE '[0-9]+ passed' "$output" | tail -n 1 | cut -d ' ' -f 1)
bad=$(grep -cE '^(FAILED|ERROR) ' "$output")
if [ "$(cat "$output.status")" -ne 0 ] && [ "$bad" -eq 0 ]; then
    bad=1
fi
echo "$name: ${good:-0} passed, $bad failed"
