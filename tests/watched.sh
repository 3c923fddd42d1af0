#!/bin/sh
# Drives the server from outside with a choice of the HTTP tests while a tool watches every access to memory: for races
# (ThreadSanitizer: make tsan) or for memory that is not ours (valgrind: make valgrind). The tool's reports decide.
# usage: tests/watched.sh thread|memcheck|helgrind BINARY [TEST...]
set -u
tool=$1
binary=$2
shift 2
logs=$PWD/build/watched/$tool
rm -rf "$logs"
mkdir -p "$logs"
program=$logs/denoised # what the tests start
baseline="DENOISED_SANDBOX=off DENOISED_SIMD=baseline"
case $tool in
thread) # it needs its memory where it expects it; a slow stop leaves without its threads (exit_when_late in serve.c)
    export TSAN_OPTIONS="log_path=$logs/report:exitcode=0:report_thread_leaks=0:suppressions=$PWD/tests/races.txt"
    echo "exec env DENOISED_SANDBOX=off setarch -R \"$PWD/$binary\" \"\$@\"" >"$program"
    ;;
memcheck)
    echo "exec env $baseline valgrind -q --fair-sched=yes --leak-check=full --show-leak-kinds=definite --log-file=$logs/report.%p" \
        "\"$PWD/$binary\" \"\$@\"" >"$program"
    ;;
helgrind)
    echo "exec env $baseline valgrind -q --fair-sched=yes --tool=helgrind --log-file=$logs/report.%p" \
        "--suppressions=$PWD/tests/races_helgrind.txt \"$PWD/$binary\" \"\$@\"" >"$program"
    ;;
esac
sed -i '1i#!/bin/sh' "$program"
chmod +x "$program"
tests=${*:-flow events streams restart soak}
# The demo trains a model of full size: many minutes here, and no thread that the others have not.
# shellcheck disable=SC2086
DENOISED_BINARY=$program PATIENCE=${PATIENCE:-30} /usr/bin/python3 -m pytest -q -p no:cacheprovider \
    --deselect tests/restart/test_restart.py::test_the_demo \
    $(for test in $tests; do echo tests/*/test_$test.py; done)
status=$?
reports=0
for log in "$logs"/report*; do
    [ -s "$log" ] || continue
    echo "== $log"
    head -n 60 "$log"
    reports=$((reports + 1))
done
echo "watched: $reports reports, tests ended with $status"
[ $status -eq 0 ] && [ $reports -eq 0 ]
