"""Real tables as their publishers wrote them: one upload each, types as a person sees them, every cell back."""

import csv

import pytest
from conftest import Server, sample_table

CSV = {"Content-Type": "text/csv"}
N, I, C, D, X = "numeric", "integer", "categorical", "datetime", "id"

# For each file, the type of each of its columns, written by looking at the files; and the missing cells of those that have any.
SHEET = {
    "aapl": (1260, [D, N, N, N, N, N, I], {}),
    "alphabet": (26, [X, N], {}),
    "cars": (406, [X, N, I, N, I, I, N, I], {"economy (mpg)": 8, "power (hp)": 6}),
    "citywages": (195, [X, I, N, N, I, N, N, X, C, I], {"state_display": 2, "highlight": 187}),
    "diamonds": (53940, [N, C, C, C, N, N, I, N, N, N], {}),
    "flare": (252, [X, I], {"size": 32}),
    "industries": (1708, [D, C, I], {}),
    "olympians": (11538, [X, X, C, C, D, N, I, C, I, I, I, X], {"height": 330, "weight": 659, "info": 11407}),
    "penguins": (344, [C, C, N, N, I, I, C],
                 {"culmen_length_mm": 2, "culmen_depth_mm": 2, "flipper_length_mm": 2, "body_mass_g": 2, "sex": 11}),
    "pizza": (29853, [D, C, C, C, I, I, I], {}),
    "weather": (2922, [C, D, N, N, N, N, C], {}),
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("sample_tables")))
    yield server
    assert server.stop() == 0, server.read_log()


@pytest.mark.parametrize("name", SHEET)
def test_a_real_table(store, name):
    n, types, missing = SHEET[name]
    raw = sample_table(f"{name}.csv").read_bytes()
    answer = store.post(f"/v1/datasets?name={name}", raw=raw, headers=CSV)
    assert answer.status == 201, answer.body
    made = answer.json
    assert made["n"] == n
    assert [column["type"] for column in made["columns"]] == types
    assert {column["name"]: column["missing"] for column in made["columns"] if column["missing"]} == missing
    path = f"/v1/datasets/{made['id']}"
    back = store.get(f"{path}/points.csv").body
    rows = [list(csv.reader(text.decode().splitlines())) for text in (raw, back)]
    assert rows[0] == rows[1]


def test_what_depends_on_what(store):
    """A pizza's name says its price and category; dates are too many to keep their weekdays."""
    made = store.post("/v1/datasets", raw=sample_table("pizza.csv").read_bytes(), headers=CSV).json
    follows = {column["name"]: column["follows"] for column in made["columns"] if column["follows"]}
    assert follows == {"category": "name", "price": "name"}


def test_rows_for_the_terminal(store):
    """A table is listed, points of the plane are plotted; of a model and of its data."""
    made = store.post("/v1/datasets", raw=sample_table("penguins.csv").read_bytes(), headers=CSV).json
    job = store.submit({"dataset": made["id"], "network": {"hidden_size": 8}, "training": {"epochs": 2}})
    assert store.wait(job)["status"] == "succeeded"
    names = [column["name"] for column in made["columns"]]
    for path in (f"datasets/{made['id']}/points", f"models/{job}/samples"):
        lines = store.get(f"/v1/{path}.txt?n=300").body.decode().splitlines()
        rows = list(csv.reader(store.get(f"/v1/{path}.csv?n=300").body.decode().splitlines()))
        assert lines[-1] == "20 of 300 rows" and lines[0].split() == names == rows[0]
        assert [line.split() for line in lines[1:-1]] == [[cell for cell in row if cell] for row in rows[1:21]]
        assert len(store.get(f"/v1/{path}.txt?n=3").body.splitlines()) == 4
    plane = store.post("/v1/datasets", {"points": [[1, 2], [3, 4], [5, 7]]}).json["id"]
    assert all(0x2800 <= ord(character) < 0x2900 for character in store.get(f"/v1/datasets/{plane}/points.txt").body.decode().replace("\n", ""))


def test_points_of_the_plane_keep_the_names_of_their_columns(store):
    made = store.post("/v1/datasets", raw=b"height,weight\n" + b"".join(b"%d.5,%d\n" % (i, 3 * i) for i in range(40)).replace(b",0\n", b",0.25\n"), headers=CSV).json
    job = store.submit({"dataset": made["id"], "training": {"epochs": 1}})
    assert store.wait(job)["spec"]["preset"] == "default"
    assert store.get(f"/v1/models/{job}/samples.csv?n=2").body.splitlines()[0] == b"height,weight"
