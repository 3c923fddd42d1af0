#!/bin/sh
# Servers that are stopped, killed and copied in the middle of a training.
# usage: tests/restart/run.sh BUILD/denoised
exec sh tests/pytest.sh restart "$1"
