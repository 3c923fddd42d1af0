"""The preset of tables: when it is the default, how long it trains, and how its models are sampled."""

import csv
import io
import random
import re

import pytest
from conftest import Server

CSV = {"Content-Type": "text/csv"}


def upload(server, text, query=""):
    answer = server.post("/v1/datasets" + query, raw=text.encode(), headers=CSV)
    assert answer.status == 201, answer.body
    return {"id": answer.json["id"]}


def numbers(columns, n=600):
    draw = random.Random(3)
    rows = [",".join(f"{draw.gauss(0, 1):.3f}" for _ in range(columns)) for _ in range(n)]
    return "\n".join([",".join("abcdefg"[:columns]), *rows]) + "\n"


def planned(server, job):
    answer = server.post("/v1/jobs?validate_only=true", job)
    assert answer.status == 200, answer.body
    return answer.json


TABLES = {
    "three numbers": (numbers(3), ""),
    "a text": ("a,b\n" + "".join(f"{i % 7},{'xyz'[i % 3]}\n" for i in range(60)), ""),
    "only texts": ("b\n" + "xy\nz\nzz\nxy\n" * 30, ""),
    "a date": ("a,day\n" + "".join(f"{i % 7},2020-01-{i % 28 + 1:02}\n" for i in range(60)), ""),
    "a missing cell": ("a,b\n" + "".join(f"{i * 0.37 % 1:.2f},{i % 5 or ''}\n" for i in range(60)), ""),
    "an id": ("name,height\n" + "".join(f"row {i},{i * 0.37 % 1:.2f}\n" for i in range(60)), ""),
    "a number and labels": ("sex,height\n" + "".join(f"{'fm'[i % 2]},{i * 0.37 % 1:.2f}\n" for i in range(60)), "?label=sex"),
    "two numbers and labels": ("height,width,sex\n" + "".join(f"{i * 0.37 % 1:.2f},{i * 0.61 % 1:.2f},{'fm'[i % 2]}\n" for i in range(60)), "?label=sex"),
    "an integer": ("age\n" + "".join(f"{i * i % 61}\n" for i in range(60)), ""),
    "an integer called y": ("y\n" + "".join(f"{i * i % 61}\n" for i in range(60)), ""),
    "an integer and a number": ("height,age\n" + "".join(f"{i * 0.37 % 1:.2f},{i * i % 61}\n" for i in range(60)), ""),
    "a constant": ("height,country\n" + "".join(f"{i * 0.37 % 1:.2f},NL\n" for i in range(60)), ""),
    "x and y with a text": ("x,y,kind\n" + "".join(f"{i * 0.37 % 1:.2f},{i * 0.61 % 1:.2f},{'no' if i % 2 else 'yes'}\n" for i in range(60)), ""),
    "labels beside a text": ("a,b,c\n" + "".join(f"{i % 7},{'xyz'[i % 3]},{'no' if i % 2 else 'yes'}\n" for i in range(60)), "?label=c"),
}
POINTS = {
    "points of the plane": (numbers(2), ""),
    "points on a line": (numbers(1), ""),
    "points of integers": ("x,y\n" + "".join(f"{i * i % 61},{i}\n" for i in range(60)), ""),
    "points of integers, y before x": ("y,x\n" + "".join(f"{i * i % 61},{i}\n" for i in range(60)), ""),
    "points without names": ("".join(f"{i * i % 61},{i}\n" for i in range(60)), ""),
    "points with numbers of rows": (",x,y\n" + "".join(f"{i},{i * 0.37 % 1:.2f},{i * 0.61 % 1:.2f}\n" for i in range(60)), ""),
    "points with labels": ("x,y,c\n" + "".join(f"{i * 0.37 % 1:.2f},{i * 0.61 % 1:.2f},{'no' if i % 2 else 'yes'}\n" for i in range(60)), "?label=c"),
}


