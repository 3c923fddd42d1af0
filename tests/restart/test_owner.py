"""One owner per database, whatever path leads to it; and a database that goes away under its server."""

import concurrent.futures
import ctypes
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest
from conftest import BINARY, ENDLESS, PATIENCE, QUICK, Server, eventually, only_sqlite

pytestmark = only_sqlite("who owns a file")

IN_USE = "in use by another denoised"
LOST = 70  # the status that a server leaves with


def serve(path, directory=None, command=()):
    return subprocess.run(
        [*command, BINARY, "serve", "--port", "0", "--database", path],
        capture_output=True, text=True, timeout=30 * PATIENCE, cwd=directory,
    )  # fmt: skip


# ---------------------------------------------------------------- a second server


def symlink_to_file(database, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "d.db").symlink_to(database)
    return other / "d.db"


def symlink_to_symlink(database, tmp_path):
    link = symlink_to_file(database, tmp_path)
    (tmp_path / "again.db").symlink_to(os.path.join("elsewhere", link.name))
    return tmp_path / "again.db"


def symlink_to_directory(database, tmp_path):
    (tmp_path / "directory").symlink_to(database.parent)
    return tmp_path / "directory" / database.name


def removed_lock_file(database, tmp_path):
    os.unlink(f"{database}.lock")
    return database


def through_dots(database, tmp_path):
    return database.parent / ".." / database.parent.name / database.name


@pytest.mark.parametrize("other", [symlink_to_file, symlink_to_symlink, symlink_to_directory, removed_lock_file, through_dots])
def test_a_second_server_is_refused_by_any_path(start, tmp_path, other):
    home = tmp_path / "home"
    home.mkdir()
    server = start(directory=home)
    refused = serve(other(pathlib.Path(server.database), tmp_path))
    assert refused.returncode == 1 and IN_USE in refused.stderr, refused
    assert server.get("/readyz").status == 200 and server.submit(QUICK)


def test_relative_path_and_descriptor(server, tmp_path):
    assert IN_USE in serve("./test.db", tmp_path).stderr
    file = os.open(server.database, os.O_RDONLY)
    refused = subprocess.run([BINARY, "serve", "--port", "0", "--database", f"/proc/self/fd/{file}"],
                             capture_output=True, text=True, timeout=30 * PATIENCE, pass_fds=[file])  # fmt: skip
    os.close(file)
    assert refused.returncode == 1 and IN_USE in refused.stderr


def test_hard_link(server, tmp_path):
    """SQLite would look for a log beside the other name, and miss it: both for a server and for a copy."""
    job = server.submit(QUICK)
    other = tmp_path / "other.db"
    os.link(server.database, other)
    refused = serve(other)
    assert refused.returncode == 1 and "2 names (hard links)" in refused.stderr
    copy = subprocess.run([BINARY, "backup", tmp_path / "copy.db", "--database", other], capture_output=True, text=True)
    assert copy.returncode == 1 and "2 names (hard links)" in copy.stderr
    assert server.wait(job)["status"] == "succeeded"  # the one that has it is not disturbed
    server.stop()
    refused = serve(server.database)
    assert refused.returncode == 1 and "2 names (hard links)" in refused.stderr
    other.unlink()
    server.start()
    assert server.get(f"/v1/jobs/{job}").status == 200


@pytest.mark.parametrize("what", ["directory", "file"])
def test_bind_mount(server, tmp_path, what):
    apart = ["unshare", "--mount", "sh", "-ec", 'mount --bind "$1" "$2"; shift 2; exec "$@"', "sh"]
    there = tmp_path.parent / f"{tmp_path.name}-{what}"
    if what == "directory":
        source, path = tmp_path, there / "test.db"
        there.mkdir()
    else:
        source, path = server.database, there
        there.touch()
    if subprocess.run([*apart, source, there, "true"], capture_output=True).returncode != 0:
        pytest.skip("this takes the right to mount")
    refused = serve(path, command=[*apart, source, there])
    assert refused.returncode == 1 and IN_USE in refused.stderr


def test_a_server_of_before_is_kept_out(server):
    """It knows the lock file alone."""
    assert subprocess.run(["flock", "-n", f"{server.database}.lock", "true"]).returncode == 1


