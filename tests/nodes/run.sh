#!/bin/sh
# Nodes that share a PostgreSQL, and what may happen between them and it; with SOAK=1 at full length, see soak.sh.
# usage: tests/nodes/run.sh BUILD/denoised
export PYTHONPATH=tests/nodes
exec sh tests/pytest.sh nodes "$1" -p figures tests/nodes
