"""Warnings: each code, where it is due and where it is not."""

import csv
import io
import random

import pytest

from conftest import QUICK

PRESETS = ("default", "sinai2022", "table")


def codes(answer):
    assert answer.status in (200, 201), answer.body
    for each in answer.json["warnings"]:
        assert set(each) == {"code", "detail"} and len(each["detail"]) > 30 and "nan" not in each["detail"].lower(), each
    return [each["code"] for each in answer.json["warnings"]]


def warned(server, job):
    return codes(server.post("/v1/jobs?validate_only=true", job))


def upload(server, columns, n=500):
    """Uniform columns of these ranges."""
    random.seed(1)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([f"c{i}" for i in range(len(columns))])
    for _ in range(n):
        writer.writerow([random.uniform(*column) for column in columns])
    answer = server.request("POST", "/v1/datasets", raw=out.getvalue().encode(), headers={"Content-Type": "text/csv"})
    assert answer.status == 201, answer.body
    return {"id": answer.json["id"]}


@pytest.mark.parametrize("preset", PRESETS)
def test_the_presets_are_warned_of_nothing_new(server, preset):
    expected = ["schedule_keeps_signal"] if preset == "sinai2022" else []
    assert warned(server, {"preset": preset}) == expected


@pytest.mark.parametrize(
    "code, job, without",
    [
        ("schedule_keeps_signal", {"diffusion": {"beta_schedule": "linear", "beta_end": 1e-3}}, {"diffusion": {"beta_schedule": "cosine"}}),
        ("schedule_keeps_signal", {"diffusion": {"ratio_max": 9.9}}, {"diffusion": {"ratio_max": 10}}),
        ("few_points", {"dataset": {"name": "spiral", "n": 39}}, {"dataset": {"name": "spiral", "n": 40}}),
        ("few_points", {"dataset": {"name": "digits", "n": 999}}, {"dataset": {"name": "digits", "n": 1000}}),
        # 20 steps an epoch
        ("ema_slow", {"training": {"epochs": 49, "ema_decay": 0.999}}, {"training": {"epochs": 50, "ema_decay": 0.999}}),
        ("ema_slow", {"training": {"ema_decay": 0.99999}}, {"training": {"ema_decay": 0}}),
        ("warmup_too_long", {"training": {"lr_warmup_steps": 20000}}, {"training": {"lr_warmup_steps": 19999}}),
        (
            "labels_hidden",
            {"dataset": ["spiral", "moons"], "training": {"p_uncond": 1}},
            {"dataset": ["spiral", "moons"], "training": {"p_uncond": 0.99}},
        ),
        ("labels_hidden", {"dataset": ["spiral", "moons"], "training": {"p_uncond": 1}}, {"training": {"p_uncond": 1}}),
    ],
)
def test_what_a_job_shows_by_itself(server, code, job, without):
    assert warned(server, job).count(code) == 1
    assert code not in warned(server, without)


def test_axes_of_very_different_size_under_minmax(server):
    minmax = {"training": {"normalization": "minmax"}}
    apart, alike = upload(server, [(0, 1), (0, 1000)]), upload(server, [(0, 100), (500, 600), (3, 3)])
    assert "axes_differ" in warned(server, {"dataset": apart, **minmax})
    assert "axes_differ" not in warned(server, {"dataset": apart, "training": {"normalization": "standardize"}})
    assert "axes_differ" not in warned(server, {"dataset": alike, **minmax})  # and a constant axis is none
    assert "axes_differ" in warned(server, {"dataset": upload(server, [(0, 1), (1000, 1001)]), **minmax})
    both = [upload(server, [(0, 1), (0, 1)]), upload(server, [(0, 1), (0, 1000)])]
    assert "axes_differ" in warned(server, {"dataset": both, **minmax})
    detail = server.post("/v1/jobs?validate_only=true", {"dataset": apart, **minmax}).json["warnings"][-1]["detail"]
    assert "axis 0" in detail and "standardize" in detail


@pytest.mark.parametrize("columns, n, is_small", [(3, 49, True), (3, 50, False), (6, 59, True), (6, 60, False)])
def test_small_tables(server, columns, n, is_small):
    table = {"dataset": upload(server, [(0, 1)] * columns, n)}
    assert ("small_table" in warned(server, table)) == is_small
    assert "few_points" not in warned(server, table)
    assert "small_table" not in warned(server, table | {"preset": "default"})
    answer = server.post("/v1/jobs?validate_only=true", table).json["warnings"]
    assert not is_small or f"the table has {n} rows and {columns} columns to learn: samples will resemble single records" in answer[0]["detail"]


def test_few_points_of_an_upload_are_counted_without_those_held_out(server):
    forty = upload(server, [(0, 1)] * 2, n=40)
    assert "few_points" not in warned(server, {"dataset": forty, "training": {"validation_fraction": 0}})
    assert "few_points" in warned(server, {"dataset": forty, "training": {"validation_fraction": 0.03}})


# ------------------------------------------------------------------ at the end

LEARNS = {
    "dataset": {"name": "spiral", "n": 2000},
    # with "multiply", random weights may have the luck to be a few percent better than nothing
    "network": {"hidden_size": 32, "hidden_layers": 3, "conditioning": "add"},
    "training": {"epochs": 30, "batch_size": 100, "ema_decay": 0},
}
STUCK = {**LEARNS, "training": {**LEARNS["training"], "epochs": 1, "learning_rate": 1e-9}}


