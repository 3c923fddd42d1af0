"""The preset of tables: when it is the default, and how long it trains."""

import random

import pytest

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
    "labels beside a text": ("a,b,c\n" + "".join(f"{i % 7},{'xyz'[i % 3]},{'no' if i % 2 else 'yes'}\n" for i in range(60)), "?label=c"),
}
POINTS = {
    "points of the plane": (numbers(2), ""),
    "points on a line": (numbers(1), ""),
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
    (4, 512, 0, 1000, 1000),
    (600, 512, 0.1, 500, 1000),
    (2000, 512, 0.1, 450, 1800),
    (2000, 512, 0, 500, 2000),
    (300, 128, 0, 334, 1002),
    (40000, 512, 0.1, 225, 15975),
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
    assert state["progress"]["steps"] == state["progress"]["step"] == plan["steps"] == 1000
    kept = {item["epoch"] for item in server.get(f"/v1/models/{job}/checkpoints").json["items"]}
    assert {1, 50, 1000} <= kept <= {1, *range(50, 1001, 50)} and len(kept) > 15
    resumed = server.post(f"/v1/jobs/{job}/resume", {"epochs": 1100})
    assert resumed.status == 202 and resumed.json["spec"]["training"]["checkpoint_every"] == 50
    assert server.wait(job)["status"] == "succeeded"
