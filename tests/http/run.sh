#!/bin/sh
# A real server over a socket.
# usage: tests/http/run.sh BUILD/denoised
exec sh tests/pytest.sh http "$1"
