"""Jobs that train on images, from the upload to samples of the model."""

import io
import json
import re

import numpy
import pytest
import safetensors
from conftest import Server
from test_images import idx, made, post_form, random_images

NETWORK = {"kind": "unet", "channels": [16, 32], "blocks": [1, 1], "patch": 2}
QUICK = {"diffusion": {"timesteps": 100}, "network": {"channels": [16, 32]}, "training": {"batch_size": 32, "epochs": 60, "ema_decay": 0.9}}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("image_jobs")))
    yield server
    assert server.stop() == 0, server.read_log()


def halves():
    """Two pictures: the left half is white, or the upper half."""
    images = numpy.zeros((400, 8, 8), dtype="u1")
    images[0::2, :, :4] = 255
    images[1::2, :4] = 255
    return images, numpy.arange(400) % 2


@pytest.fixture(scope="module")
def dataset(store):
    images, labels = halves()
    return made(post_form(store, idx(images), idx(labels), "?name=halves"))


@pytest.fixture(scope="module")
def job(store, dataset):
    state = store.wait(store.submit({"dataset": dataset["id"], **QUICK}), seconds=120)
    assert state["status"] == "succeeded", state
    return state


def array(answer):
    assert answer.status == 200, answer.body
    return numpy.load(io.BytesIO(answer.body))


def test_images_are_trained_with_a_unet(store, dataset, job):
    spec = job["spec"]
    assert spec["preset"] == "images" and spec["network"] == NETWORK
    assert spec["dataset"] == {"id": dataset["id"], "seed": 0, "name": "halves", "n": 400, "dim": 64, "shape": [8, 8, 1], "classes": ["0", "1"]}
    assert spec["diffusion"]["beta_schedule"] == "cosine" and spec["training"]["normalization"] == "minmax"
    assert [each["detail"][:19] for each in job["warnings"]] == ["360 training images"]
    validated = store.post("/v1/jobs?validate_only=true", spec)
    assert validated.status == 200 and validated.json["spec"] == spec
    assert job["metrics"]["val_loss"] < 0.2  # v has the variance 1 at most, in model units
    model = store.get(f"/v1/models/{job['id']}").json
    assert model["transform"] == {"shift": [127.5], "scale": [2 / 255]}
    assert model["dim"] == 64 and model["columns"] == [] and model["classes"] == ["0", "1"]
    assert model["sampling"] == {
        **{"sampler": "dpmpp_2m", "steps": 20},
        **{"guidance": 2, "guidance_ratio_min": 0.2, "guidance_ratio_max": 5},
    }


def test_samples_are_the_pictures_of_their_class(store, job):
    images, _ = halves()
    for label in (0, 1):
        drawn = array(store.fetch("GET", f"/v1/models/{job['id']}/samples.npy?n=20&label={label}")).reshape(20, 8, 8)
        assert drawn.min() >= 0 and drawn.max() <= 255
        assert numpy.abs(drawn - images[label]).mean() < 40
    answer = store.get(f"/v1/models/{job['id']}/samples.json?n=1").json
    assert answer["guidance"] == 2 and answer["guidance_ratio_min"] == 0.2 and answer["guidance_ratio_max"] == 5
    assert answer["steps"] == 20 and answer["sampler"] == "dpmpp_2m"
    for sampler in ("ddpm", "ddim", "heun", "euler", "dpmpp_2m_sde"):
        drawn = array(store.fetch("GET", f"/v1/models/{job['id']}/samples.npy?n=3&sampler={sampler}&steps=10"))
        assert drawn.min() >= 0 and drawn.max() <= 255
    noise = numpy.full((1, 64), 127.5).tolist()
    assert store.post(f"/v1/models/{job['id']}/samples", {"noise": noise, "guidance": 1}).status == 200