@pytest.mark.parametrize("name", [*TABLES, *POINTS])
def test_the_data_decides_the_default(server, name):
    dataset = upload(server, *{**TABLES, **POINTS}[name])
    table = name in TABLES
    spec = planned(server, {"dataset": dataset})["spec"]
    assert spec["preset"] == ("table" if table else "default")
    assert spec["training"]["normalization"] == ("quantile" if table else "standardize")
    assert spec["training"]["conditioning"] == ("any" if table else "none")
    assert spec["network"]["hidden_size"] == (128 if table else 32)
    assert planned(server, {"dataset": [dataset]})["spec"] == spec
    assert planned(server, {"dataset": dataset, "preset": spec["preset"]})["spec"] == spec
    assert planned(server, spec)["spec"] == spec  # the whole spec means the same job


def test_a_preset_that_is_asked_for_stays(server):
    dataset = upload(server, numbers(3))
    usual = planned(server, {})["spec"]
    for preset, epochs in ("default", 1000), ("sinai2022", 100):
        spec = planned(server, {"dataset": dataset, "preset": preset})["spec"]
        assert spec["preset"] == preset and spec["training"]["epochs"] == epochs
    assert planned(server, {"dataset": [dataset, dataset]})["spec"]["training"] == usual["training"]
    texts = upload(server, TABLES["a text"][0])
    refused = server.post("/v1/jobs", {"dataset": texts, "preset": "default"})
    assert refused.status == 422 and refused.json["errors"][0]["pointer"] == "/training/normalization"
    assert 'the preset "table"' in refused.json["errors"][0]["detail"]
    assert server.get("/v1/jobs").json["items"] == []


def test_fields_change_the_preset_of_tables(server):
    dataset = upload(server, TABLES["a text"][0])
    usual = planned(server, {"dataset": dataset})["spec"]
    job = {"dataset": dataset, "name": "mine", "training": {"epochs": 100}, "network": {"hidden_size": 64}, "seed": 5}
    spec = planned(server, job)["spec"]
    assert spec["preset"] == "table" and spec["name"] == "mine" and spec["seed"] == spec["dataset"]["seed"] == 5
    assert spec["network"] == {**usual["network"], "hidden_size": 64}
    assert spec["training"] == {**usual["training"], "epochs": 100, "checkpoint_every": 5}
    refused = server.post("/v1/jobs", {"dataset": dataset, "training": {"normalization": "minmax", "epochs": 0}})
    assert [error["pointer"] for error in refused.json["errors"]] == ["/training/epochs"]
    refused = server.post("/v1/jobs", {"dataset": dataset, "training": {"normalization": "minmax"}})
    assert [error["pointer"] for error in refused.json["errors"]] == ["/training/normalization"]


# Rows, batch size and held-out share; epochs and steps.
BUDGETS = [
    (4, 512, 0, 2000, 2000),
    (600, 512, 0.1, 500, 1000),
    (2000, 512, 0.1, 450, 1800),
    (2000, 512, 0, 500, 2000),
    (300, 128, 0, 334, 1002),
    (40000, 512, 0.1, 169, 11999),
]


