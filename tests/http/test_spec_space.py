"""The space of jobs that the description allows: any two values of any two fields meet in one that is trained."""

import io
import itertools
import json
import random

import numpy
import pytest

from conftest import PATIENCE, not_sanitized

GROUPS = ("diffusion", "network", "training")
SAMPLERS = ("ddpm", "ddim", "dpmpp_2m", "heun", "euler", "dpmpp_2m_sde")
# What would only cost time, or keep the answer from coming.
CHEAP = {"training/epochs": [1, 2], "training/threads": [0, 1, 2], "training/evaluate_every": [0, 1]}
OF_IMAGES = ("network/channels", "network/blocks", "network/patch")  # no data here has images
ABSENT = "absent"  # the preset's value
CHEAP["network/kind"] = [ABSENT, "mlp"]
DATASETS = [
    {"name": "spiral", "n": 1},
    {"name": "moons", "n": 2},
    {"name": "eight_gaussians", "n": 129},
    {"name": "letters", "n": 300},
    [{"name": "star", "n": 1}, {"name": "rose", "n": 1}],
    [{"name": name, "n": 50} for name in ("spiral", "moons", "heart")],
]


def values_of(schema):
    """Extremes, their neighbors, and something in between."""
    if "enum" in schema:
        return schema["enum"]
    if schema["type"] == "boolean":
        return [False, True]
    low, high = schema["minimum"], schema["maximum"]
    if schema["type"] == "number":
        return [low, high, low + (high - low) * 1e-3, low + (high - low) * 0.2]
    step = schema.get("multipleOf", 1)
    near = [low, low + step, 128, 130, high]
    return sorted({value for value in near if low <= value <= high})


def space(server):
    """Each field's name and values."""
    schemas = server.get("/openapi.json").json["components"]["schemas"]
    fields = {"dataset": [json.dumps(each) for each in DATASETS], "seed": [ABSENT, 2**53 - 1]}
    for group in GROUPS:
        for name, schema in schemas["JobRequest"]["properties"][group]["properties"].items():
            path = f"{group}/{name}"
            if path not in OF_IMAGES:
                fields[path] = CHEAP.get(path) or [ABSENT, *values_of(schema)]
    return fields


def job_of(place):
    job = {"training": {}}
    for path, value in place.items():
        group, _, name = path.rpartition("/")
        if value != ABSENT:
            (job.setdefault(group, {}) if group else job)[name] = json.loads(value) if path == "dataset" else value
    return job


def is_cheap(job):
    network, T = job.get("network", {}), job.get("diffusion", {}).get("timesteps", 100)
    H, L = network.get("hidden_size", 32), network.get("hidden_layers", 6)
    measures = job["training"].get("evaluate_every")  # by 500 points in T steps
    return H * H * L <= 2**20 and H * L * T <= (2**16 if measures else 2**22)


def pairs_of(place):
    return {frozenset(pair) for pair in itertools.combinations(place.items(), 2)}


class Pairwise:
    """Jobs in which all pairs of values meet that the server takes."""

    def __init__(self, server):
        self.server = server
        self.fields = space(server)
        self.random = random.Random(1)
        self.open = {
            frozenset(((f, i), (g, j)))
            for f, g in itertools.combinations(self.fields, 2)
            for i in self.fields[f]
            for j in self.fields[g]
        }
        self.total = len(self.open)
        self.refused = []

    def fill(self, place, greed):
        for path in self.random.sample(list(self.fields), len(self.fields)):
            if path in place:
                continue
            choices = self.random.sample(self.fields[path], len(self.fields[path]))
            if self.random.random() < greed:
                choices.sort(key=lambda v: -sum(frozenset(((path, v), had)) in self.open for had in place.items()))
            place[path] = choices[0]
        return place

    def find(self, pair):
        for tried in range(60):
            place = self.fill(dict(pair), 1 - tried / 60)
            job = job_of(place)
            if is_cheap(job) and self.server.fetch("POST", "/v1/jobs?validate_only=true", job).status == 200:
                return place
        return None

    def __iter__(self):
        while self.open:
            pair = min(self.open, key=lambda each: sorted(map(str, each)))
            place = self.find(pair)
            if place is None:
                self.refused.append(sorted(pair, key=str))
                self.open.discard(pair)
                continue
            self.open -= pairs_of(place)
            yield job_of(place)


def numbers_in(points):
    assert points and all(isinstance(value, (int, float)) for point in points for value in point), points[:3]


def draw(server, job, i):
    """By a sampler, in every format: numbers everywhere."""
    query = f"n=3&sampler={SAMPLERS[i % 5]}&steps=1&seed={i}"
    base = f"/v1/models/{job}"
    answer = server.get(f"{base}/samples?{query}")
    assert answer.status == 200, answer.body
    numbers_in(answer.json["points"])
    array = numpy.load(io.BytesIO(server.get(f"{base}/samples.npy?{query}").body))
    assert array.shape == (3, 2) and numpy.isfinite(array).all()
    assert not any(word in server.get(f"{base}/samples.csv?{query}").body.lower() for word in (b"nan", b"inf"))
    frames = server.get(f"{base}/trajectories?n=2&frames=2&sampler={SAMPLERS[i % 5]}")
    assert frames.status == 200, frames.body
    for frame in frames.json["x"] + frames.json["x0"]:
        numbers_in(frame)
    suffix, what = (("svg", "samples"), ("png", "samples"), ("gif", "trajectories"), ("ndjson", "trajectories"))[i % 4]
    answer = server.get(f"{base}/{what}.{suffix}?n=2{'&frames=2' if what == 'trajectories' else ''}")
    assert answer.status == 200 and b"nan" not in answer.body[:500].lower(), answer.body[:200]


