"""`make install`: what lands where, and that a C program can use the library from there."""

import os
import pathlib
import re
import subprocess

import numpy as np
import pytest
from conftest import BINARY, PATIENCE

ROOT = pathlib.Path(__file__).parents[2]
# Of the make that runs the tests, nothing goes on to the make that they run.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}

pytestmark = pytest.mark.skipif("sanitize" in BINARY, reason="what is installed is the plain build")


def run(*command, **more):
    environment = {**ENVIRONMENT, **more.pop("env", {})}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120 * PATIENCE, **more)
    assert result.returncode == 0, (command, result.stdout, result.stderr)
    return result.stdout


def make(target, directory):
    return run("make", "--no-print-directory", "-C", ROOT, target, f"DESTDIR={directory}", "PREFIX=/usr")


def test_what_is_built_is_not_built_again():
    """Other tests run the program meanwhile."""
    assert "Nothing to be done" in run("make", "-C", ROOT, "-n", "all")


def test_after_a_change_of_a_header_every_program_can_be_linked_again():
    """Once a program was built, make knows its headers, which must not become sources of the next link."""
    commands = run("make", "-C", ROOT, "-n", "-W", "engine/denoise.h", "-W", "server/store/store.h", "all", "test-binaries").splitlines()
    links = [words for words in map(str.split, commands) if "-o" in words and "-c" not in words]
    outputs = [words[words.index("-o") + 1] for words in links]
    assert {"build/denoised", "build/denoised-faults", "build/bench", "build/exact", "build/tests/test_golden"} <= {*outputs}
    assert not [words for words in links if any(word.endswith(".h") for word in words)]


def state_of(directory):
    return {path: (path.lstat().st_mtime_ns, path.lstat().st_uid) for path in directory.rglob("*")}


def test_install_only_copies(tmp_path):
    """As root it must leave no file of root's among those of whoever has built it."""
    staged, program = state_of(ROOT / "build/install"), (ROOT / "build/denoised").stat().st_mtime_ns
    make("install", tmp_path)
    assert staged == state_of(ROOT / "build/install") and program == (ROOT / "build/denoised").stat().st_mtime_ns


def test_install_of_nothing_says_what_is_to_be_done(tmp_path):
    command = ["make", "--no-print-directory", "-C", ROOT, "install", f"DESTDIR={tmp_path}", f"B={tmp_path}/build"]
    result = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=60 * PATIENCE)
    assert result.returncode != 0 and "run make first, without sudo" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_readmes_command_links_the_example(installed, tmp_path):
    """On a machine where nothing but the compiler is; there the linker finds /usr/local by itself."""
    command = re.search(r"`(cc engine/example/spiral\.c [^`]*)`", (ROOT / "README.md").read_text())[1].split()
    assert "cc spiral.c " + " ".join(command[2:]) in (installed / "share/doc/denoised/spiral.c").read_text()
    command[1] = str(ROOT / command[1])
    where = {"CPATH": str(installed / "include"), "LIBRARY_PATH": str(installed / "lib"), "LD_LIBRARY_PATH": str(installed / "lib")}
    run(*command, cwd=tmp_path, env=where)
    assert len(run(tmp_path / "spiral", env=where).splitlines()) == 10


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    directory = tmp_path_factory.mktemp("installed")
    make("install", directory)
    return directory / "usr"


def files_below(directory):
    return [path for path in directory.rglob("*") if not path.is_dir()]


def flags_for_libdenoise(installed):
    where = {"PKG_CONFIG_PATH": str(installed / "lib/pkgconfig"), "PKG_CONFIG_SYSROOT_DIR": str(installed.parent)}
    return run("pkg-config", "--cflags", "--libs", "denoise", env=where).split()


def distance_to_spiral(points):
    """From its definition: t cos t, t sin t, scaled jointly to [-1, 1]."""
    t = np.linspace(1.5 * np.pi, 4.5 * np.pi, 20001)
    curve = np.stack([t * np.cos(t), t * np.sin(t)], axis=1)
    low, high = curve.min(), curve.max()
    curve = (curve - low) / (high - low) * 2 - 1
    return np.sqrt(((points[:, None, :] - curve[None]) ** 2).sum(-1)).min(axis=1)


def test_the_example_trains_a_spiral_with_either_library(installed, tmp_path):
    source, flags = installed / "share/doc/denoised/spiral.c", flags_for_libdenoise(installed)
    warnings = ["-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    run("gcc", *warnings, source, *flags, "-o", tmp_path / "shared")
    static = [flag if flag != "-ldenoise" else "-l:libdenoise.a" for flag in flags]
    run("gcc", *warnings, source, *static, "-lm", "-o", tmp_path / "static")
    needed = run("readelf", "-d", tmp_path / "shared")
    assert "[libdenoise.so.0]" in needed and "libdenoise" not in run("readelf", "-d", tmp_path / "static")
    printed = run(tmp_path / "shared", env={"LD_LIBRARY_PATH": str(installed / "lib")})
    points = np.array([line.split() for line in printed.splitlines()], dtype=float)
    assert points.shape == (10, 2) and distance_to_spiral(points).mean() < 0.05
    assert run(tmp_path / "static") == printed, "the same bits"


def test_the_libraries_have_the_names_of_the_header_and_no_others(installed):
    text = "".join(path.read_text() for path in (installed / "include").glob("denoise*.h"))
    header = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    functions = set(re.findall(r"\b(dn_\w+)\(", header))
    tables = set(re.findall(r"\bextern const [^;]*?\b(dn_\w+)(?:\[\w*\])?;", header))
    assert len(functions) > 40 and "dn_presets" in tables
    for library, options in (("libdenoise.so", ["-D"]), ("libdenoise.a", ["-g"])):
        lines = run("nm", *options, "--defined-only", installed / "lib" / library).splitlines()
        assert {line.split()[2] for line in lines if len(line.split()) == 3} == functions | tables, library


def test_the_header_is_good_cpp_too(installed):
    run("clang", "-x", "c++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", installed / "include/denoise.h")


def test_the_manual_has_all_settings_and_commands(installed):
    page = installed / "share/man/man1/denoised.1"
    assert run("mandoc", "-T", "lint", page) == ""
    # bold is a letter over itself
    text = re.sub(r".\x08", "", run("mandoc", "-T", "utf8", page))
    table = run(installed / "bin/denoised", "settings", "--markdown")
    settings = re.findall(r"^\| `(--[a-z-]+)` \| `(DENOISED_\w+)` \|", table, re.M)
    assert len(settings) > 15
    for flag, variable in settings:
        assert re.search(rf"^ +{flag}\b", text, re.M) and variable in text, flag
    commands = re.findall(r"^  denoised (\S+)", run(installed / "bin/denoised", "--help"), re.M)
    assert len(commands) > 5
    for command in commands:
        assert re.search(rf"^ +denoised {command}\b", text, re.M), command


def test_the_unit_and_pkg_config_know_where_things_are(installed):
    assert "ExecStart=/usr/bin/denoised serve\n" in (installed / "lib/systemd/system/denoised.service").read_text()
    version = run(installed / "bin/denoised", "version").split()[1]
    assert f"Version: {version}\n" in (installed / "lib/pkgconfig/denoise.pc").read_text()
    assert not any(b"@PREFIX@" in path.read_bytes() for path in files_below(installed / "lib/pkgconfig"))


def test_uninstall_leaves_nothing_behind(tmp_path):
    make("install", tmp_path)
    assert len(files_below(tmp_path)) > 8
    make("uninstall", tmp_path)
    assert files_below(tmp_path) == []
