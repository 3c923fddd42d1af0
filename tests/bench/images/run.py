"""What the preset of images makes of MNIST and its relatives, through HTTP, on a fresh server with all cores: uploads, trains
`{"dataset": ID}`, and measures beside what real images reach. Prints a table in Markdown.

usage: run.py DENOISED FOLDER [--only mnist,fashion-mnist] [--join] [--spec JSON] [--keep FOLDER]

FOLDER has the four files of MNIST, compressed or not; those of Fashion-MNIST are where Debian's package puts them. What is not
there is left out.

  grid      seconds from the request for the job until a picture of 100 samples is there that is recognized: of a checkpoint in
            whose samples the judge sees the class of the label in at least 9 of 10
  training  seconds from that request until the job has succeeded
  accuracy  the share of 10,000 samples in which the judge, a LeNet-5, sees the class of their label; in parentheses its
            share for held-out images, which is how good the judge is
  FLD       the Frechet distance between its features of these samples and of held-out images; in parentheses the distance
            of as many training images from the same held-out images
  64 samples  seconds until a request for 64 samples has its whole answer: the median of 20, on the idle server

Samples are as the server draws them unless asked otherwise: 20 steps of dpmpp_2m, guidance 2 where noise is 0.2 to 5 times
the signal. Held-out images are the tenth of the data that the job does not train on: 6,000 of MNIST's 60,000. With --join, the
files with the test images belong to the data set, too, and as many images as they have are held out: 10,000 of 70,000, at random.
"""

import argparse
import gzip
import json
import os
import pathlib
import statistics
import struct
import sys
import tempfile
import time

from served import Server

FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")
SETS = ("mnist", "fashion-mnist")
RECOGNIZED, EARLY = 0.9, 5  # accuracy of a grid; checkpoints whose grid is drawn at once
SAMPLES, REQUESTS = 64, 20
BOUNDARY = "of-the-form"
TITLES = ["data set", "cores", "grid, s", "training, s", "accuracy", "FLD", f"{SAMPLES} samples, s"]


# ---------------------------------------------------------------- the data


def read(folder, name):
    """The bytes of a file, compressed or not; None: there is none."""
    for path, opener in ((folder / name, open), (folder / f"{name}.gz", gzip.open)):
        if path.exists():
            with opener(path, "rb") as file:
                return file.read()
    return None


def join(first, second, header):
    """One IDX file of two, whose headers differ in the number of items only."""
    (n,), (more,) = (struct.unpack(">I", file[4:8]) for file in (first, second))
    return first[:4] + struct.pack(">I", n + more) + first[8:] + second[header:]


def load(folder, with_test):
    """Images, labels, and the share that is to be held out (None: the usual one). None: files are missing."""
    parts = ("train", "t10k") if with_test else ("train",)
    files = [[read(folder, f"{part}-{name}-ubyte") for part in parts] for name in ("images-idx3", "labels-idx1")]
    if None in files[0] + files[1]:
        return None
    if not with_test:
        return files[0][0], files[1][0], None
    images, labels = join(*files[0], 16), join(*files[1], 8)
    return images, labels, struct.unpack(">I", files[1][1][4:8])[0] / struct.unpack(">I", labels[4:8])[0]


def upload(server, name, images, labels):
    body = b""
    for part, content in (("images", images), ("labels", labels)):
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part}"; filename="{part}"\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    body += f"--{BOUNDARY}--\r\n".encode()
    return server.json("POST", f"/v1/datasets?name={name}", body, f"multipart/form-data; boundary={BOUNDARY}")


# ---------------------------------------------------------------- the measures


