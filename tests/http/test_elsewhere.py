"""api/python/elsewhere.py, which knows the exported file only, draws what the server draws."""

import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import urllib.parse

import numpy
import pytest
from conftest import not_sanitized

pytestmark = not_sanitized("it is about a program in Python; test_spec_space of tests/unit trains and draws with all that is here")

PROGRAM = os.path.abspath("api/python/elsewhere.py")
SAMPLERS = ["ddpm", "ddim", "dpmpp_2m", "heun", "euler", "dpmpp_2m_sde"]

specification = importlib.util.spec_from_file_location("elsewhere", PROGRAM)
elsewhere = importlib.util.module_from_spec(specification)
specification.loader.exec_module(elsewhere)


def export(server, job):
    answer = server.get(f"/v1/models/{job}/weights.safetensors")
    assert answer.status == 200, answer.body
    return answer.body


def train(server, spec):
    job = server.submit(spec)
    state = server.wait(job, seconds=120)
    assert state["status"] == "succeeded", state
    return job, export(server, job)


def asked_for(request):
    """The request to the server that means the same as one to the program: `class` is a number."""
    fields = dict(request)
    if "labels" in fields:
        fields["class"] = fields["labels"]
    return {key: value for key, value in fields.items() if key != "labels"}


def agree(server, job, weights, n=40, strict=False, **request):
    """The server's trajectory is the program's, within 1e-6 of the size of the data; where it is not, for a way that
    magnifies rounding errors, the program in float32 is as far from the program in float64."""
    answer = server.post(f"/v1/models/{job}/trajectories", {"n": n, **asked_for(request)})
    assert answer.status == 200, (request, answer.body)
    if "labels" in request:
        request["labels"] = [request["labels"]] * n
    model = elsewhere.Model(weights)
    exact = model.trajectory(n=n, **request)
    assert exact[0] == answer.json["timesteps"]
    size = [numpy.maximum(abs(array), (model.high - model.low) / model.scale) for array in exact[1:]]

    def off(ways, level):
        return max(numpy.quantile(abs(ours - way) / unit, level) for ours, way, unit in zip(exact[1:], ways, size))

    server_ways = [numpy.array(answer.json[name]) for name in ("x", "x0")]
    for level, limit, share in (0.95, 1e-6, 6), (1, 1e-5, 100):  # the farthest of all points varies much more
        found = off(server_ways, level)
        if found > limit:
            single = elsewhere.Model(weights, dtype=numpy.float32).trajectory(n=n, **request)
            assert not (strict and level < 1) and found <= share * off(single[1:], level), (request, level, found)


@pytest.fixture(scope="module")
def default(trained):
    return train(trained, {"preset": "default"})


@pytest.fixture(scope="module")
def classes(trained):
    return train(trained, {"dataset": ["spiral", "moons", "heart"], "training": {"epochs": 60}})


# ---------------------------------------------------------------- the presets


@pytest.mark.parametrize("steps", [1, 2, 7, 20, None])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_both_presets(trained, default, sampler, steps):
    request = {"sampler": sampler, "n": 200, "seed": 5, **({} if steps is None else {"steps": steps})}
    agree(trained, trained.job, export(trained, trained.job), strict=True, **request)
    agree(trained, *default, strict=True, **request)


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**53 - 1])
def test_every_seed(trained, default, seed):
    agree(trained, *default, n=130, seed=seed)
    agree(trained, *default, n=130, seed=seed, sampler="ddim", eta=0.3, steps=11)
    agree(trained, *default, n=130, seed=seed, sampler="ddim", eta=1, steps=11, clip=False)


def test_start_noise_of_ones_own(trained, default):
    job, weights = default
    model = elsewhere.Model(weights)
    start = numpy.random.default_rng(2).normal(size=(70, 2)).astype(numpy.float32).astype(float)
    for sampler in SAMPLERS:
        asked = {"noise": start.tolist(), "sampler": sampler, "steps": 9, "seed": 3}
        answer = trained.post(f"/v1/models/{job}/samples", asked).json
        _, x, _ = model.trajectory(start=start, sampler=sampler, steps=9, seed=3)
        off = abs(x[-1] - answer["points"]) * model.scale / (model.high - model.low)
        assert numpy.quantile(off, 0.95) <= 1e-6 and off.max() <= 1e-4


# ---------------------------------------------------------------- classes


@pytest.mark.parametrize("guidance", [0, 0.5, 1, 2, 7.5])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_classes_and_guidance(trained, classes, sampler, guidance):
    for steps in 3, 25:
        request = {"n": 90, "sampler": sampler, "steps": steps, "guidance": guidance, "strict": guidance <= 2}
        agree(trained, *classes, **request)
        for label in range(3) if guidance > 0 else ():
            agree(trained, *classes, labels=label, **request)
        agree(trained, *classes, **{**request, "strict": False}, clip=False)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_guidance_in_an_interval(trained, classes, sampler):
    """The default schedule is log_linear, from 0.002 to 80."""
    for steps, guidance, limits in (
        (25, 2, {"guidance_ratio_min": 0.2, "guidance_ratio_max": 5}),
        (7, 0.5, {"guidance_ratio_min": 0.3}),
        (3, 2, {"guidance_ratio_max": 3}),
    ):
        request = {"n": 90, "sampler": sampler, "steps": steps, "guidance": guidance, **limits}
        agree(trained, *classes, strict=True, **request)


