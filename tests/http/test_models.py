"""Models as resources: listed, deleted, exported, imported; the file means what its documentation says."""

import hashlib
import json
import urllib.parse

import numpy
import pytest
import safetensors
from conftest import ENDLESS, QUICK, places

BINARY = {"Content-Type": "application/octet-stream"}


def export(server, model):
    answer = server.get(f"/v1/models/{model}/weights.safetensors")
    assert answer.status == 200, answer.body
    return answer.body


def bring(server, data, query=""):
    return server.post("/v1/models" + query, raw=data, headers=BINARY)


@pytest.fixture(scope="module")
def weights(trained):
    return export(trained, trained.job)


# ---------------------------------------------------------------- the file


def test_the_file_is_described_and_complete(trained, weights):
    metadata, tensors = safetensors.read(weights)
    model = trained.get(f"/v1/models/{trained.job}").json
    assert all(isinstance(text, str) for text in metadata.values())
    assert metadata["format"] == "denoised 1" and metadata["epoch"] == "100"
    assert metadata["dim"] == "2" and metadata["classes"] == "0" and metadata["kernels"] == model["kernels"]
    assert json.loads(metadata["spec"]) == model["spec"]
    transform = json.loads(metadata["transform"])
    assert transform["shift"] == model["transform"]["shift"] and transform["scale"] == model["transform"]["scale"]
    assert transform["low"] == [-1, -1] and transform["high"] == [1, 1]
    shapes = {name: array.shape for name, array in tensors.items()}
    assert shapes == {
        "layers.0.weight": (32, 2), "layers.1.weight": (32, 32), "layers.2.weight": (32, 32), "out.weight": (2, 32),
        **{f"layers.{l}.bias": (32,) for l in range(3)}, "out.bias": (2,),
        **{f"layers.{l}.time.weight": (32, 32) for l in range(3)}, **{f"layers.{l}.time.bias": (32,) for l in range(3)},
    }  # fmt: skip
    assert sum(array.size for array in tensors.values()) == model["parameters"]
    (length,) = numpy.frombuffer(weights[:8], "<u8")
    assert length % 8 == 0  # so that the values are aligned


@pytest.mark.parametrize(
    "network,dataset",
    [
        ({"time_embedding": "sinusoidal", "conditioning": "add"}, "spiral"),
        ({"time_embedding": "sinusoidal", "conditioning": "multiply"}, "moons"),
        ({"time_embedding": "learned", "conditioning": "add"}, "moons"),
        ({"time_embedding": "learned", "conditioning": "multiply"}, "s_curve"),
        ({"time_embedding": "sinusoidal", "conditioning": "add"}, ["spiral", "moons"]),
        ({"time_embedding": "learned", "conditioning": "multiply"}, ["moons", "s_curve", "spiral"]),
    ],
)
@pytest.mark.parametrize("normalization", ["minmax", "standardize"])
def test_names_and_shapes_mean_what_they_say(server, network, dataset, normalization):
    """The first estimates of x0 that the server makes are those that numpy computes from the file alone."""
    job = server.submit(
        {"dataset": dataset, "diffusion": {"timesteps": 12, "beta_schedule": "linear",
         "beta_start": 1e-4, "beta_end": 0.003, "prediction_type": "epsilon"},
         "network": {"hidden_size": 18, "hidden_layers": 3, **network},
         "training": {"epochs": 1, "batch_size": 200, "normalization": normalization}}
    )  # fmt: skip
    assert server.wait(job)["status"] == "succeeded"
    metadata, tensors = safetensors.read(export(server, job))
    spec, transform = json.loads(metadata["spec"]), json.loads(metadata["transform"])
    shift, scale = numpy.array(transform["shift"]), numpy.array(transform["scale"])
    way = server.get(f"/v1/models/{job}/trajectories?n=40&clip=false").json
    d = spec["diffusion"]
    betas = numpy.linspace(d["beta_start"], d["beta_end"], 12) * 1000 / 12
    bar = numpy.cumprod(1 - betas)
    for k in (0, 5, 11):
        t = 12 - k
        x = (numpy.array(way["x"][k]) - shift) * scale
        eps = safetensors.predict(metadata, tensors, x, t, places(way))
        estimate = (x - numpy.sqrt(1 - bar[t - 1]) * eps) / numpy.sqrt(bar[t - 1])
        assert numpy.allclose(estimate / scale + shift, way["x0"][k], atol=2e-4), (k, t)


