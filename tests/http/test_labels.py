"""Labels: every format that has a place for them gives them, and pictures show them as colours."""

import csv
import io
import json
import re
import xml.etree.ElementTree

import numpy
import pytest
import safetensors
from conftest import QUICK, Server
from test_elsewhere import elsewhere
from test_pictures import decode, near, paper_mixed_with, pixels

OKABE_ITO = [(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x00, 0x9E, 0x73)]
NAMES = ["a, b", "red", "zoë"]  # in this order
CENTRES = numpy.array([[0, 0], [4, 0], [0, 4]])


def some_points():
    """Three clusters, far apart, of 40 points each, whose labels take turns."""
    spread = numpy.stack([numpy.arange(120) % 7 - 3, numpy.arange(120) % 5 - 2], axis=1) / 10
    return CENTRES[numpy.arange(120) % 3] + spread


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A server with a labelled upload, a model of it, and one of a list of data sets."""
    server = Server(str(tmp_path_factory.mktemp("labels")))
    labels = [NAMES[i % 3] for i in range(120)]
    made = server.post("/v1/datasets", {"points": some_points().tolist(), "labels": labels})
    server.upload = f"/v1/datasets/{made.json['id']}"
    quick = {**QUICK, "training": {**QUICK["training"], "epochs": 60}}
    jobs = [server.submit({**quick, "dataset": dataset})
            for dataset in ({"id": made.json["id"]}, [{"name": "moons", "n": 200}, {"name": "rings", "n": 200}])]  # fmt: skip
    for job in jobs:
        assert server.wait(job)["status"] == "succeeded"
    server.model, server.mixture = (f"/v1/models/{job}" for job in jobs)
    yield server
    assert server.stop() == 0


def table(answer):
    assert answer.status == 200, answer.body
    return list(csv.reader(io.StringIO(answer.body.decode(), newline=""), strict=True))


@pytest.mark.parametrize("which,query", [("model", "samples?n=50&seed=1"), ("model", "samples?n=9&label=red"),
                                         ("mixture", "samples?n=7"), ("upload", "points"), ("upload", "points?n=11&seed=4")])  # fmt: skip
def test_the_last_column_of_a_csv_is_the_label(labelled, which, query):
    path, name = getattr(labelled, which), re.match(r"\w+", query)[0]
    plain = labelled.get(f"{path}/{query}").json
    rows = table(labelled.get(f"{path}/{query.replace(name, name + '.csv')}"))
    assert rows[0] == ["x", "y", "label"]
    assert [row[2] for row in rows[1:]] == plain["labels"]
    assert (numpy.array([row[:2] for row in rows[1:]], "f4") == numpy.array(plain["points"], "f4")).all()
    assert plain["classes"] == {"mixture": ["moons", "rings"]}.get(which, NAMES)


def test_labelled_samples_can_be_uploaded_again(labelled):
    samples = labelled.get(labelled.model + "/samples.csv?n=30").body
    made = labelled.request("POST", "/v1/datasets", raw=samples, headers={"Content-Type": "text/csv"}).json
    assert made["classes"] == NAMES and made["statistics"]["class_counts"] == [10, 10, 10]
    assert labelled.get(f"/v1/datasets/{made['id']}/points.csv").body == samples
    posted = labelled.post(labelled.model + "/samples.csv", {"n": 30})
    assert posted.body == samples


def centre(answer):
    return numpy.array(answer["points"]).mean(axis=0).round(-1).tolist()


@pytest.mark.parametrize("names", [["1", "2", "3"], ["0", "2", "1"], ["007", "7.5", "10"], ["low", "high", "mid"]])
def test_a_label_is_a_name_and_never_a_place(labelled, names):
    """Three clusters at 10, 20 and 30, of these names: what is asked for is what comes."""
    rows = [[10.0 * (i % 3 + 1) + i % 5 / 10, 0] for i in range(90)]
    text = "x,y,label\n" + "".join(f"{x},{y},{names[i % 3]}\n" for i, (x, y) in enumerate(rows))
    made = labelled.request("POST", "/v1/datasets", raw=text.encode(), headers={"Content-Type": "text/csv"}).json
    spec = {"dataset": {"id": made["id"]}, "training": {"epochs": 150, "batch_size": 30}}
    job = labelled.submit(spec)
    assert labelled.wait(job)["status"] == "succeeded"
    path = f"/v1/models/{job}/samples"
    for place, name in enumerate(names):
        by_name = labelled.get(f"{path}?n=20&label={name}").json
        assert centre(by_name) == [10 * (place + 1), 0] and by_name["labels"] == [name] * 20
        assert [row[2] for row in table(labelled.get(f"{path}.csv?n=3&label={name}"))[1:]] == [name] * 3
        by_place = labelled.get(f"{path}?n=20&class={made['classes'].index(name)}").json
        assert by_place["points"] == by_name["points"] and by_place["labels"] == by_name["labels"]
        asked = [name] + ([float(name)] if name.replace(".", "").isdigit() else [])
        for label in asked:
            assert labelled.post(path, {"n": 20, "label": label}).json["points"] == by_name["points"]
    found = labelled.get(f"/v1/models/{job}/evaluation?n=30").json["per_class"]
    assert [(row["class"], row["label"]) for row in found] == list(enumerate(made["classes"]))
    missing = labelled.get(f"{path}?label=4")
    assert missing.status == 422 and all(f'"{name}"' in missing.json["errors"][0]["detail"] for name in names)


def test_classes_of_one_name_are_told_apart(labelled):
    made = labelled.post("/v1/datasets", {"name": "moons (2)", "points": [[i, i * i % 7] for i in range(40)]}).json
    spec = {**QUICK, "dataset": ["moons", "moons", {"id": made["id"]}, "spiral"]}
    job = labelled.submit(spec)
    assert labelled.wait(job)["status"] == "succeeded"
    names = ["moons", "moons (2)", "moons (2) (2)", "spiral"]
    drawn = labelled.get(f"/v1/models/{job}/samples?n=8&balance=true").json
    assert drawn["classes"] == names and drawn["labels"] == names * 2
    assert labelled.get(f"/v1/models/{job}").json["classes"] == names
    second = labelled.get(f"/v1/models/{job}/samples?n=8&label=moons%20(2)").json
    assert second["points"] == labelled.get(f"/v1/models/{job}/samples?n=8&class=1").json["points"]


@pytest.fixture(scope="module")
def rare(labelled):
    """A model of 270 points of one class, 27 of another and 3 of a third."""
    names = ["common"] * 270 + ["odd"] * 27 + ["rare"] * 3
    made = labelled.post("/v1/datasets", {"points": [[i % 17, i % 13] for i in range(300)], "labels": names}).json
    job = labelled.submit({**QUICK, "dataset": {"id": made["id"]}})
    assert labelled.wait(job)["status"] == "succeeded"
    return f"/v1/models/{job}"


def counts(answer):
    assert answer.status == 200, answer.body
    return {name: answer.json["labels"].count(name) for name in answer.json["classes"]}


def test_classes_come_as_often_as_in_the_data(labelled, rare):
    for seed in range(5):
        drawn = counts(labelled.get(f"{rare}/samples?n=1000&seed={seed}"))
        assert abs(drawn["common"] - 900) <= 3 and abs(drawn["odd"] - 90) <= 3 and abs(drawn["rare"] - 10) <= 3
    whole = labelled.get(f"{rare}/samples?n=1000&seed=4").json["labels"]
    assert labelled.get(f"{rare}/samples?n=10&seed=4").json["labels"] == whole[:10]
    assert [row[2] for row in table(labelled.get(f"{rare}/samples.csv?n=1000&seed=4"))[1:]] == whole
    for balanced in labelled.get(f"{rare}/samples?n=9&balance=true"), labelled.post(f"{rare}/samples", {"n": 9, "balance": True}):
        assert balanced.json["labels"] == ["common", "odd", "rare"] * 3
    assert labelled.get(f"{rare}/trajectories?n=9&balance=true").json["labels"] == ["common", "odd", "rare"] * 3
    assert counts(labelled.get(f"{rare}/samples?n=9&label=rare")) == {"common": 0, "odd": 0, "rare": 9}


def test_balance_that_has_no_effect(labelled, rare):
    for query in "label=odd&balance=true", "class=1&balance=true", "guidance=0&balance=true":
        answer = labelled.get(f"{rare}/samples?{query}")
        assert answer.status == 422 and [error["pointer"] for error in answer.json["errors"]] == ["/balance"], answer.body
    assert labelled.get(f"{rare}/samples?label=odd&balance=false").status == 200
    job = labelled.submit(QUICK)
    assert labelled.wait(job)["status"] == "succeeded"
    for query in "balance=true", "shared_noise=true":
        answer = labelled.get(f"/v1/models/{job}/samples?{query}")
        assert answer.status == 422 and "no" in answer.json["errors"][0]["detail"], answer.body


@pytest.mark.parametrize("sampler", ["ddpm", "ddim&eta=0.5", "dpmpp_2m", "dpmpp_2m_sde", "heun"])
@pytest.mark.parametrize("guidance", [1, 2.5])
def test_classes_that_share_noise_have_that_of_each_class_alone(labelled, rare, sampler, guidance):
    query = f"seed=6&sampler={sampler}&guidance={guidance}"
    n = 350  # more than a thread computes at a time, and not a multiple of it
    shared = numpy.load(io.BytesIO(labelled.get(f"{rare}/samples.npy?n={3 * n}&balance=true&shared_noise=true&{query}").body))
    alone = [numpy.load(io.BytesIO(labelled.get(f"{rare}/samples.npy?n={n}&class={place}&{query}").body)) for place in range(3)]
    for place in range(3):
        assert (shared[place::3] == alone[place]).all()
    assert (alone[0] != alone[1]).any() and (alone[0] != alone[2]).any()
    own = numpy.load(io.BytesIO(labelled.get(f"{rare}/samples.npy?n={3 * n}&balance=true&{query}").body))
    assert (own[0] == shared[0]).all() and (own[3:] != shared[3:]).any()


def test_trajectories_that_share_noise_begin_at_one_place(labelled, rare):
    answer = labelled.post(f"{rare}/trajectories", {"n": 8, "balance": True, "shared_noise": True, "seed": 2, "sampler": "ddpm"}).json
    start = answer["x"][0]
    assert start[0] == start[1] == start[2] != start[3] == start[4] == start[5] and start[6] == start[7]
    alone = labelled.get(f"{rare}/trajectories?n=3&class=1&seed=2&sampler=ddpm").json
    for which in "x", "x0":
        assert [frame[1::3] for frame in answer[which]] == alone[which]


@pytest.mark.parametrize("more", [{}, {"balance": False}, {"class": 1}, {"label": "odd"}, {"guidance": 0}, {"noise": [[0, 0]] * 3, "balance": True}])
def test_noise_that_no_classes_share_is_refused(labelled, rare, more):
    answer = labelled.post(f"{rare}/samples", {"shared_noise": True, **more})
    assert answer.status == 422 and [error["pointer"] for error in answer.json["errors"]] == ["/shared_noise"], answer.body
    assert labelled.post(f"{rare}/samples", {"shared_noise": False, **more}).status == 200


def test_frequencies_travel_with_the_model(labelled, rare):
    data = labelled.get(rare + "/weights.safetensors").body
    metadata, _ = safetensors.read(data)
    assert json.loads(metadata["class_counts"]) == [270, 27, 3]
    brought = labelled.request("POST", "/v1/models", raw=data, headers={"Content-Type": "application/octet-stream"})
    assert brought.status == 201, brought.body
    there = f"/v1/models/{brought.json['id']}"
    assert labelled.get(there + "/weights.safetensors").body == data
    assert labelled.get(there + "/samples.npy?n=50").body == labelled.get(rare + "/samples.npy?n=50").body
    model = elsewhere.Model(data)
    classes = labelled.get(rare).json["classes"]
    ours = [classes[place] for place in model.labels(200, 9)]
    assert ours == labelled.get(rare + "/samples?n=200&seed=9").json["labels"]
    length = int.from_bytes(data[:8], "little")
    for bad in "[1,2]", "[1,2,3,4]", "[1,2,-3]", "[1,2,3.5]", "[1,2,1000001]", "3", "[1,2":
        header = json.loads(data[8 : 8 + length])
        header["__metadata__"]["class_counts"] = bad
        answer = labelled.request("POST", "/v1/models", raw=safetensors.pack(json.dumps(header), data[8 + length :]),
                                  headers={"Content-Type": "application/octet-stream"})  # fmt: skip
        assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/__metadata__/class_counts", answer.body
    del header["__metadata__"]["class_counts"]
    answer = labelled.request("POST", "/v1/models", raw=safetensors.pack(json.dumps(header), data[8 + length :]),
                              headers={"Content-Type": "application/octet-stream"})  # fmt: skip
    assert answer.status == 201, answer.body
    assert counts(labelled.get(f"/v1/models/{answer.json['id']}/samples?n=9")) == {"common": 3, "odd": 3, "rare": 3}


def test_without_labels_there_is_no_column(labelled):
    assert table(labelled.get(labelled.model + "/samples.csv?n=2&guidance=0"))[0] == ["x", "y"]
    none = labelled.get(labelled.model + "/samples?n=2&guidance=0").json
    assert none["labels"] is None and none["classes"] is None
    assert labelled.get("/v1/datasets/moons/points?n=1").json["classes"] is None


WAYS = ["model/trajectories?n=12&seed=2", "upload/forward?n=30&seed=2&timesteps=4", "upload/optimal?n=30&seed=2&frames=5"]


def way(server, path, suffix=""):
    which, rest = path.split("/")
    return server.get(f"{getattr(server, which)}/{rest.replace('?', suffix + '?')}")


@pytest.mark.parametrize("path", WAYS)
def test_trajectories_carry_labels(labelled, path):
    plain = way(labelled, path).json
    assert plain["classes"] == NAMES and set(plain["labels"]) == set(NAMES)
    lines = [json.loads(line) for line in way(labelled, path, ".ndjson").body.splitlines()]
    assert lines[0]["labels"] == plain["labels"] and lines[0]["classes"] == NAMES
    assert all(set(line) == {"timestep", "x", "x0"} for line in lines[1:])
    assert [line["x"] for line in lines] == plain["x"]
    if "upload" in path:  # those of the points of the data
        nearest = ((numpy.array(plain["x0"][0])[:, None] - CENTRES[None]) ** 2).sum(2).argmin(1)
        assert [NAMES[place] for place in nearest] == plain["labels"]


def test_lines_of_points_without_labels_have_none(labelled):
    for path in (labelled.model + "/trajectories.ndjson?n=2&guidance=0", "/v1/datasets/moons/forward.ndjson?n=2"):
        assert all(b"labels" not in line for line in labelled.get(path).body.splitlines())


def drawn(svg):
    """(colour, x, y) of each point of a drawing, and the (colour, text) of its legend."""
    space = "{http://www.w3.org/2000/svg}"
    root = xml.etree.ElementTree.fromstring(svg)
    points = [(group.get("fill"), float(circle.get("cx")), float(circle.get("cy")))
              for group in root.iter(space + "g") for circle in group]  # fmt: skip
    parts = list(root)
    legend = [(dot.get("fill"), text.text) for dot, text in zip(parts, parts[1:]) if dot.get("rx")]
    return points, legend


def hexadecimal(colour):
    return "#%02x%02x%02x" % colour


@pytest.mark.parametrize("which,query", [("model", "samples?n=60&seed=3"), ("upload", "points"), ("upload", "points?n=50&seed=2")])
def test_a_drawing_has_the_colours_of_the_classes(labelled, which, query):
    path, name = getattr(labelled, which), re.match(r"\w+", query)[0]
    plain = labelled.get(f"{path}/{query}").json
    points, legend = drawn(labelled.get(f"{path}/{query.replace(name, name + '.svg')}").body)
    assert legend == [(hexadecimal(colour), name) for colour, name in zip(OKABE_ITO, NAMES)]
    # each colour holds as many points as its class, at their places but for scale and origin
    for name, colour in zip(NAMES, OKABE_ITO):
        expected = numpy.array([p for p, label in zip(plain["points"], plain["labels"]) if label == name])
        got = numpy.array([[x, -y] for fill, x, y in points if fill == hexadecimal(colour)])
        assert len(got) == len(expected)
        for axis in (0, 1):
            slope, origin = numpy.polyfit(expected[:, axis], got[:, axis], 1)
            assert abs(slope * expected[:, axis] + origin - got[:, axis]).max() < 0.2 and slope > 0


@pytest.mark.parametrize("path", ["model/samples?n=300", "upload/points?seed=1", "upload/forward?n=120&frames=2&timesteps=2",
                                  "upload/optimal?n=120&frames=3", "model/trajectories?n=120&frames=2"])  # fmt: skip
def test_pictures_have_the_colours_of_the_classes(labelled, path):
    for suffix, media_type in ((".png", "image/png"), (".gif", "image/gif")):
        if suffix == ".gif" and ("samples" in path or "points" in path):
            continue
        image = pixels(decode(way(labelled, path, suffix), media_type))
        inked = [(paper_mixed_with(image, (255, 255, 255), colour) > 0.6).sum() for colour in OKABE_ITO]
        assert min(inked) > 10, (suffix, inked)
    if "points" in path:  # the third cluster is at the top left, the second at the bottom right
        top_left, bottom_right = image[:200, 60:250], image[280:440, 250:]
        assert near(top_left, OKABE_ITO[2], 120).any() and not near(top_left, OKABE_ITO[1], 120).any()
        assert near(bottom_right, OKABE_ITO[1], 120).any() and not near(bottom_right, OKABE_ITO[2], 120).any()


def test_the_legend_names_what_is_drawn_and_only_if_it_fits(labelled):
    _, legend = drawn(labelled.get(labelled.model + "/samples.svg?n=5&label=red").body)
    assert legend == [(hexadecimal(OKABE_ITO[1]), "red")]
    many = labelled.post("/v1/datasets", {"points": [[i] for i in range(9)], "labels": list(range(9))}).json
    wide = labelled.post("/v1/datasets", {"points": [[i] for i in range(2)], "labels": ["x" * 40, "y" * 40]}).json
    for made in (many, wide):
        points, legend = drawn(labelled.get(f"/v1/datasets/{made['id']}/points.svg").body)
        assert legend == [] and len(points) == made["n"]
    _, legend = drawn(labelled.get("/v1/datasets/moons/points.svg?n=5").body)
    assert legend == []


def test_an_array_has_no_place_for_labels(labelled):
    for path, shape in (("/samples.npy?n=6", (6, 2)), ("/trajectories.npy?n=6&frames=3", (3, 6, 2))):
        array = numpy.load(io.BytesIO(labelled.get(labelled.model + path).body), allow_pickle=False)
        assert array.shape == shape


def test_a_wrong_label_among_many_long_ones(labelled):
    """The message ends with a whole name and how many more there are, however long the names are."""
    names = [f"{i:02}" + "é" * 31 for i in range(64)]
    made = labelled.post("/v1/datasets", {"points": [[i, i] for i in range(64)], "labels": names}).json
    job = labelled.submit({**QUICK, "dataset": {"id": made["id"]}})
    assert labelled.wait(job)["status"] == "succeeded"
    for label in ("z" * 120, "nobody"):
        answer = labelled.post(f"/v1/models/{job}/samples", {"n": 1, "label": label})
        assert answer.status == 422
        detail = answer.json["detail"]
        assert detail.startswith(f'there is no class "{label}"; the parameter class is an index into the list of classes, counted from 0: ')
        listed = re.findall('"([^"]*)"', detail)[1:]
        assert len(listed) > 4 and listed == names[: len(listed)] and detail.endswith(f'" and {64 - len(listed)} more')


@pytest.mark.parametrize("cells, classes, written", [
    (["b", "", "a"], ["a", "b", "missing"], ""),
    (["10", "NA", "9", "na", "NA", ""], ["9", "10", "NA"], "NA"),  # all that are missing are one class, the last
])  # fmt: skip
def test_missing_labels_are_a_class(server, cells, classes, written):
    rows = [[str(i % 7), str(i % 11), cells[i % len(cells)]] for i in range(120)]
    text = "\n".join(",".join(row) for row in [["u", "v", "kind"], *rows]) + "\n"
    made = server.post("/v1/datasets?label=kind", raw=text.encode(), headers={"Content-Type": "text/csv"})
    assert made.status == 201 and made.json["classes"] == classes, made.body
    assert made.json["statistics"]["class_counts"][-1] == sum(cell.upper() in ("", "NA") for cell in cells) * 120 // len(cells)
    path = f"/v1/datasets/{made.json['id']}"
    assert server.get(path + "/points.csv").body.decode().replace("\r\n", "\n") == text
    assert {*server.get(path + "/points").json["labels"]} == {*classes}
    job = server.submit({**QUICK, "dataset": {"id": made.json["id"]}, "training": {"epochs": 2, "normalization": "quantile"}})
    assert server.wait(job)["status"] == "succeeded"
    drawn = [row[2] for row in table(server.get(f"/v1/models/{job}/samples.csv?n=300"))[1:]]
    assert {*drawn} == {written, *classes[:-1]}
    only = server.get(f"/v1/models/{job}/samples?n=5&label={classes[-1]}")
    assert only.json["labels"] == [classes[-1]] * 5
    assert [row[2] for row in table(server.get(f"/v1/models/{job}/samples.csv?n=5&label={classes[-1]}"))[1:]] == [written] * 5
    report = server.get(f"/v1/models/{job}/evaluation?n=50").json["table"]
    assert [column["name"] for column in report["columns"]] == ["u", "v", "kind"]
