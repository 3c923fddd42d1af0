"""What the README says is so: its commands run, its tables are the program's, the tests that it names are there."""

import json
import pathlib
import re
import subprocess

import pytest
from conftest import BINARY, PATIENCE

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()

# The blocks for a shell, each with the JSON that stands right below it, if any.
BLOCKS = re.findall(r"^```sh\n(.*?)^```\n(?:\n```json\n(.*?)^```\n)?", TEXT, re.M | re.S)

# A block that shows an answer may show an error; in all others one is a failure.
SHELL = """set -euo pipefail
curl() {{ command curl {fail} "$@"; }}
{block}"""


def run(block, port, directory, may_fail):
    script = SHELL.format(fail="" if may_fail else "--fail-with-body", block=block.replace("localhost:8080", f"localhost:{port}"))
    result = subprocess.run(
        ["bash", "-c", script], cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120 * PATIENCE
    )
    assert result.returncode == 0, f"{block}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}"
    return result.stdout


def test_every_command_works_in_the_order_in_which_it_stands(start, tmp_path):
    assert len(BLOCKS) >= 10
    server = start()
    for block, shown in BLOCKS:
        printed = run(block, server.port, tmp_path, may_fail=bool(shown))
        assert "null" not in printed.splitlines(), f"{block}\nprints null:\n{printed}"
        if shown:
            assert json.loads(printed) == json.loads(shown), block
    jobs = server.get("/v1/jobs?limit=100").json["items"]
    for job in (server.wait(job["id"]) for job in jobs):
        assert job["status"] == "succeeded" and job["warnings"] == [], "the tour must not go on with a model that is good for nothing"
    assert len(jobs) == 5
    heads = {"loss.svg": b"<svg", "points.npy": b"\x93NUMPY", "points.png": b"\x89PNG", "way.gif": b"GIF89a"}
    for name, head in heads.items():
        assert (tmp_path / name).read_bytes().startswith(head), name


def test_the_blocks_take_no_tools_but_those_that_start_names():
    named = set(re.search(r"`sudo apt install ([^`]*)`", TEXT)[1].split())
    for block, _ in BLOCKS:
        script = re.sub(r"\\\n", "", block)  # lines that go on
        script = re.sub(r"'[^']*'", "''", script)  # what is quoted, over several lines too
        words = re.findall(r"(?:^|\| *|\$\()\s*(?:\w+=\$\()?(\w[\w.-]*)", script, re.M)
        assert words and set(words) <= named | {"awk"}, words  # mawk is of every Debian


def test_what_the_reader_draws_of_his_own_data_is_like_it(start, tmp_path):
    own = TEXT.split("### Your own data")[1].split("```sh\n")[1].split("```")[0]
    points = run(own, start().port, tmp_path, may_fail=False).split("label\n")[1].splitlines()
    assert len(points) == 5
    for x, y, label in (row.split(",") for row in points):
        assert label == "inner" and 0.7 < (float(x) ** 2 + float(y) ** 2) ** 0.5 < 1.3


def test_the_table_of_settings_is_the_programs():
    table = subprocess.run([BINARY, "settings", "--markdown"], capture_output=True, text=True, check=True).stdout
    assert table in TEXT, "put the output of 'denoised settings --markdown' into README.md"


@pytest.mark.parametrize("name", sorted(set(re.findall(r"tests/[\w/]+\.(?:py|c|mjs|sh)", TEXT))))
def test_the_tests_that_it_names_are_there(name):
    assert (ROOT / name).is_file()


def test_what_contributors_are_sent_to_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    names = set(re.findall(r"`((?:api|docker|engine|migrations|server|tests)/[\w./-]*)`", text))
    assert len(names) > 30
    assert [name for name in sorted(names) if not (ROOT / name).exists()] == []
    for symbol in ("dn_sampler", "dn_sampler_names", "dn_pattern", "dn_beta_schedule", "dn_beta_schedule_names"):
        assert f"`{symbol}`" in text or f"`enum {symbol}`" in text
        assert re.search(rf"\b{symbol}\b", (ROOT / "engine/denoise.h").read_text()), symbol


def test_links_within_it_lead_somewhere():
    headings = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", TEXT, re.M)}
    for link in re.findall(r"\]\(([^)]+)\)", TEXT):
        if link.startswith("#"):
            assert link[1:] in headings, link
        elif not link.startswith("http"):
            assert (ROOT / link).exists(), link


def test_its_make_targets_are_there():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:`|^    )make ([a-z][a-z-]+)", TEXT, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target


@pytest.mark.parametrize("what,start", [("samples", "Points come as"), ("trajectories", "trajectories as")])
def test_the_formats_that_it_names_are_those_that_there_are(trained, what, start):
    named = re.findall(r"`(\.[a-z]+)`", re.search(rf"{start}([^;]*?`)(?: \([^)]*\))?[;.]\s", TEXT)[1])
    detail = trained.get(f"/v1/models/latest/{what}.xyz").json["detail"]
    assert sorted(named) == sorted(re.findall(r"\.[a-z]+", detail.split(": ")[1])) and len(named) > 5
