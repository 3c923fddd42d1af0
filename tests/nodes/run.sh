#!/bin/sh
# Nodes that share a PostgreSQL, and what may happen between them and it; with SOAK=1 at full length, see soak.sh. They wait more
# than they compute, so two processes share them, unless they measure.
# usage: tests/nodes/run.sh BUILD/denoised
export PYTHONPATH=tests/nodes
[ -n "${SOAK:-}" ] || set -- "$@" -n 2
exec sh tests/pytest.sh nodes "$@" -p figures tests/nodes
