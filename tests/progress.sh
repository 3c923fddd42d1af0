#!/bin/sh
# How far the tests have come, in one line: "2:31  http 812 (test_jobs)  browser 14".
# usage: tests/progress.sh BUILD_DIRECTORY SECONDS_SO_FAR PART...
build=$1
seconds=$2
shift 2
line=$(printf '%d:%02d' $((seconds / 60)) $((seconds % 60)))
for part in "$@"; do
    [ -e "$build/$part.out" ] || continue
    # pytest writes a file's name and a character for each test; the others a line for each.
    line="$line  $part $(awk '
        /^tests\/.*\.py / { file = $1; sub(/.*\//, "", file); sub(/\.py/, "", file); sub(/^[^ ]* /, "") }
        /^gw0 \[/ { file = "two processes"; next }
        file && /^[.FEsxX]+( |$)/ { tests += length($1); next }
        / of [0-9]+$/ { tests += $NF; next }
        /^(ok|not ok|FAIL) / { tests++; next }
        /: [0-9]+ seeds, / { tests++; next }
        END { printf "%d%s", tests, file ? " (" file ")" : "" }' "$build/$part.out")"
done
echo "$line"
