#!/bin/sh
# The fault tests of one build; SOAK=1 for the long ones. Ends with "fault: N passed, N failed".
# usage: tests/fault/run.sh BUILD/denoised
set -u
output=$(mktemp)
trap 'rm -f "$output"' EXIT
DENOISED_BINARY=$(realpath "$1") /usr/bin/python3 -m pytest -q -p no:cacheprovider --durations=12 tests/fault >"$output" 2>&1
status=$?
cat "$output"
good=$(grep -oE '[0-9]+ passed' "$output" | tail -n 1 | cut -d ' ' -f 1)
bad=$(grep -cE '^(FAILED|ERROR) ' "$output")
if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
    bad=1
fi
echo "fault: ${good:-0} passed, $bad failed"
