"""Models of tables after kills: the same history, weights and rows as without them, whatever the types of the columns."""

import datetime
import random

import pytest
from conftest import SANITIZED, end_despite_kills, outcome

HEADER = "id,age,zip,born,member,height,segment,tier,country,balance"
SPEC = {
    "network": {"hidden_size": 32, "hidden_layers": 2},
    "training": {"normalization": "quantile", "epochs": 200 if SANITIZED else 1500, "batch_size": 60, "ema_decay": 0.99, "lr_schedule": "cosine"},
    "seed": 9,
}


def table():
    """Every type of column, missing values, values that repeat, and a tier that follows from the segment."""
    draw = random.Random(6)
    rows = [HEADER]
    for i in range(900):
        segment = draw.choice(["young", "middle", "old"])
        born = datetime.date(1960, 1, 1) + datetime.timedelta(draw.randrange(15000))
        rows.append(",".join([
            str(i + 1), str(draw.randint(18, 90)), draw.choice(["00501", "00544", "10001"]), "" if draw.random() < 0.2 else str(born),
            draw.choice(["yes", "no"]), "NA" if draw.random() < 0.1 else f"{draw.gauss(1.7, 0.1):.2f}", segment,
            "b" if segment == "old" else "a", "NL", "0.0" if draw.random() < 0.5 else f"{draw.lognormvariate(5, 2):.1f}",
        ]))  # fmt: skip
    return ("\n".join(rows) + "\n").encode()


def rows(server, job, query):
    answer = server.get(f"/v1/models/{job}/samples.csv?{query}")
    assert answer.status == 200, answer.body
    return answer.body.splitlines()


@pytest.mark.parametrize("conditioning", ["none", "any"])
def test_a_table_trains_to_the_same_rows_after_kills(start, tmp_path, conditioning):
    ends = []
    for most in (0, 2):
        directory = tmp_path / str(most)
        directory.mkdir()
        server = start("--workers", "1", directory=directory)
        made = server.post("/v1/datasets?label=segment", raw=table(), headers={"Content-Type": "text/csv"}).json
        spec = {**SPEC, "dataset": {"id": made["id"]}, "training": {**SPEC["training"], "conditioning": conditioning}}
        job = server.submit(spec)
        end_despite_kills(server, job, most, 40)
        before = rows(server, job, "n=700&seed=3")
        server.kill()
        server.start()
        assert rows(server, job, "n=700&seed=3") == before
        assert rows(server, job, "n=50&seed=3") == before[:51]
        assert before[0].decode() == HEADER and len(before) == 701
        ends.append((outcome(server, job), before))
        assert server.stop() == 0
    assert ends[0] == ends[1]
