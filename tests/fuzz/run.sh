#!/bin/sh
# Replays the corpora through the fuzz targets, each seed whole, cut short, and changed. Ends with "fuzz: N passed, N failed".
# usage: tests/fuzz/run.sh BUILD/denoised
build=$(dirname "$1")
passed=0
failed=0
for corpus in tests/fuzz/corpus/*; do
    name=$(basename "$corpus")
    if output=$("$build/fuzz/fuzz_$name" "$corpus" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
    echo "$name: $output"
done
echo "fuzz: $passed passed, $failed failed"
