"""Training on data that users bring: what comes back, in their units, and what happens when the data goes."""

import io

import numpy
import pytest
from conftest import ENDLESS, Server

NO_ID = "0198c0de-0000-7000-8000-000000000000"
# A recipe for short trainings, whatever the default preset becomes.
DIFFUSION = {"timesteps": 100, "beta_schedule": "cosine", "prediction_type": "v_prediction"}
NETWORK = {"conditioning": "add", "time_embedding": "sinusoidal"}
TRAINING = {"batch_size": 256, "learning_rate": 3e-3, "ema_decay": 0.995, "lr_schedule": "cosine"}
SMALL = {"diffusion": {"timesteps": 10}, "network": {"hidden_size": 8, "hidden_layers": 1}}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("training")))
    yield server
    assert server.stop() == 0, server.read_log()


def upload(server, points, query=""):
    file = io.BytesIO()
    numpy.save(file, points)
    answer = server.post(
        "/v1/datasets" + query, raw=file.getvalue(), headers={"Content-Type": "application/octet-stream"}
    )
    assert answer.status == 201, answer.body
    return answer.json["id"]


def train(server, dataset, **spec):
    job = server.submit({"preset": "default", "dataset": dataset, **spec})
    state = server.wait(job)
    assert state["status"] == "succeeded", state
    return job


def samples(server, job, n=2000, query=""):
    return numpy.array(server.get(f"/v1/models/{job}/samples?n={n}{query}").json["points"])


def losses(server, job):
    data = server.get(f"/v1/jobs/{job}/history").json["data"]
    return data["train_loss"], data["val_loss"]


@pytest.mark.parametrize("dim,hidden,limit", [(1, 32, 0.12), (3, 32, 0.12), (16, 64, 0.15), (64, 128, 0.2)])
def test_a_gaussian_of_any_dimension_is_learnt(store, dim, hidden, limit):
    rng = numpy.random.default_rng(dim)
    mixing = rng.normal(size=(dim, dim)) / dim**0.5 + numpy.eye(dim)
    points = rng.normal(size=(12000, dim)) @ mixing.T + rng.normal(size=dim) * 5
    job = train(
        store, {"id": upload(store, points)},
        diffusion=DIFFUSION, network={**NETWORK, "hidden_size": hidden, "hidden_layers": 2},
        training={**TRAINING, "epochs": 40},
    )  # fmt: skip
    assert store.get(f"/v1/models/{job}").json["dim"] == dim
    drawn = samples(store, job, 10000)
    assert drawn.shape == (10000, dim)
    assert (abs(drawn.mean(axis=0) - points.mean(axis=0)) < 0.1 * points.std(axis=0)).all()
    expected, got = numpy.atleast_2d(numpy.cov(points.T)), numpy.atleast_2d(numpy.cov(drawn.T))
    assert numpy.linalg.norm(got - expected) < limit * numpy.linalg.norm(expected)


def shape(name):
    normal = numpy.random.default_rng(7).normal(size=(1000, 2))
    return {
        "huge": normal * 1e17,
        "tiny": normal * 1e-30,
        "below the normal floats": normal * 1e-42,
        "far from zero": normal + 1e6,
        "very different axes": normal * [1e17, 1e-20],
        "mostly duplicates": normal[numpy.arange(1000) % 10],
    }[name]


@pytest.mark.parametrize(
    "name", ["huge", "tiny", "below the normal floats", "far from zero", "very different axes", "mostly duplicates"]
)
def test_units_do_not_matter(store, name):
    points = shape(name)
    job = train(
        store, {"id": upload(store, points)},
        diffusion=DIFFUSION, network={**NETWORK, "hidden_size": 32, "hidden_layers": 2},
        training={**TRAINING, "epochs": 150},
    )  # fmt: skip
    drawn = samples(store, job)
    assert numpy.isfinite(drawn).all()
    assert (abs(drawn.mean(axis=0) - points.mean(axis=0)) < 0.25 * points.std(axis=0)).all()
    assert drawn.std(axis=0) == pytest.approx(points.std(axis=0), rel=0.25)


def test_what_does_not_vary_comes_back_as_it_is(store):
    rng = numpy.random.default_rng(8)
    points = numpy.column_stack([rng.normal(size=500), numpy.full(500, 7.3), numpy.full(500, -1e18)])
    recipe = {"diffusion": DIFFUSION, "network": {**NETWORK, "hidden_size": 32, "hidden_layers": 2}}
    job = train(store, {"id": upload(store, points)}, **recipe, training={**TRAINING, "epochs": 100})
    drawn = samples(store, job).astype("f4")
    assert (drawn[:, 1] == numpy.float32(7.3)).all() and (drawn[:, 2] == numpy.float32(-1e18)).all()
    assert 0.5 < drawn[:, 0].std() < 1.5
    for n in (2, 50):
        job = train(store, {"id": upload(store, numpy.full((n, 2), [1.5, -0.1]))}, training={"epochs": 5})
        assert (samples(store, job).astype("f4") == numpy.array([1.5, -0.1], "f4")).all()