def test_clipping_uses_the_range_in_the_file(server):
    job = server.submit({**QUICK, "training": {**QUICK["training"], "normalization": "standardize"}})
    server.wait(job)
    transform = json.loads(safetensors.read(export(server, job))[0]["transform"])
    low = numpy.array(transform["low"]) / transform["scale"] + transform["shift"]
    high = numpy.array(transform["high"]) / transform["scale"] + transform["shift"]
    x0 = numpy.array(server.get(f"/v1/models/{job}/trajectories?n=500").json["x0"])
    assert numpy.allclose(x0.min(axis=(0, 1)), low, atol=1e-5) and numpy.allclose(x0.max(axis=(0, 1)), high, atol=1e-5)


def test_a_model_with_classes_travels(server):
    job = server.submit({**QUICK, "dataset": [{"name": "spiral", "n": 100}, {"name": "moons", "n": 100}]})
    server.wait(job)
    data = export(server, job)
    metadata, tensors = safetensors.read(data)
    assert metadata["classes"] == "2" and tensors["layers.0.label.weight"].shape == (3, 8)
    again = bring(server, data)
    assert again.status == 201 and export(server, again.json["id"]) == data


def test_a_model_of_an_upload_travels_without_its_data(trained, server):
    """To a server that does not have the data set, with three coordinates and the names of its classes."""
    random = numpy.random.default_rng(3)
    rows = [f"{x},{y},{z},{'red' if x > 0 else 'blue'}" for x, y, z in random.normal(size=(90, 3))]
    uploaded = server.post("/v1/datasets", raw=("x,y,z,class\n" + "\n".join(rows)).encode(), headers={"Content-Type": "text/csv"})
    assert uploaded.status == 201, uploaded.body
    job = server.submit({**QUICK, "preset": "default", "dataset": {"id": uploaded.json["id"]}})
    assert server.wait(job)["status"] == "succeeded"
    data = export(server, job)
    metadata, tensors = safetensors.read(data)
    assert metadata["dim"] == "3" and metadata["classes"] == "2" and tensors["out.weight"].shape == (3, 8)
    model = bring(trained, data)
    assert model.status == 201, model.body
    original = server.get(f"/v1/models/{job}").json
    assert model.json["classes"] == original["classes"] and model.json["dim"] == 3
    path = "/v1/models/{}/samples.npy?n=100&class=1&seed=2"
    assert trained.get(path.format(model.json["id"])).body == server.get(path.format(job)).body
    assert trained.request("DELETE", f"/v1/models/{model.json['id']}").status == 204


# ---------------------------------------------------------------- import


def test_an_imported_model_draws_the_same_bytes(trained, weights, server):
    answer = bring(server, weights)
    assert answer.status == 201, answer.body
    model = answer.json
    assert answer.headers["Location"] == f"/v1/models/{model['id']}"
    assert model["job"] is None and "job" not in model["links"]
    assert server.get(answer.headers["Location"]).json == model
    original = trained.get(f"/v1/models/{trained.job}").json
    for key in ("name", "epoch", "dim", "parameters", "transform", "spec", "kernels", "bytes"):
        assert model[key] == original[key], key
    for path in (
        "samples.npy?n=500&seed=3", "samples.csv?n=300&seed=4", "samples.svg?n=100", "samples.png?n=100",
        "samples.txt?n=100", "samples.npy?n=50&clip=false", "trajectories.npy?n=50&seed=2", "trajectories.npy?n=50&which=x0",
        "trajectories.ndjson?n=20", "trajectories.gif?n=20&frames=5", "trajectories.txt?n=20", "trajectories.png?n=20",
    ):  # fmt: skip
        ours = server.get(f"/v1/models/{model['id']}/{path}")
        theirs = trained.get(f"/v1/models/{trained.job}/{path}")
        assert ours.status == 200 and ours.body == theirs.body, path
    ours = server.get(f"/v1/models/{model['id']}/samples").json
    theirs = trained.get(f"/v1/models/{trained.job}/samples").json
    assert ours["points"] == theirs["points"] and ours["model"] == model["id"]


