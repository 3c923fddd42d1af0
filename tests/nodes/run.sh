#!/bin/sh
# Nodes that share a PostgreSQL, and what may happen between them and it.
# usage: tests/nodes/run.sh BUILD/denoised
exec sh tests/pytest.sh nodes "$1"