def test_links_that_lead_to_a_new_file(start, tmp_path):
    """The log and the locks stand beside the file itself, not beside the link."""
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "test.db").symlink_to("real/new.db")
    server = start()
    job = server.submit(QUICK)
    assert {"new.db", "new.db-wal", "new.db.lock"} <= set(os.listdir(real))
    assert not [name for name in os.listdir(tmp_path) if name.startswith("test.db-")]
    assert serve(real / "new.db").returncode == 1
    server.stop()
    os.unlink(tmp_path / "test.db")
    os.rename(real / "new.db", tmp_path / "test.db")
    server.start()
    assert server.get(f"/v1/jobs/{job}").status == 200


@pytest.mark.parametrize("make,message", [
    (lambda path: path.mkdir(), "directory"),
    (lambda path: os.mkfifo(path), "not a regular file"),
    (lambda path: path.symlink_to("/dev/null"), "not a regular file"),
    (lambda path: path.symlink_to(path.name), "symbolic links"),
    (lambda path: path.symlink_to("nowhere/at/all.db"), "No such file"),
])  # fmt: skip
def test_what_is_no_file(tmp_path, make, message):
    make(tmp_path / "d.db")
    refused = serve(tmp_path / "d.db")
    assert refused.returncode == 1 and message in refused.stderr, refused.stderr


def test_a_file_that_has_no_name_any_more(tmp_path):
    with open(tmp_path / "d.db", "wb") as file:
        os.unlink(tmp_path / "d.db")
        refused = subprocess.run([BINARY, "serve", "--port", "0", "--database", f"/proc/self/fd/{file.fileno()}"],
                                 capture_output=True, text=True, timeout=30 * PATIENCE, pass_fds=[file.fileno()])  # fmt: skip
    assert refused.returncode == 1 and os.listdir(tmp_path) == []


# ---------------------------------------------------------------- a database that goes away


def foreign(path):
    """A file that must stay as it is."""
    path.write_bytes(b"not yours" * 1000)
    return path


def removed(database):
    database.unlink()


def removed_with_its_log(database):
    for end in ("", "-wal", "-shm", ".lock"):
        os.unlink(f"{database}{end}")


def moved(database):
    database.rename(database.with_name("moved.db"))


def replaced(database):
    foreign(database.with_name("other.db")).rename(database)


def replaced_by_its_copy(database):
    shutil.copy(database, database.with_name("copy.db"))
    database.with_name("copy.db").rename(database)


def replaced_by_a_link(database):
    database.rename(database.with_name("moved.db"))
    database.symlink_to("moved.db")


def directory_moved(database):
    database.parent.rename(database.parent.with_name("moved"))


def directory_replaced(database):
    database.parent.rename(database.parent.with_name("moved"))
    database.parent.mkdir()
    for end in ("", "-wal", "-shm"):
        foreign(database.parent / f"{database.name}{end}")


def truncated(database):
    os.truncate(database, 0)


def log_removed(database):
    os.unlink(f"{database}-wal")


def log_replaced(database):
    foreign(database.with_name("other")).rename(f"{database}-wal")


def log_truncated(database):
    os.truncate(f"{database}-wal", 0)


def index_removed(database):
    os.unlink(f"{database}-shm")


# The server looks all the time. A replacement of two steps may be told after its first one.
AWAY = "was moved away"
WHAT = {
    removed: "was removed", removed_with_its_log: "was removed", moved: AWAY,
    replaced: "was replaced by another file", replaced_by_its_copy: "was replaced by another file",
    replaced_by_a_link: f"{AWAY}|was replaced by a link", directory_moved: AWAY,
    directory_replaced: f"{AWAY}|was replaced by another file", truncated: "was truncated",
    log_removed: "was removed", log_replaced: "was replaced by another file", log_truncated: "was truncated",
    index_removed: "was removed",
}  # fmt: skip


def contents(directory):
    return {path: path.read_bytes() for path in directory.parent.rglob("*") if path.is_file() and path.suffix != ".log"}


def foreigners(directory):
    return {path: text for path, text in contents(directory).items() if text.startswith(b"not yours")}


def house(directory):
    """A server with a directory of its own, which may go."""
    home = directory / "home"
    home.mkdir(parents=True)
    server = Server(str(home), "--workers", "1")
    os.rename(server.database + ".log", directory / "server.log")
    server.read_log = (directory / "server.log").read_text
    return server