def test_an_import_can_be_exported_and_has_a_name(server, weights):
    model = bring(server, weights).json["id"]
    assert export(server, model) == weights
    named = bring(server, weights, "?name=from%20afar").json
    assert named["name"] == "from afar"
    answer = server.get(f"/v1/models/{named['id']}/weights.safetensors")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="from_afar.safetensors"'
    assert safetensors.read(answer.body)[0]["name"] == "from afar"
    assert bring(server, answer.body).json["name"] == "from afar"
    for name, plain, encoded in [
        ("größe", "gr__e", "gr%C3%B6%C3%9Fe"),
        ("スパイラル 2", "______2", "%E3%82%B9%E3%83%91%E3%82%A4%E3%83%A9%E3%83%AB_2"),
        ("\U0001f300/../" + "é" * 30 + "x" * 32, "_" * 35 + "x" * 28, "%F0%9F%8C%80____" + "%C3%A9" * 30 + "x" * 28),
    ]:
        model = bring(server, weights, f"?name={urllib.parse.quote(name)}").json["id"]
        header = server.get(f"/v1/models/{model}/weights.safetensors").headers["Content-Disposition"]
        assert header == f"attachment; filename=\"{plain}.safetensors\"; filename*=UTF-8''{encoded}.safetensors"
    assert server.get("/v1/models/latest").json["job"] is None


def test_a_file_written_elsewhere_is_as_good(server, weights):
    """Other order of tensors, other spacing of the header, keys that we do not know."""
    metadata, tensors = safetensors.read(weights)
    metadata["made_by"] = "numpy"
    shuffled = dict(sorted(tensors.items(), reverse=True))
    for data in (safetensors.write(metadata, shuffled), safetensors.write(metadata, tensors)):
        answer = bring(server, data)
        assert answer.status == 201, answer.body
        assert export(server, answer.json["id"]) == weights


def test_moments_come_and_go(server):
    """A model whose schedule reaches noise has the moments of its data; a file with none is taken, one with some is not."""
    job = server.submit({"dataset": {"name": "moons", "n": 300}, "training": {"epochs": 2}})
    assert server.wait(job)["status"] == "succeeded"
    data = export(server, job)
    metadata, tensors = safetensors.read(data)
    moments = {name: array for name, array in tensors.items() if name.startswith("moments.")}
    assert {name: array.shape for name, array in moments.items()} == {
        "moments.mean": (2,), "moments.variance": (2,), "moments.axes": (2, 2), "moments.open": (32, 2),
    }  # fmt: skip
    points = numpy.array(server.get("/v1/datasets/moons/points?n=300").json["points"])
    transform = {key: numpy.array(value) for key, value in json.loads(metadata["transform"]).items()}
    assert numpy.allclose(moments["moments.mean"], 0, atol=1e-6), "standardized"
    v, axes = moments["moments.variance"], moments["moments.axes"]
    units = (points - transform["shift"]) * transform["scale"]
    assert numpy.allclose(axes.T @ numpy.diag(v) @ axes, numpy.cov(units.T, bias=True), atol=2e-3)
    again = bring(server, data).json["id"]
    assert export(server, again) == data
    query = "/samples.csv?n=50&seed=3"
    assert server.get(f"/v1/models/{again}{query}").body == server.get(f"/v1/models/{job}{query}").body
    network = {name: array for name, array in tensors.items() if name not in moments}
    plain = bring(server, safetensors.write(metadata, network)).json["id"]
    assert server.get(f"/v1/models/{plain}{query}").body != server.get(f"/v1/models/{job}{query}").body
    assert safetensors.read(export(server, plain))[1].keys() == network.keys()
    for name, array in moments.items():
        some = safetensors.write(metadata, {**network, name: array})
        answer = server.post("/v1/models", raw=some, headers={"Content-Type": "application/octet-stream"})
        assert answer.status == 422 and answer.json["code"] == "invalid_safetensors", answer.body
        assert {error["pointer"] for error in answer.json["errors"]} == {f"/{other}" for other in moments if other != name}
        wrong = safetensors.write(metadata, {**tensors, name: array - 2})
        answer = server.post("/v1/models", raw=wrong, headers={"Content-Type": "application/octet-stream"})
        assert answer.status == (201 if name == "moments.mean" else 422), answer.body