def test_guidance_keeps_its_usual_limits(store, job):
    """Unless others are asked for."""
    url = f"/v1/models/{job['id']}/samples.json?n=1&guidance=3"
    usual = store.get(url).json
    assert (usual["guidance"], usual["guidance_ratio_min"], usual["guidance_ratio_max"]) == (3, 0.2, 5)
    whole = store.get(f"{url}&guidance_ratio_min=0&guidance_ratio_max=10000").json
    assert whole["evaluations"] == 40 > usual["evaluations"] > 20
    refused = store.get(f"{url}&guidance_ratio_max=0.1")
    assert refused.status == 422
    assert refused.json["errors"] == [{"pointer": "/guidance_ratio_max", "detail": "must be at least guidance_ratio_min, 0.2"}]


def test_without_n_there_are_as_many_images_as_a_request_may_cost(start, store, job):
    """Even of a network so large that 100 images are too many."""
    weights = store.fetch("GET", f"/v1/models/{job['id']}/weights.safetensors").body
    server = start("--max-sample-cost", "2e9")
    model = made(server.post("/v1/models", raw=weights, headers={"Content-Type": "application/octet-stream"}))
    url = f"/v1/models/{model['id']}/samples"
    refused = server.get(f"{url}.json?n=100").json
    assert refused["code"] == "too_expensive"
    most = int(re.search(r"allows n = (\d+)", refused["detail"])[1])
    assert 5 < most < 100 and server.get(f"{url}.json?n={most + 1}").json["code"] == "too_expensive"
    assert server.get(f"{url}.json").json["n"] == most and server.get(f"{url}.json?n={most}").status == 200
    assert len(array(server.fetch("GET", f"{url}.npy"))) == most
    turns = server.get(f"{url}.json?balance=true").json["labels"]
    assert turns.count("0") == turns.count("1") == most // 2  # as many of each class
    for path in (f"{url}.png", f"/v1/models/{model['id']}/trajectories.gif?frames=3", f"/v1/models/{model['id']}/trajectories.png?frames=3"):
        assert server.fetch("GET", path).status == 200, path
    server.stop()
    answer = start("--max-sample-cost", "1e3").get(f"{url}.png")  # not even one
    assert answer.status == 422 and "which allows n = 0" in answer.json["detail"]


def test_trajectories_as_tensors_have_the_shape_of_images(store, job):
    url = f"/v1/models/{job['id']}/trajectories"
    query = "?n=3&seed=5&steps=4&frames=3"
    metadata, tensors = safetensors.read(store.fetch("GET", f"{url}.safetensors{query}").body)
    for which, frames in (("x", 3), ("x0", 2)):
        whole = array(store.fetch("GET", f"{url}.npy{query}&which={which}"))
        assert whole.shape == tensors[which].shape == (frames, 3, 8, 8, 1) and (whole == tensors[which]).all()
    assert json.loads(metadata["answer"])["n"] == 3
    _, forward = safetensors.read(store.fetch("GET", "/v1/datasets/digits/forward.safetensors?n=2&frames=4").body)
    assert forward["x"].shape == (4, 2, 28, 28, 1) and forward["x0"].shape == (3, 2, 28, 28, 1)


def test_weights_go_out_and_come_back(store, job):
    weights = store.fetch("GET", f"/v1/models/{job['id']}/weights.safetensors").body
    size = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8 : 8 + size])
    assert header["in.weight"]["shape"] == [16, 4, 3, 3]
    assert json.loads(header["__metadata__"]["transform"]) == {"shift": [127.5], "scale": [2 / 255], "low": [-1], "high": [1]}
    answer = store.post("/v1/models", raw=weights, headers={"Content-Type": "application/octet-stream"})
    assert answer.status == 201, answer.body
    one, other = (array(store.fetch("GET", f"/v1/models/{of['id']}/samples.npy?n=5&seed=3")) for of in (job, answer.json))
    assert (one == other).all()


