"""How likely a model finds points: log-densities against closed forms, and percentiles among held-out rows."""

import csv
import io
import json
import math
import socket

import numpy
import pytest
from conftest import PATIENCE, QUICK, Server, eventually
from test_bad_requests import NO_ID, check_problem
from test_streams import heavy, metric  # noqa: F401 (a fixture)

CLASSES = ["spiral", "moons"]
MEAN, COVARIANCE = numpy.array([3.0, -200.0]), numpy.array([[4.0, 30.0], [30.0, 400.0]])


def gaussian(n, seed):
    return numpy.random.default_rng(seed).multivariate_normal(MEAN, COVARIANCE, n)


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A server with a model of Gaussian data, one of two classes, and one without validation rows."""
    server = Server(str(tmp_path_factory.mktemp("scored")))
    server.data = server.post("/v1/datasets", {"points": gaussian(4000, 1).tolist()}).json["id"]
    training = {"epochs": 100, "batch_size": 256}
    server.gaussian = server.submit({"dataset": {"id": server.data}, "training": training})
    server.classes = server.submit({**QUICK, "dataset": [{"name": name, "n": 400} for name in CLASSES]})
    quick = {**QUICK["training"], "validation_fraction": 0, "p_uncond": 0}
    server.unheld = server.submit({**QUICK, "dataset": [{"name": name, "n": 50} for name in CLASSES], "training": quick})
    for job in (server.gaussian, server.classes, server.unheld):
        assert server.wait(job)["status"] == "succeeded"
    yield server
    assert server.stop() == 0


def score(server, model, points, suffix="", **more):
    return server.post(f"/v1/models/{model}/score{suffix}", {"points": numpy.asarray(points).tolist(), **more})


def refused(answer, pointer):
    check_problem(answer, 422, "invalid_fields")
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_the_density_of_gaussian_data_is_known(scored):
    points = gaussian(300, 2)
    answer = score(scored, scored.gaussian, points, units="data").json
    d = points - MEAN
    exact = -0.5 * (d @ numpy.linalg.inv(COVARIANCE) * d).sum(1) - math.log(2 * math.pi) - 0.5 * math.log(numpy.linalg.det(COVARIANCE))
    assert numpy.abs(numpy.array(answer["log_density"]) - exact).mean() < 0.15
    assert (answer["n"], answer["dim"], answer["label"], answer["units"]) == (300, 2, None, "data")

    # In model units, each axis has the deviation 1/2: the density is larger by the ratio of the lengths.
    own = numpy.array(score(scored, scored.gaussian, points).json["log_density"])
    ratio = own - numpy.array(answer["log_density"])
    assert numpy.ptp(ratio) < 1e-9
    assert ratio[0] == pytest.approx(math.log(2 * math.sqrt(COVARIANCE[0, 0]) * 2 * math.sqrt(COVARIANCE[1, 1])), abs=0.1)


def test_percentiles_are_places_among_the_held_out_rows(scored):
    answer = score(scored, scored.gaussian, [*gaussian(1000, 3), [30.0, 200.0]]).json
    assert answer["held_out"] == 400  # a tenth of the rows
    density, percentile = numpy.array(answer["log_density"]), numpy.array(answer["percentile"])
    order = density.argsort()
    assert (numpy.diff(percentile[order]) >= 0).all() and percentile[-1] == 0
    assert (percentile * 8 == (percentile * 8).round()).all()  # steps of half a row
    assert abs(percentile[:-1].mean() - 50) < 5  # for new points of the same data they are even
    assert abs((percentile[:-1] < 10).mean() - 0.1) < 0.04


def test_a_point_has_the_same_score_in_any_request_and_after_a_restart(scored):
    points = gaussian(250, 4)
    whole = score(scored, scored.gaussian, points).json
    one = score(scored, scored.gaussian, points[[217]]).json
    assert one["log_density"] == [whole["log_density"][217]] and one["percentile"] == [whole["percentile"][217]]
    assert scored.stop() == 0
    scored.start()
    again = score(scored, scored.gaussian, points).json
    assert (again["log_density"], again["percentile"]) == (whole["log_density"], whole["percentile"])


def test_csv_has_the_same_numbers(scored):
    points = gaussian(20, 5)
    answer = score(scored, scored.gaussian, points).json
    rows = list(csv.DictReader(io.StringIO(score(scored, scored.gaussian, points, ".csv").body.decode())))
    for key in ("log_density", "percentile"):
        assert [float(row[key]) for row in rows] == answer[key]
    rows = list(csv.DictReader(io.StringIO(score(scored, scored.gaussian, points, ".csv", percentiles=False).body.decode())))
    assert {row["percentile"] for row in rows} == {""}


def test_without_percentiles_no_rows_are_scored(scored):
    answer = score(scored, scored.gaussian, gaussian(3, 6), percentiles=False).json
    assert answer["percentile"] is None and answer["held_out"] == 0


def test_more_steps_come_closer_to_the_limit(scored):
    points = gaussian(50, 7)
    limit, *others = (
        numpy.array(score(scored, scored.gaussian, points, steps=steps, percentiles=False).json["log_density"])
        for steps in (100, 8, 32)
    )
    coarse, fine = (numpy.abs(other - limit).mean() for other in others)
    assert fine < coarse / 4


def test_classes_have_densities_of_their_own(scored):
    points = [[0.1, 0.2], [0.5, -0.5]]
    answers = [score(scored, scored.classes, points, **which).json for which in ({}, {"label": "moons"}, {"class": 1}, {"class": 0})]
    assert [answer["label"] for answer in answers] == [None, "moons", "moons", "spiral"]
    assert [answer["held_out"] for answer in answers] == [80, 40, 40, 40]
    free, moons, second, first = (answer["log_density"] for answer in answers)
    assert moons == second and moons not in (first, free)
    assert answers[1]["percentile"] == answers[2]["percentile"]


def test_a_model_without_held_out_rows_has_no_percentiles(scored):
    answer = score(scored, scored.unheld, [[0, 0]], label="moons").json
    assert answer["percentile"] is None and answer["held_out"] == 0 and numpy.isfinite(answer["log_density"]).all()
    refused(score(scored, scored.unheld, [[0, 0]]), "/label")


def test_a_deleted_data_set_leaves_only_percentiles_that_are_known(server):
    data = server.post("/v1/datasets", {"points": gaussian(400, 1).tolist()}).json["id"]
    job = server.submit({**QUICK, "dataset": {"id": data}})
    assert server.wait(job)["status"] == "succeeded"
    known = score(server, job, [[3, -200]]).json
    assert known["held_out"] == 40
    assert server.request("DELETE", f"/v1/datasets/{data}").status == 204
    assert score(server, job, [[3, -200]]).json["percentile"] == known["percentile"]
    other = score(server, job, [[3, -200]], steps=5).json
    assert other["percentile"] is None and other["held_out"] == 0


def flags(n, seed):
    """A flag, 0, 1 or 2, and a number that depends on it."""
    random = numpy.random.default_rng(seed)
    flag = random.choice(3, n, p=[0.6, 0.3, 0.1])
    number = numpy.choose(flag, [0, 2, -1]) + random.normal(size=n)
    return numpy.stack([flag, number.round(4)], axis=1).tolist()


def test_values_that_repeat_in_a_table_count_with_their_probability(scored):
    data = scored.post("/v1/datasets", {"points": flags(3000, 1)})
    assert data.status == 201, data.body
    spec = {
        "dataset": {"id": data.json["id"]},
        "diffusion": {"ratio_min": 0.01, "ratio_max": 10},
        "network": {"hidden_size": 48, "hidden_layers": 3, "input_features": 3},
        "training": {"epochs": 100, "batch_size": 256, "normalization": "quantile", "checkpoint_every": 100},
    }
    job = scored.submit(spec)
    assert scored.wait(job)["status"] == "succeeded"
    answer = score(scored, job, flags(800, 2)).json
    assert answer["held_out"] == 300 and abs(numpy.mean(answer["percentile"]) - 50) < 6
    usual, rare, unseen, missing = scored.post(f"/v1/models/{job}/score", {"points": [[1, 2.0], [1, -2.0], [0.5, 0.0], [None, 0]]}).json["percentile"]
    assert usual > 20 and max(rare, unseen, missing) < 10, (usual, rare, unseen, missing)
    refused(score(scored, job, [[1, 2]], units="data"), "/units")


def test_large_bodies_are_read_on_the_pool(scored):
    points = gaussian(5000, 8)
    answer = score(scored, scored.gaussian, points, percentiles=False, steps=4)
    assert len(answer.body) > 64 << 10 and answer.json["n"] == 5000


WRONG = [
    ({}, "/points"),
    ({"points": None}, "/points"),
    ({"points": []}, "/points"),
    ({"points": [[]]}, "/points"),
    ({"points": [1, 2]}, "/points"),
    ({"points": [[1, 2], [1]]}, "/points/1"),
    ({"points": [[1, "a"]]}, "/points/0"),
    ({"points": [[1, None]]}, "/points/0/1"),
    ({"points": [[1, 1e300]]}, "/points/0"),
    ({"points": [[1, 2, 3]]}, "/points"),
    ({"points": [[1, 2]], "steps": 0}, "/steps"),
    ({"points": [[1, 2]], "steps": 101}, "/steps"),
    ({"points": [[1, 2]], "units": "miles"}, "/units"),
    ({"points": [[1, 2]], "label": "moons"}, "/label"),
    ({"points": [[1, 2]], "class": 0}, "/class"),
    ({"points": [[1, 2]], "epoch": 0}, "/epoch"),
    ({"points": [[1, 2]], "percentiles": 1}, "/percentiles"),
    ({"points": [[1, 2]], "seed": 1}, "/seed"),
]


@pytest.mark.parametrize("body, pointer", WRONG)
def test_wrong_requests_say_what_is_wrong(scored, body, pointer):
    refused(scored.post(f"/v1/models/{scored.gaussian}/score", body), pointer)


def test_wrong_classes_are_refused(scored):
    refused(score(scored, scored.classes, [[0, 0]], label="moon"), "/label")
    refused(score(scored, scored.classes, [[0, 0]], **{"class": 2}), "/class")
    refused(score(scored, scored.classes, [[0, 0]], label="moons", **{"class": 1}), "/class")


def test_other_refusals(scored):
    path = f"/v1/models/{scored.gaussian}/score"
    check_problem(scored.post(f"/v1/models/{NO_ID}/score", {"points": [[1, 2]]}), 404, "no_such_model")
    check_problem(scored.post(path + "?n=5", {"points": [[1, 2]]}), 422, "invalid_fields")
    check_problem(scored.post(path, raw=b"{"), 400, "invalid_json")
    check_problem(scored.post(path, raw=b"a,b\n", headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type")
    check_problem(scored.post(path, {"points": [[1, 2]]}, headers={"Accept": "image/png"}), 406, "not_acceptable")
    check_problem(scored.post(path, raw=b" " * (9 << 20)), 413, "body_too_large")
    check_problem(score(scored, scored.classes, [[3e38, 3e38]]), 422, "not_finite")


def test_an_expensive_request_is_refused(start):
    server = start("--max-sample-cost", "1e6")
    job = server.submit(QUICK)
    assert server.wait(job)["status"] == "succeeded"
    check_problem(score(server, job, [[0, 0]] * 5000), 422, "too_expensive")
    assert score(server, job, [[0, 0]]).json["held_out"] == 20


def test_a_client_that_goes_away_frees_the_thread(heavy):  # noqa: F811
    """The one thread would be busy for long; nothing else could be answered."""
    body = json.dumps({"points": [[0, 0]] * 20000}).encode()
    gone = metric(heavy, "http_clients_gone_total")
    head = f"POST {heavy.model}/score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", heavy.port), timeout=60 * PATIENCE) as client:
        client.sendall(head.encode() + body)
        eventually(lambda: metric(heavy, "http_requests_in_flight") == 2)  # one is the question itself
        assert heavy.get("/v1/datasets/spiral/points?n=10").status == 200
    eventually(lambda: metric(heavy, "http_clients_gone_total") == gone + 1)
    eventually(lambda: metric(heavy, "http_requests_in_flight") == 1)
