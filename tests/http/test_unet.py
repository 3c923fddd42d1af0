"""Images from the job to the samples: what the server draws follows from the exported weights, by numpy and by PyTorch."""

import io

import numpy
import pytest
from conftest import not_sanitized
from test_elsewhere import elsewhere
from test_images import made, post_form
from test_uploads import npy

pytestmark = not_sanitized("it is about programs in Python; test_unet_training of tests/unit trains and draws with all that is here")


def pictures(n, height, width, colors):
    """Two kinds of images with a little noise, and their labels."""
    noise = numpy.random.default_rng(1).integers(0, 60, (n, height, width, colors))
    labels = numpy.arange(n) % 2
    bright = [numpy.arange(width) < width // 2, numpy.arange(width) >= width // 2]
    return (noise + 180 * numpy.array(bright)[labels][:, None, :, None]).astype("u1"), labels.astype("u1")


def train(server, shape, network, **training):
    images, labels = pictures(48, *shape)
    dataset = made(post_form(server, npy(images), npy(labels)))
    spec = {"dataset": dataset["id"], "network": network, "diffusion": {"timesteps": 50},
            "training": {"epochs": 4, "batch_size": 16, **training}}  # fmt: skip
    job = server.submit(spec)
    state = server.wait(job, seconds=120)
    assert state["status"] == "succeeded", state
    return job, server.get(f"/v1/models/{job}/weights.safetensors").body


def trajectory(server, job, **request):
    answer = server.post(f"/v1/models/{job}/trajectories", request)
    assert answer.status == 200, answer.body
    return answer.json


@pytest.fixture(scope="module")
def models(trained):
    return {
        "gray": train(trained, (8, 12, 1), {"channels": [16, 32], "blocks": [1, 2]}),
        "color": train(trained, (12, 8, 3), {"channels": [32, 16], "blocks": [2, 1]}, p_uncond=0.5),
    }


@pytest.mark.parametrize("name", ["gray", "color"])
@pytest.mark.parametrize("request_", [
    {"sampler": "ddim", "steps": 10}, {"sampler": "ddpm", "steps": 20, "seed": 3}, {"sampler": "heun", "steps": 6},
    {"sampler": "dpmpp_2m", "steps": 10, "guidance": 2.5}, {"sampler": "euler", "steps": 5, "guidance": 0},
    {"sampler": "dpmpp_2m_sde", "steps": 10, "guidance": 1.5},
    {"sampler": "heun", "steps": 8, "guidance": 2, "guidance_ratio_min": 0.3, "guidance_ratio_max": 3},
])  # fmt: skip
def test_numpy_draws_what_the_server_draws(trained, models, name, request_):
    job, weights = models[name]
    found = trajectory(trained, job, n=4, **request_)
    times, x, x0 = elsewhere.Model(weights).trajectory(n=4, **request_)
    assert found["timesteps"] == times
    for ours, theirs in (x, found["x"]), (x0, found["x0"]):
        assert abs(ours - numpy.array(theirs).reshape(ours.shape)).max() < 0.05  # of 255


@pytest.mark.parametrize("name", ["gray", "color"])
def test_pytorch_takes_the_weights_and_estimates_the_same(trained, models, name):
    torch = pytest.importorskip("torch", reason="python3-torch is not installed")
    from unet_torch import UNet

    job, weights = models[name]
    model = elsewhere.Model(weights)
    network = model.spec["network"]
    module = UNet(model.shape[2], network["channels"], network["blocks"], model.classes)
    module.load_state_dict({key: torch.from_numpy(value.astype("f4")) for key, value in model.w.items()})
    found = trajectory(trained, job, n=4, steps=6, sampler="ddim", guidance=1, clip=False)
    x, x0 = (model.to_model(numpy.array(found[key]).reshape(-1, 4, model.dim)) for key in ("x", "x0"))
    for k, t in enumerate(found["timesteps"][:-1]):
        points = torch.from_numpy(x[k].reshape(4, *model.shape).astype("f4"))
        with torch.no_grad():
            v = module(points, t, torch.from_numpy(model.labels(4, 0))).numpy().reshape(4, model.dim)
        estimate = model.signal[t] * x[k] - model.noise[t] * v
        assert abs(estimate - x0[k]).max() < 1e-4 * max(1, abs(x0[k]).max())


def test_an_imported_model_draws_the_same(trained, models):
    job, weights = models["color"]
    copy = trained.post("/v1/models", raw=weights, headers={"Content-Type": "application/octet-stream"})
    assert copy.status == 201, copy.body
    samples = [trained.fetch("GET", f"/v1/models/{model}/samples.npy?n=4&seed=5").body for model in (job, copy.json["id"])]
    assert samples[0] == samples[1] and numpy.load(io.BytesIO(samples[0])).size == 4 * 12 * 8 * 3


def test_the_largest_network_fits_the_file(trained):
    job, weights = train(trained, (4, 4, 1), {"channels": [16, 16], "blocks": [4, 4]}, epochs=1)
    names = elsewhere.read_safetensors(weights)[1]
    assert len(names) == 141 and "middle.7.conv2.weight" in names
