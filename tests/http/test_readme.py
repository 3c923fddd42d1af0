"""What the README and the pages of /docs say is so: their commands run, their tables are the program's, what they name exists."""

import csv
import html
import json
import os
import pathlib
import re
import subprocess

import pytest
from conftest import BINARY, PATIENCE, SAMPLES, not_sanitized

pytestmark = not_sanitized("other tests send what the documentation shows, by trainings that take less")

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()

GUIDE = (ROOT / "api/docs/guide.html").read_text()
OPERATING = (ROOT / "api/docs/operating.html").read_text()

# The blocks for a shell, each with the JSON that stands right below it, if any: the README's, then the guide's.
COMMANDS = r'<pre class="commands">(.*?)</pre>\n(?:<pre class="answer">(.*?)</pre>)?'
BLOCKS = [(block, "") for block in re.findall(r"^```sh\n(.*?)^```\n", TEXT, re.M | re.S)]
BLOCKS += [(html.unescape(block) + "\n", html.unescape(shown)) for block, shown in re.findall(COMMANDS, GUIDE, re.S)]

# Where the README has a table from. The tests have the same file, from the same package.
PUBLISHED = "https://cdn.jsdelivr.net/npm/@observablehq/sample-datasets@{version}/"

# A training that a reader may wait for, and one of seconds instead.
MINUTE = '{"dataset": {"name": "digits", "n": 10000}, "training": {"epochs": 12, "ema_decay": 0.998}}'
MOMENT = '{"dataset": {"name": "digits", "n": 1000}, "training": {"epochs": 4, "ema_decay": 0.9}}'

# A block that shows an answer may show an error; in all others one is a failure. A reader has one shell for all blocks, which
# keeps what `id` is.
SHELL = """set -euo pipefail
curl() {{ command curl {fail} "$@"; }}
if [ -e kept ]; then . ./kept; fi
{block}
if [ "${{id-}}" ]; then declare -p id >kept; fi"""


def here(block, port):
    """The block for the test's server, with the tables of the test's package instead of the published ones, and without a long
    training."""
    version = json.loads((SAMPLES / "package.json").read_text())["version"]
    block = block.replace(MINUTE, MOMENT)
    return block.replace("localhost:8080", f"localhost:{port}").replace(PUBLISHED.format(version=version), f"{SAMPLES.as_uri()}/")


def run(block, port, directory, may_fail):
    script = SHELL.format(fail="" if may_fail else "--fail-with-body", block=here(block, port))
    assert "https://" not in script, f"{block}\nneeds the internet"
    result = subprocess.run(
        ["bash", "-c", script], cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120 * PATIENCE
    )
    assert result.returncode == 0, f"{block}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}"
    return result.stdout


def test_every_command_works_in_the_order_in_which_it_stands(start, tmp_path):
    assert len(BLOCKS) >= 10 and TEXT.count(MINUTE) == 1
    server = start()
    for block, shown in BLOCKS:
        printed = run(block, server.port, tmp_path, may_fail=bool(shown))
        assert "null" not in printed.splitlines(), f"{block}\nprints null:\n{printed}"
        if shown:
            assert json.loads(printed) == json.loads(shown), block
        if "Prefer: wait" in block:  # which a busy machine may outlast
            server.wait(server.get("/v1/jobs?limit=1").json["items"][0]["id"])
    jobs = server.get("/v1/jobs?limit=100").json["items"]
    for job in (server.wait(job["id"]) for job in jobs):
        assert job["status"] == "succeeded" and job["warnings"] == [], "the tour must not go on with a model that is good for nothing"
    assert len(jobs) == 8
    heads = {"loss.svg": b"<svg", "points.npy": b"\x93NUMPY", "points.png": b"\x89PNG", "paths.gif": b"GIF89a", "digits.png": b"\x89PNG"}
    for name, head in heads.items():
        assert (tmp_path / name).read_bytes().startswith(head), name


def test_the_blocks_take_no_tools_but_those_that_start_names():
    named = set(re.search(r"`sudo apt install ([^`]*)`", TEXT)[1].split())
    for block, _ in BLOCKS:
        script = re.sub(r"\\\n|^#.*", "", block, flags=re.M)  # lines that go on, comments
        script = re.sub(r"'[^']*'", "''", script)  # what is quoted, over several lines too
        words = re.findall(r"(?:^|\| *|\$\()\s*(?:\w+=\$\()?(\w[\w.-]*)", script, re.M)
        assert words and set(words) <= named | {"awk", "printf"}, words  # mawk is of every Debian


