"""`frames`: a thinned trajectory is the whole one at the timesteps that it names."""

import io
import json

import numpy
import pytest


def whole_and_thinned(server, path, query, frames):
    whole = server.get(f"{path}?{query}").json
    thinned = server.get(f"{path}?{query}&frames={frames}").json
    return whole, thinned


@pytest.mark.parametrize("frames", [2, 3, 7, 20, 40, 41])
def test_kept_frames_are_the_frames_of_the_whole(trained, frames):
    whole, thinned = whole_and_thinned(trained, f"/v1/models/{trained.job}/trajectories", "n=300&seed=3", frames)
    times = thinned["timesteps"]
    assert len(times) == frames and times[0] == 40 and times[-1] == 0
    # evenly: the gaps differ by one at most
    assert times == [40 - int(k * 40 / (frames - 1) + 0.5) for k in range(frames)]
    gaps = numpy.diff(times)
    assert gaps.max() < 0 and gaps.max() - gaps.min() <= 1
    kept = [whole["timesteps"].index(t) for t in times]
    assert thinned["x"] == [whole["x"][k] for k in kept]
    assert thinned["x0"] == [whole["x0"][k] for k in kept[:-1]]  # x0[k] is made from x[k]
    assert thinned["steps"] == whole["steps"] == 40


def test_more_frames_than_there_are_gives_all(trained):
    whole, thinned = whole_and_thinned(trained, f"/v1/models/{trained.job}/trajectories", "n=2", 4001)
    assert thinned["x"] == whole["x"] and thinned["timesteps"] == list(range(40, -1, -1))


def test_every_format_is_thinned(trained):
    path = f"/v1/models/{trained.job}/trajectories"
    expected = trained.post(path, {"n": 30, "seed": 4, "frames": 6}).json
    assert expected["timesteps"] == [40, 32, 24, 16, 8, 0]
    lines = trained.get(path + ".ndjson?n=30&seed=4&frames=6").body.splitlines()
    assert [json.loads(line)["timestep"] for line in lines] == expected["timesteps"]
    assert [json.loads(line)["x"] for line in lines] == expected["x"]
    assert [json.loads(line)["x0"] for line in lines] == expected["x0"] + [None]
    for which, frames in ("x", 6), ("x0", 5):
        body = trained.get(path + f".npy?n=30&seed=4&frames=6&which={which}").body
        array = numpy.load(io.BytesIO(body), allow_pickle=False)
        assert array.shape == (frames, 30, 2)
        assert (array == numpy.array(expected[which], dtype=numpy.float32)).all()
    text = trained.get(path + ".txt?n=30&frames=3").body.decode()
    assert [line for line in text.splitlines() if "=" in line] == ["t = 40", "t = 20", "t = 0"]
    assert trained.get(path + ".txt?n=30&frames=2&which=x0").body.decode().count("t = ") == 1


@pytest.mark.parametrize("frames", ["1", "0", "-3", "4002", "2.5", "x"])
def test_bad_frames_are_refused(trained, frames):
    answer = trained.get(f"/v1/models/{trained.job}/trajectories?frames={frames}")
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/frames"


def test_frames_belong_to_trajectories(trained):
    answer = trained.get(f"/v1/models/{trained.job}/samples?frames=3")
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/frames"


def test_the_limit_counts_what_is_given(trained):
    path = f"/v1/models/{trained.job}/trajectories.npy?n=100000"
    assert trained.get(path).status == 422
    thinned = trained.get(path + "&frames=3")
    array = numpy.load(io.BytesIO(thinned.body), allow_pickle=False)
    assert array.shape == (3, 100000, 2)
    small = numpy.load(io.BytesIO(trained.get(f"/v1/models/{trained.job}/trajectories.npy?n=9&frames=3").body))
    assert (array[:, :9] == small).all()
    assert trained.get(path + "&frames=21").status == 422  # 100 000 x (21 + 20) x 2 > 8 000 000
    assert trained.get(path + "&frames=20").status == 200
