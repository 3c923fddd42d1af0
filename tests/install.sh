#!/bin/sh
# Installs the Debian packages that are missing; first says which, how large they are, and what they are for.
# usage: tests/install.sh REASON PACKAGE...
set -eu
reason=$1
shift
if ! command -v apt-get >/dev/null; then
    echo "This system has no apt-get, so install what corresponds to these Debian packages yourself: $*" >&2
    echo "On any machine with Docker, this builds an image instead: make docker" >&2
    exit 0
fi
missing=""
for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

sudo=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "Packages are missing, and sudo is not installed. Run this as root:" >&2
        echo "    apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
    sudo="sudo"
fi
quiet="-q"
[ -t 1 ] && quiet="" # a terminal shows apt's progress

echo "Missing Debian packages:$missing"
echo "They are for $reason."
echo "Reading the package lists (apt-get update${sudo:+, with sudo})."
# shellcheck disable=SC2086
$sudo apt-get update $quiet
install="$sudo env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get install --no-install-recommends"
# shellcheck disable=SC2086
$install --assume-no $missing 2>/dev/null |
    sed -n -e 's/.* \([0-9]*\) newly installed.*/Together with their dependencies: \1 packages./p' -e '/^Need to get/p' -e '/^After this/p' || true
# shellcheck disable=SC2086
$install -y $quiet $missing