def train(server, spec, keep):
    """The job's id, the seconds of its training, and those until the grid of each of the first checkpoints."""
    began = time.monotonic()
    job = server.json("POST", "/v1/jobs", spec, wait=0)
    grids = []
    while job["status"] in ("queued", "running"):
        time.sleep(0.1)
        job = server.json("GET", f"/v1/jobs/{job['id']}")
        while len(grids) < min(job["progress"]["epoch"], EARLY):
            picture = server.ask("GET", f"/v1/models/{job['id']}/samples.png?epoch={len(grids) + 1}")
            grids.append(time.monotonic() - began)
            keep(f"epoch{len(grids)}.png", picture)
    seconds = time.monotonic() - began
    if job["status"] != "succeeded":
        sys.exit(f"the training failed: {job['error']}")
    return job["id"], seconds, grids


def first_recognized(server, model, grids):
    for epoch, seconds in enumerate(grids, 1):
        report = server.json("GET", f"/v1/models/{model}/evaluation?n=1000&epoch={epoch}")["images"]
        print(f"  epoch {epoch}, {seconds:.1f} s: accuracy {report['accuracy']['value']:.3f}", file=sys.stderr)
        if report["accuracy"]["value"] >= RECOGNIZED:
            return seconds
    return None


def draw(server, model):
    """Seconds of requests for samples, each with another seed; the first one, which loads the model, is left out."""
    seconds = []
    for seed in range(REQUESTS + 1):
        began = time.monotonic()
        server.ask("GET", f"/v1/models/{model}/samples.npy?n={SAMPLES}&balance=true&steps=20&seed={seed}")
        seconds.append(time.monotonic() - began)
    return seconds[1:]


def measure(server, name, data, options):
    images, labels, held_out = data
    dataset = upload(server, name, images, labels)
    spec = {**options.spec, "dataset": dataset["id"]}
    if held_out:
        spec["training"] = {**spec.get("training", {}), "validation_fraction": held_out}

    def keep(file, content):
        if options.keep:
            (options.keep / f"{name}-{file}").write_bytes(content)

    model, seconds, grids = train(server, spec, keep)
    print(f"{name}: trained in {seconds:.1f} s, {server.seconds():.0f} of processor time", file=sys.stderr, flush=True)
    keep("samples.png", server.ask("GET", f"/v1/models/{model}/samples.png"))
    requests = draw(server, model)
    grid = first_recognized(server, model, grids)
    answer = server.json("GET", f"/v1/models/{model}/evaluation?n=10000")
    report = answer["images"]
    print(f"  {json.dumps({**report, 'confusion': None})}, in {answer['duration_seconds']:.1f} s", file=sys.stderr)
    print(f"  {SAMPLES} samples: {min(requests):.3f} to {max(requests):.3f} s", file=sys.stderr, flush=True)
    cells = [
        name,
        str(len(os.sched_getaffinity(0))),
        f"{grid:.1f}" if grid else "later",
        f"{seconds:.1f}",
        "{value:.4f} ({floor:.4f})".format(**report["accuracy"]),
        "{value:.2f} ({floor:.2f})".format(**report["fld"]),
        f"{statistics.median(requests):.3f}",
    ]
    return "| " + " | ".join(cells) + " |"


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("denoised")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(SETS), metavar="NAMES")
    parser.add_argument("--join", action="store_true", help="train on the test images, too, and hold out as many")
    parser.add_argument("--spec", type=json.loads, default={}, help="more fields of the job", metavar="JSON")
    parser.add_argument("--keep", type=pathlib.Path, help="write pictures of samples there", metavar="FOLDER")
    options = parser.parse_args()
    if unknown := set(options.only) - set(SETS):
        parser.error(f"no such data set: {', '.join(unknown)}; there are {', '.join(SETS)}")
    return options


def main():
    options = arguments()
    print("| " + " | ".join(TITLES) + " |\n" + "|---" * len(TITLES) + "|", flush=True)
    for name in options.only:
        place = FASHION if name == "fashion-mnist" else options.folder
        data = load(place, options.join)
        if not data:
            print(f"{name} is left out: its files are not in {place}", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder, Server(options.denoised, folder) as server:
            print(measure(server, name, data, options), flush=True)


main()