def test_what_the_reader_draws_of_a_table_is_like_it(start, tmp_path):
    own = TEXT.split("## A table")[1].split("```sh\n")[1].split("```")[0]
    printed = run(own, start().port, tmp_path, may_fail=False)
    tables = [list(csv.reader(file.open())) for file in (tmp_path / "penguins.csv", tmp_path / "synthetic-samples.csv")]
    (names, *real), (header, *synthetic) = tables
    assert header == names and len(synthetic) == len(real) == 344
    for column, name in enumerate(names):
        cells = [{row[column] for row in rows} for rows in (real, synthetic)]
        if "_" not in name:  # a category
            assert cells[1] <= cells[0]
        else:
            low, high = (end(float(cell) for cell in cells[0] if cell != "NaN") for end in (min, max))
            assert all(low <= float(cell) <= high for cell in cells[1] if cell != "NaN")
    header, *filled = (line.split() for line in printed[printed.index(names[0]) :].splitlines())
    assert header == names and len(filled) == 3
    for row in filled:  # so long are the flippers of no other species
        assert (row[0], row[names.index("body_mass_g")]) == ("Gentoo", "5500") and int(row[names.index("flipper_length_mm")]) > 200
    shown = re.search(r"^    (species .*)\n((?:    Gentoo .*\n)+)", TEXT, re.M)
    assert shown[1].split() == names and len(shown[2].splitlines()) == 3


def test_the_tables_of_settings_are_the_programs():
    table = subprocess.run([BINARY, "settings", "--markdown"], capture_output=True, text=True, check=True).stdout
    short = re.findall(r"^\| `--.*\n", TEXT, re.M)
    assert len(short) == 10 and all(row in table for row in short), "take the rows from 'denoised settings --markdown'"
    rows = re.findall(r"^\| `(--[\w-]+)` \| `\w+` \| `?([^`]*?)`? \| (.*) \|$", table, re.M)
    whole = "\n".join(
        f"<tr><td><code>{flag}</code></td><td>{default and f'<code>{default}</code>'}</td><td>{html.escape(doc, quote=False)}</td></tr>"
        for flag, default, doc in rows
    )
    assert len(rows) > 30 and f"<tbody>\n{whole}\n</tbody>" in OPERATING, f"put this into api/docs/operating.html:\n{whole}"


def test_the_requests_in_its_table_are_the_servers(server):
    requests = re.findall(r"`(GET|POST|PATCH|DELETE) (/\S*?)`", TEXT)
    paths = server.get("/openapi.json").json["paths"]
    assert len(requests) > 15 and [each for each in requests if each[0].lower() not in paths[each[1].split("?")[0]]] == []


@pytest.mark.parametrize("name", ["guide", "operating", "elsewhere"])
def test_the_pages_beside_the_reference(server, name):
    page = server.get(f"/docs/{name}")
    assert page.status == 200 and page.headers["Content-Type"] == "text/html; charset=utf-8"
    text = page.body.decode()
    assert text == "".join((ROOT / "api/docs" / part).read_text() for part in ("head.html", f"{name}.html"))
    assert not re.search(r"<style|style=|\son\w+=|<script|(?:href|src)=\"\w*:?//", text)
    for link in re.findall(r'href="([^"]*)"', text):
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in text, link
        elif not link.startswith("data:"):
            assert server.get(os.path.normpath(f"/docs/{link.split('#')[0]}")).status == 200, link


@pytest.mark.parametrize("name", sorted(set(re.findall(r"tests/[\w/]+\.(?:py|c|mjs|sh)", TEXT))))
def test_the_tests_that_it_names_are_there(name):
    assert (ROOT / name).is_file()


@pytest.mark.parametrize("page,count", [("CONTRIBUTING.md", 40), ("SECURITY.md", 20)])
def test_what_contributors_are_sent_to_is_there(page, count):
    names = set(re.findall(r"`((?:api|docker|engine|migrations|server|tests)/[\w./-]*)`", (ROOT / page).read_text()))
    assert len(names) > count
    assert [name for name in sorted(names) if not (ROOT / name).exists()] == []


def test_what_contributors_are_told_of_is_in_the_headers():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    symbols = set(re.findall(r"`(?:enum )?(dn_\w+)`", text))
    header = "".join(path.read_text() for path in (ROOT / "engine").glob("denoise*.h"))
    assert len(symbols) > 4 and [symbol for symbol in symbols if not re.search(rf"\b{symbol}\b", header)] == []
    structs = re.findall(r"^\| `(\w+)` \| `([\w/.]+)` \|", text, re.M)
    assert len(structs) == 5
    for name, file in structs:
        assert re.search(rf"^struct {name} {{", (ROOT / file).read_text(), re.M), name


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
