#!/bin/sh
# The unit tests of one build; ends with "unit: N passed, N failed".
# usage: tests/unit/run.sh BUILD/denoised
set -u
build=$(dirname "$1")
output=$(mktemp)
trap 'rm -f "$output"' EXIT
passed=0
failed=0
for source in tests/unit/test_*.c; do
    name=$(basename "$source" .c)
    "$build/tests/$name" >"$output" 2>&1
    grep -v '^\[====\]' "$output"
    # [====] Synthesis: Tested: 7 | Passing: 7 | Failing: 0 | Crashing: 0
    summary=$(sed -n 's/.*Synthesis: Tested: \([0-9]*\) | Passing: \([0-9]*\).*/\1 \2/p' "$output")
    if [ -z "$summary" ]; then
        echo "$name: no summary: the test program died"
        failed=$((failed + 1))
        continue
    fi
    tested=${summary% *}
    good=${summary#* }
    echo "$name: $good of $tested"
    passed=$((passed + good))
    failed=$((failed + tested - good))
done
echo "unit: $passed passed, $failed failed"
