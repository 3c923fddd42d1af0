"""The forward process and the shortest way back, which need no model."""

import io
import json

import numpy
import pytest


def frames_of(answer):
    return numpy.array(answer["x"]), numpy.array(answer["x0"])


def test_forward_goes_from_data_to_noise(server):
    answer = server.get("/v1/datasets/moons/forward?n=2000&seed=3&timesteps=40&schedule=cosine&frames=5").json
    x, x0 = frames_of(answer)
    assert answer["timesteps"] == [0, 10, 20, 30, 40] and answer["schedule"] == "cosine"
    assert x.shape == (5, 2000, 2) and x0.shape == (4, 2000, 2) and answer["labels"] is None
    drawn = server.get("/v1/datasets/moons/points?n=2000&seed=3").json["points"]
    assert (x[0] == drawn).all() and (x0 == x[0]).all()
    assert abs(x[4].mean()) < 0.08 and abs(x[4].std() - 1) < 0.05
    alpha_bar = [(numpy.cos((t / 40 + 0.008) / 1.008 * numpy.pi / 2) / numpy.cos(0.008 / 1.008 * numpy.pi / 2)) ** 2 for t in (10, 20, 30)]
    for k, bar in enumerate(alpha_bar, 1):
        signal = (x[k] * x0[0]).sum() / (x0[0] ** 2).sum()
        assert abs(signal - bar**0.5) < 0.06
        assert abs((x[k] - bar**0.5 * x0[0]).var() - (1 - bar)) < 0.05


def test_all_schedules_go_forward(server):
    whole = server.get("/v1/datasets/dino/forward?n=5").json
    assert whole["timesteps"] == list(range(len(whole["x"]))) and whole["n"] == 5
    description = server.get("/openapi.json").json["paths"]["/v1/datasets/{id}/forward"]["get"]
    schedules = next(p["schema"]["enum"] for p in description["parameters"] if p.get("name") == "schedule")
    ends = {}
    for schedule in schedules:
        x, _ = frames_of(server.get(f"/v1/datasets/dino/forward?n=500&timesteps=50&schedule={schedule}").json)
        assert x.shape == (51, 500, 2)
        ends[schedule] = x[25].std()
    assert len(set(ends.values())) == len(schedules) > 1
    shifted, _ = frames_of(server.get("/v1/datasets/dino/forward?n=500&timesteps=50&schedule=linear&beta_end=0.001").json)
    assert shifted[-1].std() < 0.9  # far from noise


def test_the_shortest_way_is_straight_and_ends_on_the_curve(server):
    answer = server.get("/v1/datasets/circles/optimal?n=300&seed=7&frames=11").json
    x, x0 = frames_of(answer)
    assert answer["timesteps"] == list(range(10, -1, -1)) and answer["schedule"] is None
    radius = numpy.hypot(x[0, :, 0], x[0, :, 1])
    nearest = x[0] / radius[:, None] * numpy.where(radius < 0.75, 0.5, 1)[:, None]
    assert abs(x[-1] - nearest).max() < 1e-5 and (x0 == x[-1]).all() and len(x0) == 10
    for k in range(11):
        assert abs(x[k] - (x[0] + (x[-1] - x[0]) * k / 10)).max() < 1e-5
    assert abs(x[0].std() - 1) < 0.1


@pytest.mark.parametrize("what, frames", [("forward", 13), ("optimal", 41)])
def test_formats_and_frames_agree(server, what, frames):
    path = f"/v1/datasets/heart/{what}"
    query = "?n=7&seed=1" + ("&timesteps=12" if what == "forward" else "")
    x, x0 = frames_of(server.get(path + query).json)
    assert len(x) == frames
    for which, expected in (("x", x), ("x0", x0)):
        answer = server.get(f"{path}.npy{query}&which={which}")
        assert abs(numpy.load(io.BytesIO(answer.body)) - expected).max() < 1e-6
    lines = [json.loads(line) for line in server.get(path + ".ndjson" + query).body.splitlines()]
    assert abs(numpy.array([line["x"] for line in lines]) - x).max() < 1e-6
    assert server.get(path + ".gif" + query + "&size=64").body[:6] == b"GIF89a"
    assert server.get(path + ".png" + query + "&size=64").body[:4] == b"\x89PNG"
    assert len(server.get(path + ".txt" + query).body) > 100
    thinned, _ = frames_of(server.get(path + query + "&frames=3").json)
    assert (thinned[0] == x[0]).all() and (thinned[-1] == x[-1]).all()


def test_uploads_have_processes_too(server):
    points = [[i, 10 * (i % 7), -i] for i in range(60)]
    body = json.dumps({"points": points, "labels": [str(i % 2) for i in range(60)]}).encode()
    made = server.request("POST", "/v1/datasets", raw=body)
    assert made.status == 201, made.body
    path = f"/v1/datasets/{made.json['id']}"
    forward = server.get(path + "/forward?n=40&seed=2&timesteps=10").json
    x, _ = frames_of(forward)
    assert x.shape == (11, 40, 3) and len({tuple(p) for p in x[0]}) == 40
    assert all([int(p[0]) % 2 == int(label) for p, label in zip(x[0], forward["labels"])])
    assert frames_of(server.get(path + "/forward?n=1000&timesteps=2").json)[0].shape[1] == 60
    x, _ = frames_of(server.get(path + "/optimal?n=100&frames=2").json)
    squares = ((x[0][:, None] - numpy.array(points)[None]) ** 2).sum(2)
    assert (x[1] == numpy.array(points)[squares.argmin(1)]).all()


def test_a_large_upload_has_a_limit(server):
    body = "".join(f"{i}\n" for i in range(12000)).encode()
    made = server.request("POST", "/v1/datasets", raw=body, headers={"Content-Type": "text/csv"})
    answer = server.get(f"/v1/datasets/{made.json['id']}/optimal?n=100000&frames=2")
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/n"
    assert "at most 83333" in answer.json["detail"]


@pytest.mark.parametrize(
    "path, status, pointer",
    [
        ("spiral/forward?timesteps=0", 422, "/timesteps"), ("spiral/forward?schedule=x", 422, "/schedule"),
        ("spiral/forward?frames=1", 422, "/frames"), ("spiral/forward?n=0", 422, "/n"),
        ("spiral/forward?timesteps=4000&n=100000", 422, "/n"), ("spiral/optimal?timesteps=5", 422, "/timesteps"),
        ("spiral/forward?schedule=linear&timesteps=5", 422, ""), ("spiral/optimal?n=100000&frames=100", 422, "/n"),
        ("pinwheel/optimal", 422, None), ("nothing/forward", 404, None), ("nothing/optimal", 404, None),
        ("00000000-0000-7000-8000-000000000000/forward", 404, None), ("spiral/forward.pdf", 404, None),
    ],
)
def test_wrong_requests(server, path, status, pointer):
    answer = server.get("/v1/datasets/" + path)
    assert answer.status == status, answer.body
    if pointer is not None:
        assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