def test_the_echo_says_what_it_is_and_asks_for_the_same_again(store):
    labelled = upload(store, numpy.array([[0.0, 1, 7], [2, 3, 8], [4, 5, 7]]), "?label=-1&name=three%20points")
    spec = store.post("/v1/jobs?validate_only=true", {"dataset": {"id": labelled}, "seed": 4}).json["spec"]
    assert spec["dataset"] == {
        "id": labelled, "seed": 4, "name": "three points", "n": 3, "dim": 2, "columns": ["x", "y"], "classes": ["7", "8"],
    }  # fmt: skip
    assert store.post("/v1/jobs?validate_only=true", spec).json["spec"] == spec
    plain = upload(store, numpy.zeros((5, 2)))
    mixed = ["moons", {"id": plain, "seed": 9}, {"id": labelled}]
    answer = store.post("/v1/jobs?validate_only=true", {"dataset": mixed, "training": {"batch_size": 1000}}).json
    assert answer["spec"]["dataset"][1] == {
        "id": plain, "seed": 9, "n": 5, "dim": 2, "columns": ["x", "y"], "classes": None,
    }  # fmt: skip
    assert store.post("/v1/jobs?validate_only=true", answer["spec"]).json == answer


def test_models_name_their_classes(store):
    labelled = upload(store, numpy.array([[0.0, 1, 7], [2, 3, 8], [4, 5, 7]]), "?label=-1&name=mine")
    plain = upload(store, numpy.zeros((5, 2)))
    for dataset, classes in (
        ({"id": labelled}, ["7", "8"]),
        ([{"id": labelled}], ["7", "8"]),
        ({"id": plain}, None),
        (["spiral", {"id": labelled}, {"id": plain}], ["spiral", "mine", plain]),
        ("spiral", None),
    ):
        job = train(store, dataset, **SMALL, training={"epochs": 1})
        assert store.get(f"/v1/models/{job}").json["classes"] == classes
        assert numpy.isfinite(samples(store, job, 10)).all()
        jobs = store.get(f"/v1/jobs?dataset={labelled}").json["items"]
        assert (job in [item["id"] for item in jobs]) == (classes == ["7", "8"])


def test_what_is_held_out_is_decided_by_the_seed(store):
    # sorted, so that the last tenth is unlike the rest
    points = numpy.sort(numpy.random.default_rng(2).normal(size=1000) ** 3)
    ids = [upload(store, points), upload(store, points)]
    spec = {"network": {"hidden_size": 16, "hidden_layers": 1}, "training": {"epochs": 3, "batch_size": 100}}
    first = store.submit({"dataset": {"id": ids[0]}, **spec})
    assert store.wait(first)["progress"]["steps"] == 3 * 9
    again = train(store, {"id": ids[1]}, **spec)
    other = train(store, {"id": ids[0], "seed": 1}, **spec)
    assert losses(store, first) == losses(store, again) != losses(store, other)
    assert (samples(store, first) == samples(store, again)).all()
    train_loss, val_loss = losses(store, first)
    assert 0.5 < val_loss[-1] / train_loss[-1] < 2
    none = train(store, {"id": ids[0]}, **{**spec, "training": {"epochs": 1, "validation_fraction": 0}})
    assert losses(store, none)[1] == [None]


def test_an_id_alone_is_enough(store):
    made = upload(store, numpy.random.default_rng(3).normal(size=(40, 2)))
    for dataset, whole in ((made, {"id": made}), ([made, "moons"], [{"id": made}, "moons"])):
        first, second = (
            store.post("/v1/jobs?validate_only=true", {"dataset": each, "training": {"epochs": 1}}).json["spec"] for each in (dataset, whole)
        )
        assert first == second and made in str(first["dataset"])


# (dataset, with ID a set of two columns and WIDE one of three; pointer, part of the detail)
BAD = [
    ({"id": NO_ID}, "/dataset/id", "there is no data set with this id"),
    ({"id": "spiral"}, "/dataset/id", "there is no data set"),
    ({"id": ""}, "/dataset/id", "there is no data set"),
    ({"id": "x" * 37}, "/dataset/id", "at most 36 bytes"),
    ({"id": 5}, "/dataset/id", "must be a string"),
    ({"id": None}, "/dataset/id", "must be a string"),
    ({"id": "ID", "n": 5}, "/dataset/n", "is 5, but this data set has 10 points"),
    ({"id": "ID", "n": 0}, "/dataset/n", "from 1 to"),
    ({"id": "ID", "dim": 3}, "/dataset/dim", "is 3, but this data set has 2"),
    ({"id": "ID", "seed": -1}, "/dataset/seed", "must be an integer"),
    ({"id": "ID", "sed": 1}, "/dataset/sed", 'did you mean "seed"'),
    ({"id": "ID", "points": []}, "/dataset/points", "unknown field"),
    (NO_ID, "/dataset", "there is no data set with this id"),
    (["spiral", NO_ID], "/dataset/1", "there is no data set with this id"),
    (NO_ID[:-1], "/dataset", "and an upload has an id"),
    (["spiral", {"id": NO_ID}], "/dataset/1/id", "there is no data set"),
    (["spiral", {"id": "WIDE"}], "/dataset/1", "has points with 3 coordinates, but the first data set has 2"),
    ([{"id": "WIDE"}, {"id": "WIDE"}, "moons"], "/dataset/2", "has points with 2 coordinates"),
    ([{"id": "ID", "n": 11}, {"id": "ID"}], "/dataset/0/n", "is 11"),
]