def finished(server, job):
    state = server.wait(server.submit(job))
    assert state["status"] == "succeeded", state["error"]
    return state["id"]


@pytest.mark.parametrize("validation", [0, 0.1])
@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
@pytest.mark.parametrize(
    "diffusion, training",
    [
        ({"prediction_type": "epsilon", "beta_schedule": "cosine"}, {}),
        ({"prediction_type": "sample"}, {"normalization": "none"}),
        ({"prediction_type": "v_prediction"}, {"min_snr_gamma": 5}),
        ({"prediction_type": "flow", "beta_schedule": "flow"}, {"timestep_focus": 0.3}),
    ],
)
def test_whether_a_model_says_more_than_nothing(server, diffusion, training, loss, validation):
    for job, expected in ((LEARNS, False), (STUCK, True)):
        of = {**job["training"], **training, "loss": loss, "validation_fraction": validation}
        job = finished(server, {**job, "diffusion": diffusion, "training": of})
        answer = server.get(f"/v1/jobs/{job}")
        assert ("not_learned" in codes(answer)) is expected, (answer.json["warnings"], answer.json["metrics"])
        assert "diverging" not in codes(answer)


def test_noise_has_nothing_to_say_but_its_mean(server):
    """The baseline is the better of zero and the mean: predicting x_0 far from 0 from pure noise."""
    far = upload(server, [(1000, 1001), (1000, 1001)])
    job = {
        **LEARNS,
        "dataset": far,
        "diffusion": {"prediction_type": "sample", "beta_schedule": "flow", "timesteps": 1},
        "training": {**LEARNS["training"], "normalization": "standardize"},
    }
    assert "not_learned" in codes(server.get(f"/v1/jobs/{finished(server, job)}"))


def test_the_preset_of_the_tutorial_learns(trained):
    assert codes(trained.get(f"/v1/jobs/{trained.job}")) == ["schedule_keeps_signal"]


def test_the_default_preset_learns(server):
    job = {"training": {"epochs": 60, "ema_decay": 0.99}}  # as it is, but shorter
    assert codes(server.get(f"/v1/jobs/{finished(server, job)}")) == []


def test_a_loss_that_grows(server):
    """Two points, and as many to validate with: learned by heart, which the loss of the others tells."""
    job = {
        "dataset": {"name": "spiral", "n": 8, "seed": 3},
        "network": {"hidden_size": 64, "hidden_layers": 3},
        "training": {"epochs": 3000, "ema_decay": 0, "validation_fraction": 0.9, "lr_schedule": "constant"},
    }
    grown = finished(server, job)
    assert "diverging" in codes(server.get(f"/v1/jobs/{grown}"))
    history = server.get(f"/v1/jobs/{grown}/history").json["data"]["val_loss"]
    assert history[-1] > 1.5 * min(history)
    best = {**job, "training": {**job["training"], "keep_best": True}}
    assert "diverging" not in codes(server.get(f"/v1/jobs/{finished(server, best)}"))


def test_everybody_is_told(server):
    job = finished(server, STUCK)
    told = server.get(f"/v1/jobs/{job}").json["warnings"]
    assert [each["code"] for each in told] == ["not_learned"]
    assert server.get(f"/v1/models/{job}").json["warnings"] == told
    assert [each["warnings"] for each in server.get("/v1/jobs").json["items"]] == [told]
    assert [each["warnings"] for each in server.get("/v1/models").json["items"]] == [told]


def test_a_resumed_job_is_judged_anew(server):
    axes = upload(server, [(0, 1), (0, 1000)])
    training = {**STUCK["training"], "normalization": "minmax", "ema_decay": 0.9, "epochs": 1, "lr_warmup_steps": 7}
    job = finished(server, {**STUCK, "dataset": axes, "training": training})
    assert sorted(codes(server.get(f"/v1/jobs/{job}"))) == ["axes_differ", "ema_slow", "not_learned", "warmup_too_long"]
    answer = server.post(f"/v1/jobs/{job}/resume", {"epochs": 3})
    assert answer.status == 202
    now = [each["code"] for each in answer.json["warnings"]]
    assert now == ["axes_differ"]
    server.wait(job)
    assert sorted(codes(server.get(f"/v1/jobs/{job}"))) == ["axes_differ", "not_learned"]


def test_a_warning_survives_a_restart_in_between(start):
    """The lowest loss is that of the whole history, not of the last attempt."""
    server = start()
    job = {**QUICK, "training": {"epochs": 400000, "batch_size": 50, "learning_rate": 1e-9, "ema_decay": 0}}
    running = server.submit(job)
    server.wait_for_epoch(running, 50)
    assert server.stop() == 0
    server.start()
    server.wait_for_epoch(running, 60)
    server.post(f"/v1/jobs/{running}/cancel")
    assert "not_learned" not in [each["code"] for each in server.wait(running)["warnings"]]  # it did not come to its end
    epoch = server.get(f"/v1/jobs/{running}").json["progress"]["epoch"]
    assert server.post(f"/v1/jobs/{running}/resume", {"epochs": epoch + 5}).status == 202
    assert "not_learned" in codes_of_finished(server, running)


def codes_of_finished(server, job):
    assert server.wait(job)["status"] == "succeeded"
    return codes(server.get(f"/v1/jobs/{job}"))
