#!/bin/sh
# Tries a built image as compose.yaml runs it: its own user without capabilities, a read-only root, one volume. It must
# train, stop on SIGTERM within five seconds, and keep its data over a restart.
#
# usage: docker/smoke.sh IMAGE               with docker
#        docker/smoke.sh --root DIRECTORY    the image's root file system without an engine (as root; needs iproute2)
set -eu
directory=$(mktemp -d)
container=denoised-smoke-$$
pid=""
killer=""

fail() {
    echo "FAILED: $1" >&2
    [ ! -s "$directory/log" ] || tail -n 20 "$directory/log" >&2
    exit 1
}

# ------------------------------------------------------------------ an image, with docker
image_start() { # NAME=VALUE.. of the environment
    variables=""
    for pair in "$@"; do variables="$variables --env $pair"; done
    # shellcheck disable=SC2086
    docker run --detach --name "$container" --read-only --cap-drop ALL --security-opt no-new-privileges \
        --volume "$container:/data" --publish 127.0.0.1::8080 $variables "$image" >/dev/null
}
image_inside() { docker exec "$container" "$@"; }
image_curl() { curl "$@"; }
image_url() { echo "http://$(docker port "$container" 8080/tcp | head -n 1)"; }
image_signal() { docker stop --time 5 "$container" >/dev/null; }
image_wait() {
    status=$(docker wait "$container")
    docker logs "$container" >"$directory/log" 2>&1
    docker rm "$container" >/dev/null
    return "$status"
}
image_clear() {
    docker rm --force --volumes "$container" >/dev/null 2>&1 || true
    docker volume rm --force "$container" >/dev/null 2>&1 || true
}

# ------------------------------------------------------------------ a directory, with namespaces
# What an engine would take from the image: its user and its variables stand in the Dockerfile.
dockerfile=$(dirname "$0")/Dockerfile
user=$(sed -n 's/^USER \([0-9]*\):.*/\1/p' "$dockerfile")
variables=$(grep -v '^#' "$dockerfile" | grep -oE 'DENOISED_[A-Z_]+=[^ ]+')

directory_start() {
    cat >"$directory/inside.sh" <<'INSIDE'
root=$1 volume=$2 user=$3
shift 3
ip link set lo up
mount --bind "$root" "$root"
mount --bind "$volume" "$root/data"
mount --bind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -o remount,bind,ro "$root"
cd "$root"
exec chroot . setpriv --reuid "$user" --regid "$user" --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs \
    env -i PATH=/usr/local/bin:/usr/bin:/bin "$@" denoised serve
INSIDE
    # shellcheck disable=SC2086
    unshare --mount --net --pid --fork --kill-child sh -eu "$directory/inside.sh" "$root" "$directory/volume" "$user" \
        $variables "$@" >"$directory/log" 2>&1 &
    unshare=$!
    # the program, which is process 1 of its own world
    pid=""
    while [ -z "$pid" ] && kill -0 "$unshare" 2>/dev/null; do
        pid=$(tr -d " " 2>/dev/null <"/proc/$unshare/task/$unshare/children")
    done
}
directory_inside() {
    # shellcheck disable=SC2086
    nsenter --target "$pid" --mount --net --pid --root --wd --setuid "$user" --setgid "$user" \
        env -i PATH=/usr/local/bin:/usr/bin:/bin $variables "$@"
}
directory_curl() { nsenter --target "$pid" --net curl "$@"; }
directory_url() { echo http://127.0.0.1:8080; }
directory_signal() {
    kill -TERM "$pid"
    { sleep 5 && kill -KILL "$unshare"; } 2>/dev/null &
    killer=$!
}
directory_wait() {
    status=0
    wait "$unshare" || status=$?
    [ -z "$killer" ] || kill "$killer" 2>/dev/null || true
    return "$status"
}
directory_clear() { [ -z "$pid" ] || kill -KILL "$unshare" 2>/dev/null || true; }

case ${1-} in
--root)
    kind=directory root=$(cd "$2" && pwd)
    mkdir "$directory/volume"
    chown "$user:$user" "$directory/volume"
    ;;
"" | -*)
    sed -n '5,6s/^# //p' "$0" >&2
    exit 2
    ;;
*) kind=image image=$1 ;;
esac
trap '${kind}_clear; rm -rf "$directory"' EXIT

# ------------------------------------------------------------------ what must hold
start() {
    "${kind}_start" DENOISED_ANONYMOUS=true
    tries=0
    until "${kind}_inside" denoised healthcheck >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || fail "it does not get healthy"
        sleep 0.1
    done
    url=$("${kind}_url")
}

# SIGTERM, and SIGKILL if that was not enough.
stop() {
    "${kind}_signal"
    "${kind}_wait" || fail "it exits $? after SIGTERM, or did not within five seconds"
    echo "stops on SIGTERM within five seconds, exit 0"
}

ask() { "${kind}_curl" -sSf "$@"; }
submit() { ask "$url/v1/jobs" -H 'Content-Type: application/json' -H "Prefer: wait=$1" -d "$2" >"$directory/job"; }
status_is() { ask "$url/v1/jobs/$1" | grep -q "\"status\":\"$2\""; }
number() { sed -n 's/^{"id":"\([^"]*\)".*/\1/p' "$directory/job"; }

"${kind}_start"
if "${kind}_wait"; then fail "it serves everybody without being told to"; fi
grep -q -e '--anonymous' "$directory/log" || fail "it does not say what it wants"
echo "refuses to start until it is told who may use it"

start
process=$("${kind}_inside" cat /proc/1/status)
for line in 'Uid:.0' 'CapBnd:.*[1-9a-f]' 'NoNewPrivs:.0'; do
    if echo "$process" | grep -q "^$line"; then fail "it runs with $line"; fi
done
for path in / /usr/local/bin /etc; do
    if "${kind}_inside" touch "$path/file" 2>/dev/null; then fail "$path can be written"; fi
done
"${kind}_inside" touch /data/file || fail "/data cannot be written"
echo "runs without privileges on a read-only root"

submit 60 '{"training": {"epochs": 20}}'
trained=$(number)
status_is "$trained" succeeded || fail "the training ended otherwise: $(cat "$directory/job")"
ask "$url/v1/models/$trained/samples.csv?n=500&seed=1" >"$directory/before"
[ "$(grep -c . "$directory/before")" -ge 500 ] || fail "there are too few points"
submit 0 '{"training": {"epochs": 1000000}}'
endless=$(number)
until ask "$url/v1/models/$endless" >/dev/null 2>&1; do sleep 0.1; done
echo "trains a spiral"
stop

start
ask "$url/v1/models/$trained/samples.csv?n=500&seed=1" | cmp - "$directory/before" || fail "the samples are others"
tries=0
until status_is "$endless" running; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || fail "the job that was interrupted does not go on"
    sleep 0.1
done
echo "keeps its data, and resumes the interrupted job"
stop
echo "smoke test passed"
