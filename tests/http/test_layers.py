"""Dependencies point one way only: api -> server -> engine."""

import collections
import graphlib
import pathlib
import re
import subprocess

import pytest
from conftest import BINARY

ROOT = pathlib.Path(__file__).parents[2]

# Each layer, and the only headers that it may include beyond the C library and POSIX.
ALLOWED = {
    "engine": ["engine/"],
    "server": ["server/", "engine/denoise.h", "microhttpd.h", "sqlite3.h", "zlib.h"],
    "api": ["api/", "server/", "engine/denoise.h", "engine/spec_fields.h", "cjson/cJSON.h", "png.h", "zlib.h"],
}
# The folders of each layer, and the other folders of it that each may use. The files beside the folders may use all of them.
FOLDERS = {
    "server/base": [],
    "server/store": ["server/base"],
    "server/store/sqlite": ["server/base", "server/store"],
    "server/store/postgresql": ["server/base", "server/store"],
    "server/threads": ["server/base", "server/store"],
    "server/http": ["server/base", "server/threads"],
    "server/jobs": ["server/base", "server/store", "server/threads"],
    "engine/base": [],
    "engine/data": ["engine/base"],
    "engine/diffusion": ["engine/base"],
    "engine/network": ["engine/base"],
    "engine/table": ["engine/base"],
    "engine/model": ["engine/base", "engine/data", "engine/diffusion", "engine/network", "engine/table"],
    "engine/sampling": ["engine/base", "engine/diffusion", "engine/model", "engine/network", "engine/table"],
    "engine/metrics": ["engine/base", "engine/data", "engine/model"],
}
SHARED = {"engine/denoise.h", "engine/internal.h", "engine/spec_fields.h"}  # what every folder of the engine may include
DRAWN = re.compile(r"^ +([\w/]+)/ +-> ?((?:\w+(?:, )?)*)", re.M)  # in CONTRIBUTING.md
# main wires everything, so it alone knows the contract's entry points.
EXCEPTIONS = {("server/main.c", "api/api.h"), ("server/main.c", "api/demo.h")}
EXCEPTIONS |= {("engine/denoise.h", f"denoise_{part}.h") for part in ("metrics", "sampling", "table", "training")}  # they are installed side by side
LIBRARIES = {"microhttpd.h": ("server/http/",), "sqlite3.h": ("server/store/sqlite/",), "libpq-fe.h": ("server/store/postgresql/",), "cjson/cJSON.h": ("api/",)}
LIBRARIES |= {"png.h": ("api/files/pixmap.c",)}
LIBRARIES |= {"zlib.h": ("api/files/zip.c", "api/format/png_file.", "api/table/cells_block.c", "api/upload/payload.c", "server/http/gzip.c")}
ENGINE_C = {
    "assert", "float", "limits", "math", "stdarg", "stdatomic", "stdbool", "stddef", "stdint", "stdio", "stdlib",
    "string", "complex", "cpuid", "immintrin", "arm_neon",
}  # fmt: skip
LIBRARIES |= {"gnutls/gnutls.h": ("server/client", "server/http/tls.c", "server/http/response.c"), "gnutls/crypto.h": ("server/base/sha256.c",)}


def includes(path):
    for line in path.read_text().splitlines():
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield match.group(1), match.group(2)


def sources(layer):
    found = [*(ROOT / layer).rglob("*.c"), *(ROOT / layer).rglob("*.h")]
    found = [path for path in found if path.parent.name != "example"]  # a user of the engine, no part of it
    assert found
    return found


def test_each_layer_includes_only_what_it_may():
    wrong = []
    for layer, allowed in ALLOWED.items():
        for path in sources(layer):
            name = path.relative_to(ROOT).as_posix()
            for kind, header in includes(path):
                ours = kind == '"'
                if ours and not header.startswith(tuple(allowed)) and (name, header) not in EXCEPTIONS:
                    wrong.append((name, header))
                if header in LIBRARIES and not name.startswith(LIBRARIES[header]):
                    wrong.append((name, header))
                if layer == "engine" and not ours and header.removesuffix(".h") not in ENGINE_C:
                    wrong.append((name, header))
    assert wrong == []


def test_each_room_includes_only_what_it_may():
    wrong = []
    for folder, allowed in FOLDERS.items():
        for path in [path for path in sources(folder) if path.parent == ROOT / folder]:
            for kind, header in includes(path):
                other = header.rpartition("/")[0]
                inside = header.startswith(folder.partition("/")[0] + "/") and header not in SHARED
                if kind == '"' and inside and other not in (folder, *allowed):
                    wrong.append((path.relative_to(ROOT).as_posix(), header))
    assert wrong == []


def test_functions_are_named_after_their_file_room_or_struct():
    """A function that server/ROOM/file.h declares begins with the file's first word, ROOM, or a struct of that header."""
    wrong = []
    for path in (ROOT / "server").rglob("*.h"):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        first = path.stem.split("_")[0].removesuffix("s")
        prefixes = [first, first + "s", path.parent.name, *re.findall(r"^struct (\w+)(?: \{|;)", text, re.M)]
        for name in re.findall(r"^(?:const |enum |struct |unsigned )*\w+ \**(\w+)\(", text, re.M):
            if name not in prefixes and not name.startswith(tuple(prefix + "_" for prefix in prefixes)):
                wrong.append((path.relative_to(ROOT).as_posix(), name))
    assert wrong == []