@pytest.mark.parametrize(
    ("changed", "pointer", "said"),
    [
        ({"network": {"kind": "mlp"}}, "/network/kind", "for images"),
        ({"network": {"channels": [32, 40]}}, "/network/channels/1", "multiple of 16"),
        ({"network": {"channels": 32}}, "/network/channels", "list of two"),
        ({"network": {"blocks": [0, 1]}}, "/network/blocks/0", "from 1 to 4"),
        ({"training": {"normalization": "quantile"}}, "/training/normalization", "for images"),
        ({"training": {"conditioning": "any"}}, "/training/conditioning", "for images"),
        ({"training": {"evaluate_every": 1}}, "/training/evaluate_every", "for images"),
    ],
)
def test_what_images_cannot_have_is_refused(store, dataset, changed, pointer, said):
    answer = store.post("/v1/jobs", {"dataset": dataset["id"], **changed})
    assert answer.status == 422 and [(each["pointer"], said in each["detail"]) for each in answer.json["errors"]] == [(pointer, True)]


def test_data_that_is_no_image_has_no_unet(store):
    answer = store.post("/v1/jobs", {"network": {"kind": "unet"}})
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/network/kind"
    assert "channels" not in store.post("/v1/jobs?validate_only=true", {}).json["spec"]["network"]


def test_a_list_of_images_is_a_class_each(store, dataset):
    others = [made(post_form(store, idx(random_images(40, *shape)), query=f"?name={name}")) for shape, name in (((8, 8), "noise"), ((8, 12), "wide"))]
    answer = store.post("/v1/jobs?validate_only=true", {"dataset": [dataset["id"], others[0]["id"]]})
    assert answer.status == 200 and answer.json["spec"]["network"]["kind"] == "unet"
    for other in (others[1]["id"], "spiral"):
        answer = store.post("/v1/jobs", {"dataset": [dataset["id"], other]})
        assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/dataset/1"


def test_what_measures_points_refuses_images(store, job):
    url = f"/v1/models/{job['id']}"
    for answer in (
        store.post(f"{url}/score", {"points": [[0] * 64]}),
        store.post(f"{url}/samples", {"given": {"0": 1}}),
    ):
        assert answer.status == 422, answer.body
    assert store.get("/livez").status == 200


@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 64, 3)])
def test_each_image_may_start_from_noise_of_its_own(store, shape):
    """That of a seed, sent as JSON, becomes the images of the seed; as many values as a body may have."""
    pictures = made(post_form(store, idx(random_images(12, *shape)), query=f"?name=large{shape[0]}"))
    spec = {"dataset": pictures["id"], "diffusion": {"timesteps": 10}, "network": {"channels": [16, 16]}, "training": {"batch_size": 4, "epochs": 1}}
    trained = store.wait(store.submit(spec))
    assert trained["status"] == "succeeded", trained
    url = f"/v1/models/{trained['id']}"
    values, most = numpy.prod(shape), {784: 509, 12288: 32}[int(numpy.prod(shape))]
    path = array(store.fetch("GET", f"{url}/trajectories.npy?n=3&seed=7&steps=4")).reshape(5, 3, values)
    noise = [[float(value) for value in image] for image in path[0]]
    body = json.dumps({"noise": noise, "steps": 4})
    answer = store.request("POST", f"{url}/samples.npy", raw=body.encode(), headers={"Content-Type": "application/json"})
    # the way to model units and back may change the last bits of the noise
    assert numpy.abs(array(answer).reshape(3, values) - path[-1]).max() < 0.01
    assert not numpy.array_equal(path[-1][0], path[-1][1])
    many = store.post(f"{url}/samples.npy", {"noise": [[1] * int(values)] * most, "steps": 1})
    assert len(array(many)) == most
    for wrong, status, said in [
        ([[0.5] * 64], 422, f"has 64 coordinates, but the model has {values}"),
        ([[0.5] * int(values), [0.5]], 422, f"must be an array of {values} finite numbers"),
        ([[0.5] * (12288 + 1)], 422, "12288"),
        ([[1] * int(values)] * (most + 1), 400, "values"),
        ([[1e39] * int(values)], 422, "finite"),
    ]:
        refused = store.post(f"{url}/samples.npy", {"noise": wrong, "steps": 1})
        assert refused.status == status and said in refused.body.decode(), (status, said, refused.body[:400])
    twice = store.post(f"{url}/samples.npy", {"noise": noise, "n": 2})
    assert twice.status == 422 and twice.json["errors"][0]["pointer"] == "/n"