def test_an_import_outlives_a_crash(server, weights):
    model = bring(server, weights).json["id"]
    before = server.get(f"/v1/models/{model}/samples.npy?n=10").body
    server.kill()
    server.start()
    assert server.get(f"/v1/models/{model}/samples.npy?n=10").body == before


# ---------------------------------------------------------------- tags and ranges


def test_the_tag_is_the_digest(trained, weights):
    path = f"/v1/models/{trained.job}/weights.safetensors"
    answer = trained.get(path)
    tag = answer.headers["ETag"]
    assert tag == f'"{hashlib.sha256(weights).hexdigest()}"'
    assert answer.headers["Accept-Ranges"] == "bytes" and answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{trained.job}.safetensors"'
    head = trained.request("HEAD", path)
    assert head.status == 200 and head.headers["ETag"] == tag and int(head.headers["Content-Length"]) == len(weights)
    for condition in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = trained.get(path, headers={"If-None-Match": condition})
        assert answer.status == 304 and answer.body == b"" and answer.headers["ETag"].endswith(tag)
    assert trained.get(path, headers={"If-None-Match": '"x"'}).status == 200
    by_accept = trained.get(path.removesuffix(".safetensors"), headers={"Accept": "application/octet-stream"})
    assert by_accept.body == weights
    assert trained.get(path.removesuffix(".safetensors"), headers={"Accept": "text/html"}).status == 406


def test_ranges(trained, weights):
    path, size = f"/v1/models/{trained.job}/weights.safetensors", len(weights)
    parts = {
        "bytes=0-7": (0, 7), "bytes=100-": (100, size - 1), "bytes=-10": (size - 10, size - 1),
        f"bytes={size - 1}-{size + 5}": (size - 1, size - 1), "bytes=-99999999": (0, size - 1), "bytes=5-5": (5, 5),
    }  # fmt: skip
    for header, (first, last) in parts.items():
        answer = trained.get(path, headers={"Range": header})
        assert answer.status == 206 and answer.body == weights[first : last + 1], header
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
    for header in (f"bytes={size}-", "bytes=-0", "bytes=999999999999999999-"):
        answer = trained.get(path, headers={"Range": header})
        assert answer.status == 416 and answer.headers["Content-Range"] == f"bytes */{size}", header
    for header in ("bytes=5-3", "lines=1-2", "bytes=", "bytes=-", "bytes=a-b", "bytes=0-1,4-5", "bytes=1-2x", "bytes=+1-2", "bytes=0-" + "9" * 30):
        assert trained.get(path, headers={"Range": header}).body == weights, header
    tag = trained.get(path).headers["ETag"]
    assert trained.get(path, headers={"Range": "bytes=0-3", "If-Range": tag}).status == 206
    assert trained.get(path, headers={"Range": "bytes=0-3", "If-Range": '"other"'}).body == weights


# ---------------------------------------------------------------- list and delete


