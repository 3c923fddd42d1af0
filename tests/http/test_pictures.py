"""Pictures, decoded by a program that is not ours: sizes, colours, times, and dots where the points are."""

import io
import pathlib
import re
import xml.etree.ElementTree

import numpy
import pytest
from conftest import QUICK
from PIL import Image

PAPER = {"light": (255, 255, 255), "dark": (0x14, 0x17, 0x1C)}
BLUE, ORANGE = {"light": (0x1F, 0x5F, 0xBF), "dark": (0x7C, 0xC4, 0xFF)}, {"light": (0xC2, 0x57, 0x0C)}


def decode(answer, media_type="image/png"):
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == media_type
    picture = Image.open(io.BytesIO(answer.body))
    picture.load()
    return picture


def pixels(picture):
    return numpy.asarray(picture.convert("RGB")).astype(int)


def near(image, colour, reach=60):
    return numpy.abs(image - numpy.array(colour)).sum(axis=2) <= reach


def paper_mixed_with(image, paper, ink):
    """The share of ink in each pixel that lies between two colours, 0 elsewhere."""
    direction = numpy.array(ink) - numpy.array(paper)
    share = ((image - numpy.array(paper)) @ direction) / (direction @ direction)
    off = numpy.abs(image - numpy.array(paper) - share[..., None] * direction).max(axis=2)
    return numpy.where(off < 3, share, 0)


def panel(image, border):
    """Left, top, right, bottom of the outermost border lines."""
    found = (image == numpy.array(border)).all(axis=2)
    rows, columns = numpy.flatnonzero(found.sum(axis=1) > 50), numpy.flatnonzero(found.sum(axis=0) > 50)
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


BORDER = {"light": (0xB8, 0xBE, 0xC6), "dark": (0x4A, 0x52, 0x5E)}