@pytest.mark.parametrize("n, batch, held_out, epochs, steps", BUDGETS)
def test_a_budget_of_steps(server, n, batch, held_out, epochs, steps):
    dataset = upload(server, "a,b\n" + "".join(f"{i % 97},{'xyz'[i % 3]}\n" for i in range(n)))
    plan = planned(server, {"dataset": dataset, "training": {"batch_size": batch, "validation_fraction": held_out}})
    training = plan["spec"]["training"]
    assert (training["epochs"], plan["steps"]) == (epochs, steps)
    assert training["checkpoint_every"] == -(-epochs // 20)
    assert "ema_slow" not in [warning["code"] for warning in plan["warnings"]]


def test_a_job_of_a_table_needs_nothing_but_its_id(server):
    """The job trains the steps that were planned, and saves checkpoints at a twentieth of its epochs."""
    dataset = upload(server, TABLES["a missing cell"][0])
    plan = planned(server, {"dataset": dataset})
    job = server.submit({"dataset": dataset})
    state = server.wait(job)
    assert state["status"] == "succeeded" and state["spec"] == plan["spec"], state
    assert state["progress"]["steps"] == state["progress"]["step"] == plan["steps"] == 2000
    kept = {item["epoch"] for item in server.get(f"/v1/models/{job}/checkpoints").json["items"]}
    assert {1, 100, 2000} <= kept <= {1, *range(100, 2001, 100)} and len(kept) > 15
    resumed = server.post(f"/v1/jobs/{job}/resume", {"epochs": 2100})
    assert resumed.status == 202 and resumed.json["spec"]["training"]["checkpoint_every"] == 100
    assert server.wait(job)["status"] == "succeeded"


SMALL_TABLES = {
    "an id": ("name,height", [r"\d+", r"0\.\d\d"]),
    "a number and labels": ("sex,height", ["[fm]", r"0\.\d\d"]),
    "an integer and a number": ("height,age", [r"0\.\d\d", r"\d+"]),
    "a constant": ("height,country", [r"0\.\d\d", "NL"]),
}


@pytest.mark.parametrize("name", SMALL_TABLES)
def test_rows_of_a_small_table_come_back_as_they_are_written(server, name):
    """All columns in the file's order, and numbers with its decimals."""
    job = server.submit({"dataset": upload(server, *TABLES[name]), "training": {"epochs": 2}})
    assert server.wait(job)["status"] == "succeeded"
    header, *rows = server.get(f"/v1/models/{job}/samples.csv?n=30").body.decode().splitlines()
    wanted, cells = SMALL_TABLES[name]
    assert header == wanted and len(rows) == 30
    assert all(re.fullmatch(",".join(cells), row) for row in rows), rows
    if name == "an id":
        assert [row.split(",")[0] for row in rows] == [str(i + 1) for i in range(30)]


# ---------------------------------------------------------------- how it is sampled by default


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A table's model with 100 timesteps, one with 30, and one of points; with any conditioning."""
    server = Server(str(tmp_path_factory.mktemp("usual")))
    dataset = upload(server, TABLES["a text"][0])
    small = {"network": {"hidden_size": 16, "hidden_layers": 1}, "training": {"epochs": 2}}
    table = server.submit({"dataset": dataset, **small})
    short = server.submit({"dataset": dataset, **small, "diffusion": {"timesteps": 30}})
    points = server.submit({**small, "dataset": {"n": 200}, "training": {"epochs": 2, "conditioning": "any"}})
    assert all(server.wait(job)["status"] == "succeeded" for job in (table, short, points))
    yield server, {"table": table, "short": short, "points": points}
    assert server.stop() == 0, server.read_log()


# The model, the request, and sampler and steps of the answer.
USUAL = [
    ("table", {}, "dpmpp_2m", 50),
    ("table", {"sampler": "dpmpp_2m"}, "dpmpp_2m", 50),
    ("table", {"steps": 7}, "dpmpp_2m", 7),
    ("table", {"sampler": "ddpm"}, "ddpm", 100),
    ("table", {"sampler": "heun", "steps": 3}, "heun", 3),
    ("table", {"given": {}}, "dpmpp_2m_sde", 50),
    ("short", {}, "dpmpp_2m", 30),
    ("points", {}, "ddpm", 100),
    ("points", {"steps": 5}, "ddpm", 5),
    ("points", {"sampler": "dpmpp_2m"}, "dpmpp_2m", 100),
    ("points", {"given": {"x": 0.1}}, "dpmpp_2m_sde", 100),
    ("points", {"given": {"x": 0.1}, "sampler": "ddpm"}, "ddpm", 100),
]


@pytest.mark.parametrize("name, request_, sampler, steps", USUAL)
def test_what_a_request_leaves_open(models, name, request_, sampler, steps):
    server, ids = models
    for kind in "samples", "trajectories":
        answer = server.post(f"/v1/models/{ids[name]}/{kind}", {"n": 5, **request_})
        assert answer.status == 200, answer.body
        assert (answer.json["sampler"], answer.json["steps"]) == (sampler, steps)


def test_a_model_says_what_is_usual(models):
    server, ids = models
    for name, sampler, steps in (("table", "dpmpp_2m", 50), ("short", "dpmpp_2m", 30), ("points", "ddpm", 100)):
        path = f"/v1/models/{ids[name]}"
        assert server.get(path).json["sampling"] == {
            **{"sampler": sampler, "steps": steps},
            **{"guidance": 0, "guidance_ratio_min": 0, "guidance_ratio_max": 10000},
        }
        usual = server.get(path + "/samples?n=20&seed=2").json
        spelled = server.get(path + f"/samples?n=20&seed=2&sampler={sampler}&steps={steps}").json
        assert spelled["points"] == usual["points"]
        evaluation = server.get(path + "/evaluation?n=20").json
        assert (evaluation["sampler"], evaluation["steps"]) == (sampler, steps)


def test_only_the_usual_evaluation_stands_for_the_model(models):
    """The list of models shows an evaluation with the usual settings, however they are said."""
    server, ids = models

    def shown():
        return {row["id"]: row["evaluation"] for row in server.get("/v1/models").json["items"]}

    usual = {"table": "sampler=dpmpp_2m", "short": "steps=30", "points": "sampler=ddpm&steps=100"}
    unusual = {"table": "sampler=dpmpp_2m&steps=100", "short": "sampler=ddpm", "points": "sampler=dpmpp_2m"}
    for name, identity in ids.items():
        for n, query in (17, unusual[name]), (18, usual[name]):
            before = shown()[identity]
            assert server.get(f"/v1/models/{identity}/evaluation?n={n}&{query}").status == 200
            after = shown()[identity]
            assert after["n"] == 18 if n == 18 else after == before, (name, n, before, after)


def test_eta_belongs_to_ddim(models):
    server, ids = models
    answer = server.post(f"/v1/models/{ids['table']}/samples", {"eta": 0.5})
    assert answer.status == 422 and '"dpmpp_2m" draws no noise' in answer.json["errors"][0]["detail"]


# ---------------------------------------------------------------- tables with other presets


def test_a_table_keeps_its_form_with_every_preset(server):
    """Integers come back as integers, decimals as decimals, ids as ids, and a constant as it is."""
    rows = [(i + 1, i * 37 % 91, f"{i * 0.618 % 7:.2f}", 1000 * (i * 13 % 29), "A") for i in range(300)]
    head = ["id", "count", "size", "cost", "kind"]
    dataset = upload(server, "\n".join([",".join(head), *(",".join(map(str, row)) for row in rows)]) + "\n")
    job = {"dataset": dataset, "network": {"hidden_size": 16, "hidden_layers": 1}, "training": {"epochs": 20}}
    for preset in "default", "sinai2022", "table":
        model = server.submit({**job, "preset": preset})
        assert server.wait(model)["status"] == "succeeded"
        for query in "", "&clip=false":
            answer = server.get(f"/v1/models/{model}/samples.csv?n=400{query}").body.decode()
            table = list(csv.reader(io.StringIO(answer, newline="")))
            assert table[0] == head and len(table) == 401
            for j in (1, 2, 3):
                numbers = [float(row[j]) for row in table[1:]]
                least, most = (least_most(float(row[j]) for row in rows) for least_most in (min, max))
                assert least <= min(numbers) and max(numbers) <= most
            assert all(re.fullmatch(r"\d+", row[1]) and re.fullmatch(r"\d\.\d\d", row[2]) for row in table[1:])
            assert [row[0] for row in table[1:]] == [str(i + 1) for i in range(400)] and {row[4] for row in table[1:]} == {"A"}
        found = server.get(f"/v1/models/{model}/samples?n=400").json
        assert found["columns"] == head
        text = server.get(f"/v1/models/{model}/samples.csv?n=400").body.decode().split()[1:]
        assert [[float(cell) for cell in row.split(",")[1:4]] for row in text] == [row[1:4] for row in found["points"]]
        weights = server.get(f"/v1/models/{model}/weights.safetensors").body
        copy = server.post("/v1/models", raw=weights, headers={"Content-Type": "application/octet-stream"})
        assert copy.status == 201, copy.body
        again = server.get(f"/v1/models/{copy.json['id']}/samples.csv?n=400")
        assert again.body.decode().split()[1:] == text
        assert server.get(f"/v1/models/{model}/evaluation?n=20").status == 200


def test_points_of_the_plane_stay_points(server):
    dataset = upload(server, "x,y\n" + "".join(f"{i * 37 % 91},{i * 13 % 29}\n" for i in range(300)))
    model = server.submit({"dataset": dataset, "training": {"epochs": 2}})
    assert server.wait(model)["status"] == "succeeded"
    found = server.get(f"/v1/models/{model}/samples?n=50").json
    assert "columns" not in found and any(x != int(x) for point in found["points"] for x in point)