def test_models_are_listed_newest_first_in_pages(server, weights):
    ids = [bring(server, weights, f"?name=m{i}").json["id"] for i in range(5)]
    job = server.submit(QUICK)
    server.wait(job)
    ids.append(job)
    ids.sort(reverse=True)
    whole = server.get("/v1/models").json
    assert [model["id"] for model in whole["items"]] == ids and not whole["has_more"] and whole["next"] is None
    assert [model["job"] for model in whole["items"]].count(None) == 5
    seen, after = [], ""
    while after is not None:
        page = server.get(f"/v1/models?limit=2{after and '&after=' + after}").json
        assert len(page["items"]) <= 2 and page["has_more"] == (page["next"] is not None)
        seen += [model["id"] for model in page["items"]]
        after = page["next"]
    assert seen == ids
    # a page may begin after a model that is gone
    assert server.request("DELETE", f"/v1/models/{ids[2]}").status == 204
    assert [m["id"] for m in server.get(f"/v1/models?after={ids[2]}").json["items"]] == ids[3:]
    one = server.get(f"/v1/models/{ids[0]}").json
    listed = server.get("/v1/models?limit=1").json["items"][0]
    assert listed == {key: one[key] for key in listed}


@pytest.mark.parametrize("query", ["after=x", "limit=0", "limit=201", "limt=3", "after=" + "a" * 36])
def test_wrong_lists(server, query):
    assert server.get(f"/v1/models?{query}").status == 422


def test_a_model_is_deleted_for_good_and_its_job_stays(server):
    job = server.submit(QUICK)
    done = server.wait(job)
    before = server.get(f"/v1/models/{job}/samples.npy").body
    history = server.get(f"/v1/jobs/{job}/history").json
    assert server.request("DELETE", f"/v1/models/{job}").status == 204
    for path in ("", "/samples", "/trajectories", "/weights.safetensors"):
        answer = server.get(f"/v1/models/{job}{path}")
        assert answer.status == 404 and answer.json["code"] == "model_deleted"
    assert server.request("DELETE", f"/v1/models/{job}").json["code"] == "model_deleted"
    assert server.get(f"/v1/jobs/{job}").json == {**done, "model": None, "arithmetic": None}
    assert server.get(f"/v1/jobs/{job}/history").json == history
    assert server.sql("SELECT (SELECT count(*) FROM model) + (SELECT count(*) FROM checkpoint)") == [(0,)]
    # training it further begins anew, and ends in the same place
    assert server.post(f"/v1/jobs/{job}/resume", {"epochs": 4}).status == 202
    assert server.wait(job)["progress"]["epoch"] == 4
    again = server.submit({**QUICK, "training": {**QUICK["training"], "epochs": 4}})
    server.wait(again)
    path = "/v1/models/{}/samples.npy"
    assert server.get(path.format(job)).body == server.get(path.format(again)).body != before


def test_a_job_tells_whether_it_has_a_model(start):
    server = start("--workers", "1")
    job = server.submit(ENDLESS)
    waiting = server.submit(QUICK)
    assert server.get(f"/v1/jobs/{waiting}").json["model"] is None
    server.wait_for_epoch(job, 1)
    assert server.get(f"/v1/jobs/{job}").json["model"] == job


def test_a_model_in_training_is_not_deleted(server):
    job = server.submit(ENDLESS)
    server.wait_for_epoch(job, 1)
    answer = server.request("DELETE", f"/v1/models/{job}")
    assert answer.status == 409 and answer.json["code"] == "model_in_training"
    assert server.get(f"/v1/models/{job}").status == 200
    server.post(f"/v1/jobs/{job}/cancel")
    server.wait(job)
    assert server.request("DELETE", f"/v1/models/{job}").status == 204


def test_an_imported_model_is_deleted_whole(server, weights):
    model = bring(server, weights).json["id"]
    assert server.request("DELETE", "/v1/models/latest").status == 204
    answer = server.get(f"/v1/models/{model}")
    assert answer.status == 404 and answer.json["code"] == "no_such_model"
    assert server.request("DELETE", f"/v1/models/{model}").status == 404
    assert server.request("DELETE", "/v1/models/latest").status == 404
    assert server.request("DELETE", "/v1/models/nonsense").status == 404


def test_the_epoch_is_that_of_the_weights(server):
    job = server.submit({**QUICK, "training": {"epochs": 30, "batch_size": 50, "learning_rate": 0.5, "keep_best": True}})
    server.wait(job)
    losses = server.get(f"/v1/jobs/{job}/history").json["data"]["val_loss"]
    best = 1 + losses.index(min(losses))
    assert best < 30 and server.get(f"/v1/models/{job}").json["epoch"] == best
    assert server.get("/v1/models").json["items"][0]["epoch"] == best
    assert safetensors.read(export(server, job))[0]["epoch"] == str(best)


