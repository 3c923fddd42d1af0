#!/bin/sh
# What is of PostgreSQL only, the store's own tests there, and those HTTP tests with servers on a private PostgreSQL in which jobs
# live, are told of, and repeated. With ALL=1 all HTTP tests, and the restarts. With DATABASE=pgbouncer, servers reach PostgreSQL
# through a pooler in transaction mode.
# usage: tests/postgresql/run.sh BUILD/denoised
set -u
. tests/sum.sh
part sh tests/pytest.sh postgresql "$1" tests/http/test_postgresql*.py
export DATABASE="${DATABASE:-postgresql}"
if [ -n "${ALL:-}" ]; then
    part sh tests/http/run.sh "$1"
    part sh tests/restart/run.sh "$1"
else
    part sh tests/pytest.sh postgresql "$1" tests/http/test_flow.py tests/http/test_events.py tests/http/test_idempotency.py tests/http/test_janitor.py
fi
sum postgresql