@not_sanitized("test_spec_space of tests/unit does the same without HTTP")
def test_every_pair_of_values_trains_and_is_sampled_or_says_why(server):
    jobs, ends = Pairwise(server), {}
    for i, job in enumerate(jobs):
        answer = server.post("/v1/jobs", job, headers={"Prefer": "wait=30"})
        assert answer.status == 201, (job, answer.body)
        state = answer.json
        if state["status"] not in ("succeeded", "failed"):
            state = server.wait(state["id"])
        ends[state["status"]] = ends.get(state["status"], 0) + 1
        if state["status"] == "failed":
            assert state["error"]["code"] == "diverged", (job, state["error"])
        else:
            draw(server, state["id"], i)
            history = server.get(f"/v1/jobs/{state['id']}/history").json["data"]
            assert None not in history["train_loss"] + history["gradient_norm"], job
            if i % 5 == 0:
                answer = server.get(f"/v1/models/{state['id']}/evaluation?n=16&steps=1")
                assert answer.status in (200, 409, 422), (job, answer.body)
    assert jobs.total > 3000 and len(jobs.refused) < jobs.total / 50, jobs.refused
    assert ends["succeeded"] > 2 * ends.get("failed", 0) and sum(ends.values()) < 200, ends


def test_a_model_that_cannot_be_sampled_from_is_no_success(server):
    job = {
        "dataset": {"name": "spiral", "n": 2},
        "training": {"learning_rate": 10, "loss": "mae", "weight_decay": 10, "epochs": 60, "validation_fraction": 0},
    }
    state = server.wait(server.submit(job))
    assert state["status"] == "failed" and state["error"]["code"] == "diverged"
    assert any(word in state["error"]["detail"] for word in ("not finite", "finite")), state["error"]


def wild(server, trained_weights, change):
    """Imports a model's file after a change to its transform."""
    length = int.from_bytes(trained_weights[:8], "little")
    header = json.loads(trained_weights[8 : 8 + length])
    transform = json.loads(header["__metadata__"]["transform"])
    change(transform)
    header["__metadata__"]["transform"] = json.dumps(transform)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    raw = len(text).to_bytes(8, "little") + text + trained_weights[8 + length :]
    answer = server.request("POST", "/v1/models", raw=raw, headers={"Content-Type": "application/octet-stream"})
    assert answer.status == 201, answer.body
    return answer.json["id"]


@pytest.fixture(scope="module")
def weights(trained):
    return trained.get(f"/v1/models/{trained.job}/weights.safetensors").body


@pytest.mark.parametrize("suffix", ["json", "csv", "npy", "svg", "png", "txt"])
def test_points_beyond_a_float_are_a_problem_in_every_format(server, weights, suffix):
    tiny = wild(server, weights, lambda transform: transform.update(scale=[1e-200, 1e-200]))
    answer = server.get(f"/v1/models/{tiny}/samples.{suffix}?n=5")
    assert answer.status == 422 and answer.json["code"] == "not_finite", answer.body[:200]
    assert "finite" in answer.json["detail"]


@pytest.mark.parametrize("suffix", ["json", "ndjson", "npy", "gif", "txt"])
def test_so_are_trajectories(server, weights, suffix):
    far = wild(server, weights, lambda transform: transform.update(shift=[1e300, 0]))
    answer = server.get(f"/v1/models/{far}/trajectories.{suffix}?n=2&frames=3")
    assert answer.status == 422 and answer.json["code"] == "not_finite", answer.body[:200]


def test_so_is_an_evaluation_and_wild_noise(server, weights):
    tiny = wild(server, weights, lambda transform: transform.update(scale=[1e-200, 1]))
    answer = server.get(f"/v1/models/{tiny}/evaluation?n=16")
    assert answer.status == 422 and answer.json["code"] == "not_finite", answer.body[:300]
    fine = wild(server, weights, lambda transform: None)
    noise = [[3e38, -3e38]]
    answer = server.post(f"/v1/models/{fine}/samples", {"noise": noise, "clip": False, "sampler": "ddim"})
    assert answer.status in (200, 422)
    if answer.status == 200:
        numbers_in(answer.json["points"])
    else:
        assert answer.json["code"] == "not_finite" and "clip" in answer.json["detail"]


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("schedule", ["linear", "quadratic"])
def test_a_forward_process_whose_signal_vanishes_stays_finite(server, schedule, zero):
    """beta 0.999 at each of 1000 steps: the product is 0 in double precision, and 0/0 was a null."""
    job = {
        "dataset": {"name": "spiral", "n": 50},
        "diffusion": {
            "timesteps": 1000, "beta_schedule": schedule, "beta_start": 0.5, "beta_end": 0.999,
            "prediction_type": "sample", "zero_terminal_snr": zero,
        },
        "training": {"epochs": 1},
    }  # fmt: skip
    state = server.wait(server.submit(job), seconds=60 * PATIENCE)
    assert state["status"] == "succeeded", state["error"]
    for sampler in SAMPLERS:
        for steps in (1, 2, 7, 1000):
            answer = server.get(f"/v1/models/{state['id']}/samples?n=3&sampler={sampler}&steps={steps}")
            assert answer.status == 200, (sampler, steps, answer.body)
            numbers_in(answer.json["points"])
    columns = server.get(f"/v1/models/{state['id']}/schedule").json["data"]
    assert all(None not in column for column in columns.values())
