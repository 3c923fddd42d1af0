#!/bin/sh
# The HTTP tests with servers on a private PostgreSQL: those of what is stored, or with ALL=1 all of them, and the restarts.
# usage: tests/postgresql/run.sh BUILD/denoised
set -u
export DATABASE=postgresql
if [ -z "${ALL:-}" ]; then
    exec sh tests/pytest.sh postgresql "$1" tests/http/test_checkpoints.py tests/http/test_events.py tests/http/test_flow.py \
        tests/http/test_idempotency.py tests/http/test_janitor.py tests/http/test_lists.py tests/http/test_models.py
fi
output=$(mktemp)
trap 'rm -f "$output"' EXIT
for folder in http restart; do # each has a conftest.py, so that one pytest cannot run both
    sh tests/pytest.sh postgresql "$1" "tests/$folder" | tee -a "$output"
done
sed -n 's/^postgresql: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$output" |
    awk '{ passed += $1; failed += $2 } END { print "postgresql: " passed " passed, " failed " failed"; exit failed > 0 }'
