#!/bin/sh
# Runs every test of one build, shows how far it is, and ends with "N passed, N failed". Each part is a program of its own,
# tests/NAME/run.sh BUILD/denoised, which ends with "NAME: 15 passed, 0 failed".
# usage: tests/run.sh BUILD_DIRECTORY
set -u
build=$1
# Criterion exits 0 on leaks and runs tests in children, so sanitizers write files, which are judged below.
logs=$build/sanitizer-logs
rm -rf "$logs"
mkdir -p "$logs"
export ASAN_OPTIONS="log_path=$PWD/$logs/asan:detect_leaks=1:abort_on_error=0"
export UBSAN_OPTIONS="log_path=$PWD/$logs/ubsan:print_stacktrace=1"
# Criterion's own runner keeps some memory until it exits.
export LSAN_OPTIONS="suppressions=$PWD/tests/leaks.txt:print_suppressions=0"

# Three at a time, for most tests wait more than they compute; the longest first, so that all end at about the same time.
parts="browser http nodes fault postgresql restart unit client fuzz dashboard"
case $build in
*sanitize*) # kills, full disks and a browser tell it nothing new, and take their time in the ordinary build
    parts="http restart unit postgresql client fuzz"
    export DENOISED_SANDBOX=off # which would let no report be written
    ;;
esac

# shellcheck disable=SC2086
rm -f $(for name in $parts; do echo "$build/$name.out" "$build/$name.done"; done)
# A terminal has one line for it, which is written over; anything else gets a line now and then.
wipe="" end='\n'
[ -t 1 ] && wipe=$(printf '\r\033[K') end=""
show() {
    started=$(date +%s)
    while sleep 5; do
        running=""
        for name in $parts; do
            [ -e "$build/$name.done" ] || running="$running $name"
        done
        # shellcheck disable=SC2086
        printf "%s%s$end" "$wipe" "$(sh tests/progress.sh "$build" $(($(date +%s) - started)) $running)"
    done
}
show &
shown=$!
# shellcheck disable=SC2086
printf '%s\n' $parts | xargs -P 3 -I NAME sh -c '
    sh tests/NAME/run.sh "$1/denoised" >"$1/NAME.out" 2>&1
    echo "$2$(tail -n 1 "$1/NAME.out")"
    touch "$1/NAME.done"' sh "$build" "$wipe"
kill $shown
wait $shown 2>/dev/null
printf '%s' "$wipe"

passed=0
failed=0
for name in $parts; do
    counts=$(sed -n "s/^$name: \([0-9]*\) passed, \([0-9]*\) failed\$/\1 \2/p" "$build/$name.out" | tail -n 1)
    : "${counts:=0 1}" # it died
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
    if [ "${counts#* }" -ne 0 ]; then
        echo "== $build/$name.out"
        cat "$build/$name.out"
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