# ---------------------------------------------------------------- every spec

SCHEDULES = [
    {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02},
    {"beta_schedule": "linear", "beta_start": 8e-6, "beta_end": 9e-5},
    {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.015, "zero_terminal_snr": True},
    {"beta_schedule": "quadratic", "beta_start": 1e-4, "beta_end": 0.02},
    {"beta_schedule": "quadratic", "beta_start": 1e-4, "beta_end": 0.015, "zero_terminal_snr": True},
    {"beta_schedule": "cosine"},
    {"beta_schedule": "cosine", "zero_terminal_snr": True},
    {"beta_schedule": "sigmoid"},
    {"beta_schedule": "sigmoid", "zero_terminal_snr": True},
    {"beta_schedule": "log_linear"},
    {"beta_schedule": "log_linear", "zero_terminal_snr": True},
    {"beta_schedule": "log_linear", "ratio_min": 0.01, "ratio_max": 10},
    {"beta_schedule": "flow"},
]
PREDICTIONS = ["epsilon", "sample", "v_prediction", "flow"]


def ends_in_noise(schedule):
    return schedule["beta_schedule"] == "flow" or schedule.get("zero_terminal_snr", False)


def timesteps_of(schedule):
    """Few, where the schedule allows it."""
    return [23, 60, 30, 24] if "beta_start" in schedule else [2, 60, 23, 3 if ends_in_noise(schedule) else 1]


SPECS = [
    (schedule, prediction)
    for schedule in SCHEDULES
    for prediction in PREDICTIONS
    if not (prediction == "epsilon" and ends_in_noise(schedule))
]


def upload(server, dim, classes):
    random = numpy.random.default_rng(dim)
    points = random.normal(size=(150, dim)) * 10.0 ** random.integers(-2, 3, dim) + random.normal(size=dim) * 5
    body = {"points": points.tolist()}
    if classes:
        body["labels"] = [f"class {i % classes}" for i in range(150)]
    answer = server.post("/v1/datasets", body)
    assert answer.status == 201, answer.body
    return {"id": answer.json["id"]}


@pytest.fixture(scope="module")
def sources(trained):
    patterns = [{"name": name, "n": 150} for name in ("moons", "rings", "dino")]
    return [patterns[0], *(upload(trained, dim, classes) for dim, classes in ((1, 0), (5, 0), (5, 4), (2, 2))), patterns]


