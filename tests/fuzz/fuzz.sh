#!/bin/sh
# Lets libFuzzer try each target for a while, from the committed corpus and whatever was found before; then says how many
# executions that were, and how much of the parsers they reached. Ends with an error if a target failed; the input that
# broke it is then in the directory FOUND and belongs, once mended, into tests/fuzz/corpus.
# usage: tests/fuzz/fuzz.sh BUILD [SECONDS [TARGET...]]
set -u
build=$1
seconds=${2:-60}
shift
[ $# -gt 0 ] && shift
found=$build/found
mkdir -p "$found"
export ASAN_OPTIONS="detect_leaks=1:allocator_may_return_null=1:max_allocation_size_mb=1024"
export UBSAN_OPTIONS="print_stacktrace=1"
total=0
failed=0
for target in ${*:-$(cd tests/fuzz && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')}; do
    corpus=$build/corpus/$target
    log=$build/$target.log
    mkdir -p "$corpus"
    most=4096
    case $target in checkpoint | model | safetensors) most=16384 ;; esac
    "$build/fuzz/fuzz_$target" "$corpus" "tests/fuzz/corpus/$target" -max_total_time="$seconds" -max_len=$most -timeout=120 \
        -rss_limit_mb=3000 -print_final_stats=1 -artifact_prefix="$found/$target-" >"$log" 2>&1
    status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    echo "$target: ${runs:-0} executions, ${edges:-0} edges"
    total=$((total + ${runs:-0}))
    if [ $status -ne 0 ]; then
        echo "   FAILED, see $log"
        failed=$((failed + 1))
    fi
done
echo "fuzz: $total executions, $failed targets failed"
[ $failed -eq 0 ]