def view_box(points):
    """All points, a margin of a twentieth, equal scales."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.05 * (high - low)
    low, high = low - margin, high + margin
    centre, side = (low + high) / 2, (high - low).max()
    return centre - side / 2, side


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [200, 480, 1000])
def test_the_dots_of_a_png_are_where_the_points_are(trained, size, theme):
    path, query = f"/v1/models/{trained.job}/samples", f"?n=20&seed=3&size={size}&theme={theme}"
    picture = decode(trained.get(path + ".png" + query))
    assert picture.format == "PNG" and picture.mode == "P" and picture.size == (size, size)
    assert picture.info["Title"] == "20 samples at epoch 100"
    image = pixels(picture)
    assert tuple(image[0, 0]) == PAPER[theme]
    share = paper_mixed_with(image, PAPER[theme], BLUE[theme])
    share[~near(image, PAPER[theme], 20) & (share < 0.3)] = 0  # not the lines
    left, top, right, bottom = panel(image, BORDER[theme])
    assert abs((right - left) - (bottom - top)) <= 1
    points = numpy.array(trained.get(path + query).json["points"])
    low, side = view_box(points)
    x = left + (points[:, 0] - low[0]) / side * (right - left)
    y = bottom - (points[:, 1] - low[1]) / side * (bottom - top)
    rows, columns = numpy.mgrid[0:size, 0:size] + 0.5
    distance = numpy.hypot(columns[..., None] - x, rows[..., None] - y)
    radius = max(1.25, (right - left) / 210) * 1.4
    inked = (share > 0.3) & (columns > left + 3) & (columns < right - 3) & (rows > top + 3) & (rows < bottom - 3)
    assert inked.sum() > 20 * 2
    assert distance.min(axis=2)[inked].max() < radius + 1.5  # no dot where no point is
    for i in range(20):  # no point without a dot
        assert share[int(y[i]), int(x[i])] > 0.6, (i, x[i], y[i])


def test_png_of_a_data_set_and_by_accept(server):
    by_accept = decode(server.get("/v1/datasets/moons/points?n=50", headers={"Accept": "image/png"}))
    assert by_accept.size == (480, 480)
    smallest = decode(server.get("/v1/datasets/moons/points.png?n=50&size=64"))
    assert smallest.size == (64, 64)
    assert decode(server.get("/v1/datasets/moons/points.png?n=1&size=2048")).size == (2048, 2048)


def test_the_same_request_gives_the_same_picture(trained):
    for path in ("samples.png?n=100&seed=1", "trajectories.gif?n=20&seed=1&frames=5"):
        path = f"/v1/models/{trained.job}/{path}"
        assert trained.get(path).body == trained.get(path).body


def test_a_strip_of_frames(trained):
    path = f"/v1/models/{trained.job}/trajectories.png?n=100"
    strip = decode(trained.get(path))
    assert strip.size[0] == 5 * 250 + 10 and strip.size[1] == 10 + 240 + 24
    assert decode(trained.get(path + "&frames=3&size=100")).size[0] == 3 * 104 + 4
    estimates = decode(trained.get(path + "&frames=3&size=100&which=x0"))
    assert estimates.size[0] == 2 * 104 + 4
    assert near(pixels(estimates), ORANGE["light"]).any() and not near(pixels(strip), ORANGE["light"]).any()


def test_an_animation(trained):
    path = f"/v1/models/{trained.job}/trajectories"
    answer = trained.get(path + ".gif?n=200&seed=5")
    gif = decode(answer, "image/gif")
    assert len(answer.body) < 1_000_000
    assert gif.format == "GIF" and gif.n_frames == 41 and gif.info["loop"] == 0
    assert gif.size[0] == 2 * 320 + 3 * 13
    durations = []
    for k in range(gif.n_frames):
        gif.seek(k)
        durations.append(gif.info["duration"])
    assert durations == [800] + [50] * 39 + [2000]


def test_the_dots_of_an_animation_are_where_the_points_are(trained):
    path, query = f"/v1/models/{trained.job}/trajectories", "?n=10&seed=2"
    size, gap = 300, 12
    gif = decode(trained.get(path + f".gif{query}&size={size}&fps=10"), "image/gif")
    expected = trained.get(path + query).json
    x, x0 = numpy.array(expected["x"]), numpy.array(expected["x0"])
    low = numpy.minimum(x[0].min(axis=0), x[-1].min(axis=0))  # of so few points, none is left out
    high = numpy.maximum(x[0].max(axis=0), x[-1].max(axis=0))
    low, side = view_box(numpy.array([low, high]))
    for k in (0, 7, 25, 40):
        gif.seek(k)
        assert gif.info["duration"] == {0: 800, 40: 2000}.get(k, 100)
        image = pixels(gif)
        _, top, _, bottom = panel(image, BORDER["light"])
        assert bottom - top == size
        for points, left, colour in ((x[k], gap, BLUE["light"]), (x0[min(k, 39)], size + 2 * gap, ORANGE["light"])):
            place = (points - low) / side * size
            share = paper_mixed_with(image, PAPER["light"], colour)
            for column, row in place:
                if 4 < column < size - 4 and 4 < row < size - 4:
                    assert share[int(bottom - row), int(left + column)] > 0.6, (k, column, row)
    # the timestep is told above, so the head changes from frame to frame
    heads = set()
    for k in range(gif.n_frames):
        gif.seek(k)
        heads.add(pixels(gif)[: top - 1].tobytes())
    assert len(heads) == 41


def test_options_of_animations(trained):
    path = f"/v1/models/{trained.job}/trajectories.gif?n=20"
    small = decode(trained.get(path + "&frames=7&size=64&fps=50&theme=dark"), "image/gif")
    assert small.n_frames == 7 and tuple(pixels(small)[0, 0]) == PAPER["dark"]
    small.seek(3)
    assert small.info["duration"] == 20
    posted = trained.post(path.split("?")[0], {"noise": [[0, 0]], "frames": 2, "size": 100})
    assert decode(posted, "image/gif").n_frames == 2


def test_svg_has_themes_and_sizes(trained):
    answer = trained.get(f"/v1/models/{trained.job}/samples.svg?n=5&theme=dark&size=960")
    root = xml.etree.ElementTree.fromstring(answer.body)
    assert root.get("width") == "960" and root.get("height") == "940" and root.get("viewBox") == "0 0 480 470"
    assert b"#14171c" in answer.body and b"#7cc4ff" in answer.body


@pytest.mark.parametrize(
    "query,pointer",
    [
        ("size=63", "/size"), ("size=2049", "/size"), ("theme=pink", "/theme"), ("fps=0", "/fps"),
        ("fps=51", "/fps"), ("siz=100", "/siz"), ("size=2048", "/size"),
    ],
)  # fmt: skip
def test_wrong_looks(trained, query, pointer):
    answer = trained.get(f"/v1/models/{trained.job}/trajectories.gif?{query}")
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == pointer


def test_a_picture_that_would_be_huge_is_refused(server):
    job = server.submit(
        {"diffusion": {"timesteps": 2000}, "network": {"hidden_size": 8, "hidden_layers": 1},
         "dataset": {"n": 50}, "training": {"epochs": 1}}
    )  # fmt: skip
    server.wait(job)
    path = f"/v1/models/{job}/trajectories.gif?n=2"
    assert decode(server.get(path), "image/gif").n_frames == 101  # thinned on its own
    answer = server.get(path + "&frames=2001")
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/frames"


def test_classes_have_colours_of_their_own(server):
    job = server.submit({**QUICK, "dataset": [{"name": "spiral", "n": 100}, {"name": "moons", "n": 100}]})
    server.wait(job)
    path = f"/v1/models/{job}/"
    okabe_ito = [(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x00, 0x9E, 0x73)]
    for form in ("samples.png?n=400", "trajectories.png?n=400", "trajectories.gif?n=200&frames=4"):
        answer = server.get(path + form)
        image = pixels(decode(answer, answer.headers["Content-Type"]))
        # a dot that lies alone lets some paper through
        inked = [int((paper_mixed_with(image, (255, 255, 255), colour) > 0.6).sum()) for colour in okabe_ito]
        assert inked[0] > 20 and inked[1] > 20 and inked[2] < 5, (form, inked)
    one = pixels(decode(server.get(path + "samples.png?n=100&label=moons")))
    assert near(one, okabe_ito[1], 30).any() and not near(one, okabe_ito[0], 30).any()
    svg = server.get(path + "samples.svg?n=10").body
    assert b"#0072b2" in svg and b"#d55e00" in svg


@pytest.mark.parametrize("place,theme", enumerate(["light", "dark"]))
def test_the_dashboard_draws_in_the_same_colors(server, place, theme):
    """A picture that is exported from the dashboard looks like what is on its stage."""
    source = pathlib.Path(__file__).parents[2] / "server/dashboard/src/theme.ts"
    palette = re.findall(r"#[0-9a-f]{6}", re.findall(r"^  classes: \[(.*)\],$", source.read_text(), re.MULTILINE)[place])
    assert len(set(palette)) == 8
    names = list("abcdefgh")
    data = "x,y,label\n" + "".join(f"{i},{i % 3},{name}\n" for i, name in enumerate(names))
    upload = server.request("POST", "/v1/datasets", raw=data.encode(), headers={"Content-Type": "text/csv"}).json["id"]
    svg = server.get(f"/v1/datasets/{upload}/points.svg?n=8&theme={theme}").body.decode()
    groups = re.findall(r'<g fill="(#[0-9a-f]{6})" fill-opacity="[0-9.]+">', svg)
    assert groups == palette
    legend = re.findall(r'rx="4" fill="(#[0-9a-f]{6})"/><text [^>]*>(\w)</text>', svg)
    assert legend == list(zip(palette, names))
    point = re.findall(r'^  point: "(#[0-9a-f]{6})",$', source.read_text(), re.MULTILINE)[place]
    assert f'fill="{point}"' in server.get(f"/v1/datasets/spiral/points.svg?n=5&theme={theme}").body.decode()
