"""How points are drawn: samplers, steps, eta, labels and guidance, by GET and POST, in every format."""

import csv
import io
import json

import numpy
import pytest
from conftest import QUICK, Server

SAMPLERS = ["ddpm", "ddim", "dpmpp_2m", "heun", "euler", "dpmpp_2m_sde"]
CLASSES = ["spiral", "moons", "s_curve"]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A server with a model of three classes."""
    server = Server(str(tmp_path_factory.mktemp("labelled")))
    spec = dict(QUICK, dataset=[{"name": name, "n": 100} for name in CLASSES])
    server.job = server.submit(spec)
    assert server.wait(server.job)["status"] == "succeeded"
    yield server
    assert server.stop() == 0


def path(server, what="samples", suffix=""):
    return f"/v1/models/{server.job}/{what}{suffix}"


def query(fields):
    return "?" + "&".join(f"{key}={value}" for key, value in fields.items())


def evaluations(sampler, steps):
    return 2 * steps - 1 if sampler == "heun" else steps


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 7, 40])
def test_every_sampler_takes_any_number_of_steps(trained, sampler, steps):
    fields = {"n": 40, "seed": 3, "sampler": sampler, "steps": steps}
    got = trained.get(path(trained) + query(fields)).json
    posted = trained.post(path(trained), fields).json
    assert got["points"] == posted["points"] and numpy.isfinite(got["points"]).all()
    assert (got["sampler"], got["steps"]) == (sampler, steps)
    assert got["evaluations"] == evaluations(sampler, steps)
    assert got["eta"] == (1 if sampler in ("ddpm", "dpmpp_2m_sde") else 0)
    assert got["guidance"] is None and got["labels"] is None

    way = trained.get(path(trained, "trajectories") + query(fields)).json
    assert len(way["timesteps"]) == len(way["x"]) == len(way["x0"]) + 1 == steps + 1
    assert way["timesteps"][0] == 40 and way["timesteps"][-1] == 0
    assert (numpy.diff(way["timesteps"]) < 0).all()
    assert way["x"][-1] == way["x0"][-1] == got["points"]  # it ends at its last estimate of x0
    for key in ("steps", "evaluations", "eta", "guidance", "labels", "sampler"):
        assert way[key] == got[key]


def test_steps_are_all_timesteps_unless_asked(trained):
    default = trained.get(path(trained) + "?n=50&seed=2").json
    assert (default["sampler"], default["steps"], default["evaluations"]) == ("ddpm", 40, 40)
    asked = trained.get(path(trained) + "?n=50&seed=2&steps=40&sampler=ddpm").json
    assert asked["points"] == default["points"]


def test_few_steps_are_close_together_near_the_data(trained):
    times = trained.get(path(trained, "trajectories") + "?n=1&steps=8").json["timesteps"]
    gaps = -numpy.diff(times)
    assert (numpy.diff(gaps) <= 1).all() and gaps[0] > 3 * gaps[-1]


def test_eta_goes_from_euler_to_ddpm(trained):
    def points(**fields):
        return trained.get(path(trained) + query({"n": 60, "seed": 5, "steps": 15, **fields})).json

    assert points(sampler="ddim", eta=0)["points"] == points(sampler="euler")["points"]
    assert points(sampler="ddim")["points"] == points(sampler="euler")["points"]
    assert points(sampler="ddim", eta=1)["points"] == points(sampler="ddpm")["points"]
    half = points(sampler="ddim", eta=0.5)
    assert half["eta"] == 0.5
    assert half["points"] != points(sampler="ddpm")["points"] != points(sampler="euler")["points"]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_point_does_not_depend_on_how_many_are_drawn(trained, sampler):
    few, many = (
        trained.get(path(trained) + query({"n": n, "seed": 1, "sampler": sampler, "steps": 6})).json["points"]
        for n in (30, 1200)
    )
    assert many[:30] == few


def test_samplers_without_noise_depend_on_the_start_alone(trained):
    described = trained.get("/openapi.json").json["components"]["schemas"]["SampleRequest"]["properties"]["sampler"]
    noise = numpy.random.default_rng(1).normal(size=(25, 2)).tolist()
    for sampler in SAMPLERS:
        a, b = (
            trained.post(path(trained), {"noise": noise, "seed": seed, "sampler": sampler, "steps": 9}).json["points"]
            for seed in (1, 2)
        )
        assert (a == b) == (sampler not in ("ddpm", "dpmpp_2m_sde")) == (sampler in described["x-deterministic"])
        assert f" {sampler} draws " in described["description"]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_points_are_the_same_bits_in_every_format(trained, sampler):
    fields = {"n": 100, "seed": 4, "sampler": sampler, "steps": 5}
    expected = numpy.array(trained.get(path(trained) + query(fields)).json["points"], dtype=numpy.float32)
    array = numpy.load(io.BytesIO(trained.get(path(trained, suffix=".npy") + query(fields)).body))
    assert (array == expected).all()
    text = trained.post(path(trained, suffix=".csv"), fields).body.decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert (numpy.array([[float(cell) for cell in row] for row in rows[1:]], dtype=numpy.float32) == expected).all()
    assert trained.get(path(trained, suffix=".svg") + query(fields)).body.count(b"<circle") == 100
    assert trained.get(path(trained, suffix=".png") + query(fields)).body.startswith(b"\x89PNG")
    assert trained.get(path(trained, suffix=".txt") + query(fields)).status == 200


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_trajectories_are_the_same_bits_in_every_format(trained, sampler):
    fields = {"n": 20, "seed": 4, "sampler": sampler, "steps": 12, "frames": 5}
    expected = trained.post(path(trained, "trajectories"), fields).json
    whole = trained.post(path(trained, "trajectories"), {**fields, "frames": 13}).json
    assert len(expected["x"]) == 5 and expected["timesteps"] == [whole["timesteps"][k] for k in (0, 3, 6, 9, 12)]
    assert expected["x"] == [whole["x"][k] for k in (0, 3, 6, 9, 12)]
    assert expected["x0"] == [whole["x0"][k] for k in (0, 3, 6, 9)]
    lines = trained.get(path(trained, "trajectories", ".ndjson") + query(fields)).body.splitlines()
    assert [json.loads(line)["timestep"] for line in lines] == expected["timesteps"]
    assert [json.loads(line)["x"] for line in lines] == expected["x"]
    array = numpy.load(io.BytesIO(trained.get(path(trained, "trajectories", ".npy") + query(fields)).body))
    assert (array == numpy.array(expected["x"], dtype=numpy.float32)).all()
    assert trained.get(path(trained, "trajectories", ".gif") + query(fields)).body.startswith(b"GIF89a")
    assert trained.get(path(trained, "trajectories", ".txt") + query(fields)).status == 200


def test_more_frames_than_steps_gives_them_all(trained):
    way = trained.get(path(trained, "trajectories") + "?n=3&steps=4&frames=30&sampler=heun").json
    assert len(way["x"]) == 5


# ------------------------------------------------------------------ labels


def draw(server, **fields):
    answer = server.get(path(server) + query({"n": 30, "seed": 6, "steps": 5, **fields}))
    assert answer.status == 200, answer.body
    assert answer.json == {**server.post(path(server), {"n": 30, "seed": 6, "steps": 5, **fields}).json,
                           "duration_seconds": answer.json["duration_seconds"]}
    return answer.json


def test_without_a_label_the_classes_take_turns(labelled):
    turns = draw(labelled)
    names = turns["classes"]
    assert turns["labels"] == [names[i % 3] for i in range(30)]
    assert turns["guidance"] == 1 and turns["evaluations"] == 5
    for place, name in enumerate(names):
        one = draw(labelled, label=name)
        assert {**one, "duration_seconds": 0} == {**draw(labelled, **{"class": place}), "duration_seconds": 0}
        assert one["labels"] == [name] * 30
        assert one["points"][place::3] == turns["points"][place::3]
        assert one["points"] != turns["points"]


def test_guidance(labelled):
    name = draw(labelled)["classes"][1]
    plain = draw(labelled, label=name)
    assert draw(labelled, label=name, guidance=1)["points"] == plain["points"]
    twice = draw(labelled, label=name, guidance=2)
    assert twice["evaluations"] == 10 and twice["guidance"] == 2 and twice["points"] != plain["points"]
    assert draw(labelled, label=name, guidance=2, sampler="heun")["evaluations"] == 2 * 9
    none = draw(labelled, guidance=0)
    assert none["labels"] is None and none["guidance"] == 0 and none["evaluations"] == 5
    assert none["points"] != plain["points"]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_guidance_in_an_interval(labelled, sampler):
    """As far as its ends; elsewhere it is as if there were none."""
    schedule = labelled.get(path(labelled, "schedule")).json["data"]
    ratio = {t: (1 / snr) ** 0.5 for t, snr in zip(schedule["t"], schedule["snr"])}
    fields = {"n": 20, "seed": 6, "steps": 10, "sampler": sampler, "class": 1}
    limits = {"guidance_ratio_min": 0.9 * ratio[4], "guidance_ratio_max": 1.1 * ratio[7]}

    def way(**more):
        return labelled.get(path(labelled, "trajectories") + query({**fields, **more})).json

    plain, whole, part = way(), way(guidance=3), way(guidance=3, **limits)
    assert (plain["guidance"], plain["guidance_ratio_min"], plain["guidance_ratio_max"]) == (1, 0, 10000)
    assert {key: part[key] for key in limits} == limits and part["guidance"] == 3
    times = part["timesteps"][:-1]
    inside = [limits["guidance_ratio_min"] <= ratio[t] <= limits["guidance_ratio_max"] for t in times]
    first = inside.index(True)
    assert 0 < first and inside[-1] is False and sum(inside) > 1
    each = 2 if sampler == "heun" else 1
    assert part["evaluations"] == plain["evaluations"] + each * sum(inside)
    before = first - (sampler == "heun")  # which looks ahead
    assert part["x"][: before + 1] == plain["x"][: before + 1] != whole["x"][: before + 1]
    assert part["x0"][first] != plain["x0"][first]
    assert draw(labelled, guidance=3, guidance_ratio_max=10000)["points"] == draw(labelled, guidance=3)["points"]
    assert draw(labelled, guidance=3, guidance_ratio_max=1e-6)["points"] == draw(labelled)["points"]
    assert draw(labelled, guidance=3, guidance_ratio_max=1e-6)["evaluations"] == 5


def test_the_tag_knows_the_interval(labelled):
    base = path(labelled, suffix=".npy") + "?n=20&seed=6&guidance=3"
    answers = [labelled.get(base + more) for more in ("", "&guidance_ratio_max=1", "&guidance_ratio_min=1")]
    tags, bodies = ([what(each) for each in answers] for what in (lambda each: each.headers["ETag"], lambda each: each.body))
    assert len(set(tags)) == len(set(bodies)) == 3
    for tag, more in zip(tags, ("", "&guidance_ratio_max=1", "&guidance_ratio_min=1")):
        assert labelled.get(base + more, headers={"If-None-Match": tag}).status == 304


def test_trajectories_have_labels_too(labelled):
    way = labelled.get(path(labelled, "trajectories") + "?n=6&steps=3&guidance=1.5&class=2").json
    assert way["labels"] == [way["classes"][2]] * 6 and way["guidance"] == 1.5 and way["evaluations"] == 6


def test_pictures_show_the_labels(labelled):
    colours = {
        label: labelled.get(path(labelled, suffix=".svg") + f"?n=30&class={label}").body.count(b"<circle")
        for label in range(3)
    }
    assert set(colours.values()) == {30}
    one = labelled.get(path(labelled, suffix=".png") + "?n=30&class=0").body
    turns = labelled.get(path(labelled, suffix=".png") + "?n=30").body
    assert one.startswith(b"\x89PNG") and one != turns


def test_a_labelled_request_in_many_parts_is_the_whole(labelled):
    fields = {"seed": 8, "steps": 4, "sampler": "dpmpp_2m", "guidance": 3}
    whole = labelled.get(path(labelled) + query({"n": 2000, **fields})).json
    few = labelled.get(path(labelled) + query({"n": 40, **fields})).json
    assert whole["points"][:40] == few["points"] and whole["labels"] == [whole["classes"][i % 3] for i in range(2000)]


# ------------------------------------------------------------------ what is refused

WRONG = [
    ({"steps": 0}, "/steps", "1"),
    ({"steps": 41}, "/steps", "40"),
    ({"steps": 4001}, "/steps", "4000"),
    ({"steps": -3}, "/steps", "1"),
    ({"steps": 2.5}, "/steps", "integer"),
    ({"sampler": "ddim", "eta": 2}, "/eta", "from 0 to 1"),
    ({"sampler": "ddim", "eta": -0.1}, "/eta", "from 0 to 1"),
    ({"sampler": "heun", "eta": 0.5}, "/eta", "ddim"),
    ({"eta": 1}, "/eta", "ddim"),
    ({"sampler": "ddmp"}, "/sampler", "dpmpp_2m"),
    ({"sampler": ""}, "/sampler", "heun"),
    ({"label": 0}, "/label", "labels"),
    ({"label": "spiral"}, "/label", "labels"),
    ({"label": "x" * 121}, "/label", "at most 120 bytes"),
    ({"class": 0}, "/class", "labels"),
    ({"class": -1}, "/class", "from 0 to"),
    ({"class": 64}, "/class", "from 0 to"),
    ({"class": 1, "label": "spiral"}, "/class", "give only one of them"),
    ({"guidance": 1}, "/guidance", "labels"),
    ({"guidance": 0}, "/guidance", "labels"),
    ({"guidance": -1}, "/guidance", "from 0 to 100"),
    ({"guidance": 101}, "/guidance", "from 0 to 100"),
    ({"guidance_ratio_min": 1}, "/guidance_ratio_min", "labels"),
    ({"guidance_ratio_min": -0.1}, "/guidance_ratio_min", "from 0 to 10000"),
    ({"guidance_ratio_min": 10001}, "/guidance_ratio_min", "from 0 to 10000"),
    ({"guidance_ratio_max": 1}, "/guidance_ratio_max", "labels"),
    ({"guidance_ratio_max": 0}, "/guidance_ratio_max", "above 0"),
    ({"guidance_ratio_max": 10001}, "/guidance_ratio_max", "at most 10000"),
    ({"step": 3}, "/step", "steps"),
    ({"guidence": 3}, "/guidence", "guidance"),
]


@pytest.mark.parametrize("what", ["samples", "trajectories"])
@pytest.mark.parametrize("fields,pointer,says", WRONG)
def test_wrong_fields_are_refused(trained, what, fields, pointer, says):
    got = trained.get(path(trained, what) + query({"n": 3, **fields}))
    posted = trained.post(path(trained, what), {"n": 3, **fields})
    for answer in got, posted:
        assert answer.status == 422 and answer.headers["Content-Type"] == "application/problem+json"
        assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
        assert says in answer.json["errors"][0]["detail"]


@pytest.mark.parametrize("value", ["nan", "inf", "1e999", "", "x", "0x1"])
@pytest.mark.parametrize("field", ["eta", "guidance", "guidance_ratio_min", "guidance_ratio_max", "steps", "class"])
def test_what_is_not_a_number_is_refused(trained, field, value):
    answer = trained.get(path(trained) + f"?sampler=ddim&{field}={value}")
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/" + field


@pytest.mark.parametrize("value", [None, "3", True, [], {}])
@pytest.mark.parametrize("field", ["eta", "guidance", "guidance_ratio_max", "steps", "class", "sampler"])
def test_values_of_another_type_are_refused(trained, field, value):
    answer = trained.post(path(trained), {field: value})
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/" + field


def test_wrong_labels_are_refused(labelled):
    names = draw(labelled)["classes"]
    listed = ", ".join(f'"{name}"' for name in names)
    for fields, pointer, says in [
        ({"class": 3}, "/class", "from 0 to 2"),
        ({"class": 1, "guidance": 0}, "/class", "guidance"),
        ({"guidance": 0, "guidance_ratio_min": 1}, "/guidance_ratio_min", "guidance = 0"),
        ({"guidance": 0, "guidance_ratio_max": 1}, "/guidance_ratio_max", "guidance = 0"),
        ({"guidance_ratio_min": 3, "guidance_ratio_max": 2}, "/guidance_ratio_min", "at most guidance_ratio_max, 2"),
        ({"class": 1.5}, "/class", "integer"),
        ({"class": "spiral"}, "/class", "integer"),
        ({"label": names[1], "guidance": 0}, "/label", "guidance"),
        ({"label": names[1], "class": 1}, "/class", "give only one of them"),
        ({"label": ""}, "/label", "must not be empty"),
        ({"label": 1}, "/label",
            f'there is no class "1"; the parameter class is an index into the list of classes, counted from 0: {listed}'),
        ({"label": names[1][:-1]}, "/label", f'did you mean "{names[1]}"? The classes are {listed}'),
        ({"label": names[1].upper()}, "/label", f'did you mean "{names[1]}"?'),
    ]:
        answer = labelled.get(path(labelled) + query(fields))
        assert answer.status == 422 and [error["pointer"] for error in answer.json["errors"]] == [pointer]
        assert says in answer.json["errors"][0]["detail"]


def test_guidance_needs_training_without_labels(labelled):
    spec = dict(QUICK, dataset=["spiral", "moons"], training={**QUICK["training"], "p_uncond": 0, "epochs": 1})
    job = labelled.submit(spec)
    assert labelled.wait(job)["status"] == "succeeded"
    for guidance in 0, 0.5, 2:
        answer = labelled.get(f"/v1/models/{job}/samples?n=2&guidance={guidance}")
        assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/guidance"
        assert "p_uncond" in answer.json["errors"][0]["detail"]
    assert labelled.get(f"/v1/models/{job}/samples?n=2&guidance=1&label=moons").json["labels"] == ["moons"] * 2


def test_all_that_is_wrong_is_said_at_once(trained):
    fields = {"steps": 50, "eta": 0.5, "guidance": 2, "label": 1}
    answer = trained.get(path(trained) + query(fields))
    assert answer.status == 422
    assert {error["pointer"] for error in answer.json["errors"]} == {"/" + field for field in fields}


def test_the_cost_is_that_of_the_evaluations(start):
    server = start("--max-sample-cost", "2e7")
    server.job = server.submit(QUICK)
    assert server.wait(server.job)["status"] == "succeeded"
    parameters = server.get(f"/v1/models/{server.job}").json["parameters"]
    n = int(2e7 / (2 * parameters * 5))  # as many as 5 evaluations each may be spent on
    for sampler, steps, fits in [("ddim", 5, True), ("ddim", 6, False), ("heun", 3, True), ("heun", 4, False)]:
        answer = server.get(path(server, suffix=".npy") + query({"n": n, "sampler": sampler, "steps": steps}))
        assert answer.status == (200 if fits else 422), (sampler, steps)
    assert server.get(path(server) + f"?n={n}").json["code"] == "too_expensive"
    server.job = server.submit({**QUICK, "dataset": CLASSES})
    assert server.wait(server.job)["status"] == "succeeded"
    parameters = server.get(f"/v1/models/{server.job}").json["parameters"]
    n = int(2e7 / (2 * parameters * 7))
    for more, fits in [({}, True), ({"guidance": 2}, False), ({"guidance": 2, "guidance_ratio_max": 1e-6}, True)]:
        answer = server.get(path(server, suffix=".npy") + query({"n": n, "sampler": "ddim", "steps": 7, **more}))
        assert answer.status == (200 if fits else 422), more


def test_without_n_there_are_as_many_points_as_a_request_may_cost(start):
    server = start("--max-sample-cost", "2e5")
    server.job = server.submit(QUICK)
    assert server.wait(server.job)["status"] == "succeeded"
    parameters = server.get(f"/v1/models/{server.job}").json["parameters"]
    n = int(2e5 / (2 * parameters * 5))
    assert 1 < n < 1000
    assert server.get(path(server) + "?sampler=ddim&steps=5").json["n"] == n
    assert server.get(path(server, "trajectories") + "?sampler=ddim&steps=5").json["n"] == n


def test_an_evaluation_without_n_has_as_many_points_as_a_request_may_cost(start):
    server = start("--max-sample-cost", "1e6")
    server.job = server.submit(QUICK)
    assert server.wait(server.job)["status"] == "succeeded"
    parameters = server.get(f"/v1/models/{server.job}").json["parameters"]
    n = int(1e6 / (2 * parameters * QUICK["diffusion"]["timesteps"]))
    assert 16 < n < 1000
    assert server.get(path(server, "evaluation")).json["n"] == n
    assert server.get(path(server, "evaluation") + f"?n={n + 1}").json["code"] == "too_expensive"