@pytest.mark.parametrize("number", range(len(SPECS)))
def test_every_spec_with_every_sampler(trained, sources, number):
    schedule, prediction = SPECS[number]
    job, weights = train(
        trained,
        {
            "preset": "sinai2022",
            "dataset": sources[number % len(sources)],
            "diffusion": {**schedule, "prediction_type": prediction, "timesteps": timesteps_of(schedule)[number // 3 % 4]},
            "network": {
                "hidden_size": [8, 18, 32][number % 3],
                "hidden_layers": 1 + number % 3,
                "time_embedding": ["sinusoidal", "learned"][number // 2 % 2],
                "conditioning": ["add", "multiply"][number % 2],
                "input_features": number * 2 % 5,
                "output_levels": [0, 3, 16][number % 3],
            },
            "training": {
                "epochs": 12,
                "batch_size": 50,
                "validation_fraction": 0,
                "conditioning": ["none", "any"][number // 5 % 2],
                "normalization": ["minmax", "standardize", "none", "quantile"][number // 6 % 4] if number % 6 in (0, 5) else "standardize",
            },
        },
    )
    model = elsewhere.Model(weights)
    T = model.spec["diffusion"]["timesteps"]
    for sampler in SAMPLERS:
        for steps in sorted({1, (T + 1) // 2, T}):
            for clip in True, False:
                agree(trained, job, weights, sampler=sampler, steps=steps, clip=clip, seed=number)
        if model.classes:
            agree(trained, job, weights, sampler=sampler, guidance=3, labels=model.classes - 1, seed=number)
    if T > 2:
        agree(trained, job, weights, sampler="ddim", eta=0.7, steps=T // 2, seed=number)


def test_the_specs_are_all_that_there_are(trained):
    """A choice that is new is part of the program, too."""
    fields = trained.get("/openapi.json").json["components"]["schemas"]["JobRequest"]["properties"]
    diffusion = fields["diffusion"]["properties"]
    assert {schedule["beta_schedule"] for schedule in SCHEDULES} == set(diffusion["beta_schedule"]["enum"])
    assert set(PREDICTIONS) == set(diffusion["prediction_type"]["enum"])
    sample = trained.get("/openapi.json").json["paths"]["/v1/models/{id}/samples"]["get"]["parameters"]
    (sampler,) = [parameter for parameter in sample if parameter.get("name") == "sampler"]
    assert set(SAMPLERS) == set(sampler["schema"]["enum"])
    network = fields["network"]["properties"]
    assert set(network["time_embedding"]["enum"]) == {"sinusoidal", "learned"}
    assert set(network["conditioning"]["enum"]) == {"add", "multiply"}


# ---------------------------------------------------------------- the pages


def test_the_program_is_served(trained):
    program = trained.get("/elsewhere.py")
    assert program.headers["Content-Type"] == "text/x-python; charset=utf-8"
    with open(PROGRAM, "rb") as file:
        assert file.read() == program.body


def test_the_page_names_every_choice(trained):
    html = trained.get("/docs/elsewhere").body.decode()
    schedules = {schedule["beta_schedule"] for schedule in SCHEDULES}
    for word in [*SAMPLERS, *PREDICTIONS, *schedules, "sinusoidal", "learned", "add", "multiply", "zero_terminal_snr", "clip", "input_features", "output_levels", "ratio_min", "ratio_max"]:
        assert re.search(rf"\b{word}\b", html), word


# ---------------------------------------------------------------- parts of it


def test_the_schedule_is_the_servers(trained, default):
    job, weights = default
    model = elsewhere.Model(weights)
    columns = trained.get(f"/v1/models/{job}/schedule").json["data"]
    for name, mine in ("signal", model.signal), ("noise", model.noise):
        assert numpy.allclose(columns[name], mine[1:], rtol=1e-12, atol=0)


def test_philox_is_philox():
    """The known answers of Random123 (Salmon et al. 2011)."""
    assert [int(word[0]) for word in elsewhere.philox(0, 0, 0, [0])] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    full = 2**32 - 1
    words = elsewhere.philox(2**64 - 1, full, full, numpy.array([2**64 - 1], numpy.uint64))
    assert [int(word[0]) for word in words] == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


def test_normals_are_normal():
    z = elsewhere.normals(3, 8, 0, 100_000)
    assert abs(z.mean()) < 0.02 and abs(z.std() - 1) < 0.01 and abs((z**4).mean() - 3) < 0.15
    assert (elsewhere.normals(3, 8, 0, 70) == z[:70]).all()


def test_what_is_left_open(trained, default):
    """The usual sampler and steps of points and of tables, with and without given values."""
    training = {"epochs": 20, "normalization": "quantile", "conditioning": "any"}
    job, weights = train(trained, {"dataset": {"n": 3000}, "training": training})
    agree(trained, *default, strict=True)
    agree(trained, job, weights)
    agree(trained, job, weights, steps=9)
    model = elsewhere.Model(weights)
    timesteps, x, _ = model.trajectory(n=30, seed=4, given=[0.1, numpy.nan])
    answer = trained.post(f"/v1/models/{job}/trajectories", {"n": 30, "seed": 4, "given": {"x": 0.1}}).json
    assert timesteps == answer["timesteps"] and len(timesteps) == 51
    assert numpy.quantile(abs(x[-1] - answer["x"][-1]), 0.95) <= 1e-5


# ---------------------------------------------------------------- as a user runs it


@pytest.mark.parametrize("one_class", [False, True])
def test_the_program_prints_the_servers_samples(trained, default, classes, tmp_path, one_class):
    job, _ = classes if one_class else default
    request = {"n": 120, "seed": 7, "sampler": "ddim", "steps": 20, **({"class": 1, "guidance": 1.5} if one_class else {})}
    (tmp_path / "model.safetensors").write_bytes(export(trained, job))
    run = subprocess.run(
        [sys.executable, PROGRAM, "model.safetensors", *(f"--{key}={value}" for key, value in request.items())],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    mine = numpy.loadtxt(io.StringIO(run.stdout), delimiter=",")
    answer = trained.get(f"/v1/models/{job}/samples.csv?{urllib.parse.urlencode(request)}").body.decode()
    theirs = numpy.loadtxt(io.StringIO(answer), delimiter=",", skiprows=1, usecols=(0, 1))
    assert numpy.quantile(abs(mine - theirs), 0.95) <= 1e-6 and abs(mine - theirs).max() <= 1e-4


def test_it_needs_numpy_and_the_standard_library_only():
    with open(PROGRAM, encoding="utf-8") as file:
        imports = re.findall(r"^(?:import|from) (\w+)", file.read(), re.M)
    assert set(imports) - {"numpy"} <= sys.stdlib_module_names


def test_the_file_alone_is_enough(trained, classes):
    """Everything that the program needs is in the file; what is not a number of the model is said there, too."""
    metadata, _ = elsewhere.read_safetensors(export(trained, classes[0]))
    assert {"spec", "transform", "dim", "classes", "epoch", "kernels", "format"} <= set(metadata)
    spec = json.loads(metadata["spec"])
    assert {"timesteps", "beta_schedule", "prediction_type", "zero_terminal_snr"} <= set(spec["diffusion"])