@pytest.mark.parametrize("dataset,pointer,part", BAD, ids=range(len(BAD)))
def test_bad_data_sets(store, dataset, pointer, part):
    if not hasattr(store, "ids"):
        store.ids = {"ID": upload(store, numpy.ones((10, 2))), "WIDE": upload(store, numpy.ones((10, 3)))}

    def fill(value):
        if isinstance(value, dict):
            return {**value, **({"id": store.ids.get(value["id"], value["id"])} if value.get("id") else {})}
        return [fill(each) for each in value] if isinstance(value, list) else store.ids.get(value, value)

    before = store.get("/v1/jobs?limit=1").json["items"]
    answer = store.post("/v1/jobs", {"dataset": fill(dataset)})
    assert answer.status == 422 and answer.json["code"] == "invalid_fields", answer.body
    (error,) = answer.json["errors"]
    assert error["pointer"] == pointer and part in error["detail"], error
    assert store.get("/v1/jobs?limit=1").json["items"] == before


def test_a_data_set_stays_while_a_job_needs_it(start):
    server = start("--workers", "1")
    first, second = upload(server, numpy.eye(2)), upload(server, numpy.eye(2))
    running = server.submit({**ENDLESS, "dataset": ["moons", {"id": first}]})
    server.wait_for_epoch(running, 1)
    queued = server.submit({**SMALL, "dataset": {"id": second}, "training": {"epochs": 2}})
    for dataset in (first, second):
        answer = server.request("DELETE", f"/v1/datasets/{dataset}")
        assert answer.status == 409 and answer.json["code"] == "dataset_in_use"
    assert server.post(f"/v1/jobs/{running}/cancel").status == 200
    server.wait(running)
    assert server.wait(queued)["status"] == "succeeded"
    for dataset in (first, second):
        assert server.request("DELETE", f"/v1/datasets/{dataset}").status == 204
    # the models stay, but cannot be trained on
    for job in (running, queued):
        assert samples(server, job, 10).shape == (10, 2)
        answer = server.post(f"/v1/jobs/{job}/resume", {"epochs": 1000000})
        assert answer.status == 409 and answer.json["code"] == "dataset_missing"
        assert server.get(f"/v1/jobs/{job}").json["status"] in ("cancelled", "succeeded")
    third = upload(server, numpy.eye(2))
    job = server.submit({**SMALL, "dataset": {"id": third}, "training": {"epochs": 2}})
    server.wait(job)
    assert server.post(f"/v1/jobs/{job}/resume", {"epochs": 4}).status == 202
    assert server.wait(job)["progress"]["epoch"] == 4


def test_a_job_whose_data_has_gone_fails_and_says_so(start):
    server = start("--workers", "1")
    dataset = upload(server, numpy.eye(2))
    server.submit(ENDLESS)
    job = server.submit({**SMALL, "dataset": {"id": dataset}})
    server.kill()
    server.sql("DELETE FROM dataset")  # as no client can
    server.sql("DELETE FROM job WHERE status = 'running'")
    server.start()
    state = server.wait(job)
    assert state["status"] == "failed" and state["error"]["code"] == "dataset_missing"


def test_a_training_that_was_killed_ends_in_the_same_bytes(start, tmp_path):
    rng = numpy.random.default_rng(4)
    points = numpy.column_stack([rng.normal(size=(3000, 3)), rng.integers(0, 4, size=3000)])
    spec = {"network": {"hidden_size": 32, "hidden_layers": 2}, "training": {"epochs": 60, "batch_size": 100}}
    ends = []
    for kills in (0, 2):
        directory = tmp_path / str(kills)
        directory.mkdir()
        server = start(directory=directory)
        job = server.submit({**spec, "dataset": {"id": upload(server, points, "?label=3")}})
        for kill in range(kills):
            server.wait_for_epoch(job, 10 * (kill + 1))
            server.kill()
            server.start()
        assert server.wait(job)["status"] == "succeeded"
        ends.append((losses(server, job), samples(server, job, 500).tolist()))
    assert ends[0] == ends[1]