def symbols(file):
    """The names that an object file defines for others, and those that it uses of others."""
    lines = [line.split() for line in subprocess.check_output(["nm", "-g", file], text=True).splitlines()]
    return {line[-1] for line in lines if line[-2] != "U"}, {line[-1] for line in lines if line[-2] == "U"}


def test_each_file_of_the_transport_calls_only_those_above_it():
    """The order is drawn in connection.h."""
    drawing = (ROOT / "server/http/connection.h").read_text().partition("#ifndef")[0]
    rows = [row.split("  ")[0].split() for row in re.findall(r"^ \*   (\S.*)$", drawing, re.M)]
    place = {name: i for i, row in enumerate(rows) for name in row}
    assert sorted(place) == sorted(path.stem for path in (ROOT / "server/http").glob("*.c"))
    objects = pathlib.Path(BINARY).parent / "server/http"
    if not objects.is_dir():
        pytest.skip("the program was not built here")
    defined, used = {}, {}
    for name in place:
        names, used[name] = symbols(objects / f"{name}.o")
        defined |= dict.fromkeys(names, name)
    calls = {(name, defined[other]) for name in place for other in used[name] if other in defined}
    assert ("requests", "gate") in calls
    assert [(name, other) for name, other in calls if place[other] >= place[name] > 0] == []
    graphlib.TopologicalSorter({name: {other for one, other in calls if one == name} for name in place}).prepare()


def test_the_drawing_of_the_rooms_is_right():
    drawing = (ROOT / "CONTRIBUTING.md").read_text()
    drawn = {}
    for layer, folders in re.findall(r"^    (server|engine)/ (.*\n(?:      .*\n)+)", drawing, re.M):
        drawn |= {f"{layer}/{folder}": [f"{layer}/{name}" for name in re.findall(r"\w+", below)] for folder, below in DRAWN.findall(folders)}
    assert drawn == FOLDERS


def test_a_folder_has_at_most_twenty_modules():
    """A module is a .c file, its header, or both."""
    modules = collections.Counter(path for layer in ALLOWED for path in {file.with_suffix("") for file in sources(layer)})
    folders = collections.Counter(path.parent.relative_to(ROOT).as_posix() for path in modules)
    assert [(folder, n) for folder, n in folders.items() if n > 20] == []


def test_what_a_header_declares_is_used_by_another_file():
    """A function that only its own file calls is static, and one that nobody calls is gone."""
    files = [path for layer in ("engine", "server", "api", "tests") for path in (ROOT / layer).rglob("*.[chS]")]
    texts = [path.read_text() for path in files if path.suffix != ".h"]
    texts += re.findall(r"^#define(?:.*\\\n)*.*", "".join(path.read_text() for path in files if path.suffix == ".h"), re.M)
    words = [set(re.findall(r"\w+", text)) for text in texts]
    unused = []
    for header in [path for layer in ALLOWED for path in sources(layer) if path.suffix == ".h"]:
        for name in re.findall(r"^(?!static|typedef|#)\w[\w *]*?\b(\w+)\(", header.read_text(), re.M):
            if sum(name in known for known in words) < 2:
                unused.append((header.relative_to(ROOT).as_posix(), name))
    assert unused == []


def test_sql_and_stdio_stay_where_they_belong():
    for path in sources("api"):
        assert not re.search(r"\b(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b", path.read_text()), path
    for path in sources("engine"):
        assert not re.search(r"\b(printf|fprintf|puts|fopen|pthread_\w+)\s*\(", path.read_text()), path


def test_what_is_stored_knows_no_database():
    """The queries run on any, through server/store/driver.h; a driver has a folder of its own."""
    files = [path for path in sources("server/store") if path.parent == ROOT / "server/store"]
    assert len(files) > 15
    for path in files:
        code = re.sub(r"/\*.*?\*/|\b(?:sqlite|postgresql)_\w+|postgresql://", "", path.read_text(), flags=re.S)
        assert not re.search(r"sqlite|postgresql|PRAGMA|rowid|libpq|\bpg_|\$\d", code), path


def test_no_file_is_too_long():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    long = [
        (name, lines)
        for name in listed
        if name.endswith((".c", ".h", ".py", ".sh", ".ts", ".tsx")) and (ROOT / name).exists()
        and (lines := len((ROOT / name).read_text().splitlines())) > 620
    ]  # fmt: skip
    assert long == []


def test_no_sql_is_put_together():
    """Each statement is a text of the source, with parameters: nothing that a client says gets into one."""
    for path in sources("server"):
        for call in re.findall(r"\b\w*printf\s*\((?:[^;\"]|\"(?:[^\"\\]|\\.)*\")*;", path.read_text()):
            assert not re.search(r"\"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP)\b", call), (path, call)
        if "sqlite3_exec" in path.read_text():  # without parameters: for the schema, pragmas and transactions
            assert path.name in ("open.c", "backup.c")
