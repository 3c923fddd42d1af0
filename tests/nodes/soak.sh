#!/bin/sh
# All that many nodes must show, at full length: an hour or two; then the figures, in one table.
# usage: [ROWS=kills,takeover] tests/nodes/soak.sh BUILD
set -u
build=$1
status=0
wants() { case ",${ROWS:-$1}," in *",$1,"*) ;; *) false ;; esac }
SOAK=1 sh tests/nodes/run.sh "$build/denoised" || status=1
if wants copy; then
    SOAK=1 DENOISED_BINARY=$(realpath "$build/denoised") /usr/bin/python3 -m pytest -q tests/http/test_copy.py -k there_and_back || status=1
fi
if wants suite; then
    ALL=1 sh tests/postgresql/run.sh "$build/denoised" || status=1
fi
exit $status
