#!/bin/sh
# Runs every test of one build and ends with "N passed, N failed".
# usage: tests/run.sh BUILD_DIRECTORY UNIT_TEST_BINARY...
set -u
build=$1
shift
passed=0
failed=0
logs=$build/sanitizer-logs
rm -rf "$logs"
mkdir -p "$logs"
# Criterion exits 0 on leaks and runs tests in children, so sanitizers write files, which are judged below.
export ASAN_OPTIONS="log_path=$PWD/$logs/asan:detect_leaks=1:abort_on_error=0"
export UBSAN_OPTIONS="log_path=$PWD/$logs/ubsan:print_stacktrace=1"
# Criterion's own runner keeps some memory until it exits.
export LSAN_OPTIONS="suppressions=$PWD/tests/leaks.txt:print_suppressions=0"
sanitized=
case $build in *sanitize*)
    sanitized=yes
    export DENOISED_SANDBOX=off # which would let no report be written
    ;;
esac

for binary in "$@"; do
    echo "== $(basename "$binary")"
    output=$build/$(basename "$binary").out
    "$binary" >"$output" 2>&1
    grep -v '^\[====\]' "$output"
    # [====] Synthesis: Tested: 7 | Passing: 7 | Failing: 0 | Crashing: 0
    summary=$(sed -n 's/.*Synthesis: Tested: \([0-9]*\) | Passing: \([0-9]*\).*/\1 \2/p' "$output")
    if [ -z "$summary" ]; then
        echo "   no summary: the test program died"
        failed=$((failed + 1))
        continue
    fi
    echo "   $summary (tested, passing)"
    tested=${summary% *}
    good=${summary#* }
    passed=$((passed + good))
    failed=$((failed + tested - good))
done

echo "== http"
output=$build/pytest.out
if [ -z "${NO_HTTP:-}" ]; then
    DENOISED_BINARY=$PWD/$build/denoised /usr/bin/python3 -m pytest -q -p no:cacheprovider --durations=5 tests/http >"$output" 2>&1
    status=$?
    cat "$output"
    good=$(grep -oE '[0-9]+ passed' "$output" | tail -n 1 | cut -d ' ' -f 1)
    bad=$(grep -cE '^(FAILED|ERROR) ' "$output")
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
    fi
    passed=$((passed + ${good:-0}))
    failed=$((failed + bad))
fi

# Programs of their own that end with "NAME: 15 passed, 0 failed". A browser tells a sanitizer build nothing new,
# and kills and full disks take their time in the ordinary one.
others="fuzz fault client browser"
if [ "$sanitized" ]; then
    others="fuzz client"
fi
for name in $others; do
    echo "== $name"
    output=$build/$name.out
    sh "tests/$name/run.sh" "$build/denoised" >"$output" 2>&1
    cat "$output"
    counts=$(sed -n "s/^$name: \([0-9]*\) passed, \([0-9]*\) failed\$/\1 \2/p" "$output" | tail -n 1)
    passed=$((passed + ${counts% *} + 0))
    failed=$((failed + ${counts#* } + 0))
    if [ -z "$counts" ]; then
        failed=$((failed + 1))
    fi
done

for log in "$logs"/*; do
    [ -s "$log" ] || continue
    echo "== sanitizer report $log"
    head -n 60 "$log"
    failed=$((failed + 1))
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
