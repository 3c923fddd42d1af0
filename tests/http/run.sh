#!/bin/sh
# A real server over a socket, file by file in two processes. The last file asks what all others have seen. What is about
# PostgreSQL only belongs to tests/postgresql/run.sh.
# usage: tests/http/run.sh BUILD/denoised
set -u
CONTRACT_SEEN=$(mktemp -d)
export CONTRACT_SEEN
trap 'rm -rf "$CONTRACT_SEEN"' EXIT
last=tests/http/test_zz_openapi.py
. tests/sum.sh
part sh tests/pytest.sh http "$1" -n 2 --dist loadfile --ignore $last --ignore-glob 'tests/http/test_postgresql*' tests/http
part sh tests/pytest.sh http "$1" $last
sum http