def test_deleting_the_job_takes_the_model(server):
    job = server.submit(QUICK)
    server.wait(job)
    assert server.request("DELETE", f"/v1/jobs/{job}").status == 204
    assert server.get("/v1/models").json["items"] == []


# ---------------------------------------------------------------- the schedule


def expected_schedule(betas):
    alpha = 1 - betas
    bar = numpy.cumprod(alpha)
    before = numpy.concatenate([[1], bar[:-1]])
    return {
        "beta": betas, "alpha": alpha, "alpha_bar": bar, "signal": numpy.sqrt(bar), "noise": numpy.sqrt(1 - bar),
        "snr": bar / (1 - bar), "posterior_variance": betas * (1 - before) / (1 - bar),
    }  # fmt: skip


def cosine(T):
    t = numpy.arange(T + 1)
    bar = numpy.cos((t / T + 0.008) / 1.008 * numpy.pi / 2) ** 2
    return numpy.clip(1 - bar[1:] / bar[:-1], 0, 0.999)


@pytest.mark.parametrize(
    "diffusion,betas,reaches",
    [
        ({"timesteps": 1000, "beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}, numpy.linspace(1e-4, 0.02, 1000), True),
        ({"timesteps": 10, "beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 1e-3}, numpy.linspace(1e-2, 0.1, 10), False),
        ({"timesteps": 100, "beta_schedule": "cosine"}, cosine(100), True),
        ({"timesteps": 1, "beta_schedule": "linear", "beta_start": 9e-4, "beta_end": 9e-4}, numpy.array([0.9]), False),
    ],
)  # fmt: skip
def test_the_schedule_is_that_of_numpy(server, diffusion, betas, reaches):
    job = server.submit({**QUICK, "diffusion": diffusion})
    server.wait(job)
    answer = server.get(f"/v1/models/{job}/schedule").json
    assert answer["timesteps"] == len(betas) and answer["data"]["t"] == list(range(1, len(betas) + 1))
    assert answer["columns"] == ["t", "beta", "alpha", "alpha_bar", "signal", "noise", "snr", "posterior_variance"]
    for name, values in expected_schedule(betas).items():
        assert numpy.allclose(answer["data"][name], values, rtol=1e-9, atol=1e-15), name
    assert answer["terminal_snr"] == answer["data"]["snr"][-1]
    assert answer["reaches_noise"] is reaches and (answer["warning"] is None) is reaches
    lines = server.get(f"/v1/models/{job}/schedule.csv").body.decode().split("\r\n")
    assert lines[0].split(",") == answer["columns"] and lines[-1] == "" and len(lines) == len(betas) + 2
    assert [float(cell) for cell in lines[-2].split(",")] == [answer["data"][c][-1] for c in answer["columns"]]
    picture = server.get(f"/v1/models/{job}/schedule.svg")
    assert picture.headers["Content-Type"] == "image/svg+xml" and b">signal<" in picture.body


def test_the_tutorial_is_warned_of(trained):
    schedule = trained.get(f"/v1/models/{trained.job}/schedule").json
    assert abs(schedule["terminal_snr"] - 19.9) < 0.05 and not schedule["reaches_noise"]
    assert "19.9" in schedule["warning"]
    assert schedule["data"]["alpha_bar"][-1] == pytest.approx(0.952, abs=5e-4)
    warnings = trained.get(f"/v1/jobs/{trained.job}").json["warnings"]
    assert warnings == [{"code": "schedule_keeps_signal", "detail": schedule["warning"]}]
    assert trained.post("/v1/jobs?validate_only=true", {"preset": "sinai2022"}).json["warnings"] == warnings
    assert trained.post("/v1/jobs?validate_only=true", {}).json["warnings"] == []
    assert [job["warnings"] for job in trained.get(f"/v1/jobs?search={trained.job}").json["items"]] == [warnings]
