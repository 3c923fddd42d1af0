"""What an attacker finds who has got hold of something: the files, the log, the process, the program itself."""

import os
import pathlib
import re
import subprocess

import pytest
from conftest import BINARY, QUICK, only_sqlite

PLAIN = not any(word in BINARY for word in ("sanitize", "watched"))


def new_key(name):
    made = subprocess.run([BINARY, "key", name], capture_output=True, text=True, check=True)
    return re.search(r"dn_\S+", made.stderr)[0], made.stdout


@pytest.fixture
def keys(tmp_path):
    key, line = new_key("someone")
    path = tmp_path / "keys"
    path.write_text(line)
    path.chmod(0o600)
    return path, key


def proc(server, name):
    return pathlib.Path(f"/proc/{server.process.pid}/{name}").read_bytes().decode()


@only_sqlite("with PostgreSQL there is no file")
def test_files_of_the_database_are_the_owners_alone(start, tmp_path):
    before = os.umask(0)
    try:
        server = start()
    finally:
        os.umask(before)
    server.wait(server.submit(QUICK))
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("test.db*") if path.suffix != ".log"}
    assert set(modes) == {"test.db", "test.db-wal", "test.db-shm", "test.db.lock"}
    assert set(modes.values()) == {0o600}, modes


def test_no_key_gets_into_the_log_or_the_process_list(start, keys):
    path, key = keys
    server = start("--api-keys", str(path), "--log-level", "debug")
    secret = key.split("_", 2)[2]
    wrong, _ = new_key("someone")
    for headers in ({"Authorization": f"Bearer {key}"}, {"Authorization": f"Bearer {wrong}"}, {"Authorization": key},
                    {"X-Api-Key": key}, {"Authorization": f"Basic {key}"}, {"X-Request-Id": "a"}):  # fmt: skip
        server.get("/v1/jobs", headers=headers)
        server.post("/v1/jobs", {"name": 1}, headers=headers)
    assert server.get("/v1/jobs", headers={"Authorization": f"Bearer {key}"}).status == 200
    log = server.read_log()
    assert "someone" in log and "status=401" in log
    for text in (log, proc(server, "cmdline"), proc(server, "environ")):
        assert secret not in text and wrong.split("_", 2)[2] not in text


def status_of(server):
    return dict(line.split(":\t", 1) for line in proc(server, "status").splitlines() if ":\t" in line)


@pytest.mark.skipif(not PLAIN, reason="sanitizers write where the sandbox lets nobody")
def test_the_sandbox_is_closed_when_it_serves(server):
    status = status_of(server)
    log = server.read_log()
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == ("2" if "seccomp=on" in log else "0")
    assert re.search(r'msg="?sandbox"? landlock=\d+ seccomp=(on|none) core_dumps=off', log), log
    assert re.search(r"Max core file size\s+0\s+0", proc(server, "limits"))
    # and what it has to do works: a job with its checkpoints, memory and open files in the metrics
    assert server.wait(server.submit(QUICK))["status"] == "succeeded"
    metrics = server.get("/metrics").body.decode()
    assert float(re.search(r"^process_resident_memory_bytes (\S+)", metrics, re.M)[1]) > 1e6
    assert float(re.search(r"^process_open_fds (\S+)", metrics, re.M)[1]) > 5


def test_the_sandbox_can_be_left_open(start):
    server = start("--sandbox", "off")
    assert status_of(server)["Seccomp"].strip() == "0"
    assert "sandbox off" in server.read_log()
    assert server.get("/readyz").status == 200


def read_elf(*flags):
    return subprocess.run(["readelf", "-W", *flags, BINARY], capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(not PLAIN, reason="of the program that users get")
def test_the_program_is_built_hardened():
    assert re.search(r"Type:\s+DYN", read_elf("-h")), "position-independent"
    segments = read_elf("-l")
    assert re.search(r"GNU_STACK.* RW ", segments), "no code on the stack"
    assert "GNU_RELRO" in segments and not re.search(r"LOAD.* RWE ", segments)
    assert re.search(r"FLAGS.*(BIND_NOW|NOW)", read_elf("-d")), "the table of imports is read-only"
    symbols = read_elf("--dyn-syms")
    assert "__stack_chk_fail" in symbols, "a canary on each stack frame with an array"
    assert len(set(re.findall(r"__\w+_chk@", symbols))) > 5, "calls that know the size of their buffer"
