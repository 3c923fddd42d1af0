"""What stands on the command line and in the environment: help, mistakes, and starts that are refused and leave nothing."""

import contextlib
import os
import re
import socket
import sqlite3
import subprocess

import pytest
from conftest import BINARY, PATIENCE


def run(*arguments, directory=None, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DENOISED_")}
    return subprocess.run(
        [BINARY, *arguments], cwd=directory, env={**clean, **environment}, capture_output=True, text=True, timeout=60 * PATIENCE
    )


def flags_and_variables():
    return re.findall(r"\| `(--[\w-]+)` \| `(\w+)` \|", run("settings", "--markdown").stdout)


# ------------------------------------------------------------------ help


@pytest.mark.parametrize("words", [["version"], ["--version"], ["-V"]])
def test_the_version(words):
    answer = run(*words)
    assert answer.returncode == 0 and re.fullmatch(r"denoised \d+\.\d+\.\d+ \(\w+\), kernels \w+\n", answer.stdout)


@pytest.mark.parametrize("words", [["help"], ["--help"], ["-h"]])
def test_the_help(words):
    answer = run(*words)
    assert answer.returncode == 0 and answer.stdout == run("--help").stdout
    assert "denoised serve" in answer.stdout and max(map(len, answer.stdout.splitlines())) <= 90


def test_help_of_each_command():
    commands = re.findall(r"^  denoised (\w+)", run("help").stdout, re.M)
    assert len(commands) == 10
    for command in commands:
        answer = run("help", command)
        assert answer.returncode == 0 and answer.stdout.startswith(f"usage: denoised {command}")
        assert ("  --port  " in answer.stdout) == (command in ("serve", "backup", "migrate", "healthcheck"))
        if command != "help":
            assert run(command, "--help").stdout == run(command, "-h").stdout == answer.stdout


@pytest.mark.parametrize(
    "words, wanted",
    [
        (["sevre"], "did you mean denoised serve?"),
        (["help", "demmo"], "did you mean denoised demo?"),
        (["--verison"], "did you mean denoised --version?"),
        (["--port", "9000"], "the settings come after a command: denoised serve --port"),
        (["nonsense"], "see denoised --help"),
        (["serve", "--prot", "9000"], "did you mean --port?"),
        (["serve", "--prot=9000"], 'unknown argument "--prot"; did you mean --port?'),
        (["serve", "port", "9000"], "did you mean --port?"),
        (["serve", "--api-key", "x"], "did you mean --api-keys?"),
        (["healthcheck", "--hots", "x"], "did you mean --host?"),
        (["backup", "x.db", "--databse", "y.db"], "did you mean --database?"),
        (["serve", "--nonsense"], "see denoised serve --help"),
        (["serve", "--port"], "--port needs a value"),
        (["key", "me", "--scpoe", "read"], "did you mean --scope?"),
        (["key", "me", "--scope", "all"], "read or write"),
        (["demo", "--prest", "x"], "did you mean --preset?"),
        (["version", "x"], 'unknown argument "x"'),
    ],
)
def test_mistakes_are_told_with_what_was_meant(tmp_path, words, wanted):
    answer = run(*words, directory=tmp_path)
    assert answer.returncode == 2 and wanted in answer.stderr, answer.stderr
    assert os.listdir(tmp_path) == []


def test_a_value_may_follow_an_equals_sign():
    assert run("key", "me", "--scope=read").stdout.endswith(":read\n")


# ------------------------------------------------------------------ the environment


def test_empty_variables_are_not_set(start):
    # (within a sandbox a sanitizer cannot write its report, so their builds are tested without one)
    variables = [variable for _, variable in flags_and_variables() if not os.environ.get(variable)]
    assert len(variables) > 25
    server = start(**dict.fromkeys(variables, ""))
    assert server.get("/readyz").status == 200
    warned = re.findall(r"there is no (DENOISED_\w+)", server.read_log())
    assert not set(warned) & set(variables)


@pytest.mark.parametrize("flag, variable", flags_and_variables())
def test_a_flag_must_not_be_empty(tmp_path, flag, variable):
    answer = run("serve", f"{flag}=", directory=tmp_path)
    assert answer.returncode == 2 and f"{flag} must not be empty" in answer.stderr
    assert os.listdir(tmp_path) == []


def test_variables_that_do_not_exist_are_told(start):
    server = start(DENOISED_PROT="1", DENOISED_WORKER="2", DENOISED_COLOUR="red")
    log = server.read_log()
    assert "there is no DENOISED_PROT; did you mean DENOISED_PORT?" in log
    assert "there is no DENOISED_WORKER; did you mean DENOISED_WORKERS?" in log
    assert re.search(r'level=warn .*"there is no DENOISED_COLOUR"', log)


def test_what_kubernetes_says_of_a_service_of_this_name_is_no_setting(start):
    """Its pods find DENOISED_PORT=tcp://10.96.0.7:80 in their environment."""
    links = {
        "DENOISED_PORT": "tcp://10.96.0.7:80", "DENOISED_PORT_80_TCP": "tcp://10.96.0.7:80", "DENOISED_PORT_80_TCP_PORT": "80",
        "DENOISED_PORT_80_TCP_ADDR": "10.96.0.7", "DENOISED_SERVICE_HOST": "10.96.0.7", "DENOISED_SERVICE_PORT": "80",
        "DENOISED_SERVICE_PORT_HTTP": "80",
    }  # fmt: skip
    log = start(**links).read_log()
    assert "DENOISED_PORT=tcp://10.96.0.7:80 belongs to a Kubernetes service" in log
    assert "there is no DENOISED_PORT_" not in log and "there is no DENOISED_SERVICE" not in log


def test_cores_are_those_that_the_process_may_use(start):
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        server = start()
    finally:
        os.sched_setaffinity(0, allowed)
    assert re.search(r'msg="starting" .*cores=1 ', server.read_log())


# ------------------------------------------------------------------ refused starts


def refused(directory, *flags, **more):
    """The message of a start that fails and leaves the directory as it was."""
    before = sorted(os.listdir(directory))
    answer = run("serve", *flags, directory=directory, **more)
    assert answer.returncode in (1, 2) and "listening" not in answer.stdout
    assert sorted(os.listdir(directory)) == before, "something is left behind"
    assert len(answer.stderr.splitlines()) == 1, answer.stderr
    return answer.stderr


@pytest.mark.parametrize(
    "host, wanted",
    [
        ("nosuchhost.invalid", '"nosuchhost.invalid" cannot be found'),
        ("[::1]", "without brackets"),
        ("[::1]:80", "without brackets"),
        ("127.0.0.1:80", "--host 127.0.0.1 --port 80"),
        ("localhost:9000", "--host localhost --port 9000"),
        ("localhost:", "--host localhost --port 8080"),
        ("http://127.0.0.1", "not the URL"),
        ("127.0.0.256", "cannot be found"),
        ("no:address", ":: (every IPv6 network)"),
        ("*", "start with --anonymous"),
        ("203.0.113.7", "not an address of this machine"),
        ("0.0.0.0", "start with --anonymous"),
    ],
)
def test_addresses(tmp_path, host, wanted):
    assert wanted in refused(tmp_path, "--port", "0", "--host", host)


def test_a_name_whose_first_address_is_taken_is_refused(tmp_path):
    """Though it may have another one: clients would meet the other program."""
    family, kind, _, _, address = socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as other:
        other.bind(address)
        other.listen()
        port = str(other.getsockname()[1])
        assert "in use by another program" in refused(tmp_path, "--port", port, "--host", "localhost")


@pytest.mark.parametrize("database", [":memory:", "file:x.db", "file:x.db?mode=ro", "sqlite:///x.db", "postgres://u:secret@x/y", ":x", "dbname=x password=secret"])
def test_databases_that_are_no_file(tmp_path, database):
    assert "must be the path of a file" in refused(tmp_path, "--port", "0", "--database", database)
    answer = run("backup", "copy.db", "--database", database, directory=tmp_path)
    assert answer.returncode == 2 and "must be the path of a file" in answer.stderr and "secret" not in answer.stderr


def test_such_names_with_a_directory_are_files(start, tmp_path):
    for name in (":memory:", "file:x.db", "host=x"):
        start("--database", str(tmp_path / name))
        assert (tmp_path / name).read_bytes().startswith(b"SQLite format 3\0")


def test_a_port_in_use(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = refused(tmp_path, "--port", str(port))
    assert f"port {port} is in use" in message and "--port 9000" in message and 'make run ARGS="--port 9000"' in message


def test_two_servers_on_one_port(start, tmp_path):
    assert "is in use" in refused(tmp_path, "--port", str(start().port), "--database", str(tmp_path / "other.db"))


def other_files(tmp_path):
    (tmp_path / "text.db").write_text("this is no database, but a text of some length " * 100)
    with contextlib.closing(sqlite3.connect(tmp_path / "foreign.db")) as database:
        database.execute("CREATE TABLE t (a)")
    (tmp_path / "directory.db").mkdir()
    (tmp_path / "empty").touch(0o600)
    return tmp_path


@pytest.mark.parametrize(
    "flags",
    [
        ["--database", "text.db"],
        ["--database", "foreign.db"],
        ["--database", "directory.db"],
        ["--database", "nowhere/x.db"],
        ["--database", "/dev/null"],
        ["--api-keys", "empty"],
        ["--api-keys", "nowhere"],
        ["--tls-cert", "empty", "--tls-key", "empty"],
        ["--tls-cert", "nowhere", "--tls-key", "empty"],
        ["--tls-cert", "empty"],
        ["--simd", "nonsense"],
        ["--max-database", "3"],
    ],
)
def test_nothing_is_left_of_other_refusals(tmp_path, flags):
    refused(other_files(tmp_path), "--port", "0", *flags)


def test_a_certificate_with_another_key(tmp_path):
    for name in ("a", "b"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x",
             "-keyout", f"{name}.key", "-out", f"{name}.pem"], cwd=tmp_path, check=True, capture_output=True,
        )  # fmt: skip
    assert "a.pem and b.key are not a certificate and its key" in refused(tmp_path, "--port", "0", "--tls-cert", "a.pem", "--tls-key", "b.key")


# ------------------------------------------------------------------ files of keys, as editors leave them


@pytest.mark.parametrize("before, after", [("", "\n"), ("\ufeff", "\n"), ("\ufeff", "\r\n"), ("\ufeff# a comment\n", ""), ("", "")])
def test_a_file_of_keys_as_an_editor_leaves_it(start, tmp_path, before, after):
    made = run("key", "me")
    key = made.stderr.split()[-1]
    path = tmp_path / "keys"
    path.write_bytes((before + made.stdout.strip() + after).encode())
    path.chmod(0o600)
    server = start("--api-keys", str(path))
    assert server.get("/v1/jobs").status == 401
    assert server.get("/v1/jobs", headers={"Authorization": f"Bearer {key}"}).status == 200


def test_a_file_of_keys_in_utf_16(tmp_path):
    path = tmp_path / "keys"
    path.write_bytes(run("key", "me").stdout.encode("utf-16"))
    path.chmod(0o600)
    assert "UTF-16" in refused(tmp_path, "--port", "0", "--api-keys", "keys")