@pytest.fixture
def housed(tmp_path):
    server = house(tmp_path)
    yield server
    if server.process.poll() is None:
        server.kill()


def leaves(server):
    assert server.process.wait(timeout=10 * PATIENCE) == LOST, server.read_log()[-2000:]


def lose(server, happens):
    database = pathlib.Path(server.database)
    job = server.submit(ENDLESS)
    server.wait_for_epoch(job, 1)
    happens(database)
    others = foreigners(database)
    answer = server.post("/v1/jobs", QUICK)  # the very next one
    assert answer.status == 503 and answer.json["code"] == "database_gone", answer.body
    ready = server.get("/readyz")
    assert ready.status == 503 and re.search(WHAT[happens], ready.json["detail"])
    assert str(database) in ready.json["detail"]
    assert server.get("/v1/jobs").json["code"] == "database_gone"
    while server.process.poll() is None:
        try:
            assert server.fetch("POST", "/v1/jobs", QUICK).status == 503
        except OSError:
            break
        time.sleep(0.05)
    leaves(server)
    log = server.read_log()
    told = [line for line in log.splitlines() if "the database is gone" in line]
    assert len(told) == 1 and re.search(WHAT[happens], told[0]) and str(database) in told[0]
    assert "exiting without the database" in log and "status=70" in log
    assert foreigners(database) == others


def test_nothing_is_acknowledged_after_the_loss(tmp_path):
    """Of each kind; side by side, because most of the time a server that has lost its database waits."""

    def one(happens):
        server = house(tmp_path / happens.__name__)
        try:
            lose(server, happens)
        except AssertionError as error:
            raise AssertionError(happens.__name__) from error
        finally:
            server.kill()

    with concurrent.futures.ThreadPoolExecutor(max_workers=5) as executor:
        for done in [executor.submit(one, happens) for happens in WHAT]:
            done.result()


@pytest.mark.parametrize("happens", [moved, directory_replaced, log_removed], ids=lambda happens: happens.__name__)
def test_an_idle_server_finds_out(housed, happens):
    """Nobody writes: it looks by itself. What had been acknowledged is in the file, wherever that is now."""
    server, database = housed, pathlib.Path(housed.database)
    happens(database)
    eventually(lambda: server.fetch("GET", "/readyz").status == 503)
    leaves(server)


def test_the_moved_files_are_whole(start, housed, tmp_path):
    """The directory was renamed: nothing of what had been acknowledged is lost."""
    server = housed
    jobs = [server.submit(QUICK) for _ in range(20)]
    directory_moved(pathlib.Path(server.database))
    leaves(server)
    other = start(directory=tmp_path / "moved")
    assert [job["id"] for job in other.get("/v1/jobs").json["items"]] == jobs[::-1]


@pytest.mark.parametrize("happens", [replaced, log_replaced, directory_replaced], ids=lambda happens: happens.__name__)
def test_a_stop_at_that_moment_touches_nothing(housed, happens):
    """Before it could look: a close in good order would delete another's log by its name."""
    server, database = housed, pathlib.Path(housed.database)
    server.submit(QUICK)
    happens(database)
    others = foreigners(database)
    server.process.send_signal(signal.SIGTERM)
    leaves(server)
    assert foreigners(database) == others


def exchange(one, other):
    """Two names, in one step, so that a look of the server between two steps finds nothing missing."""
    libc = ctypes.CDLL(None, use_errno=True)
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    assert libc.renameat2(here, os.fsencode(one), here, os.fsencode(other), swap) == 0, os.strerror(ctypes.get_errno())


def test_what_is_harmless(housed, tmp_path):
    """Another name of the same file or directory, and a lock file that goes."""
    server, database = housed, pathlib.Path(housed.database)
    os.link(database, tmp_path / "second")
    os.unlink(f"{database}.lock")
    (tmp_path / "elsewhere").symlink_to("elsewhere")
    exchange(database.parent, tmp_path / "elsewhere")  # now the directory, and a link to it
    os.unlink(tmp_path / "second")
    began = time.monotonic()
    while time.monotonic() - began < 2.5:  # two looks
        assert server.submit(QUICK) and server.get("/readyz").status == 200
