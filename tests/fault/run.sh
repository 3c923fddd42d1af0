#!/bin/sh
# The fault tests of one build; SOAK=1 for the long ones.
# usage: tests/fault/run.sh BUILD/denoised
exec sh tests/pytest.sh fault "$1"
